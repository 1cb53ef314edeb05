"""The one guarded HTTP client for all that the hub calls. Built on ``requests``, without what is dangerous in it.

Only the transport adapter of ``requests`` is used, never its ``Session``: so there are no redirects (``Session`` reads
a redirect's whole body even when told not to follow), no cookies, no ``.netrc``, no proxy or certificate variables.
A call has a total deadline and byte limits (``hub.adapters.leash``), goes to checked addresses only
(``hub.adapters.addresses``), and ends in an ``Answer`` or in one of these:

    ConfigurationError   http.url, http.scheme, http.port, http.header    nothing was tried
    PermanentFailure     http.address_refused                             nothing went out
    TemporaryFailure     http.dns, http.connect, http.connect_timeout,
                         tls.certificate, tls.handshake, tls.timeout      nothing went out
    OutcomeUnknown       http.deadline, http.broken, http.too_large,
                         http.encoding                                    bytes of the request may have gone out

A status code is no error here: whoever calls judges it.
"""

from __future__ import annotations

import re
import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from hub.adapters.addresses import IPNetwork, Target, parse_url
from hub.adapters.leash import (
    Guide,
    Leash,
    PlainConnection,
    Resolver,
    TlsConnection,
    TooMuchError,
    leashed,
    system_resolver,
)
from hub.errors import ConfigurationError, OutcomeUnknown, TemporaryFailure

HEAD_MAX_BYTES = 65_536
RETRY_AFTER_MAX_SECS = 86_400.0
USER_AGENT = "appeal-hub/1"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
_CONNECTIONS = {"http": PlainConnection, "https": TlsConnection}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """What a channel allows its calls. ``ports``: empty = any. ``max_response_bytes`` counts after decompression.

    ``ca_file``: trust exactly these certificates instead of the public ones. ``crl_file``: refuse what it revokes.
    ``cert_file`` and ``key_file``: client certificate (mTLS).
    """

    allow_http: bool = False
    allow_private: tuple[IPNetwork, ...] = ()
    ports: tuple[int, ...] = ()
    ca_file: Path | None = None
    crl_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    max_response_bytes: int = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A body that is streamed: ``length`` bytes in all, in the pieces of ``chunks``."""

    length: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said, read to its end and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The whole Content-Type header, empty if absent."""
        return self.headers.get("Content-Type", "")


def check_url(url: str, policy: HttpPolicy) -> Target:
    """Check a URL against a policy, without a network. Raises ``ConfigurationError``."""
    target = parse_url(url)
    if target.scheme == "http" and not policy.allow_http:
        raise ConfigurationError("The URL begins with http://, which this channel does not allow.", code="http.scheme")
    if policy.ports and target.port not in policy.ports:
        raise ConfigurationError("The URL's port is not one that this channel allows.", code="http.port")
    return target


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), within 0 and a day; None if unreadable."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        # A number with more digits than a day has is a day; int() of thousands of digits would raise.
        return min(float(text[:9] if len(text) <= 9 else "999999999"), RETRY_AFTER_MAX_SECS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), RETRY_AFTER_MAX_SECS)


def _stamp(path: Path | None) -> tuple[str, int] | None:
    if path is None:
        return None
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigurationError(f"The file {path} cannot be read: {type(error).__name__}.") from None


def tls_context(policy: HttpPolicy) -> ssl.SSLContext:
    """The TLS context of a policy; made once, and again when one of its files changes. ``ConfigurationError``."""
    return _tls_context(*map(_stamp, (policy.ca_file, policy.crl_file, policy.cert_file, policy.key_file)))


@lru_cache(maxsize=256)
def _tls_context(
    ca: tuple[str, int] | None,
    crl: tuple[str, int] | None,
    cert: tuple[str, int] | None,
    key: tuple[str, int] | None,
) -> ssl.SSLContext:
    # Not ssl.create_default_context: that obeys SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE of the environment.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_ciphers("DEFAULT:@SECLEVEL=2")  # no SHA-1 signatures, no RSA under 2048 bits
    try:
        context.load_verify_locations(ca[0] if ca else DEFAULT_CA_BUNDLE_PATH)
        if crl is not None:
            context.load_verify_locations(crl[0])
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if cert is not None:
            context.load_cert_chain(cert[0], key[0] if key else None, password=_no_password)
    except (OSError, ssl.SSLError, ConfigurationError):
        named = ", ".join(stamp[0] for stamp in (ca, crl, cert, key) if stamp)
        raise ConfigurationError(f"Certificates or keys cannot be loaded from: {named}.", code="tls.files") from None
    return leashed(context)


def _no_password() -> str:
    """OpenSSL would otherwise ask for the password of an encrypted key on the terminal and wait."""
    raise ConfigurationError("The key file is encrypted; give a key without a password, closed to others.")


class _Transport(HTTPAdapter):
    """The transport of ``requests``, with connections and TLS of our own."""

    def __init__(self, leash: Leash, policy: HttpPolicy, resolver: Resolver) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self._leash = leash
        self._policy = policy
        self._guide = Guide(leash=leash, allow_private=policy.allow_private, resolver=resolver)
        self._pools: dict[Target, HTTPConnectionPool] = {}

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> Any:
        return self.pool_for(request.url or "")

    def pool_for(self, url: str) -> HTTPConnectionPool:
        """The pool of one connection to a URL's target."""
        target = check_url(url, self._policy)
        if target not in self._pools:
            self._pools[target] = self._pool(target)
        return self._pools[target]

    def _pool(self, target: Target) -> HTTPConnectionPool:
        host = f"[{target.host}]" if ":" in target.host else target.host
        pool = (
            HTTPSConnectionPool(host, target.port, maxsize=1, ssl_context=tls_context(self._policy))
            if target.scheme == "https"
            else HTTPConnectionPool(host, target.port, maxsize=1)
        )
        pool.ConnectionCls = cast(Any, partial(_CONNECTIONS[target.scheme], guide=self._guide, target=target))
        return pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing: ``requests`` would add the public certificates to the channel's own."""

    def close(self) -> None:
        super().close()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()


class HttpSession:
    """Calls over kept-alive connections. Used by one thread only; close it, or use it as a context manager."""

    def __init__(self, policy: HttpPolicy, resolver: Resolver = system_resolver) -> None:
        self._policy = policy
        self._leash = Leash()
        self._transport = _Transport(self._leash, policy, resolver)

    def __enter__(self) -> HttpSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Upload | None = None,
        deadline_secs: float,
    ) -> Answer:
        """One call. ``deadline_secs`` counts from now to the last byte of the answer. Errors: see the module."""
        request = self._prepare(method, url, headers or {}, body)
        self._leash.start(deadline_secs, HEAD_MAX_BYTES)
        response: requests.Response | None = None
        try:
            response = self._transport.send(request, stream=True)
            return Answer(status=response.status_code, headers=response.headers, body=self._read(response))
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._failure(error) from None
        finally:
            if response is not None:
                response.close()

    def connect(self, url: str, *, deadline_secs: float) -> None:
        """Connect and shake hands without sending a request; the connection is kept. Errors as ``call``'s."""
        pool = self._transport.pool_for(url)
        self._leash.start(deadline_secs, HEAD_MAX_BYTES)
        connection = pool._get_conn()
        try:
            if connection.is_closed:
                connection.connect()
        finally:
            pool._put_conn(connection)

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Upload | None
    ) -> requests.PreparedRequest:
        check_url(url, self._policy)
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ConfigurationError("A header holds characters that HTTP does not allow.", code="http.header")
        request = requests.PreparedRequest()
        request.method, request.url = method, url
        request.headers = CaseInsensitiveDict({"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers})
        if isinstance(body, Upload):
            request.headers["Content-Length"] = str(body.length)
            request.body = cast(Any, body.chunks)
        elif body is not None:
            request.headers["Content-Length"] = str(len(body))
            request.body = body
        return request

    def _read(self, response: requests.Response) -> bytes:
        """The whole body within the limit; one byte over it and the connection is given up."""
        limit = self._policy.max_response_bytes
        # Room for chunked framing of tiny chunks; what counts is the limit on content below.
        self._leash.allow(4 * limit + HEAD_MAX_BYTES)
        raw = response.raw
        data: bytes = raw.read(limit + 1, decode_content=False)
        if len(data) > limit:
            raise TooMuchError("the answer is longer than it may be")
        if raw.read(1, decode_content=False):  # sees the end of the body, so that the connection can be kept
            raise TooMuchError("the answer is longer than it may be")
        return _decompress(data, response.headers.get("Content-Encoding", ""), limit)

    def _failure(self, error: Exception) -> OutcomeUnknown | TemporaryFailure:
        if _caused_by(error, TooMuchError):
            return OutcomeUnknown("The answer is longer than the channel allows.", code="http.too_large")
        if _caused_by(error, _EncodingError):
            return OutcomeUnknown("The answer's content encoding cannot be read.", code="http.encoding")
        late = self._leash.over or _caused_by(error, TimeoutError)
        message = "The call did not end by its deadline." if late else "The connection broke before the answer's end."
        code = "http.deadline" if late else "http.broken"
        if self._leash.sent:
            return OutcomeUnknown(message, code=code)
        return TemporaryFailure(message, code=code)


class _EncodingError(ValueError):
    """A content encoding that is unknown or broken."""


def _decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Identity or gzip. At most ``limit`` bytes are ever made, whatever the input would swell to."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not data:
        return data
    if name not in ("gzip", "x-gzip"):
        raise _EncodingError("unknown content encoding")
    machine = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = machine.decompress(data, limit + 1)
    except zlib.error:
        raise _EncodingError("broken gzip") from None
    if len(plain) > limit:
        raise TooMuchError("the answer is longer than it may be")
    if not machine.eof or machine.unused_data:
        raise _EncodingError("broken gzip")
    return plain


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error of this kind is at the bottom; ``requests`` and ``urllib3`` wrap it in args, reason, context."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        if isinstance(item, kind):
            return True
        seen.add(id(item))
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return False
