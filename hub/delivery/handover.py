"""Handing over: from a channel that failed or kept silent to the authority's next one, under the same message id.

CMU 55/2018 item 24: no notice of delivery within six hours means not received, and the sender does all he can so that
the document is received in electronic form. Each channel that is tried is a delivery of its own; the fact
``handed_over`` ties them, so that whichever copy is received first is known, and which one counts can be proven. Pure.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hub.ports import Directory
from hub.schemas.delivery import (
    AttemptEnd,
    Delivery,
    DeliveryUpdate,
    Fact,
    FactKind,
    OperatorItem,
    Source,
    TransportState,
)
from hub.schemas.directory import Authority, Channel
from hub.schemas.ids import DeliveryId
from hub.schemas.kyiv import kyiv_day

DETAIL_MAX_CHARS = 2_000
_LATER = timedelta(milliseconds=1)  # stores cut moments to milliseconds
WITHDRAWABLE = frozenset({TransportState.WAITING, TransportState.UNKNOWN, TransportState.OFFERED})
"""States in which a copy may still be stopped: nothing is on its way at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """All that one outcome writes."""

    update: DeliveryUpdate
    end: AttemptEnd | None
    facts: tuple[Fact, ...] = ()
    items: tuple[OperatorItem, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """What follows from a copy that failed: a new copy on the next channel, or an operator's item."""

    facts: tuple[Fact, ...] = ()
    items: tuple[OperatorItem, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    updates: tuple[DeliveryUpdate, ...] = ()


def fact_of(delivery: Delivery, kind: FactKind, at: datetime, source: Source, **data: str) -> Fact:
    """A fact about this delivery."""
    return Fact(
        kind=kind,
        case_id=delivery.case_id,
        at=at,
        source=source,
        authority=delivery.authority,
        delivery_id=delivery.id,
        data=data,
    )


def escalate(
    delivery: Delivery, *, reason: str, detail: str, now: datetime, **data: str
) -> tuple[tuple[Fact, ...], tuple[OperatorItem, ...]]:
    """Bring a delivery to the operators: the fact for the NCC and the item in their queue."""
    fact = fact_of(delivery, FactKind.ESCALATED, now, Source.HUB, reason=reason, **data)
    item = OperatorItem(
        id=str(uuid.uuid5(delivery.id, f"{reason}:{now.isoformat()}")),
        case_id=delivery.case_id,
        delivery_id=delivery.id,
        authority=delivery.authority,
        channel_id=delivery.channel_id,
        reason=reason,
        detail=detail[:DETAIL_MAX_CHARS],
        opened_at=now,
    )
    return (fact,), (item,)


def next_channel(authority: Authority | None, channel_id: str, day: date) -> Channel | None:
    """The authority's next channel in its order. One that is not in the list any more was before the first."""
    ways = authority.ways(day) if authority is not None and authority.holds_on(day) else ()
    names = [channel.id for channel in ways]
    after = ways[names.index(channel_id) + 1 :] if channel_id in names else ways
    return after[0] if after else None


def hand_over(
    delivery: Delivery, channel: Channel, *, why: str, now: datetime, by: str | None = None, **data: str
) -> Onward:
    """A copy of the delivery on another channel. Two workers at once make the same copy: its id follows from both.

    It is younger than the one before it whatever the clock says: the youngest of a message's deliveries carries it.
    """
    copy = Delivery(
        id=DeliveryId(uuid.uuid5(delivery.id, channel.id)),
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
    return Onward(facts=(fact,), deliveries=(copy,), updates=updates)


def given_up(delivery: Delivery, *, reason: str, detail: str, now: datetime, fallback: Channel | None) -> Onward:
    """A copy that cannot be sent over its channel: the next one takes it, or an operator."""
    if delivery.shadow:
        return Onward()
    if fallback is not None:
        # It is dead where it was: the caller writes that.
        return replace(hand_over(delivery, fallback, why=reason, now=now), updates=())
    facts, items = escalate(delivery, reason=reason, detail=detail, now=now)
    return Onward(facts=facts, items=items)


def shadow_of(delivery: Delivery, channel: Channel) -> Delivery:
    """The same message on its way over a channel that is only tried."""
    return replace(
        delivery,
        id=DeliveryId(uuid.uuid5(delivery.id, channel.id)),
        channel_id=channel.id,
        shadow=True,
    )


def shadowed(delivery: Delivery, settled: Settlement, now: datetime) -> Settlement:
    """What a try over a shadow channel writes: its transport state, and one fact that says how it ended."""
    if settled.update.next_at is not None:
        return replace(settled, facts=(), items=(), deliveries=())
    state, code = settled.update.state, settled.update.last_code or ""
    fact = fact_of(
        delivery, FactKind.SHADOWED, now, Source.HUB, channel=delivery.channel_id, outcome=str(state), code=str(code)
    )
    return replace(settled, facts=(fact,), items=(), deliveries=())


def with_shadows(delivery: Delivery, directory: Directory) -> tuple[Delivery, ...]:
    """A new delivery, and its shadows over the channels of the body that are only tried."""
    authority = directory.authority(delivery.authority)
    channels = authority.shadows(kyiv_day(delivery.created_at)) if authority is not None else ()
    return (delivery, *(shadow_of(delivery, channel) for channel in channels))
