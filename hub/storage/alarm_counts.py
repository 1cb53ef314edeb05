"""Counts that rules of alarms watch, on SQLite or PostgreSQL: each a walk of an index that holds only what is open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.alarms.values import Reading
from hub.schemas.delivery import TransportState
from hub.schemas.journal import Door
from hub.storage import following_tables, schema
from hub.storage.database import Database

_D, _I, _L = schema.deliveries.c, schema.inbound.c, schema.lanes.c
_E, _Q = following_tables.webhook_endpoints.c, following_tables.webhook_queue.c


class SqlAlarmCounts:
    """The port ``AlarmCounts``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def held_before(self, moment: datetime) -> int:
        """Entries in the holding pen that came before a moment."""
        return self._count(schema.inbound, schema.IS_HELD, _I.received_at < moment)

    def open_items(self, *, before: datetime | None = None, reason: str | None = None) -> int:
        """Operators' items that are open; opened before a moment; of one reason."""
        items = schema.items.c
        where: list[sa.ColumnElement[bool]] = [schema.IS_OPEN]
        if before is not None:
            where.append(items.opened_at < before)
        if reason is not None:
            where.append(items.reason == reason)
        return self._count(schema.items, *where)

    def overdue_cases(self, now: datetime) -> int:
        """Unfinished cases one of whose terms has run out."""
        return self._count(schema.cases, schema.cases.c.due_at < now)

    def dead_deliveries(self) -> int:
        """Deliveries that were given up."""
        return self._count(schema.deliveries, schema.IS_DEAD)

    def late_deliveries(self, before: datetime, now: datetime) -> Sequence[Reading]:
        """Deliveries that have been due since before a moment in lanes that may run, by channel.

        A lane that fails, that is at work now, or that its rate has held back since then is no such lane.
        """
        held = sa.or_(_L.paused, _L.suspect, _L.open_until > now, _L.rest_until > before)
        stopped = sa.select(_L.channel_id).where(_L.channel_id == _D.channel_id, held).exists()
        other = schema.deliveries.alias("other")
        sending = other.c.state == TransportState.SENDING.value
        at_work = (
            sa.select(other.c.id).where(other.c.channel_id == _D.channel_id, other.c.due_at > now, sending).exists()
        )
        return self._by(_D.channel_id, _D.due_at < before, ~stopped, ~at_work)

    def given_up_events(self) -> Sequence[Reading]:
        """Events that were given up, by webhook endpoint."""
        return self._by(_Q.endpoint, _Q.next_at.is_(None))

    def endpoints_off(self) -> Sequence[Reading]:
        """Webhook endpoints that are switched off."""
        return self._by(_E.id, _E.disabled_at.is_not(None))

    def refused_logins(self, since: datetime) -> int:
        """The most refused credentials in one minute since then."""
        minutes = (
            sa.select(sa.func.sum(_I["count"]).label("refused"))
            .where(_I.received_at >= since, _I.door == Door.LOGIN.value)
            .group_by(_I.received_at)
            .subquery()
        )
        return self._number(sa.select(sa.func.coalesce(sa.func.max(minutes.c.refused), 0)))

    def refused_seals(self, since: datetime) -> Sequence[Reading]:
        """Inputs since then whose seal was refused, by authority."""
        return self._by(_I.authority, _I.received_at >= since, _I.verdict.startswith("seal.", autoescape=True))

    def collected(self) -> dict[str, datetime | None]:
        """Channels that were ever collected from, and when that last went well."""
        c = schema.collects.c
        statement = sa.select(c.channel_id, c.heard_at)
        return self.database.read(lambda connection: {row[0]: row[1] for row in connection.execute(statement)})

    def _count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return self._number(sa.select(sa.func.count()).select_from(table).where(*where))

    def _number(self, statement: sa.Select[Any]) -> int:
        return int(self.database.read(lambda connection: connection.execute(statement).scalar_one()))

    def _by(self, column: sa.ColumnElement[str], *where: sa.ColumnElement[bool]) -> Sequence[Reading]:
        statement = sa.select(column, sa.func.count()).where(*where).group_by(column).order_by(column)
        found = self.database.read(lambda connection: connection.execute(statement).all())
        return tuple(Reading(subject=row[0], value=row[1]) for row in found)
