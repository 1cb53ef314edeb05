"""Values of the journal of everything that came in: by which door, what became of it, who decided about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.schemas.ids import CaseId, MessageId

CAP_BYTES = 32 * 1_048_576
"""Longest input that is kept whole."""
FIRST_BYTES = 1_048_576
"""So much is kept of a longer one."""


class Door(StrEnum):
    """Way by which something came in. ``response``: with the answer to a sending; ``login``: a refused credential."""

    CALLBACK = "callback"
    INBOX = "inbox"
    ENVELOPES = "envelopes"
    SOAP = "soap"
    SEV = "sev"
    RESPONSE = "response"
    POLL = "poll"
    COLLECT = "collect"
    LOGIN = "login"


class Custody(StrEnum):
    """Fate of an entry. ``attached``: it stands with a case; ``noted``: there is nothing to decide; ``held``: it may be
    an authority's word, and a person must say so; ``decided`` and ``dismissed``: a person did.
    """

    ATTACHED = "attached"
    NOTED = "noted"
    HELD = "held"
    DECIDED = "decided"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRecord:
    """Entry of the journal of what came in from an authority, refused things included.

    ``sha256`` and ``size``: of the whole, as it came. ``kept_sha256`` and ``kept``: of the bytes that are kept, without
    credentials and up to the cap; none if the bytes are those of the message. ``cuts``: credentials that were cut out.
    ``proof``: how the sender was known. ``count``: how often the same came by the same way,
    ``last_at`` when last. ``body``: the bytes, on their way into the store only.
    """

    id: str
    received_at: datetime
    channel_id: str
    authority: str
    sha256: str
    size: int
    verdict: str
    message_id: MessageId | None = None
    case_id: CaseId | None = None
    detail: str | None = None
    door: Door = Door.CALLBACK
    proof: str = "-"
    content_type: str = ""
    kept_sha256: str | None = None
    kept: int = 0
    cuts: int = 0
    custody: Custody = Custody.NOTED
    count: int = 1
    last_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decision: str | None = None
    body: bytes | None = None

    @property
    def cursor(self) -> str:
        """Place in lists, which are in order of arrival: milliseconds since 1970 and the id."""
        return f"{int(self.received_at.timestamp() * 1000):015d}.{self.id}"


class Gathered:
    """An input that comes in pieces, as the journal keeps it: whole up to the cap, else its first part."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """The next piece."""
        self._digest.update(piece)
        self.size += len(piece)
        self._kept += piece[: CAP_BYTES - len(self._kept)]

    @property
    def body(self) -> bytes:
        """Bytes to keep."""
        return bytes(self._kept if self.size <= CAP_BYTES else self._kept[:FIRST_BYTES])

    @property
    def sha256(self) -> str:
        """Digest of all that came."""
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBody:
    """Bytes of entries, kept once by content. ``kept_at``: when they came last."""

    sha256: str
    body: bytes
    kept_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundDecision:
    """A person's decision about an entry; applied only if it still stands as that person saw it (``seen``)."""

    seen: InboundRecord
    custody: Custody
    at: datetime
    by: str
    words: str
    case_id: CaseId | None = None

    def holds_for(self, record: InboundRecord) -> bool:
        """True if nobody decided meanwhile."""
        return (record.custody, record.decided_at) == (self.seen.custody, self.seen.decided_at)
