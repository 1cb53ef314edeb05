"""Reports as SQL: one pass over the narrow digests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.following.values import ReportBy, ReportFilter
from hub.schemas.ids import territory_prefix
from hub.storage.following_tables import digests
from hub.tracking.state import State

_D = digests.c
_MILLIS_AN_HOUR = 3_600_000
_OBLAST_CHARS = 4
_KEYS: dict[ReportBy, sa.ColumnElement[Any]] = {
    ReportBy.AUTHORITY: _D.authority,
    ReportBy.TOPIC: _D.topic,
    ReportBy.TERRITORY: _D.oblast,
    ReportBy.WEEK: _D.week,
    ReportBy.ALL: sa.literal("all"),
}


def conditions(where: ReportFilter) -> list[sa.ColumnElement[bool]]:
    """All that must hold."""
    equal = {_D.owner: where.owner, _D.authority: where.authority, _D.topic: where.topic}
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if where.day_from is not None:
        found.append(_D.day >= where.day_from)
    if where.day_to is not None:
        found.append(_D.day <= where.day_to)
    prefix = territory_prefix(where.territory) if where.territory else ""
    if len(prefix) == _OBLAST_CHARS:
        found.append(_D.oblast == prefix)
    elif len(prefix) > _OBLAST_CHARS:
        found += [_D.place >= prefix, _D.place < prefix + "\uffff"]
    return found


def _select(statement: Any) -> sa.Select[Any]:
    assert isinstance(statement, sa.Select)
    return statement


def _times(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


_BY_CENTRE = sa.and_(_D.answered_at.is_not(None), _D.state == State.CONCLUDED.value)
_BY_BODY = sa.and_(_D.answered_at.is_not(None), _D.state != State.CONCLUDED.value)


def _hours(*, postgres: bool) -> sa.ColumnElement[int]:
    """Whole hours from arrival to a body's answer, summed."""
    if postgres:
        took: Any = sa.func.extract("epoch", _D.answered_at - _D.created_at) / sa.literal_column("3600")
    else:
        raw = sa.type_coerce(_D.answered_at, sa.BigInteger) - sa.type_coerce(_D.created_at, sa.BigInteger)
        took = raw / sa.literal_column(str(_MILLIS_AN_HOUR))
    return sa.cast(sa.func.coalesce(sa.func.sum(sa.case((_BY_BODY, took))), 0), sa.BigInteger)


def report(where: ReportFilter, by: ReportBy, now: datetime, *, postgres: bool) -> sa.Select[Any]:
    """Measures for each value of a column."""
    key = _KEYS[by]
    cases = sa.func.count().label("cases")
    statement: Any = sa.select(
        sa.func.coalesce(key, "").label("key"),
        cases,
        _times(_D.priority > 0).label("urgent"),
        _times(_BY_BODY).label("answered"),
        _times(_BY_CENTRE).label("by_centre"),
        _times(_D.kept.is_(True)).label("kept"),
        _times(_D.kept.is_(False)).label("late"),
        _times(_D.due_at < now).label("overdue"),
        _times(_D.missed > 0).label("missed"),
        _times(_D.breaches > 0).label("breaches"),
        _times(_D.extended).label("extended"),
        _times(_D.returns > 0).label("returned"),
        _times(_D.redirects > 0).label("redirected"),
        sa.func.coalesce(sa.func.sum(_D.redirects), 0).label("hops"),
        _times(_D.refusals > 0).label("refused"),
        _times(_D.escalations > 0).label("escalated"),
        _times(_D.formal).label("formal"),
        _times(_D.again).label("again"),
        _times(_D.mass).label("mass"),
        _hours(postgres=postgres).label("answer_hours"),
    ).where(*conditions(where))
    if by is ReportBy.ALL:
        return _select(statement)
    order = sa.func.coalesce(key, "") if by is ReportBy.WEEK else cases.desc()
    return _select(statement).group_by(key).order_by(order, sa.func.coalesce(key, ""))


def daily(where: ReportFilter) -> sa.Select[Any]:
    """Cases of each day, topic and oblast."""
    oblast = sa.func.coalesce(_D.oblast, "").label("oblast")
    statement = sa.select(_D.day, _D.topic, oblast, sa.func.count().label("cases")).where(*conditions(where))
    return statement.group_by(_D.day, _D.topic, _D.oblast)
