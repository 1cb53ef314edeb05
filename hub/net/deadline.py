"""Sockets under a deadline: a total end, a byte limit, and the mark "a byte may have gone out", for every operation.

A socket's timeout is no deadline: one byte per half second renews it for ever. Here each operation on the socket gets
the time that remains of the whole call (connect, handshake, send, headers, body). CPython counts the timeout of
``sendall``, of the TLS handshake and of each TLS read as a total, so no watchdog thread is needed: whichever operation
is running when the deadline comes is the one that ends.
"""

from __future__ import annotations

import errno
import ipaddress
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException
from typing import Any, cast

from hub.errors import PermanentFailure, TemporaryFailure, about
from hub.failpoints import hit, named
from hub.net.addresses import IPAddress, IPNetwork, Target, permitted
from hub.net.heads import HeadError, refuses
from hub.net.proxy import CANNOT_REACH, Proxy, open_tunnel
from hub.net.response import Response
from hub.net.tls_faults import certificate_fault, handshake_fault, is_about_ours

Resolver = Callable[[str, int], Sequence[str]]
"""From name and port to addresses as text. Raises ``OSError``."""

_MAX_LOOKUPS = threading.BoundedSemaphore(64)
"""A look-up that hangs cannot be stopped, only left behind: this bounds how many may hang at once."""


class TooMuchError(OSError):
    """The other side sent more bytes than the call may read."""


class AnsweredError(OSError):
    """The other side said its last word before the request was out."""


_EARLY_BYTES = 8_192
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Deadline:
    """Limits of one call: until when, and how many bytes in. Renewed for each call over the same connection."""

    def __init__(self) -> None:
        self._until = 0.0
        self._budget = 0
        self.sent = False

    def start(self, deadline_secs: float, budget: int) -> None:
        """Begin a call. ``budget``: bytes that may be read before ``allow`` gives more."""
        self._until = time.monotonic() + deadline_secs
        self._budget = budget
        self.sent = False

    def allow(self, budget: int) -> None:
        """Set how many further bytes may be read."""
        self._budget = budget

    @property
    def over(self) -> bool:
        """True if the deadline has passed."""
        return time.monotonic() >= self._until

    @property
    def room(self) -> int:
        """Further bytes that may come."""
        return self._budget

    def remaining(self) -> float:
        """Seconds left, always more than 0. ``TimeoutError`` if there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's deadline has passed")
        return left

    def took(self, count: int) -> None:
        """Bytes have come in."""
        self._budget -= count
        if self._budget < 0:
            raise TooMuchError("the answer is longer than it may be")


class _OnLeash:
    """Mixed into both kinds of sockets; ``deadline`` is set before the first operation that may send.

    While it sends it also listens, so that an answer which comes before the request is out is neither lost with the
    connection nor waited for in vain: what came early is kept for the next reading.
    """

    deadline: Deadline
    _came: bytes = b""
    _ended = False
    _quiet = False

    def recv_into(self, *args: Any) -> int:
        if self._quiet:
            raise BlockingIOError(errno.EAGAIN, "nothing is read now")
        if self._came:
            return self._take(memoryview(args[0]).cast("B"))
        self.settimeout(self.deadline.remaining())  # type: ignore[attr-defined]
        hit("S10")
        count: int = super().recv_into(*args)  # type: ignore[misc]
        self.deadline.took(count)
        return count

    def _take(self, into: memoryview) -> int:
        count = min(len(into), len(self._came))
        into[:count] = self._came[:count]
        self._came = self._came[count:]
        return count

    def has_more(self, stream: Any) -> bool:
        """True if bytes came that nobody read, here or in the ``stream`` over this socket. Never waits."""
        self._quiet = True
        try:
            return bool(self._came or stream.peek(1) or _decrypted(self))
        finally:
            self._quiet = False

    def sendall(self, data: Any, *args: Any) -> None:  # noqa: ARG002 - the socket's signature
        """Send all. ``AnsweredError`` once the other side refused, or hung up, before it was out."""
        self.settimeout(self.deadline.remaining())  # type: ignore[attr-defined]
        self.deadline.sent = True
        if named("S9"):
            data = data[self.send(data[: len(data) // 2 or 1]) :]
            hit("S9")
        left = memoryview(data)
        while left:
            self.settimeout(0.0)  # type: ignore[attr-defined]
            try:
                left = left[super().send(left) :]  # type: ignore[misc]
            except _WAIT:
                self._await_room()

    def _await_room(self) -> None:
        look = select.poll()
        look.register(self, select.POLLOUT if self._ended else select.POLLOUT | select.POLLIN)  # type: ignore[arg-type]
        found = look.poll(self.deadline.remaining() * 1_000)
        if any(event & ~select.POLLOUT for _, event in found):
            self._listen()

    def _listen(self) -> None:
        """Keep what came; a record of TLS that holds nothing for us is gone with that."""
        piece = bytearray(_EARLY_BYTES)
        try:
            count: int = super().recv_into(piece)  # type: ignore[misc]
        except _WAIT:
            return
        self._ended = self._ended or count == 0
        self.deadline.took(count)
        self._came += bytes(piece[:count])
        if self._ended or refuses(self._came):
            raise AnsweredError("answered before the request was out")

    def send(self, *args: Any) -> int:
        self.settimeout(self.deadline.remaining())  # type: ignore[attr-defined]
        self.deadline.sent = True
        count: int = super().send(*args)  # type: ignore[misc]
        return count


class _PlainSocket(_OnLeash, socket.socket):
    pass


class _TlsSocket(_OnLeash, ssl.SSLSocket):
    pass


def bounded(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make a TLS context produce sockets that obey a deadline."""
    context.sslsocket_class = _TlsSocket
    return context


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Addresses of a name from the system's resolver, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _look_up(resolver: Resolver, host: str, port: int, deadline: Deadline) -> Sequence[str]:
    """Resolve in a thread of its own: getaddrinfo(3) knows no deadline."""
    if not _MAX_LOOKUPS.acquire(blocking=False):
        raise TemporaryFailure(
            "Too many name look-ups hang.", code="http.dns", remedy="Look at the name servers of this machine."
        )
    answers: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)
        finally:
            _MAX_LOOKUPS.release()

    threading.Thread(target=work, name="name-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.remaining())
    except (queue.Empty, TimeoutError):
        raise TemporaryFailure(
            f"The name {host} could not be resolved in time.",
            code="http.dns",
            remedy="Look at the name servers of this machine: they do not answer.",
        ) from None
    if isinstance(answer, OSError | UnicodeError) or not answer:
        raise TemporaryFailure(
            f"The name {host} could not be resolved.",
            code="http.dns",
            remedy="Look at the spelling of the host; if it is known in their network only, this machine needs their "
            "name servers.",
        )
    return answer


class Dialer:
    """Opens connections for one call's target: resolve once, check every address, connect to exactly those.

    With a ``proxy`` its address is checked like any other, and so are the target's, unless the proxy looks names up.
    """

    def __init__(
        self,
        *,
        deadline: Deadline,
        allow_private: Sequence[IPNetwork],
        resolver: Resolver,
        proxy: Proxy | None = None,
    ) -> None:
        self.deadline = deadline
        self._allow_private = allow_private
        self._resolver = resolver
        self._proxy = proxy

    def addresses(self, target: Target) -> Sequence[IPAddress]:
        """All addresses of a target. ``PermanentFailure`` (``http.address_refused``) if one of them is not allowed."""
        found = (
            [target.address]
            if target.address is not None
            else [
                ipaddress.ip_address(text) for text in _look_up(self._resolver, target.host, target.port, self.deadline)
            ]
        )
        for address in found:
            if not permitted(address, self._allow_private):
                named = "The host" if target.address is not None else f"The host {target.host}"
                raise PermanentFailure(
                    f"{named} has the address {address}, which is not public, and the channel does not name its "
                    "network.",
                    code="http.address_refused",
                    action="Name the network in the channel's allow_private, or mend the host or its DNS entry.",
                )
        return found

    def connect(self, target: Target) -> socket.socket:
        """A connected socket under the deadline. ``TemporaryFailure``: nothing went out."""
        if self._proxy is None:
            return self._reach(target)
        failure: TemporaryFailure | None = None
        for host in self._hosts(target, self._proxy):
            try:
                return self._through(self._proxy, host, target.port)
            except TemporaryFailure as error:
                if error.stable_code != CANNOT_REACH:
                    raise
                failure = error
        assert failure is not None  # a name without addresses is a failure of its own
        raise failure

    def _hosts(self, target: Target, proxy: Proxy) -> Sequence[str]:
        """Hosts to name to the proxy: checked addresses, or the name if the proxy looks it up."""
        if proxy.resolves == "proxy" and target.address is None:
            return (target.host,)
        return [f"[{each}]" if each.version == 6 else str(each) for each in self.addresses(target)]

    def _through(self, proxy: Proxy, host: str, port: int) -> socket.socket:
        with about("proxy/url"):
            sock = self._reach(proxy.target)
        try:
            open_tunnel(sock, proxy, host, port)
        except BaseException:
            sock.close()
            raise
        finally:
            self.deadline.sent = False  # what the proxy was told is nothing of the request
        return sock

    def _reach(self, target: Target) -> socket.socket:
        reason: OSError | None = None
        found = self.addresses(target)
        for tried, address in enumerate(found):
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            sock = _PlainSocket(family, socket.SOCK_STREAM)
            try:
                sock.deadline = self.deadline
                # A fair share for each address, so that one that swallows packets leaves time for the next.
                sock.settimeout(self.deadline.remaining() / (len(found) - tried))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect((str(address), target.port))
                sock.settimeout(self.deadline.remaining())
            except OSError as error:
                sock.close()
                reason = error
            else:
                return sock
        raise _unreached(target, reason) from reason


def _unreached(target: Target, reason: OSError | None) -> TemporaryFailure:
    """The failure of a connection that was not made."""
    if isinstance(reason, TimeoutError):
        return TemporaryFailure(
            f"{target.where} did not answer in time.",
            code="http.connect_timeout",
            remedy="Look at host and port; ask those who keep the networks whether a firewall drops what this machine "
            "sends there.",
        )
    if isinstance(reason, ConnectionRefusedError):
        return TemporaryFailure(
            f"Nobody listens at {target.where} (ConnectionRefusedError).",
            code="http.connect",
            remedy="Look at host and port; ask those who keep their system whether it runs.",
        )
    said = errno.errorcode.get(reason.errno or 0) if reason is not None else None
    return TemporaryFailure(
        f"No connection to {target.where} ({said or type(reason).__name__}).",
        code="http.connect",
        remedy="Look at host and port; ask those who keep the networks whether there is a way from this machine.",
    )


ONE_PIECE_BYTES = 65_536
"""Up to here a request goes out in one piece: each further one wakes the other side once more."""


_PLAIN = "Look at the port; if their system has no TLS, write http:// and allow_http: true."
_STOPS = (AnsweredError, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)


class HttpConnection(HTTPConnection):
    """One kept-alive connection to a checked address, one call at a time.

    ``stopped``: the last request was not sent to its end, so that nothing more can be said over this connection.
    """

    response_class = Response

    def __init__(self, target: Target, dialer: Dialer) -> None:
        super().__init__(target.host, target.port)
        self.default_port = HTTP_PORT if target.scheme == "http" else HTTPS_PORT  # what the Host header leaves out
        self._target = target
        self._dialer = dialer
        self._held = bytearray()
        self.stopped = False

    def connect(self) -> None:
        """Connect now. ``TemporaryFailure``, ``PermanentFailure``: nothing of a request went out."""
        self.sock = self._open()

    def _open(self) -> socket.socket:
        return self._dialer.connect(self._target)

    def ask(self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]) -> Response:
        """Send a request and read the head of its answer."""
        if self.sock is not None and _readable(self.sock):
            self.close()  # they closed it while it was idle, or said something that nobody asked for
        self.stopped = False
        try:
            self.request(method, path, body, headers)
            self._flush()
        except _STOPS as failure:
            # An answer may have come before the request was out: too large, not allowed.
            self.stopped = True
            self._held.clear()
            return self._answer_or(failure)
        return cast("Response", self.getresponse())

    def _answer_or(self, failure: OSError) -> Response:
        try:
            return cast("Response", self.getresponse())
        except (HTTPException, OSError) as error:
            said_why = isinstance(error, HeadError) or is_about_ours(error)
            raise (error if said_why else failure) from None

    def send(self, data: Any) -> None:
        """Send, in large pieces."""
        if len(self._held) + len(data) > ONE_PIECE_BYTES:
            self._flush()
        if len(data) > ONE_PIECE_BYTES:
            super().send(data)
        else:
            self._held += data

    def _flush(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        if held:
            super().send(held)

    def close(self) -> None:
        """Hang up."""
        self._held.clear()
        super().close()


class TlsConnection(HttpConnection):
    """The same over TLS; the certificate is checked against the URL's host."""

    def __init__(self, target: Target, dialer: Dialer, context: ssl.SSLContext) -> None:
        super().__init__(target, dialer)
        self._context = context

    def _open(self) -> socket.socket:
        """TCP and handshake."""
        try:
            sock = self._context.wrap_socket(super()._open(), server_hostname=self._target.host.rstrip("."))
        except ssl.SSLCertVerificationError as error:
            raise certificate_fault(error, self._target.host, self._target.where, "tls.certificate") from None
        except TimeoutError:
            raise TemporaryFailure(
                f"The TLS handshake with {self._target.where} did not end in time.",
                code="tls.timeout",
                remedy="Look whether this port speaks TLS, and whether something in between holds the answers back.",
            ) from None
        except OSError as error:
            raise handshake_fault(error, self._target.where, "tls.handshake", plain=_PLAIN) from None
        if isinstance(sock, _TlsSocket):
            sock.deadline = self._dialer.deadline
        return sock


def _decrypted(sock: object) -> bool:
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _readable(sock: socket.socket) -> bool:
    if _decrypted(sock):
        return True
    look = select.poll()
    look.register(sock, select.POLLIN)
    return bool(look.poll(0))
