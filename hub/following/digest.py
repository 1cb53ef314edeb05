"""The digest of a case: what reports count, from its row and the set of its facts. Pure; order does not matter.

Terms, hops and executors are read as the law in force reads them (``hub.tracking``); here they are only counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from hub.following.values import CaseFigures
from hub.schemas.delivery import CaseRow, Fact, FactKind
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Conclusion, ReceiptSign
from hub.tracking import chain
from hub.tracking.law import Law
from hub.tracking.share import CAME, own_part
from hub.tracking.state import State
from hub.tracking.story import Story, is_final, is_refusal, read
from hub.tracking.terms import ANSWER, CASE_ANSWER, CaseFacts, case_facts, terms

_AGAIN = frozenset({ReceiptSign.REPEATED, ReceiptSign.DUPLICATE, ReceiptSign.MULTIPLE})
_ANSWER_TERMS = frozenset({ANSWER, CASE_ANSWER})
OBLAST_CHARS = 4
_MOST = 32_767


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def digest(row: CaseRow, facts: Iterable[Fact], the_law: Law) -> CaseFigures:
    """The figures that reports count of a case."""
    known = tuple({fact.key: fact for fact in facts}.values())
    story = read(known)
    of_case = case_facts(row.case.channel, story, the_law)
    counted = Counter(fact.kind for fact in known if fact.kind is not FactKind.REFUSED or is_refusal(fact))
    case, day = row.case, kyiv_day(row.case.created_at)
    answered_at = _answered_at(known, of_case, the_law)
    signs = {fact.data.get("sign") for fact in known if fact.kind is FactKind.LINKED}
    return CaseFigures(
        case_id=case.id,
        owner=case.owner,
        day=day.isoformat(),
        week=monday(day).isoformat(),
        authority=row.authority,
        topic=case.topics[0] if case.topics else "",
        place=case.place,
        oblast=case.place[:OBLAST_CHARS] if case.place else None,
        priority=case.priority,
        state=row.state,
        created_at=case.created_at,
        answered_at=answered_at,
        due_at=row.due_at,
        kept=_kept(row, of_case, the_law, answered_at) if answered_at and of_case.state is State.ANSWERED else None,
        redirects=min(_hops(story, counted), _MOST),
        refusals=min(counted[FactKind.REFUSED], _MOST),
        escalations=min(counted[FactKind.ESCALATED], _MOST),
        returns=min(counted[FactKind.RETURNED_FOR_WORK], _MOST),
        missed=min(max(0, counted[FactKind.TERM_OVERDUE] - counted[FactKind.TERM_CORRECTED]), _MOST),
        breaches=min(counted[FactKind.BREACH], _MOST),
        extended=counted[FactKind.EXTENDED] > 0,
        formal=counted[FactKind.FORMAL_FLAGGED] > 0,
        again=not _AGAIN.isdisjoint(signs),
        mass=ReceiptSign.MASS in signs,
    )


def share_digest(row: CaseRow, facts: Iterable[Fact], body: str, the_law: Law) -> CaseFigures | None:
    """The figures of a body's own part; none if the appeal was not sent to it. Days are those of the sending; items and
    flags, which others raise about it, do not count.
    """
    known = tuple({fact.key: fact for fact in facts}.values())
    part = own_part(row.case.channel, known, body, the_law)
    own = part.story.facts
    since = min((fact.at for fact in own if fact.kind in CAME), default=None)
    if since is None:
        return None
    counted = Counter(fact.kind for fact in own if fact.kind is not FactKind.REFUSED or is_refusal(fact))
    day, case = kyiv_day(since), row.case
    answered_at = min((fact.at for fact in own if is_final(fact)), default=None)
    if part.state != State.ANSWERED:
        answered_at = None
    return CaseFigures(
        case_id=case.id,
        owner=case.owner,
        day=day.isoformat(),
        week=monday(day).isoformat(),
        authority=body,
        topic=case.topics[0] if case.topics else "",
        place=case.place,
        oblast=case.place[:OBLAST_CHARS] if case.place else None,
        priority=case.priority,
        state=part.state,
        created_at=since,
        answered_at=answered_at,
        due_at=part.due_at,
        kept=None if answered_at is None else _kept(row, part.case, the_law, answered_at),
        redirects=min(counted[FactKind.REDIRECTED], _MOST),
        refusals=min(counted[FactKind.REFUSED], _MOST),
        escalations=0,
        returns=min(counted[FactKind.RETURNED_FOR_WORK], _MOST),
        missed=min(max(0, counted[FactKind.TERM_OVERDUE] - counted[FactKind.TERM_CORRECTED]), _MOST),
        breaches=0,
        extended=counted[FactKind.EXTENDED] > 0,
        formal=False,
        again=False,
        mass=False,
    )


def _hops(story: Story, counted: Counter[FactKind]) -> int:
    """Steps of the chain; what a body sent on that nobody has yet counts too."""
    return max(len(chain.hops(story)), counted[FactKind.REDIRECTED])


def _answered_at(facts: Iterable[Fact], case: CaseFacts, rules: Law) -> datetime | None:
    """When the case was answered: by the first final answer, or by the last where all executors must answer; or by the
    centre itself.
    """
    concluded = case.story.concluded
    if case.state is State.CONCLUDED and concluded is not None:
        by_centre = concluded.data.get("decision") == Conclusion.ANSWERED_BY_CENTRE
        return concluded.at if by_centre else None
    if case.state is not State.ANSWERED:
        return None
    final = [fact.at for fact in facts if is_final(fact)]
    return max(final, default=None) if rules.all_must_answer else min(final, default=None)


def _kept(row: CaseRow, case: CaseFacts, rules: Law, answered_at: datetime) -> bool:
    """True if every term of an answer was met; by the announced day where none ran, since no receipt came."""
    met = [term.met for term in terms(case, rules) if term.rule.code in _ANSWER_TERMS and term.met is not None]
    if met:
        return all(met)
    announced = row.case.answer_due
    return announced is None or kyiv_day(answered_at).isoformat() <= announced
