"""Rows of a case: messages that the hub sends, deliveries that wait, facts and grants. Pure but for ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from hub.cases.minimisation import has_own, minimised
from hub.schemas import json_rendering
from hub.schemas.delivery import Delivery, Direction, Fact, FactKind, Grant, Message, Source, TransportState
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, Attachment
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.terms import Kind, Priority, Role

PRIORITIES = {Priority.NORMAL: 0, Priority.URGENT: 1, Priority.LIFE_THREATENING: 2}


def outgoing_message(envelope: AnyEnvelope) -> Message:
    """The message row of an envelope that the hub makes. All that leaves the hub is made here, so that nothing leaves
    with what is the contact centre's own.
    """
    if isinstance(envelope, AppealEnvelope) and has_own(envelope.body):
        envelope = envelope.model_copy(update={"body": minimised(envelope.body)})
    return _message(envelope, Direction.OUT)


def submitted_message(envelope: AppealEnvelope) -> Message:
    """The message row of an appeal as the contact centre submitted it, whole. It goes nowhere."""
    return _message(envelope, Direction.IN)


def _message(envelope: AnyEnvelope, direction: Direction) -> Message:
    canonical = json_rendering.to_json(envelope)
    header = envelope.header
    return Message(
        id=MessageId(header.message_id),
        case_id=CaseId(header.case_id),
        kind=Kind(envelope.kind),
        direction=direction,
        sender=header.sender.code,
        recipient=header.recipient.code,
        in_reply_to=MessageId(header.in_reply_to) if header.in_reply_to else None,
        created_at=header.created_at,
        body=canonical,
        sha256=hashlib.sha256(canonical).hexdigest(),
    )


def waiting_delivery(
    message: Message,
    *,
    authority: str,
    channel_id: str,
    role: Role,
    priority: int,
    now: datetime,
    delivery_id: DeliveryId | None = None,
) -> Delivery:
    """A delivery of a message to a body, due now. ``priority``: as in ``PRIORITIES``."""
    return Delivery(
        id=delivery_id or DeliveryId(new_id()),
        case_id=message.case_id,
        message_id=message.id,
        authority=authority,
        channel_id=channel_id,
        role=role,
        priority=priority,
        state=TransportState.WAITING,
        created_at=now,
        next_at=now,
    )


def case_fact(
    kind: FactKind,
    case_id: CaseId,
    at: datetime,
    source: Source,
    *,
    data: Mapping[str, str] | None = None,
    authority: str | None = None,
    delivery_id: DeliveryId | None = None,
) -> Fact:
    """A fact about a case. ``authority`` and ``delivery_id``: whom and which copy it concerns."""
    return Fact(
        kind=kind, case_id=case_id, at=at, source=source, authority=authority, delivery_id=delivery_id, data=data or {}
    )


def resolved(case_id: CaseId, at: datetime, *, by: str, how: str, delivery_id: DeliveryId | None = None) -> Fact:
    """The fact that a person did something about a case; ``how`` is cut to 500 characters. ``delivery_id``: the only
    delivery that it settles.
    """
    data = {"by": by, "how": how[:500]}
    return case_fact(FactKind.RESOLVED, case_id, at, Source.OPERATOR, data=data, delivery_id=delivery_id)


_LOST = frozenset({TransportState.DEAD, TransportState.REFUSED, TransportState.CANCELLED})


def lost_copies(deliveries: Iterable[Delivery]) -> frozenset[str]:
    """Ids of deliveries that nothing more comes of by itself."""
    return frozenset(str(delivery.id) for delivery in deliveries if delivery.state in _LOST)


def grants(attachments: Iterable[Attachment], party: str) -> tuple[Grant, ...]:
    """Leave for a party to read files."""
    return tuple(Grant(sha256=entry.sha256, party=party) for entry in attachments)
