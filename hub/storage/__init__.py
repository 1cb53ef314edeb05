"""The durable memory: tables, transactions and files, behind the ports ``Store`` and ``Attachments``.

Here stand the SQL store (SQLite and PostgreSQL from the same code), its migrations, the twin in memory that passes the
same contract suite, and the content-addressed files. Rules of business must not enter: what a fact means is derived by
``hub.tracking``, when to try again is decided by ``hub.delivery``.
"""

from __future__ import annotations

from hub.storage.engine import open_engine
from hub.storage.sql import SqlStore


def open_store(url: str, *, migrate: bool = False) -> SqlStore:
    """Open the store behind an SQLAlchemy URL (``sqlite:///file`` or ``postgresql://…``).

    ``migrate``: bring the tables up to date first; safe from several processes at once. Raises ``ConfigurationError``
    for a URL that cannot be used, ``Unavailable`` if the database cannot be reached or written.
    """
    store = SqlStore(open_engine(url))
    if migrate:
        from hub.storage.migrations import upgrade  # noqa: PLC0415  # alembic costs 10 MB, most starts need none of it

        store.prepare(upgrade)
    return store


__all__ = ["SqlStore", "open_store"]
