"""Building: a submission becomes a case with an envelope, a route and a delivery. Pure but for ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from hub.cases.assignment import assign
from hub.cases.coexecutors import further
from hub.cases.idempotency import kept_answer
from hub.cases.minimisation import has_own
from hub.cases.rows import PRIORITIES, case_fact, grants, outgoing_message, submitted_message, waiting_delivery
from hub.cases.shadows import with_shadows
from hub.cases.submission import Accepted, Built, OnUnknown, Submission
from hub.cases.unknown import impossible_moments, unknown_values
from hub.errors import InvalidInput
from hub.ports import Directory, Outcome
from hub.router import Decision, RoutingRequest, accused_above, decide
from hub.schemas.base import format_datetime
from hub.schemas.centre import CentreAnswer
from hub.schemas.delivery import Change, Delivery, Fact, FactKind, Message, NewCase, OperatorItem, Source, joined
from hub.schemas.directory import Authority
from hub.schemas.envelope import AppealEnvelope, AppealForm, DueDates, Header, Party
from hub.schemas.ids import CaseId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Conclusion, Role
from hub.tracking.law import Law
from hub.tracking.state import State


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
    return decide(RoutingRequest.of(form, declined=declined, named=addressee), directory, kyiv_day(now))


def accused_by(form: AppealForm, authority: Authority, directory: Directory, now: datetime) -> str | None:
    """The body that this complaint is about, if it is the authority or stands above it (article 7)."""
    return accused_above(RoutingRequest.of(form), authority, directory, kyiv_day(now))


class SubmissionBuilder:
    """Builds what a submission writes. ``party``: who the hub is towards authorities; ``law``: what terms count by."""

    def __init__(self, party: Party, law: Law) -> None:
        self._party = party
        self._law = law

    def build(self, submission: Submission, directory: Directory, now: datetime, number: str) -> Built:
        """Everything that an appeal writes that was not refused, with its route. ``number``: the case's."""
        form = submission.form
        decision = route(form, directory, now) if form.answered is None else _answered_at_once(directory)
        case_id = submission.case_id or CaseId(new_id())
        envelope = self._envelope(submission, case_id, decision, directory, now, number)
        message = outgoing_message(envelope)
        accepted = _accepted(message, decision, form.answered, number)
        delivery = _delivery(submission, message, decision, now)
        facts, items = _facts(case_id, decision, delivery, now, form, number)
        change = Change(
            cases=(_case(submission, case_id, envelope, now, number),),
            messages=(*self._as_submitted(submission, envelope), message),
            deliveries=with_shadows(delivery, directory) if delivery else (),
            facts=facts,
            items=items,
            grants=grants(submission.attachments, decision.authority) if decision.authority else (),
            answers=kept_answer(submission.repeatable, accepted.answer, now),
        )
        if len(form.topics) > 1:
            change = joined((change, *self._further(envelope, case_id, decision, directory, now)))
        return Built(
            submission=submission,
            accepted=accepted,
            change=change,
            channel_id=delivery.channel_id if delivery else None,
        )

    def _as_submitted(self, submission: Submission, envelope: AppealEnvelope) -> tuple[Message, ...]:
        """The appeal as it came in, where that is more than what goes out: sealed, or with the centre's own in it."""
        if submission.inbound is not None:
            return (submission.inbound,)
        if not has_own(submission.form):
            return ()
        told = {"message_id": new_id(), "sender": Party(code=submission.owner), "recipient": self._party, "due": None}
        came = {"header": envelope.header.model_copy(update=told), "body": submission.form}
        return (submitted_message(envelope.model_copy(update=came)),)

    def _further(
        self, envelope: AppealEnvelope, case_id: CaseId, main: Decision, directory: Directory, now: datetime
    ) -> Iterator[Change]:
        """Co-executors for further topics; the sweeper rings for their lanes."""
        for decision in further(envelope.body, main, directory, kyiv_day(now)):
            authority = directory.authority(decision.authority or "")
            if authority is not None:
                yield assign(
                    envelope,
                    case_id,
                    authority,
                    directory,
                    party=self._party,
                    law=self._law,
                    role=Role.CO_EXECUTOR,
                    source=Source.HUB,
                    now=now,
                    data=decision.data(),
                ).change

    def _envelope(
        self,
        submission: Submission,
        case_id: CaseId,
        decision: Decision,
        directory: Directory,
        now: datetime,
        number: str,
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
                due=DueDates(answer=self._law.answer_day(kyiv_day(now))) if submission.form.answered is None else None,
            ),
            body=_with_number(submission.form, number),
            attachments=submission.attachments,
        )


def _answered_at_once(directory: Directory) -> Decision:
    """No way at all: the centre answered, so nobody is looked for."""
    reason = Conclusion.ANSWERED_BY_CENTRE.value
    return Decision(authority=None, channel_ids=(), reason=reason, steps=(), registry_version=directory.version)


def _with_number(form: AppealForm, number: str) -> AppealForm:
    """The form as it goes out: where the centre gave no number of its own, bodies know the appeal by the case's."""
    return form if form.reference is not None else form.model_copy(update={"reference": number})


def refuse_unknown(submission: Submission, directory: Directory, now: datetime) -> None:
    """Raise ``InvalidInput`` for what the registry does not know, and for days that have not come."""
    faults = [*impossible_moments(submission.form, now)]
    if submission.on_unknown is OnUnknown.REFUSE:
        faults += unknown_values(submission.form, directory)
    if faults:
        raise InvalidInput(
            "The appeal names what the registry does not know, or a moment that cannot be.",
            code=faults[0].code if len(faults) == 1 else "appeal.unknown",
            faults=faults,
            action="Choose a value that is known (GET /v1/classifiers), or say on_unknown: operators.",
        )


def _accepted(message: Message, decision: Decision, answered: CentreAnswer | None, number: str) -> Accepted:
    unrouted = "operators" if answered is None else State.CONCLUDED.value
    document = {
        "case_id": str(message.case_id),
        "case_number": number,
        "message_id": str(message.id),
        "authority": decision.authority,
        "state": "routed" if decision.authority else unrouted,
        "reason": decision.reason,
        "registry_version": decision.registry_version,
    }
    return Accepted(
        case_id=message.case_id,
        message_id=message.id,
        authority=decision.authority,
        reason=decision.reason,
        answer=json.dumps({k: v for k, v in document.items() if v is not None}).encode(),
    )


def _delivery(submission: Submission, message: Message, decision: Decision, now: datetime) -> Delivery | None:
    if decision.authority is None:
        return None
    return waiting_delivery(
        message,
        authority=decision.authority,
        channel_id=decision.channel_ids[0],
        role=Role.MAIN,
        priority=PRIORITIES[submission.priority],
        now=now,
    )


def _case(submission: Submission, case_id: CaseId, envelope: AppealEnvelope, now: datetime, number: str) -> NewCase:
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
        case_number=number,
    )


def _facts(
    case_id: CaseId,
    decision: Decision,
    delivery: Delivery | None,
    now: datetime,
    form: AppealForm,
    number: str,
) -> tuple[tuple[Fact, ...], tuple[OperatorItem, ...]]:
    since = {"received_at": format_datetime(form.received_at), "case_number": number}
    accepted = case_fact(FactKind.ACCEPTED_BY_HUB, case_id, now, Source.HUB, data=since)
    data = decision.data()
    if delivery is not None:
        routed = case_fact(
            FactKind.ROUTED,
            case_id,
            now,
            Source.HUB,
            authority=delivery.authority,
            delivery_id=delivery.id,
            data=data,
        )
        return (accepted, routed), ()
    if form.answered is not None:
        return (accepted, _concluded(case_id, form.answered)), ()
    item = OperatorItem(
        id=str(new_id()),
        case_id=case_id,
        reason=decision.reason,
        detail=" ".join(step.text for step in decision.steps)[: Outcome.DETAIL_MAX_CHARS],
        opened_at=now,
    )
    return (accepted, case_fact(FactKind.ESCALATED, case_id, now, Source.HUB, data=data)), (item,)


def _concluded(case_id: CaseId, answered: CentreAnswer) -> Fact:
    """The fact that ends the case: the centre gave a consultation at once. The words stay in the message."""
    data = {
        "decision": Conclusion.ANSWERED_BY_CENTRE.value,
        "why": f"Answered at once: {answered.result}.",
        "result": answered.result.value,
        "by": answered.by,
    }
    return case_fact(FactKind.CONCLUDED, case_id, answered.at, Source.NCC, data=data)
