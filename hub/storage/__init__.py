"""The durable memory: tables, transactions and files, behind the ports ``Store`` and ``Attachments``.

Here stand the SQL store (SQLite and PostgreSQL from the same code), its migrations, the twin in memory that passes the
same contract suite, and the content-addressed files. Rules of business must not enter: what a fact means is derived by
``hub.tracking``, when to try again is decided by ``hub.delivery``.
"""

from __future__ import annotations

from hub.errors import HubError
from hub.storage.engine import open_engine
from hub.storage.migrations import upgrade
from hub.storage.sql import SqlStore
from hub.tracking.law import Law


def open_store(url: str, *, migrate: bool = False, law: Law | None = None) -> SqlStore:
    """Open the store behind an SQLAlchemy URL (``sqlite:///file`` or ``postgresql://…``).

    ``law``: what terms of cases count by, absent = the package's. ``migrate``: bring the tables up to date first; safe
    from several processes at once. Raises ``ConfigurationError`` for a URL that cannot be used, ``Unavailable`` if the
    database cannot be reached or written.
    """
    engine = open_engine(url)
    if migrate:
        try:
            upgrade(engine)
        except HubError:
            engine.dispose()
            raise
    return SqlStore(engine, law=law)


__all__ = ["SqlStore", "open_store"]
