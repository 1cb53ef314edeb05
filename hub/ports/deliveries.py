"""Reading deliveries, and the state of the lanes that carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hub.schemas.delivery import Attempt, Comparison, Delivery, LaneDue, LaneState
from hub.schemas.ids import CaseId, DeliveryId, MessageId


class DeliveryReads(Protocol):
    """Deliveries and their attempts."""

    def delivery(self, delivery_id: DeliveryId) -> Delivery | None:
        """One delivery."""
        ...

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        """Deliveries of a case, by time, then id."""
        ...

    def delivery_of(self, message_id: MessageId) -> Delivery | None:
        """The delivery that carries this message."""
        ...

    def deliveries_known_as(
        self, external_id: str, *, authority: str | None = None, channel_id: str | None = None, limit: int
    ) -> tuple[Delivery, ...]:
        """Deliveries that another system knows by this id, newest first: over this channel, or, if none is given, over
        all that count; of this authority, if one is given.
        """
        ...

    def offered(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that wait in an authority's inbox, by id; ``after``: the last delivery id seen."""
        ...

    def attempts(self, delivery_id: DeliveryId) -> tuple[Attempt, ...]:
        """Attempts of a delivery, by number."""
        ...

    def attempt_answers(self, delivery_id: DeliveryId) -> Mapping[int, bytes]:
        """Answers that are kept with attempts of a delivery, by number of the attempt."""
        ...

    def dead(self, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries in state ``dead``, by id."""
        ...

    def compared(self) -> tuple[Comparison, ...]:
        """How deliveries over shadow channels ended, beside those that counted."""
        ...


class LaneStates(Protocol):
    """The health of lanes, shared by all workers."""

    def due_lanes(self, now: datetime, limit: int = 10_000) -> tuple[LaneDue, ...]:
        """Lanes with work now; paused lanes and lanes with an open breaker are left out."""
        ...

    def waiting(self) -> Mapping[str, int]:
        """Deliveries that are still to go out, by channel: due now or later, or on their way."""
        ...

    def lane(self, channel_id: str) -> LaneState:
        """State of a lane; a fresh one if nothing is known."""
        ...

    def lane_states(self, channel_ids: Sequence[str]) -> Mapping[str, LaneState]:
        """States of those lanes that have one."""
        ...

    def save_lane(self, state: LaneState) -> None:
        """Keep a lane's health; ``paused`` is the operators' and ``rest_until`` the claims': both stay as they are."""
        ...

    def pause_lane(self, channel_id: str, *, paused: bool) -> LaneState:
        """Pause a lane, or let it run again with a closed breaker; the state afterwards."""
        ...

    def lanes(self) -> tuple[LaneState, ...]:
        """All lanes with a known state, by channel id."""
        ...
