"""Stores of all three kinds, each empty: in memory, on a SQLite file, on a PostgreSQL database of our own."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine

from hub.storage import SqlStore
from hub.storage.engine import open_engine
from hub.storage.memory import MemoryStore
from hub.storage.migrations import upgrade
from hub.storage.schema import metadata
from tests.conftest import leave_out

AnyStore = MemoryStore | SqlStore
SERVER = os.environ.get("HUB_TEST_DATABASE_URL", "postgresql+psycopg://root@127.0.0.1:5432/postgres")


def _server() -> Engine:
    url = sa.make_url(SERVER).set(drivername="postgresql+psycopg")
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})


def new_database() -> URL:
    """A fresh database on the test server; leaves the test out if there is no server."""
    engine = _server()
    name = f"hub_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    except sa.exc.OperationalError:
        leave_out("PostgreSQL is not reachable (HUB_TEST_DATABASE_URL)")
    finally:
        engine.dispose()
    return engine.url.set(database=name)


def drop_database(url: URL) -> None:
    """Remove a database made by ``new_database``."""
    engine = _server()
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{url.database}" WITH (FORCE)'))
    engine.dispose()


def text_of(url: URL) -> str:
    """The URL with everything in it."""
    return url.render_as_string(hide_password=False)


def make_empty(connection: sa.Connection) -> None:
    """Empty all tables of a PostgreSQL database. TRUNCATE would make and sync new files, half a second each time."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(sa.delete(table))
    connection.execute(sa.text("SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"))


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """URL of a migrated PostgreSQL database that lives as long as the tests."""
    url = new_database()
    engine = open_engine(text_of(url))
    upgrade(engine)
    engine.dispose()
    yield text_of(url)
    drop_database(url)


@pytest.fixture
def postgres_url(migrated_postgres: str) -> str:
    """URL of a migrated PostgreSQL database with empty tables."""
    engine = open_engine(migrated_postgres)
    with engine.begin() as connection:
        make_empty(connection)
    engine.dispose()
    return migrated_postgres


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "hub.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """URL of a migrated SQLite file with empty tables."""
    path = tmp_path / "hub.sqlite"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def sql_store(database_url: str) -> Iterator[SqlStore]:
    """A store on each kind of database."""
    store = SqlStore(open_engine(database_url))
    yield store
    store.close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Iterator[AnyStore]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    made = SqlStore(open_engine(str(request.getfixturevalue(f"{request.param}_url"))))
    yield made
    made.close()
