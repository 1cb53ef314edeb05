"""Taking in: an appeal becomes a case with an envelope, a route and a delivery, all in one transaction.

202 is said only after ``submit`` returned: accepted means durable. An appeal that nobody can take goes to the
operators' queue with the reason, never nowhere.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.delivery.coexecutors import further
from hub.delivery.giving import PRIORITIES, give, outgoing_message
from hub.delivery.group import Group
from hub.delivery.handover import with_shadows
from hub.errors import Conflict, Fault, HubError, InvalidInput
from hub.failpoints import hit
from hub.ports import Clock, Directory, Doorbell, Registry, Store
from hub.router import Decision, RoutingRequest, decide
from hub.schemas.delivery import (
    Change,
    Delivery,
    Fact,
    FactKind,
    Grant,
    Message,
    NewCase,
    OperatorItem,
    Source,
    StoredAnswer,
    TransportState,
    joined,
)
from hub.schemas.envelope import AppealEnvelope, AppealForm, Attachment, DueDates, Header, Party
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Priority, Role
from hub.tracking import law

ACCEPTED_STATUS = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """An idempotency key of a principal and the SHA-256 of the request that came with it."""

    principal: str
    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One appeal to take in. ``owner``: the party that submits; ``inbound``: the sealed envelope that it came in."""

    form: AppealForm
    owner: str
    attachments: tuple[Attachment, ...] = ()
    priority: Priority = Priority.NORMAL
    repeatable: Repeatable | None = None
    case_id: CaseId | None = None
    inbound: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a submission. ``answer``: the JSON document for the caller, kept for repeats."""

    case_id: CaseId
    message_id: MessageId
    authority: str | None
    reason: str
    answer: bytes
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An appeal ready to be written."""

    submission: Submission
    accepted: Accepted
    change: Change
    channel_id: str | None


def _join(changes: Sequence[Change]) -> Change:
    return Change(
        cases=tuple(x for c in changes for x in c.cases),
        messages=tuple(x for c in changes for x in c.messages),
        deliveries=tuple(x for c in changes for x in c.deliveries),
        facts=tuple(x for c in changes for x in c.facts),
        items=tuple(x for c in changes for x in c.items),
        answers=tuple(x for c in changes for x in c.answers),
        grants=tuple(x for c in changes for x in c.grants),
    )


def _refuse_equal_keys(submissions: Sequence[Submission]) -> None:
    """One key twice in one transaction: the store could not tell which is the repeat, so they go one by one."""
    keys = [(s.repeatable.principal, s.repeatable.key) for s in submissions if s.repeatable]
    if len(set(keys)) < len(keys):
        raise Conflict("This request was answered before.", code="idempotency.repeat")


class Intake:
    """Takes appeals in. ``party``: who the hub is towards authorities (the contact centre's code and name)."""

    def __init__(self, *, store: Store, registry: Registry, clock: Clock, doorbell: Doorbell, party: Party) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell
        self._party = party
        self._group: Group[Submission, Accepted] = Group("hub-intake", self._write_all)

    def submit(self, submission: Submission) -> Accepted:
        """Take in one appeal durably. Raises ``InvalidInput``, ``Conflict``, ``Unavailable``.

        Calls of several threads at once share transactions.
        """
        return self._group.call(submission)

    def build(self, submission: Submission) -> Built | None:
        """All of an appeal that can be made without asking the store; ``None`` if it names things that the store must
        be asked for. Raises ``InvalidInput``. For ``write_each``.
        """
        if submission.attachments or submission.form.earlier:
            return None
        return self._build(submission, self._registry.current(), self._clock.now())

    def write_each(self, built: Sequence[Built]) -> list[Accepted | HubError]:
        """Take in what was built, in one transaction; if one stops it, each goes alone, so that nobody pays for
        another. What became of each, in order.
        """
        try:
            self._keep(built)
        except HubError as error:
            if len(built) == 1:
                return [self._alone(built[0], error)]
            return [outcome for each in built for outcome in self.write_each([each])]
        return [each.accepted for each in built]

    def _alone(self, built: Built, refusal: HubError) -> Accepted | HubError:
        """A repeat gets the answer that was given before."""
        if not refusal.stable_code.startswith("idempotency."):
            return refusal
        try:
            return self._write([built.submission], look=True)[0]
        except HubError as error:
            return error

    def submit_all(self, submissions: Sequence[Submission]) -> tuple[Accepted, ...]:
        """Take in several appeals in one transaction; all or none."""
        return tuple(self._write_all(submissions))

    def _write_all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Write first and look for an earlier answer only if the key turns out to be taken: repeats are rare."""
        try:
            return self._write(submissions, look=False)
        except Conflict as conflict:
            if not conflict.stable_code.startswith("idempotency."):
                raise
            return self._write(submissions, look=True)

    def _write(self, submissions: Sequence[Submission], *, look: bool) -> Sequence[Accepted]:
        now = self._clock.now()
        directory = self._registry.current()
        done = [(look and self._repeated(s)) or self._build(s, directory, now) for s in submissions]
        built = [b for b in done if isinstance(b, Built)]
        if built:
            self._keep(built)
        return [b.accepted if isinstance(b, Built) else b for b in done]

    def _keep(self, built: Sequence[Built]) -> None:
        _refuse_equal_keys([b.submission for b in built])
        hit("S2")
        self._store.apply(_join([b.change for b in built]))
        hit("S3")
        for channel_id in {b.channel_id for b in built if b.channel_id}:
            self._doorbell.ring(channel_id, suspect=False)

    def _repeated(self, submission: Submission) -> Accepted | None:
        """The answer given before to the same idempotency key."""
        key = submission.repeatable
        stored = self._store.answer(key.principal, key.key) if key else None
        if key is None or stored is None:
            return None
        if stored.request_sha256 != key.request_sha256:
            raise Conflict("This Idempotency-Key was used for another request.", code="idempotency.conflict")
        answer = json.loads(stored.body)
        return Accepted(
            case_id=CaseId(uuid.UUID(answer["case_id"])),
            message_id=MessageId(uuid.UUID(answer["message_id"])),
            authority=answer.get("authority"),
            reason=answer["reason"],
            answer=stored.body,
            repeat=True,
        )

    def _build(self, submission: Submission, directory: Directory, now: datetime) -> Built:
        form = submission.form
        self._check(submission)
        decision = route(form, directory, now)
        case_id = submission.case_id or CaseId(new_id())
        envelope = self._envelope(submission, case_id, decision, directory, now)
        message = outgoing_message(envelope)
        accepted = self._accepted(message, decision)
        delivery = self._delivery(submission, message, decision, now)
        facts, items = self._facts(case_id, decision, delivery, now)
        key = submission.repeatable
        change = Change(
            cases=(self._case(submission, case_id, envelope, now),),
            messages=(message,) if submission.inbound is None else (submission.inbound, message),
            deliveries=with_shadows(delivery, directory) if delivery else (),
            facts=facts,
            items=items,
            grants=tuple(
                Grant(sha256=entry.sha256, party=decision.authority)
                for entry in submission.attachments
                if decision.authority
            ),
            answers=(
                StoredAnswer(
                    principal=key.principal,
                    key=key.key,
                    request_sha256=key.request_sha256,
                    status=ACCEPTED_STATUS,
                    body=accepted.answer,
                    created_at=now,
                ),
            )
            if key
            else (),
        )
        if len(form.topics) > 1:
            change = joined((change, *self._further(envelope, case_id, decision, directory, now)))
        return Built(
            submission=submission,
            accepted=accepted,
            change=change,
            channel_id=delivery.channel_id if delivery else None,
        )

    def _further(
        self, envelope: AppealEnvelope, case_id: CaseId, main: Decision, directory: Directory, now: datetime
    ) -> Iterator[Change]:
        """Co-executors for further topics; the sweeper rings for their lanes."""
        for decision in further(envelope.body, main, directory, now):
            authority = directory.authority(decision.authority or "")
            if authority is not None:
                yield give(
                    envelope,
                    case_id,
                    authority,
                    directory,
                    party=self._party,
                    role=Role.CO_EXECUTOR,
                    source=Source.HUB,
                    now=now,
                    data={"reason": decision.reason, "registry_version": decision.registry_version},
                ).change

    def _check(self, submission: Submission) -> None:
        """Faults that only the store can tell: attachments that are not there, earlier cases that are not yours."""
        faults = []
        for index, entry in enumerate(submission.attachments):
            stored = self._store.attachment(entry.sha256)
            readable = stored is not None and self._store.may_read(entry.sha256, submission.owner)
            if stored is None or not readable or stored.size != entry.size:
                faults.append(
                    Fault(
                        pointer=f"/attachments/{index}",
                        code="attachment.unknown",
                        message="no attachment with this SHA-256 and size was uploaded by you",
                    )
                )
        for index, earlier in enumerate(submission.form.earlier):
            row = self._store.case(CaseId(earlier))
            if row is None or row.case.owner != submission.owner:
                faults.append(
                    Fault(pointer=f"/earlier/{index}", code="case.unknown", message="you have no case with this id")
                )
        if faults:
            raise InvalidInput("The appeal names things that the hub does not have.", faults=faults)

    def _envelope(
        self, submission: Submission, case_id: CaseId, decision: Decision, directory: Directory, now: datetime
    ) -> AppealEnvelope:
        authority = directory.authority(decision.authority) if decision.authority else None
        recipient = Party(code=authority.code, name=authority.name) if authority else self._party
        return AppealEnvelope(
            header=Header(
                message_id=new_id(),
                case_id=case_id,
                created_at=now,
                sender=self._party,
                recipient=recipient,
                role=Role.MAIN,
                priority=submission.priority,
                due=DueDates(answer=law.in_force().answer_day(kyiv_day(now))),
            ),
            body=submission.form,
            attachments=submission.attachments,
        )

    @staticmethod
    def _accepted(message: Message, decision: Decision) -> Accepted:
        document = {
            "case_id": str(message.case_id),
            "message_id": str(message.id),
            "authority": decision.authority,
            "state": "routed" if decision.authority else "operators",
            "reason": decision.reason,
            "registry_version": decision.registry_version,
        }
        answer = json.dumps({k: v for k, v in document.items() if v is not None}).encode()
        return Accepted(
            case_id=message.case_id,
            message_id=message.id,
            authority=decision.authority,
            reason=decision.reason,
            answer=answer,
        )

    @staticmethod
    def _delivery(submission: Submission, message: Message, decision: Decision, now: datetime) -> Delivery | None:
        if decision.authority is None:
            return None
        return Delivery(
            id=DeliveryId(new_id()),
            case_id=message.case_id,
            message_id=message.id,
            authority=decision.authority,
            channel_id=decision.channel_ids[0],
            role=Role.MAIN,
            priority=PRIORITIES[submission.priority],
            state=TransportState.WAITING,
            created_at=now,
            next_at=now,
        )

    @staticmethod
    def _case(submission: Submission, case_id: CaseId, envelope: AppealEnvelope, now: datetime) -> NewCase:
        form = submission.form
        due = envelope.header.due
        return NewCase(
            id=case_id,
            created_at=now,
            owner=submission.owner,
            reference=form.reference,
            channel=form.channel,
            kind=form.kind,
            topics=form.topics,
            place=form.place,
            priority=PRIORITIES[submission.priority],
            answer_due=due.answer.isoformat() if due and due.answer else None,
        )

    @staticmethod
    def _facts(
        case_id: CaseId, decision: Decision, delivery: Delivery | None, now: datetime
    ) -> tuple[tuple[Fact, ...], tuple[OperatorItem, ...]]:
        accepted = Fact(kind=FactKind.ACCEPTED_BY_HUB, case_id=case_id, at=now, source=Source.HUB)
        data = {"reason": decision.reason, "registry_version": decision.registry_version}
        if delivery is not None:
            routed = Fact(
                kind=FactKind.ROUTED,
                case_id=case_id,
                at=now,
                source=Source.HUB,
                authority=delivery.authority,
                delivery_id=delivery.id,
                data=data,
            )
            return (accepted, routed), ()
        escalated = Fact(kind=FactKind.ESCALATED, case_id=case_id, at=now, source=Source.HUB, data=data)
        item = OperatorItem(
            id=str(new_id()),
            case_id=case_id,
            reason=decision.reason,
            detail=" ".join(step.text for step in decision.steps)[:2_000],
            opened_at=now,
        )
        return (accepted, escalated), (item,)


def route(
    form: AppealForm,
    directory: Directory,
    now: datetime,
    *,
    declined: tuple[str, ...] = (),
    addressee: str | None = None,
) -> Decision:
    """Ask the router who answers this form. ``declined``: bodies that said they are not competent; ``addressee``: the
    body that one of them named.
    """
    return decide(
        RoutingRequest(
            topics=form.topics,
            place=form.place,
            addressee=addressee or (form.addressee.code if form.addressee else None),
            addressee_kind=form.addressee.kind if form.addressee and addressee is None else None,
            kind=form.kind,
            channel=form.channel,
            about=form.about,
            declined=declined,
        ),
        directory,
        kyiv_day(now),
    )
