"""Numbers for new cases: each process takes them from the store in blocks and gives them out from memory.

So the way of an appeal waits for no counter, and processes do not wait for each other. The price: what is left of a
block is lost when the process ends, and several processes do not number in the order of arrival. Without gaps nobody
promises the numbers; that none is given out twice, the store does.
"""

from __future__ import annotations

import threading
from datetime import datetime

from hub.ports import CaseNumbers
from hub.schemas.case_number import case_number
from hub.schemas.kyiv import kyiv_day

FIRST_BLOCK = 10
LARGEST_BLOCK = 1_000
"""A block is twice as large as the one before it, up to here: who takes few appeals loses few numbers."""


class _Block:
    """Numbers that were taken and not given out yet."""

    def __init__(self) -> None:
        self.size = FIRST_BLOCK
        self.next = 0
        self.end = 0


class Numbering:
    """Gives out numbers of cases. Thread-safe."""

    def __init__(self, numbers: CaseNumbers) -> None:
        self._numbers = numbers
        self._lock = threading.Lock()
        self._blocks: dict[tuple[str, int], _Block] = {}

    def at_hand(self, owner: str, now: datetime) -> str | None:
        """The next number of the owner in the Kyiv year of this moment, without waiting for anything; none if the
        block is used up, or somebody takes a new one now.
        """
        year = kyiv_day(now).year
        if not self._lock.acquire(blocking=False):
            return None
        try:
            block = self._blocks.get((owner, year))
            return None if block is None or block.next == block.end else _given(block, year)
        finally:
            self._lock.release()

    def take(self, owner: str, now: datetime) -> str:
        """The same; takes a new block if it must. Raises ``Unavailable``."""
        year = kyiv_day(now).year
        with self._lock:
            block = self._blocks.setdefault((owner, year), _Block())
            if block.next == block.end:
                block.next = self._numbers.take_numbers(owner, year, block.size)
                block.end = block.next + block.size
                block.size = min(2 * block.size, LARGEST_BLOCK)
            return _given(block, year)

    def forget(self) -> None:
        """Give up all blocks: the store does not know of them any more."""
        with self._lock:
            self._blocks.clear()


def _given(block: _Block, year: int) -> str:
    block.next += 1
    return case_number(year, block.next - 1)
