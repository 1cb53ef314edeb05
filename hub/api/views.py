"""Answers of the doors: one model per document. Every member is always there; absent values are null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.cases.timeline import TimelineEntry
from hub.inbound.statement import Received
from hub.schemas.base import format_datetime
from hub.schemas.delivery import CaseRow, ClockMark, Delivery, Direction, Event, FactKind, Message, Note, TransportState
from hub.schemas.terms import AppealChannel, AppealKind, Kind, Role
from hub.tracking.share import ELSEWHERE, OwnPart
from hub.tracking.state import State

CaseState = Annotated[str, Field(json_schema_extra={"enum": [*State, ELSEWHERE]})]
"""State of a case; `elsewhere` is shown to a body that has no part in it any more."""


def may_grow(schema: dict[str, Any]) -> None:
    """Say nothing of members that are not there yet: answers may get more of them (docs/compatibility.md)."""
    schema.pop("additionalProperties", None)


class View(BaseModel):
    """Base of all answers. Moments are RFC 3339 in UTC with milliseconds, days are YYYY-MM-DD."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_serialization_defaults_required=True, json_schema_extra=may_grow
    )


class AcceptedView(BaseModel):
    """Fate of an appeal. ``authority``: absent if it went to the operators' queue, which ``reason`` explains, or if the
    centre itself answered it (``concluded``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=may_grow)

    case_id: str
    case_number: str = Field(default="", description="By which people call the case; absent where none was given.")
    message_id: str
    authority: str = Field(default="", description="Code of the body that it goes to; absent if none was found.")
    state: Literal["routed", "operators", "concluded"]
    reason: str
    registry_version: str


class DeliveryView(View):
    """One envelope on its way to one authority."""

    id: str
    message_id: str
    case_id: str
    authority: str
    channel_id: str
    role: Role
    priority: int
    state: TransportState
    attempts: int
    created_at: str
    next_at: str | None
    delivered_at: str | None
    last_code: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        """The view of a delivery."""
        return cls(
            id=str(delivery.id),
            message_id=str(delivery.message_id),
            case_id=str(delivery.case_id),
            authority=delivery.authority,
            channel_id=delivery.channel_id,
            role=delivery.role,
            priority=delivery.priority,
            state=delivery.state,
            attempts=delivery.attempts,
            created_at=format_datetime(delivery.created_at),
            next_at=format_datetime(delivery.next_at) if delivery.next_at else None,
            delivered_at=format_datetime(delivery.delivered_at) if delivery.delivered_at else None,
            last_code=delivery.last_code,
        )


class MessageView(View):
    """One envelope of a case; its content is at ``/v1/cases/{case_id}/messages/{id}``."""

    id: str
    kind: Kind
    direction: Direction
    sender: str
    recipient: str | None
    in_reply_to: str | None
    created_at: str
    sha256: str

    @classmethod
    def of(cls, message: Message) -> MessageView:
        """The view of a message."""
        return cls(
            id=str(message.id),
            kind=message.kind,
            direction=message.direction,
            sender=message.sender,
            recipient=message.recipient,
            in_reply_to=str(message.in_reply_to) if message.in_reply_to else None,
            created_at=format_datetime(message.created_at),
            sha256=message.sha256,
        )


class CaseView(View):
    """A case as lists show it. ``authority`` and ``number``: who has it, and under which number it is registered there.
    ``case_number``: by which the centre and its applicants call it; null where an older hub took the appeal in.

    ``answer_due``: the day that was announced at its birth; ``due_at``: the end of the nearest term of the law that
    runs now, in the past = overdue.
    """

    id: str
    state: CaseState
    authority: str | None
    number: str | None
    reference: str | None
    channel: AppealChannel
    kind: AppealKind
    topics: tuple[str, ...]
    place: str | None
    priority: int
    answer_due: str | None
    due_at: str | None
    needs_operator: bool
    created_at: str
    updated_at: str
    case_number: str | None

    @classmethod
    def of(cls, row: CaseRow) -> CaseView:
        """The view of a case."""
        case = row.case
        return cls(
            id=str(case.id),
            state=row.state,
            authority=row.authority,
            number=row.number,
            reference=case.reference,
            channel=AppealChannel(case.channel),
            kind=AppealKind(case.kind),
            topics=case.topics,
            place=case.place,
            priority=case.priority,
            answer_due=case.answer_due,
            due_at=format_datetime(row.due_at) if row.due_at else None,
            needs_operator=row.needs_operator,
            created_at=format_datetime(case.created_at),
            updated_at=format_datetime(row.updated_at),
            case_number=case.case_number,
        )

    def for_authority(self, party: str, part: OwnPart) -> CaseView:
        """The same as a body may see it: its own part, without what concerns the contact centre or another body."""
        return self.model_copy(
            update={
                "case_number": None,
                "reference": None,
                "needs_operator": False,
                "authority": None if part.state == ELSEWHERE else party,
                "state": part.state,
                "number": part.number,
                "due_at": format_datetime(part.due_at) if part.due_at else None,
                "updated_at": format_datetime(part.updated_at) if part.updated_at else self.created_at,
            }
        )


class CopyView(View):
    """One channel that the appeal was tried over. ``given_up_at``: no notice had come in time; ``counts``: its receipt
    is the one that proves the delivery.
    """

    delivery_id: str
    channel_id: str | None
    sent_at: str | None
    receipt: FactKind | None
    received_at: str | None
    given_up_at: str | None
    counts: bool


class ExecutorView(View):
    """One body that has, or had, the case. ``superseded``: another one has it now; ``returns``: answers sent back."""

    authority: str
    role: Role
    state: State
    number: str | None
    registered_on: str | None
    ground: str | None
    superseded: bool
    returns: int
    copies: tuple[CopyView, ...]


class TermView(View):
    """One term. ``state``: ``running``, ``overdue``, ``met`` or ``late``; ``binding``: the law's, not a warning only;
    ``provisional``: it runs through a year whose days off were not reviewed.
    """

    term: str
    title: str
    law: str
    authority: str | None
    delivery_id: str | None
    started_at: str
    due_at: str
    due: str
    ended_at: str | None
    state: Literal["running", "overdue", "met", "late"]
    binding: bool
    extended: bool
    provisional: bool


class HopView(View):
    """One step of the chain of redirects. ``days``: how long the body had the appeal; ``reason``: in its own words."""

    number: int
    role: str
    authority: str
    to: str | None
    named: str | None
    why: str
    decided_by: str | None
    at: str
    days: int | None
    late: bool
    reason: str | None


class ChainView(View):
    """The chain of redirects of a case. ``told``: in words."""

    case_id: str
    hops: tuple[HopView, ...]
    told: str


class SaidView(View):
    """Fate of a message of the contact centre: the ids of the envelopes that it became, or of the note."""

    case_id: str
    messages: tuple[str, ...]
    note: str | None = None


class NoteView(View):
    """A note of the contact centre's people. ``by``: who wrote it, as the log names callers."""

    id: str
    at: str
    by: str
    text: str

    @classmethod
    def of(cls, note: Note) -> NoteView:
        """The view of a note."""
        return cls(id=str(note.id), at=format_datetime(note.at), by=note.by, text=note.text)


class CaseDetailView(View):
    """One case with its deliveries and messages, executors and terms, as far as they concern the caller.

    ``notes``: those of the contact centre's people; empty for an authority.
    """

    case: CaseView
    deliveries: tuple[DeliveryView, ...]
    messages: tuple[MessageView, ...]
    executors: tuple[ExecutorView, ...]
    terms: tuple[TermView, ...]
    notes: tuple[NoteView, ...]


class CasesView(View):
    """A page of cases. ``cursor``: pass it as ``after`` for the next page; null = there is no more."""

    cases: tuple[CaseView, ...]
    cursor: str | None


class CountsView(View):
    """How many cases, by one of their members. What has no value counts under the empty text."""

    by: str
    total: int
    counts: Mapping[str, int]


class EntryView(View):
    """One line of a timeline. ``ref``: id of the message or attempt. ``at``: the moment that counts; ``heard_at``: when
    the hub heard it, of what a body said; ``says_at``: the moment that it claims, where another one counts, and
    ``clock`` why: ``future``, ``before_routing``, ``day`` (it names only a day), ``none`` (it names none);
    ``unseen_at``: when the hub looked last and it was not there.
    """

    at: str
    what: str
    code: str
    text: str
    authority: str | None
    ref: str | None
    heard_at: str | None
    says_at: str | None
    unseen_at: str | None
    clock: ClockMark | None

    @classmethod
    def of(cls, entry: TimelineEntry) -> EntryView:
        """The view of a line."""
        return cls(
            at=format_datetime(entry.at),
            what=entry.what,
            code=entry.code,
            text=entry.text,
            authority=entry.authority,
            ref=entry.ref,
            heard_at=entry.heard_at,
            says_at=entry.says_at,
            unseen_at=entry.unseen_at,
            clock=entry.clock,
        )


class TimelineView(View):
    """All that happened to a case, in order of time."""

    case_id: str
    case_number: str | None
    entries: tuple[EntryView, ...]


class EventView(View):
    """One fact as an event. ``at``: when it happened; ``recorded_at``: when the hub learned of it."""

    cursor: str
    type: str
    case_id: str
    at: str
    recorded_at: str
    data: Mapping[str, str]

    @classmethod
    def of(cls, event: Event) -> EventView:
        """The view of an event."""
        return cls(
            cursor=event.cursor,
            type=event.type,
            case_id=str(event.case_id),
            at=format_datetime(event.at),
            recorded_at=format_datetime(event.recorded_at),
            data=dict(event.data),
        )


class EventsView(View):
    """Events in the order of commit. ``cursor``: pass it as ``after``; it moves on even if ``events`` is empty."""

    events: tuple[EventView, ...]
    cursor: str


class InboxView(View):
    """Messages that wait for the authority, oldest first. ``cursor``: pass it as ``after``; null = there is no more."""

    messages: tuple[DeliveryView, ...]
    cursor: str | None


class TakenView(View):
    """An inbound message that was taken in. ``repeat``: it had been taken in before, nothing changed."""

    message_id: str
    case_id: str
    repeat: bool

    @classmethod
    def of(cls, taken: Received) -> TakenView:
        """The view of what was taken in."""
        return cls(message_id=str(taken.message_id), case_id=str(taken.case_id), repeat=taken.repeat)


class StoredView(View):
    """A file that is safely kept. Name it in a manifest by these two values."""

    sha256: str
    size: int


class AliveView(View):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyView(View):
    """The hub can take appeals in. ``registry_version``: the registry in force."""

    status: Literal["ready"] = "ready"
    registry_version: str
