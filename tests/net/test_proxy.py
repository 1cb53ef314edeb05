"""Calls through a proxy: a checked setting of the channel, TLS end to end, and never because of the environment."""

from __future__ import annotations

import base64
import selectors
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.errors import HubError, PermanentFailure, TemporaryFailure
from hub.net.http import HttpPolicy, HttpSession
from hub.net.settings import HttpSettings
from tests.acceptance.processes import until
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, answering, http, read_request, serving
from tests.ports import free_port

NAME = "edms.example.org"
LOOPBACK = ["127.0.0.0/8"]


def to_loopback(host: str, port: int) -> Sequence[str]:
    """A resolver that knows every name as 127.0.0.1."""
    return ["127.0.0.1"]


def nobody(host: str, port: int) -> Sequence[str]:
    """A resolver that must not be asked."""
    raise AssertionError(f"{host} was looked up")


def policy(proxy: dict[str, Any], **more: Any) -> HttpPolicy:
    """The policy of a channel with this setting."""
    return HttpSettings.model_validate({"allow_private": LOOPBACK, "proxy": proxy, **more}).policy()


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select(30):
                data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)


def tunnelling(answer: bytes = b"HTTP/1.1 200 Go on\r\nVia: x\r\n\r\n") -> Callable[[Server, socket.socket], None]:
    """A small proxy that carries every tunnel to 127.0.0.1, or gives another answer."""

    def script(server: Server, conn: socket.socket) -> None:
        head, _ = read_request(conn)
        server.requests.append((head, b""))
        if b" 2" not in answer[:10]:
            conn.sendall(answer)
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as onward:
            conn.sendall(answer)
            relay(conn, onward)

    return script


def asked(proxy: Server) -> list[bytes]:
    """First lines of what the proxy was asked."""
    return [head.split(b"\r\n")[0] for head, _ in proxy.requests]


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    """Who certifies the servers."""
    return TestAuthority(tmp_path)


def test_tls_goes_through_the_tunnel_to_the_other_side(tmp_path: Path, authority: TestAuthority) -> None:
    """Our own look-up, the checked address to the proxy, the name in the certificate; the proxy learns no name and no
    word of the request; further calls go over the same tunnel.
    """
    context = server_context(authority.issue("server", dns=NAME)[0])
    with serving(answering(http("200 OK", b"hi")), context) as server, serving(tunnelling()) as proxy:
        url = server.url(host=NAME)
        rules = policy({"url": f"http://127.0.0.1:{proxy.port}"}, ca_file=str(authority.file))
        with HttpSession(rules, to_loopback) as session:
            for _ in range(2):
                assert session.call("POST", url, body=b"word", deadline_secs=5).body == b"hi"
        assert asked(proxy) == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode()]
        assert NAME.encode() not in proxy.requests[0][0]
        assert len(server.requests) == 2
        wrong = server.url(host="other.example.org")
        _fails(rules, wrong, TemporaryFailure, "tls.certificate")


def test_the_proxy_may_look_names_up_if_the_setting_says_so() -> None:
    """Then it is given the name, and nobody looks it up here; an address in the URL is checked all the same."""
    with serving(answering(http("200 OK", b"hi"))) as server, serving(tunnelling()) as proxy:
        where = {"url": f"http://127.0.0.1:{proxy.port}", "resolves": "proxy"}
        rules = policy(where, allow_http=True)
        with HttpSession(rules, nobody) as session:
            assert session.call("GET", server.url(host=NAME), deadline_secs=5).body == b"hi"
        assert asked(proxy) == [f"CONNECT {NAME}:{server.port} HTTP/1.1".encode()]
        _fails(rules, "http://169.254.169.254/", PermanentFailure, "http.address_refused")
        assert len(proxy.requests) == 1


def test_every_address_is_checked() -> None:
    """The proxy's own, and the target's before the proxy is called at all."""
    with serving(tunnelling()) as proxy:
        where = {"url": f"http://127.0.0.1:{proxy.port}"}
        for bad in ("10.0.0.1", "192.0.0.192", "3fff::1"):
            _fails(policy(where, allow_http=True), f"http://{NAME}/", PermanentFailure, "http.address_refused", [bad])
        closed = policy(where, allow_http=True, allow_private=[])
        _fails(closed, f"http://{NAME}/", PermanentFailure, "http.address_refused", ["93.184.216.34"])
        assert proxy.connections == 0


def test_the_next_address_is_tried() -> None:
    """An IPv6 address stands in brackets; where the proxy cannot reach one, it is asked for the next."""

    def script(server: Server, conn: socket.socket) -> None:
        head, _ = read_request(conn)
        server.requests.append((head, b""))
        conn.sendall(b"HTTP/1.1 502 No way\r\n\r\n")

    with serving(script) as proxy:
        rules = policy({"url": f"http://127.0.0.1:{proxy.port}"}, allow_http=True)
        _fails(rules, f"http://{NAME}:81/", TemporaryFailure, "http.proxy", ["2606:4700::1111", "93.184.216.34"])
        assert asked(proxy) == [b"CONNECT [2606:4700::1111]:81 HTTP/1.1", b"CONNECT 93.184.216.34:81 HTTP/1.1"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", "http.proxy_auth"),
        (b"HTTP/1.0 403 No\r\n\r\n", "http.proxy_refused"),
        (b"HTTP/1.1 504 Late\r\n\r\n", "http.proxy"),
        (b"HTTP/1.1 302 There\r\nLocation: http://x/\r\n\r\n", "http.proxy"),
        (b"SSH-2.0-x\r\n\r\n", "http.proxy"),
        (b"", "http.proxy"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9_000, "http.proxy"),
    ],
)
def test_a_proxy_that_refuses_is_temporary(answer: bytes, code: str) -> None:
    """Nothing of the request went out, whatever the proxy said; its own words are not repeated."""
    with serving(tunnelling(answer)) as proxy:
        rules = policy({"url": f"http://127.0.0.1:{proxy.port}"}, allow_http=True)
        failure = _fails(rules, f"http://{NAME}/", TemporaryFailure, code, ["127.0.0.1"])
        assert "There" not in str(failure)


def test_a_silent_proxy_ends_at_the_deadline() -> None:
    """A proxy that says nothing, and one that is not there."""

    def silent(server: Server, conn: socket.socket) -> None:
        server.pause(20)

    with serving(silent) as proxy:
        rules = policy({"url": f"http://127.0.0.1:{proxy.port}"}, allow_http=True)
        _fails(rules, f"http://{NAME}/", TemporaryFailure, "http.proxy", ["127.0.0.1"], secs=0.3)
    rules = policy({"url": f"http://127.0.0.1:{free_port()}"}, allow_http=True)
    _fails(rules, f"http://{NAME}/", TemporaryFailure, "http.connect", ["127.0.0.1"])


def test_the_password_is_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read for each connection, sent to the proxy alone; user and password belong together."""
    monkeypatch.setenv("PROXY_PASSWORD", "таємниця")
    with serving(answering(http("200 OK"))) as server, serving(tunnelling()) as proxy:
        where = {"url": f"http://127.0.0.1:{proxy.port}", "user": "hub", "password": "env:PROXY_PASSWORD"}
        with HttpSession(policy(where, allow_http=True), to_loopback) as session:
            session.call("GET", server.url(host=NAME), deadline_secs=5)
        pair = base64.b64encode("hub:таємниця".encode())
        assert b"Proxy-Authorization: Basic " + pair in proxy.requests[0][0]
        assert b"roxy" not in server.requests[0][0]
        assert "таємниця" not in repr(policy(where))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://proxy:3128"},
        {"url": "http://proxy"},
        {"url": "http://proxy:3128/"},
        {"url": "http://hub:word@proxy:3128"},
        {"url": "http://proxy:0"},
        {"url": "http://0x7f.1:3128"},
        {"url": "http://proxy:3128", "user": "hub"},
        {"url": "http://proxy:3128", "user": "hub", "password": "word"},
        {"url": "http://proxy:3128", "resolves": "nobody"},
    ],
)
def test_a_wrong_setting_is_told_at_check(wrong: dict[str, str]) -> None:
    """What cannot be a proxy is refused before any call, and no secret is repeated."""
    with pytest.raises(ValidationError) as caught:
        HttpSettings.model_validate({"proxy": wrong})
    assert "word" not in str(caught.value.errors(include_input=False, include_url=False)).replace("password", "")


def test_the_environment_is_never_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that name a proxy, or exempt from one, change nothing, with a setting and without."""
    dead = f"http://127.0.0.1:{free_port()}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, dead)
        monkeypatch.setenv(name.upper(), dead)
    with serving(answering(http("200 OK", b"hi"))) as server, serving(tunnelling()) as proxy:
        direct = HttpSettings.model_validate({"allow_private": LOOPBACK, "allow_http": True}).policy()
        with HttpSession(direct, to_loopback) as session:
            assert session.call("GET", server.url(host=NAME), deadline_secs=5).body == b"hi"
        monkeypatch.setenv("NO_PROXY", "*")
        rules = policy({"url": f"http://127.0.0.1:{proxy.port}"}, allow_http=True)
        with HttpSession(rules, to_loopback) as session:
            assert session.call("GET", server.url(host=NAME), deadline_secs=5).body == b"hi"
        assert len(proxy.requests) == 1


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[int]:
    """A real proxy in a folder of its own."""
    port = free_port()
    conf = [f"Port {port}", "Listen 127.0.0.1", "Timeout 20", "MaxClients 20", "Allow 127.0.0.1"]
    (folder / "proxy.conf").write_text("\n".join([*conf, f'LogFile "{folder}/log"', *lines, ""]))
    process = subprocess.Popen(["tinyproxy", "-d", "-c", str(folder / "proxy.conf")], stdout=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or _listens(port), seconds=20, what="tinyproxy")
        assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.foreign("tinyproxy")
def test_a_real_proxy_carries_it(tmp_path: Path, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """tinyproxy with a password: by address and by name; another password, and a port that it does not carry to."""
    monkeypatch.setenv("PROXY_PASSWORD", "word")
    monkeypatch.setenv("WRONG_PASSWORD", "other")
    context = server_context(authority.issue("server")[0])
    with serving(answering(http("200 OK", b"hi")), context) as server:
        lines = (f"ConnectPort {server.port}", "BasicAuth hub word")
        with tinyproxy(tmp_path, *lines) as port:
            where = {"url": f"http://127.0.0.1:{port}", "user": "hub", "password": "env:PROXY_PASSWORD"}
            for resolves in ("hub", "proxy"):
                rules = policy({**where, "resolves": resolves}, ca_file=str(authority.file))
                with HttpSession(rules, to_loopback if resolves == "hub" else nobody) as session:
                    answer = session.call("POST", server.url(host="localhost"), body=b"x" * 200_000, deadline_secs=10)
                assert answer.body == b"hi"
            assert [len(body) for _, body in server.requests] == [200_000] * 2
            wrong = policy({**where, "password": "env:WRONG_PASSWORD"}, ca_file=str(authority.file))
            _fails(wrong, server.url(host="localhost"), TemporaryFailure, "http.proxy_auth", ["127.0.0.1"])
            other = policy(where, ca_file=str(authority.file))
            _fails(other, "https://localhost:9/", TemporaryFailure, "http.proxy_refused", ["127.0.0.1"])


def _fails(
    rules: HttpPolicy,
    url: str,
    kind: type[HubError],
    code: str,
    found: Sequence[str] = ("127.0.0.1",),
    secs: float = 5.0,
) -> HubError:
    with HttpSession(rules, lambda host, port: found) as session, pytest.raises(kind) as caught:
        session.call("POST", url, body=b"word", deadline_secs=secs)
    assert caught.value.stable_code == code
    return caught.value
