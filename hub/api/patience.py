"""Patience with callers that are refused again and again: their next refusals come after a pause.

Who hammers at a door with a wrong key, or beyond its share, would take the door's time from all others. A pause costs
the door nothing: however many connections the caller has, it hears ten refusals a second; with more than three hundred
connections one in 15 to 30 seconds on each of them, and never on many at once. Calls that are not refused never wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

LONGEST_SECS: Final = 30.0
BURST: Final = 50.0
PER_SEC: Final = 10.0
MOST_NAMES: Final = 10_000


class Patience:
    """Pauses by name of the caller or its address: none for fifty refusals at once, then until its turn comes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: seconds, never set back."""
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def pause(self, name: str) -> float:
        """Note a refusal; seconds to wait before it is told."""
        now = self._clock()
        left, at = self._left.pop(name, (BURST, now))
        left = min(BURST, left + (now - at) * PER_SEC) - 1
        if left < -LONGEST_SECS * PER_SEC:
            left /= 2  # all at the longest pause would come back at one moment
        self._left[name] = (left, now)
        if len(self._left) > MOST_NAMES:
            self._left.popitem(last=False)
        return max(-left / PER_SEC, 0.0)
