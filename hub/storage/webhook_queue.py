"""Webhook endpoints and their queues, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.following.values import EndpointState, Queued
from hub.storage import rules
from hub.storage.database import Database
from hub.storage.following import made, plain
from hub.storage.following_tables import webhook_endpoints, webhook_queue
from hub.storage.schema import facts

_STATE = tuple(field.name for field in fields(EndpointState))
_QUEUED = tuple(field.name for field in fields(Queued))
_E, _Q = webhook_endpoints.c, webhook_queue.c


class SqlWebhookQueue:
    """The port ``WebhookQueue``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def acquire_endpoint(
        self, endpoint: str, *, owner: str, now: datetime, lease_until: datetime
    ) -> EndpointState | None:
        """Hold an endpoint; one that is not known begins at the end of the feed. None if another holds it."""
        insert = self.database.insert(webhook_endpoints)
        free = sa.or_(_E.lease_until.is_(None), _E.lease_until <= now, _E.owner == owner)
        hold = sa.update(webhook_endpoints).where(_E.id == endpoint, free).values(owner=owner, lease_until=lease_until)

        def work(connection: Connection) -> bool:
            known = connection.execute(sa.select(_E.id).where(_E.id == endpoint)).one_or_none()
            if known is None:
                fresh = {"id": endpoint, "failures": 0, "cursor": _newest(connection)}
                connection.execute(insert.values(fresh).on_conflict_do_nothing())
            return connection.execute(hold).rowcount == 1

        return self.endpoint(endpoint) if self.database.write(work) else None

    def release_endpoint(self, endpoint: str, *, owner: str) -> None:
        """Let another process hold an endpoint at once."""
        free = sa.update(webhook_endpoints).where(_E.id == endpoint, _E.owner == owner)
        self._write(free.values(owner=None, lease_until=None))

    def endpoint(self, endpoint: str) -> EndpointState | None:
        """One endpoint."""
        row = self.database.read(
            lambda connection: connection.execute(sa.select(webhook_endpoints).where(_E.id == endpoint)).one_or_none()
        )
        return None if row is None else made(EndpointState, _STATE)(row)

    def save_endpoint(self, state: EndpointState) -> None:
        """Keep an endpoint's health; its place in the feed stays as it is."""
        values = plain(state, (name for name in _STATE if name not in ("id", "cursor")))
        self._write(sa.update(webhook_endpoints).where(_E.id == state.id).values(values))

    def move_endpoint(self, endpoint: str, cursor: str | None) -> None:
        """Put an endpoint's place elsewhere in the feed; ``InvalidInput`` for a cursor that is not ours."""
        rules.cursor_place(cursor)
        self._write(sa.update(webhook_endpoints).where(_E.id == endpoint).values(cursor=cursor))

    def fill(self, endpoint: str, queued: Sequence[Queued], *, before: str | None, cursor: str) -> bool:
        """Queue events and move the place; False, and nothing, if it stands elsewhere."""
        here = _E.cursor.is_(None) if before is None else _E.cursor == before
        move = sa.update(webhook_endpoints).where(_E.id == endpoint, here).values(cursor=cursor)
        insert = self.database.insert(webhook_queue)

        def work(connection: Connection) -> bool:
            if connection.execute(move).rowcount != 1:
                return False
            if queued:
                connection.execute(insert.on_conflict_do_nothing(), [plain(q, _QUEUED) for q in queued])
            return True

        return self.database.write(work)

    def waiting(self, endpoint: str) -> int:
        """How many events wait."""
        counted = sa.select(sa.func.count()).where(_Q.endpoint == endpoint, _Q.next_at.is_not(None))
        return self.database.read(lambda connection: int(connection.execute(counted).scalar_one()))

    def heads(self, endpoint: str, now: datetime, limit: int) -> tuple[Queued, ...]:
        """Events that may go now, in order."""
        earlier = webhook_queue.alias("earlier")
        blocked = (
            sa.select(earlier.c.cursor)
            .where(
                earlier.c.endpoint == _Q.endpoint,
                earlier.c.case_id == _Q.case_id,
                earlier.c.cursor < _Q.cursor,
                earlier.c.next_at.is_not(None),
            )
            .exists()
        )
        statement = sa.select(webhook_queue).where(_Q.endpoint == endpoint, _Q.next_at <= now, ~blocked)
        return self._all(statement.order_by(_Q.cursor).limit(limit))

    def settle(self, done: Sequence[Queued], again: Sequence[Queued]) -> None:
        """Take out what arrived; keep the new schedule of what did not."""

        def work(connection: Connection) -> None:
            for queued in done:
                connection.execute(sa.delete(webhook_queue).where(*_this(queued)))
            for queued in again:
                changed = plain(queued, ("attempts", "first_at", "next_at", "last_code"))
                connection.execute(sa.update(webhook_queue).where(*_this(queued)).values(changed))

        self.database.write(work)

    def given_up(self, endpoint: str, *, after: str | None, limit: int) -> tuple[Queued, ...]:
        """Events that were given up, in order."""
        statement = sa.select(webhook_queue).where(
            _Q.endpoint == endpoint, _Q.next_at.is_(None), _Q.cursor > (after or "")
        )
        return self._all(statement.order_by(_Q.cursor).limit(limit))

    def revive(self, endpoint: str, now: datetime) -> int:
        """Let what was given up go again, with a fresh schedule."""
        again = sa.update(webhook_queue).where(_Q.endpoint == endpoint, _Q.next_at.is_(None))
        fresh = again.values(next_at=now, attempts=0, first_at=None)
        return self.database.write(lambda connection: connection.execute(fresh).rowcount)

    def _write(self, statement: sa.Update) -> None:
        self.database.write(lambda connection: connection.execute(statement))

    def _all(self, statement: sa.Select[Any]) -> tuple[Queued, ...]:
        make = made(Queued, _QUEUED)
        return self.database.read(lambda connection: tuple(map(make, connection.execute(statement))))


def _this(queued: Queued) -> tuple[sa.ColumnElement[bool], ...]:
    return (_Q.endpoint == queued.endpoint, _Q.cursor == queued.cursor)


def _newest(connection: Connection) -> str | None:
    """Place of the newest event."""
    f = facts.c
    row = connection.execute(sa.select(f.txid, f.seq).order_by(f.txid.desc(), f.seq.desc()).limit(1)).one_or_none()
    return None if row is None else rules.cursor_text(row.txid, row.seq)
