"""Fallback: from a channel that failed or kept silent to the authority's next one, under the same message id.

CMU 55/2018 item 24: no notice of delivery within six hours means not received, and the sender does all he can so that
the document is received in electronic form. Each channel that is tried is a delivery of its own; the fact
``handed_over`` ties them, so that whichever copy is received first is known, and which one counts can be proven. Pure.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hub.delivery.records import escalate, fact_of
from hub.schemas.base import format_datetime
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, OperatorItem, Source, TransportState
from hub.schemas.directory import Authority, Channel
from hub.schemas.ids import DeliveryId

_LATER = timedelta(milliseconds=1)  # stores cut moments to milliseconds
WITHDRAWABLE = frozenset({TransportState.WAITING, TransportState.UNKNOWN, TransportState.OFFERED})
"""States in which a copy may still be stopped: nothing is on its way at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Result of a copy that failed: a new copy on the next channel, or an operator's item."""

    facts: tuple[Fact, ...] = ()
    items: tuple[OperatorItem, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    updates: tuple[DeliveryUpdate, ...] = ()

    def change(self) -> Change:
        """All that it writes."""
        return Change(facts=self.facts, items=self.items, deliveries=self.deliveries, updates=self.updates)


def next_channel(authority: Authority | None, channel_id: str, day: date) -> Channel | None:
    """The authority's next channel in its order. One that is not in the list any more was before the first."""
    ways = authority.ways(day) if authority is not None and authority.holds_on(day) else ()
    names = [channel.id for channel in ways]
    after = ways[names.index(channel_id) + 1 :] if channel_id in names else ways
    return after[0] if after else None


def fall_back(
    delivery: Delivery, channel: Channel, *, why: str, now: datetime, by: str | None = None, **data: str
) -> Fallback:
    """A copy of the delivery on another channel. Two workers at once make the same copy: its id follows from both, and
    from when its schedule began, so that one that was replayed and failed again is followed by a copy of its own.

    It is younger than the one before it whatever the clock says: the youngest of a message's deliveries carries it.
    """
    begun = now if by is not None else delivery.first_attempt_at
    name = f"{channel.id}:{format_datetime(begun) if begun is not None else ''}"
    copy = Delivery(
        id=DeliveryId(uuid.uuid5(delivery.id, name)),
        case_id=delivery.case_id,
        message_id=delivery.message_id,
        authority=delivery.authority,
        channel_id=channel.id,
        role=delivery.role,
        priority=delivery.priority,
        state=TransportState.WAITING,
        created_at=max(now, delivery.created_at + _LATER),
        next_at=now,
    )
    said = {"from": str(delivery.id), "of": str(delivery.id), "channel": channel.id, "instead_of": delivery.channel_id}
    source = Source.HUB if by is None else Source.OPERATOR
    who = {} if by is None else {"by": by}
    fact = fact_of(copy, FactKind.HANDED_OVER, now, source, why=why, **said, **who, **data)
    stop = DeliveryUpdate(id=delivery.id, state=TransportState.CANCELLED, last_code="handed_over")
    updates = (stop,) if delivery.state in WITHDRAWABLE else ()
    return Fallback(facts=(fact,), deliveries=(copy,), updates=updates)


def given_up(delivery: Delivery, *, reason: str, detail: str, now: datetime, fallback: Channel | None) -> Fallback:
    """A copy that cannot be sent over its channel: the next one takes it, or an operator."""
    if delivery.shadow:
        return Fallback()
    if fallback is not None:
        # It is dead where it was: the caller writes that.
        return replace(fall_back(delivery, fallback, why=reason, now=now), updates=())
    facts, items = escalate(delivery, reason=reason, detail=detail, now=now)
    return Fallback(facts=facts, items=items)
