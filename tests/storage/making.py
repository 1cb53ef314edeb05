"""Small values for the store's tests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.outbound.claim import leased
from hub.ports import Store
from hub.schemas.delivery import (
    Attempt,
    Change,
    Claim,
    Delivery,
    Direction,
    Event,
    Fact,
    FactKind,
    LaneState,
    Message,
    NewCase,
    OperatorItem,
    Source,
    StoredAnswer,
    TransportState,
)
from hub.schemas.ids import AttemptId, CaseId, DeliveryId, MessageId, new_id
from hub.schemas.journal import InboundRecord
from hub.schemas.terms import Kind, Role

NOW = datetime(2026, 11, 24, 8, 0, 0, 123_000, tzinfo=UTC)
OWNER, AUTHORITY, OTHER = "36521731", "00032106", "00013480"
CHANNEL = "00032106.rest"


def claim_many(
    store: Store, limits: Mapping[str, int], *, owner: str, now: datetime, lease_until: datetime
) -> tuple[Claim, ...]:
    """Lease what is due, as a worker does; the deliveries as leased."""
    taken: list[Claim] = []

    def begin(claims: Sequence[Claim], _: Mapping[str, LaneState]) -> Change:
        taken[:] = claims
        return Change(updates=tuple(leased(claim.delivery, owner, lease_until) for claim in claims))

    store.claim(limits, now=now, begin=begin)
    lease: dict[str, Any] = {"state": TransportState.SENDING, "lease_owner": owner, "lease_until": lease_until}
    return tuple(replace(claim, delivery=replace(claim.delivery, **lease)) for claim in taken)


def claim_one(
    store: Store, channel_id: str, *, owner: str, now: datetime, lease_until: datetime, limit: int
) -> tuple[Claim, ...]:
    """``claim_many`` for one lane."""
    return claim_many(store, {channel_id: limit}, owner=owner, now=now, lease_until=lease_until)


def later(seconds: float) -> datetime:
    """A moment after ``NOW``."""
    return NOW + timedelta(seconds=seconds)


def case(**changes: Any) -> NewCase:
    """A case."""
    made = NewCase(
        id=CaseId(new_id()),
        created_at=NOW,
        owner=OWNER,
        reference=None,
        channel="web",
        kind="complaint",
        topics=("roads", "lighting"),
        place="UA80000000000093317",
        priority=0,
        answer_due="2026-12-24",
    )
    return replace(made, **changes)


def message(case_id: CaseId, body: bytes = '{"text":"яма"}'.encode(), **changes: Any) -> Message:
    """A message of a case."""
    made = Message(
        id=MessageId(new_id()),
        case_id=case_id,
        kind=Kind.APPEAL,
        direction=Direction.OUT,
        sender=OWNER,
        recipient=AUTHORITY,
        in_reply_to=None,
        created_at=NOW,
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    return replace(made, **changes)


def delivery(of: Message, **changes: Any) -> Delivery:
    """A delivery that is due."""
    made = Delivery(
        id=DeliveryId(new_id()),
        case_id=of.case_id,
        message_id=of.id,
        authority=AUTHORITY,
        channel_id=CHANNEL,
        role=Role.MAIN,
        priority=0,
        state=TransportState.WAITING,
        created_at=NOW,
        next_at=NOW,
    )
    return replace(made, **changes)


def fact(case_id: CaseId, kind: FactKind, at: datetime = NOW, authority: str | None = AUTHORITY, **data: str) -> Fact:
    """A fact that an authority states."""
    source = Source.HUB if authority is None else Source.AUTHORITY
    return Fact(kind=kind, case_id=case_id, at=at, source=source, authority=authority, data=data)


def accepted(**delivery_changes: Any) -> Change:
    """What taking one appeal in writes."""
    born = case()
    sent = message(born.id)
    carried = delivery(sent, **delivery_changes)
    return Change(
        cases=(born,),
        messages=(sent,),
        deliveries=(carried,),
        facts=(
            fact(born.id, FactKind.ACCEPTED_BY_HUB, authority=None),
            replace(fact(born.id, FactKind.ROUTED, reason="competent"), delivery_id=carried.id),
        ),
    )


def joined(*changes: Change) -> Change:
    """Several acceptances as one change."""
    return Change(
        cases=tuple(x for c in changes for x in c.cases),
        messages=tuple(x for c in changes for x in c.messages),
        deliveries=tuple(x for c in changes for x in c.deliveries),
        facts=tuple(x for c in changes for x in c.facts),
    )


def put(store: Store, **delivery_changes: Any) -> Delivery:
    """Take one appeal in; its delivery."""
    change = accepted(**delivery_changes)
    store.apply(change)
    return change.deliveries[0]


def events(store: Store, count: int, after: str | None = None) -> tuple[Event, ...]:
    """The events after a cursor, once there are so many.

    On PostgreSQL an event shows when all older transactions of the cluster have ended, those of other tests included.
    """
    deadline = time.monotonic() + 30
    while True:
        found = store.events(after=after, limit=1_000)
        if len(found) >= count or time.monotonic() > deadline:
            return found


def attempt(of: Delivery, number: int = 1, **changes: Any) -> Attempt:
    """An attempt that has just begun."""
    made = Attempt(
        id=AttemptId(new_id()),
        delivery_id=of.id,
        number=number,
        channel_id=of.channel_id,
        message_id=of.message_id,
        sha256="ab" * 32,
        size=17,
        started_at=NOW,
        registry_version="0123456789abcdef",
    )
    return replace(made, **changes)


def item(of: Delivery, reason: str = "refused.form", **changes: Any) -> OperatorItem:
    """An operator's item about a delivery."""
    made = OperatorItem(
        id=str(new_id()),
        case_id=of.case_id,
        delivery_id=of.id,
        authority=of.authority,
        channel_id=of.channel_id,
        reason=reason,
        detail="Бракує підпису",
        opened_at=NOW,
    )
    return replace(made, **changes)


def record(seconds: float, channel_id: str = CHANNEL) -> InboundRecord:
    """An entry of the inbound journal."""
    return InboundRecord(
        id=str(new_id()),
        received_at=later(seconds),
        channel_id=channel_id,
        authority=AUTHORITY,
        sha256="cd" * 32,
        size=9,
        verdict="accepted",
    )


def answer(key: str, *, request: str = "aa", body: bytes = b"{}") -> StoredAnswer:
    """An answer to an idempotency key."""
    return StoredAnswer(principal="ncc", key=key, request_sha256=request * 32, status=202, body=body, created_at=NOW)
