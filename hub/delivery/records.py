"""Rows that each direction writes: facts about a delivery, operators' items. Pure."""

from __future__ import annotations

import uuid
from datetime import datetime

from hub.ports import Outcome
from hub.schemas.delivery import Delivery, Fact, FactKind, OperatorItem, Source

UNKNOWN_PARTY = "-"
"""Stands in the journal where nobody could be told."""


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
        detail=detail[: Outcome.DETAIL_MAX_CHARS],
        opened_at=now,
    )
    return (fact,), (item,)
