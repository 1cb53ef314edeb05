"""Appeals and answers as the hub keeps them, put into a store directly, and followers to look at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.following.follower import InsightFollower
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    Direction,
    Event,
    Fact,
    FactKind,
    Message,
    NewCase,
    Source,
    TransportState,
)
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AnyEnvelope,
    AppealEnvelope,
    AppealForm,
    Attachment,
    Header,
    Party,
)
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.people import Address, Applicant, Contacts, PersonName
from hub.schemas.terms import (
    AnswerResult,
    AnswerStage,
    AppealChannel,
    AppealKind,
    ApplicantType,
    Kind,
    Role,
)
from hub.storage import SqlStore
from hub.storage.following import SqlFollowing
from hub.tracking.law import shipped as shipped_law
from tests.storage.making import events as settled

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NCC, AUTHORITY, OTHER = "36521731", "00032106", "00032129"
PLACE = "UA46060250000025047"
KEY = b"0123456789abcdef0123456789abcdef"
POTHOLE = (
    "На вулиці Шевченка навпроти школи утворилася глибока яма, у яку щодня потрапляють автомобілі. "
    "Діти бояться переходити дорогу, водії виїжджають на зустрічну смугу. Прошу полагодити покриття."
)


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """The moment it was put to."""
        return self.at


def form(text: str, *, surname: str = "Шевченко", phone: str | None = "+380441234567", **changes: Any) -> AppealForm:
    """A small appeal."""
    values: dict[str, Any] = {
        "channel": AppealChannel.WEB,
        "kind": AppealKind.COMPLAINT,
        "received_at": NOW,
        "applicant": Applicant(
            type=ApplicantType.INDIVIDUAL,
            name=PersonName(surname=surname, given="Оксана"),
            address=Address(territory=PLACE),
            contacts=Contacts(phones=(phone,)) if phone else None,
        ),
        "topics": ("transport.roads",),
        "place": PLACE,
        "text": text,
    }
    return AppealForm(**values | changes)


def message(envelope: AnyEnvelope, direction: Direction) -> Message:
    """An envelope as kept."""
    body = json_rendering.to_json(envelope)
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
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )


@dataclass
class World:
    """A store, a clock and a follower."""

    store: SqlStore
    clock: Clock = field(default_factory=Clock)
    mass_least: int = 4

    def __post_init__(self) -> None:
        self.following = SqlFollowing(self.store.database)
        self.follower = self.new_follower("one")
        self._count = 0

    def new_follower(self, owner: str) -> InsightFollower:
        """Another process's follower."""
        return InsightFollower(
            law=shipped_law(),
            store=self.store,
            insights=self.following,
            clock=self.clock,
            key=KEY,
            owner=owner,
            mass_least=self.mass_least,
        )

    def moment(self) -> datetime:
        """A moment that no other has."""
        self._count += 1
        return NOW + timedelta(seconds=self._count)

    def submit(
        self, text: str = POTHOLE, *, owner: str = NCC, files: tuple[Attachment, ...] = (), **changes: Any
    ) -> CaseId:
        """An appeal is taken in and routed."""
        made, at, priority = form(text, **changes), self.moment(), 0
        case_id, authority = CaseId(new_id()), AUTHORITY
        envelope = AppealEnvelope(
            header=Header(
                message_id=new_id(),
                case_id=case_id,
                created_at=at,
                sender=Party(code=owner),
                recipient=Party(code=authority),
            ),
            body=made,
            attachments=files,
        )
        sent = message(envelope, Direction.OUT)
        delivery = Delivery(
            id=DeliveryId(new_id()),
            case_id=case_id,
            message_id=sent.id,
            authority=authority,
            channel_id=f"{authority}.rest",
            role=Role.MAIN,
            priority=priority,
            state=TransportState.WAITING,
            created_at=at,
            next_at=at,
        )
        case = NewCase(
            id=case_id,
            created_at=at,
            owner=owner,
            reference=None,
            channel=made.channel,
            kind=made.kind,
            topics=made.topics,
            place=made.place,
            priority=priority,
            answer_due="2026-12-24",
        )
        facts = (
            Fact(kind=FactKind.ACCEPTED_BY_HUB, case_id=case_id, at=at, source=Source.HUB),
            Fact(
                kind=FactKind.ROUTED,
                case_id=case_id,
                at=at,
                source=Source.HUB,
                authority=authority,
                delivery_id=delivery.id,
            ),
        )
        self.store.apply(Change(cases=(case,), messages=(sent,), deliveries=(delivery,), facts=facts))
        return case_id

    def state(self, case_id: CaseId, kind: FactKind, authority: str | None = AUTHORITY, **data: str) -> Fact:
        """A fact is stated."""
        fact = Fact(
            kind=kind, case_id=case_id, at=self.moment(), source=Source.AUTHORITY, authority=authority, data=data
        )
        self.store.apply(Change(facts=(fact,)))
        return fact

    def answer(
        self, case_id: CaseId, text: str, *, authority: str = AUTHORITY, result: AnswerResult = AnswerResult.SATISFIED
    ) -> MessageId:
        """A final answer comes in."""
        at = self.moment()
        envelope = AnswerEnvelope(
            header=Header(
                message_id=new_id(),
                case_id=case_id,
                in_reply_to=new_id(),
                created_at=at,
                sender=Party(code=authority),
                recipient=Party(code=NCC),
            ),
            body=AnswerBody(stage=AnswerStage.FINAL, result=result, number="7", date=at.date(), at=at, text=text),
        )
        said = message(envelope, Direction.IN)
        fact = Fact(
            kind=FactKind.ANSWERED,
            case_id=case_id,
            at=at,
            source=Source.AUTHORITY,
            authority=authority,
            message_id=said.id,
            data={"stage": "final", "result": result, "number": "7", "date": at.date().isoformat()},
        )
        self.store.apply(Change(messages=(said,), facts=(fact,)))
        return said.id

    def settle(self) -> tuple[Event, ...]:
        """All that was committed shows in the feed."""
        with self.store.database.engine.connect() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM facts").scalar_one()
        return settled(self.store, count)

    def follow(self, limit: int = 500) -> int:
        """The follower looks at everything, its own facts included."""
        seen = 0
        self.settle()
        while step := self.follower.step(limit):
            seen += step
            self.settle()
        return seen

    def linked(self, case_id: CaseId) -> list[dict[str, str]]:
        """What was said of an appeal's likeness."""
        return [dict(fact.data) for fact in self.store.facts(case_id) if fact.kind is FactKind.LINKED]

    def row(self, case_id: CaseId) -> CaseRow:
        """The case."""
        found = self.store.case(case_id)
        assert found is not None
        return found
