"""The audit trail on SQLite or PostgreSQL: the port ``AuditTrail``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from hub.ports import AuditFilter
from hub.schemas.audit import AuditEntry
from hub.storage import rules
from hub.storage.audit_tables import audit, key_uses
from hub.storage.database import Database
from hub.storage.following import made, plain

_ENTRY = tuple(field.name for field in fields(AuditEntry))
_A, _K = audit.c, key_uses.c


class SqlAudit:
    """The port ``AuditTrail``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, entry: AuditEntry) -> None:
        """Keep one entry. Raises ``Unavailable``."""
        statement = sa.insert(audit).values(plain(entry, _ENTRY))
        self.database.write(lambda connection: connection.execute(statement))

    def entries(self, where: AuditFilter, *, limit: int, after: str | None = None) -> tuple[AuditEntry, ...]:
        """Entries, the newest first; ``InvalidInput`` for a cursor that is not ours."""
        statement = sa.select(audit).where(*_conditions(where))
        if after is not None:
            statement = statement.where(_A.id < sa.literal(rules.id_after(after), _A.id.type))
        ordered = statement.order_by(_A.id.desc()).limit(limit)
        return self.database.read(lambda connection: tuple(map(made(AuditEntry, _ENTRY), connection.execute(ordered))))

    def key_used(self, key: str, at: datetime) -> None:
        """Note that a key was used; an earlier moment than the noted one changes nothing."""
        fresh = self.database.insert(key_uses).values(key=key, used_at=at)
        later = fresh.on_conflict_do_update(
            index_elements=["key"], set_={"used_at": fresh.excluded.used_at}, where=_K.used_at < fresh.excluded.used_at
        )
        self.database.write(lambda connection: connection.execute(later))

    def key_uses(self) -> Mapping[str, datetime]:
        """Last use of each key."""
        found = self.database.read(lambda connection: connection.execute(sa.select(key_uses)).all())
        return {row.key: row.used_at for row in found}


def _conditions(where: AuditFilter) -> list[sa.ColumnElement[bool]]:
    equal = {_A.actor: where.actor, _A.act: where.act, _A.subject: where.subject}
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if where.at_from is not None:
        found.append(_A.at >= where.at_from)
    if where.at_to is not None:
        found.append(_A.at < where.at_to)
    return found
