"""HTTP/1.1 as the hub serves it: uvicorn's fast protocol (llhttp) with the limits that it lacks.

A head of at most 64 KiB that comes within 20 seconds, or the connection ends; trailers are dropped, for nothing that
stands after a body may change what its head said (RFC 9110 section 6.5.1); no upgrades: who asks for one is served as
if he had not. A head that ``hub.api.heads`` refuses, and bytes that are no HTTP, are answered with a problem document
and the end of the connection, before any application sees them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hub.api.heads import TOO_LONG, fault_of, problem, unreadable
from hub.api.problems import MEDIA_TYPE
from hub.api.watch import ANSWER_HEADERS
from hub.errors import Fault

log = logging.getLogger(__name__)

HEAD_MAX_BYTES = 65_536
HEAD_SECS = 20.0
LINGER_SECS = 2.0
LINGER_BYTES = 1_048_576
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


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
        self._timer: asyncio.TimerHandle | None = None
        self._fault: Fault | None = None
        self._last_words: bytes | None = None
        self._dropped = 0
        self._unanswered = 0
        self._repeating = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._last_words is not None:
            self._drop(data)
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(self._fault or unreadable(str(error)))
            return
        if self._in_head and self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self._refuse(TOO_LONG)

    def _feed(self, data: bytes) -> None:
        """Parse, and go on where the parser stops because an upgrade was asked for."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._stay_with_http()
            else:
                return

    def _stay_with_http(self) -> None:
        """Read on behind a head that asked for another protocol, which the hub never takes up (RFC 9110 section 7.8).

        llhttp takes all that follows for the other protocol, and the body for the next request. So another parser is
        told the framing alone, under the same call.
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        framing = [b"%s: %s\r\n" % each for each in self.headers if each[0] in _FRAMING]
        last = b"" if self.cycle.keep_alive else b"connection: close\r\n"
        self._repeating = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\nhost: x\r\n" + b"".join(framing) + last + b"\r\n")
        self._repeating = False

    def on_message_begin(self) -> None:
        if self._repeating:
            return
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        if not self._repeating:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._repeating:
            return
        self._cancel()
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_MAX_BYTES:
            self._fault = TOO_LONG
        else:
            method, version = self.parser.get_method().decode("ascii"), self.parser.get_http_version()
            self._fault = fault_of(method, version, self.headers)
        if self._fault is not None:
            raise ValueError  # stops the parser
        super().on_headers_complete()
        self._in_head = False
        self._unanswered += 1
        if self.scope["http_version"] == "1.0":
            self.cycle.__class__ = UnframedCycle

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the parser means the head
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if self._last_words is not None and not self._unanswered:
            self._unset_keepalive_if_required()
            self._say_last()

    def _refuse(self, fault: Fault) -> None:
        """Answer with a problem document, behind the calls of before, hear nothing more and end the connection."""
        self._cancel()
        log.info("a request was refused by its head", extra={"code": fault.code, "place": fault.pointer})
        self._last_words = _answer(fault)
        if not self._in_head:  # the body of a call that is there already
            if self.pipeline and self.pipeline[0][0] is self.cycle:
                self.pipeline.popleft()  # not begun: an earlier one is under way
                self._unanswered -= 1
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        elif self._unanswered:
            return
        self._say_last()

    def _say_last(self) -> None:
        """Say it and close our half: closed whole at once, the answer would be lost under a reset while the caller
        still sends (RFC 9112 section 9.6).
        """
        if self._last_words is None or self.transport.is_closing():
            return
        self.transport.write(self._last_words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECS, self.transport.close)

    def _drop(self, data: bytes) -> None:
        self._dropped += len(data)
        if self._dropped > LINGER_BYTES:
            self.transport.close()

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECS, self._too_slow)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


def _answer(fault: Fault) -> bytes:
    body = json.dumps(problem(fault)).encode()
    headers = ((b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body)), *ANSWER_HEADERS)
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 400 Bad Request\r\n" + lines + b"connection: close\r\n\r\n" + body


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
