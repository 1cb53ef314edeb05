"""What comes back undelivered after it had been taken over, and what says nothing about a case. Pure.

A bounce is no answer and no refusal of the authority: a machine on the way speaks. It goes to the operators, once,
unless the addressee has shown since that it has the message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from hub.delivery.settle import escalate
from hub.delivery.takeback import UNKNOWN_PARTY, UNSETTLED
from hub.ports import RawInbound, Returned
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, InboundRecord, TransportState
from hub.schemas.ids import new_id

_SHOWN = frozenset(
    {
        FactKind.ACCEPTED,
        FactKind.REGISTERED,
        FactKind.REFUSED,
        FactKind.ANSWERED,
        FactKind.REDIRECTED,
        FactKind.EXTENDED,
    }
)
"""Facts by which an addressee shows that it has the message."""


def undelivered(
    returned: Returned, delivery: Delivery, facts: Iterable[Fact], *, channel_id: str, now: datetime
) -> Change:
    """Everything that a bounce writes. ``facts``: those of the case. A repeat is journalled and changes nothing."""
    reason = "returned.permanent" if returned.permanent else "returned.temporary"
    fresh, items = escalate(delivery, reason=reason, detail=f"{returned.code}: {returned.detail}", now=returned.at)
    known = {fact.key for fact in facts if fact.delivery_id == delivery.id}
    shown = any(fact.kind in _SHOWN and fact.delivery_id == delivery.id for fact in facts)
    record = journal(returned.raw, channel_id=channel_id, verdict=returned.code, delivery=delivery, now=now)
    if shown or fresh[0].key in known:
        return Change(inbound=(record,))
    updates: tuple[DeliveryUpdate, ...] = ()
    if returned.permanent and delivery.state in UNSETTLED:
        updates = (DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, last_code=returned.code),)
    return Change(facts=fresh, items=items, updates=updates, inbound=(record,))


def journal(
    raw: RawInbound, *, channel_id: str, verdict: str, delivery: Delivery | None, now: datetime
) -> InboundRecord:
    """The journal's line for bytes that make no statement about a case."""
    return InboundRecord(
        id=str(new_id()),
        received_at=now,
        channel_id=channel_id,
        authority=delivery.authority if delivery else UNKNOWN_PARTY,
        sha256=hashlib.sha256(raw.body).hexdigest(),
        size=len(raw.body),
        verdict=verdict,
        case_id=delivery.case_id if delivery else None,
    )
