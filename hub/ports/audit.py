"""The audit trail of people's acts and views, and when each key was used last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.schemas.audit import AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Entries to list; all that is given must hold. ``at_from`` is inclusive, ``at_to`` exclusive."""

    actor: str | None = None
    act: str | None = None
    subject: str | None = None
    at_from: datetime | None = None
    at_to: datetime | None = None


class AuditTrail(Protocol):
    """The durable trail. Entries are only ever added; they go when their days are over."""

    def append(self, entry: AuditEntry) -> None:
        """Keep one entry. Raises ``Unavailable``: then what it is about must not happen."""
        ...

    def entries(self, where: AuditFilter, *, limit: int, after: str | None = None) -> tuple[AuditEntry, ...]:
        """Entries, the newest first; ``after``: ``AuditEntry.cursor`` of the last one seen. ``InvalidInput``."""
        ...

    def key_used(self, key: str, at: datetime) -> None:
        """Note that a key was used; an earlier moment than the noted one changes nothing."""
        ...

    def key_uses(self) -> Mapping[str, datetime]:
        """Last use of each key, by its id, as known some minutes ago."""
        ...
