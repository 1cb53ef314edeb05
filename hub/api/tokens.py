"""OAuth2 bearer tokens: JWTs (RFC 7519) of one issuer, verified with its JWKS (RFC 7517).

Strict before the library is asked: base64url without slack, no duplicate keys, no header that chooses a key or an
extension, algorithm from a list of three and fitted to the key's type (never from the message alone). The claims
``hub_role`` (one of ``CallerRole``) and ``hub_party`` (code of the body) say who is calling; ``sub`` names it.
"""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from hub.api.auth import CallerRole, Principal
from hub.errors import ConfigurationError, HubError, InvalidInput, SealRefused, Unauthenticated, Unavailable
from hub.net.http import HttpPolicy, HttpSession
from hub.schemas import strict_json
from hub.schemas.jcs import JsonValue
from hub.seals import compact

log = logging.getLogger(__name__)

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
RSA_BITS = range(2048, 4097)
RSA_EXPONENT_BITS = range(2, 65)
"""Holding a caller's signature against a key costs what these say; OpenSSL's own limits are much higher."""
_NUMBER_MAX_CHARS = 1_000
LEEWAY_SECS = 30
JWKS_MAX_BYTES = 262_144
JWKS_KEEP_SECS = 600.0
JWKS_RETRY_SECS = 30.0
FETCH_DEADLINE_SECS = 5.0
_PARTY = re.compile(r"[0-9]{8,10}")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,200}")
_ROLES = frozenset(role.value for role in CallerRole)
_HEADERS = frozenset({"alg", "kid", "typ", "cty", "x5t", "x5t#S256"})
"""Headers that a token may have. The last three only inform (RFC 7515 sections 4.1.7, 4.1.8 and 4.1.10): no key is ever
chosen by them.
"""

PublicKey = RSAKey | ECKey


def _refuse(why: str) -> Unauthenticated:
    """One answer for every fault: a caller who holds no valid token learns nothing; the log says why."""
    log.info("a bearer token was refused", extra={"code": f"token.{why}"})
    return Unauthenticated("The bearer token is not valid.", code="auth.invalid")


def _object(data: bytes) -> dict[str, JsonValue]:
    try:
        value = strict_json.parse(data, max_bytes=16_384, max_depth=8, allow_floats=True)
    except InvalidInput:
        raise _refuse("claims") from None
    if not isinstance(value, dict):
        raise _refuse("claims")
    return value


def read_jwks(document: bytes) -> dict[str, PublicKey]:
    """The usable signature keys of a JWKS, by ``kid``. ``ConfigurationError`` if it is no JWKS.

    Left out are keys without ``kid``, symmetric keys, keys that are not for verifying (``use``, ``key_ops``), RSA of
    under 2048 or over 4096 bits or with an exponent over 64 bits, curves other than P-256, and keys for another
    algorithm (``alg``).
    """
    try:
        value = strict_json.parse(document, max_bytes=JWKS_MAX_BYTES)
    except InvalidInput:
        raise ConfigurationError("The issuer's JWKS is not JSON that the hub takes.", code="oauth.jwks") from None
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError("The issuer's JWKS has no list of keys.", code="oauth.jwks")
    found: dict[str, PublicKey] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str):
            key = _public_key(entry)
            if key is not None:
                found[str(entry["kid"])] = key
    return found


def _public_key(entry: Mapping[str, JsonValue]) -> PublicKey | None:
    if not _may_verify(entry):
        return None
    public: dict[str, str | list[str]] = {
        name: str(entry[name]) for name in ("kty", "n", "e", "crv", "x", "y", "alg") if name in entry
    }
    try:
        if entry.get("kty") == "EC" and entry.get("crv") == "P-256":
            return ECKey.import_key(public)
        if (
            entry.get("kty") == "RSA"
            and _bits(entry.get("n")) in RSA_BITS
            and _bits(entry.get("e")) in RSA_EXPONENT_BITS
        ):
            return RSAKey.import_key(public)
    except (JoseError, ValueError, KeyError):
        log.warning("a key of the issuer's JWKS cannot be used", extra={"code": "oauth.key"})
    return None


def _bits(number: JsonValue) -> int:
    """Length of a Base64urlUInt (RFC 7518 section 2); -1 for none, or one that is longer than any that is used."""
    if not isinstance(number, str) or len(number) > _NUMBER_MAX_CHARS:
        return -1
    try:
        return int.from_bytes(base64.urlsafe_b64decode(number + "=" * (-len(number) % 4)), "big").bit_length()
    except ValueError:
        return -1


def _may_verify(entry: Mapping[str, JsonValue]) -> bool:
    """True if nothing in the key says that it is for something else (RFC 7517 sections 4.2 to 4.4)."""
    operations, algorithm = entry.get("key_ops", ["verify"]), entry.get("alg")
    for_verifying = isinstance(operations, list) and "verify" in operations and entry.get("use", "sig") == "sig"
    return for_verifying and (algorithm is None or (isinstance(algorithm, str) and algorithm in ALGORITHMS))


class JwksSource(Protocol):
    """Where the issuer's JWKS comes from."""

    def read(self) -> bytes:
        """The document. May block. Raises ``HubError``."""
        ...


class JwksFile:
    """A JWKS in a file, as ``file:/path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        """The file's bytes. ``ConfigurationError`` if it cannot be read."""
        try:
            if self._path.stat().st_size > JWKS_MAX_BYTES:
                raise ConfigurationError(f"{self._path} is larger than {JWKS_MAX_BYTES} bytes.", code="oauth.jwks")
            return self._path.read_bytes()
        except OSError as error:
            name = type(error).__name__
            raise ConfigurationError(f"{self._path} cannot be read: {name}.", code="oauth.jwks") from None


class JwksUrl:
    """A JWKS behind an https URL, fetched through the guarded client."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> bytes:
        """The body of the answer. Raises ``HubError``."""
        with HttpSession(HttpPolicy(max_response_bytes=JWKS_MAX_BYTES)) as session:
            answer = session.call("GET", self._url, deadline_secs=FETCH_DEADLINE_SECS)
        if answer.status != 200:
            raise ConfigurationError(f"The issuer's JWKS answers {answer.status}.", code="oauth.jwks")
        return answer.body


def jwks_source(reference: str) -> JwksSource:
    """``file:/path`` or an https URL. ``ConfigurationError`` for anything else."""
    if reference.startswith("file:"):
        return JwksFile(Path(reference.removeprefix("file://").removeprefix("file:")))
    if reference.startswith("https://"):
        return JwksUrl(reference)
    raise ConfigurationError("oauth_jwks must be file:/path or an https URL.", code="oauth.jwks")


class Jwks:
    """The issuer's keys, kept for ten minutes; an unknown ``kid`` has them read again, at most every 30 seconds."""

    def __init__(self, source: JwksSource, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, PublicKey] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def key(self, kid: str) -> PublicKey | None:
        """The key with this id. ``Unavailable`` if no keys could ever be read."""
        now = self._monotonic()
        stale = self._read_at is None or now - self._read_at >= JWKS_KEEP_SECS
        rested = self._tried_at is None or now - self._tried_at >= JWKS_RETRY_SECS
        if (stale or kid not in self._keys) and rested:
            self._renew(now)
        if self._read_at is None:
            raise Unavailable("The token issuer's keys cannot be read.", code="oauth.jwks", retry_after=30)
        return self._keys.get(kid)

    def _renew(self, now: float) -> None:
        with self._lock:
            if self._tried_at is not None and self._tried_at >= now:
                return
            self._tried_at = now
            try:
                self._keys = read_jwks(self._source.read())
                self._read_at = now
            except HubError as error:
                log.warning("the issuer's JWKS could not be read", extra={"code": error.stable_code})


class BearerTokens:
    """Checks tokens of one issuer for one audience. Thread-safe; may block while the JWKS is read."""

    def __init__(self, *, issuer: str, audience: str, jwks: Jwks, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks = jwks
        self._now = now

    def check(self, credential: str) -> Principal:
        """The caller that the token names. ``Unauthenticated`` for every fault alike, ``Unavailable`` without keys."""
        try:
            parts = compact.split(credential.encode())
        except SealRefused:
            raise _refuse("form") from None
        algorithm, kid = self._header(parts.header)
        key = self._jwks.key(kid)
        if key is None or key.key_type != ALGORITHMS[algorithm] or key.alg not in (None, algorithm):
            raise _refuse("key")
        try:
            jws.deserialize_compact(credential, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            raise _refuse("signature") from None
        return self._claims(_object(parts.payload))

    @staticmethod
    def _header(header: Mapping[str, JsonValue]) -> tuple[str, str]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not isinstance(kid, str):
            raise _refuse("header")
        # jku, x5u, x5c, jwk choose a key for us, crit and b64 change what is signed: none of them is known here.
        if not header.keys() <= _HEADERS:
            raise _refuse("header")
        return algorithm, kid

    def _claims(self, claims: Mapping[str, JsonValue]) -> Principal:
        now = self._now().timestamp()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        role, party, subject = claims.get("hub_role"), claims.get("hub_party"), claims.get("sub")
        holds = {
            "iss": claims.get("iss") == self._issuer,
            "aud": self._audience in audiences,
            "exp": _number(claims.get("exp")) > now - LEEWAY_SECS,
            "nbf": _number(claims.get("nbf"), absent=float("inf")) <= now + LEEWAY_SECS,
            "hub_role": isinstance(role, str) and role in _ROLES,
            "hub_party": isinstance(party, str) and _PARTY.fullmatch(party) is not None,
            "sub": isinstance(subject, str) and _SUBJECT.fullmatch(subject) is not None,
        }
        if not all(holds.values()):
            raise _refuse(next(name for name, good in holds.items() if not good))
        return Principal(id=f"oauth:{subject}", role=CallerRole(str(role)), party=str(party))


def _number(value: JsonValue, absent: float = float("-inf")) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else absent
