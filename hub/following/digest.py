"""The digest of a case: what reports count, from its row and the set of its facts. Pure; order does not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from hub.following.ports import Digest
from hub.schemas.delivery import CaseRow, Fact, FactKind
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerStage, Priority, ReceiptSign

URGENT = 1
_AGAIN = frozenset({ReceiptSign.REPEATED, ReceiptSign.DUPLICATE, ReceiptSign.MULTIPLE})
OBLAST_CHARS = 4
PRIORITY_NAMES = {0: Priority.NORMAL, 1: Priority.URGENT, 2: Priority.LIFE_THREATENING}
_MOST = 32_767


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def digest(row: CaseRow, facts: Iterable[Fact]) -> Digest:
    """What reports count of a case."""
    known = {fact.key: fact for fact in facts}.values()
    counted = Counter(fact.kind for fact in known)
    case, day = row.case, kyiv_day(row.case.created_at)
    answered_at = _answered_at(known)
    signs = {fact.data.get("sign") for fact in known if fact.kind is FactKind.LINKED}
    return Digest(
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
        kept=None if answered_at is None else _kept(row, known, answered_at),
        redirects=min(counted[FactKind.REDIRECTED], _MOST),
        refusals=min(counted[FactKind.REFUSED], _MOST),
        escalations=min(counted[FactKind.ESCALATED], _MOST),
        returns=min(counted[FactKind.RETURNED_FOR_WORK], _MOST),
        extended=counted[FactKind.EXTENDED] > 0,
        formal=counted[FactKind.FORMAL_FLAGGED] > 0,
        again=not _AGAIN.isdisjoint(signs),
        mass=ReceiptSign.MASS in signs,
    )


def _answered_at(facts: Iterable[Fact]) -> datetime | None:
    """Moment of the first final answer."""
    final = [f.at for f in facts if f.kind is FactKind.ANSWERED and f.data.get("stage") != AnswerStage.INTERIM]
    return min(final, default=None)


def _kept(row: CaseRow, facts: Iterable[Fact], answered_at: datetime) -> bool:
    """Whether the first final answer came by the day set at first, or by the latest one it was extended to."""
    days = [fact.data.get("until", "") for fact in facts if fact.kind is FactKind.EXTENDED]
    last = max([*days, row.case.answer_due or ""])
    return not last or kyiv_day(answered_at).isoformat() <= last
