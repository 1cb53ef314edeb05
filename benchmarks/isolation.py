"""``isolation_10`` and ``isolation_30``: what healthy authorities feel while others take a message and never answer."""

from __future__ import annotations

from typing import Any

from benchmarks.hub_run import HubRun, Load
from benchmarks.machine import percentile

RECOVER_SECS = 60.0
"""For so long we wait for what hung; what is left then waits for its next retry, up to minutes later."""


def measure(hub: HubRun, rate: float, secs: float, part: float) -> dict[str, Any]:
    """p95 from acceptance to delivery of the healthy, as a multiple of what it was just before, all being well.

    The same load each time; what goes to the hanging waits. Afterwards they are let go, and all of it must arrive.
    """
    count = int(rate * secs)
    before = hub.submit(count, rate=rate)
    hub.require_sound(before)
    sick = hub.codes[:: round(1 / part)]
    well = frozenset(hub.codes) - set(sick)
    hub.receiver.hang(sick)
    try:
        during = hub.submit(count, rate=rate, expected=well)
    finally:
        hub.receiver.hang([])
    base = percentile(before.delivered_ms(well), 0.95)
    felt = percentile(during.delivered_ms(well), 0.95)
    return {
        "value": round(felt / base, 2) if base else 0.0,
        "unit": "times",
        "detail": {
            "hanging": len(sick),
            "authorities": len(hub.codes),
            "rate_per_s": round(rate, 1),
            "p95_all_well_ms": round(base, 1),
            "p95_healthy_while_others_hang_ms": round(felt, 1),
            "arrived_p95_all_well_ms": round(percentile(before.arrived_ms(well), 0.95), 1),
            "arrived_p95_while_others_hang_ms": round(percentile(during.arrived_ms(well), 0.95), 1),
            "healthy_not_delivered": sum(
                code in well and key not in during.recorded for key, (_, _, code) in during.accepted.items()
            ),
            "accept_p99_while_others_hang_ms": round(percentile(during.accept_ms(), 0.99), 1),
            "afterwards": _recover(hub, during),
        },
    }


def _recover(hub: HubRun, during: Load) -> dict[str, Any]:
    """Wait until what hung has arrived too."""
    secs, missing = hub.wait_for(during.accepted.keys(), RECOVER_SECS)
    counts = hub.receiver.counts()
    return {
        "secs": round(secs, 1),
        "waiting_for_a_retry": missing,
        "duplicates": counts["altered"],
        "repeats": counts["repeats"],
    }
