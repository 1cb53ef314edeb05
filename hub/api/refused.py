"""Refused credentials, counted in the journal: one entry for each source, door and minute, without a body.

The first of a minute is written at once, so that it is seen; those after it are counted here and written when the
minute is over, so that a flood costs one row. Beyond ``MOST`` sources and doors in a minute the rest is one entry.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from hub.delivery.records import UNKNOWN_PARTY
from hub.errors import HubError
from hub.ports import Clock, Store
from hub.schemas.delivery import Change
from hub.schemas.journal import Custody, Door, InboundRecord

log = logging.getLogger(__name__)
MOST = 1_000
MOST_LATE = 10 * MOST
"""So many entries wait for a store that is away."""
MINUTE = timedelta(minutes=1)
_TICK = timedelta(milliseconds=1)
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
        self._last: datetime | None = None
        self._counts: dict[tuple[str, str], int] = {}
        self._late: dict[str, InboundRecord] = {}

    def note(self, source: str, door: str) -> None:
        """Count one. ``source``: the address of the caller; ``door``: the route's template."""
        now = self._clock.now()
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            over = self._turn(minute, now)
            key = (source, door)
            if key not in self._counts and len(self._counts) >= MOST:
                key = ("others", "others")
            first = key not in self._counts
            self._counts[key] = self._counts.get(key, 0) + 1
            if first:
                over.append(self._entry(minute, key, 1, self._later(now)))
            self._write(over)

    def flush(self) -> None:
        """Write what is counted and not yet written: at the end of a minute without a call, or of the process."""
        with self._lock:
            self._write(self._turn(None, self._clock.now()))

    def _turn(self, minute: datetime | None, now: datetime) -> list[InboundRecord]:
        """Entries of the minute that is over: what came after its first."""
        if self._minute == minute or self._minute is None:
            self._minute = minute
            return []
        ended, self._minute = self._minute, minute
        counts, self._counts = self._counts, {}
        last = self._later(min(now, ended + MINUTE - _TICK))
        return [self._entry(ended, key, count - 1, last) for key, count in counts.items() if count > 1]

    def _later(self, moment: datetime) -> datetime:
        """A moment after all that were written: the store counts an entry again only if it comes later."""
        self._last = moment if self._last is None else max(moment, self._last + _TICK)
        return self._last

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
        """Write these and what could not be written before. Under the lock, so that no later count overtakes one."""
        for entry in entries:
            known = self._late.get(entry.id)
            self._late[entry.id] = replace(entry, count=entry.count + known.count) if known else entry
        if not self._late:
            return
        try:
            self._store.apply(Change(inbound=tuple(self._late.values())))
        except HubError as failure:  # the answer is 401 whether or not it could be written; the access log has it too
            log.warning("refused logins were not journalled yet", extra={"code": failure.stable_code})
            if len(self._late) <= MOST_LATE:
                return
            log.error("refused logins are forgotten: the store is away for too long")  # noqa: TRY400 - no traceback
        self._late.clear()
