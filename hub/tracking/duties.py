"""What the hub must do for a case by itself, and when: the alarms of its terms, and what asks for an act.

Pure: duties are derived from the set of facts. A duty that was done left a fact that names it (``because``), and so is
not derived again, however often and in whatever order facts come. ``watch_at`` is the moment of the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.schemas.delivery import Fact, FactKind
from hub.schemas.kyiv import kyiv_day
from hub.tracking.law import Law
from hub.tracking.story import Executor, is_refusal, short
from hub.tracking.terms import Breach, CaseFacts, Term, breaches, nearest_due, terms

_MILLISECOND = timedelta(milliseconds=1)


class Act(StrEnum):
    """Kinds of duties."""

    REDIRECT = "redirect"
    REFUSAL = "refusal"
    NEXT_CHANNEL = "next_channel"
    WARN = "warn"
    OVERDUE = "overdue"
    CORRECT = "correct"
    BREACH = "breach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One thing to do. ``name``: what the fact that it leaves behind says in ``because``. ``aside``: it is about a
    message that followed the appeal.
    """

    act: Act
    at: datetime
    name: str
    executor: Executor | None = None
    fact: Fact | None = None
    term: Term | None = None
    breach: Breach | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What lies ahead of a case."""

    due_at: datetime | None
    watch_at: datetime | None


def duties(case: CaseFacts, law: Law) -> tuple[Duty, ...]:
    """Everything that is still to be done, earliest first; those whose moment lies ahead included."""
    return _duties(case, terms(case, law), law)


def outlook(case: CaseFacts, law: Law) -> Outlook:
    """When the case's next term ends, and when the hub must look at it again."""
    found = terms(case, law)
    todo = _duties(case, found, law)
    return Outlook(due_at=nearest_due(found), watch_at=todo[0].at if todo else None)


def _duties(case: CaseFacts, found: tuple[Term, ...], law: Law) -> tuple[Duty, ...]:
    done = case.story.because
    todo = (duty for duty in _all(case, found, law) if duty.name not in done)
    return tuple(sorted(todo, key=lambda duty: (duty.at, duty.name)))


def _all(case: CaseFacts, found: tuple[Term, ...], law: Law) -> Iterator[Duty]:
    for executor in case.story.executors:
        yield from _asked(executor, case)
    for breach in breaches(case, law):
        yield Duty(
            act=Act.BREACH,
            at=breach.fact.at,
            name=f"{breach.code}:{short(breach.fact)}",
            executor=breach.executor,
            fact=breach.fact,
            breach=breach,
        )
    for term in found:
        if term.running:
            yield from _alarms(term, case.story.because)
    yield from _corrections(case, found)


def _asked(executor: Executor, case: CaseFacts) -> Iterator[Duty]:
    """Statements that ask for an act, unless the case went on: to another body, or to its end by another's answer."""
    if not executor.decides or executor.superseded_by is not None or case.story.withdrawn_at is not None:
        return
    if case.finished and executor.standing() is None:
        return
    for fact in executor.facts:
        if fact.kind is FactKind.REDIRECTED:
            yield Duty(act=Act.REDIRECT, at=fact.at, name=short(fact), executor=executor, fact=fact)
        elif is_refusal(fact):
            yield Duty(act=Act.REFUSAL, at=fact.at, name=short(fact), executor=executor, fact=fact)
    for parcel in executor.parcels.values():
        for fact in parcel.facts:
            if is_refusal(fact):
                yield Duty(act=Act.REFUSAL, at=fact.at, name=short(fact), executor=executor, fact=fact, aside=True)


def _alarms(term: Term, done: frozenset[str]) -> Iterator[Duty]:
    """Warnings before a term ends, and the alarm after it; once that was given, warnings are void."""
    day = kyiv_day(term.due_at).isoformat()
    # An hour-long term that moved within its day is another term; days suffice for the others.
    stamp = term.due_at.isoformat() if term.rule.length.hours else day
    over = f"over:{term.subject}:{stamp}"
    if over in done:
        return
    for days in term.rule.warn_days:
        at = term.due_at - timedelta(days)
        if at > term.started_at:
            yield Duty(act=Act.WARN, at=at, name=f"warn{days}:{term.subject}:{day}", term=term)
    act = Act.NEXT_CHANNEL if term.rule.overdue == "next_channel" else Act.OVERDUE
    yield Duty(act=act, at=term.due_at + _MILLISECOND, name=over, term=term)


def _corrections(case: CaseFacts, found: Iterable[Term]) -> Iterator[Duty]:
    """A term that was called overdue, and was not: a fact that came late says so."""
    by_subject = {term.subject: term for term in found}
    for fact in case.story.of(FactKind.TERM_OVERDUE):
        term = by_subject.get(fact.data.get("subject", ""))
        if term is None:
            continue
        was_due = fact.data.get("due", "")
        in_time = term.met is True or kyiv_day(term.due_at).isoformat() > was_due
        if in_time:
            yield Duty(act=Act.CORRECT, at=fact.at, name=f"correct:{short(fact)}", term=term, fact=fact)
