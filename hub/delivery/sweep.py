"""Sweeping: find lanes that have work and ring for them. What the broker loses, this finds again."""

from __future__ import annotations

from hub.ports import Clock, Doorbell, Store


class Sweeper:
    """Rings for every lane that has something due. Any number may run at once: a second ring is harmless."""

    def __init__(self, *, store: Store, doorbell: Doorbell, clock: Clock) -> None:
        self._store = store
        self._doorbell = doorbell
        self._clock = clock

    def sweep(self) -> int:
        """Ring for all due lanes; returns how many."""
        due = self._store.due_lanes(self._clock.now())
        for lane in due:
            self._doorbell.ring(lane.channel_id, suspect=lane.suspect)
        return len(due)
