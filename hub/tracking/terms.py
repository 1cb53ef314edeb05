"""Terms that run for a case, derived from the set of its facts; late facts move them, and they are derived again.

Pure. A term starts with the earliest of the facts that it counts from, and ends with the earliest that ends it. Dates
are Kyiv days, an end is the last millisecond of its day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hub.schemas.base import format_datetime
from hub.schemas.delivery import Fact, FactKind
from hub.tracking.calendar import day_end
from hub.tracking.clocks import earliest, heard_at
from hub.tracking.law import OPERATOR, Law, Rule
from hub.tracking.state import FINISHED, State, derive_story
from hub.tracking.story import RECEIPTS, STATEMENTS, Executor, Story, is_final, is_refusal, returned_as_defective, text

ANSWER, CASE_ANSWER = "answer", "case_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of one executor, copy or case.

    ``due_at``: its last millisecond. ``ended_at``: when what it waits for happened, whether in time or not.
    ``executor``: key of the executor; ``copy``: the delivery, for terms of a copy; ``span``: the beginning, for terms
    that a case may have several of.
    """

    rule: Rule
    started_at: datetime
    due_at: datetime
    ended_at: datetime | None = None
    provisional: bool = False
    authority: str | None = None
    executor: str | None = None
    copy: str | None = None
    span: str | None = None
    extended: bool = False

    @property
    def running(self) -> bool:
        """True if it still waits."""
        return self.ended_at is None

    @property
    def met(self) -> bool | None:
        """True if it ended in time; None while it runs."""
        return None if self.ended_at is None else self.ended_at <= self.due_at

    @property
    def subject(self) -> str:
        """Names the term within its case."""
        return f"{self.rule.code}:{self.copy or self.executor or self.span or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts:
    """Data of a case's birth that terms need, and its facts read. ``channel``: how the citizen reached the centre."""

    channel: str
    story: Story
    state: State

    @property
    def finished(self) -> bool:
        """True if no term runs any more."""
        return self.state in FINISHED


def case_facts(channel: str, story: Story, law: Law) -> CaseFacts:
    """A case ready to be asked for its terms."""
    state = derive_story(story, all_must_answer=law.all_must_answer).state
    return CaseFacts(channel=channel, story=story, state=state)


def terms(case: CaseFacts, law: Law) -> tuple[Term, ...]:
    """All terms of a case, ended ones included, in a fixed order."""
    ended = _case_ended_at(case, law)
    return tuple(_cut(term, ended) for term in _all(case, law))


def _all(case: CaseFacts, law: Law) -> Iterator[Term]:
    for executor in case.story.executors:
        if executor.decides:
            for rule in law.by_scope["executor"]:
                if FactKind.RETURNED_FOR_WORK in rule.starts:
                    yield from _rework(executor, rule, law)
                elif rule.code == ANSWER and _runs_on(executor, law):
                    continue
                elif (term := _of_executor(executor, rule, law)) is not None:
                    yield term
        if executor.routed is not None:
            yield from _of_copies(case, executor, law)
    for rule in law.by_scope["case"]:
        if rule.code == OPERATOR:
            yield from _of_operators(case, rule, law)
        elif not rule.channels or case.channel in rule.channels:
            term = _of_case(case, rule, law)
            if term is not None:
                yield term


def _runs_on(executor: Executor, law: Law) -> bool:
    """True if the term of the answer does not start anew for a body that got the case from another."""
    handed = executor.routed is not None and "instead_of" in executor.routed.data
    return handed and law.counting.redirect_restarts_answer.value == "no"


def _case_ended_at(case: CaseFacts, law: Law) -> datetime | None:
    """When the case as a whole came to its end: what still ran then, ended."""
    if not case.finished:
        return None
    if case.story.withdrawn_at is not None:
        return case.story.withdrawn_at
    if case.state is State.CONCLUDED and case.story.concluded is not None:
        return case.story.concluded.at
    asked = [e for e in case.story.executors if e.decides] if law.all_must_answer else case.story.mains()
    held = [e for e in asked or case.story.executors if not e.relieved]
    answers = [earliest(fact) for e in held if (fact := e.standing()) is not None]
    if not answers:  # an answer that no executor gave: the contact centre's own
        answers = [earliest(fact) for fact in case.story.facts if is_final(fact)]
    return max(answers, default=None) if law.all_must_answer else min(answers, default=None)


def _cut(term: Term, ended: datetime | None) -> Term:
    """The term with its end: its own, else that of the case; none ends before it begins."""
    end = term.ended_at if term.ended_at is not None else ended
    if end is None or (end == term.ended_at and end >= term.started_at):
        return term
    return replace(term, ended_at=max(end, term.started_at))


# -- one executor


def _ends(executor: Executor, rule: Rule) -> datetime | None:
    """The first fact that ends it; an interim answer and a second copy's refusal do not, being superseded does."""
    moments: list[datetime] = []
    if not rule.ends.isdisjoint(executor.firsts):
        by = _clock_of(rule)
        moments = [by(fact) for fact in executor.facts if fact.kind in rule.ends and _counts(fact)]
    if executor.superseded_by is not None:
        moments.append(executor.superseded_by.at)
    return min(moments, default=None)


def _clock_of(rule: Rule) -> Callable[[Fact], datetime]:
    """The clock by which facts end a term of this rule."""
    return heard_at if rule.clock == "heard" else earliest


def _counts(fact: Fact) -> bool:
    if fact.kind is FactKind.ANSWERED:
        return is_final(fact)
    return fact.kind is not FactKind.REFUSED or is_refusal(fact)


def _of_executor(executor: Executor, rule: Rule, law: Law) -> Term | None:
    started = executor.first(*rule.starts)
    if started is None:
        return None
    end = law.end_of(rule, started)
    due, extended = end.at, False
    if rule.extended_by:
        due, extended = _extended(executor.facts, rule, law, started, due)
    if FactKind.CLARIFICATION_ASKED in rule.starts:
        due = _named(executor, rule, started, due)
    if rule.stopped_by:
        due += _stopped(executor, rule, started)
    return Term(
        rule=rule,
        started_at=started,
        due_at=due,
        ended_at=_ends(executor, rule),
        provisional=end.provisional,
        authority=executor.authority,
        executor=executor.key,
        extended=extended,
    )


def _extended(facts: Iterable[Fact], rule: Rule, law: Law, started: datetime, due: datetime) -> tuple[datetime, bool]:
    """An extension moves the end to its day, but never beyond what the law allows in all (article 20: 45 days), and not
    once the end is over: what was missed stays missed.
    """
    before, limit = due, law.limit_of(rule, started)
    for fact in sorted((f for f in facts if f.kind in rule.extended_by), key=lambda f: (f.at, f.key)):
        day = until(fact)
        if day is not None and earliest(fact) <= due:
            wanted = day_end(day)
            due = max(due, min(wanted, limit) if limit is not None else wanted)
    return due, due > before


def until(fact: Fact) -> date | None:
    """The day that a fact names as the end of something."""
    text = fact.data.get("until")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _named(executor: Executor, rule: Rule, started: datetime, due: datetime) -> datetime:
    """A question to the applicant may name the day by which it wants the answer."""
    named = next((until(f) for f in executor.of(*rule.starts) if f.at == started), None)
    return day_end(named) if named is not None else due


def _stopped(executor: Executor, rule: Rule, started: datetime) -> timedelta:
    """For how long it stood still: from each question to the applicant to the next reply."""
    total, since = timedelta(), None
    for fact in executor.facts:
        if fact.at < started:
            continue
        if fact.kind in rule.stopped_by and since is None:
            since = fact.at
        elif fact.kind is FactKind.CLARIFIED and since is not None:
            total, since = total + (fact.at - since), None
    return timedelta(days=total.days + 1) if total else total


def _rework(executor: Executor, rule: Rule, law: Law) -> Iterator[Term]:
    """Each return starts a term of its own: until the day that the return names, or the setting's days."""
    for fact in executor.returns():
        end = law.end_of(rule, fact.at)
        named = until(fact)
        after = [earliest(f) for f in executor.finals() if f.at > fact.at]
        if executor.superseded_by is not None and executor.superseded_by.at > fact.at:
            after.append(executor.superseded_by.at)
        yield Term(
            rule=rule,
            started_at=fact.at,
            due_at=day_end(named) if named is not None else end.at,
            ended_at=min(after, default=None),
            provisional=end.provisional,
            authority=executor.authority,
            executor=executor.key,
            copy=str(fact.delivery_id) if fact.delivery_id else None,
        )


# -- one copy


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message as it went to an executor. ``facts``: those that tell when its copies went out; ``words``: what the
    body said that shows that it is there; ``again``: when a person sent a copy of it again.
    """

    given: Fact
    copies: list[str]
    facts: list[Fact]
    words: list[Fact]
    again: datetime | None = None

    def sendings(self, copy: str) -> list[Fact]:
        """When a copy went out, earliest first."""
        return [f for f in self.facts if f.kind is FactKind.SENT and f.delivery_id and text(f.delivery_id) == copy]

    def waited_for(self, sendings: list[Fact]) -> Fact | None:
        """The sending whose notice is waited for: the first after a person sent it again, else the first."""
        after = (sent for sent in sendings if self.again is not None and sent.at >= self.again)
        return next(after, sendings[0] if sendings else None)

    def ends(self, rule: Rule, started: datetime) -> list[datetime]:
        """When notices, or the person who sent it again, ended a term that began then. A word that was heard before it
        was sent again is no notice of what went out after.
        """
        by, again = _clock_of(rule), self.again
        words = [fact for fact in self.words if fact.kind in rule.ends]
        if again is None:
            return [by(fact) for fact in words]
        if started >= again:
            return [by(fact) for fact in words if heard_at(fact) >= started]
        return [again, *(by(fact) for fact in words)]


def _of_copies(case: CaseFacts, executor: Executor, law: Law) -> Iterator[Term]:
    """The 6 hours of item 24 for each channel that was tried: a notice over any of them ends them all."""
    handed = {str(fact.delivery_id): fact for fact in case.story.facts if fact.kind is FactKind.HANDED_OVER}
    assert executor.routed is not None
    words = [fact for fact in executor.facts if fact.kind in STATEMENTS]
    again = max(executor.sent_again, default=None)
    appeal = _Sent(executor.routed, executor.copies, executor.facts, words, again)
    yield from _of_message(executor, appeal, handed, law)
    for parcel in executor.parcels.values():
        answers = [fact for fact in words if fact.delivery_id is not None and text(fact.delivery_id) in parcel.copies]
        message = _Sent(parcel.given, parcel.copies, parcel.facts, [*parcel.facts, *answers])
        yield from _of_message(executor, message, handed, law)


def _of_message(executor: Executor, message: _Sent, handed: dict[str, Fact], law: Law) -> Iterator[Term]:
    left = {handed[copy].data.get("from"): handed[copy].at for copy in message.copies if copy in handed}
    gone = executor.superseded_by.at if executor.superseded_by is not None else None
    for copy in message.copies:
        sendings = message.sendings(copy)
        sent = message.waited_for(sendings)
        for rule in law.by_scope["copy"]:
            waits_for_notice = FactKind.SENT in rule.starts
            if waits_for_notice and (sent is None or sent.data.get("notice") == "none"):
                continue  # not sent yet, or over a channel that can bring no notice
            started = sent.at if waits_for_notice and sent is not None else handed.get(copy, message.given).at
            over = [*message.ends(rule, started), left.get(copy), gone]
            if sendings and not waits_for_notice:
                over.append(sendings[0].at)
            end = min((at for at in over if at is not None), default=None)
            yield Term(
                rule=rule,
                started_at=started,
                due_at=law.end_of(rule, started).at,
                ended_at=end,
                authority=executor.authority,
                executor=executor.key,
                copy=copy,
            )


# -- the case as such


def _of_case(case: CaseFacts, rule: Rule, law: Law) -> Term | None:
    """A term from the first receipt by any main executor, or from what the hub itself did."""
    own = [_begun_at(fact) for fact in case.story.facts if fact.authority is None and fact.kind in rule.starts]
    mains = case.story.mains()
    starts = [*own, *(at for e in mains if (at := e.first(*rule.starts)) is not None)]
    if not starts:
        return None
    started = min(starts)
    if rule.code == CASE_ANSWER and not _restarted(mains, started, law):
        return None
    end = law.end_of(rule, started)
    due, extended = end.at, False
    if rule.extended_by:
        due, extended = _extended((f for e in mains for f in e.facts), rule, law, started, due)
    return Term(
        rule=rule,
        started_at=started,
        due_at=due,
        ended_at=None if law.all_must_answer else _first_answer(mains, rule),
        provisional=end.provisional,
        extended=extended,
    )


def _first_answer(mains: list[Executor], rule: Rule) -> datetime | None:
    """When the applicant got the first final answer of whoever has the case; if it was returned, the term of the rework
    runs instead. Once the case went on to another body, that answer was none.
    """
    finals = [earliest(fact) for executor in mains if executor.superseded_by is None for fact in executor.finals()]
    return min(finals, default=None) if FactKind.ANSWERED in rule.ends else None


def _begun_at(fact: Fact) -> datetime:
    """When a term begins with a fact of the hub's: an appeal counts from when the centre received it."""
    text = fact.data.get("received_at") if fact.kind is FactKind.ACCEPTED_BY_HUB else None
    return min(datetime.fromisoformat(text), fact.at) if text else fact.at


def _of_operators(case: CaseFacts, rule: Rule, law: Law) -> Iterator[Term]:
    """One for each span of time in which something of the case waited for an operator."""
    for since, until in case.story.escalations:
        end = law.end_of(rule, since)
        yield Term(
            rule=rule,
            started_at=since,
            due_at=end.at,
            ended_at=until,
            provisional=end.provisional,
            span=format_datetime(since),
        )


def _restarted(mains: list[Executor], started: datetime, law: Law) -> bool:
    """True if the case's own term differs from that of the executor that has it now: only after it was given on."""
    if law.counting.redirect_restarts_answer.value == "yes":
        return False
    return any(e.superseded_by is not None and e.first(*RECEIPTS) == started for e in mains)


# -- what follows


def nearest_due(found: Iterable[Term]) -> datetime | None:
    """End of the nearest running term that binds; in the past = overdue."""
    return min((term.due_at for term in found if term.running and term.rule.binding), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that the law does not allow, seen in the facts. ``fact``: what showed it."""

    code: str
    law: str
    fact: Fact
    executor: Executor
    due_at: datetime | None = None


def breaches(case: CaseFacts, law: Law) -> Iterator[Breach]:
    """Late forwarding and late return (articles 7 and 5), extensions beyond 45 days or after the end (article 20),
    refusals without one of the ten grounds (CMU 55/2018 items 21 and 24).
    """
    for executor in case.story.executors:
        if _BREAKING.isdisjoint(executor.firsts):
            continue
        received = executor.first(*RECEIPTS)
        for fact in executor.facts:
            if fact.kind is FactKind.REFUSED and fact.data.get("ground") not in law.grounds:
                yield Breach(code="no_ground", law="CMU 55/2018, items 21 and 24", fact=fact, executor=executor)
            if received is None:
                continue
            checked = _checked(fact)
            for rule in law.rules.values():
                if rule.checked_on is not None and rule.checked_on == checked:
                    due = law.end_of(rule, received).at
                    if earliest(fact) > due:
                        yield Breach(code=f"late_{rule.code}", law=rule.law, fact=fact, executor=executor, due_at=due)
            if fact.kind is FactKind.EXTENDED:
                yield from _unlawful_extension(executor, fact, received, law)


_BREAKING = frozenset({FactKind.REFUSED, FactKind.REDIRECTED, FactKind.ANSWERED, FactKind.EXTENDED})
"""Kinds of facts that a breach can be seen in."""


def _checked(fact: Fact) -> str | None:
    if fact.kind is FactKind.REDIRECTED:
        return "redirected"
    return "answered_returned" if returned_as_defective(fact) else None


def _unlawful_extension(executor: Executor, fact: Fact, received: datetime, law: Law) -> Iterator[Breach]:
    """Beyond 45 days in all, or said when the term had ended (as earlier extensions had moved it)."""
    rule = law.rules[ANSWER]
    day, limit = until(fact), law.limit_of(rule, received)
    if day is not None and limit is not None and day_end(day) > limit:
        yield Breach(code="extension_too_long", law=rule.law, fact=fact, executor=executor, due_at=limit)
    earlier = (other for other in executor.facts if (other.at, other.key) < (fact.at, fact.key))
    due, _ = _extended(earlier, rule, law, received, law.end_of(rule, received).at)
    if earliest(fact) > due:
        yield Breach(code="extension_too_late", law=rule.law, fact=fact, executor=executor, due_at=due)
