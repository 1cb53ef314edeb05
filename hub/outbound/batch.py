"""A batch of one lane: messages that one claim took, and the threads that send them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from hub.errors import HubError
from hub.outbound.settle import Settler
from hub.ports import Adapter, Prepared
from hub.schemas.delivery import (
    Delivery,
    LaneState,
)
from hub.schemas.directory import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """One claimed delivery with the bytes that will go out; its attempt is committed. ``body``: its envelope."""

    delivery: Delivery
    prepared: Prepared
    body: bytes


@dataclass(slots=True, kw_only=True)
class LaneBatch:
    """Batch that a lane sends now. ``state`` follows the outcomes; ``more``: the claim was full, so there may be more.

    Several threads may work on it (``join``, ``next``, ``leave``). ``opened``: a session was; ``failure``: of one that
    was not. ``lock`` guards ``state``.
    """

    channel: Channel
    adapter: Adapter
    owner: str
    state: LaneState
    messages: list[ClaimedMessage]
    more: bool
    started: datetime
    fallback: Channel | None = None
    opened: bool = False
    failure: HubError | None = None
    saved: LaneState = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: deque[ClaimedMessage] = field(init=False)
    _at_work: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.saved = self.state
        self._waiting = deque(self.messages)

    @property
    def concurrency(self) -> int:
        """How many threads may send at once. A lane that fails gets one: what may hang holds no more than that."""
        return 1 if self.state.suspect else min(self.channel.lane.concurrency, len(self.messages))

    def join(self) -> bool:
        """Begin to work on it; False if it is over already."""
        with self.lock:
            self._at_work += not self._over
            return not self._over

    def next(self) -> ClaimedMessage | None:
        """The next to send, for the caller alone; None if there is none."""
        with self.lock:
            return self._waiting.popleft() if self._waiting else None

    def remaining(self) -> tuple[ClaimedMessage, ...]:
        """Take out the messages that nobody took."""
        with self.lock:
            left, self._waiting = tuple(self._waiting), deque()
            return left

    def leave(self) -> bool:
        """Stop working on it; True if nobody else does, and so it is over."""
        with self.lock:
            self._at_work -= 1
            self._over = not self._at_work
            return self._over

    def settler(self, *, polls: bool) -> Settler:
        """Settles this lane's outcomes. ``polls``: what was sent is asked about later."""
        return Settler(
            owner=self.owner,
            lane=self.channel.lane,
            legal_class=self.channel.legal_class,
            polls=polls,
            fallback=self.fallback,
        )
