"""Engines: how SQLite and PostgreSQL are opened so that a commit means what the hub promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from hub.errors import ConfigurationError, Unavailable

BUSY_MILLIS = 10_000
POOL_WAIT_SECS = 10
STATEMENT_MILLIS = 60_000
RETRY_AFTER_SECS = 5


def _sqlite(url: URL, *, write: bool) -> Engine:
    # One connection writes, so threads of this process queue in the pool instead of colliding on the file.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if write else 5,
        max_overflow=0 if write else 10,
        pool_timeout=POOL_WAIT_SECS,
        connect_args={"timeout": BUSY_MILLIS / 1000, "check_same_thread": False},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLIS}")
        if not write:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    options = f"-c synchronous_commit=on -c statement_timeout={STATEMENT_MILLIS} -c timezone=UTC"
    return create_engine(
        url,
        pool_size=8,
        max_overflow=16,
        pool_timeout=POOL_WAIT_SECS,
        pool_pre_ping=True,
        connect_args={"options": options, "application_name": "appeal-hub", "connect_timeout": 5},
        hide_parameters=True,
    )


def engines(url: str) -> tuple[Engine, Engine]:
    """An engine that writes and one that reads (the same for PostgreSQL). Raises ``ConfigurationError``."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, write=True), _sqlite(parsed, write=False)
        if parsed.get_backend_name() == "postgresql":
            both = _postgresql(parsed.set(drivername="postgresql+psycopg"))
            return both, both
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigurationError(f"HUB_DATABASE_URL cannot be used: {type(error).__name__}.") from None
    raise ConfigurationError("HUB_DATABASE_URL must be a sqlite:// or postgresql:// URL.")


@contextmanager
def guarded() -> Iterator[None]:
    """Turns a database in trouble (gone, full, locked, read-only) into ``Unavailable``; errors of ours pass."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable("The database cannot keep this now.", retry_after=RETRY_AFTER_SECS) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("The database cannot keep this now.", retry_after=RETRY_AFTER_SECS) from error
