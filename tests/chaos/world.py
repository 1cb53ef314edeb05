"""A whole hub with both ends of its way: processes, recording authorities, submitter, follower, and a service manager.

``World`` is used as a context manager. Its watchman starts again what died, and wakes after ``stop_secs`` what was
frozen; both are counted as strikes.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import requests

from hub.demo.arrangement import arrange
from hub.schemas.directory import LaneSettings
from hub.simulator.setup import Placement
from tests.acceptance.processes import environment
from tests.chaos.accounting import Books, KeptCase, Verdict, count
from tests.chaos.receivers import Receivers, Whim, never
from tests.chaos.servers import Postgres, RabbitMQ
from tests.chaos.submitter import Caller, Follower, Submitter, kept_cases
from tests.chaos.units import LOOK_SECS, START_SECS, Unit
from tests.pace import crowding

HEALTH = Placement(code="00012925", name="Міністерство охорони здоров'я України", character="prompt")
ROADS = Placement(code="37641918", name="Державне агентство автомобільних доріг України", character="twice")
POLICE = Placement(code="40108578", name="Національна поліція України", character="failing")
PENSIONS = Placement(code="00035323", name="Пенсійний фонд України", character="pulling")
BANK = Placement(code="00032106", name="Національний банк України", character="prompt")
TOPIC_OF = {
    HEALTH.code: "health",
    ROADS.code: "transport.roads",
    POLICE.code: "law-and-order.police",
    PENSIONS.code: "social-protection.pensions",
    BANK.code: "finance.banking",
}
EVERYBODY = (HEALTH, ROADS, POLICE, PENSIONS)
LANE = LaneSettings(
    retry_secs=(1, 1, 2, 4),
    give_up_secs=3_600,
    deadline_secs=3,
    slice_secs=2,
    breaker_failures=20,
    breaker_open_secs=1,
    rate_per_sec=1_000,
)
HOURS_PER_SEC = 240
API_POINTS = frozenset({"S1", "S2", "S3", "S4", "S5", "S14", "S15", "S16", "S17"})
"""Points that ``hub api`` comes to; the others are the worker's. S5 (a ring) is passed by both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """PostgreSQL and RabbitMQ of a production world."""

    postgres: Postgres
    rabbitmq: RabbitMQ
    broker_url: str | None = None
    """Where the hub finds the broker, if something stands between."""

    @property
    def broker(self) -> str:
        """The broker's URL as the hub is told it."""
        return self.broker_url or self.rabbitmq.url


@dataclass(slots=True, kw_only=True)
class Options:
    """How a world is made. ``plans``: failpoints by the name of the process; ``workers``, ``beats``: how many."""

    backing: Backing | None = None
    placements: Sequence[Placement] = EVERYBODY
    lane: LaneSettings = LANE
    plans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    whim: Whim = never
    workers: int = 1
    beats: int = 1
    stop_secs: float = 3.0
    environment: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1


class World:
    """``on_strike`` is called when a process froze at its failpoint, before it is woken: the place to strike others."""

    def __init__(self, folder: Path, options: Options, on_strike: Callable[[Unit], None] | None = None) -> None:
        self.options = options
        self.backing = options.backing
        self._on_strike = on_strike
        folder.mkdir(parents=True, exist_ok=True)
        self.arrangement = arrange(
            folder, placements=options.placements, seed=options.seed, hours_per_sec=HOURS_PER_SEC, lane=options.lane
        )
        self.database_url = self.backing.postgres.database() if self.backing else None
        self.units = {unit.name: unit for unit in self._units(folder)}
        self.receivers = Receivers(self.arrangement.simulation, self.arrangement.simulator_listen, options.whim)
        self.url = f"http://{self.arrangement.hub_listen}"
        self.caller = Caller(self.url, self.arrangement.ncc_key)
        self.operator = Caller(self.url, self.arrangement.operator_key)
        self.faults: list[str] = []
        self._stopping = threading.Event()
        self._watchman = threading.Thread(target=self._watch, name="watchman", daemon=True)

    # Processes

    def _units(self, folder: Path) -> list[Unit]:
        home = str(self.arrangement.home)
        common = {
            "HUB_HOME": home,
            "HUB_LISTEN": self.arrangement.hub_listen,
            "HUB_SWEEP_SECS": "0.5",
            **self.options.environment,
        }

        def unit(name: str, *words: str) -> Unit:
            return Unit(name, words, folder, plan=list(self.options.plans.get(name, ())), **common)

        if self.backing is None or self.database_url is None:
            return [unit("hub", "up")]
        common |= {"HUB_DATABASE_URL": self.database_url, "HUB_BROKER_URL": self.backing.broker}
        return [
            unit("api", "api"),
            *(unit(f"worker{n or ''}", "worker") for n in range(self.options.workers)),
            *(unit(f"beat{n or ''}", "beat") for n in range(self.options.beats)),
        ]

    def point_unit(self, point: str) -> Unit:
        """The process that comes to a failpoint."""
        if self.backing is None:
            return self.units["hub"]
        return self.units["api" if point in API_POINTS else "worker"]

    def prepare_broker(self) -> None:
        """``hub broker prepare``, as at a deployment."""
        assert self.backing is not None
        env = environment(
            HUB_HOME=str(self.arrangement.home),
            HUB_DATABASE_URL=self.database_url or "",
            HUB_BROKER_URL=self.backing.broker,
        )
        words = [sys.executable, "-m", "hub", "broker", "prepare"]
        subprocess.run(words, env=env, check=True, capture_output=True, timeout=START_SECS)

    def __enter__(self) -> World:
        self.receivers.start()
        try:
            if self.backing is not None:
                self.prepare_broker()
            with ThreadPoolExecutor() as pool:
                list(pool.map(Unit.start, self.units.values()))
        except BaseException:  # what did start would run on for ever, and slow every cell after this one
            self._end_units()
            raise
        self.submitter = Submitter(self.caller, tuple(TOPIC_OF[p.code] for p in self.options.placements), 1)
        self.follower = Follower(self.caller)
        self._watchman.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._watchman.join(30)
        self.submitter.close()
        self.follower.close()
        self._end_units()

    def _end_units(self) -> None:
        for unit in self.units.values():
            unit.signal(signal.SIGCONT)
            unit.kill()
        self.receivers.close()

    def _watch(self) -> None:
        """The service manager: dead ones are started again, frozen ones are woken when their time is over."""
        while not self._stopping.wait(LOOK_SECS):
            for unit in self.units.values():
                state = unit.state()
                if state == "running" or unit.gone:
                    continue
                unit.struck.append(f"{unit.armed or '-'} {state}")
                if state == "dead" and unit.once:
                    unit.gone = True
                elif state == "dead":
                    self._again(unit)
                else:
                    self._frozen(unit)

    def _again(self, unit: Unit) -> None:
        try:
            unit.start()
        except (AssertionError, subprocess.TimeoutExpired) as broken:
            self.faults.append(f"{unit.name} could not be started again: {str(broken)[-600:]}")
            unit.gone = True

    def _frozen(self, unit: Unit) -> None:
        if self._on_strike is not None:
            self._on_strike(unit)
        else:
            self._stopping.wait(self.options.stop_secs)
        unit.signal(signal.SIGCONT)

    def kill(self, unit: Unit) -> None:
        """SIGKILL from outside; the watchman starts it again."""
        unit.signal(signal.SIGKILL)

    def freeze(self, unit: Unit) -> None:
        """SIGSTOP from outside; the watchman wakes it."""
        unit.signal(signal.SIGSTOP)

    @property
    def strikes(self) -> int:
        """How often a process was found dead or frozen."""
        return sum(len(unit.struck) for unit in self.units.values())

    # Counting

    def books(self, kept: Sequence[KeptCase]) -> Books:
        """What everybody saw up to now."""
        s = self.submitter
        return Books(
            submitted=frozenset(s.submitted),
            acknowledged=dict(s.acknowledged),
            uncertain=frozenset(s.uncertain),
            arrivals=tuple(self.receivers.arrivals),
            kept=kept,
            events={case: frozenset(kinds) for case, kinds in list(self.follower.kinds.items())},
        )

    def look(self) -> Verdict | None:
        """A count now; None while the doors do not answer."""
        try:
            return count(self.books(kept_cases(self.operator)))
        except (requests.RequestException, ValueError):
            return None

    def until_quiet(self, seconds: float) -> Verdict:
        """Wait until everything was answered, ended and heard, or ``seconds`` are over; then count."""
        end = time.monotonic() + seconds * crowding()
        while True:
            began = time.monotonic()
            verdict = self.look() if not self.submitter.open() else None
            if verdict and verdict.good and not self.receivers.reports_waiting():
                break
            if time.monotonic() > end:
                verdict = self.look()
                break
            time.sleep(0.1 + 2 * (time.monotonic() - began))  # looking must not be the load
        self._further_faults()
        if verdict is None:
            self.faults.append("the doors did not answer at the end")
            return count(self.books(()))
        return verdict

    def _further_faults(self) -> None:
        s = self.submitter
        if s.open():
            self.faults.append(f"{s.open()} submissions never got an answer")
        self.faults += [f"{reference} was refused: {why}" for reference, why in sorted(s.refused.items())]
        if s.bad_503:
            self.faults.append(f"{s.bad_503} answers 503 without Retry-After")
        for name in ("report_refused", "altered"):
            if number := self.receivers.total(name):
                self.faults.append(f"receivers counted {number} {name}")
        if self.follower.repeated:
            self.faults.append(f"{self.follower.repeated} events came twice on the feed")
        for unit in self.units.values():
            if unit.plan or (unit.armed and not unit.struck):
                self.faults.append(f"{unit.name} never came to {[unit.armed, *unit.plan]}")

    def wait(self, fact: Callable[[], bool], seconds: float, what: str) -> bool:
        """Poll for a fact; if it does not come it is a fault of the cell. On a crowded machine the time is longer."""
        begun = time.monotonic()
        allowed = seconds * crowding()
        while not fact():
            if (took := time.monotonic() - begun) > allowed and took > seconds * crowding():
                self.faults.append(f"{what} did not come within {seconds:.0f} s")
                return False
            time.sleep(0.05)
        return True
