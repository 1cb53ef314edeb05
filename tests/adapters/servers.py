"""Servers on loopback that say exactly what a test tells them to, byte for byte, and remember who called."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

from hub.testing.contract import pour, trickle

Script: TypeAlias = Callable[[socket.socket], None]
"""Talks to one connection; when it returns, the connection is closed."""

_BACKSTOP_SECS = 30.0


def read_request(conn: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one request; both empty if the peer hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = conn.recv(65_536)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = conn.recv(65_536)
        if not piece:
            break
        body += piece
    return head, body


SICK = frozenset({"trickles", "floods"})
_NO_END = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def sick(kind: str, conn: socket.socket, stopped: threading.Event) -> int:
    """Answer without an end, slowly or fast (``SICK``); returns how many bytes were taken if fast."""
    conn.sendall(_NO_END)
    if kind == "floods":
        return pour(conn)
    trickle(conn, stopped)
    return 0


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A response with Content-Length; header names with ``_`` for ``-``."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """A threaded server on an ephemeral port of 127.0.0.1. ``connections`` counts who came."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self.connections = 0
        self.requests: list[tuple[bytes, bytes]] = []
        self.stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def url(self, path: str = "/in", host: str = "127.0.0.1") -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host}:{self.port}{path}"

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._talk, args=(conn,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, conn: socket.socket) -> None:
        conn.settimeout(_BACKSTOP_SECS)
        with contextlib.suppress(OSError):
            if self._tls is not None:
                conn = self._tls.wrap_socket(conn, server_side=True)
            self._open.add(conn)
            with conn:
                self._script(conn)
        conn.close()

    def close(self) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conn in list(self._open):
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_BACKSTOP_SECS)

    def pause(self, secs: float) -> bool:
        """Wait like a slow server does; True if the test is over."""
        return self.stopped.wait(secs)


@contextlib.contextmanager
def serving(script: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server whose script gets the server too."""
    holder: list[Server] = []
    ready = threading.Event()

    def run(conn: socket.socket) -> None:
        ready.wait(_BACKSTOP_SECS)
        script(holder[0], conn)

    server = Server(run, tls)
    holder.append(server)
    ready.set()
    try:
        yield server
    finally:
        server.close()


def answering(*answers: bytes) -> Callable[[Server, socket.socket], None]:
    """Give these answers to the requests of each connection, one after another; the last one repeats."""

    def script(server: Server, conn: socket.socket) -> None:
        told = 0
        while True:
            head, body = read_request(conn)
            if not head:
                return
            server.requests.append((head, body))
            conn.sendall(answers[min(told, len(answers) - 1)])
            told += 1

    return script


def drip(head: bytes, every_secs: float = 0.05) -> Callable[[Server, socket.socket], None]:
    """Send ``head`` at once, then one byte at a time for ever."""

    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(head)
        while not server.pause(every_secs):
            conn.sendall(b"x")

    return script
