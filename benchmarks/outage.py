"""``outage_felt`` and ``outage_rate``: an authority comes back, and much waits for it.

The same load goes to the others twice: while it is away, and while it takes what waited. They must not notice, and it
must not get more than its lane's rate: a system that has just come back is not to be knocked over again.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.home import LAGGARD_CODE
from benchmarks.hub_run import HubRun, Load
from benchmarks.machine import percentile
from benchmarks.processes import BenchmarkError
from hub.schemas.directory import LaneSettings

BACK_SECS = 300.0
"""Longest time until a lane whose breaker is open tries again."""


def load(hub: HubRun, rate: float, secs: float) -> Load:
    """The load that everybody else goes on getting; all of it must be delivered."""
    made = hub.submit(max(int(rate * secs), 1), rate=rate)
    if missing := made.accepted.keys() - made.recorded.keys():
        raise BenchmarkError(f"{len(missing)} messages to others were not delivered.")
    return made


def measure(hub: HubRun, away: Load, rate: float, secs: float, waiting: int) -> dict[str, dict[str, Any]]:
    """Both figures. ``away``: the load while the authority was; it has just been let go."""
    hub.receiver.forget()
    _wait_until_back(hub)
    back = load(hub, rate, secs)
    came = [at for at, code in back.arrivals.values() if code == LAGGARD_CODE]
    span = back.ended - back.began
    counted = sum(back.began <= at <= back.ended for at in came)
    lane_rate = LaneSettings().rate_per_sec
    before, felt = (percentile(each.delivered_ms(), 0.95) for each in (away, back))
    detail = {
        "stored": waiting,
        "rate_to_others_per_s": round(rate, 1),
        "p95_while_it_was_away_ms": round(before, 1),
        "p95_while_it_comes_back_ms": round(felt, 1),
        "it_got": counted,
        "secs": round(span, 1),
        "lane_rate_per_s": lane_rate,
    }
    felt_times = round(felt / before, 2) if before else 0.0
    return {
        "outage_felt": {"value": felt_times, "unit": "times", "detail": detail},
        "outage_rate": {"value": round(counted / (lane_rate * span), 2), "unit": "times", "detail": detail},
    }


def _wait_until_back(hub: HubRun) -> None:
    deadline = time.time() + BACK_SECS
    while not any(code == LAGGARD_CODE for _, code in hub.receiver.arrivals().values()):
        if time.time() > deadline:
            raise BenchmarkError("The authority that was let go got nothing.")
        time.sleep(0.2)
