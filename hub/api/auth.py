"""Identity of the caller: API keys and OAuth2 bearer tokens, both as ``Authorization: Bearer …`` (RFC 6750).

An API key reads ``hub_<id>_<secret>``; the file ``keys/api-keys.yaml`` in the hub's home holds ids, roles, parties and
the SHA-256 of the secrets (32 random bytes need no slow hash). The file is read again when it changes, so a revocation
takes effect with the next call. Tokens are checked in ``hub.api.tokens``.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

import yaml
from pydantic import Field, ValidationError

from hub.errors import ConfigurationError, NotFound, Unauthenticated
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen, Instant, Line
from hub.schemas.ids import AuthorityCode, Sha256

log = logging.getLogger(__name__)

KEY_FILE = "keys/api-keys.yaml"
MAX_FILE_BYTES = 4_194_304
MAX_CREDENTIAL_CHARS = 8_192
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 12
_SECRET_BYTES = 32
_PREFIX = "hub_"
USE_STEP = timedelta(minutes=10)
"""Precision with which the last use of a key is known."""


class CallerRole(StrEnum):
    """Role of a caller: the contact centre's front end, an authority's system, or a person who runs the hub.

    ``operator`` decides about cases; ``engineer`` looks after channels and never sees personal data; ``auditor`` reads
    everything and changes nothing.
    """

    NCC = "ncc"
    AUTHORITY = "authority"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


_ROLES = ", ".join(CallerRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. ``id`` is no secret and stands in logs; ``party``: code of the body it acts for;
    ``holder``: the person or system that the key belongs to.
    """

    id: str
    role: CallerRole
    party: str
    holder: str | None = None

    @property
    def owner(self) -> str | None:
        """Contact centre whose cases it sees; none if it is no front end."""
        return self.party if self.role is CallerRole.NCC else None

    @property
    def body(self) -> str | None:
        """Body whose part of cases it sees; none if it is no authority's system."""
        return self.party if self.role is CallerRole.AUTHORITY else None


class ApiKeyEntry(Frozen):
    """One line of the key file. ``holder``: the person or system that it belongs to; ``valid_to`` is exclusive, absent
    until it is revoked.
    """

    id: Annotated[str, Code(r"[a-z0-9]{12}")]
    role: Annotated[CallerRole, Field(strict=False)]
    party: AuthorityCode
    sha256: Sha256
    holder: Annotated[str, Line(200)] | None = None
    created_at: Instant | None = None
    valid_to: Instant | None = None
    note: Annotated[str, Line(200)] | None = None

    def valid_at(self, moment: datetime) -> bool:
        """True if the key may be used at ``moment``."""
        return self.valid_to is None or moment < self.valid_to


class _KeyFile(Frozen):
    keys: Annotated[tuple[ApiKeyEntry, ...], Field(strict=False, max_length=10_000)] = ()


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new_api_key(
    role: str,
    party: str,
    *,
    holder: str | None = None,
    created_at: datetime | None = None,
    valid_to: datetime | None = None,
    note: str | None = None,
) -> tuple[str, ApiKeyEntry]:
    """A fresh key: its plain text, shown once, and the entry for the file. ``ConfigurationError`` for wrong values."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    try:
        entry = ApiKeyEntry(
            id=key_id,
            role=CallerRole(role),
            party=party,
            sha256=_sha256(secret),
            holder=holder,
            created_at=created_at,
            valid_to=valid_to,
            note=note,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"An API key needs a role ({_ROLES}) and a party code of 8 to 10 digits.", code="key.wrong"
        ) from error
    return f"{_PREFIX}{key_id}_{secret}", entry


def read_keys(file: Path) -> tuple[ApiKeyEntry, ...]:
    """The entries of a key file; none if it does not exist. ``ConfigurationError`` if it is broken."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{file} is larger than {MAX_FILE_BYTES} bytes.", code="key.file")
        loaded = strict_yaml.load(file.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as YAML: {strict_yaml.told(error)}.", code="key.file"
        ) from None
    try:
        entries = _KeyFile.model_validate(loaded or {}).keys
    except ValidationError as error:
        places = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors(include_input=False)}))
        raise ConfigurationError(f"{file} is not a key file; wrong: {places}.", code="key.file") from None
    if len({entry.id for entry in entries}) < len(entries):
        raise ConfigurationError(f"{file} names a key id twice.", code="key.file")
    return entries


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two commands that change the file at the same moment wait for each other."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(file: Path, entries: tuple[ApiKeyEntry, ...]) -> None:
    document = {"keys": [entry.model_dump(mode="json", exclude_none=True) for entry in entries]}
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        yaml.safe_dump(document, stream, sort_keys=False, allow_unicode=True)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def append_key(file: Path, entry: ApiKeyEntry) -> None:
    """Add an entry; the file is replaced in one step and readable by its owner only."""
    with _locked(file.parent):
        _write(file, (*read_keys(file), entry))


def revoke_key(file: Path, key_id: str) -> ApiKeyEntry:
    """Take an entry out of the file. ``NotFound`` if there is none with this id."""
    with _locked(file.parent):
        entries = read_keys(file)
        gone = next((entry for entry in entries if entry.id == key_id), None)
        if gone is None:
            raise NotFound("There is no API key with this id.", code="key.unknown", action="See `hub keys list`.")
        _write(file, tuple(entry for entry in entries if entry.id != key_id))
    return gone


class ApiKeys:
    """The keys in force. A file that became broken is told once and the keys in force stay. Thread-safe."""

    def __init__(self, file: Path, now: Callable[[], datetime]) -> None:
        self._file = file
        self._now = now
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKeyEntry] = {}
        self._noted: dict[str, datetime] = {}
        self._uses: dict[str, datetime] = {}
        self._refresh()

    def _look(self) -> tuple[int, int, int]:
        try:
            stat = self._file.stat()
        except OSError:
            return (0, 0, 0)
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        with self._lock:
            try:
                self._keys = {entry.id: entry for entry in read_keys(self._file)}
            except ConfigurationError as error:
                if self._stamp is None:
                    raise
                log.error(  # noqa: TRY400  # the stack tells nothing, the message may name values
                    "the API key file is broken; the keys in force stay", extra={"code": error.stable_code}
                )
            self._stamp = stamp

    def check(self, credential: str) -> Principal:
        """The caller of an API key. ``Unauthenticated`` for whatever is not valid, without telling why."""
        self._refresh()
        key_id, _, secret = credential.removeprefix(_PREFIX).partition("_")
        entry = self._keys.get(key_id)
        # An unknown id costs the same comparison, so the answer's time does not tell which ids exist.
        expected = entry.sha256 if entry else "0" * 64
        same = hmac.compare_digest(_sha256(secret), expected)
        now = self._now()
        if entry is None or not same or not entry.valid_at(now):
            raise Unauthenticated("The API key is not valid.", code="auth.invalid")
        noted = self._noted.get(entry.id)
        if noted is None or now - noted >= USE_STEP:
            self._noted[entry.id] = self._uses[entry.id] = now
        return Principal(id=f"key:{entry.id}", role=entry.role, party=entry.party, holder=entry.holder)

    @property
    def used(self) -> bool:
        """True if uses of keys are still to be noted."""
        return bool(self._uses)

    def take_uses(self) -> Mapping[str, datetime]:
        """Uses of keys that are still to be noted, by id: of each key one in ten minutes. They are given out once."""
        taken, self._uses = self._uses, {}
        return taken

    def give_back(self, uses: Mapping[str, datetime]) -> None:
        """Take uses back that could not be noted."""
        self._uses = {**uses, **self._uses}


class TokenCheck(Protocol):
    """Checks a bearer token of an OAuth2 issuer; may block. Raises ``Unauthenticated``, ``Unavailable``."""

    def check(self, credential: str) -> Principal:
        """The caller of a token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Turns an Authorization header into a principal. ``tokens``: None = API keys only."""

    keys: ApiKeys
    tokens: TokenCheck | None = None

    def credential(self, header: str | None) -> str:
        """The credential of a well-made header. ``Unauthenticated`` otherwise."""
        scheme, _, credential = (header or "").partition(" ")
        credential = credential.strip(" ")
        made = scheme.lower() == "bearer" and 0 < len(credential) <= MAX_CREDENTIAL_CHARS
        if not made or not credential.isascii() or not credential.isprintable() or " " in credential:
            raise Unauthenticated("The call carries no bearer credential.")
        return credential

    def blocks(self, credential: str) -> bool:
        """True if ``check`` may block, so that it belongs into a thread."""
        return not credential.startswith(_PREFIX)

    def check(self, credential: str) -> Principal:
        """Principal that calls. ``Unauthenticated`` if nobody valid does."""
        if credential.startswith(_PREFIX):
            return self.keys.check(credential)
        if self.tokens is None:
            raise Unauthenticated("This hub takes API keys only.", code="auth.invalid")
        return self.tokens.check(credential)
