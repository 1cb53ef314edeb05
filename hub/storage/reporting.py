"""Reports as SQL: one pass over the narrow digests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.following.values import ReportBy, ReportFilter
from hub.schemas.ids import territory_prefix
from hub.storage.following_tables import digests, shares
from hub.tracking.state import State

_MILLIS_AN_HOUR = 3_600_000
_OBLAST_CHARS = 4
_KEYS = {ReportBy.AUTHORITY: "authority", ReportBy.TOPIC: "topic", ReportBy.TERRITORY: "oblast", ReportBy.WEEK: "week"}


def _columns(where: ReportFilter) -> Any:
    """Figures of cases, or of one body's own parts."""
    return digests.c if where.share_of is None else shares.c


def conditions(where: ReportFilter) -> list[sa.ColumnElement[bool]]:
    """All that must hold."""
    d = _columns(where)
    equal = {d.owner: where.owner, d.authority: where.share_of or where.authority, d.topic: where.topic}
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if where.day_from is not None:
        found.append(d.day >= where.day_from)
    if where.day_to is not None:
        found.append(d.day <= where.day_to)
    prefix = territory_prefix(where.territory) if where.territory else ""
    if len(prefix) == _OBLAST_CHARS:
        found.append(d.oblast == prefix)
    elif len(prefix) > _OBLAST_CHARS:
        found += [d.place >= prefix, d.place < prefix + "\uffff"]
    return found


def _select(statement: Any) -> sa.Select[Any]:
    assert isinstance(statement, sa.Select)
    return statement


def _times(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _by_centre(d: Any) -> sa.ColumnElement[bool]:
    return sa.and_(d.answered_at.is_not(None), d.state == State.CONCLUDED.value)


def _by_body(d: Any) -> sa.ColumnElement[bool]:
    return sa.and_(d.answered_at.is_not(None), d.state != State.CONCLUDED.value)


def _hours(d: Any, *, postgres: bool) -> sa.ColumnElement[int]:
    """Whole hours from arrival to a body's answer, summed."""
    if postgres:
        took: Any = sa.func.extract("epoch", d.answered_at - d.created_at) / sa.literal_column("3600")
    else:
        raw = sa.type_coerce(d.answered_at, sa.BigInteger) - sa.type_coerce(d.created_at, sa.BigInteger)
        took = raw / sa.literal_column(str(_MILLIS_AN_HOUR))
    return sa.cast(sa.func.coalesce(sa.func.sum(sa.case((_by_body(d), took))), 0), sa.BigInteger)


def report(where: ReportFilter, by: ReportBy, now: datetime, *, postgres: bool) -> sa.Select[Any]:
    """Measures for each value of a column."""
    d = _columns(where)
    key: Any = sa.literal("all") if by is ReportBy.ALL else d[_KEYS[by]]
    cases = sa.func.count().label("cases")
    statement: Any = sa.select(
        sa.func.coalesce(key, "").label("key"),
        cases,
        _times(d.priority > 0).label("urgent"),
        _times(_by_body(d)).label("answered"),
        _times(_by_centre(d)).label("by_centre"),
        _times(d.kept.is_(True)).label("kept"),
        _times(d.kept.is_(False)).label("late"),
        _times(d.due_at < now).label("overdue"),
        _times(d.missed > 0).label("missed"),
        _times(d.breaches > 0).label("breaches"),
        _times(d.extended).label("extended"),
        _times(d.returns > 0).label("returned"),
        _times(d.redirects > 0).label("redirected"),
        sa.func.coalesce(sa.func.sum(d.redirects), 0).label("hops"),
        _times(d.refusals > 0).label("refused"),
        _times(d.escalations > 0).label("escalated"),
        _times(d.formal).label("formal"),
        _times(d.again).label("again"),
        _times(d.mass).label("mass"),
        _hours(d, postgres=postgres).label("answer_hours"),
    ).where(*conditions(where))
    if by is ReportBy.ALL:
        return _select(statement)
    order = sa.func.coalesce(key, "") if by is ReportBy.WEEK else cases.desc()
    return _select(statement).group_by(key).order_by(order, sa.func.coalesce(key, ""))


def daily(where: ReportFilter) -> sa.Select[Any]:
    """Cases of each day, topic and oblast."""
    d = _columns(where)
    oblast = sa.func.coalesce(d.oblast, "").label("oblast")
    statement = sa.select(d.day, d.topic, oblast, sa.func.count().label("cases")).where(*conditions(where))
    return statement.group_by(d.day, d.topic, d.oblast)
