"""Channels over which nothing can be heard, on SQLite or PostgreSQL."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.schemas.delivery import Unheard
from hub.storage import rows
from hub.storage.database import Database
from hub.storage.schema import collects

_C = collects.c
_UNHEARD = sa.select(_C.channel_id, _C.failures, _C.failing_since, _C.last_code).where(_C.failures > 0)


class SqlListening:
    """The port ``Listening``. Safe to use from many threads and processes."""

    database: Database

    def heard(self, channel_id: str) -> Unheard | None:
        """End the row of failures; what it was. Nothing is written where there was none."""
        wanted = _UNHEARD.where(_C.channel_id == channel_id)
        before = self.database.read(lambda connection: connection.execute(wanted).one_or_none())
        if before is None:
            return None
        over = sa.update(collects).where(_C.channel_id == channel_id)
        ended = over.values(failures=0, failing_since=None, last_code=None)
        self.database.write(lambda connection: connection.execute(ended))
        return _unheard(before)

    def not_heard(self, channel_id: str, *, at: datetime, code: str) -> Unheard:
        """Count a failure; how it stands now."""
        first = self.database.insert(collects).values(
            channel_id=channel_id, next_at=at, failures=1, failing_since=at, last_code=code
        )
        counted = first.on_conflict_do_update(
            index_elements=["channel_id"],
            set_={
                "failures": _C.failures + 1,
                "failing_since": sa.func.coalesce(_C.failing_since, first.excluded.failing_since),
                "last_code": first.excluded.last_code,
            },
        )
        wanted = _UNHEARD.where(_C.channel_id == channel_id)

        def work(connection: Connection) -> Unheard:
            connection.execute(counted)
            return _unheard(connection.execute(wanted).one())

        return self.database.write(work)

    def unheard(self) -> tuple[Unheard, ...]:
        """Channels whose last question or collection failed, by id."""
        wanted = _UNHEARD.order_by(_C.channel_id)
        return self.database.read(lambda connection: tuple(map(_unheard, connection.execute(wanted))))


def _unheard(row: rows.Row) -> Unheard:
    return Unheard(channel_id=row.channel_id, failures=row.failures, since=row.failing_since, code=row.last_code)
