"""Reading bodies: limits before bytes, a least speed, no content encodings; and the bridge from async to threads.

Content-Length over the limit is refused before a byte is read; chunked bodies are counted while they come. A body must
come at 16 KiB a second on average after a grace of 20 seconds, so that slow senders cannot hold a door.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import anyio
import anyio.from_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from hub.errors import InvalidInput, TooLarge, Unavailable
from hub.sealed import media_type

MIB = 1_048_576
GRACE_SECS = 20.0
LEAST_BYTES_PER_SEC = 16_384
HELD_AT_ONCE = 4
UPLOADS_AT_ONCE = 24
"""Uploads hold a thread each; more at once are told to come later, so that they cannot starve the other calls."""

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


def _too_slow() -> InvalidInput:
    return InvalidInput("The body came too slowly.", code="input.too_slow", action="Send it again over a faster line.")


async def stream(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces. ``TooLarge`` beyond ``limit`` bytes, ``InvalidInput`` (408) if it comes too slowly."""
    check_announced(request, limit)
    loop = asyncio.get_running_loop()
    pieces = request.stream().__aiter__()
    started, size = loop.time(), 0
    while True:
        try:
            async with asyncio.timeout_at(started + GRACE_SECS + size / LEAST_BYTES_PER_SEC):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:
            raise InvalidInput("The connection broke before the body's end.", code="input.body") from None
        if piece is None:
            return
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if piece:
            yield piece


async def read(request: Request, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes. Errors as ``stream``'s."""
    check_announced(request, limit)
    loop = asyncio.get_running_loop()
    started, size = loop.time(), 0
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout_at(started + GRACE_SECS) as patience:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise InvalidInput("The connection broke before the body's end.", code="input.body")
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
                if not message.get("more_body", False):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                patience.reschedule(started + GRACE_SECS + size / LEAST_BYTES_PER_SEC)
    except TimeoutError:
        raise _too_slow() from None


class UploadSlots:
    """How many uploads may run at once; each holds a thread of its own while bytes come in. And how many refused
    bodies may be in memory at once, on their way into the journal.
    """

    def __init__(self, count: int = UPLOADS_AT_ONCE) -> None:
        self._free = count
        self._threads = anyio.CapacityLimiter(count)
        self._holders = anyio.CapacityLimiter(HELD_AT_ONCE)

    async def hold(self, work: Callable[[], None]) -> None:
        """Run ``work``, which has a refused body in memory, in a thread; who comes when all are busy waits."""
        await anyio.to_thread.run_sync(work, limiter=self._holders)

    async def run(self, request: Request, limit: int, work: Callable[[Iterator[bytes]], T]) -> T:
        """Run ``work`` in a thread over the body's pieces. ``Unavailable`` if all slots are taken."""
        check_announced(request, limit)
        if self._free < 1:
            raise Unavailable("Too many uploads are under way.", code="upload.busy", retry_after=5)
        pieces = stream(request, limit)

        def chunks() -> Iterator[bytes]:
            while (piece := anyio.from_thread.run(anext, pieces, b"")) != b"":
                yield piece

        self._free -= 1
        try:
            return await anyio.to_thread.run_sync(lambda: work(chunks()), limiter=self._threads)
        finally:
            self._free += 1
            await pieces.aclose()  # type: ignore[attr-defined]
