"""People decide what came in: what a message says, to which case it belongs, that it is nothing.

A decision is written as the facts that the body's own statement would have made, marked as a person's word (who, why,
what it rests on), and closes what was open about the input. It can be corrected by a later one, never erased: a
correction names the statement that says no more. Nothing is decided twice at once: who saw the entry as it stands
decides, who saw it as it was is told so.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.errors import Conflict, Fault, InvalidInput, NotFound
from hub.inbound.evaluation import Evaluator, Told
from hub.inbound.statement import Statement
from hub.ports import Attachments, Clock, Excerpt, Excerpts, InboundFilter, RawInbound, ReportedStatus, Store
from hub.schemas.delivery import (
    Change,
    Delivery,
    Fact,
    FactKind,
    Grant,
    OperatorItem,
    Source,
    StoredAttachment,
    joined,
)
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, Attachment, AuthorityBody
from hub.schemas.ids import CaseId, DeliveryId, MessageId
from hub.schemas.journal import Custody, Door, InboundDecision, InboundRecord
from hub.tracking.story import DECIDED, STATEMENTS, read, short

HELD_REASONS = ("inbound.held", "inbound.unclear")
"""Reasons of items that wait for a decision about an input."""
MAX_CASES = 100
"""To so many cases one input may belong."""
_CLOSED = frozenset({Custody.DECIDED, Custody.DISMISSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Case that an input belongs to, and whose word it is there; absent = the body that sent it, else the one that has
    the case now.
    """

    case_id: CaseId
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Decision of a person. ``by``: who; ``why``: the reason, without personal data. ``body``: what the input says,
    absent = nothing that changes a case. ``again``: correct an earlier decision about the same entry.
    """

    by: str
    why: str
    body: AuthorityBody | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Result of a decision: the entry as it stands, and the messages that it made, by case."""

    record: InboundRecord | None
    messages: tuple[tuple[CaseId, MessageId], ...]


class Decisions:
    """Decisions of people about what came in. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        evaluator: Evaluator,
        clock: Clock,
        attachments: Attachments | None,
        excerpts: Excerpts,
        asked: Callable[[CaseId], None],
    ) -> None:
        """``asked``: called with a case whose authority asks for an act of the hub: it refused, or sends it on."""
        self._store = store
        self._evaluator = evaluator
        self._clock = clock
        self._attachments = attachments
        self._excerpts = excerpts
        self._asked = asked

    def attach(self, record_id: str, to: Sequence[About], order: Order) -> Decided:
        """Put an entry to one case or several; what it said at others before says no more.

        Raises ``NotFound`` (entry, case, or a body that the case was never sent to), ``InvalidInput``, ``Conflict``
        (``inbound.decided``) if somebody decided before and ``again`` is not set.
        """
        record = self._entry(record_id, order)
        if not to:
            fault = Fault(pointer="/cases", code="inbound.no_case", message="must name at least one case")
            raise InvalidInput("The decision names no case.", code=fault.code, faults=[fault])
        given = [self._delivery(each, record) for each in to]
        return self._decided(record, given, order)

    def decide(self, record_id: str, order: Order) -> Decided:
        """Say what an entry means whose case is known. Raises as ``attach``; ``inbound.no_case`` if none is."""
        record = self._entry(record_id, order)
        if record.case_id is None:
            raise InvalidInput(
                "It is not known which case this belongs to.",
                code="inbound.no_case",
                action="Attach it to a case: POST /v1/ops/inbound/{id}/attach.",
            )
        return self._decided(record, [self._delivery(About(case_id=record.case_id), record)], order)

    def dismiss(self, record_id: str, order: Order) -> Decided:
        """Say that an entry is nobody's word. Raises as ``attach``."""
        record = self._entry(record_id, order)
        now = self._clock.now()
        decision = InboundDecision(seen=record, custody=Custody.DISMISSED, at=now, by=order.by, words=order.why[:500])
        corrections = self._corrections(record, order, now)
        self._store.apply(Change(decisions=(decision,), facts=corrections))
        if record.case_id is not None:
            self._settle(record.case_id, order, now, "dismissed")
        return Decided(record=self._store.inbound_record(record_id), messages=())

    def state(self, about: About, order: Order, *, rests_on: str, files: tuple[Attachment, ...] = ()) -> Decided:
        """Record what a body said by phone, on paper or in person. ``rests_on``: the document or call.

        Raises ``NotFound``, ``InvalidInput``.
        """
        if order.body is None:
            fault = Fault(pointer="/statement", code="inbound.no_statement", message="must say what the body said")
            raise InvalidInput("There is nothing to record.", code=fault.code, faults=[fault])
        delivery = self._delivery(about, None)
        now = self._clock.now()
        raw = RawInbound(content_type="text/plain; charset=utf-8", body=rests_on.encode())
        statement = self._statement(delivery, order.body, raw, files, order, rests_on, now)
        self._write([statement], Change(grants=self._grants(files, delivery)))
        self._settle(about.case_id, order, now, "stated")
        return Decided(record=None, messages=_messages([statement]))

    # One entry

    def _entry(self, record_id: str, order: Order) -> InboundRecord:
        record = self._store.inbound_record(record_id)
        if record is None:
            raise NotFound("There is no entry with this id.", code="inbound.unknown")
        if record.custody in _CLOSED and not order.again:
            raise Conflict(
                f"{record.decided_by} decided about this entry before: {record.custody}.",
                code="inbound.decided",
                action="Read the decision, and say `again` to correct it.",
            )
        return record

    def _delivery(self, about: About, record: InboundRecord | None) -> Delivery:
        """The delivery whose addressee speaks. ``NotFound`` if the case is unknown or was never sent to that body."""
        row = self._store.case(about.case_id)
        if row is None:
            raise NotFound("There is no case with this id.", code="case.unknown")
        deliveries = [d for d in self._store.deliveries(about.case_id) if not d.shadow]
        speaker = about.authority or (record.authority if record is not None else None)
        of_speaker = [d for d in deliveries if d.authority == speaker]
        found = of_speaker if of_speaker or about.authority else [d for d in deliveries if d.authority == row.authority]
        if not found:
            raise NotFound(
                "The case was not sent to this body, so it cannot have answered it.",
                code="inbound.not_sent",
                action="Name the body that speaks (`authority`), or assign the case to it first.",
            )
        return found[-1]

    def _decided(self, record: InboundRecord, given: Sequence[Delivery], order: Order) -> Decided:
        now, raw = self._clock.now(), self._raw(record)
        statements = [
            self._statement(
                delivery, order.body, raw, self._files(raw, delivery), order, record.id, now, record.received_at
            )
            for delivery in given
            if order.body is not None
        ]
        first, *others = given
        decision = InboundDecision(
            seen=record,
            custody=Custody.DECIDED,
            at=now,
            by=order.by,
            words=order.why[:500],
            case_id=first.case_id,
        )
        copies = tuple(_copy(record, delivery, decision) for delivery in others)
        change = Change(decisions=(decision,), inbound=copies, facts=self._corrections(record, order, now))
        self._write(statements, change)
        for delivery in given:
            self._settle(delivery.case_id, order, now, "decided")
        return Decided(record=self._store.inbound_record(record.id), messages=_messages(statements))

    def excerpt(self, record: InboundRecord) -> Excerpt:
        """Readable part of an entry, for whoever decides."""
        return self._excerpts.read(self._raw(record))

    def _raw(self, record: InboundRecord) -> RawInbound:
        return RawInbound(content_type=record.content_type, body=self._store.inbound_body(record) or b"")

    def _corrections(self, record: InboundRecord, order: Order, now: datetime) -> tuple[Fact, ...]:
        """Facts that take back what this entry was said to mean before."""
        return tuple(
            Fact(
                kind=FactKind.CORRECTED,
                case_id=fact.case_id,
                at=now,
                source=Source.OPERATOR,
                authority=fact.authority,
                message_id=fact.message_id,
                data={
                    "of": short(fact),
                    "what": fact.kind.value,
                    "by": order.by,
                    "why": order.why[:500],
                    "rests_on": record.id,
                },
            )
            for case_id in self._cases_of(record)
            for fact in read(self._store.facts(case_id)).facts
            if fact.kind in STATEMENTS and _rests_on(fact, record)
        )

    def _cases_of(self, record: InboundRecord) -> list[CaseId]:
        """Cases at which facts may stand that rest on an entry: its own, and those it was put to beside."""
        copies = self._store.inbound(InboundFilter(sha256=record.sha256), limit=MAX_CASES)
        named = [record.case_id, *(copy.case_id for copy in copies if copy.detail == _copy_of(record))]
        return list(dict.fromkeys(case_id for case_id in named if case_id is not None))

    def _files(self, raw: RawInbound, delivery: Delivery) -> tuple[Attachment, ...]:
        """Files of the input, stored before a statement names them; each once."""
        if self._attachments is None:
            return ()
        found: dict[str, Attachment] = {}
        stored: list[StoredAttachment] = []
        now = self._clock.now()
        for file in self._excerpts.read(raw).files[:MAX_ATTACHMENTS]:
            sha256, size = self._attachments.put(iter((file.data,)), limit=MAX_ATTACHMENT_BYTES)
            found[sha256] = Attachment(sha256=sha256, size=size, media_type=file.media_type, name=file.name)
            stored.append(StoredAttachment(sha256=sha256, size=size, media_type=file.media_type, created_at=now))
        files = tuple(found.values())
        self._store.apply(Change(attachments=tuple(stored), grants=self._grants(files, delivery)))
        return files

    def _grants(self, files: Sequence[Attachment], delivery: Delivery) -> tuple[Grant, ...]:
        return tuple(Grant(sha256=file.sha256, party=delivery.authority) for file in files)

    def _statement(
        self,
        delivery: Delivery,
        body: AuthorityBody,
        raw: RawInbound,
        files: tuple[Attachment, ...],
        order: Order,
        rests_on: str,
        now: datetime,
        heard: datetime | None = None,
    ) -> Statement:
        reported = ReportedStatus(
            raw=raw,
            said_id=f"{rests_on}\n{delivery.case_id}\n{order.by}\n{now.isoformat()}",
            body=body,
            at=body.at,
            party=delivery.authority,
            in_reply_to=delivery.message_id,
            attachments=files,
        )
        told = Told(reported=reported, door=Door.COLLECT, by=order.by, why=order.why, rests_on=rests_on, heard=heard)
        return self._evaluator.told(told, delivery)

    def _write(self, statements: Sequence[Statement], more: Change) -> None:
        now = self._clock.now()
        changes = [more]
        for statement in statements:
            updates = statement.settles(statement.delivery, now) if statement.delivery is not None else ()
            changes.append(replace(statement.change, updates=(*updates, *statement.change.updates)))
        self._store.apply(joined(changes))
        for statement in statements:
            if statement.asks:
                self._asked(statement.received.case_id)

    def _settle(self, case_id: CaseId, order: Order, now: datetime, how: str) -> None:
        """Close the items that waited for this decision, and say so for each delivery that nothing else waits about."""
        open_items = self._store.open_items([case_id]).get(case_id, ())
        waiting = [item for item in open_items if item.reason in HELD_REASONS]
        self._store.close_items(None, case_id, now, f"{how} by {order.by}: {order.why}"[:500], HELD_REASONS)
        others = {item.delivery_id for item in open_items if item.reason not in HELD_REASONS}
        self._store.apply(Change(facts=tuple(_resolved(item, order, now, how) for item in _once(waiting, others))))


def _once(waiting: Sequence[OperatorItem], others: Collection[DeliveryId | None]) -> list[OperatorItem]:
    return list({item.delivery_id: item for item in waiting if item.delivery_id not in others}.values())


def _resolved(item: OperatorItem, order: Order, now: datetime, how: str) -> Fact:
    return Fact(
        kind=FactKind.RESOLVED,
        case_id=item.case_id,
        at=now,
        source=Source.OPERATOR,
        delivery_id=item.delivery_id,
        data={"by": order.by, "how": f"{how}: {order.why}"[:500], "deed": DECIDED},
    )


def _copy_of(record: InboundRecord) -> str:
    return f"copy of {record.id}"


def _copy(record: InboundRecord, delivery: Delivery, decision: InboundDecision) -> InboundRecord:
    """The same entry at a further case."""
    return replace(
        record,
        id=str(uuid.uuid5(delivery.case_id, record.id)),
        case_id=delivery.case_id,
        message_id=None,
        custody=Custody.DECIDED,
        decided_at=decision.at,
        decided_by=decision.by,
        decision=decision.words,
        detail=_copy_of(record),
    )


def _rests_on(fact: Fact, record: InboundRecord) -> bool:
    """True if a fact stands by this entry: an earlier decision about it, or its own statement."""
    return fact.data.get("rests_on") == record.id or (
        record.message_id is not None and fact.message_id == record.message_id
    )


def _messages(statements: Sequence[Statement]) -> tuple[tuple[CaseId, MessageId], ...]:
    return tuple((each.received.case_id, each.received.message_id) for each in statements)
