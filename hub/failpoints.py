"""Places where a test may strike. Off unless ``HUB_FAILPOINT`` names one; then one string comparison each.

``HUB_FAILPOINT=S8:kill`` kills this process with SIGKILL when it comes to S8; ``S8:stop`` freezes it with SIGSTOP;
``S8:kill:7`` strikes at the seventh time. Several are joined by commas. The points:

S1 request read · S2 validated · S3 COMMIT received · S4 202 sent · S5 wake-up published · S6 lane woken · S7 addressee
resolved, sealed · S8 COMMIT attempt · S9 part of the bytes out · S10 all out, answer unread · S11 receipt read · S12
COMMIT delivered · S13 wake-up acknowledged · S14 callback read · S15 verified, COMMIT answered · S16 event handed to
the contact centre · S17 its next cursor seen
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

from hub.errors import ConfigurationError

POINTS: Final = tuple(f"S{number}" for number in range(1, 18))
_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class _Armed:
    def __init__(self, text: str) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[signal.Signals, int]] = {}
        for word in filter(None, text.split(",")):
            point, action, *times = word.split(":")
            if point not in POINTS or action not in _ACTIONS or not all(t.isdigit() for t in times[:1]):
                raise ConfigurationError("HUB_FAILPOINT is POINT:kill or POINT:stop, with :N for the N-th time.")
            self._left[point] = (_ACTIONS[action], int(times[0]) if times else 1)

    def names(self, point: str) -> bool:
        return point in self._left

    def hit(self, point: str) -> None:
        with self._lock:
            if point not in self._left:
                return
            action, left = self._left.pop(point)
            if left > 1:
                self._left[point] = (action, left - 1)
                return
            # Under the lock and on this very thread: of two threads at two points each must strike by itself, and two
            # freezes that fall together would be one.
            signal.pthread_kill(threading.get_ident(), action)


_armed = _Armed(os.environ["HUB_FAILPOINT"]) if os.environ.get("HUB_FAILPOINT") else None


def hit(point: str) -> None:
    """Strike here, if the environment says so."""
    if _armed is not None:
        _armed.hit(point)


def named(point: str) -> bool:
    """True if the environment names this place and it was not struck yet: for what must be arranged before."""
    return _armed is not None and _armed.names(point)
