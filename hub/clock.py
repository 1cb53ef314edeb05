"""The hub's clock: follows the machine's, but not its jumps.

A time server that errs, a host that wakes with a wrong clock: wall clocks jump by an hour and come back. Whoever
believes them gives up what has an hour left, and writes moments for the next attempt that then lie an hour ahead. So a
jump is believed when it has held for ``HOLD_SECS``; until then the time goes on as the steady clock counts it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)
STEP_SECS = 5.0
"""What a time server corrects by less than this is followed at once."""
HOLD_SECS = 600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _steady() -> float:
    """Seconds since some moment, the time that the machine slept included where the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SystemClock:
    """Time in UTC, cut to milliseconds. May be asked by many threads at once."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._offset = wall() - steady()
        self._doubted: float | None = None
        self._since = 0.0

    def now(self) -> datetime:
        """The present moment. A jump of the machine's clock shows after ``HOLD_SECS``."""
        with self._lock:
            steady = self._steady()
            self._look(self._wall() - steady, steady)
            millis = int((steady + self._offset) * 1000)
        return _EPOCH + timedelta(milliseconds=millis)

    def _look(self, offset: float, steady: float) -> None:
        if abs(offset - self._offset) < STEP_SECS:
            self._offset, self._doubted = offset, None
        elif self._doubted is None or abs(offset - self._doubted) >= STEP_SECS:
            self._doubted, self._since = offset, steady
            log.error("the machine's clock jumped; not followed yet", extra={"secs": round(offset - self._offset)})
        elif steady - self._since >= HOLD_SECS:
            log.error("the machine's clock is followed again", extra={"secs": round(offset - self._offset)})
            self._offset, self._doubted = offset, None
