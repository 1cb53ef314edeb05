"""A refused body is heard as far as it comes, within bounds."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import closing

import pytest
from fastapi import Request
from starlette.types import Message

from hub.api import bodies, heard
from hub.api.heard import HeardBody
from hub.ports import RawInbound

MORE: Message = {"type": "http.request", "body": b"half", "more_body": True}
BROKEN: Message = {"type": "http.disconnect"}


def _heard(*messages: Message, **headers: str) -> tuple[RawInbound, int]:
    """All that was heard of a body that a door never read, and how many messages were left."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def run() -> RawInbound:
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        with closing(HeardBody(Request({"type": "http", "headers": named}, receive))) as body:
            await body.rest()
            return body.raw()

    return asyncio.run(run()), len(left)


def test_a_body_that_breaks_off_is_kept_as_far_as_it_came() -> None:
    """What was said until the line broke is there, with the length that was announced."""
    raw, _ = _heard(MORE, MORE, BROKEN, **{"content-length": "1000"})
    assert (raw.body, raw.whole_size) == (b"halfhalf", 1000)


def test_a_caller_that_waits_to_be_asked_is_not_asked() -> None:
    """With ``Expect`` the body never goes out, if its head is refused."""
    raw, left = _heard(MORE, expect="100-continue")
    assert (raw.body, left) == (b"", 1)


def test_a_slow_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops sending is kept as far as it came."""
    monkeypatch.setattr(bodies, "PACE_SECS", 0.0)
    raw, _ = _heard(MORE)
    assert raw.body in (b"", b"half")


def test_an_endless_body_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap the first part is kept, with the digest of what was heard; beyond twice that nobody listens."""
    for name, value in (("CAP_BYTES", 6), ("FIRST_BYTES", 3), ("MOST_BYTES", 12)):
        monkeypatch.setattr(heard, name, value)
    raw, left = _heard(*[MORE] * 5)
    assert (raw.body, raw.whole_size, left) == (b"hal", 12, 2)
    assert raw.whole_sha256 == hashlib.sha256(b"half" * 3).hexdigest()
