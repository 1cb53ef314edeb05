"""The hub behind nginx and haproxy: it never sees a request that the proxy did not see as one, and answers stay apart.

The same bytes go to the hub through each proxy and directly. Proxies keep their connections to the hub, as they do in
use: what were smuggled on one would come before the next caller's request, or its answer be his.
"""

from __future__ import annotations

import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.processes import until
from tests.api.framing import BODIES, BROKEN, REFUSED, SMUGGLED
from tests.api.test_heads import Recorder
from tests.api.test_protocol import served
from tests.ports import free_port

pytestmark = pytest.mark.slow

QUIET_SECS = 0.25
"""An answer that has begun is over when nothing comes for so long; what comes later is found by the next caller."""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    log_format seen '$connection.$connection_requests $request_method $request_uri';
    access_log {folder}/seen.log seen;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    upstream hub {{ server 127.0.0.1:{hub}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_request_buffering off;
        location / {{
            proxy_pass http://hub; proxy_http_version 1.1;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
        }}
        location = /upgraded {{
            proxy_pass http://hub; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
        }}
    }}
}}
"""

HAPROXY = """
global
    log stdout format raw local0 info
defaults
    mode http
    log global
    log-format "%rt %HM %HU"
    option accept-invalid-http-request
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    http-reuse always
frontend door
    bind 127.0.0.1:{port}
    default_backend hub
backend hub
    server hub 127.0.0.1:{hub} maxconn 1
"""


@dataclass
class Proxy:
    """A running proxy. ``log``: a line for each request that it saw: number, method, path."""

    port: int
    log: Path
    recorder: Recorder
    passed: int = field(default=0)

    def seen(self) -> list[tuple[str, str]]:
        """Requests that it saw since the last look at what was passed; haproxy writes one line twice at times."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[self.passed :]
        words = (line.split(" ") for line in lines)
        return [(method, path) for _, method, path in {tuple(each) for each in words if len(each) == 3}]


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        until(lambda: process.poll() is not None or _listens(port), seconds=20, what="the proxy")
        assert process.poll() is None, (folder / "out.log").read_text("utf-8")
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.foreign(n)) for n in ("nginx", "haproxy")],
)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy in a folder of its own, before an application over the hub's protocol."""
    folder, recorder, port = tmp_path_factory.mktemp(request.param), Recorder(), free_port()
    with served(recorder) as hub:
        text = (NGINX if request.param == "nginx" else HAPROXY).format(folder=folder, port=port, hub=hub)
        (folder / "proxy.conf").write_text(text)
        conf = str(folder / "proxy.conf")
        nginx = ["nginx", "-p", str(folder), "-c", conf]
        haproxy = ["haproxy", "-db", "-f", conf]
        log = folder / ("seen.log" if request.param == "nginx" else "out.log")
        with _running(nginx if request.param == "nginx" else haproxy, port, folder):
            yield Proxy(port, log, recorder)


def talk(port: int, *pieces: bytes, between: Callable[[], object] = lambda: True) -> bytes:
    """Say this on one connection; what comes back until it ends or falls quiet. ``between``: looked at between two
    pieces, until it holds or so long too.
    """
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for number, piece in enumerate(pieces):
                if number:
                    with suppress(AssertionError):  # the proxy waits for the body, or refused the head
                        until(between, seconds=QUIET_SECS)
                sock.sendall(piece)
            sock.settimeout(QUIET_SECS)
            while data := sock.recv(65_536):
                heard += data
        except (TimeoutError, ConnectionError):
            pass
    return heard


def _begun(recorder: Recorder, before: int) -> bool:
    return len(recorder.calls) > before


def victim(port: int, number: int) -> None:
    """The next caller gets the answer to his own request."""
    path = b"/next-%d" % number
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        heard = b""
        while data := sock.recv(65_536):
            heard += data
    assert heard.startswith(b"HTTP/1.1 200"), heard
    assert heard.endswith(b"\r\n\r\n" + path), heard


INPUTS = {
    **{f"head: {name}": raw for name, (raw, _) in REFUSED.items()},
    **{f"chunks: {name}": raw for name, raw in BROKEN.items()},
    **{f"body: {name}": raw for name, raw in BODIES.items()},
    **{f"upgraded: {name}": raw.replace(b"/a ", b"/upgraded ", 1) for name, raw in BODIES.items()},
}


@pytest.mark.parametrize("name", INPUTS)
def test_the_hub_sees_what_the_proxy_saw(proxy: Proxy, name: str) -> None:
    """Each request that the hub saw is one that the proxy saw, with its path, no more often; a body stays a body; and
    two callers behind it get their own answers.
    """
    raw = INPUTS[name]
    proxy.recorder.calls.clear()
    proxy.recorder.bodies.clear()
    proxy.passed = len(proxy.log.read_text("utf-8", "replace").splitlines()) if proxy.log.exists() else 0
    head = raw.find(b"\r\n\r\n", 4) + 4
    for number, pieces in enumerate(((raw,), (raw[:head], raw[head:]))):
        before = len(proxy.recorder.calls)
        begun = partial(_begun, proxy.recorder, before)
        talk(proxy.port, *(piece for piece in pieces if piece), between=begun)
        victim(proxy.port, number)
        victim(proxy.port, number)
        until(lambda n=number: proxy.seen().count(("GET", f"/next-{n}")) == 2, what="the proxy's log")  # type: ignore[misc]
    hub = Counter(proxy.recorder.calls)
    assert hub[("GET", "/next-0")] == hub[("GET", "/next-1")] == 2
    assert hub <= Counter(proxy.seen()), "the hub saw a request that the proxy did not see"
    if name.startswith(("body", "upgraded")):
        assert not any("smuggled" in path for _, path in hub)
        assert proxy.recorder.bodies.count(SMUGGLED) == hub.total() - 4, "a body was lost"


def test_the_same_bytes_directly() -> None:
    """Without a proxy the hub answers each once, and calls no door where the head is refused."""
    recorder = Recorder()
    with served(recorder) as port:
        for name, raw in INPUTS.items():
            answer = talk(port, raw)
            assert answer.count(b"HTTP/1.1 200 OK") + answer.count(b"HTTP/1.1 400 Bad") == 1, name
            assert not (name.startswith("head") and recorder.calls), name
