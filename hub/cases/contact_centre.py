"""Messages of the contact centre about a case after it was submitted: the applicant withdraws, answers a question or
supplements the appeal, or an answer is sent back for more work; and the centre's own notes, which go nowhere.

Each other becomes an envelope of its own kind to the executors it concerns, goes the same lanes as an appeal, and
leaves facts: what was said, and ``passed_on`` for each executor that it goes to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.cases.idempotency import IdempotencyKey, earlier_answer, is_repeat, kept_answer
from hub.cases.passing import CentreBody, Saying, behind_appeal, envelope_of, pass_on, pass_on_or_ask
from hub.cases.rows import case_fact, outgoing_message
from hub.delivery.fallback import WITHDRAWABLE
from hub.delivery.files import unknown_files
from hub.errors import Conflict, Fault, InvalidInput, NotFound
from hub.ports import Clock, Doorbell, Registry, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    DeliveryUpdate,
    Fact,
    FactKind,
    Note,
    Source,
    TransportState,
    joined,
)
from hub.schemas.envelope import (
    AnswerEnvelope,
    Attachment,
    ClarificationBody,
    Header,
    Party,
    ReturnBody,
    SupplementBody,
    WithdrawalBody,
)
from hub.schemas.ids import CaseId, MessageId, NoteId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import ClarificationStep, Kind
from hub.tracking.duties import supplement_name
from hub.tracking.state import FINISHED, State
from hub.tracking.story import Executor, Story, is_final, read, short


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMessage:
    """One thing the contact centre says. ``in_reply_to``: the question that is answered, or the answer sent back."""

    case_id: CaseId
    owner: str
    body: CentreBody
    in_reply_to: MessageId | None = None
    attachments: tuple[Attachment, ...] = ()
    repeatable: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseNote:
    """A note of the contact centre's people. ``by``: id of the principal."""

    case_id: CaseId
    owner: str
    by: str
    text: str
    repeatable: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A message that was kept and passed on. ``answer``: the JSON document for the caller, kept for repeats."""

    case_id: CaseId
    messages: tuple[str, ...]
    answer: bytes
    repeat: bool = False


class ContactCentre:
    """Takes what the contact centre says. Safe to call from many threads."""

    def __init__(self, *, store: Store, registry: Registry, clock: Clock, doorbell: Doorbell, party: Party) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell
        self._party = party

    def say(self, said: CaseMessage | CaseNote) -> Passed:
        """Raises ``NotFound`` (unknown or foreign case or message), ``Conflict`` (the case is over, nothing was asked,
        the key was used for something else), ``InvalidInput``, ``Unavailable``.
        """
        known = self._repeated(said)
        if known is not None:
            return known
        row = self._store.case(said.case_id)
        if row is None or row.case.owner != said.owner:
            raise NotFound("There is no case with this id.", code="case.unknown")
        try:
            return self._note(said) if isinstance(said, CaseNote) else self._write(said, row)
        except Conflict as conflict:
            if not is_repeat(conflict):
                raise
            repeated = self._repeated(said)
            if repeated is None:
                raise
            return repeated

    def _repeated(self, said: CaseMessage | CaseNote) -> Passed | None:
        body = earlier_answer(self._store, said.repeatable)
        if body is None:
            return None
        messages = tuple(json.loads(body)["messages"])
        return Passed(case_id=said.case_id, messages=messages, answer=body, repeat=True)

    def _note(self, note: CaseNote) -> Passed:
        """Kept beside the case, whatever its state; nobody is told but the centre."""
        now = self._clock.now()
        kept = Note(id=NoteId(new_id()), case_id=note.case_id, at=now, by=note.by, text=note.text)
        fact = case_fact(FactKind.NOTED, note.case_id, now, Source.NCC, data={"note": str(kept.id)})
        answer = _answer(note.case_id, (), kept)
        self._store.apply(Change(notes=(kept,), facts=(fact,), answers=kept_answer(note.repeatable, answer, now)))
        return Passed(case_id=note.case_id, messages=(), answer=answer)

    def _check(self, said: CaseMessage, row: CaseRow) -> None:
        if row.state == State.WITHDRAWN:
            raise Conflict(
                "The applicant withdrew this appeal.", code="case.withdrawn", action="Nothing is to be done."
            )
        faults = unknown_files(self._store, said.attachments, said.owner)
        if faults:
            raise InvalidInput("The message names attachments that the hub does not have.", faults=faults)

    def _write(self, said: CaseMessage, row: CaseRow) -> Passed:
        self._check(said, row)
        story = read(self._store.facts(said.case_id))
        now = self._clock.now()
        deliveries = {str(d.id): d for d in self._store.deliveries(said.case_id)}
        match said.body:
            case WithdrawalBody():
                made = self._withdraw(said, row, story, deliveries, now)
            case ClarificationBody():
                made = self._clarify(said, row, story, deliveries, now)
            case ReturnBody():
                made = self._return(said, row, story, deliveries, now)
            case SupplementBody():
                made = self._supplement(said, said.body, row, story, deliveries, now)
        ids = [str(message.id) for message in made.messages]
        answer = _answer(said.case_id, ids)
        self._store.apply(replace(made, answers=kept_answer(said.repeatable, answer, now)))
        for delivery in made.deliveries:
            self._doorbell.ring(delivery.channel_id, suspect=False)
        return Passed(case_id=said.case_id, messages=tuple(ids), answer=answer)

    # What goes to executors

    def _withdraw(
        self, said: CaseMessage, row: CaseRow, story: Story, deliveries: dict[str, Delivery], now: datetime
    ) -> Change:
        """To all that have it or may have it; copies that nobody has seen are stopped instead."""
        fact = case_fact(FactKind.WITHDRAWN, row.case.id, now, Source.NCC)
        stops, changes = [], []
        for executor in story.executors:
            copies = [deliveries[copy] for copy in executor.copies if copy in deliveries]
            stops += [
                DeliveryUpdate(id=d.id, state=TransportState.CANCELLED, last_code="withdrawn")
                for d in copies
                if d.state in WITHDRAWABLE
            ]
            seen = [d for d in copies if _may_be_seen(d, executor)]
            if seen and executor.superseded_by is None:
                directory = self._registry.current()
                changes.append(pass_on_or_ask(self._saying(said), executor, seen[-1], row, directory, now))
        return joined([Change(facts=(fact,), updates=tuple(stops)), *changes])

    def _supplement(
        self,
        said: CaseMessage,
        body: SupplementBody,
        row: CaseRow,
        story: Story,
        deliveries: dict[str, Delivery],
        now: datetime,
    ) -> Change:
        """To each executor that has the appeal. Whoever gets the appeal later, by its first delivery or a redirect,
        gets this behind it: that is a duty of the hub (``hub.tracking.duties``), and never goes before the appeal.
        """
        if row.state in FINISHED:
            raise Conflict(
                "The case is finished: nobody works on it any more.",
                code="case.finished",
                action="Send the answer back for more work (kind return), or submit a new appeal that names this case "
                "in earlier.",
            )
        if body.text is None and not said.attachments:
            fault = Fault(pointer="/body/text", code="supplement.empty", message="must give a text or attachments")
            raise InvalidInput("The supplement holds nothing.", code=fault.code, faults=[fault])
        header = Header(
            message_id=new_id(), case_id=row.case.id, created_at=now, sender=self._party, recipient=self._party
        )
        kept = outgoing_message(envelope_of(header, body, said.attachments))
        data = {"message": str(kept.id)}
        fact = case_fact(FactKind.SUPPLEMENTED, row.case.id, now, Source.NCC, data=data)
        changes = [Change(messages=(kept,), facts=(fact,))]
        for executor in story.executors:
            before = _last(executor, deliveries)
            if executor.has_appeal and before is not None and not _behind(story, executor):
                duty = (behind_appeal(story, fact, now), supplement_name(fact, executor))
                saying = replace(self._saying(said), duty=duty)
                directory = self._registry.current()
                changes.append(pass_on_or_ask(saying, executor, before, row, directory, now))
        return joined(changes)

    def _clarify(
        self, said: CaseMessage, row: CaseRow, story: Story, deliveries: dict[str, Delivery], now: datetime
    ) -> Change:
        """To the executor that asked."""
        assert isinstance(said.body, ClarificationBody)
        if said.body.step is not ClarificationStep.REPLY:
            fault = Fault(pointer="/body/step", code="clarification.step", message="must be reply")
            raise InvalidInput("The contact centre answers questions.", code=fault.code, faults=[fault])
        asked = self._asked(said, story)
        executor = next(e for e in story.executors if asked in e.facts)
        reply_to = said.in_reply_to or asked.message_id
        passed = self._pass_on(said, executor, _last(executor, deliveries), reply_to, row, now)
        fact = case_fact(
            FactKind.CLARIFIED,
            row.case.id,
            now,
            Source.NCC,
            authority=executor.authority,
            delivery_id=passed.deliveries[0].id,
            data={"question": short(asked)},
        )
        return joined([passed, Change(facts=(fact,))])

    def _asked(self, said: CaseMessage, story: Story) -> Fact:
        """The question that is answered: the one named, else the latest without an answer."""
        answered = {fact.data.get("question") for fact in story.of(FactKind.CLARIFIED)}
        questions = [
            fact
            for executor in story.executors
            for fact in executor.of(FactKind.CLARIFICATION_ASKED)
            if said.in_reply_to in (None, fact.message_id)
        ]
        open_ones = [fact for fact in questions if short(fact) not in answered]
        if said.in_reply_to is not None and not questions:
            raise NotFound("There is no such question in this case.", code="message.unknown")
        if not open_ones:
            raise Conflict("No question of an authority is open.", code="clarification.not_asked")
        return open_ones[-1]

    def _return(
        self, said: CaseMessage, row: CaseRow, story: Story, deliveries: dict[str, Delivery], now: datetime
    ) -> Change:
        """A final answer goes back to the executor that gave it; its rework has a term of its own."""
        assert isinstance(said.body, ReturnBody)
        executor, answer = self._answer(said, story)
        until = said.body.until
        if until is not None and until < kyiv_day(now):
            fault = Fault(pointer="/body/until", code="return.until", message="must not lie in the past")
            raise InvalidInput("The day of the new term is over.", code=fault.code, faults=[fault])
        reply_to = said.in_reply_to or answer.message_id
        passed = self._pass_on(said, executor, _last(executor, deliveries), reply_to, row, now)
        fact = case_fact(
            FactKind.RETURNED_FOR_WORK,
            row.case.id,
            now,
            Source.NCC,
            authority=executor.authority,
            delivery_id=passed.deliveries[0].id,
            data={"answer": short(answer), **({"until": until.isoformat()} if until else {})},
        )
        return joined([passed, Change(facts=(fact,))])

    def _answer(self, said: CaseMessage, story: Story) -> tuple[Executor, Fact]:
        """The answer that is sent back: the one named, else the one that stands."""
        if said.in_reply_to is not None:
            message = self._store.message(said.in_reply_to)
            if message is None or message.case_id != said.case_id or message.kind is not Kind.ANSWER:
                raise NotFound("There is no such answer in this case.", code="message.unknown")
            envelope = json_rendering.from_trusted(message.body)
            assert isinstance(envelope, AnswerEnvelope)
            named = {"number": envelope.body.number, "date": envelope.body.date.isoformat()}
            sender = message.sender
        else:
            named, sender = {}, ""
        for executor in story.executors:
            standing = executor.standing()
            if standing is None or (sender and executor.authority != sender):
                continue
            if all(standing.data.get(key) == value for key, value in named.items()) and is_final(standing):
                return executor, standing
        raise Conflict(
            "There is no final answer that could be sent back.",
            code="return.no_answer",
            action="Wait for a final answer; an interim one, or one sent back before, cannot be returned.",
        )

    def _saying(self, said: CaseMessage, reply_to: MessageId | None = None) -> Saying:
        return Saying(body=said.body, attachments=said.attachments, party=self._party, in_reply_to=reply_to)

    def _pass_on(
        self,
        said: CaseMessage,
        executor: Executor,
        before: Delivery | None,
        reply_to: MessageId | None,
        row: CaseRow,
        now: datetime,
    ) -> Change:
        return pass_on(self._saying(said, reply_to), executor, before, row, self._registry.current(), now)


def _may_be_seen(delivery: Delivery, executor: Executor) -> bool:
    """True if the body may have this copy: it was sent or fetched, or a try had an end that nobody knows."""
    if delivery.state in (TransportState.WAITING, TransportState.OFFERED):
        return any(str(fact.delivery_id) == str(delivery.id) for fact in executor.of(FactKind.SENT))
    return delivery.state is TransportState.DELIVERED or delivery.attempts > 0


def _behind(story: Story, executor: Executor) -> bool:
    """True if an earlier supplement was not passed on to it yet: this one then waits its turn too."""
    names = (supplement_name(fact, executor) for fact in story.of(FactKind.SUPPLEMENTED))
    return any(name not in story.because for name in names)


def _last(executor: Executor, deliveries: dict[str, Delivery]) -> Delivery | None:
    known = [deliveries[copy] for copy in executor.copies if copy in deliveries]
    return known[-1] if known else None


def _answer(case_id: CaseId, messages: Sequence[str], note: Note | None = None) -> bytes:
    document = {"case_id": str(case_id), "messages": list(messages), "note": str(note.id) if note else None}
    return json.dumps(document).encode()
