"""One hub for all tests that do not need one of their own: tests make their own cases in it.

On the embedded default, SQLite; with HUB_TEST_STORE=postgres the same tests run on a database of a PostgreSQL server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.storage.engine import open_engine
from hub.storage.migrations import upgrade
from tests.api.world import World, build, serve
from tests.storage.conftest import drop_database, new_database, text_of
from tests.stores import SettledStore


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the hub of these tests keeps everything."""
    if os.environ.get("HUB_TEST_STORE", "sqlite") != "postgres":
        yield f"sqlite:///{Path(tmp_path_factory.mktemp('store')) / 'hub.sqlite'}"
        return
    url = new_database()
    yield text_of(url)
    drop_database(url)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, store_url: str) -> Iterator[World]:
    """A running hub."""
    engine = open_engine(store_url)
    upgrade(engine)
    store = SettledStore(engine)
    with serve(build(tmp_path_factory.mktemp("api") / "home", store)) as running:
        yield running
    store.close()
