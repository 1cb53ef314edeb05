"""The life of lanes in one process: a state machine without clock, threads or input. Whoever uses it holds a lock.

    state      | ring              | throttle(t)   | again | release(more)          | due(now)
    -----------+-------------------+---------------+-------+------------------------+------------------
    idle       | → working, claim  | throttled     | –     | –                      | –
    throttled  | → waiting until t | later t       | –     | –                      | –
    waiting    | stays             | stays         | –     | –                      | at t → idle, woken
    working    | rung              | noted         | rung  | → idle or throttled;   | –
               |                   |               |       | ring if rung or more   |

A lane is ``working`` from its claim until its outcomes are written, so nobody in this process claims for it twice.
``throttled``: it has had what its rate allows, until ``t``. ``waiting``: somebody rang meanwhile, and no ring would
come again before the sweeper's, so it goes on by itself. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WAKE_LEAST_SECS = 0.2
"""A lane that is throttled for less needs no waking: its next ring finds it idle."""
MARGIN_SECS = 0.05
"""The store's throttle begins a little after ours."""


@dataclass(slots=True)
class _Lane:
    working: bool = False
    rung: bool = False
    throttled_until: float = 0.0
    wake_at: float | None = None


class LaneTable:
    """The lanes of a process by name."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._waiting: set[str] = set()

    def _of(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    def working(self, name: str) -> bool:
        """True if somebody works on a lane."""
        return self._of(name).working

    def ring(self, names: Iterable[str], now: float) -> list[str]:
        """Lanes to claim for now, which are working from here on; the others are looked at when they are free."""
        claimable = []
        for name in dict.fromkeys(names):
            lane = self._of(name)
            if lane.working:
                lane.rung = True
            elif lane.throttled_until <= now:
                lane.working, lane.rung = True, False
                claimable.append(name)
            elif lane.wake_at is None:
                self._wake(name, lane.throttled_until + MARGIN_SECS)
        return claimable

    def throttle(self, name: str, until: float) -> None:
        """Keep a lane from being claimed for before ``until``."""
        self._of(name).throttled_until = until

    def wait(self, name: str, now: float) -> bool:
        """Let a lane that has more go on by itself when its throttle ends; False if that is very soon."""
        lane = self._of(name)
        if lane.throttled_until - now < WAKE_LEAST_SECS:
            return False
        self._wake(name, lane.throttled_until + MARGIN_SECS)
        return True

    def again(self, name: str) -> None:
        """Look at a working lane again when it is released."""
        self._of(name).rung = True

    def release(self, name: str, *, more: bool) -> bool:
        """End the work on a lane; True if it is to be rung for."""
        lane = self._of(name)
        rung, lane.working, lane.rung = lane.rung, False, False
        return rung or more

    def due(self, now: float) -> list[str]:
        """Lanes that waited long enough; each is told once."""
        over = [name for name in self._waiting if (self._lanes[name].wake_at or 0.0) <= now]
        for name in over:
            self._lanes[name].wake_at = None
            self._waiting.discard(name)
        return over

    def _wake(self, name: str, at: float) -> None:
        self._of(name).wake_at = at
        self._waiting.add(name)
