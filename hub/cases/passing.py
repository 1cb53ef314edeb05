"""Passing on: what the contact centre says after the appeal, as an envelope of its own kind to one executor.

It goes the lane that the appeal went over, and leaves the fact ``passed_on``. Pure but for ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.cases.rows import case_fact, grants, outgoing_message, waiting_delivery
from hub.delivery.records import escalate
from hub.errors import Conflict
from hub.ports import Directory
from hub.schemas.delivery import CaseRow, Change, Delivery, Fact, FactKind, Source
from hub.schemas.envelope import (
    AnyEnvelope,
    Attachment,
    ClarificationBody,
    ClarificationEnvelope,
    Header,
    Party,
    ReturnBody,
    ReturnEnvelope,
    SupplementBody,
    SupplementEnvelope,
    WithdrawalBody,
    WithdrawalEnvelope,
)
from hub.schemas.ids import MessageId, named_id, new_id
from hub.schemas.kyiv import kyiv_day
from hub.tracking.story import Executor, Story

CentreBody = WithdrawalBody | ClarificationBody | ReturnBody | SupplementBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Words of the contact centre that go to an executor. ``party``: who the hub is; ``in_reply_to``: what they answer,
    absent = the appeal. ``duty``: the moment and name of the duty that they go by; two runners make one message.
    """

    body: CentreBody
    attachments: tuple[Attachment, ...]
    party: Party
    in_reply_to: MessageId | None = None
    duty: tuple[datetime, str] | None = None


def pass_on(
    saying: Saying, executor: Executor, before: Delivery | None, row: CaseRow, directory: Directory, now: datetime
) -> Change:
    """The envelope to one executor. ``before``: the delivery whose channel it takes. ``Conflict``
    (``executor.not_connected``).
    """
    authority = directory.authority(executor.authority)
    ways = authority.ways(kyiv_day(now)) if authority is not None else ()
    if authority is None or not ways:
        raise Conflict(
            "The executor cannot be reached now.",
            code="executor.not_connected",
            action="Ask the hub's operators: the body has no valid channel.",
        )
    names = [way.id for way in ways]
    channel = before.channel_id if before is not None and before.channel_id in names else names[0]
    duty = saying.duty
    header = Header(
        message_id=new_id() if duty is None else named_id(duty[0], f"{row.case.id}\n{duty[1]}".encode()),
        case_id=row.case.id,
        in_reply_to=saying.in_reply_to or (before.message_id if before is not None else None),
        created_at=now,
        sender=saying.party,
        recipient=Party(code=authority.code, name=authority.name),
        role=executor.role,
    )
    message = outgoing_message(envelope_of(header, saying.body, saying.attachments))
    delivery = waiting_delivery(
        message,
        authority=authority.code,
        channel_id=channel,
        role=executor.role,
        priority=row.case.priority,
        now=now,
    )
    passed = case_fact(
        FactKind.PASSED_ON,
        row.case.id,
        now,
        Source.HUB,
        authority=authority.code,
        delivery_id=delivery.id,
        data={
            "kind": message.kind.value,
            "of": executor.key,
            **({"because": duty[1]} if duty is not None else {}),
        },
    )
    leave = grants(saying.attachments, authority.code)
    return Change(messages=(message,), deliveries=(delivery,), facts=(passed,), grants=leave)


def pass_on_or_ask(
    saying: Saying, executor: Executor, before: Delivery, row: CaseRow, directory: Directory, now: datetime
) -> Change:
    """The same; a body that cannot be reached now stops nothing for others: an operator calls."""
    try:
        return pass_on(saying, executor, before, row, directory, now)
    except Conflict as unreachable:
        kind = _KINDS[type(saying.body)]
        because = {"because": saying.duty[1]} if saying.duty is not None else {}
        facts, items = escalate(before, reason=f"{kind}.not_connected", detail=unreachable.message, now=now, **because)
        return Change(facts=facts, items=items)


def behind_appeal(story: Story, supplemented: Fact, at: datetime) -> datetime:
    """The moment that the id of a supplement names, so that its messages sort behind the appeal, in order, if all of
    them are made out at one moment.
    """
    earlier = sum(fact.at < supplemented.at for fact in story.of(FactKind.SUPPLEMENTED))
    return at + timedelta(milliseconds=1 + earlier)


_KINDS = {WithdrawalBody: "withdrawal", ClarificationBody: "clarification", ReturnBody: "return"} | {
    SupplementBody: "supplement"
}


def envelope_of(header: Header, body: CentreBody, attachments: tuple[Attachment, ...]) -> AnyEnvelope:
    """The envelope of the body's kind."""
    match body:
        case WithdrawalBody():
            return WithdrawalEnvelope(header=header, body=body, attachments=attachments)
        case ClarificationBody():
            return ClarificationEnvelope(header=header, body=body, attachments=attachments)
        case ReturnBody():
            return ReturnEnvelope(header=header, body=body, attachments=attachments)
        case SupplementBody():
            return SupplementEnvelope(header=header, body=body, attachments=attachments)
