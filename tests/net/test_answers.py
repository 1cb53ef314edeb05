"""Answers as servers really write them: heads, lengths, encodings, early refusals, what is behind an answer's end."""

from __future__ import annotations

import gzip
import io
import ipaddress
import itertools
import socket
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import OutcomeUnknown
from hub.net.deadline import TooMuchError
from hub.net.encodings import EncodingError, unpack
from hub.net.heads import Framing, framing, read_head, refuses
from hub.net.http import HttpPolicy, HttpSession, StreamedBody
from hub.net.response import HttpHeaders
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, answering, http, read_request, serving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PLAIN = HttpPolicy(allow_http=True, allow_private=LOOPBACK)
OK = http("200 OK", b"ok", X_Word="w")
LIMIT = 1_000


def _packed(data: bytes) -> bytes:
    """The same bytes at any moment: they stand in names of tests, which all workers must know alike."""
    return gzip.compress(data, mtime=0)


def _framed(*lines: str, version: str = "1.1", status: int = 200) -> Framing:
    text = "\r\n".join([f"HTTP/{version} {status} Word", *lines, "", ""])
    head = read_head(io.BytesIO(text.encode("iso-8859-1")))
    return framing(head, HttpHeaders(head.fields))


_BLANKS = st.text(" \t", max_size=3)
_NAMES = st.text("ABCdefg-", min_size=1, max_size=8).filter(lambda name: name.strip("-") != "")
_WORDS = st.text("abcXYZ09;/=, ", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(
    st.lists(st.tuples(_NAMES, _BLANKS, _BLANKS, _WORDS, st.sampled_from(["\r\n", "\n"])), max_size=6),
    st.lists(st.sampled_from([100, 102, 103, 110, 199]), max_size=3),
    st.sampled_from(["", "no header at all\r\n", "<br />\r\n", ": nameless\r\n"]),
)
def test_each_header_is_read_whatever_stands_around_it(
    fields: list[tuple[str, str, str, str, str]], interim: list[int], junk: str
) -> None:
    """Interim answers, blanks around names, bare line feeds and lines that are no header cost no header its value."""
    before = "".join(f"HTTP/1.1 {status} Wait\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n" for status in interim)
    lines = "".join(f"{name}{left}:{right}{value}{end}" for name, left, right, value, end in fields)
    stream = io.BytesIO(f"{before}HTTP/1.1 201 Made\r\n{junk}{lines}\r\nbody".encode())
    head = read_head(stream)
    assert (head.status, head.version) == (201, 11)
    assert list(head.fields) == [(name, value) for name, _, _, value, _ in fields]
    assert stream.read() == b"body"


def test_a_folded_header_is_one() -> None:
    """RFC 9112 section 5.2: a line that begins with a blank belongs to the header before it."""
    head = read_head(io.BytesIO(b"HTTP/1.0 200\r\n lost\r\nX-A: one,\r\n\ttwo\r\nX-B: b\r\n\r\n"))
    assert (head.version, list(head.fields)) == (10, [("X-A", "one, two"), ("X-B", "b")])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nA: b\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"<html>\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_whole_head_is_none(data: bytes) -> None:
    """A head that is cut, of another protocol or without a status is no answer."""
    with pytest.raises(HTTPException):
        read_head(io.BytesIO(data))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Content-Length: 5"], Framing(chunked=False, length=5, will_close=False)),
        (["Content-Length : 5", "Content-Length: 5"], Framing(chunked=False, length=5, will_close=False)),
        (["Content-Length: 5, 5"], Framing(chunked=False, length=5, will_close=False)),
        (["Content-Length: five"], Framing(chunked=False, length=None, will_close=True)),
        (["Content-Length: -5"], Framing(chunked=False, length=None, will_close=True)),
        ([], Framing(chunked=False, length=None, will_close=True)),
        (["Transfer-Encoding : Chunked"], Framing(chunked=True, length=None, will_close=False)),
        (
            ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            Framing(chunked=True, length=None, will_close=False),
        ),
        (["Transfer-Encoding: gzip, chunked"], Framing(chunked=True, length=None, will_close=False)),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], Framing(chunked=True, length=None, will_close=True)),
        (["Transfer-Encoding: identity", "Content-Length: 5"], Framing(chunked=False, length=5, will_close=False)),
        (["Transfer-Encoding: gzip"], Framing(chunked=False, length=None, will_close=True)),
        (
            ["Content-Length: 5", "Connection: Keep-Alive", "Connection: Close"],
            Framing(chunked=False, length=5, will_close=True),
        ),
    ],
)
def test_the_headers_say_where_the_body_ends(lines: list[str], expected: Framing) -> None:
    """RFC 9112 section 6.3, headers twice included; where two framings are told the connection is not kept."""
    assert _framed(*lines) == expected


def test_an_old_protocol_closes_unless_it_says_otherwise() -> None:
    """RFC 9112 section 9.3: HTTP/1.0 keeps a connection only with ``keep-alive``; 204 and 304 have no body."""
    assert _framed("Content-Length: 5", version="1.0").will_close
    assert not _framed("Content-Length: 5", "Connection: keep-alive", version="1.0").will_close
    assert [_framed("Content-Length: 5", status=status).length for status in (204, 304)] == [0, 0]


def test_two_lengths_of_one_body_are_no_answer() -> None:
    """RFC 9112 section 6.3: nobody knows where such an answer ends."""
    with pytest.raises(HTTPException):
        _framed("Content-Length: 5", "Content-Length: 6")


@given(st.lists(st.tuples(st.sampled_from(["X-A", "x-a", "X-B"]), st.sampled_from(["1", "2"])), max_size=6))
def test_equal_values_of_a_header_are_one(pairs: list[tuple[str, str]]) -> None:
    """What an application and its proxy both set counts once; different values are joined in their order."""
    told = HttpHeaders(pairs)
    for name in ("X-A", "X-B"):
        values = dict.fromkeys(value for each, value in pairs if each.lower() == name.lower())
        assert told.get(name) == (", ".join(values) or None)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=3), st.integers(0, 4))
def test_gzip_is_read_in_all_its_members(data: bytes, cuts: list[int], zeros: int) -> None:
    """RFC 1952 section 2.2: however many members a body has, and with zeros behind them, all of it comes out."""
    edges = [0, *sorted(cuts), len(data)]
    packed = b"".join(gzip.compress(data[first:last]) for first, last in itertools.pairwise(edges))
    assert unpack(packed + b"\0" * zeros, {"Content-Encoding": "gzip"}, LIMIT) == data


@pytest.mark.parametrize(
    ("label", "data"),
    [
        ("UTF-8", b'{"a":1}'),
        ("windows-1251", '{"a":"\u0457"}'.encode("cp1251")),
        ("gzip", b'{"a":1}'),
        ("br", b'{"a":1}'),
        ("none", b"\0\1"),
        ("identity", b"\0\1"),
        ("x-gzip", _packed(b'{"a":1}')),
        ("GZIP", _packed(b'{"a":1}')),
        ("gzip, gzip", _packed(_packed(b'{"a":1}'))),
        ("gzip, gzip", _packed(b'{"a":1}')),
        ("identity, gzip", _packed(b'{"a":1}')),
        ("utf-8", _packed(b'{"a":1}')),
        ("", _packed(b'{"a":1}')),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("deflate", zlib.compress(b'{"a":1}')[2:-4]),
        ("gzip", b""),
        ("json", b'\xef\xbb\xbf{"a":1}'),
    ],
)
def test_the_bytes_come_before_the_label(label: str, data: bytes) -> None:
    """Text is text and gzip is gzip, whatever Content-Encoding says of it."""
    plain = unpack(data, HttpHeaders([("Content-Encoding", label)]), LIMIT)
    assert plain in (b'{"a":1}', b'\xef\xbb\xbf{"a":1}') or plain == data


@pytest.mark.parametrize(
    ("label", "data"),
    [
        ("br", b"\x0b\x00\x80ok\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd\x00"),
        ("compress", b"\x1f\x9d\x90"),
        ("gzip", _packed(b"a")[:-9]),
        ("gzip", _packed(b"a") + b"rubbish"),
        ("deflate", b"\x78\x9c\xff\xff"),
        ("gzip, gzip, gzip, gzip", _packed(b"a")),
    ],
)
def test_what_cannot_be_unpacked_is_refused(label: str, data: bytes) -> None:
    """Nothing is guessed of bytes that are packed in another way, cut, or followed by something else."""
    with pytest.raises(EncodingError):
        unpack(data, HttpHeaders([("Content-Encoding", label)]), LIMIT)


@pytest.mark.parametrize("label", ["gzip", "", "gzip, gzip", "deflate"])
def test_nothing_swells_over_the_limit(label: str) -> None:
    """A bomb is stopped at the limit, also in many members, in layers, and without a label."""
    piece = gzip.compress(b"\0" * 600)
    packed = {"deflate": zlib.compress(b"\0" * 2_000), "gzip, gzip": gzip.compress(piece + piece)}.get(
        label, piece + piece
    )
    with pytest.raises(TooMuchError):
        unpack(packed, HttpHeaders([("Content-Encoding", label)]), LIMIT)


@pytest.mark.parametrize(
    ("data", "stops"),
    [
        (b"HTTP/1.1 413 Too", True),
        (b"HTTP/1.0 400 Bad\r\n", True),
        (b"HTTP/1.1 307 Away\r\n", True),
        (b"HTTP/1.1 202 Taken\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No", True),
        (b"HTTP/1.1 103 Hints\r\nLink: HTTP/1.1 500\r\n\r\nHTTP/1.1 2", False),
        (b"HTTP/1.", False),
        (b"garbage\r\n", True),
    ],
)
def test_a_final_refusal_is_told_from_what_may_still_come(data: bytes, stops: bool) -> None:
    """An upload goes on through interim answers and an early success, and ends at an early refusal."""
    assert refuses(data) is stops


def _early(*said: bytes, ends: str) -> Sequence[object]:
    """Upload to a peer that says this after the head and reads nothing more; status and how often it was called."""

    def script(server: Server, conn: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += conn.recv(1_000)
        server.requests.append((data, b""))
        for piece in said:
            conn.sendall(piece)
        if ends == "half":
            conn.shutdown(socket.SHUT_WR)
        if ends != "reset":
            server.pause(20)

    with serving(script) as server, HttpSession(PLAIN) as session:
        body = StreamedBody(length=64 << 20, chunks=lambda: iter([b"x" * 65_536] * 1_024))
        answer = session.call("POST", server.url(), body=body, deadline_secs=10)
        return answer.status, answer.body


@pytest.mark.parametrize("ends", ["half", "reset", "open"])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_early_refusal_is_the_answer_however_the_peer_ends(ends: str, before: bytes) -> None:
    """413 in mid-upload comes back whether they hang up hard, end their side only, or leave the connection open."""
    assert _early(before, http("413 Too Large", b"no"), ends=ends) == (413, b"no")


def test_an_early_refusal_over_tls_is_the_answer(tmp_path: Path) -> None:
    """The same under TLS, where not all that comes is for us."""
    authority = TestAuthority(tmp_path)
    file, _ = authority.issue("server")

    def script(server: Server, conn: socket.socket) -> None:
        conn.recv(1_000)
        conn.sendall(http("413 Too Large", b"no"))
        server.pause(20)

    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    with serving(script, server_context(file)) as server, HttpSession(policy, lambda *_: ["127.0.0.1"]) as session:
        body = StreamedBody(length=64 << 20, chunks=lambda: iter([b"x" * 65_536] * 1_024))
        answer = session.call("POST", server.url(host="localhost"), body=body, deadline_secs=10)
    assert (answer.status, answer.body) == (413, b"no")


def test_an_upload_goes_on_through_an_interim_answer() -> None:
    """100 and 103 that nobody asked for stop nothing: the body arrives whole, and so does the answer behind it."""

    def script(server: Server, conn: socket.socket) -> None:
        data = conn.recv(1_000)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n")
        server.pause(0.05)
        while not data.endswith(b"END"):
            data += conn.recv(1 << 20)
        server.requests.append((b"", data.partition(b"\r\n\r\n")[2]))
        conn.sendall(http("202 Accepted", b"ok"))

    pieces = [b"x" * (1 << 20)] * 12 + [b"END"]
    with serving(script) as server, HttpSession(PLAIN) as session:
        body = StreamedBody(length=sum(map(len, pieces)), chunks=lambda: iter(pieces))
        answer = session.call("POST", server.url(), body=body, deadline_secs=20)
        assert (answer.status, len(server.requests[0][1])) == (202, body.length)


FOREIGN = http("409 Conflict")


@pytest.mark.parametrize(
    "answer",
    [
        OK + FOREIGN,
        http("200 OK", b"") + b"more than it said",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + FOREIGN,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 102 Wait\r\n\r\n" + OK + b"\r\n",
    ],
    ids=[
        "two answers",
        "longer than told",
        "204 with a body",
        "two answers in chunks",
        "two lengths",
        "a line too many",
    ],
)
def test_a_connection_that_is_out_of_step_is_not_used_again(answer: bytes) -> None:
    """What follows an answer is nobody's: the next request goes over another connection and gets its own answer."""
    with serving(answering(answer)) as server, HttpSession(PLAIN) as session:
        for _ in range(2):
            assert session.call("GET", server.url(), deadline_secs=5).status in (200, 204)
        assert server.connections == 2


def test_interim_answers_keep_the_connection_in_step() -> None:
    """A connection with interim answers before each final one stays in use, and every answer is that to its request."""
    answers = [b"HTTP/1.1 102 Wait\r\n\r\n" + http("200 OK", body) for body in (b"one", b"two", b"three")]
    with serving(answering(*answers)) as server, HttpSession(PLAIN) as session:
        found = [session.call("GET", server.url(), deadline_secs=5).body for _ in answers]
        assert (found, server.connections) == ([b"one", b"two", b"three"], 1)


BROKEN = {
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok",
    "too long": http("200 OK", b"x" * 300_000),
    "unreadable": http("200 OK", b"\x0b\x00\x80", Content_Encoding="br"),
    "no chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_status_can_be_enough(answer: bytes) -> None:
    """Who needs no body gets the status of an answer whose body is broken; the connection is not used again."""

    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(answer)

    with serving(script) as server, HttpSession(PLAIN) as session:
        for _ in range(2):
            answered = session.call("POST", server.url(), body=b"x", deadline_secs=5, needs_body=False)
            assert (answered.status, answered.body) == (200, b"")
        assert server.connections == 2
        with pytest.raises(OutcomeUnknown):
            session.call("POST", server.url(), body=b"x", deadline_secs=5)
