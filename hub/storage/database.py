"""Transactions: one function runs in one, is tried again where that is safe, and speaks the hub's errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from hub.errors import Unavailable
from hub.storage.engine import AGAIN, BUSY_SECS, WRITE_OPTION, translated

T = TypeVar("T")
TRIES = 4


class Database:
    """One database. ``postgres``: whether it is PostgreSQL (else SQLite). Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        # SQLite has one writer; in one process they queue here instead of polling the file's lock.
        self._turn = None if self.postgres else threading.Lock()
        self._writer = engine.execution_options(**{WRITE_OPTION: True})
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT") if self.postgres else engine

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run statements that only read; each sees what was committed when it began."""
        return self._tried(lambda: self._read_once(work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction, durable when this returns; what it raises undoes it.

        ``work`` may run again after a deadlock, or when a pooled connection turns out to be dead before the commit.
        """
        return self._tried(lambda: self._write_once(work))

    def insert(self, table: sa.Table) -> Any:
        """INSERT into a table, in the spelling of this database that knows ON CONFLICT."""
        return (postgresql.insert if self.postgres else sqlite.insert)(table)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @staticmethod
    def _tried(once: Callable[[], T]) -> T:
        for left in reversed(range(TRIES)):
            try:
                return once()
            except Unavailable as failure:
                if failure.stable_code != AGAIN or not left:
                    raise
        raise AssertionError

    def _read_once(self, work: Callable[[Connection], T]) -> T:
        with translated(), self._reader.connect() as connection, _stale_again():
            return work(connection)

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        with self._my_turn(), translated(), self._writer.connect() as connection:
            with _stale_again():
                transaction = connection.begin()
                result = work(connection)
            transaction.commit()  # if this fails nobody knows what was kept, so it is not tried again here
            return result

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_SECS):
            raise Unavailable("Other writes take too long.", code="store.busy", retry_after=2)
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def _stale_again() -> Iterator[None]:
    """A pooled connection that died (the server was restarted) is no failure yet: the pool makes new ones."""
    try:
        yield
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The connection to the database was lost.", code=AGAIN, retry_after=5) from None
        raise
