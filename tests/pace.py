"""Limits of time that hold on a slow or busy machine too: they are measured against the same work, done there and then.

A limit is said in seconds of the machine on which it was first measured; where a fixed piece of ordinary work takes
longer than it took there, the limit grows with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WORK = [{"code": str(n), "name": "звернення" * 3, "parts": list(range(20))} for n in range(2_000)]
_WORK_SECS = 0.007
"""Processor time that one piece of work took on the machine of the first measurement."""


def _slowness(clock: Callable[[], float], rounds: int) -> float:
    begin = clock()
    for _ in range(rounds):
        json.loads(json.dumps(_WORK))
    return max(1.0, (clock() - begin) / rounds / _WORK_SECS)


def pace(secs: float) -> float:
    """So many seconds of processor time, in those of this machine at this moment."""
    return secs * _slowness(time.process_time, 3)


def crowding() -> float:
    """How many times longer than there and then the same work takes here and now, whatever else runs beside."""
    return _slowness(time.perf_counter, 10)


@contextmanager
def within(secs: float) -> Iterator[None]:
    """What is done inside takes at most so much processor time."""
    begin = time.process_time()
    yield
    took = time.process_time() - begin
    assert took < pace(secs), f"it took {took:.3f} s of processor time"
