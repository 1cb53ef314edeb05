"""Lists of cases and their counts: filters as SQL.

On PostgreSQL each filter that leaves few cases has an index in order of arrival, so that a page is a short walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from hub.ports import CaseFilter, CaseGrouping
from hub.schemas.delivery import ARRIVED
from hub.schemas.ids import territory_prefix
from hub.storage import following_tables, rules, schema
from hub.tracking.state import State

_C = schema.cases.c
_S = following_tables.shares.c
_OBLAST_CHARS = 4


def page(where: CaseFilter, *, after: str | None, newest: bool, postgres: bool) -> sa.Select[Any]:
    """Cases in order of arrival, or the newest first, behind a cursor."""
    statement = sa.select(schema.cases).where(*conditions(where, postgres=postgres))
    place = rules.case_place(after)
    if place is not None:
        here = sa.tuple_(_C.created_at, _C.id)
        there = sa.tuple_(sa.literal(place[0], _C.created_at.type), sa.literal(place[1], _C.id.type))
        statement = statement.where(here < there if newest else here > there)
    if newest:
        return statement.order_by(_C.created_at.desc(), _C.id.desc())
    return statement.order_by(_C.created_at, _C.id)


def counts(where: CaseFilter, by: CaseGrouping, *, postgres: bool) -> sa.Select[Any]:
    """Value and number of cases."""
    column = _grouping(by, postgres)
    if where.sent_to is not None:
        column = _own_grouping(where.sent_to, by, column)
    counted: Any = sa.select(sa.func.coalesce(column, ""), sa.func.count()).select_from(schema.cases)
    statement: sa.Select[Any] = counted.where(*conditions(where, postgres=postgres)).group_by(column)
    return statement


def _grouping(by: CaseGrouping, postgres: bool) -> sa.ColumnElement[Any]:
    match by:
        case CaseGrouping.TOPIC:
            return first_topic(postgres=postgres)
        case CaseGrouping.TERRITORY:
            return schema.OBLAST
        case _:
            column: sa.ColumnElement[Any] = _C[by.value]
            return column


def _own_grouping(body: str, by: CaseGrouping, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Columns of a body's own part, in place of those that tell of others."""
    if by is CaseGrouping.AUTHORITY:
        return sa.literal(body)
    if by is not CaseGrouping.STATE:
        return column
    state = sa.select(_S.state).where(_S.case_id == _C.id, _S.authority == body).scalar_subquery()
    return sa.func.coalesce(state, sa.literal(State.ROUTED.value))


def first_topic(*, postgres: bool) -> sa.ColumnElement[str]:
    """The topic that a case counts under."""
    if postgres:
        return schema.FIRST_TOPIC
    return sa.literal_column("json_extract(cases.topics, '$[0]')", sa.Text)


def conditions(where: CaseFilter, *, postgres: bool) -> list[sa.ColumnElement[bool]]:
    """All that must hold."""
    equal = {
        _C.owner: where.owner,
        _C.authority: where.held_by,
        _C.state: where.state if where.sent_to is None else None,
        _C.reference: where.reference,
        _C.number: where.registered,
        _C.case_number: where.case_number,
        _C.kind: where.kind,
        _C.channel: where.channel,
    }
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if where.needs_operator is not None:
        found.append(_C.needs_operator if where.needs_operator else sa.not_(_C.needs_operator))
    if where.topic is not None:
        found.append(first_topic(postgres=postgres) == where.topic)
    if where.created_from is not None:
        found.append(_C.created_at >= where.created_from)
    if where.created_to is not None:
        found.append(_C.created_at < where.created_to)
    if where.overdue_at is not None and where.sent_to is None:
        found.append(_C.due_at < where.overdue_at)
    return [*found, *_territory(where.territory), *_elsewhere(where, postgres=postgres)]


def _territory(code: str | None) -> list[sa.ColumnElement[bool]]:
    """Equality where an index gives the order, a range below that."""
    prefix = territory_prefix(code) if code else ""
    if len(prefix) < _OBLAST_CHARS:
        return []
    if len(prefix) == _OBLAST_CHARS:
        return [sa.literal(prefix) == schema.OBLAST]
    return [_C.place >= prefix, _C.place < prefix + "\uffff"]


def _own(where: CaseFilter) -> Iterator[sa.ColumnElement[bool]]:
    """Cases that came to a body, by the state and terms of its part as the follower last saw it."""
    if where.sent_to is None:
        return
    d = schema.deliveries.c
    came = d.state.in_([state.value for state in sorted(ARRIVED)])
    yield _C.id.in_(sa.select(d.case_id).where(d.authority == where.sent_to, came))
    mine = sa.select(_S.case_id).where(_S.authority == where.sent_to)
    if where.state == State.ROUTED.value:  # what waits in its mailbox has no share yet
        yield _C.id.not_in(mine.where(_S.state != where.state))
    elif where.state is not None:
        yield _C.id.in_(mine.where(_S.state == where.state))
    if where.overdue_at is not None:
        yield _C.id.in_(mine.where(_S.due_at < where.overdue_at))


def _elsewhere(where: CaseFilter, *, postgres: bool) -> list[sa.ColumnElement[bool]]:
    """Conditions that other tables answer."""
    found: list[sa.ColumnElement[bool]] = list(_own(where))
    if where.authority is not None:
        sent = sa.select(schema.deliveries.c.case_id).where(schema.deliveries.c.authority == where.authority)
        found.append(_C.id.in_(sent))
    if where.group is not None:
        likenesses = following_tables.likenesses.c
        found.append(_C.id.in_(sa.select(likenesses.case_id).where(likenesses.group_id == where.group)))
    return [*found, *(_named(ids, postgres=postgres) for ids in _found_by(where))]


def _named(ids: sa.Select[Any] | sa.CompoundSelect[Any], *, postgres: bool) -> sa.ColumnElement[bool]:
    """One of these few cases. On PostgreSQL as an array: they are looked up first, and never a million walked."""
    if not postgres:
        return _C.id.in_(ids)
    return _C.id == sa.any_(sa.func.array(ids.scalar_subquery()))


def _found_by(where: CaseFilter) -> Iterator[sa.Select[Any] | sa.CompoundSelect[Any]]:
    """Cases by what people have at hand."""
    finders, deliveries, messages = following_tables.finders.c, schema.deliveries.c, schema.messages.c
    for token in where.finders:
        yield sa.select(finders.case_id).where(finders.token == token)
    if where.message_id is not None:
        sent = sa.select(deliveries.case_id).where(deliveries.id == where.message_id)
        yield sent.union(sa.select(messages.case_id).where(messages.id == where.message_id))
    if where.external_id is not None:
        yield sa.select(deliveries.case_id).where(deliveries.external_id == where.external_id)
    if where.failed is not None:
        failed = (deliveries.last_code == where.failed, deliveries.state != sa.literal_column("'delivered'"))
        yield sa.select(deliveries.case_id).where(*failed)
