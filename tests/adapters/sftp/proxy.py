"""A TCP proxy that breaks: after so many bytes, at a word, or by losing what the server says."""

from __future__ import annotations

import contextlib
import socket
import threading

_BACKSTOP_SECS = 30.0


class Proxy:
    """Stands before a port of 127.0.0.1. ``sent``: bytes that went to the server since ``reset``."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._muted = False
        self._left: int | None = None
        self.sent = 0
        self.connections = 0
        self._start(self._accept)

    def reset(self) -> None:
        """Let everything through, and count anew."""
        self._muted, self._left, self.sent = False, None, 0

    def break_after(self, count: int) -> None:
        """Break every connection once so many more bytes went to the server."""
        self._left = count

    def mute(self) -> None:
        """From now on nothing comes back."""
        self._muted = True

    def cut(self) -> None:
        """Break all connections."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(_BACKSTOP_SECS)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {near, far}
            self._start(self._up, near, far)
            self._start(self._down, far, near)

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._left != 0 and (data := near.recv(16_384)):
                if self._left is not None:
                    data = data[: self._left]
                    self._left -= len(data)
                far.sendall(data)
                self.sent += len(data)
        for sock, how in ((near, socket.SHUT_RDWR), (far, socket.SHUT_WR)):  # what has come so far, the server gets
            with contextlib.suppress(OSError):
                sock.shutdown(how)

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(16_384):
                if not self._muted:
                    near.sendall(data)
        self._end(near, far)

    def _end(self, *socks: socket.socket) -> None:
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            self._open.discard(sock)
