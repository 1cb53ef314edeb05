"""The wire: heads that are too long or too slow end the connection, trailers change nothing, calls stand apart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.api import protocol
from hub.api.protocol import server_config
from tests.acceptance.processes import until

pytestmark = pytest.mark.slow  # all of it together


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the names of the headers that it was given."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    headers = scope["headers"]
    body = b",".join(name for name, _ in headers)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(app: ASGIApp = echo) -> Iterator[int]:
    """A port where an application is served over the hub's protocol."""
    server = uvicorn.Server(server_config(app, "127.0.0.1", 0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, what="the server")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)


def talk(port: int, *pieces: bytes) -> bytes:
    """Say this on one connection; everything that comes back until it is closed or quiet."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        heard = b""
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.settimeout(1 if b"Connection: close" not in b"".join(pieces) else 10)
            while data := sock.recv(65_536):
                heard += data
        except (TimeoutError, ConnectionError):
            pass
        return heard


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


def test_a_long_head_is_refused() -> None:
    """Over 64 KiB of head, in one header or in many, whole or in pieces: 400, and the connection ends."""
    with served() as port:
        one = GET + b"A: " + b"x" * 70_000 + b"\r\nConnection: close\r\n\r\n"
        many = [GET, *(b"H%d: %s\r\n" % (n, b"x" * 900) for n in range(90)), b"Connection: close\r\n\r\n"]
        for pieces in ([one], many):
            assert talk(port, *pieces)[:12] in (b"HTTP/1.1 400", b"")
        good = GET + b"A: " + b"x" * 60_000 + b"\r\nConnection: close\r\n\r\n"
        assert b"200 OK" in talk(port, good)


def test_a_head_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of a head that never ends are not gathered for ever."""
    with served() as port:
        answer = talk(port, GET, *(b"A%d: %s\r\n" % (n, b"x" * 4_000) for n in range(40)), b"Connection: close")
        assert answer[:12] in (b"HTTP/1.1 400", b"")


def test_a_slow_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not bring a head in time is closed, a silent one too."""
    monkeypatch.setattr(protocol, "HEAD_SECS", 0.2)
    with served() as port:
        for begun in (b"", GET):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(begun)
                assert sock.recv(100) == b""


def test_trailers_change_nothing() -> None:
    """What stands after a chunked body is not taken for a header."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served() as port:
        answer = talk(port, head, b"3\r\nabc\r\n", b"0\r\nAuthorization: Bearer x\r\n\r\n")
    assert b"200 OK" in answer
    assert b"authorization" not in answer


def test_calls_on_one_connection_keep_their_limits_apart() -> None:
    """Many calls after one another, each with a head of 40 KiB, are all answered."""
    call = GET + b"A: " + b"x" * 40_000 + b"\r\n\r\n"
    with served() as port:
        answer = talk(port, call, call, GET + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "smuggled",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
)
def test_what_two_servers_would_read_differently_is_refused(smuggled: bytes) -> None:
    """Ambiguous lengths, bare line feeds, blanks before colons: 400 and the end of the connection."""
    with served() as port:
        answer = talk(port, smuggled)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 400") == answer.count(b"\r\n\r\n") == 1


async def unmeasured(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers in two pieces, without a length."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one,", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


@pytest.mark.parametrize("keep", [b"", b"Connection: keep-alive\r\n"])
def test_a_client_of_the_old_protocol_gets_no_chunks(keep: bytes) -> None:
    """RFC 9112 section 6.1: what has no length ends with the connection; what has one is as ever."""
    with served(unmeasured) as port:
        head, _, body = talk(port, b"GET / HTTP/1.0\r\nHost: x\r\n" + keep + b"\r\n").partition(b"\r\n\r\n")
        assert (b"transfer-encoding" in head.lower(), b"connection: close" in head.lower()) == (False, True)
        assert body == b"one,two"
        assert b"transfer-encoding: chunked" in talk(port, GET + b"Connection: close\r\n\r\n").lower()
    with served() as port:
        assert talk(port, b"GET / HTTP/1.0\r\nHost: x\r\n" + keep + b"\r\n").count(b"content-length: ") == 1
