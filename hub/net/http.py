"""The one guarded HTTP client for all that the hub calls. Built on the standard library's ``http.client``.

Not on ``requests``: its ``Session`` reads a redirect's whole body even when told not to follow, and what is left of it
without that costs more than the call itself (measured: 490 µs a call against 197). So there are no redirects, no
cookies, no ``.netrc``, no proxy or certificate variables. A proxy is a setting (``hub.net.proxy``). A call has a total
deadline and byte limits (``hub.net.deadline``), goes to checked addresses only (``hub.net.addresses``), and ends in an
``HttpAnswer`` or in one of these:

    ConfigurationError   http.url, http.scheme, http.port, http.header    nothing was tried
    PermanentFailure     http.address_refused                             nothing went out
    TemporaryFailure     http.dns, http.connect, http.connect_timeout, http.proxy (and others of hub.net.proxy),
                         tls.certificate, tls.handshake, tls.timeout      nothing went out
    OutcomeUnknown       http.deadline, http.broken, http.too_large,
                         http.not_http, http.encoding,
                         tls.client_certificate                           bytes of the request may have gone out

A status code is no error here: whoever calls judges it.
"""

from __future__ import annotations

import re
import ssl
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import certifi

from hub.errors import ConfigurationError, OutcomeUnknown, TemporaryFailure, about
from hub.net.addresses import IPNetwork, Target, parse_url
from hub.net.deadline import (
    Deadline,
    Dialer,
    HttpConnection,
    Resolver,
    TlsConnection,
    TooMuchError,
    bounded,
    system_resolver,
)
from hub.net.encodings import EncodingError, unpack
from hub.net.heads import HeadError
from hub.net.proxy import Proxy
from hub.net.response import Response
from hub.net.tls_faults import client_certificate_fault, is_about_ours
from hub.net.transport import HttpCall, carrier
from hub.schemas.visible import visible

HEAD_MAX_BYTES = 65_536
RETRY_AFTER_MAX_SECS = 86_400.0
USER_AGENT = "appeal-hub/1"
NOT_TAKEN_IN = frozenset({408, 425, 429, 503})
"""Statuses that say that the request was not processed: RFC 9110 sections 15.5.9 and 15.6.4, RFC 8470, RFC 6585."""
CREDENTIAL_REFUSED = frozenset({401, 403, 407})
"""Statuses that lock the channel, not this message: it waits until somebody renews the credential."""
UNFIT = frozenset({"http.too_large", "http.encoding"})
"""Codes of answers that came and cannot be read."""
_TLS_RECORD = re.compile("[\x14-\x17]\x03[\x00-\x04]")
_SHOWN_CHARS = 80
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """Rules of a channel for its calls. ``ports``: empty = any. ``max_response_bytes`` counts after decompression.

    ``ca_file``: trust exactly these certificates instead of the public ones. ``crl_file``: refuse what it revokes.
    ``cert_file`` and ``key_file``: client certificate (mTLS). ``proxy``: absent = connections are made directly.
    """

    allow_http: bool = False
    allow_private: tuple[IPNetwork, ...] = ()
    ports: tuple[int, ...] = ()
    ca_file: Path | None = None
    crl_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    max_response_bytes: int = 262_144
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedBody:
    """A body that is streamed: ``length`` bytes in all, in pieces that ``chunks`` begins anew for each sending."""

    length: int
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """Answer of the other side, read to its end and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The whole Content-Type header, empty if absent."""
        return self.headers.get("Content-Type", "")

    def transcript(self) -> bytes:
        """The answer for people: status line, headers, body. Names of headers in lower case, the body decompressed."""
        lines = [f"HTTP {self.status}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


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
        raise ConfigurationError(
            f"The file {path} cannot be read: {type(error).__name__}.",
            action="Put the file there, with the right of reading for the hub's user, or mend the path.",
        ) from None


def tls_context(policy: HttpPolicy) -> ssl.SSLContext:
    """The TLS context of a policy; made once, and again when one of its files changes. ``ConfigurationError``."""
    stamps = []
    for setting, path in (
        ("ca_file", policy.ca_file),
        ("crl_file", policy.crl_file),
        ("client_cert/cert", policy.cert_file),
        ("client_cert/key", policy.key_file),
    ):
        with about(setting):
            stamps.append(_stamp(path))
    return _tls_context(*stamps)


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
    with about("ca_file"), _loading(ca):
        context.load_verify_locations(ca[0] if ca else certifi.where())
    if crl is not None:
        with about("crl_file"), _loading(crl):
            context.load_verify_locations(crl[0])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if cert is not None:
        with about("client_cert"), _loading(cert, key):
            context.load_cert_chain(cert[0], key[0] if key else None, password=_no_password)
    return bounded(context)


@contextmanager
def _loading(*files: tuple[str, int] | None) -> Iterator[None]:
    """Name the files that OpenSSL cannot load in this block, and what is wrong with them as far as it says."""
    try:
        yield
    except OSError as error:
        named = " and ".join(stamp[0] for stamp in files if stamp)
        why, action = _FILE_FAULTS.get(getattr(error, "reason", None) or "", _NO_PEM)
        raise ConfigurationError(f"{named} cannot be used: {why}.", code="tls.files", action=action) from None


_NO_PEM = ("there is no PEM in it that can be read", "Give PEM files: text that begins with -----BEGIN.")
_FILE_FAULTS = {
    "KEY_VALUES_MISMATCH": ("the key is not that of the certificate", "Name the key that belongs to the certificate."),
}


def _no_password() -> str:
    """OpenSSL would otherwise ask for the password of an encrypted key on the terminal and wait."""
    raise ConfigurationError(
        "The key of the client certificate is encrypted.",
        code="tls.files",
        action="Give a key without a password, in a file that is closed to others (openssl pkey).",
    )


@lru_cache(maxsize=4_096)
def request_target(url: str) -> str:
    """The request target of a checked URL (RFC 9112 section 3.2.1)."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


class HttpSession:
    """Calls over kept-alive connections. Used by one thread only; close it, or use it as a context manager.

    ``last``: the answer to the last call; of one that is too long its first part, of one that cannot be decompressed
    its bytes as they came.
    """

    def __init__(self, policy: HttpPolicy, resolver: Resolver = system_resolver) -> None:
        self._policy = policy
        self._deadline = Deadline()
        self._dialer = Dialer(
            deadline=self._deadline, allow_private=policy.allow_private, resolver=resolver, proxy=policy.proxy
        )
        self._connections: dict[Target, HttpConnection] = {}
        self.last: HttpAnswer | None = None
        weakref.finalize(self, _hang_up, self._connections)  # an adapter's kept sessions end with it

    def __enter__(self) -> HttpSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        _hang_up(self._connections)

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | StreamedBody | None = None,
        deadline_secs: float,
        needs_body: bool = True,
    ) -> HttpAnswer:
        """One call. ``deadline_secs`` counts from now to the last byte of the answer. Errors: see the module.

        Without ``needs_body`` the status says it all: a body that breaks, swells or has no end is left out.
        """
        self.last = None
        call = HttpCall(method=method, url=url, headers=_said(headers or {}, body), body=body)
        network = partial(self._over_network, deadline_secs=deadline_secs, needs_body=needs_body)
        transport = carrier()
        if transport is None:
            return network(call)
        check_url(url, self._policy)
        self.last = answer = transport.carry(call, network)
        return answer

    def _over_network(self, call: HttpCall, *, deadline_secs: float, needs_body: bool) -> HttpAnswer:
        connection = self._connection(call.url)
        pieces = call.body.chunks() if isinstance(call.body, StreamedBody) else call.body
        self._deadline.start(deadline_secs, HEAD_MAX_BYTES)
        try:
            with connection.ask(call.method, request_target(call.url), pieces, call.headers) as response:
                content = self._read(response) if needs_body else self._read_if_whole(response)
                self.last = answer = HttpAnswer(status=response.status, headers=response.told, body=content or b"")
        except (HTTPException, OSError, ValueError) as error:
            connection.close()
            raise self._failure(error, check_url(call.url, self._policy).where) from None
        except BaseException:
            connection.close()
            raise
        if content is None or response.followed or connection.stopped:
            connection.close()
        return answer

    def connect(self, url: str, *, deadline_secs: float) -> None:
        """Connect and shake hands without sending a request; the connection is kept. Errors as ``call``'s."""
        connection = self._connection(url)
        self._deadline.start(deadline_secs, HEAD_MAX_BYTES)
        if connection.sock is None:
            connection.connect()

    def _connection(self, url: str) -> HttpConnection:
        """The one connection to a URL's target."""
        target = check_url(url, self._policy)
        if target not in self._connections:
            self._connections[target] = (
                TlsConnection(target, self._dialer, tls_context(self._policy))
                if target.scheme == "https"
                else HttpConnection(target, self._dialer)
            )
        return self._connections[target]

    def _read(self, response: Response) -> bytes:
        """The whole body within the limit; one byte over it and the connection is given up."""
        limit = self._policy.max_response_bytes
        # Room for chunked framing of tiny chunks; what counts is the limit on content below.
        self._deadline.allow(4 * limit + HEAD_MAX_BYTES)
        data = response.read(limit + 1)
        # For people, even if it cannot be read to its end or decompressed.
        self.last = HttpAnswer(status=response.status, headers=response.told, body=data[:limit])
        # The second look sees the end of the body, so that the connection can be kept.
        if len(data) > limit or response.read(1):
            raise TooMuchError("the answer is longer than it may be")
        if response.length:
            raise IncompleteRead(b"", response.length)
        return unpack(data, response.told, limit)

    def _read_if_whole(self, response: Response) -> bytes | None:
        """The body; None if it could not be read to its end."""
        try:
            return self._read(response)
        except (HTTPException, OSError, ValueError):
            return None

    def _failure(self, error: Exception, where: str) -> OutcomeUnknown | TemporaryFailure:
        if isinstance(error, HeadError) and error.said:
            return _no_http(error.said, where)
        if is_about_ours(error):
            return client_certificate_fault(error, where, "tls.client_certificate", OutcomeUnknown)
        if isinstance(error, TooMuchError):
            return OutcomeUnknown("The answer is longer than the channel allows.", code="http.too_large")
        if isinstance(error, EncodingError):
            return OutcomeUnknown("The answer's content encoding cannot be read.", code="http.encoding")
        late = self._deadline.over or isinstance(error, TimeoutError)
        message = "The call did not end by its deadline." if late else "The connection broke before the answer's end."
        code = "http.deadline" if late else "http.broken"
        if self._deadline.sent:
            return OutcomeUnknown(message, code=code)
        return TemporaryFailure(message, code=code)


def _no_http(said: str, where: str) -> OutcomeUnknown:
    """Failure of an answer that begins with ``said``, which no answer of HTTP does."""
    if _TLS_RECORD.match(said):
        return OutcomeUnknown(
            f"{where} speaks TLS, and the URL begins with http://.",
            code="http.not_http",
            remedy="Write https:// in the channel's settings.",
        )
    return OutcomeUnknown(
        f"{where} does not speak HTTP.",
        code="http.not_http",
        detail=f"{where} does not speak HTTP; it begins with: {visible(said.strip()[:_SHOWN_CHARS])}",
        remedy="Look at the port: another service listens there.",
    )


def _hang_up(connections: dict[Target, HttpConnection]) -> None:
    for connection in connections.values():
        connection.close()
    connections.clear()


def _said(headers: Mapping[str, str], body: bytes | StreamedBody | None) -> dict[str, str]:
    """The headers of a request, none of them twice, however it is spelt: of two the later counts.

    ``ConfigurationError`` for what HTTP does not allow in one.
    """
    own = (
        {"Content-Length": str(body.length if isinstance(body, StreamedBody) else len(body))}
        if body is not None
        else {}
    )
    said: dict[str, tuple[str, str]] = {}
    for name, value in ({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"} | dict(headers) | own).items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError("A header holds characters that HTTP does not allow.", code="http.header")
        said[name.lower()] = (name, value)
    return dict(said.values())
