"""A database of each kind for the tests of alarms."""

from __future__ import annotations

from tests.storage.conftest import (  # noqa: F401  # fixtures
    database_url,
    migrated_postgres,
    migrated_sqlite,
    postgres_url,
    sql_store,
    sqlite_url,
)
