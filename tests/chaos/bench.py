"""What a cell is given to work with, and how its line of the table is made."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.chaos.accounting import Line, Verdict
from tests.chaos.servers import Postgres, RabbitMQ
from tests.chaos.units import Unit
from tests.chaos.world import Backing, Options, World

LEASE_SECS = 40.0
"""Longest time that a claim of a dead worker lives with the lanes' settings of these worlds (hub.outbound.claim)."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """``messages`` a cell; ``stop_secs``: how long what is frozen or away stays so; ``soak_secs`` of random kills."""

    folder: Path
    messages: int = 50
    stop_secs: float = 60.0
    soak_secs: float = 60.0
    backing: Backing | None = None

    @contextmanager
    def world(self, on_strike: Callable[[Unit], None] | None = None, **options: Any) -> Iterator[World]:
        """A world in a folder of its own; ``options`` as in ``Options``, production if there is a backing."""
        with ExitStack() as stack, self.made(stack, on_strike, **options) as world:
            yield world

    def made(self, stack: ExitStack, on_strike: Callable[[Unit], None] | None = None, **options: Any) -> World:
        """As ``world``, not started yet; its folder goes with the stack."""
        folder = Path(tempfile.mkdtemp(prefix="world-", dir=self.folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return World(folder, Options(**{"backing": self.backing, "stop_secs": self.stop_secs, **options}), on_strike)

    @property
    def patience_secs(self) -> float:
        """How long a world may take to become quiet."""
        return 60.0 + 2 * self.stop_secs + (2 * LEASE_SECS if self.backing else 0) + self.messages / 10


Result: TypeAlias = tuple[Verdict | None, int, Sequence[str]]
"""The count, how many strikes, and what else did not hold."""
Cell: TypeAlias = Callable[[Bench], Result]


def result(world: World, bench: Bench) -> Result:
    """Wait until the world is quiet, and count."""
    verdict = world.until_quiet(bench.patience_secs)
    return verdict, world.strikes, world.faults


def run(name: str, cell: Cell, bench: Bench) -> Line:
    """Run a cell; a harness or hub that breaks makes a line that failed, and the next cell runs."""
    started = time.monotonic()
    try:
        verdict, strikes, faults = cell(bench)
    except Exception as broken:  # noqa: BLE001 - whatever breaks, the next cell runs and the table is told
        verdict, strikes, faults = None, 0, [f"{type(broken).__name__}: {str(broken)[-600:]}"]
    return Line(cell=name, strikes=strikes, secs=time.monotonic() - started, verdict=verdict, faults=tuple(faults))


@contextmanager
def backing(folder: Path) -> Iterator[Backing]:
    """A PostgreSQL and a RabbitMQ of our own, for the time of a block."""
    own = Path(tempfile.mkdtemp(prefix="servers-", dir=folder))
    with ExitStack() as stack:
        postgres = Postgres(own)
        stack.callback(postgres.close)
        rabbitmq = RabbitMQ(own)
        stack.callback(rabbitmq.close)
        postgres.start()
        rabbitmq.start()
        yield Backing(postgres=postgres, rabbitmq=rabbitmq)
