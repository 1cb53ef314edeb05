"""Refused credentials, counted in the journal: one entry for each source, door and minute, without a body.

The first of a minute is written at once, so that it is seen; those after it are counted here and written when the
minute is over, so that a flood costs one row. Beyond ``MOST`` sources and doors in a minute the rest is one entry.
"""

from __future__ import annotations

import logging
import threading
import uuid
from datetime import datetime, timedelta

from hub.delivery.records import UNKNOWN_PARTY
from hub.errors import HubError
from hub.ports import Clock, Store
from hub.schemas.delivery import Change
from hub.schemas.journal import Custody, Door, InboundRecord

log = logging.getLogger(__name__)
MOST = 1_000
MINUTE = timedelta(minutes=1)
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_ENTRIES = uuid.UUID("0d1f1b8e-57c1-5d0c-8f63-90d1f4a7b9d2")


class RefusedLogins:
    """Counts refused credentials. Safe to call from many threads; never raises."""

    def __init__(self, store: Store, clock: Clock, *, process: str) -> None:
        self._store = store
        self._clock = clock
        self._process = process
        self._lock = threading.Lock()
        self._minute: datetime | None = None
        self._counts: dict[tuple[str, str], int] = {}

    def note(self, source: str, door: str) -> None:
        """Count one. ``source``: the address of the caller; ``door``: the route's template."""
        now = self._clock.now()
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            over = self._turn(minute)
            key = (source, door)
            if key not in self._counts and len(self._counts) >= MOST:
                key = ("others", "others")
            first = key not in self._counts
            self._counts[key] = self._counts.get(key, 0) + 1
        entries = [*over, *([self._entry(minute, key, 1, now)] if first else [])]
        self._write(entries)

    def flush(self) -> None:
        """Write what is counted and not yet written."""
        with self._lock:
            over = self._turn(None)
        self._write(over)

    def _turn(self, minute: datetime | None) -> list[InboundRecord]:
        """Entries of the minute that is over: what came after its first."""
        if self._minute == minute or self._minute is None:
            self._minute = minute
            return []
        ended, self._minute = self._minute, minute
        counts, self._counts = self._counts, {}
        last = ended + MINUTE - timedelta(milliseconds=1)
        return [self._entry(ended, key, count - 1, last) for key, count in counts.items() if count > 1]

    def _entry(self, minute: datetime, key: tuple[str, str], count: int, last: datetime) -> InboundRecord:
        source, door = key
        named = f"{self._process}\n{minute.isoformat()}\n{source}\n{door}"
        return InboundRecord(
            id=str(uuid.uuid5(_ENTRIES, named)),
            received_at=minute,
            last_at=last,
            channel_id="-",
            authority=UNKNOWN_PARTY,
            sha256=_EMPTY_SHA256,
            size=0,
            verdict="auth.refused",
            door=Door.LOGIN,
            proof="none",
            detail=f"{source} at {door}"[:500],
            custody=Custody.NOTED,
            count=count,
        )

    def _write(self, entries: list[InboundRecord]) -> None:
        if not entries:
            return
        try:
            self._store.apply(Change(inbound=tuple(entries)))
        except HubError as failure:  # the answer is 401 whether or not it could be written; the access log has it too
            log.warning("refused logins were not journalled", extra={"code": failure.stable_code})
