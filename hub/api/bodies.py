"""Reading bodies: limits before bytes, a least speed, no content encodings; and the bridge from async to threads.

Content-Length over the limit is refused before a byte is read; chunked bodies are counted while they come. In each ten
seconds 640 KiB must come, or the end of the body, so that slow senders cannot hold a door; what came faster before
buys no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import anyio
import anyio.from_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from hub.api.auth import Principal
from hub.api.shares import SHARES, Held, Shares, Side, side_of
from hub.errors import Interrupted, InvalidInput, TooLarge
from hub.sealed import media_type

MIB = 1_048_576
PACE_SECS = 10.0
PACE_BYTES = 655_360
GATE_BYTES = 16_384

T = TypeVar("T")


def content_type(request: Request, *allowed: str) -> str:
    """The media type of the body. ``InvalidInput`` (415) if it is not one of ``allowed``."""
    kind = media_type(request.headers.get("content-type", ""))
    if kind not in allowed:
        raise InvalidInput(
            f"The body must be one of: {', '.join(allowed)}.",
            code="input.media_type",
            action="Set Content-Type to one of the named types.",
        )
    return kind


def check_announced(request: Request, limit: int) -> None:
    """Check the headers alone: refuse content encodings, and a length that is no number or over ``limit`` bytes."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise InvalidInput(
            "Compressed bodies are not taken.", code="input.encoding", action="Send the body without Content-Encoding."
        )
    announced = request.headers.get("content-length")
    if announced is None:
        return
    if not announced.isascii() or not announced.isdigit():
        raise InvalidInput("Content-Length is not a number.", code="input.header")
    if len(announced) > 15 or int(announced) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, which is the limit of this call.")


def _too_slow() -> Interrupted:
    return Interrupted("The body came too slowly.")


def _broken() -> Interrupted:
    return Interrupted("The connection broke before the body's end.", code="input.body", action="Send it again.")


class Pace:
    """The least speed of one body: ``until`` is when the next bytes must be here, on the event loop's clock."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._bytes = 0
        self.until = self._now() + PACE_SECS

    def came(self, count: int) -> None:
        """Note bytes; with enough of them the time begins anew."""
        self._bytes += count
        if self._bytes >= PACE_BYTES:
            self._bytes = 0
            self.until = self._now() + PACE_SECS


async def stream(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces. ``TooLarge`` beyond ``limit`` bytes, ``InvalidInput`` (408) if it comes too slowly."""
    check_announced(request, limit)
    pieces, pace = request.stream().__aiter__(), Pace()
    size = 0
    while True:
        try:
            async with asyncio.timeout_at(pace.until):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:
            raise _broken() from None
        if piece is None:
            return
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pace.came(len(piece))
        if piece:
            yield piece


async def read(request: Request, limit: int, gate: Callable[[bytes], Awaitable[None]] | None = None) -> bytes:
    """The whole body, at most ``limit`` bytes. Errors as ``stream``'s. ``gate``: called once with the first 16 KiB or
    more of a body that is longer; what it raises ends the reading.
    """
    check_announced(request, limit)
    pace, size = Pace(), 0
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout_at(pace.until) as patience:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise _broken()
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
                if not message.get("more_body", False):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pace.came(len(piece))
                patience.reschedule(pace.until)
                if gate is not None and size >= GATE_BYTES:
                    await gate(b"".join(pieces))
                    gate = None
    except TimeoutError:
        raise _too_slow() from None


class UploadSlots:
    """Uploads of one process: each holds a thread of its own while bytes come in, out of those of its side."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        most = SHARES[Held.UPLOADS].side
        self._threads = {side: anyio.CapacityLimiter(most) for side in Side}

    async def run(self, request: Request, principal: Principal, limit: int, work: Callable[[Iterator[bytes]], T]) -> T:
        """Run ``work`` in a thread over the body's pieces. ``ShareTaken``, ``Unavailable`` (``Shares.hold``)."""
        check_announced(request, limit)
        with self._shares.hold(Held.UPLOADS, principal, request.scope):
            pieces = stream(request, limit)

            def chunks() -> Iterator[bytes]:
                while (piece := anyio.from_thread.run(anext, pieces, b"")) != b"":
                    yield piece

            try:
                limiter = self._threads[side_of(principal)]
                return await anyio.to_thread.run_sync(lambda: work(chunks()), limiter=limiter)
            finally:
                await pieces.aclose()  # type: ignore[attr-defined]
