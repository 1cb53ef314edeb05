"""Sweeping: find lanes that have work and ring for them. What the broker loses, this finds again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.ports import Clock, Doorbell, Store
from hub.schemas.delivery import LaneDue


class Sweeper:
    """Rings for every lane that has something due. Any number may run at once: a second ring is harmless."""

    def __init__(
        self,
        *,
        store: Store,
        doorbell: Doorbell,
        clock: Clock,
        found: Callable[[Sequence[LaneDue]], None] = lambda _due: None,
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._clock = clock
        self._found = found

    def sweep(self) -> int:
        """Ring for all due lanes; returns how many."""
        due = self._store.due_lanes(self._clock.now())
        self._found(due)
        for lane in due:
            self._doorbell.ring(lane.channel_id, suspect=lane.suspect)
        return len(due)
