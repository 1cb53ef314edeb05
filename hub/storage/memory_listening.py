"""Channels over which nothing can be heard, in memory: the twin of ``hub.storage.listening``."""

from __future__ import annotations

import threading
from datetime import datetime

from hub.schemas.delivery import Unheard


class MemoryListening:
    """The port ``Listening``, under the store's lock."""

    _lock: threading.RLock
    _unheard: dict[str, Unheard]

    def heard(self, channel_id: str) -> Unheard | None:
        """End the row of failures; what it was."""
        with self._lock:
            return self._unheard.pop(channel_id, None)

    def not_heard(self, channel_id: str, *, at: datetime, code: str) -> Unheard:
        """Count a failure; how it stands now."""
        with self._lock:
            before = self._unheard.get(channel_id)
            count, since = (before.failures + 1, before.since) if before is not None else (1, at)
            self._unheard[channel_id] = Unheard(channel_id=channel_id, failures=count, since=since, code=code)
            return self._unheard[channel_id]

    def unheard(self) -> tuple[Unheard, ...]:
        """Channels whose last question or collection failed, by id."""
        with self._lock:
            return tuple(self._unheard[name] for name in sorted(self._unheard))
