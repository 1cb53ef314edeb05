"""What operators do to lanes and dead letters; assigning a case by hand stands in ``intake``."""

from __future__ import annotations

from dataclasses import replace

from hub.errors import Conflict, NotFound
from hub.ports import Clock, Doorbell, Store
from hub.schemas.delivery import (
    Change,
    Delivery,
    DeliveryUpdate,
    Fact,
    FactKind,
    LaneState,
    Source,
    TransportState,
)
from hub.schemas.ids import CaseId, DeliveryId

_REPLAYABLE = frozenset({TransportState.DEAD, TransportState.REFUSED})


class Operators:
    """Replay, pause, resume, close. Every deed leaves a fact that names who did it."""

    def __init__(self, *, store: Store, clock: Clock, doorbell: Doorbell) -> None:
        self._store = store
        self._clock = clock
        self._doorbell = doorbell

    def replay(self, delivery_id: DeliveryId, *, by: str) -> Delivery:
        """Send a dead or refused delivery again: the same bytes, the same id, a fresh schedule.

        Raises ``NotFound``, or ``Conflict`` if the delivery is not dead or refused.
        """
        delivery = self._store.delivery(delivery_id)
        if delivery is None:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        if delivery.state not in _REPLAYABLE:
            raise Conflict(
                "Only a dead or refused delivery can be replayed.",
                code="replay.not_dead",
                action="Nothing to do: the hub is still at it, or it has arrived.",
            )
        now = self._clock.now()
        update = DeliveryUpdate(
            id=delivery.id, state=TransportState.WAITING, next_at=now, first_attempt_at=now, last_code="replayed"
        )
        self._store.apply(Change(updates=(update,), facts=(self._resolved(delivery.case_id, by, "replayed"),)))
        self._store.close_items(delivery.id, delivery.case_id, now, f"replayed by {by}")
        self._doorbell.ring(delivery.channel_id, suspect=False)
        return replace(delivery, state=TransportState.WAITING, next_at=now)

    def close(self, case_id: CaseId, *, by: str, resolution: str) -> int:
        """Close the open items of a case with a word on what was done; returns how many."""
        if self._store.case(case_id) is None:
            raise NotFound("There is no case with this id.", code="case.unknown")
        now = self._clock.now()
        self._store.apply(Change(facts=(self._resolved(case_id, by, resolution),)))
        return self._store.close_items(None, case_id, now, f"{by}: {resolution}")

    def pause(self, channel_id: str) -> LaneState:
        """Stop a lane until it is resumed; what waits, waits."""
        return self._store.pause_lane(channel_id, paused=True)

    def resume(self, channel_id: str) -> LaneState:
        """Let a lane run again, with a closed breaker."""
        state = self._store.pause_lane(channel_id, paused=False)
        self._doorbell.ring(channel_id, suspect=False)
        return state

    def _resolved(self, case_id: CaseId, by: str, how: str) -> Fact:
        return Fact(
            kind=FactKind.RESOLVED,
            case_id=case_id,
            at=self._clock.now(),
            source=Source.OPERATOR,
            data={"by": by, "how": how[:500]},
        )
