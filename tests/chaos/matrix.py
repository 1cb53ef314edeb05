"""F1: kill -9 and freeze of hub, broker and database at each of the points S1 to S17.

For broker and database the hub's process freezes itself at the point, the victim is struck, and the process wakes: so
the victim is away from exactly that moment on.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Literal

from hub.failpoints import POINTS
from tests.chaos.bench import Bench, Cell, Result, result
from tests.chaos.servers import Postgres, RabbitMQ
from tests.chaos.units import Unit
from tests.chaos.world import API_POINTS, World

_OFTEN = frozenset({"S1", "S2", "S3", "S4", "S9", "S10", "S14", "S15"})
"""Points that every message passes by itself; the others are passed by batches."""
AWAY_SECS = 2.0
CHAIN_STOP_SECS = 5.0
_STRIKE_SECS = 40.0
_NEXT_SECS = 20.0
"""For each further point: the process starts anew, and other cells may run beside it."""

Victim = Literal["broker", "database"]


def _nth(point: str) -> str:
    return "4" if point in _OFTEN else "2"


def feed(world: World, messages: int) -> None:
    """Submit, and go on until every failpoint has struck: a point that nobody passes proves nothing."""
    world.submitter.add(messages)
    units = list(world.units.values())
    # A process that is frozen goes on with what is still armed, so one plan may name several points.
    points = {unit.name: sum(1 + plan.count(",") for plan in (unit.armed, *unit.plan) if plan) for unit in units}

    def left() -> dict[str, int]:
        return {unit.name: n for unit in units if (n := points[unit.name] - len(unit.struck)) > 0}

    def all_struck() -> bool:
        if not left():
            return True
        if world.submitter.open() < 10:
            world.submitter.add(1)
        return False

    if not world.wait(all_struck, _STRIKE_SECS + _NEXT_SECS * sum(points.values()), "every strike"):
        world.faults.append(f"strikes that are missing: {left()}")


def strike_hub(point: str, action: str, bench: Bench) -> Result:
    """The process that comes to the point is killed or frozen there."""
    production = bench.backing is not None
    name = "hub" if not production else "api" if point in API_POINTS else "worker"
    plans = {name: [f"{point}:{action}:{_nth(point)}"]}
    with bench.world(plans=plans, workers=2 if name == "worker" and action == "stop" else 1) as world:
        feed(world, bench.messages)
        return result(world, bench)


def strike_server(point: str, action: str, victim: Victim, bench: Bench) -> Result:
    """Broker or database is killed (and started after a moment) or frozen when the hub comes to the point."""
    assert bench.backing is not None
    server: Postgres | RabbitMQ = bench.backing.rabbitmq if victim == "broker" else bench.backing.postgres
    back = threading.Event()
    helpers: list[threading.Thread] = []

    def bring_back() -> None:
        threading.Event().wait(AWAY_SECS if action == "kill" else bench.stop_secs)
        server.start() if action == "kill" else server.thaw()
        back.set()

    def strike(_: Unit) -> None:
        server.kill() if action == "kill" else server.freeze()
        helpers.append(threading.Thread(target=bring_back))
        helpers[0].start()

    plans = {"api" if point in API_POINTS else "worker": [f"{point}:stop:{_nth(point)}"]}
    try:
        with bench.world(strike, plans=plans) as world:
            feed(world, bench.messages)
            world.wait(back.is_set, bench.stop_secs + 90, f"the {victim} again")
            return result(world, bench)
    finally:
        for helper in helpers:
            helper.join()


def chain(action: str, bench: Bench, *, every: int = 1, first: int = 0) -> Result:
    """All points, or every so many from the first on, after one another in one world under traffic: the short form of
    the matrix.

    A freeze is a short one here, for there are seventeen; the long ones are the matrix's own cells.
    """
    units = (
        [("hub", POINTS)]
        if bench.backing is None
        else [
            ("api", [p for p in POINTS if p in API_POINTS]),
            ("worker", [p for p in POINTS if p not in API_POINTS]),
        ]
    )
    chosen = POINTS[first::every]
    plans = {name: [f"{p}:{action}:2" for p in points if p in chosen] for name, points in units}
    if action == "stop":  # a process that woke goes on with what is still armed
        plans = {name: [",".join(plan)] for name, plan in plans.items()}
    with bench.world(plans=plans, stop_secs=min(bench.stop_secs, CHAIN_STOP_SECS)) as world:
        feed(world, bench.messages)
        return result(world, bench)


def cells(form: str) -> dict[str, Cell]:
    """Names and cells of the matrix."""
    made: dict[str, Cell] = {}
    for point in POINTS:
        for action in ("kill", "stop"):
            made[f"{form}/{action}/{point}"] = partial(strike_hub, point, action)
            if form == "production":
                for victim in ("broker", "database"):
                    made[f"{form}/{action}-{victim}/{point}"] = partial(strike_server, point, action, victim)
    return made
