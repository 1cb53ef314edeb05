"""Sessions of chunked transfer and waiting notices: in the database, and a twin in memory that passes the same tests.

Bytes of an upload are appended to a file of their own (``Spool``) before the row says that they are there; the row is
the truth, what a crash left behind it is cut off. Several processes may serve one session, one chunk at a time.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.schemas.transfer import ENDED, QueuedNotice, Transfer, TransferKind, TransferState
from hub.storage import schema
from hub.storage.database import Database

_FIELDS = tuple(field.name for field in fields(Transfer))
_NOTICE = tuple(field.name for field in fields(QueuedNotice))


class SqlTransfers:
    """``Transfers`` in the hub's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, transfer: Transfer) -> Transfer:
        """Write a new session."""
        values = {name: _stored(getattr(transfer, name)) for name in _FIELDS if name != "id"}
        statement = sa.insert(schema.transfers).values(values).returning(schema.transfers.c.id)
        return replace(transfer, id=self._database.write(lambda c: int(c.execute(statement).scalar_one())))

    def get(self, session_id: int) -> Transfer | None:
        """One session."""
        return self._one(sa.select(schema.transfers).where(schema.transfers.c.id == session_id))

    def latest(self, party: str, kind: TransferKind, message_id: str) -> Transfer | None:
        """The newest session of a party for this message."""
        t = schema.transfers.c
        statement = sa.select(schema.transfers).where(
            t.party == party, t.kind == kind.value, t.message_id == message_id
        )
        return self._one(statement.order_by(t.id.desc()).limit(1))

    def advance(self, session_id: int, *, before: int, after: int) -> bool:
        """Count bytes."""
        t = schema.transfers.c
        statement = (
            sa.update(schema.transfers)
            .where(t.id == session_id, t.transferred == before, t.state.not_in([state.value for state in ENDED]))
            .values(transferred=after, state=TransferState.IN_PROGRESS.value)
        )
        return self._database.write(lambda c: c.execute(statement).rowcount) == 1

    def count(self, session_id: int, sha256: str) -> None:
        """Keep the hash that was counted."""
        statement = sa.update(schema.transfers).where(schema.transfers.c.id == session_id).values(sha256=sha256)
        self._database.write(lambda c: c.execute(statement))

    def end(self, session_id: int, state: TransferState, code: int | None = None, text: str | None = None) -> bool:
        """End a session."""
        t = schema.transfers.c
        statement = (
            sa.update(schema.transfers)
            .where(t.id == session_id, t.state.not_in([ended.value for ended in ENDED]))
            .values(state=state.value, code=code, text=text)
        )
        return self._database.write(lambda c: c.execute(statement).rowcount) == 1

    def since(
        self, party: str, kind: TransferKind, first: datetime, last: datetime, limit: int
    ) -> tuple[Transfer, ...]:
        """Sessions that a party opened within a time."""
        t = schema.transfers.c
        statement = (
            sa.select(schema.transfers)
            .where(t.party == party, t.kind == kind.value, t.opened_at.between(first, last))
            .order_by(t.opened_at, t.id)
            .limit(limit)
        )
        return self._database.read(lambda c: tuple(_transfer(row) for row in c.execute(statement)))

    def unfinished(self, party: str, kind: TransferKind, first: datetime) -> int:
        """How many have not ended."""
        t = schema.transfers.c
        statement = sa.select(sa.func.count()).where(
            t.party == party,
            t.kind == kind.value,
            t.opened_at >= first,
            t.state.not_in([state.value for state in ENDED]),
        )
        return self._database.read(lambda c: int(c.execute(statement).scalar_one()))

    def queue(self, notice: QueuedNotice) -> None:
        """Keep a notice until it is taken."""
        insert = self._database.insert(schema.notices)
        statement = insert.values({name: getattr(notice, name) for name in _NOTICE}).on_conflict_do_nothing()
        self._database.write(lambda c: c.execute(statement))

    def queued(self, party: str, limit: int) -> tuple[QueuedNotice, ...]:
        """Notices that wait for a party."""
        n = schema.notices.c
        statement = sa.select(schema.notices).where(schema.IS_WAITING, n.party == party)
        ordered = statement.order_by(n.created_at, n.id).limit(limit)
        return self._database.read(lambda c: tuple(_notice(row) for row in c.execute(ordered)))

    def notice(self, party: str, notice_id: str) -> QueuedNotice | None:
        """One notice."""
        n = schema.notices.c
        statement = sa.select(schema.notices).where(n.id == notice_id, n.party == party)
        row = self._database.read(lambda c: c.execute(statement).one_or_none())
        return None if row is None else _notice(row)

    def mark_fetched(self, notice_id: str, at: datetime) -> None:
        """It was taken."""
        statement = sa.update(schema.notices).where(schema.notices.c.id == notice_id, schema.IS_WAITING)
        self._database.write(lambda c: c.execute(statement.values(taken_at=at)))

    def _one(self, statement: sa.Select[Any]) -> Transfer | None:
        row = self._database.read(lambda c: c.execute(statement).one_or_none())
        return None if row is None else _transfer(row)


def _stored(value: object) -> object:
    return value.value if isinstance(value, TransferKind | TransferState) else value


def _transfer(row: sa.Row[*tuple[Any, ...]]) -> Transfer:
    found: dict[str, Any] = {name: row._mapping[name] for name in _FIELDS}
    return Transfer(**{**found, "kind": TransferKind(found["kind"]), "state": TransferState(found["state"])})


def _notice(row: sa.Row[*tuple[Any, ...]]) -> QueuedNotice:
    found: dict[str, Any] = {name: row._mapping[name] for name in _NOTICE}
    return QueuedNotice(**found)
