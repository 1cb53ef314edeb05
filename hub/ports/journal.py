"""Reading the journal of everything that came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.schemas.ids import CaseId
from hub.schemas.journal import Custody, Door, InboundRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFilter:
    """Entries to list; all that is given must hold. ``received_from`` is inclusive, ``received_to`` exclusive.

    ``code``: a text that stands in the verdict. ``sha256``: of the whole input.
    """

    channel_id: str | None = None
    authority: str | None = None
    case_id: CaseId | None = None
    custody: Custody | None = None
    door: Door | None = None
    code: str | None = None
    sha256: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None


class InboundReads(Protocol):
    """The journal of everything that came in. It is written by ``Store.apply`` (``Change.inbound``)."""

    def inbound(self, where: InboundFilter, *, limit: int, after: str | None = None) -> tuple[InboundRecord, ...]:
        """Entries, the newest first; ``after``: ``InboundRecord.cursor`` of the last one seen. ``InvalidInput``."""
        ...

    def inbound_record(self, record_id: str) -> InboundRecord | None:
        """One entry."""
        ...

    def inbound_body(self, record: InboundRecord) -> bytes | None:
        """Kept bytes of an entry; none if nothing was kept, or no longer is."""
        ...
