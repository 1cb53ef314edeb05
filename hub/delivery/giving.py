"""Making out an appeal for one more body: message, delivery, its shadows, grants, and the fact ``routed``."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.delivery.handover import with_shadows
from hub.ports import Directory
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    Change,
    Delivery,
    Direction,
    Fact,
    FactKind,
    Grant,
    Message,
    Source,
    TransportState,
)
from hub.schemas.directory import Authority
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, DueDates, Header, Party
from hub.schemas.ids import CaseId, DeliveryId, MessageId, named_id, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Kind, Priority, Role
from hub.tracking import law

PRIORITIES = {Priority.NORMAL: 0, Priority.URGENT: 1, Priority.LIFE_THREATENING: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A case given to a body: what is written, and the channels to ring for."""

    change: Change
    message_id: str = ""
    lanes: tuple[str, ...] = ()


def outgoing_message(envelope: AnyEnvelope) -> Message:
    """The message row of an envelope that the hub makes."""
    canonical = json_rendering.to_json(envelope)
    header = envelope.header
    return Message(
        id=MessageId(header.message_id),
        case_id=CaseId(header.case_id),
        kind=Kind(envelope.kind),
        direction=Direction.OUT,
        sender=header.sender.code,
        recipient=header.recipient.code,
        in_reply_to=MessageId(header.in_reply_to) if header.in_reply_to else None,
        created_at=header.created_at,
        body=canonical,
        sha256=hashlib.sha256(canonical).hexdigest(),
    )


def give(
    original: AppealEnvelope,
    case_id: CaseId,
    authority: Authority,
    directory: Directory,
    *,
    party: Party,
    role: Role,
    source: Source,
    now: datetime,
    data: Mapping[str, str],
    duty: tuple[datetime, str] | None = None,
) -> Given:
    """Make out the appeal for one more body: message, delivery, shadows, grants, and the fact ``routed``.

    ``data``: of the fact. ``duty``: the moment and name of the duty that asks for it. Ids are then taken from it, so
    that two watchers who do one duty make one message: the second is refused as a repeat.
    """
    message_id = new_id() if duty is None else named_id(duty[0], f"{case_id}\n{duty[1]}".encode())
    day = kyiv_day(now)
    rules = law.in_force()
    due = DueDates(forward=rules.forward_day(day), answer=rules.answer_day(day))
    envelope = AppealEnvelope(
        header=Header(
            message_id=message_id,
            case_id=case_id,
            created_at=now,
            sender=party,
            recipient=Party(code=authority.code, name=authority.name),
            role=role,
            priority=original.header.priority,
            due=due if role is not Role.INFORMATION else None,
        ),
        body=original.body,
        attachments=original.attachments,
    )
    message = outgoing_message(envelope)
    delivery = Delivery(
        id=DeliveryId(new_id() if duty is None else uuid.uuid5(message_id, authority.code)),
        case_id=case_id,
        message_id=message.id,
        authority=authority.code,
        channel_id=authority.ways(day)[0].id,
        role=role,
        priority=PRIORITIES[original.header.priority],
        state=TransportState.WAITING,
        created_at=now,
        next_at=now,
    )
    copies = with_shadows(delivery, directory)
    routed = Fact(
        kind=FactKind.ROUTED,
        case_id=case_id,
        at=now,
        source=source,
        authority=authority.code,
        delivery_id=delivery.id,
        data={**data, **({} if role is Role.MAIN else {"role": role.value})},
    )
    return Given(
        change=Change(
            messages=(message,),
            deliveries=copies,
            facts=(routed,),
            grants=tuple(Grant(sha256=entry.sha256, party=authority.code) for entry in original.attachments),
        ),
        message_id=str(message.id),
        lanes=tuple(d.channel_id for d in copies),
    )
