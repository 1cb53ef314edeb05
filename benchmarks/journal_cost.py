"""``journal_cost``: what writing the journal takes of the throughput, in one run side by side.

Two hubs in the production set-up, each with its own database and virtual host, carry the same loads in turns; while one
runs, the other stands still. Each appeal is answered with a receipt (registered, under a number), so that each message
brings an entry of the journal and the raw answer with its attempt: more than most systems say. One hub writes them, the
other (``benchmarks.unjournalled``) is the same but for that.

The figure is that of CPU: the part that the hub, the database and the broker spend more for a message of the one than
of the other. On a machine that is full, which is what bounds the throughput, the two are the same part; and what else
the machine does disturbs it less than it does rates. These stand in the detail.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks.growth import cost_us
from benchmarks.hub_run import HubRun, Load, SetUp
from benchmarks.places import database, virtual_host
from benchmarks.processes import BenchmarkError, Crew, Receiver

WITHOUT = "benchmarks.unjournalled"


def measure(
    crew: Crew, codes: Sequence[str], set_up: SetUp, *, warm_up: int, rounds: int, count: int
) -> dict[str, Any]:
    """Part of the CPU time of a message, in percent, that goes into the journal."""
    receiver = Receiver(crew)
    receiver.register(True)
    with ExitStack() as stack:
        hubs = []
        for program in (set_up.program, WITHOUT):
            places = stack.enter_context(database()), stack.enter_context(virtual_host())
            hub = HubRun(crew, receiver, *places, codes, replace(set_up, program=program))
            hubs.append(stack.enter_context(hub))
            hub.require_sound(hub.submit(warm_up))
            hub.pause()
        loads = [[_load(hub, count) for hub in hubs] for _ in range(rounds)]
        entries = [_entries(hub) for hub in hubs]
    if entries[0] < count * rounds or entries[1]:
        raise BenchmarkError(f"The journals have {entries} entries.")
    return _figure(loads) | {"detail": _detail(loads) | {"entries": entries[0], "messages": count * rounds}}


def _load(hub: HubRun, count: int) -> Load:
    hub.resume()
    load = hub.submit(count)
    hub.require_sound(load)
    hub.pause()
    return load


def _entries(hub: HubRun) -> int:
    row = hub.database.execute("SELECT count(*) FROM inbound").fetchone()
    return int(str(row[0])) if row else 0


def _figure(loads: Sequence[Sequence[Load]]) -> dict[str, Any]:
    """By the median of each round's own comparison: what changes slowly around it disturbs no pair."""
    lost = statistics.median(1 - cost_us(without) / cost_us(with_) for with_, without in loads)
    return {"value": round(100 * lost, 1), "unit": "%"}


def _detail(loads: Sequence[Sequence[Load]]) -> dict[str, Any]:
    by_rate = statistics.median(1 - with_.rate / without.rate for with_, without in loads)
    detail: dict[str, Any] = {"lost_by_rate_percent": round(100 * by_rate, 1), "rounds": len(loads)}
    for at, name in enumerate(("with", "without")):
        detail[f"cpu_us_per_message_{name}"] = round(statistics.median(cost_us(pair[at]) for pair in loads))
        detail[f"per_s_{name}"] = round(statistics.median(pair[at].rate for pair in loads), 1)
    return detail
