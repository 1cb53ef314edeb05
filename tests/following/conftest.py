"""A world on each kind of database."""

from __future__ import annotations

import pytest

from hub.storage import SqlStore
from tests.following.world import World
from tests.storage.conftest import (  # noqa: F401  # fixtures
    database_url,
    migrated_postgres,
    migrated_sqlite,
    postgres_url,
    sql_store,
    sqlite_url,
)


@pytest.fixture
def world(sql_store: SqlStore) -> World:  # noqa: F811
    """A store with a follower."""
    return World(sql_store)
