"""Duties that the hub has for a case by itself, and when: the alarms of its terms, and what asks for an act.

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
from hub.tracking.story import HAD, Executor, Story, is_refusal, short
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
    SUPPLEMENT = "supplement"


@dataclass(slots=True)
class Duty:
    """One thing to do. ``days``: how long before the end a warning comes. ``times``: how often the alarm came before.
    ``aside``: it is about a message that followed the appeal.
    """

    act: Act
    at: datetime
    executor: Executor | None = None
    fact: Fact | None = None
    term: Term | None = None
    breach: Breach | None = None
    days: int = 0
    times: int = 0
    aside: bool = False

    @property
    def name(self) -> str:
        """Name that the fact it leaves behind gives in ``because``; made when it is asked for, most never are."""
        if self.term is not None and self.act is not Act.CORRECT:
            return f"warn{self.days}:{_mark(self.term)}" if self.act is Act.WARN else over_name(self.term, self.times)
        assert self.fact is not None
        if self.act is Act.SUPPLEMENT:
            assert self.executor is not None
            return supplement_name(self.fact, self.executor)
        if self.breach is not None:
            return f"{self.breach.code}:{short(self.fact)}"
        return f"correct:{short(self.fact)}" if self.act is Act.CORRECT else short(self.fact)


def supplement_name(supplemented: Fact, executor: Executor) -> str:
    """Names the duty to pass a supplement on to an executor."""
    return f"supplement:{short(supplemented)}:{executor.key}"


def over_name(term: Term, times: int = 0) -> str:
    """Names the alarm after the end of a term, and each that repeats it."""
    return f"over:{_mark(term)}:{times}" if times else f"over:{_mark(term)}"


def _mark(term: Term) -> str:
    """A term and its end. Days suffice, but an hour-long term that moved within its day is another one."""
    end = term.due_at.isoformat() if term.rule.length.short else kyiv_day(term.due_at).isoformat()
    return f"{term.subject}:{end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Times that lie ahead of a case."""

    due_at: datetime | None
    watch_at: datetime | None


def duties(case: CaseFacts, law: Law) -> tuple[Duty, ...]:
    """Everything that is still to be done, earliest first; those whose moment lies ahead included."""
    return tuple(sorted(_open(case, terms(case, law), law), key=lambda duty: (duty.at, duty.name)))


def outlook(case: CaseFacts, law: Law) -> Outlook:
    """When the case's next term ends, and when the hub must look at it again. On the way of every fact: kept cheap."""
    found = terms(case, law)
    watch_at = min((duty.at for duty in _open(case, found, law)), default=None)
    return Outlook(due_at=nearest_due(found), watch_at=watch_at)


def _open(case: CaseFacts, found: tuple[Term, ...], law: Law) -> Iterator[Duty]:
    done = case.story.because
    return (duty for duty in _all(case, found, law) if not done or duty.name not in done)


def _all(case: CaseFacts, found: tuple[Term, ...], law: Law) -> Iterator[Duty]:
    for executor in case.story.executors:
        yield from _asked(executor, case)
    yield from _supplements(case)
    for breach in breaches(case, law):
        yield Duty(
            act=Act.BREACH,
            at=breach.fact.at,
            executor=breach.executor,
            fact=breach.fact,
            breach=breach,
        )
    running = {term.rule.code for term in found if term.running}
    for term in found:
        if term.running:
            warns = term.rule.warn_days if running.isdisjoint(term.rule.unless) else ()
            yield from _alarms(term, warns, case.story, law)
    yield from _corrections(case, found)


def _asked(executor: Executor, case: CaseFacts) -> Iterator[Duty]:
    """Statements that ask for an act, unless the case went on: to another body, or to its end by another's answer.

    One at a time: what the first leads to may leave nothing to do for the next, which would give the case away twice.
    """
    if not executor.decides or executor.superseded_by is not None or case.story.withdrawn_at is not None:
        return
    if case.finished and executor.standing() is None:
        return
    asking = (fact for fact in executor.facts if fact.kind is FactKind.REDIRECTED or is_refusal(fact))
    first = next((fact for fact in asking if short(fact) not in case.story.because), None)
    if first is not None:
        act = Act.REDIRECT if first.kind is FactKind.REDIRECTED else Act.REFUSAL
        yield Duty(act, first.at, executor=executor, fact=first)
    for parcel in executor.parcels.values():
        for fact in parcel.facts:
            if is_refusal(fact):
                yield Duty(Act.REFUSAL, fact.at, executor=executor, fact=fact, aside=True)


def _supplements(case: CaseFacts) -> Iterator[Duty]:
    """Supplements that go to executors that have the appeal by now: behind it, as soon as it was sent, and to each one
    at a time, in the order in which they came.
    """
    supplements = () if case.finished else case.story.of(FactKind.SUPPLEMENTED)
    for executor in case.story.executors if supplements else ():
        had = executor.first(*HAD) if executor.has_appeal else None
        left = (fact for fact in supplements if supplement_name(fact, executor) not in case.story.because)
        first = next(left, None) if had is not None else None
        if had is not None and first is not None:
            yield Duty(Act.SUPPLEMENT, max(had, first.at), executor=executor, fact=first)


def _alarms(term: Term, warns: Iterable[int], story: Story, law: Law) -> Iterator[Duty]:
    """Warnings before a term ends, and the alarm after it; once that was given, warnings are void, and it is repeated
    for as long as the term runs, where the rule says how often.
    """
    name = over_name(term)
    if story.because and name in story.because:
        if term.rule.again is not None:
            given = [_alarmed_at(fact) for fact in story.facts if fact.data.get("because", "").startswith(name)]
            end = law.end(term.rule.again, max(given))
            yield Duty(Act.OVERDUE, end.at, term=term, times=len(given))
        return
    for days in warns:
        at = term.due_at - timedelta(days)
        if at > term.started_at:
            yield Duty(Act.WARN, at, term=term, days=days)
    act = Act.NEXT_CHANNEL if term.rule.overdue == "next_channel" else Act.OVERDUE
    yield Duty(act, term.due_at + _MILLISECOND, term=term)


def _alarmed_at(fact: Fact) -> datetime:
    """When an alarm was given; the moment of its fact is that of the end of the term."""
    text = fact.data.get("alarmed_at")
    return datetime.fromisoformat(text) if text else fact.at


def _corrections(case: CaseFacts, found: Iterable[Term]) -> Iterator[Duty]:
    """A term that was called overdue, and was not: a fact that came late says so."""
    by_subject = {term.subject: term for term in found}
    for fact in case.story.of(FactKind.TERM_OVERDUE):
        term = by_subject.get(fact.data.get("subject", ""))
        if term is None or "times" in fact.data:
            continue
        was_due = fact.data.get("due", "")
        in_time = term.met is True or kyiv_day(term.due_at).isoformat() > was_due
        if in_time:
            yield Duty(Act.CORRECT, fact.at, term=term, fact=fact)
