"""A message on its way in parts: what a session of chunked upload or download knows (SEV OVV, ``SessionInfo``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TransferKind(StrEnum):
    """Which way the bytes go, seen from the system that opened the session."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


class TransferState(StrEnum):
    """How far a session is. The last three are final."""

    OPENED = "opened"
    IN_PROGRESS = "in_progress"
    PROCESSED = "processed"
    DELIVERED = "delivered"
    FAILED = "failed"


ENDED = frozenset({TransferState.PROCESSED, TransferState.DELIVERED, TransferState.FAILED})
"""States that a session does not leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One session. ``message_id``: as the other system spells it, without braces, in lower case.

    ``sha256``: of the whole message, as announced (upload) or counted (download; empty until asked for).
    ``transferred``: bytes that are safely kept (upload), or that were handed out (download).
    """

    id: int
    party: str
    kind: TransferKind
    message_id: str
    message_type: str
    size: int
    sha256: str
    opened_at: datetime
    transferred: int = 0
    state: TransferState = TransferState.OPENED
    code: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedNotice:
    """A small message that waits for a system which fetches: about what that system sent, not a delivery."""

    id: str
    party: str
    created_at: datetime
    body: bytes
