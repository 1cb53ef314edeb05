"""Records kept beside cases and deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hub.schemas.delivery import OperatorItem, StoredAnswer, StoredAttachment
from hub.schemas.ids import CaseId, DeliveryId


class Records(Protocol):
    """The operators' queue, answers to repeats, files and grants."""

    def items(self, *, open_only: bool, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """The operators' queue, by id."""
        ...

    def open_items(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[OperatorItem, ...]]:
        """Open items of these cases, by id; a case without one is left out."""
        ...

    def close_items(
        self,
        delivery_id: DeliveryId | None,
        case_id: CaseId,
        at: datetime,
        resolution: str,
        reasons: Collection[str] = (),
    ) -> int:
        """Close the open items of a case, or of one delivery of it; returns how many. ``reasons``: only these."""
        ...

    def answer(self, principal: str, key: str) -> StoredAnswer | None:
        """Answer that was given to this idempotency key before."""
        ...

    def attachment(self, sha256: str) -> StoredAttachment | None:
        """An attachment that is known."""
        ...

    def may_read(self, sha256: str, party: str) -> bool:
        """True if this party was granted the attachment."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Deliveries by state as ``delivery.<state>``, open items as ``items.open``, and so on: for metrics."""
        ...

    def ping(self) -> None:
        """Raises ``Unavailable`` if the store cannot be written now."""
        ...
