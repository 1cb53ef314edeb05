"""``python -m benchmarks``: measure the figures of DESIGN section 7 and write results.json and RESULTS.md.

Exit code 0 if everything measured holds, 1 if something is missed, 2 if a run could not be carried out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import (
    attacks,
    cases,
    growth,
    isolation,
    journal_cost,
    memory,
    outage,
    registry_change,
    report,
    rivals,
    route,
)
from benchmarks.appeals import codes
from benchmarks.goals import GOALS, Results, missed
from benchmarks.hub_run import HubRun, Load, SetUp, latency
from benchmarks.machine import Usage, describe, percentile
from benchmarks.places import broker_version, database, server_settings, virtual_host
from benchmarks.processes import BenchmarkError, Crew, Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    authorities: int = 1_400
    rounds: int = 2
    floor: int = 6_000
    plain: int = 600
    hub: int = 5_000
    warm_up: int = 4_000
    """Each worker reads a channel's settings at its first message; in a run of days that is nothing."""
    latency_secs: float = 20
    isolation_secs: float = 20
    isolation_part: float = 0.5
    growth: int = 3_000
    stored: int = 100_000
    waiting: int = 50_000
    attachment_mb: int = 100
    cases: int = 100_000
    overdue: int = 1_000
    pages: int = 20
    route_authorities: int = 100_000
    journal_rounds: int = 5
    journalled: int = 1_500
    rerouted: int = 10_000


FULL = Sizes(
    rounds=5,
    floor=20_000,
    plain=3_000,
    hub=20_000,
    latency_secs=60,
    isolation_secs=60,
    growth=10_000,
    stored=1_000_000,
    waiting=100_000,
    cases=1_000_000,
    pages=50,
    journal_rounds=11,
    journalled=4_000,
)


def say(text: str) -> None:
    """One line of progress, with the time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()


class Bench:
    """One run. ``results`` fills up as figures are known."""

    def __init__(self, crew: Crew, sizes: Sizes, wanted: Sequence[str], set_up: SetUp) -> None:
        self.crew = crew
        self.sizes = sizes
        self.wanted = frozenset(wanted)
        self.set_up = set_up
        self.results: Results = {}
        self.surroundings: dict[str, Any] = describe()
        self.top_rate = 0.0

    def wants(self, *keys: str) -> bool:
        """Whether one of these figures was asked for."""
        return not self.wanted.isdisjoint(keys)

    def note(self, key: str, result: dict[str, Any]) -> None:
        """Keep a figure and say it."""
        self.results[key] = result
        verdict = "met" if GOALS[key].met(result["value"]) else "MISSED"
        say(f"{key}: {result['value']} {result['unit']} ({GOALS[key].rule(result['unit'])}: {verdict})")

    def run(self) -> None:
        """Everything that was asked for."""
        if self.wants("route_us"):
            say("routing decisions …")
            self.note("route_us", route.measure(self.sizes.route_authorities))
        if self.wants("embedded_start_s", "embedded_rss_mb"):
            say("starting the embedded hub …")
            secs, resident = memory.embedded(self.crew)
            self.note("embedded_start_s", secs)
            self.note("embedded_rss_mb", resident)
        lists = {"cases_page_ms", "report_s", "overdue_sweep_s", "find_ms", "journal_page_ms", "groups_ms"}
        if self.wants(*lists):
            say(f"lists, reports and the sweep with {self.sizes.cases:,} cases …")
            with database() as url:
                for key, figure in cases.measure(url, self.sizes.cases, self.sizes.overdue, self.sizes.pages).items():
                    self.note(key, figure)
        if self.wants("journal_cost"):
            say("with and without the journal …")
            self.note("journal_cost", self._journal_cost())
        if self.wants("attack_ratio"):
            with ExitStack() as stack:
                self.note("attack_ratio", self._attacks(stack))
        if self.wants("registry_change_s"):
            say("a hundred channels changed by one pattern …")
            self.note("registry_change_s", registry_change.measure(self.sizes.rerouted))
        alone = {"attack_ratio", "route_us", "embedded_start_s", "embedded_rss_mb", "journal_cost", "registry_change_s"}
        production = set(GOALS) - alone - lists
        if self.wants(*production):
            with ExitStack() as stack:
                self._production(stack)

    def _journal_cost(self) -> dict[str, Any]:
        sizes = self.sizes
        return journal_cost.measure(
            self.crew,
            codes(sizes.authorities),
            self.set_up,
            warm_up=sizes.warm_up,
            rounds=sizes.journal_rounds,
            count=sizes.journalled,
        )

    def _attacks(self, stack: ExitStack) -> dict[str, Any]:
        places = stack.enter_context(database()), stack.enter_context(virtual_host())
        hub = HubRun(self.crew, Receiver(self.crew), *places, codes(self.sizes.authorities), self.set_up)
        attacks.allow(hub.home)
        stack.enter_context(hub)
        say("warming up …")
        hub.require_sound(hub.submit(self.sizes.warm_up))
        say("under attack …")
        return attacks.measure(hub, self.sizes.isolation_secs)

    def _production(self, stack: ExitStack) -> None:
        hub_db, rival_db = stack.enter_context(database()), stack.enter_context(database())
        hub_broker, rival_broker = stack.enter_context(virtual_host()), stack.enter_context(virtual_host())
        self.surroundings |= {"postgresql": server_settings(hub_db), "rabbitmq": broker_version()}
        receiver = Receiver(self.crew)
        rivals.prepare(rival_db)
        say(f"starting the hub with {self.sizes.authorities} authorities …")
        everyone = codes(self.sizes.authorities)
        hub = stack.enter_context(HubRun(self.crew, receiver, hub_db, hub_broker, everyone, self.set_up))
        say("warming up …")
        hub.require_sound(hub.submit(self.sizes.warm_up))
        self._side_by_side(hub, receiver, rival_db, rival_broker)
        if self.wants("accept_p99_ms", "delivered_p95_ms"):
            self._latency(hub)
        if self.wants("attachment_rss_mb"):
            say(f"an attachment of {self.sizes.attachment_mb} MB …")
            self.note("attachment_rss_mb", memory.attachment(hub, self.sizes.attachment_mb))
        if self.wants("growth", "outage_felt", "outage_rate"):
            self._much_waiting(hub)
        keys = {f"isolation_{percent}": percent / 100 for percent in (10, 30)}
        if self.wants(*keys):
            # A hub of its own: in the other one a lane with much waiting would come to life meanwhile.
            say("starting another hub …")
            hub.pause()
            fresh_db, fresh_broker = stack.enter_context(database()), stack.enter_context(virtual_host())
            fresh = HubRun(self.crew, receiver, fresh_db, fresh_broker, everyone, self.set_up)
            self._isolation(stack.enter_context(fresh), keys)

    def _much_waiting(self, hub: HubRun) -> None:
        sizes = self.sizes
        say(f"a hub with {sizes.stored:,} stored and {sizes.waiting:,} waiting …")
        self.note("growth", growth.measure(hub, sizes.growth, sizes.stored, sizes.waiting))
        if not self.wants("outage_felt", "outage_rate"):
            return
        rate = self.top_rate / 2
        away = outage.load(hub, rate, sizes.latency_secs)
        hub.receiver.hang([])
        say("what waited is let go …")
        for key, figure in outage.measure(hub, away, rate, sizes.latency_secs, sizes.waiting).items():
            self.note(key, figure)

    def _isolation(self, hub: HubRun, keys: Mapping[str, float]) -> None:
        hub.require_sound(hub.submit(self.sizes.warm_up))
        rate = self.top_rate * self.sizes.isolation_part
        for key, part in keys.items():
            if self.wants(key):
                say(f"{part:.0%} of authorities hang, {rate:.0f}/s for {self.sizes.isolation_secs:.0f} s …")
                self.note(key, isolation.measure(hub, rate, self.sizes.isolation_secs, part))

    def _side_by_side(self, hub: HubRun, receiver: Receiver, rival_db: str, rival_broker: str) -> None:
        """Rounds of floor, plain, hub; without rivals if only the hub's own rate is needed."""
        sizes = self.sizes
        compare = self.wants("ratio_to_floor", "ratio_to_plain")
        rounds: list[dict[str, float]] = []
        loads: list[Load] = []
        sums: list[dict[str, int]] = []
        for turn in range(sizes.rounds if compare else 1):
            entry: dict[str, float] = {}
            if compare:
                hub.pause()
                entry["floor"] = rivals.run_floor(self.crew, receiver, rival_db, sizes.floor, sizes.authorities, turn)
                say(f"round {turn + 1}: floor {entry['floor']:.0f}/s")
                entry["plain"] = rivals.run_plain(
                    self.crew, receiver, rival_db, rival_broker, sizes.plain, sizes.authorities, turn
                )
                say(f"round {turn + 1}: plain {entry['plain']:.0f}/s")
                hub.resume()
            loads.append(hub.submit(sizes.hub))
            sums.append(hub.require_sound(loads[-1]))
            entry["hub"] = loads[-1].rate
            say(f"round {turn + 1}: hub {entry['hub']:.0f}/s (accepted {loads[-1].accept_rate:.0f}/s)")
            rounds.append({name: round(rate, 1) for name, rate in entry.items()})
        self.top_rate = statistics.median(entry["hub"] for entry in rounds)
        if compare:
            self._note_ratios(rounds, loads, sums)

    def _note_ratios(
        self, rounds: list[dict[str, float]], loads: Sequence[Load], sums: Sequence[dict[str, int]]
    ) -> None:
        detail: dict[str, Any] = {
            "hub_per_s": self.top_rate,
            "rounds": rounds,
            "authorities": self.sizes.authorities,
            "processes": {name: getattr(self.set_up, name) for name in ("apis", "workers", "suspects", "beats")},
            "settings": dict(self.set_up.environ),
            "accounting": {name: sum(each[name] for each in sums) for name in sums[0]},
            "cpu": _cpu(loads),
        }
        for key, other in (("ratio_to_floor", "floor"), ("ratio_to_plain", "plain")):
            ratio = statistics.median(entry["hub"] / entry[other] for entry in rounds)
            per_s = {f"{other}_per_s": statistics.median(entry[other] for entry in rounds)}
            self.note(key, {"value": round(ratio, 3), "unit": "times", "detail": {**per_s, **detail}})
            detail = {"hub_per_s": self.top_rate}

    def _latency(self, hub: HubRun) -> None:
        half = self.top_rate / 2
        say(f"half the top load: {half:.0f}/s for {self.sizes.latency_secs:.0f} s …")
        load = hub.submit(int(half * self.sizes.latency_secs), rate=half)
        detail = {"rate_per_s": round(half, 1), "accounting": hub.require_sound(load), **latency(load)}
        accept = round(percentile(load.accept_ms(), 0.99), 1)
        delivered = round(percentile(load.delivered_ms(), 0.95), 1)
        self.note("accept_p99_ms", {"value": accept, "unit": "ms", "detail": detail})
        self.note("delivered_p95_ms", {"value": delivered, "unit": "ms", "detail": detail})


def _cpu(loads: Sequence[Load]) -> dict[str, dict[str, float]]:
    """CPU by stage over several loads."""
    count = sum(len(load.accepted) for load in loads)
    secs = {name: sum(load.used.secs[name] for load in loads) for name in loads[0].used.secs}
    shares = Usage(secs=secs).shares()
    return {name: {"share_percent": shares[name], "us_per_message": round(secs[name] / count * 1e6)} for name in secs}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="some minutes (default)")
    size.add_argument("--full", action="store_true", help="1,000,000 stored, 100,000 waiting, long rounds: an hour")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=sorted(GOALS), help="this figure; repeatable"
    )
    parser.add_argument("--apis", type=int, default=1, help="processes of `hub api` (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes of `hub worker --healthy` (default 2)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="HUB_X=Y", help="a setting of the hub; repeatable"
    )
    parser.add_argument("--out", type=Path, default=report.FOLDER, help="folder for results.json and RESULTS.md")
    parser.add_argument("--keep-logs", type=Path, help="folder for the logs of all processes")
    return parser.parse_args()


def main() -> int:
    """Measure, write, say what was missed."""
    options = _options()
    sizes = FULL if options.full else Sizes()
    set_up = SetUp(
        apis=options.apis,
        workers=options.workers,
        environ=dict(entry.partition("=")[::2] for entry in options.set),
    )
    try:
        with Crew(keep_logs=options.keep_logs) as crew:
            bench = Bench(crew, sizes, options.only or list(GOALS), set_up)
            try:
                bench.run()
            finally:
                if bench.results:
                    report.write(bench.results, bench.surroundings, full=options.full, folder=options.out)
    except BenchmarkError as error:
        say(f"The run could not be carried out: {error}")
        return 2
    wrong = missed(bench.results)
    say(
        f"Written: {report.JSON_FILE}, {report.TEXT_FILE}. " + (f"Missed: {', '.join(wrong)}." if wrong else "All met.")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
