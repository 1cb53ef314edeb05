"""Strict heads: what two servers in a row could read in two ways is refused before any door; nothing is smuggled."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from hub.api.heads import SINGLE, fault_of
from hub.api.protocol import HEAD_MAX_BYTES
from tests.acceptance.processes import PATIENCE_SECS, until
from tests.api.framing import BODIES, BROKEN, REFUSED, SMUGGLED
from tests.api.test_protocol import served
from tests.api.world import World, form


@dataclass
class Recorder:
    """An application that notes what it was called with, and answers with the path. ``held``: paths whose answer waits
    until ``let_go``.
    """

    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    held: frozenset[str] = frozenset()
    let_go: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note one call; one whose body has no end is a call without a body."""
        self.calls.append((scope["method"], scope["raw_path"].decode()))
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        if scope["path"] in self.held:
            await run_in_threadpool(self.let_go.wait, PATIENCE_SECS)
        answer: bytes = scope["raw_path"]
        length = str(len(answer)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": answer})


@contextmanager
def talking(port: int) -> Iterator[socket.socket]:
    """A connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        yield sock


def heard(sock: socket.socket) -> bytes:
    """Everything that comes until the other side ends the connection."""
    said = b""
    while data := sock.recv(65_536):
        said += data
    return said


def said_to(port: int, *pieces: bytes) -> bytes:
    """The answers to these bytes, to the end of the connection."""
    with talking(port) as sock:
        for piece in pieces:
            sock.sendall(piece)
        return heard(sock)


def fault_in(answer: bytes) -> str:
    """The one fault of an answer that is a problem document, and the last of its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer
    lines = head.lower().split(b"\r\n")
    assert b"connection: close" in lines
    assert b"content-type: application/problem+json" in lines
    assert b"cache-control: no-store" in lines
    assert b"content-length: %d" % len(body) in lines
    document = json.loads(body)
    assert (document["status"], document["code"]) == (400, "http.head")
    assert document["type"] == "urn:appeal-hub:problem:http.head"
    assert document["detail"]
    assert document["action"]
    (fault,) = document["faults"]
    return str(fault["code"])


@pytest.fixture
def recorder() -> Recorder:
    """What the application of this test was called with: a call of another test may come late."""
    return Recorder()


@pytest.fixture
def port(recorder: Recorder) -> Iterator[int]:
    """Where it is served."""
    with served(recorder) as found:
        yield found


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_head_is_refused(recorder: Recorder, port: int, name: str) -> None:
    """400 with a stable code, the connection ends, and no application was called, whole or byte by byte."""
    raw, code = REFUSED[name]
    assert fault_in(said_to(port, raw)) == code
    with talking(port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = raw.find(SMUGGLED)
        for byte in raw if end < 0 else raw[:end]:
            sock.sendall(bytes([byte]))
        assert fault_in(heard(sock)) == code
    assert recorder.calls == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_chunks_end_the_connection(recorder: Recorder, port: int, name: str) -> None:
    """The call never sees an end of its body, nothing behind it is a call, and the answer is 400."""
    assert fault_in(said_to(port, BROKEN[name])) == "head.syntax"
    assert recorder.calls in ([("POST", "/a")], [])
    assert recorder.bodies == []


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_a_body(recorder: Recorder, port: int, name: str) -> None:
    """A body that looks like a request is none, in one piece, cut behind the head or anywhere, whatever protocol the
    head asks for, and the next request on the connection is read.
    """
    raw = BODIES[name]
    head = raw.index(b"\r\n\r\n", 4) + 4
    last = b"GET /after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for pieces in ((raw,), (raw[:head], raw[head:]), (raw[: head - 1], raw[head - 1 : head + 9], raw[head + 9 :])):
        recorder.calls.clear()
        recorder.bodies.clear()
        with talking(port) as sock:
            for number, piece in enumerate(pieces):
                sock.sendall(piece)
                if number == 0 and len(pieces) == 2:
                    until(lambda: recorder.calls, what="the call")
            until(lambda: recorder.bodies, what="the body")
            sock.sendall(last)
            answer = heard(sock)
        first = next(iter(recorder.calls))
        after = [] if "old protocol" in name else [("GET", "/after")]
        assert recorder.calls == [(first[0], "/a"), *after], pieces
        assert recorder.bodies == [SMUGGLED, *([b""] if after else [])]
        assert answer.count(b"HTTP/1.1 200 OK") == 1 + len(after)


def test_many_ask_for_another_protocol_at_once(recorder: Recorder, port: int) -> None:
    """Five hundred pipelined requests with an upgrade in a few packets are five hundred calls."""
    one = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nb"
    last = b"GET /after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert said_to(port, one * 500, last).count(b"HTTP/1.1 200 OK") == 501
    assert recorder.calls == [("POST", "/a")] * 500 + [("GET", "/after")]


def test_a_refusal_waits_for_the_answers_before_it(recorder: Recorder, port: int) -> None:
    """Behind calls that are under way or wait for their turn, the refusal comes last; a broken body that waits is not
    begun at all.
    """
    slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    for wrong in (REFUSED["two hosts"][0], b"nonsense\r\n\r\n", BROKEN["size below zero"]):
        for before in (1, 2):
            _held(recorder)
            with talking(port) as sock:
                sock.sendall(slow * before + wrong + SMUGGLED)
                until(lambda: recorder.calls, what="the call")
                recorder.let_go.set()
                answer = heard(sock)
            assert answer.count(b"HTTP/1.1 200 OK") == before
            assert answer.count(b"HTTP/1.1 400") == 1
            assert answer.index(b"HTTP/1.1 400") > answer.rindex(b"/slow")
            assert recorder.calls == [("GET", "/slow")] * before


def _held(recorder: Recorder) -> None:
    recorder.calls.clear()
    recorder.held = frozenset({"/slow"})
    recorder.let_go.clear()


def test_who_still_sends_gets_to_read_why(port: int) -> None:
    """A refused request with a megabyte behind it: the answer is there, not lost under a reset."""
    with talking(port) as sock:
        sock.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 900000\r\n\r\n")
        sock.sendall(b"x" * 900_000)
        assert fault_in(heard(sock)) == "head.repeated"


def test_a_long_head_is_told(port: int) -> None:
    """Over 64 KiB, whole or without an end."""
    for end in (b"\r\n\r\n", b""):
        raw = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * (5 * HEAD_MAX_BYTES) + end
        assert fault_in(said_to(port, raw)) == "head.too_long"


@pytest.mark.parametrize(
    "host",
    [b"", b"x", b"hub.example.org", b"hub_1:8080", b"127.0.0.1:1", b"[::1]", b"[::1]:8080", b"xn--80a.xn--j1amh"],
)
def test_hosts_that_are_sound(host: bytes) -> None:
    """Names, addresses, ports; empty where the target has none (RFC 9112 section 3.2)."""
    assert fault_of("GET", "1.1", [(b"host", host)]) is None


def test_what_may_stand_twice() -> None:
    """Lists may come in several lines; HTTP/1.0 needs no Host; of the single ones each is refused by its name."""
    lists = [(b"host", b"x"), *[(b"accept", b"a/b"), (b"x-forwarded-for", b"a"), (b"cookie", b"a=b")] * 2]
    assert fault_of("GET", "1.1", lists) is None
    assert fault_of("GET", "1.0", []) is None
    for name in SINGLE:
        fault = fault_of("GET", "1.1", [(b"host", b"x"), (name, b"chunked"), (name, b"chunked")])
        assert fault is not None
        assert (fault.pointer, fault.code) == (f"header/{name.decode()}", "head.repeated")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_no_door_sees_a_doubled_header(world: World, kind: str) -> None:
    """At the quick door and at the documented route: the good key first or last, nothing is taken in."""
    port = urlsplit(world.url).port
    assert port is not None
    body = json.dumps(form()).encode()
    good = [b"Authorization: Bearer " + world.tokens["ncc"].encode(), b"Content-Type: " + kind.encode(), b"Host: hub"]
    good += [b"Idempotency-Key: heads", b"Content-Length: %d" % len(body), b"Connection: close"]

    def post(*lines: bytes) -> bytes:
        return said_to(port, b"POST /v1/appeals HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body)

    before = world.store.events(after=None, limit=500)
    for extra in (
        b"Authorization: Bearer x",
        b"Idempotency-Key: other",
        b"Host: other",
        b"Content-Type: " + kind.encode(),
    ):
        assert fault_in(post(*good, extra)) == "head.repeated"
        assert fault_in(post(extra, *good)) == "head.repeated"
    assert fault_in(post(*good, b"Content-Length: %d" % len(body))) == "head.syntax"
    assert world.store.events(after=None, limit=500) == before
    assert post(*good).startswith(b"HTTP/1.1 202")
