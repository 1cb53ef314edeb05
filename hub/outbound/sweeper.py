"""Sweeping: find lanes that have work and ring for them; look at cases whose moment has come.

What the broker loses, this finds again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.ports import Clock, Doorbell, Store
from hub.schemas.delivery import LaneDue


class Sweeper:
    """Rings for every lane that has something due. Any number may run at once: a second ring is harmless.

    ``collecting``: ids of the channels over which messages are collected. ``watch``: looks at cases whose moment has
    come (``hub.cases.duties``).
    """

    def __init__(
        self,
        *,
        store: Store,
        doorbell: Doorbell,
        clock: Clock,
        found: Callable[[Sequence[LaneDue]], None] = lambda _due: None,
        collecting: Callable[[], Sequence[str]] = tuple,
        watch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._clock = clock
        self._found = found
        self._collecting = collecting
        self._watch = watch

    def sweep(self) -> int:
        """Ring for all due lanes; returns how many."""
        due = self._store.due_lanes(self._clock.now())
        self._found(due)
        for lane in due:
            self._doorbell.ring(lane.channel_id, suspect=lane.suspect)
        rung = len(due) + self._sweep_collects({lane.channel_id for lane in due})
        self._watch()
        return rung

    def _sweep_collects(self, rung: set[str]) -> int:
        channels = self._collecting()
        if not channels:
            return 0
        now = self._clock.now()
        later = self._store.collects_later(now)
        wanted = [channel for channel in channels if channel not in later and channel not in rung]
        states = self._store.lane_states(wanted) if wanted else {}
        rung_now = 0
        for channel_id in wanted:
            state = states.get(channel_id)
            if state is None or state.may_run(now):
                self._doorbell.ring(channel_id, suspect=state is not None and state.suspect)
                rung_now += 1
        return rung_now
