"""Alarms and their messages on SQLite or PostgreSQL: the port ``AlarmMemory``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.alarms.keeper import NAME
from hub.alarms.values import Alarm, AlarmMessage, MessageKind, ReceiverState, Severity
from hub.schemas.base import format_datetime
from hub.storage import following_tables
from hub.storage.alarm_tables import alarm_messages, alarms
from hub.storage.database import Database
from hub.storage.following import plain

_ALARM = tuple(field.name for field in fields(Alarm))
_MESSAGE = tuple(field.name for field in fields(AlarmMessage))
_A, _M, _F = alarms.c, alarm_messages.c, following_tables.followers.c
TIRED = 3
"""After so many failures of one message its receiver counts as failing, though the message still waits."""


class SqlAlarms:
    """The port ``AlarmMemory``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def standing(self) -> tuple[Alarm, ...]:
        """Alarms that are not closed."""
        return self._alarms(sa.select(alarms).where(_A.closed_at.is_(None)).order_by(_A.rule, _A.subject))

    def recent(self, limit: int) -> tuple[Alarm, ...]:
        """Alarms that closed, the last one first."""
        closed = sa.select(alarms).where(_A.closed_at.is_not(None))
        return self._alarms(closed.order_by(_A.closed_at.desc(), _A.id.desc()).limit(limit))

    def write(
        self,
        owner: str,
        *,
        looked_at: datetime,
        alarms: Sequence[Alarm] = (),
        gone: Sequence[str] = (),
        messages: Sequence[AlarmMessage] = (),
    ) -> bool:
        """Keep all of it; False, and nothing, if ``owner`` does not hold the lease."""
        mine = sa.update(following_tables.followers).where(_F.name == NAME, _F.owner == owner)
        hold = mine.values(cursor=format_datetime(looked_at))

        def work(connection: Connection) -> bool:
            if connection.execute(hold).rowcount != 1:
                return False
            self._keep(connection, alarms, gone)
            for message in messages:
                connection.execute(self._message(message))
            return True

        return self.database.write(work)

    def _keep(self, connection: Connection, kept: Sequence[Alarm], gone: Sequence[str]) -> None:
        insert = self.database.insert(alarms)
        changing = {name: insert.excluded[name] for name in _ALARM if name != "id"}
        if kept:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["id"], set_=changing),
                [plain(alarm, _ALARM) for alarm in kept],
            )
        for alarm_id in gone:
            connection.execute(sa.delete(alarms).where(_A.id == alarm_id))

    def _message(self, message: AlarmMessage) -> Any:
        """Insert a message; of one that is known the body changes, unless somebody tried to send it already."""
        insert = self.database.insert(alarm_messages)
        untried = sa.and_(_M.attempts == 0, _M.next_at.is_not(None), _M.kind == MessageKind.CHANGES.value)
        return insert.values(plain(message, _MESSAGE)).on_conflict_do_update(
            index_elements=["id"], set_={"body": insert.excluded.body}, where=untried
        )

    def looked_at(self) -> datetime | None:
        """When somebody last looked."""
        wanted = sa.select(_F.cursor).where(_F.name == NAME)
        found = self.database.read(lambda connection: connection.execute(wanted).scalar_one_or_none())
        return None if found is None else datetime.fromisoformat(found).astimezone(UTC)

    def latest(self, receiver: str) -> AlarmMessage | None:
        """The newest message about changes to a receiver."""
        of_kind = sa.select(alarm_messages).where(_M.receiver == receiver, _M.kind == MessageKind.CHANGES.value)
        found = self._messages(of_kind.order_by(_M.made_at.desc(), _M.id.desc()).limit(1))
        return found[0] if found else None

    def due(self, now: datetime, limit: int) -> tuple[AlarmMessage, ...]:
        """Messages whose time has come."""
        return self._messages(sa.select(alarm_messages).where(_M.next_at <= now).order_by(_M.next_at).limit(limit))

    def settle(self, message: AlarmMessage) -> None:
        """Keep how an attempt ended."""
        changed = plain(message, ("next_at", "attempts", "last_code", "ended_at", "told"))
        statement = sa.update(alarm_messages).where(_M.id == message.id).values(changed)
        self.database.write(lambda connection: connection.execute(statement))

    def receivers(self) -> tuple[ReceiverState, ...]:
        """Health of all receivers, by name."""
        waits, lost = _M.next_at.is_not(None), sa.and_(_M.ended_at.is_not(None), sa.not_(_M.told))
        told_at = sa.func.max(sa.case((_M.told, _M.ended_at)), type_=_M.ended_at.type)
        lost_at = sa.func.max(sa.case((lost, _M.ended_at)), type_=_M.ended_at.type)
        statement = sa.select(
            _M.receiver,
            sa.func.count(sa.case((waits, 1))).label("waiting"),
            sa.func.count(sa.case((lost, 1))).label("given_up"),
            sa.func.max(sa.case((waits, _M.attempts), else_=0)).label("tried"),
            told_at.label("told_at"),
            lost_at.label("lost_at"),
        ).group_by(_M.receiver)
        codes = sa.select(_M.receiver, _M.last_code).where(_M.attempts > 0).order_by(_M.made_at)

        def work(connection: Connection) -> tuple[ReceiverState, ...]:
            last = {row.receiver: row.last_code for row in connection.execute(codes)}
            return tuple(_state(row, last) for row in connection.execute(statement.order_by(_M.receiver)))

        return self.database.read(work)

    def prune(self, before: datetime) -> int:
        """Forget messages that ended and alarms that closed before a moment."""
        ended = sa.delete(alarm_messages).where(_M.ended_at < before)
        closed = sa.delete(alarms).where(_A.closed_at < before)
        return self.database.write(lambda c: c.execute(ended).rowcount + c.execute(closed).rowcount)

    def _alarms(self, statement: sa.Select[Any]) -> tuple[Alarm, ...]:
        return self.database.read(lambda connection: tuple(map(_alarm, connection.execute(statement))))

    def _messages(self, statement: sa.Select[Any]) -> tuple[AlarmMessage, ...]:
        return self.database.read(lambda connection: tuple(map(_message, connection.execute(statement))))


def _alarm(row: sa.Row[Any]) -> Alarm:
    return Alarm(**{**row._mapping, "severity": Severity(row.severity)})


def _message(row: sa.Row[Any]) -> AlarmMessage:
    return AlarmMessage(**{**row._mapping, "kind": MessageKind(row.kind)})


def _state(row: sa.Row[Any], last: dict[str, str | None]) -> ReceiverState:
    lost_last = row.lost_at is not None and (row.told_at is None or row.lost_at > row.told_at)
    return ReceiverState(
        name=row.receiver,
        waiting=row.waiting,
        given_up=row.given_up,
        told_at=row.told_at,
        last_code=last.get(row.receiver),
        failing=lost_last or row.tried >= TIRED,
    )
