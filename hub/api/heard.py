"""The body of a call as it comes, heard to its end even where a door refuses it: the journal keeps what a known caller
said, whatever was wrong with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile

from fastapi import Request
from starlette.types import Message

from hub.api.bodies import Pace
from hub.ports import RawInbound
from hub.schemas.journal import CAP_BYTES, FIRST_BYTES

MOST_BYTES = 2 * CAP_BYTES
"""So much of a refused body is listened to; what a caller says beyond it was never heard."""


class HeardBody:
    """ASGI's ``receive`` of one call, which keeps what passes: whole up to the journal's cap, else the first part with
    length and digest of the whole. On disk beyond the first part. Close it.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._pace = Pace()
        self._file = tempfile.SpooledTemporaryFile(max_size=FIRST_BYTES)  # noqa: SIM115 - ``close`` closes it
        self._digest = hashlib.sha256()
        self._size = 0
        self._ended = False

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._request.receive()
        if message["type"] == "http.request":
            self._note(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message

    def _note(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._size += len(piece)
        self._pace.came(len(piece))
        if self._size <= CAP_BYTES:
            self._file.write(piece)

    async def rest(self) -> None:
        """Listen to the end of a body that was refused, if it comes fast enough. A caller that waits to be asked for
        its body (``Expect``) is not asked.
        """
        if self._size == 0 and "expect" in self._request.headers:
            return
        with contextlib.suppress(TimeoutError):
            while not self._ended and self._size < MOST_BYTES:
                async with asyncio.timeout_at(self._pace.until):
                    await self()
        if self._ended:
            self._request.scope["hub.heard"] = True  # there is nothing left to linger for

    @property
    def size(self) -> int:
        """Bytes that were heard."""
        return self._size

    def raw(self) -> RawInbound:
        """All that was heard, for the journal."""
        kind, announced = self._request.headers.get("content-type", ""), _announced(self._request)
        self._file.seek(0)
        if self._size <= CAP_BYTES:
            return RawInbound(content_type=kind, body=self._file.read(), whole_size=announced)
        return RawInbound(
            content_type=kind,
            body=self._file.read(FIRST_BYTES),
            whole_sha256=self._digest.hexdigest(),
            whole_size=max(self._size, announced or 0),
        )

    def close(self) -> None:
        """Forget it."""
        self._file.close()


def _announced(request: Request) -> int | None:
    """The length that the head names, if it can be one."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
