"""The contact centre's front ends: one process that submits single appeals over kept-alive connections.

``python -m benchmarks.load SPEC`` prepares all requests, says ``Load ready on …``, waits for a line on standard input,
submits, writes what was accepted to ``out`` and prints one JSON line. Closed loop (``rate`` null): each connection
submits the next appeal when it has the answer. Open loop: appeals are due at fixed moments whether or not earlier ones
were answered, and latency counts from the due moment, so a stall is not hidden by the waiting it causes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.appeals import bodies

GIVE_UP_SECS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to submit. ``rate``: appeals a second, None = as fast as answered. ``tag`` begins the idempotency keys."""

    ports: Sequence[int]
    key: str
    count: int
    codes: Sequence[str]
    tag: str
    out: str
    rate: float | None = None
    connections: int = 64
    first: int = 0


class Front(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._data = b""
        self._index = -1
        self._due = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._index >= 0:
            self._run.failed(self._index)

    def submit(self, index: int, due: float) -> None:
        """Send one request."""
        assert self._transport is not None
        self._index, self._due = index, due
        self._transport.write(self._run.requests[index])

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        if len(body) < length:
            return
        self._data = b""
        index, self._index = self._index, -1
        self._run.answered(self, index, self._due, int(head[9:12]), body)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class Run:
    """One load, prepared."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        made = list(bodies(spec.count, spec.codes, first=spec.first))
        self.codes = [code for code, _ in made]
        head = (
            f"POST /v1/appeals HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {spec.key}\r\n"
            "Content-Type: application/json\r\nIdempotency-Key: "
        ).encode()
        self.requests = [
            head + b"%s-%d\r\nContent-Length: %d\r\n\r\n" % (spec.tag.encode(), index, len(body)) + body
            for index, (_, body) in enumerate(made)
        ]
        self.accepted: dict[str, tuple[float, float, str]] = {}
        self.statuses: Counter[int] = Counter()
        self._fronts: deque[Front] = deque()
        self._waiting: deque[tuple[int, float]] = deque()
        self._next = 0
        self._left = spec.count
        self._done = asyncio.Event()

    def answered(self, front: Front, index: int, due: float, status: int, body: bytes) -> None:
        """Note an answer; the connection takes the next appeal."""
        now = time.time()
        self.statuses[status] += 1
        if status == 202:
            self.accepted[json.loads(body)["message_id"]] = (now, (now - due) * 1_000, self.codes[index])
        self._ended()
        if self._waiting:
            front.submit(*self._waiting.popleft())
        elif self.spec.rate is None and self._next < self.spec.count:
            self._next += 1
            front.submit(self._next - 1, now)
        else:
            self._fronts.append(front)

    def failed(self, index: int) -> None:  # noqa: ARG002 - which one does not matter: the sum must be right
        """A connection broke with a request on its way."""
        self.statuses[0] += 1
        self._ended()

    def _ended(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._done.set()

    async def connect(self) -> None:
        """Open all connections."""
        loop = asyncio.get_running_loop()
        for number in range(self.spec.connections):
            port = self.spec.ports[number % len(self.spec.ports)]
            _, front = await loop.create_connection(lambda: Front(self), "127.0.0.1", port)
            self._fronts.append(front)

    async def submit(self) -> tuple[float, float]:
        """Submit everything; when it began and ended (seconds since 1970)."""
        began = time.time()
        if self.spec.rate is None:
            for front in list(self._fronts)[: self.spec.count]:
                self._fronts.remove(front)
                self._next += 1
                front.submit(self._next - 1, began)
        else:
            await self._on_schedule(began, self.spec.rate)
        await asyncio.wait_for(self._done.wait(), GIVE_UP_SECS)
        ended = time.time()
        for front in self._fronts:
            front.close()
        return began, ended

    async def _on_schedule(self, began: float, rate: float) -> None:
        for index in range(self.spec.count):
            due = began + index / rate
            wait = due - time.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if self._fronts:
                self._fronts.popleft().submit(index, due)
            else:
                self._waiting.append((index, due))


async def carry_out(run: Run) -> tuple[float, float]:
    """Connect, wait for the word, submit."""
    await run.connect()
    sys.stdout.write(f"Load ready on {len(run.spec.ports)} ports\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    return await run.submit()


def main(spec: Spec) -> None:
    """Prepare, submit, report."""
    run = Run(spec)
    prepared = time.process_time()
    began, ended = asyncio.run(carry_out(run))
    Path(spec.out).write_text(json.dumps(run.accepted), "utf-8")
    result = {"began": began, "ended": ended, "statuses": run.statuses, "cpu_secs": time.process_time() - prepared}
    sys.stdout.write(json.dumps(result) + "\n")


def write_spec(spec: Spec, path: Path) -> None:
    """For the command line."""
    path.write_text(json.dumps(asdict(spec)), "utf-8")


if __name__ == "__main__":
    main(Spec(**json.loads(Path(sys.argv[1]).read_text("utf-8"))))
