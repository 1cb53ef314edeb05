"""Bounces: messages that come back undelivered after they had been taken over. Pure.

A bounce is no answer and no refusal of the authority: a machine on the way speaks. A dead address hands over to the
authority's next channel, or to an operator; what may work later is an operator's. Once, and only as long as the
addressee has not shown that it has the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from hub.delivery.fallback import given_up
from hub.delivery.records import escalate
from hub.inbound.statement import UNSETTLED
from hub.ports import Returned
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, TransportState
from hub.schemas.directory import Channel
from hub.schemas.journal import InboundRecord

PERMANENT, TEMPORARY = "returned.permanent", "returned.temporary"
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
    returned: Returned,
    delivery: Delivery,
    facts: Iterable[Fact],
    *,
    record: InboundRecord,
    fallback: Channel | None,
    now: datetime,
) -> Change:
    """Everything that a bounce writes. ``facts``: those of the case; ``record``: its entry in the journal;
    ``fallback``: the authority's next channel.

    A repeat is journalled and changes nothing.
    """
    reason = PERMANENT if returned.permanent else TEMPORARY
    if delivery.shadow or any(_moot(fact, delivery, reason) for fact in facts):
        return Change(inbound=(record,))
    detail = f"{returned.code}: {returned.detail}"
    if not returned.permanent:
        said, items = escalate(delivery, reason=reason, detail=detail, now=now)
        return Change(facts=said, items=items, inbound=(record,))
    followed = given_up(delivery, reason=reason, detail=detail, now=now, fallback=fallback)
    updates: tuple[DeliveryUpdate, ...] = ()
    if delivery.state in UNSETTLED:
        updates = (DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, last_code=returned.code),)
    return replace(followed.change(), updates=updates, inbound=(record,))


def _moot(fact: Fact, delivery: Delivery, reason: str) -> bool:
    """True if this fact makes a bounce old news: the addressee has it, or the same was done about it before."""
    if fact.kind is FactKind.HANDED_OVER:
        return fact.data.get("of") == str(delivery.id)
    if fact.delivery_id != delivery.id:
        return False
    if fact.kind is FactKind.DELIVERED and fact.message_id is not None:
        return True  # a report or a notice said so; the word of the server that took it over brings no message
    return fact.kind in _SHOWN or (fact.kind is FactKind.ESCALATED and fact.data.get("reason") == reason)
