"""The store under the use cases' tests: in memory, or with HUB_TEST_STORE=postgres a database of a PostgreSQL server.

One database serves a process, emptied for each store; on a server of its own a test needs none of its own.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from hub.ports import CaseFilter
from hub.schemas.delivery import CaseRow, Event
from hub.storage import SqlStore, horizon
from hub.storage.engine import open_engine
from hub.storage.memory import MemoryStore
from hub.storage.migrations import upgrade
from hub.storage.rules import utc_now
from hub.storage.schema import facts
from tests.acceptance.processes import until
from tests.storage.conftest import drop_database, make_empty, new_database, text_of

ON_POSTGRES = os.environ.get("HUB_TEST_STORE") == "postgres"


class SettledStore(SqlStore):
    """A store that shows an event as soon as its write has returned, whoever wrote it: on PostgreSQL events wait for
    every older transaction of the server (hub.storage.horizon), and other tests write on the same server.
    """

    def events(self, *, after: str | None, limit: int, authority: str | None = None) -> tuple[Event, ...]:
        self._settle()
        return super().events(after=after, limit=limit, authority=authority)

    def newest_event(self) -> str | None:
        self._settle()
        return super().newest_event()

    def _settle(self) -> None:
        if self.database.postgres:
            written = self._number(sa.select(sa.func.coalesce(sa.func.max(facts.c.txid), 0)))
            until(lambda: self._number(sa.select(horizon.XMIN)) > written, what="the events of a write")

    def _number(self, statement: sa.Select[Any]) -> int:
        number: int = self.database.read(lambda connection: connection.execute(statement).scalar_one())
        return number


@cache
def _engine() -> Engine:
    url = new_database()
    engine = open_engine(text_of(url))
    upgrade(engine)

    def drop() -> None:
        engine.dispose()
        drop_database(url)

    atexit.register(drop)
    return engine


def fresh_store(now: Callable[[], datetime] = utc_now) -> MemoryStore | SqlStore:
    """An empty store; one on PostgreSQL empties those made before it."""
    if not ON_POSTGRES:
        return MemoryStore(now=now)
    with _engine().begin() as connection:
        make_empty(connection)
    return SettledStore(_engine(), now=now)


def all_cases(store: MemoryStore | SqlStore) -> tuple[CaseRow, ...]:
    """Every case that it has."""
    return store.cases(CaseFilter(), after=None, limit=10_000)
