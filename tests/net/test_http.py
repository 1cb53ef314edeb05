"""The guarded client against everything that a server can do wrong (spec: faults F15-F19, attacks A26-A28, A32)."""

from __future__ import annotations

import gzip
import ipaddress
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from hub.errors import ConfigurationError, HubError, OutcomeUnknown, PermanentFailure, TemporaryFailure
from hub.net.addresses import parse_url
from hub.net.http import HttpAnswer, HttpPolicy, HttpSession, StreamedBody, check_url, retry_after
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, answering, drip, http, read_request, serving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PLAIN = HttpPolicy(allow_http=True, allow_private=LOOPBACK)
DEADLINE = 0.6
LATE = 15.0
"""Far from never: the servers of these tests would go on for 20 s or for ever, and the machine may be busy."""


def to_loopback(host: str, port: int) -> Sequence[str]:
    """A resolver that knows every name as 127.0.0.1."""
    return ["127.0.0.1"]


def call(
    url: str, policy: HttpPolicy = PLAIN, *, body: bytes | StreamedBody = b"hello", secs: float = 5.0
) -> HttpAnswer:
    with HttpSession(policy, to_loopback) as session:
        return session.call("POST", url, body=body, deadline_secs=secs)


def fails(url: str, kind: type[HubError], code: str, policy: HttpPolicy = PLAIN, secs: float = 5.0) -> None:
    with pytest.raises(kind) as caught:
        call(url, policy, secs=secs)
    assert caught.value.stable_code == code


def test_a_call_brings_status_headers_and_body_over_one_kept_connection() -> None:
    """Several calls of one session go over one connection and each comes back whole."""
    with serving(answering(http("200 OK", b"one", X_Word="w"), http("500 Oh", b"two"))) as server:
        with HttpSession(PLAIN) as session:
            first = session.call("POST", server.url(), headers={"A-B": "c"}, body=b"x", deadline_secs=5)
            second = session.call("GET", server.url("/s?a=b"), deadline_secs=5)
        assert (first.status, first.body, first.headers["x-word"]) == (200, b"one", "w")
        assert (second.status, second.body) == (500, b"two")
        assert server.connections == 1
        head, body = server.requests[0]
        assert head.startswith(b"POST /in HTTP/1.1\r\n")
        assert b"A-B: c\r\n" in head
        assert body == b"x"
        assert server.requests[1][0].startswith(b"GET /s?a=b HTTP/1.1\r\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"",
    ],
    ids=["in headers", "in body", "in chunk size", "in body until close", "in status line"],
)
def test_a_drip_ends_at_the_total_deadline(head: bytes) -> None:
    """F15: a byte every 50 ms renews no deadline, wherever it drips."""
    with serving(drip(head)) as server:
        began = time.monotonic()
        fails(server.url(), OutcomeUnknown, "http.deadline", secs=DEADLINE)
        assert DEADLINE * 0.9 <= time.monotonic() - began < DEADLINE + LATE


def test_endless_interim_answers_end_too() -> None:
    """A server that says 100 Continue for ever is stopped by the deadline or by the limit on headers."""

    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        while not server.stopped.is_set():
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with serving(script) as server:
        fails(server.url(), OutcomeUnknown, "http.too_large")


def _mute(server: Server, conn: socket.socket) -> None:
    server.pause(20)


def test_a_mute_server_leaves_the_outcome_unknown() -> None:
    """F16: accepted, bytes went out, no word: unknown at the deadline."""
    with serving(_mute) as server:
        fails(server.url(), OutcomeUnknown, "http.deadline", secs=DEADLINE)


def test_a_hanging_handshake_is_temporary(tmp_path: Path) -> None:
    """F16: nothing of the request went out while TLS hung, so it is surely not taken in."""
    authority = TestAuthority(tmp_path)
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    with serving(_mute) as server:
        url = server.url().replace("http:", "https:")
        began = time.monotonic()
        fails(url, TemporaryFailure, "tls.timeout", policy, secs=DEADLINE)
        assert time.monotonic() - began < DEADLINE + LATE


def test_a_dripping_handshake_is_temporary(tmp_path: Path) -> None:
    """F15: bytes that look like the beginning of a TLS record, one at a time, end at the deadline."""

    def script(server: Server, conn: socket.socket) -> None:
        for piece in itertools.chain([b"\x16\x03\x03\x3f\xff"], itertools.repeat(b"\x02")):
            if server.pause(0.05):
                return
            conn.sendall(piece)

    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=TestAuthority(tmp_path).file)
    with serving(script) as server, pytest.raises(TemporaryFailure):
        call(server.url().replace("http:", "https:"), policy, secs=DEADLINE)


def test_a_full_backlog_is_temporary() -> None:
    """F16: a connect that hangs ends at the deadline, and nothing went out."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        fails(f"http://127.0.0.1:{port}/", TemporaryFailure, "http.connect_timeout", secs=DEADLINE)
        for filler in fillers:
            filler.close()


def test_a_refused_connection_is_temporary() -> None:
    """Nobody listens: surely nothing was taken in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fails(f"http://127.0.0.1:{port}/", TemporaryFailure, "http.connect")


def _reset_after(data: bytes) -> Callable[[Server, socket.socket], None]:
    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(data)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
    ],
    ids=["at once", "in mid-body", "in mid-chunk"],
)
def test_a_reset_after_the_request_leaves_the_outcome_unknown(data: bytes) -> None:
    """F16: the request may have been taken in, whatever came back broken."""
    with serving(_reset_after(data)) as server:
        fails(server.url(), OutcomeUnknown, "http.broken")


@pytest.mark.parametrize(
    ("data", "message", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP.", "it begins with: SSH-2.0-OpenSSH_9.2"),
        (b"\x15\x03\x01\x00\x02\x02F", "speaks TLS, and the URL begins with http://.", ""),
    ],
)
def test_another_protocol_is_told_by_its_first_bytes(data: bytes, message: str, detail: str) -> None:
    """Bytes of a service that is none of HTTP's are shown; where they are of TLS, the scheme is to be mended."""

    def script(_server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(data)

    with serving(script) as server, pytest.raises(OutcomeUnknown) as caught:
        call(server.url())
    assert (caught.value.stable_code, message in caught.value.message) == ("http.not_http", True)
    assert detail in (caught.value.detail or "")


@pytest.mark.parametrize("body", [b"", b"half"])
def test_an_answer_shorter_than_it_says_is_broken(body: bytes) -> None:
    """F16: a connection that is closed in good order before the promised length is no answer either."""

    def script(_server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + body)

    with serving(script) as server:
        fails(server.url(), OutcomeUnknown, "http.broken")


def test_head_and_body_go_out_in_one_piece() -> None:
    """A small request wakes the other side once: all of it is there with the first look."""
    seen: list[bytes] = []

    def script(_server: Server, conn: socket.socket) -> None:
        seen.append(conn.recv(1_048_576))
        conn.sendall(http("200 OK"))

    with serving(script) as server:
        assert call(server.url(), body=b"x" * 5_000).status == 200
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert (head[:5], len(body)) == (b"POST ", 5_000)


def test_no_header_goes_out_twice_however_it_is_spelt() -> None:
    """A channel may name a header that the client sets by itself: the later counts, the length is always ours."""
    with serving(answering(http("200 OK"))) as server, HttpSession(PLAIN) as session:
        given = {"Content-Type": "a/b", "content-type": "c/d", "USER-AGENT": "x", "content-length": "99"}
        session.call("POST", server.url(), headers=given, body=b"four", deadline_secs=5)
        head = server.requests[0][0].lower()
    assert [head.count(b"\r\n" + name) for name in (b"content-type:", b"user-agent:", b"content-length:")] == [1, 1, 1]
    assert b"content-type: c/d\r\n" in head
    assert b"content-length: 4" in head


def test_a_handshake_that_failed_is_tried_anew(tmp_path: Path) -> None:
    """A probe that failed leaves nothing behind that looks like a connection."""
    file, _ = TestAuthority(tmp_path).issue("server")
    with serving(answering(http("200 OK")), server_context(file)) as server, HttpSession(PLAIN) as session:
        for _ in range(2):
            with pytest.raises(TemporaryFailure) as caught:
                session.connect(server.url(), deadline_secs=5)
            assert caught.value.stable_code == "tls.certificate"


def test_headers_of_an_answer_are_found_in_any_case_and_joined() -> None:
    """RFC 9110 section 5.3: the same header twice means both values."""
    with serving(answering(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")) as server:
        headers = call(server.url()).headers
    assert (headers["X-A"], headers.get("X-a"), headers.get("absent")) == ("1, 2", "1, 2", None)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("where", ["same", "file:///etc/passwd", "http://169.254.169.254/latest", "//elsewhere"])
def test_a_redirect_is_an_answer_and_nothing_more(status: str, where: str) -> None:
    """F18: no second connection, no second request, no file read: the caller gets the 3xx."""

    def script(server: Server, conn: socket.socket) -> None:
        location = server.url() if where == "same" else where
        answering(http(status, b"moved", Location=location))(server, conn)

    with serving(script) as server:
        answer = call(server.url())
        assert answer.status == int(status[:3])
        assert (server.connections, len(server.requests)) == (1, 1)


def test_a_redirect_with_an_endless_body_is_stopped() -> None:
    """F18, A27: ``requests`` reads the body of a redirect whole even when told not to follow; this client does not."""
    endless = b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"

    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(endless)
        while not server.stopped.is_set():
            conn.sendall(b"x" * 65_536)

    with serving(script) as server:
        fails(server.url(), OutcomeUnknown, "http.too_large")


@pytest.mark.slow
def test_a_compressed_answer_that_swells_is_stopped() -> None:
    """A27: 200 MB behind 200 kB are never made; the limit counts after decompression."""
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK, max_response_bytes=1_000_000)
    with serving(answering(http("200 OK", bomb, Content_Encoding="gzip"))) as server:
        began = time.monotonic()
        fails(server.url(), OutcomeUnknown, "http.too_large", policy)
        assert time.monotonic() - began < LATE


def test_gzip_is_read_and_other_encodings_are_not() -> None:
    """A gzip answer within the limit is read; a broken one, a cut one or another encoding is a named error."""
    whole = gzip.compress(b"hello " * 100)
    with serving(answering(http("200 OK", whole, Content_Encoding="gzip"))) as server:
        assert call(server.url()).body == b"hello " * 100
    for encoding, data in (
        ("gzip", whole[:-9]),
        ("gzip", b"no\0gzip"),
        ("br", b"\x0b\x00\x80ok\x03"),
        ("deflate", b"\x78x\0"),
    ):
        with serving(answering(http("200 OK", data, Content_Encoding=encoding))) as server:
            fails(server.url(), OutcomeUnknown, "http.encoding")


@pytest.mark.parametrize(
    "response",
    [
        http("200 OK", b"x" * 1_001),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 5_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(90)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_001 + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 60_000 + b"\r\nx\r\n1;" + b"e" * 60_000,
    ],
    ids=["length", "announced", "headers", "chunks", "chunk extensions"],
)
def test_answers_over_the_limit_are_not_read(response: bytes) -> None:
    """Body, headers and framing are limited; one byte over, and the connection is given up."""
    policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK, max_response_bytes=1_000)
    with serving(answering(response)) as server:
        fails(server.url(), OutcomeUnknown, "http.too_large", policy)


def test_an_answer_of_exactly_the_limit_is_read() -> None:
    """The limit is inclusive, and the connection stays usable."""
    policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK, max_response_bytes=1_000)
    with serving(answering(http("200 OK", b"x" * 1_000))) as server, HttpSession(policy) as session:
        for _ in range(2):
            assert len(session.call("GET", server.url(), deadline_secs=5).body) == 1_000
        assert server.connections == 1


def test_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A28: proxy variables, .netrc and certificate variables change nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n", "ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    authority = TestAuthority(tmp_path)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authority.file))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    with serving(answering(http("200 OK", b"", Set_Cookie="a=b; Path=/"))) as server, HttpSession(PLAIN) as session:
        for _ in range(2):
            session.call("POST", server.url(), body=b"", deadline_secs=5)
        for head, _ in server.requests:
            assert b"Authorization" not in head
            assert b"Cookie" not in head
    file, _ = authority.issue("server")
    with serving(answering(http("200 OK")), server_context(file)) as server:
        fails(server.url(host="localhost"), TemporaryFailure, "tls.certificate", HttpPolicy(allow_private=LOOPBACK))
    assert not (tmp_path / "keys.log").exists()


def test_a_good_certificate_is_taken_and_its_name_checked(tmp_path: Path) -> None:
    """The name in the URL is what certificate and Host header are held to, although the address was resolved before."""
    authority = TestAuthority(tmp_path)
    file, _ = authority.issue("server", dns="edms.example.gov.ua")
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    with serving(answering(http("200 OK", b"hi")), server_context(file)) as server:
        assert call(server.url(host="edms.example.gov.ua"), policy).body == b"hi"
        assert f"Host: edms.example.gov.ua:{server.port}".encode() in server.requests[0][0]
        fails(server.url(host="other.example.gov.ua"), TemporaryFailure, "tls.certificate", policy)
        assert len(server.requests) == 1


def test_certificates_that_do_not_hold_are_refused(tmp_path: Path) -> None:
    """A32: expired, self-signed, from another authority, revoked: refused before a byte of the request."""
    authority, stranger = TestAuthority(tmp_path), TestAuthority(tmp_path, "Stranger CA")
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    expired, _ = authority.issue("expired", expired=True)
    own, _ = authority.issue("own", own=True)
    foreign, _ = stranger.issue("foreign")
    for file in (expired, own, foreign):
        with serving(answering(http("200 OK")), server_context(file)) as server:
            fails(server.url(host="localhost"), TemporaryFailure, "tls.certificate", policy)
            assert server.requests == []


def test_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    """A32: with a revocation list in the settings, what it names is not trusted; the rest is."""
    authority = TestAuthority(tmp_path)
    bad, serial = authority.issue("bad")
    good, _ = authority.issue("good")
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file, crl_file=authority.revoke(serial))
    with serving(answering(http("200 OK", b"hi")), server_context(good)) as server:
        assert call(server.url(host="localhost"), policy).body == b"hi"
    with serving(answering(http("200 OK")), server_context(bad)) as server:
        fails(server.url(host="localhost"), TemporaryFailure, "tls.certificate", policy)


@pytest.mark.filterwarnings("ignore:ssl.*deprecated:DeprecationWarning")
def test_old_tls_is_refused(tmp_path: Path) -> None:
    """A32: a server that speaks TLS 1.1 at most gets no request."""
    authority = TestAuthority(tmp_path)
    file, _ = authority.issue("server")
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    with serving(answering(http("200 OK")), server_context(file, old=True)) as server:
        fails(server.url(host="localhost"), TemporaryFailure, "tls.handshake", policy)


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    """mTLS: with the certificate the call passes; without it the server does not answer it."""
    authority = TestAuthority(tmp_path)
    server_file, _ = authority.issue("server")
    client_file, _ = authority.issue("client", dns="hub.example.org")
    bare = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file)
    policy = HttpPolicy(allow_private=LOOPBACK, ca_file=authority.file, cert_file=client_file, key_file=client_file)
    context = server_context(server_file, client_ca=authority.file)
    with serving(answering(http("200 OK", b"hi")), context) as server:
        assert call(server.url(host="localhost"), policy).body == b"hi"
        with pytest.raises((OutcomeUnknown, TemporaryFailure)):
            call(server.url(host="localhost"), bare)
        assert len(server.requests) == 1


def test_missing_or_broken_certificate_files_are_configuration_errors(tmp_path: Path) -> None:
    """A CA file that is not there or holds no certificate is named before anything is tried."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", "ascii")
    for file in (broken, tmp_path / "absent.pem"):
        with pytest.raises(ConfigurationError):
            call("https://localhost:1/", HttpPolicy(allow_private=LOOPBACK, ca_file=file))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://user:secret@example.org/",
        "https://example.org\\@127.0.0.1/",
        "https://exam ple.org/",
        "https://example.org/\r\nX: y",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://[fe80::1%25eth0]/",
        "https://приклад.укр/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https:///path",
        "//example.org/",
        "https://example.org/#part",
        "https://" + "a" * 2_000,
    ],
)
def test_urls_that_two_parsers_could_read_differently_are_refused(url: str) -> None:
    """A26: schemes, user names, number-like hosts, zones, controls: refused before any look-up, value not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert caught.value.stable_code == "http.url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%1"]])
def test_a_name_with_a_private_address_is_refused_before_connecting(found: list[str]) -> None:
    """A26: one bad address among several is enough; no connection is attempted."""
    with serving(answering(http("200 OK"))) as server:
        session = HttpSession(HttpPolicy(allow_http=True), lambda host, port: found)
        with session, pytest.raises(PermanentFailure) as caught:
            session.call("POST", server.url(host="edms.example.org"), body=b"", deadline_secs=5)
        assert caught.value.stable_code == "http.address_refused"
        assert server.connections == 0


def test_a_name_is_resolved_once_per_connection() -> None:
    """A26: a name that changes between check and use (DNS rebinding) is asked once; the checked address is used."""
    answers: Iterator[list[str]] = iter([["127.0.0.1"], ["169.254.169.254"]])
    policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK)
    with serving(answering(http("200 OK", b"hi"))) as server:
        with HttpSession(policy, lambda host, port: next(answers)) as session:
            for _ in range(3):
                assert session.call("GET", server.url(host="edms.example.org"), deadline_secs=5).body == b"hi"
        assert next(answers) == ["169.254.169.254"]


def test_names_that_cannot_be_resolved_are_temporary() -> None:
    """No such name, no address, or a resolver that hangs: nothing went out, within the deadline."""
    release = threading.Event()

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    def hanging(host: str, port: int) -> Sequence[str]:
        release.wait(20)
        return []

    def empty(host: str, port: int) -> Sequence[str]:
        return []

    for resolver in (unknown, hanging, empty):
        with HttpSession(PLAIN, resolver) as session, pytest.raises(TemporaryFailure) as caught:
            session.call("GET", "http://edms.example.org/", deadline_secs=DEADLINE)
        assert caught.value.stable_code == "http.dns"
    release.set()


def test_the_second_address_is_tried_when_the_first_refuses() -> None:
    """Addresses of one name are tried in order within the one deadline."""
    session = HttpSession(PLAIN, lambda host, port: ["127.0.0.2", "127.0.0.1"])
    with serving(answering(http("200 OK", b"hi"))) as server, session:
        assert session.call("GET", server.url(host="edms.example.org"), deadline_secs=5).body == b"hi"


def test_scheme_and_port_are_checked_without_a_network() -> None:
    """http needs the channel's word, and so does a port that is not listed."""
    with pytest.raises(ConfigurationError) as caught:
        check_url("http://example.org/", HttpPolicy())
    assert caught.value.stable_code == "http.scheme"
    with pytest.raises(ConfigurationError) as caught:
        check_url("https://example.org:8443/", HttpPolicy(ports=(443,)))
    assert caught.value.stable_code == "http.port"
    assert check_url("https://example.org/", HttpPolicy(ports=(443,))).port == 443


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0", "", " a", "é"])
def test_header_values_with_controls_are_refused(value: str) -> None:
    """A22: our own check, before any library sees the value."""
    with HttpSession(PLAIN) as session, pytest.raises(ConfigurationError) as caught:
        session.call("GET", "http://127.0.0.1:1/", headers={"X-A": value}, deadline_secs=1)
    assert caught.value.stable_code == "http.header"


def test_a_streamed_body_has_its_length_and_arrives_whole() -> None:
    """An upload goes out in pieces under Content-Length, not chunked."""
    with serving(answering(http("200 OK"))) as server:
        call(server.url(), body=StreamedBody(length=300_000, chunks=lambda: iter([b"a" * 100_000] * 3)))
        head, body = server.requests[0]
        assert b"Content-Length: 300000" in head
        assert b"Transfer-Encoding" not in head
        assert body == b"a" * 300_000


def test_a_server_that_does_not_read_ends_at_the_deadline() -> None:
    """A peer that stops reading in mid-upload cannot hold the call."""
    with serving(_mute) as server:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            call(
                server.url(),
                body=StreamedBody(length=10**9, chunks=lambda: itertools.repeat(b"a" * 65_536)),
                secs=DEADLINE,
            )
        assert time.monotonic() - began < DEADLINE + LATE


def test_an_early_refusal_of_an_upload_is_read() -> None:
    """413 sent before the body was read comes back as an answer, not as a broken connection."""

    def script(server: Server, conn: socket.socket) -> None:
        conn.recv(1_000)
        conn.sendall(http("413 Too Large", b"", Connection="close"))
        conn.shutdown(socket.SHUT_WR)
        while conn.recv(1 << 20):
            pass

    with serving(script) as server:
        assert (
            call(server.url(), body=StreamedBody(length=2_000_000, chunks=lambda: iter([b"a" * 1_000_000] * 2))).status
            == 413
        )


def test_errors_hold_no_url_and_no_body() -> None:
    """A33: what an error says carries neither the address's query nor what was sent."""
    with serving(_reset_after(b"")) as server, pytest.raises(OutcomeUnknown) as caught:
        call(server.url("/canary-path?token=canary"), body=b"canary")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "secs"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("9" * 5_000, 86_400.0),
        ("-5", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Wed, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_bounded(value: str | None, secs: float | None) -> None:
    """F19: seconds within a day; negative, absurd or unreadable values neither raise nor rule."""
    assert retry_after(value, datetime(2026, 3, 1, tzinfo=UTC)) == secs


def test_retry_after_as_a_date() -> None:
    """F19: a date counts from now, never below 0, never beyond a day."""
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for offset, secs in ((90, 90.0), (-90, 0.0), (10**7, 86_400.0)):
        assert retry_after(format_datetime(now + timedelta(seconds=offset), usegmt=True), now) == secs
