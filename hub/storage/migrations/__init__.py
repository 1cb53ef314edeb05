"""Migrations by Alembic, run by the hub itself: no ini file, no command of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from hub.errors import ConfigurationError

_LOCK = 7_305_411
"""Advisory lock on PostgreSQL: of several processes that start at once, one migrates and the others wait."""


def config(connection: object) -> Config:
    """Alembic's configuration for an open connection."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made


def upgrade(engine: Engine) -> None:
    """Bring the tables up to the newest version; does nothing if they are."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        folder = Path(engine.url.database).parent
        if not folder.is_dir():
            raise ConfigurationError(f"The database's folder {folder} does not exist.", action="Run `hub init` first.")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(config(connection), "head")
