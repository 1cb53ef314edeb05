"""Assignment: an appeal made out for one more body: message, delivery, its shadows, grants, and the fact ``routed``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.cases.rows import PRIORITIES, case_fact, grants, outgoing_message, waiting_delivery
from hub.cases.shadows import with_shadows
from hub.ports import Directory
from hub.schemas.delivery import (
    Change,
    FactKind,
    Source,
)
from hub.schemas.directory import Authority
from hub.schemas.envelope import AppealEnvelope, DueDates, Header, Party
from hub.schemas.ids import CaseId, DeliveryId, named_id, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Role
from hub.tracking.law import Law


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A case assigned to a body: what is written, and the channels to ring for."""

    change: Change
    message_id: str = ""
    lanes: tuple[str, ...] = ()


def assign(
    original: AppealEnvelope,
    case_id: CaseId,
    authority: Authority,
    directory: Directory,
    *,
    party: Party,
    law: Law,
    role: Role,
    source: Source,
    now: datetime,
    data: Mapping[str, str],
    duty: tuple[datetime, str] | None = None,
) -> Assignment:
    """Make out the appeal for one more body: message, delivery, shadows, grants, and the fact ``routed``.

    ``data``: of the fact. ``duty``: the moment and name of the duty that asks for it. Ids are then taken from it, so
    that two runners of one duty make one message: the second is refused as a repeat.
    """
    message_id = new_id() if duty is None else named_id(duty[0], f"{case_id}\n{duty[1]}".encode())
    day = kyiv_day(now)
    due = DueDates(forward=law.forward_day(day), answer=law.answer_day(day))
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
    delivery = waiting_delivery(
        message,
        authority=authority.code,
        channel_id=authority.ways(day)[0].id,
        role=role,
        priority=PRIORITIES[original.header.priority],
        now=now,
        delivery_id=None if duty is None else DeliveryId(uuid.uuid5(message_id, authority.code)),
    )
    copies = with_shadows(delivery, directory)
    routed = case_fact(
        FactKind.ROUTED,
        case_id,
        now,
        source,
        authority=authority.code,
        delivery_id=delivery.id,
        data={**data, **({} if role is Role.MAIN else {"role": role.value})},
    )
    return Assignment(
        change=Change(
            messages=(message,),
            deliveries=copies,
            facts=(routed,),
            grants=grants(original.attachments, authority.code),
        ),
        message_id=str(message.id),
        lanes=tuple(d.channel_id for d in copies),
    )
