"""Claims: work that one of many workers takes for a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hub.schemas.delivery import Applied, CaseRow, Change, Claim, Delivery, LaneState
from hub.schemas.ids import CaseId, DeliveryId


class Claims(Protocol):
    """Work that one worker takes for itself for a time, so that no other does the same."""

    def claim(
        self,
        limits: Mapping[str, int],
        *,
        now: datetime,
        begin: Callable[[Sequence[Claim], Mapping[str, LaneState]], Change],
    ) -> Applied:
        """Look at what is due (``waiting``, ``unknown``, ``sending`` with an expired lease) in these lanes, at most so
        many of each, highest priority first, and write what ``begin`` makes of it and of the lanes' states as they are
        now, in one transaction.

        Nobody else takes from these lanes meanwhile (a lane that another takes from gives nothing); what ``begin`` does
        not change stays due. ``begin`` may be called
        again if the transaction has to be tried again; it may read the store, and must not write.
        """
        ...

    def claim_polls(self, channel_id: str, *, now: datetime, next_at: datetime, limit: int) -> tuple[Delivery, ...]:
        """Deliveries whose ``poll_at`` has come; it is moved to ``next_at`` so that no one else asks meanwhile."""
        ...

    def claim_collect(self, channel_id: str, *, now: datetime, until: datetime) -> bool:
        """True if the caller may collect over this channel now; nobody else may before ``until``, or before a time
        that ``plan_collect`` sets.
        """
        ...

    def plan_collect(self, channel_id: str, at: datetime, *, heard_at: datetime | None = None) -> None:
        """When to collect over this channel next; ``heard_at``: when it went well, absent = it did not."""
        ...

    def bookmark(self, channel_id: str) -> str | None:
        """Where a list was read to over this channel, in its adapter's own words; None before the first time."""
        ...

    def save_bookmark(self, channel_id: str, bookmark: str) -> None:
        """Keep where a list was read to. Only a channel that was claimed to be collected over has one."""
        ...

    def collects_later(self, now: datetime) -> frozenset[str]:
        """Channels over which it is not yet time to collect."""
        ...

    def claim_watched(
        self, *, now: datetime, until: datetime, limit: int, case_id: CaseId | None = None
    ) -> tuple[CaseRow, ...]:
        """Cases whose ``watch_at`` has come, those first that waited longest; it is moved to ``until`` so that no one
        else looks meanwhile, and is derived again with the next fact. ``case_id``: only this one, if it is due.
        """
        ...

    def save_progress(self, delivery_id: DeliveryId, progress: str, *, owner: str) -> bool:
        """Note how far a delivery of several calls has come; False if ``owner`` holds its lease no more."""
        ...

    def release(self, owner_prefix: str) -> int:
        """End the leases of owners that are surely gone (embedded start): their deliveries become ``unknown``, due."""
        ...
