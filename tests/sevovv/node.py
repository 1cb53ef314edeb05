"""SEV itself for tests of the client: the node over a mailbox in memory, served over HTTP, with ways to go wrong."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.handing import Arrived
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.server import Caller, Node, WaitingMessage
from hub.schemas.transfer import Transfer, TransferState
from hub.storage.memory_transfers import MemoryTransfers
from hub.storage.spool import Spool

MAX_BYTES = 8_388_608
Fail = Callable[[str, int], str | None]
"""Given an operation and how often it was called (from 1): ``lost`` (done, then hung up), ``reset``, ``busy``,
``garbage``, or a number: that SEV fault; None: as it should be.
"""


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SevNode:
    """A mailbox in memory and the node in front of it. ``whole``: messages that came in; ``queue``: what waits."""

    def __init__(self, folder: Path) -> None:
        self.whole: list[bytes] = []
        self.queue: dict[str, bytes] = {}
        self.ended: list[tuple[str, int | None]] = []
        self.calls: list[str] = []
        self.senders: dict[str, str] = {}
        self.fail: Fail = lambda _name, _count: None
        self.received_state = TransferState.PROCESSED
        self.refuse: int | None = None
        self._by_hash: dict[str, bytes] = {}
        self.transfers = MemoryTransfers()
        self.node = Node(
            mailbox=self,
            transfers=self.transfers,
            spool=Spool(folder / "spool"),
            clock=Clock(),
            max_message_bytes=64 * 1_048_576,
        )

    # The mailbox

    def receivers(self, caller: Caller) -> frozenset[str]:
        return frozenset({"00032684", "00032106"})

    def waiting(self, caller: Caller, limit: int) -> list[WaitingMessage]:
        now = datetime.now(UTC)
        return [
            WaitingMessage(
                message_id=name, msg_type=0, created_at=now, size=len(body), sender=self.senders.get(name, "00032106")
            )
            for name, body in list(self.queue.items())[:limit]
        ]

    def sender(self, name: str) -> str:
        return self.senders.get(name, "00032106")

    def package(self, caller: Caller, message_id: str) -> Package:
        if message_id not in self.queue:
            raise SevFault(codes.MESSAGE_NOT_FOUND)
        return Package(self.queue[message_id], None)

    def taken(self, caller: Caller, message_id: str) -> None:
        del self.queue[message_id]
        self.ended.append((message_id, None))

    def failed(self, caller: Caller, message_id: str, code: int | None, text: str | None) -> None:
        del self.queue[message_id]
        self.ended.append((message_id, code))

    def refused(self, caller: Caller, arrived: Arrived, fault: SevFault) -> None:
        self.ended.append((fault.text, fault.code))

    def received(self, caller: Caller, transfer: Transfer, arrived: Arrived) -> TransferState:
        if self.refuse is not None:
            raise SevFault(self.refuse)
        with arrived.open() as content:
            self.whole.append(content.read())
        self._by_hash[transfer.sha256] = self.whole[-1]
        return self.received_state

    # The service

    def answer(self, body: bytes) -> tuple[str | None, int, bytes]:
        """How it fails, the status and the body."""
        try:
            operation, values = wire.read_request(body, max_bytes=MAX_BYTES)
            self.calls.append(operation.name)
            fails = self.fail(operation.name, self.calls.count(operation.name))
            if fails is not None and fails.lstrip("-").isdigit():
                return None, 500, wire.fault(SevFault(int(fails)))
            if fails in ("reset", "busy", "garbage"):
                return fails, 503, b""
            caller = Caller(party="36521731", system_id=(values.get("identity") or {}).get("SystemId") or "")
            return fails, 200, wire.response(operation, self.node.call(operation.name, caller, values))
        except SevFault as fault:
            return None, 500, wire.fault(fault)

    def known(self, digest: str) -> bytes | None:
        """The message with this hash, if it came in whole."""
        return self._by_hash.get(digest)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    sev: SevNode


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fails, status, answer = self.server.sev.answer(body)
        if fails in ("lost", "reset"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if fails == "garbage":
            status, answer = 200, b"<html>Maintenance</html>"
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        if fails == "busy":
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(answer)


@contextmanager
def served(sev: SevNode) -> Iterator[str]:
    """Serve a node on loopback; its URL."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.sev = sev
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/sev"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
