"""Migrations of the tables (Alembic), run by the hub itself: users need no alembic.ini."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from hub.errors import ConfigurationError
from hub.storage.engine import WRITE_OPTION, translated

HEAD = "0017"
"""The revision that this version of the hub works with; a test compares it with the scripts."""
_LOCK = 0x48554201
"""Key of the advisory lock that keeps two upgrades apart on PostgreSQL."""


def upgrade(engine: Engine) -> None:
    """Bring the tables up to ``HEAD``: all steps in one transaction. Safe from several processes at once.

    Raises ``ConfigurationError`` if a newer hub has written this database, ``Unavailable`` if it cannot be written.
    """
    with translated():
        if revision(engine) == HEAD:
            return
        with engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            _run(connection)


def revision(engine: Engine) -> str | None:
    """The revision of a database; None if it is empty. Without Alembic: that costs 10 MB and 0.2 s at every start."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found


def _run(connection: Connection) -> None:
    from alembic import command, util  # noqa: PLC0415  # see revision()
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except util.CommandError:
        raise ConfigurationError(
            "The database was written by a newer hub.", code="store.newer", action="Run that version or a newer one."
        ) from None


__all__ = ["HEAD", "revision", "upgrade"]
