"""One hub for all tests that do not need one of their own: tests make their own cases in it.

On the embedded default, SQLite; with HUB_TEST_STORE=postgres the same tests run on a database of a PostgreSQL server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.schemas.delivery import Applied, Change
from hub.storage import SqlStore
from hub.storage.engine import open_engine
from hub.storage.migrations import upgrade
from tests.acceptance.processes import until
from tests.api.world import World, build, serve
from tests.storage.conftest import drop_database, new_database, text_of


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the hub of these tests keeps everything."""
    if os.environ.get("HUB_TEST_STORE", "sqlite") != "postgres":
        yield f"sqlite:///{Path(tmp_path_factory.mktemp('store')) / 'hub.sqlite'}"
        return
    url = new_database()
    yield text_of(url)
    drop_database(url)


class SettledStore(SqlStore):
    """A store whose events are to be seen when a write returns: on PostgreSQL they wait for every older transaction of
    the server (hub.storage.horizon), and other tests write on the same server.
    """

    def apply(self, change: Change) -> Applied:
        applied = super().apply(change)
        if self.database.postgres and applied.new_facts:
            until(self._settled, what="the events of a write")
        return applied

    def _settled(self) -> bool:
        statement = sa.text(
            "SELECT coalesce(max(txid), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::int8 FROM facts"
        )
        return bool(self.database.read(lambda connection: connection.execute(statement).scalar_one()))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, store_url: str) -> Iterator[World]:
    """A running hub."""
    engine = open_engine(store_url)
    upgrade(engine)
    store = SettledStore(engine)
    with serve(build(tmp_path_factory.mktemp("api") / "home", store)) as running:
        yield running
    store.close()
