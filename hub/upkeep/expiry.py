"""The list of everything that ends: certificates, keys, API keys, revocation lists, pinned host keys, secrets.

Files are found by going through the settings of all channels, webhooks and receivers; what cannot be read stands first.
A key that another of the same owner outlives is succeeded: it is listed, and nobody is alarmed.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.adapters.base import read_settings
from hub.errors import ConfigurationError
from hub.net.secrets import secret_path
from hub.ports import Adapter, Registry
from hub.schemas import strict_yaml
from hub.schemas.base import Instant
from hub.seals import load_signing_key
from hub.upkeep.certificates import MAX_BYTES, endings
from hub.upkeep.naming import Form, NamedValue, named

KEEP_SECS: Final = 300.0
"""A list that is not asked to be fresh may be as old."""
MAX_NAME: Final = 120
_CRYPTO_SUFFIXES: Final = frozenset({".pem", ".crt", ".cer", ".der", ".crl"})
Models = Callable[[], Iterable[tuple[str, BaseModel]]]
"""Settings to go through, each with the name of its owner."""


class ExpiryKind(StrEnum):
    """Kind of a thing that ends, or that somebody must renew by hand."""

    SEAL = "seal"
    VERIFICATION_KEY = "verification_key"
    API_KEY = "api_key"
    CERTIFICATE = "certificate"
    CRL = "crl"
    HOST_KEY = "host_key"
    SECRET = "secret"  # noqa: S105  # a kind, no secret
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryEntry:
    """One thing. ``name``: who names it and in which field, or its id; ``ends``: absent = no end is known.

    ``where``: its file or reference; ``changed_at``: when the file was last written; ``fault``: why it cannot be read;
    ``uses``: how many settings name it; ``succeeded``: another one goes on when it ends.
    """

    kind: ExpiryKind
    name: str
    where: str | None = None
    ends: datetime | None = None
    changed_at: datetime | None = None
    fault: str = ""
    uses: int = 1
    succeeded: bool = False

    @property
    def label(self) -> str:
        """Kind and name, as alarms and figures show it."""
        return f"{self.kind} {self.name}"

    def days(self, now: datetime) -> int | None:
        """Whole days that are left; below 0 once it has ended."""
        return None if self.ends is None else (self.ends - now).days

    def has_ended(self, now: datetime) -> bool:
        """True if it has ended and nothing goes on in its place."""
        return self.ends is not None and self.ends <= now and not self.succeeded


class _KeyLine(BaseModel):
    """The part of an API key's entry that says when it ends; whatever else stands there is left alone."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: str
    role: str
    party: str
    valid_to: Instant | None = None


class _KeyLines(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    keys: Annotated[list[_KeyLine], Field(default_factory=list)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """Files of the hub's home that hold keys. ``applicants``: absent if a setting names the applicants' key."""

    seal: Path
    api_keys: Path
    applicants: Path | None


class ExpiryList:
    """The list, made when it is asked for. Thread-safe. ``models``: settings beside those of the channels."""

    def __init__(
        self,
        *,
        own: OwnFiles,
        registry: Registry,
        adapters: Mapping[str, Adapter],
        models: Models,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._registry = registry
        self._adapters = adapters
        self._models = models
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._made: tuple[float, tuple[ExpiryEntry, ...]] | None = None
        self._channels: tuple[str, tuple[NamedValue, ...]] | None = None

    def entries(self, *, fresh: bool = False) -> tuple[ExpiryEntry, ...]:
        """Everything: first what cannot be read, then by end, then what has none. Up to 5 minutes old if not fresh."""
        with self._lock:
            now = self._monotonic()
            if fresh or self._made is None or now - self._made[0] >= KEEP_SECS:
                self._made = (now, tuple(sorted(self._all(), key=_order)))
            return self._made[1]

    def _all(self) -> Iterator[ExpiryEntry]:
        yield _seal(self._own.seal)
        yield from _succeeded(self._verification_keys())
        yield from _succeeded(_api_keys(self._own.api_keys))
        if self._own.applicants is not None and self._own.applicants.exists():  # it is made at the first need
            secret = f"file:{self._own.applicants.resolve()}"
            yield from _secret(NamedValue(name="applicants' key", form=Form.SECRET, value=secret))
        yield from _once([*self._of_channels(), *self._of_models()])

    def _verification_keys(self) -> Iterator[tuple[str, ExpiryEntry]]:
        for authority in self._registry.current().authorities():
            for key in authority.keys:
                name = f"{authority.code} {key.kid}"[:MAX_NAME]
                yield authority.code, ExpiryEntry(kind=ExpiryKind.VERIFICATION_KEY, name=name, ends=key.valid_to)

    def _of_models(self) -> Iterator[NamedValue]:
        for owner, model in self._models():
            yield from named(owner, model)

    def _of_channels(self) -> tuple[NamedValue, ...]:
        """Names in the settings of channels; settings change with the registry only."""
        directory = self._registry.current()
        if self._channels is None or self._channels[0] != directory.version:
            found = []
            for _, channel in directory.channels():
                if channel.adapter in self._adapters:
                    found += _of_channel(channel.id, self._adapters[channel.adapter], channel)
            self._channels = (directory.version, tuple(found))
        return self._channels[1]


def _of_channel(channel_id: str, adapter: Adapter, channel: object) -> list[NamedValue]:
    """Names in one channel's settings; settings that the registry's check would refuse have none."""
    try:
        return list(named(channel_id, read_settings(adapter.settings_model, channel)))  # type: ignore[arg-type]
    except ConfigurationError:
        return []


def _order(entry: ExpiryEntry) -> tuple[bool, bool, datetime, str]:
    return (not entry.fault, entry.ends is None, entry.ends or datetime.max.replace(tzinfo=UTC), entry.label)


def _succeeded(entries: Iterable[tuple[str, ExpiryEntry]]) -> Iterator[ExpiryEntry]:
    """Entries by owner, each marked if another of the same owner goes on when it ends."""
    owned: dict[str, list[ExpiryEntry]] = {}
    for owner, entry in entries:
        owned.setdefault(owner, []).append(entry)
    for of_one in owned.values():
        for entry in of_one:
            later = any(other.ends is None or (entry.ends and other.ends > entry.ends) for other in of_one)
            yield replace(entry, succeeded=entry.ends is not None and later)


def _seal(path: Path) -> ExpiryEntry:
    name = "the hub's own"
    try:
        ends = load_signing_key(path).certificate.not_valid_after_utc
    except ConfigurationError as error:
        return ExpiryEntry(kind=ExpiryKind.SEAL, name=name, where=str(path), fault=error.stable_code)
    return ExpiryEntry(kind=ExpiryKind.SEAL, name=name, where=str(path), ends=ends, changed_at=_written(path))


def _api_keys(path: Path) -> Iterator[tuple[str, ExpiryEntry]]:
    try:
        lines = _KeyLines.model_validate(strict_yaml.load(path.read_bytes()) or {}).keys
    except FileNotFoundError:
        return
    except (OSError, yaml.YAMLError, ValidationError):
        yield "", ExpiryEntry(kind=ExpiryKind.API_KEY, name="all", where=str(path), fault="key.file")
        return
    for line in lines:
        entry = ExpiryEntry(kind=ExpiryKind.API_KEY, name=f"{line.role} {line.party} {line.id}"[:MAX_NAME])
        yield f"{line.role} {line.party}", replace(entry, ends=line.valid_to)


def _once(values: Iterable[NamedValue]) -> Iterator[ExpiryEntry]:
    """Entries of named values, each file and secret once, however many settings name it."""
    first: dict[tuple[str, bool], tuple[NamedValue, int]] = {}
    for value in values:
        key = (value.value, value.form is Form.PUBLIC_KEY)
        known, uses = first.get(key, (value, 0))
        # A field whose type says what it is knows more than one that only looks like a path.
        better = value if known.form is Form.TEXT else known
        first[key] = (better, uses + 1)
    for value, uses in first.values():
        for entry in _entries(value):
            yield replace(entry, uses=uses)


def _entries(value: NamedValue) -> Iterator[ExpiryEntry]:
    match value.form:
        case Form.PUBLIC_KEY:
            print_ = hashlib.sha256(value.value.encode()).hexdigest()[:16]
            yield ExpiryEntry(kind=ExpiryKind.HOST_KEY, name=value.name[:MAX_NAME], where=f"sha256 {print_}")
        case Form.SECRET:
            yield from _secret(value)
        case _:
            yield from _file(value)


def _secret(value: NamedValue) -> Iterator[ExpiryEntry]:
    """A secret by reference. What is in the environment has no age, and another process may have another."""
    bare = ExpiryEntry(kind=ExpiryKind.SECRET, name=value.name[:MAX_NAME], where=value.value)
    if not value.value.startswith("file:"):
        yield bare
        return
    try:
        path = secret_path(value.value)
        certificates = list(_read(replace(bare, where=str(path)), path))
    except ConfigurationError as error:
        yield replace(bare, fault=error.stable_code)
    else:
        yield from certificates or [replace(bare, changed_at=_written(path))]


def _file(value: NamedValue) -> Iterator[ExpiryEntry]:
    """A file that a setting names. A folder, and a text that names no file with an end, is none of ours."""
    path = Path(value.value)
    bare = ExpiryEntry(kind=ExpiryKind.FILE, name=value.name[:MAX_NAME], where=value.value)
    typed = value.form is Form.FILE
    try:
        if path.is_dir() or (not typed and not path.is_file()):
            return
    except OSError:
        yield from [replace(bare, fault="expiry.unreadable")] if typed else []
        return
    found = list(_read(bare, path))
    if found and (typed or not found[0].fault):
        yield from found
    elif typed and path.suffix.lower() in _CRYPTO_SUFFIXES:
        yield replace(bare, fault="expiry.holds_nothing", changed_at=_written(path))


def _read(bare: ExpiryEntry, path: Path) -> Iterator[ExpiryEntry]:
    """Certificates and revocation lists of a file, or that it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
        with os.fdopen(descriptor, "rb") as file:
            found = endings(file.read(MAX_BYTES))
    except OSError:
        yield replace(bare, fault="expiry.unreadable")
        return
    except ValueError:
        yield replace(bare, fault="expiry.broken")
        return
    for place, ending in enumerate(found, start=1):
        kind = ExpiryKind.CRL if ending.crl else ExpiryKind.CERTIFICATE
        name = bare.name if place == 1 else f"{bare.name} no. {place}"
        yield replace(bare, kind=kind, name=name, ends=ending.ends, changed_at=_written(path))


def _written(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
