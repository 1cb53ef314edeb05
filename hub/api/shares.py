"""Shares of the doors: how much one caller may hold at once, so that nobody waits for another.

What is held for long (an upload, a stream of events, a question that waits for one) is counted for each caller, and for
all callers of a side: the contact centre and people on one, authorities on the other, so that the centre never waits
for an authority. Who has its share already is told so with 429 and what to do; 503 says that the hub itself is full.
The fields ``RateLimit-Policy`` and ``RateLimit`` tell the share (draft-ietf-httpapi-ratelimit-headers-11, quota unit
``concurrent-requests``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hub.api.auth import CallerRole, Principal
from hub.errors import ShareTaken, Unavailable

RETRY_SECS: Final = 2
BUSY_RETRY_SECS: Final = 5
LIMITS: Final = "hub.limits"
"""Where a call's scope has the fields that tell its share."""


class Held(StrEnum):
    """Kinds of things that a caller holds for long."""

    UPLOADS = "uploads"
    STREAMS = "streams"
    WAITS = "waits"


class Side(StrEnum):
    """Callers that share what the hub has: those for whom it works, and those to whom it delivers."""

    CENTRE = "centre"
    AUTHORITIES = "authorities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many at once. ``authority``, ``centre``: of one caller of that side; ``side``: of all callers of a side."""

    authority: int
    centre: int
    side: int


SHARES: Final = {
    Held.UPLOADS: Share(authority=4, centre=16, side=24),
    Held.STREAMS: Share(authority=10, centre=40, side=200),
    Held.WAITS: Share(authority=20, centre=200, side=2_000),
}
_BUSY: Final = {Held.UPLOADS: "upload.busy", Held.STREAMS: "stream.busy", Held.WAITS: "wait.busy"}
_WORDS: Final = {
    Held.UPLOADS: "uploads under way",
    Held.STREAMS: "streams of events open",
    Held.WAITS: "questions waiting for events",
}


def side_of(principal: Principal) -> Side:
    """The side of a caller."""
    return Side.AUTHORITIES if principal.role is CallerRole.AUTHORITY else Side.CENTRE


def caller_of(principal: Principal) -> str:
    """Name by which a share is counted: the code of a body or centre, whatever key it uses; of a person, the key."""
    return principal.party if principal.role in (CallerRole.AUTHORITY, CallerRole.NCC) else principal.id


class Shares:
    """Counts of one process. Not for threads: it is used on the event loop."""

    def __init__(self) -> None:
        self._callers: Counter[tuple[Held, Side, str]] = Counter()
        self._sides: Counter[tuple[Held, Side]] = Counter()

    def held(self, kind: Held) -> int:
        """How many are held by all."""
        return sum(count for (each, _), count in self._sides.items() if each is kind)

    @contextmanager
    def hold(self, kind: Held, principal: Principal, scope: MutableMapping[str, Any]) -> Iterator[None]:
        """Hold one while the block lasts. ``ShareTaken`` if the caller has its share, ``Unavailable``: its side has."""
        side, share = side_of(principal), SHARES[kind]
        most = share.authority if side is Side.AUTHORITIES else share.centre
        caller = (kind, side, caller_of(principal))
        left = most - self._callers[caller] - 1
        tell(scope, kind, most, left)
        if left < 0:
            raise ShareTaken(f"You have {most} {_WORDS[kind]}, which is your share.", retry_after=RETRY_SECS)
        if self._sides[kind, side] >= share.side:
            raise Unavailable(f"Too many {_WORDS[kind]}.", code=_BUSY[kind], retry_after=BUSY_RETRY_SECS)
        self._callers[caller] += 1
        self._sides[kind, side] += 1
        try:
            yield
        finally:
            self._sides[kind, side] -= 1
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]


def tell(scope: MutableMapping[str, Any], kind: str, most: int, left: int) -> None:
    """Have the answer of a call tell a share: how much it is, and how many more there may be now."""
    others = [field for field in scope.get(LIMITS, ()) if not field[1].startswith(f'"{kind}"'.encode())]
    scope[LIMITS] = [
        *others,
        (b"ratelimit-policy", f'"{kind}";q={most};qu="concurrent-requests"'.encode()),
        (b"ratelimit", f'"{kind}";r={max(left, 0)}'.encode()),
    ]
