"""The hub in its production set-up: doors, workers, sweeper as processes of their own on PostgreSQL and RabbitMQ.

Accounting goes over every message: accepted by a door (202), arrived at the receiving process, and ``delivered`` in
the hub's own state. Lost: accepted and not arrived. Unexpected: arrived and never accepted. Duplicates: taken a second
time by a receiver that honours message ids, which can only be a message under two ids or with other bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from benchmarks import home as homes
from benchmarks.load import Spec, write_spec
from benchmarks.machine import Usage, percentile, usage
from benchmarks.processes import BenchmarkError, Crew, Process, Receiver

DRAIN_SECS = 120.0
API, WORKER, BEAT, LOAD, RECEIVER = "hub api", "hub worker", "hub beat", "load generator", "receiving authorities"
HUB = (API, WORKER, BEAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """How many processes of each kind, and further settings of theirs (``HUB_…``). ``program``: the module that runs.

    A Python process fills one core, so on two cores two workers carry more than one; a second door only shares them.
    """

    apis: int = 1
    workers: int = 2
    suspects: int = 1
    beats: int = 1
    environ: Mapping[str, str] = field(default_factory=dict)
    program: str = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one load brought. Times in seconds since 1970 by message id; ``recorded``: the fact in the hub's state."""

    began: float
    ended: float
    accepted: Mapping[str, tuple[float, float, str]]
    statuses: Mapping[str, int]
    arrivals: Mapping[str, tuple[float, str]]
    recorded: Mapping[str, float]
    finished: float
    used: Usage

    @property
    def rate(self) -> float:
        """Messages a second from the first request until the hub's state said delivered for the last."""
        return len(self.accepted) / (self.finished - self.began)

    @property
    def accept_rate(self) -> float:
        """Accepted a second while the load was on."""
        return len(self.accepted) / (self.ended - self.began)

    def accept_ms(self) -> list[float]:
        """From the moment a request was due until its 202."""
        return [ms for _, ms, _ in self.accepted.values()]

    def delivered_ms(self, codes: frozenset[str] | None = None) -> list[float]:
        """From 202 until the hub's state said delivered."""
        return [
            max((self.recorded[key] - at) * 1_000, 0.0)
            for key, (at, _, code) in self.accepted.items()
            if key in self.recorded and (codes is None or code in codes)
        ]

    def arrived_ms(self, codes: frozenset[str] | None = None) -> list[float]:
        """From 202 until the authority had it."""
        return [
            max((self.arrivals[key][0] - at) * 1_000, 0.0)
            for key, (at, _, code) in self.accepted.items()
            if key in self.arrivals and (codes is None or code in codes)
        ]

    def accounting(self, counts: Mapping[str, int]) -> dict[str, int]:
        """The sums that must be right."""
        return {
            "accepted": len(self.accepted),
            "delivered": len(self.recorded),
            "lost": len(self.accepted.keys() - self.arrivals.keys()),
            "unexpected": len(self.arrivals.keys() - self.accepted.keys()),
            "duplicates": counts["altered"],
            "repeats": counts["repeats"],
            "not_accepted": sum(count for status, count in self.statuses.items() if status != "202"),
        }


class HubRun:
    """A hub that runs, its receiver, and loads on it. Use as a context manager."""

    def __init__(
        self, crew: Crew, receiver: Receiver, database_url: str, broker_url: str, codes: Sequence[str], set_up: SetUp
    ) -> None:
        self.crew = crew
        self.receiver = receiver
        self.database_url = database_url
        self.codes = list(codes)
        self._set_up = set_up
        self._loads = 0
        folder = crew.folder / f"home-{time.monotonic_ns()}"
        self.home = homes.make(folder, receiver.url, codes)
        self._env = {
            "HUB_HOME": str(folder),
            "HUB_DATABASE_URL": database_url,
            "HUB_BROKER_URL": broker_url,
            "HUB_LISTEN": "127.0.0.1:0",
            "HUB_LOG_LEVEL": "WARNING",
            **set_up.environ,
        }
        self.stages: dict[str, list[Process]] = {}

    def __enter__(self) -> HubRun:
        crew, env, wanted = self.crew, self._env, self._set_up
        hub = wanted.program
        crew.start("hub", "broker", "prepare", env=env, ready="declared")
        self.stages = {
            API: [crew.begin(hub, "api", env=env) for _ in range(wanted.apis)],
            WORKER: [crew.begin(hub, "worker", "--healthy", env=env) for _ in range(wanted.workers)]
            + [crew.begin(hub, "worker", "--suspect", env=env) for _ in range(wanted.suspects)],
            BEAT: [crew.begin(hub, "beat", env=env) for _ in range(wanted.beats)],
        }
        for process in self.processes:
            process.wait_until("ready")
        self.database = psycopg.connect(self.database_url, autocommit=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        self.crew.end(*self.processes)

    @property
    def processes(self) -> list[Process]:
        """All of the hub's."""
        return [process for several in self.stages.values() for process in several]

    @property
    def ports(self) -> list[int]:
        """Of the doors."""
        return [process.port for process in self.stages[API]]

    def pause(self) -> None:
        """Use no CPU while something else is measured."""
        for process in self.processes:
            process.pause()

    def resume(self) -> None:
        """Go on."""
        for process in self.processes:
            process.resume()

    def submit(
        self,
        count: int,
        *,
        rate: float | None = None,
        connections: int = 64,
        codes: Sequence[str] | None = None,
        expected: frozenset[str] | None = None,
        drain_secs: float = DRAIN_SECS,
    ) -> Load:
        """Submit ``count`` appeals and wait until all to ``expected`` authorities (None = all) are delivered."""
        self._loads += 1
        self.receiver.forget()
        process, out = self._load_process(count, rate, connections, codes or self.codes)
        pids = {name: [each.pid for each in several] for name, several in self.stages.items()}
        pids |= {RECEIVER: [self.receiver.process.pid]}
        before = usage(pids)
        since = self.database.execute("SELECT coalesce(max(seq), 0) FROM facts").fetchone()
        process.go()
        done = process.wait_for_result()
        accepted = {key: (at, ms, code) for key, (at, ms, code) in json.loads(out.read_text("utf-8")).items()}
        wanted = {key for key, (_, _, code) in accepted.items() if expected is None or code in expected}
        recorded, finished = self._drain(wanted, since[0] if since else 0, time.time() + drain_secs)
        used = usage(pids).since(before).with_part(LOAD, done["cpu_secs"])
        self.crew.end(process)
        return Load(
            began=done["began"],
            ended=done["ended"],
            accepted=accepted,
            statuses=done["statuses"],
            arrivals=self.receiver.arrivals(),
            recorded=recorded,
            finished=finished,
            used=used,
        )

    def _load_process(
        self, count: int, rate: float | None, connections: int, codes: Sequence[str]
    ) -> tuple[Process, Path]:
        out = self.crew.folder / f"accepted-{self._loads}-{time.monotonic_ns()}.json"
        spec = Spec(
            ports=self.ports,
            key=self.home.ncc_key,
            count=count,
            codes=codes,
            tag=f"bench-{time.time_ns()}",
            out=str(out),
            rate=rate,
            connections=connections,
            first=self._loads * 997,
        )
        path = out.with_suffix(".spec")
        write_spec(spec, path)
        return self.crew.start("benchmarks.load", str(path)), out

    def _drain(self, wanted: set[str], since: int, deadline: float) -> tuple[dict[str, float], float]:
        """Facts ``delivered`` since a sequence number, when all are there or time is up; and the moment of the last."""
        while self.receiver.counts()["received"] < len(wanted) and time.time() < deadline:
            time.sleep(0.05)  # a question to the receiver costs little, one to the database would be part of the load
        while True:
            recorded = self._delivered(since)
            if wanted <= recorded.keys() or time.time() > deadline:
                return recorded, max((recorded[key] for key in wanted & recorded.keys()), default=time.time())
            time.sleep(0.1)

    def _delivered(self, since: int) -> dict[str, float]:
        rows = self.database.execute(
            "SELECT d.message_id, f.recorded_at FROM facts f JOIN deliveries d ON d.id = f.delivery_id"
            " WHERE f.seq > %s AND f.kind = 'delivered'",
            (since,),
        )
        return {str(message_id): at.timestamp() for message_id, at in rows}

    def wait_for(self, message_ids: Iterable[str], secs: float) -> tuple[float, int]:
        """Wait until all of these are delivered in the hub's state; seconds it took, and how many still are not."""
        began = time.time()
        ids = list(message_ids)
        while True:
            row = self.database.execute(
                "SELECT count(*) FROM deliveries WHERE state <> 'delivered' AND message_id = ANY(%s::uuid[])", (ids,)
            ).fetchone()
            missing = int(row[0]) if row else 0
            if not missing or time.time() - began > secs:
                return time.time() - began, missing
            time.sleep(0.1)

    def require_sound(self, load: Load) -> dict[str, int]:
        """The accounting of a load to healthy authorities; raises if a sum is wrong."""
        sums = load.accounting(self.receiver.counts())
        wrong = {name: sums[name] for name in ("lost", "unexpected", "duplicates", "not_accepted") if sums[name]}
        if wrong or sums["delivered"] != sums["accepted"]:
            raise BenchmarkError(f"The accounting is wrong: {sums}")
        return sums


def latency(load: Load) -> dict[str, Any]:
    """Percentiles of a load, in ms."""
    accept, delivered, arrived = load.accept_ms(), load.delivered_ms(), load.arrived_ms()
    return {
        name: {"p50": round(percentile(values, 0.5), 1), "p95": round(percentile(values, 0.95), 1)}
        | {"p99": round(percentile(values, 0.99), 1)}
        for name, values in (("accept_ms", accept), ("delivered_ms", delivered), ("arrived_ms", arrived))
    }
