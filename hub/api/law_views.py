"""Executors, terms and the chain of redirects of a case, as the doors show them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hub.api.views import CopyView, ExecutorView, HopView, TermView
from hub.schemas import json_rendering
from hub.schemas.base import format_datetime
from hub.schemas.delivery import CaseRow, Delivery, FactKind, Message
from hub.schemas.envelope import ReceiptEnvelope, RedirectEnvelope
from hub.schemas.kyiv import kyiv_day
from hub.tracking import chain
from hub.tracking.copies import Copy, copies
from hub.tracking.law import Law
from hub.tracking.state import state_of
from hub.tracking.story import Executor, Story
from hub.tracking.terms import CaseFacts, Term, breaches, case_facts, terms


def _moment(at: datetime | None) -> str | None:
    return format_datetime(at) if at is not None else None


def executors(story: Story, deliveries: Iterable[Delivery]) -> tuple[ExecutorView, ...]:
    """Executors in the order in which they got the case."""
    channels = {str(delivery.id): delivery.channel_id for delivery in deliveries}
    return tuple(_executor(story, each, channels) for each in story.executors)


def _executor(story: Story, executor: Executor, channels: dict[str, str]) -> ExecutorView:
    registered = executor.of(FactKind.REGISTERED)
    refused = executor.of(FactKind.REFUSED)
    return ExecutorView(
        authority=executor.authority,
        role=executor.role,
        state=state_of(executor),
        number=executor.number,
        registered_on=registered[0].data.get("date") if registered else None,
        ground=refused[0].data.get("ground") if refused and not registered else None,
        superseded=executor.superseded_by is not None,
        returns=len(executor.returns()),
        copies=tuple(_copy(copy, channels) for copy in copies(story, executor)),
    )


def _copy(copy: Copy, channels: dict[str, str]) -> CopyView:
    return CopyView(
        delivery_id=copy.delivery,
        channel_id=channels.get(copy.delivery),
        sent_at=_moment(copy.sent_at),
        receipt=copy.receipt.kind if copy.receipt else None,
        received_at=_moment(copy.received_at),
        given_up_at=_moment(copy.given_up_at),
        counts=copy.counts,
    )


def terms_of(case: CaseFacts, now: datetime, law: Law) -> tuple[TermView, ...]:
    """All terms of a case."""
    return tuple(_term(term, now) for term in terms(case, law))


def _term(term: Term, now: datetime) -> TermView:
    running = "overdue" if now > term.due_at else "running"
    ended = "met" if term.met else "late"
    return TermView(
        term=term.rule.code,
        title=term.rule.title,
        law=term.rule.law,
        authority=term.authority,
        delivery_id=term.copy or (term.executor if term.executor != term.authority else None),
        started_at=format_datetime(term.started_at),
        due_at=format_datetime(term.due_at),
        due=kyiv_day(term.due_at).isoformat(),
        ended_at=_moment(term.ended_at),
        state=running if term.running else ended,
        binding=term.rule.binding,
        extended=term.extended,
        provisional=term.provisional,
    )


def hops(row: CaseRow, story: Story, messages: Iterable[Message], law: Law) -> tuple[HopView, ...]:
    """The chain of redirects with the reasons that the bodies gave."""
    words = {message.id: message for message in messages}
    late = {b.fact.key for b in breaches(case_facts(row.case.channel, story, law), law) if b.code.startswith("late_")}
    return tuple(
        HopView(
            number=hop.number,
            role=hop.role,
            authority=hop.came_from,
            to=hop.to,
            named=hop.said,
            why=hop.why,
            decided_by=hop.decided_by,
            at=format_datetime(hop.at),
            days=hop.days,
            late=hop.fact is not None and hop.fact.key in late,
            reason=_reason(words.get(hop.fact.message_id)) if hop.fact and hop.fact.message_id else None,
        )
        for hop in chain.hops(story)
    )


def _reason(message: Message | None) -> str | None:
    if message is None:
        return None
    envelope = json_rendering.from_trusted(message.body)
    if isinstance(envelope, RedirectEnvelope):
        return envelope.body.reason
    return envelope.body.note if isinstance(envelope, ReceiptEnvelope) else None
