"""HTTP/1.1 as the hub serves it: uvicorn's fast protocol (llhttp) with the limits that it lacks.

A head of at most 64 KiB that comes within 20 seconds, or the connection ends; trailers are dropped, for nothing that
stands after a body may change what its head said (RFC 9110 section 6.5.1); no upgrades.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_MAX_BYTES = 65_536
HEAD_SECS = 20.0


class UnframedCycle(RequestResponseCycle):
    """An answer to a client of HTTP/1.0, which knows no chunks: without a length it ends with the connection (RFC 9112
    sections 6.1 and 6.3).
    """

    unframed = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            if b"content-length" not in {name.lower() for name, _ in message.get("headers", ())}:
                self.unframed, self.keep_alive = True, False
                self.chunked_encoding = False
                self.expected_content_length = 0
        elif self.unframed:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._cancel()
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_MAX_BYTES:
            raise ValueError  # the parser's error, answered with 400
        self._in_head = False
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            self.cycle.__class__ = UnframedCycle

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECS, self._too_slow)

    def _cancel(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


def server_config(app: ASGIApp, host: str, port: int, *, graceful_secs: int = 10) -> uvicorn.Config:
    """How the hub is served everywhere: no server header, no access log of its own, no web sockets."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=graceful_secs,
        http=BoundedHttp,
        ws="none",
        proxy_headers=False,
    )
