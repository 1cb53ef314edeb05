"""Auditing at a terminal: whoever may run commands on the hub's machine leaves the same trail as at the doors."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hub.bootstrap import Hub
from hub.ports import AuditTrail
from hub.schemas.audit import AuditEntry
from hub.schemas.ids import new_id
from hub.settings import Settings
from hub.storage import open_store
from hub.storage.audit import SqlAudit

ROLE = "terminal"


def terminal_user() -> str:
    """Name of the account at the terminal; behind ``sudo`` that of who called it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return f"uid {os.getuid()}"


def audited(
    hub: Hub, act: str, subject: object = None, *, by: str | None = None, why: str | None = None, detail: str = ""
) -> None:
    """Keep what the command is about to do or to show. Raises ``Unavailable``: then it must not go on."""
    keep(hub.audit, act, subject, by=by, why=why, detail=detail)


def keep(
    trail: AuditTrail,
    act: str,
    subject: object = None,
    *,
    by: str | None = None,
    why: str | None = None,
    detail: str = "",
) -> None:
    """Append one entry of this terminal to a trail. Raises ``Unavailable``."""
    trail.append(
        AuditEntry(
            id=new_id(),
            at=datetime.now(UTC),
            actor=f"terminal:{terminal_user()}",
            role=ROLE,
            act=act,
            holder=by,
            subject=None if subject is None else str(subject)[:200],
            why=why,
            detail=detail[:200] or None,
        )
    )


@contextmanager
def trail_of(settings: Settings) -> Iterator[AuditTrail]:
    """The trail of a home, for commands that need nothing else of the hub. ``Unavailable``."""
    store = open_store(settings.sqlalchemy_url, migrate=True)
    try:
        yield SqlAudit(store.database)
    finally:
        store.close()
