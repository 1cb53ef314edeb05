"""The bounded part of chaos: each cell in its short form must hold. The long form: ``python -m tests.chaos``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import bench, clock, matrix, room, servers
from tests.chaos.bench import Bench, run
from tests.chaos.cells import table
from tests.chaos.world import Backing
from tests.conftest import leave_out
from tests.forms import NIGHTLY

EMBEDDED = {
    "chain-kill": 5,
    "chain-stop": 10,
    "lost-answers": 10,
    "random-503": 100,
    "every-tenth-fails": 100,
    "killed-with-many-accepted": 200,
    "back-after-outage": 100,
    "sick-endpoints": 20,
    "disk-full": 10,
    "clock-jumps": 10,
}
"""Cells and how many messages each gets."""
FIT: dict[str, Callable[[], str | None]] = {"disk-full": room.fit, "clock-jumps": clock.fit}
"""Why a cell cannot run here."""
PRODUCTION = {"chain-kill": 5, "chain-stop": 10, "worker-dies": 40, "poison": 10, "broker-wiped": 20}
AT_NIGHT = (
    *("chain-stop", "worker-dies", "broker-wiped", "clock-jumps", "killed-with-many-accepted", "back-after-outage"),
    *("every-tenth-fails", "random-503", "sick-endpoints", "disk-full", "lost-answers", "poison"),
)
HALVES = {"embedded/chain-kill": 0, "production/chain-kill": 1}
"""By day the one chain strikes at every third point, the other at those behind them."""


def _marked(names: Iterable[str]) -> list[Any]:
    marks = {name: [pytest.mark.slow, *([pytest.mark.nightly] if name in AT_NIGHT else [])] for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """A folder that is not below pytest's: another run of the same user closes that to others, such as `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def own(ground: Path) -> Path:
    """A fresh folder for one cell."""
    return Path(tempfile.mkdtemp(prefix="cell-", dir=ground))


@pytest.fixture(scope="session")
def backing(ground: Path) -> Iterator[Backing]:
    """PostgreSQL and RabbitMQ of our own, to be killed."""
    if missing := servers.missing():
        leave_out(f"not installed: {', '.join(missing)}")
    with bench.backing(ground) as made:
        yield made


def _holds(name: str, table_: Bench) -> None:
    halved = name in HALVES and not NIGHTLY
    cell = partial(matrix.chain, "kill", every=3, first=HALVES[name]) if halved else table()[name]
    line = run(name, cell, table_)
    assert line.good, "\n".join([*line.values(), *line.words()])


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", _marked(EMBEDDED))
def test_embedded(name: str, ground: Path) -> None:
    """Nothing is lost, unexpected or doubled, and whatever else the cell promises, in one process on SQLite."""
    if why := FIT.get(name, lambda: None)():
        leave_out(why)
    _holds(
        f"embedded/{name}",
        Bench(folder=own(ground), messages=EMBEDDED[name], stop_secs=3),
    )


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", _marked(PRODUCTION))
def test_production(name: str, ground: Path, backing: Backing) -> None:
    """The same on PostgreSQL and RabbitMQ with processes for doors, workers and sweeper."""
    _holds(
        f"production/{name}",
        Bench(
            folder=own(ground),
            messages=PRODUCTION[name],
            stop_secs=3,
            backing=backing,
        ),
    )
