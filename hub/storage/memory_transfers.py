"""Sessions of chunked transfer in memory: the twin of ``hub.storage.transfers``, for tests and simulations."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from hub.schemas.transfer import ENDED, QueuedNotice, Transfer, TransferKind, TransferState


class MemoryTransfers:
    """The twin in memory, for tests and simulations. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transfers: dict[int, Transfer] = {}
        self._notices: dict[str, QueuedNotice] = {}
        self._taken: set[str] = set()

    def open(self, transfer: Transfer) -> Transfer:
        """Write a new session."""
        with self._lock:
            made = replace(transfer, id=len(self._transfers) + 1)
            self._transfers[made.id] = made
            return made

    def get(self, session_id: int) -> Transfer | None:
        """One session."""
        with self._lock:
            return self._transfers.get(session_id)

    def latest(self, party: str, kind: TransferKind, message_id: str) -> Transfer | None:
        """The newest session of a party for this message."""
        wanted = (party, kind, message_id)
        with self._lock:
            mine = [t for t in self._transfers.values() if (t.party, t.kind, t.message_id) == wanted]
        return mine[-1] if mine else None

    def advance(self, session_id: int, *, before: int, after: int) -> bool:
        """Count bytes."""
        with self._lock:
            transfer = self._transfers.get(session_id)
            if transfer is None or transfer.transferred != before or transfer.state in ENDED:
                return False
            self._transfers[session_id] = replace(transfer, transferred=after, state=TransferState.IN_PROGRESS)
            return True

    def count(self, session_id: int, sha256: str) -> None:
        """Keep the hash that was counted."""
        with self._lock:
            if session_id in self._transfers:
                self._transfers[session_id] = replace(self._transfers[session_id], sha256=sha256)

    def end(self, session_id: int, state: TransferState, code: int | None = None, text: str | None = None) -> bool:
        """End a session."""
        with self._lock:
            transfer = self._transfers.get(session_id)
            if transfer is None or transfer.state in ENDED:
                return False
            self._transfers[session_id] = replace(transfer, state=state, code=code, text=text)
            return True

    def since(
        self, party: str, kind: TransferKind, first: datetime, last: datetime, limit: int
    ) -> tuple[Transfer, ...]:
        """Sessions that a party opened within a time."""
        with self._lock:
            found = [t for t in self._transfers.values() if (t.party, t.kind) == (party, kind)]
        within = [t for t in found if first <= t.opened_at <= last]
        return tuple(sorted(within, key=lambda t: (t.opened_at, t.id))[:limit])

    def unfinished(self, party: str, kind: TransferKind, first: datetime) -> int:
        """How many have not ended."""
        with self._lock:
            mine = [t for t in self._transfers.values() if (t.party, t.kind) == (party, kind) and t.opened_at >= first]
        return sum(t.state not in ENDED for t in mine)

    def queue(self, notice: QueuedNotice) -> None:
        """Keep a notice until it is taken."""
        with self._lock:
            self._notices.setdefault(notice.id, notice)

    def queued(self, party: str, limit: int) -> tuple[QueuedNotice, ...]:
        """Notices that wait for a party."""
        with self._lock:
            waiting = [n for n in self._notices.values() if n.party == party and n.id not in self._taken]
        return tuple(sorted(waiting, key=lambda n: (n.created_at, n.id))[:limit])

    def notice(self, party: str, notice_id: str) -> QueuedNotice | None:
        """One notice."""
        with self._lock:
            found = self._notices.get(notice_id)
        return found if found is not None and found.party == party else None

    def mark_fetched(self, notice_id: str, at: datetime) -> None:  # noqa: ARG002 - the protocol's signature
        """It was taken."""
        with self._lock:
            self._taken.add(notice_id)
