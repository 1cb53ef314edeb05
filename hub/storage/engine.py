"""Engines as the hub needs them, and what a failing database means in the hub's words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine

from hub.errors import ConfigurationError, HubError, InvalidInput, NotFound, Unavailable

BUSY_SECS = 10
"""How long a write waits for another one before the hub says that it is unavailable."""
AGAIN = "store.again"
"""Code of a failure after which the same transaction may simply run again."""
WRITE_OPTION = "hub_write"

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # in WAL mode anything less may lose the last commits when power fails
    "PRAGMA fullfsync = ON",  # macOS: fsync alone does not reach the disk there; elsewhere it means nothing
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",
)
_POSTGRES_OPTIONS = {
    "timezone": "UTC",
    "synchronous_commit": "on",
    "statement_timeout": "30s",
    "lock_timeout": f"{BUSY_SECS}s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",  # short statements only: compiling them costs more than running them
}
_SQLSTATES_AGAIN = ("40001", "40P01")
_SQLSTATE_NO_TABLE = ("42P01", "42703")


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql://…``, not connected yet. Raises ``ConfigurationError``."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise ConfigurationError("The database URL cannot be read.", action="See HUB_DATABASE_URL in docs.") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _postgres(parsed)
    raise ConfigurationError("The database must be SQLite (a file) or PostgreSQL.", code="store.url")


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:" or "mode" in url.query:
        raise ConfigurationError("SQLite must be a file: what is in memory only is not durable.", code="store.url")
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        pool_size=16,
        max_overflow=32,
        pool_timeout=BUSY_SECS,
        connect_args={"timeout": BUSY_SECS},
    )
    path = Path(url.database)

    @event.listens_for(engine, "do_connect")
    def private_file(*_: object) -> None:
        # Appeals are personal data: the file is its owner's alone, and SQLite gives -wal and -shm the same mode.
        if path.parent.is_dir() and not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: it would begin too late, and deferred
        for pragma in _SQLITE_PRAGMAS:
            _patiently(connection, pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that turns into a writer fails at once (SQLITE_BUSY_SNAPSHOT): writers say so first.
        # Readers run statement by statement; each statement sees one snapshot.
        if connection.get_execution_options().get(WRITE_OPTION):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _patiently(connection: sqlite3.Connection, pragma: str) -> None:
    """Run a pragma. Two that switch a new file to WAL at once are told at once that it is busy: SQLite's own waiting
    (``busy_timeout``) does not hold there.
    """
    end = time.monotonic() + BUSY_SECS
    while True:
        try:
            connection.execute(pragma)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres(url: URL) -> Engine:
    options = " ".join(f"-c {name}={value}" for name, value in _POSTGRES_OPTIONS.items())
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_size=24,
            max_overflow=0,
            pool_timeout=BUSY_SECS,
            pool_use_lifo=True,
            connect_args={"application_name": "hub", "connect_timeout": 5, "options": options},
        )
    except ImportError:
        raise ConfigurationError(
            "The driver for PostgreSQL is not installed.", action="Install the extra: appeal-hub[postgres]."
        ) from None


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database raises into the hub's errors. Texts of the database may quote data and are left out."""
    try:
        yield
    except exc.TimeoutError:
        raise Unavailable("All connections to the database are busy.", code="store.busy", retry_after=2) from None
    except exc.IntegrityError as error:
        raise _integrity(error) from None
    except exc.DataError:
        raise InvalidInput("A text or number cannot be kept by the database.", code="store.text") from None
    except UnicodeError:
        raise InvalidInput("A text holds characters that cannot be kept.", code="store.text") from None
    except exc.DBAPIError as error:
        raise _unavailable(error) from None


def _integrity(error: exc.IntegrityError) -> HubError:
    name = _sqlite_name(error) or getattr(error.orig, "sqlstate", "")
    if name in ("SQLITE_CONSTRAINT_FOREIGNKEY", "23503"):
        return NotFound("The change names a case, message or delivery that is not there.", code="store.unknown_parent")
    return InvalidInput(f"The database refuses a value ({name}).", code="store.refused")


def _sqlite_name(error: exc.DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", "") or "")


def _unavailable(error: exc.DBAPIError) -> HubError:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_unavailable(_sqlite_name(error) or type(error.orig).__name__)
    state: Any = getattr(error.orig, "sqlstate", None)
    if state in _SQLSTATES_AGAIN:
        return Unavailable("Two writes were in each other's way.", code=AGAIN, retry_after=1)
    if state in _SQLSTATE_NO_TABLE:
        return _no_tables()
    if state is None:
        return Unavailable("The database cannot be reached.", code="store.unreachable", retry_after=5)
    retry_after = 60 if str(state).startswith("53") else 5  # class 53: disk full, out of memory, too many connections
    return Unavailable(f"The database cannot do this now (SQLSTATE {state}).", retry_after=retry_after)


def _sqlite_unavailable(name: str) -> HubError:
    if name == "SQLITE_ERROR":
        return _no_tables()
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable("Another process writes to the database for too long.", code="store.busy", retry_after=2)
    if name.startswith("SQLITE_FULL"):
        return Unavailable("There is no room left for the database.", code="store.full", retry_after=60)
    return Unavailable(f"The database cannot do this now ({name}).", retry_after=30)


def _no_tables() -> HubError:
    return Unavailable("The database does not have the tables of this version of the hub.", code="store.schema")
