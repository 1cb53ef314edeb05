"""All receiving authorities in one process: takes what the hub and the two other pipelines post, and acknowledges.

    POST /{code}/appeals   any body with Hub-Message-Id; answered with the acknowledgement of docs/adapters/rest.md
    GET  /_state           counts: received (ids), repeats (an id again), altered (again with other bytes), held
                           (waiting for an answer), largest (body, bytes)
    GET  /_arrivals        message id -> [first arrival in seconds since 1970, authority's code]
    POST /_hang            a JSON list of codes that take a request and never answer it; the others are let go
    POST /_register        true: what is taken is answered with a receipt that it is registered; false: as above
    POST /_forget          start counting anew

Honours message ids: an id that came before is answered ``duplicate`` and taken once. Bodies are hashed as they come and
never kept, so that one of 100 MB costs no memory here. Loopback only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
import time
import uuid

_CASE = re.compile(rb'"case_id": ?"([0-9a-f-]{36})"')
_SENDER = re.compile(rb'"sender": ?\{"code": ?"([0-9]{8})"')
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Book:
    """What was received, by message id."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[float, str, bytes]] = {}
        self.repeats = 0
        self.altered = 0
        self.largest = 0
        self.hanging: frozenset[str] = frozenset()
        self.registers = False
        self.held: set[Connection] = set()

    def take(self, code: str, message_id: str, digest: bytes, size: int, body: bytes) -> bytes:
        """Note one message; the acknowledgement, or the receipt. ``body``: there if it registers."""
        self.largest = max(self.largest, size)
        before = self.seen.get(message_id)
        if before is None:
            self.seen[message_id] = (time.time(), code, digest)
            return receipt(code, message_id, body) if self.registers else _accepted(message_id)
        self.repeats += 1
        self.altered += before[2] != digest
        return b'{"message_id":"%s","status":"duplicate"}' % message_id.encode()

    def control(self, path: str, body: bytes) -> bytes:
        """Answer a question of the measuring process."""
        if path == "/_hang":
            self.hanging = frozenset(json.loads(body))
            for held in list(self.held):
                held.drop()
        elif path == "/_register":
            self.registers = json.loads(body)
        elif path == "/_forget":
            self.seen.clear()
            self.repeats = self.altered = self.largest = 0
        elif path == "/_arrivals":
            return json.dumps({key: value[:2] for key, value in self.seen.items()}).encode()
        counts = {"received": len(self.seen), "repeats": self.repeats, "altered": self.altered}
        return json.dumps({**counts, "held": len(self.held), "largest": self.largest}).encode()


def _accepted(message_id: str) -> bytes:
    return b'{"message_id":"%s","status":"accepted"}' % message_id.encode()


def receipt(code: str, message_id: str, body: bytes) -> bytes:
    """The envelope of a receipt: registered, under a number."""
    case, centre = (found[1].decode() for found in (_CASE.search(body), _SENDER.search(body)) if found)
    now = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    header = {
        "message_id": f"{int(now * 1000):012x}"[:8] + f"-{int(now * 1000) & 0xFFFF:04x}-7" + str(uuid.uuid4())[15:],
        "case_id": case,
        "in_reply_to": message_id,
        "created_at": at,
        "sender": {"code": code},
        "recipient": {"code": centre},
    }
    said = {"status": "registered", "at": at, "number": message_id[-8:], "date": at[:10]}
    return json.dumps({"version": "1.0", "kind": "receipt", "header": header, "body": said}).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests one after another (RFC 9112, no chunked bodies)."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._head = b""
        self._left = -1
        self._size = 0
        self._digest = hashlib.sha256()
        self._path = ""
        self._message_id = ""
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._book.held.discard(self)

    def drop(self) -> None:
        """Hang up on a request that was never answered."""
        self._book.held.discard(self)
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left < 0:
                data = self._read_head(self._head + data)
            if self._left >= 0:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                self._digest.update(part)
                if self._book.registers or self._path.startswith("/_"):
                    self._body += part
                if self._left == 0:
                    self._left = -1
                    self._answer()

    def _read_head(self, data: bytes) -> bytes:
        """Take the head off, if it is whole; what follows it."""
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            self._head = data
            return b""
        self._head = b""
        lines = head.decode("latin-1").split("\r\n")
        self._path = lines[0].split(" ")[1]
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        self._message_id = headers.get("hub-message-id", "")
        self._left = self._size = int(headers.get("content-length", "0"))
        self._digest = hashlib.sha256()
        self._body.clear()
        if headers.get("expect") == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)
        if self._left == 0:
            self._left = -1
            self._answer()
        return rest

    def _answer(self) -> None:
        if self._path.startswith("/_"):
            self._say(self._book.control(self._path, bytes(self._body)))
            return
        code = self._path.split("/")[1]
        if code in self._book.hanging:
            self._book.held.add(self)
            return
        digest, body = self._digest.digest(), bytes(self._body)
        self._say(self._book.take(code, self._message_id, digest, self._size, body))

    def _say(self, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    book = Book()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(book), "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"Receiver ready on http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
