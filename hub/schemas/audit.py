"""Values of the audit trail: what people did through the hub's doors and commands, and what of citizens they saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act or view of a person. It is written before the answer leaves, and never changed.

    ``actor``: id of the key, of the token's subject or of the terminal's user; ``holder``: the person or system that
    the key belongs to; ``act``: the door or the command; ``subject``: what it was about (an id); ``why``: the reason
    that was given; ``detail``: by which members a search was made, never their values; ``status``: the HTTP status of
    the answer, none at a terminal. No personal data of applicants stands here.
    """

    id: UUID
    at: datetime
    actor: str
    role: str
    act: str
    holder: str | None = None
    subject: str | None = None
    why: str | None = None
    detail: str | None = None
    status: int | None = None

    @property
    def cursor(self) -> str:
        """Place of the entry in the trail."""
        return str(self.id)
