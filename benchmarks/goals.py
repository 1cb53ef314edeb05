"""The figures to hold (DESIGN section 7), and how a result compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table. ``least``: the value must not be below ``limit``; else it must not be above."""

    what: str
    limit: float
    least: bool = False

    def met(self, value: float) -> bool:
        """Whether a value holds."""
        return value >= self.limit if self.least else value <= self.limit

    def rule(self, unit: str) -> str:
        """In signs."""
        return f"{'≥' if self.least else '≤'} {self.limit:g} {unit}"


GOALS: Mapping[str, Goal] = {
    "ratio_to_floor": Goal(what="end to end, against the bare loop", limit=0.4, least=True),
    "ratio_to_plain": Goal(what="end to end, against the plain pipeline", limit=3, least=True),
    "accept_p99_ms": Goal(what="accept latency at half the top load, p99", limit=50),
    "delivered_p95_ms": Goal(what="accept to delivered at half the top load, p95", limit=1_000),
    "isolation_10": Goal(what="healthy authorities while 10 % hang, p95", limit=1.2),
    "isolation_30": Goal(what="healthy authorities while 30 % hang, p95", limit=1.5),
    "growth": Goal(what="cost of a message with much stored and waiting", limit=1.1),
    "outage_felt": Goal(what="the others while an authority comes back to {stored} waiting, p95", limit=1.2),
    "outage_rate": Goal(what="what it gets then, against its lane's rate", limit=1.1),
    "attack_ratio": Goal(what="accepting while a caller attacks the doors, the worst, p95", limit=1.5),
    "route_us": Goal(what="one routing decision", limit=50),
    "attachment_rss_mb": Goal(what="memory for a 100 MB attachment", limit=50),
    "embedded_start_s": Goal(what="embedded: until ready", limit=3),
    "embedded_rss_mb": Goal(what="embedded: memory when ready", limit=150),
    "cases_page_ms": Goal(what="a filtered page of {stored} cases, p95", limit=50),
    "find_ms": Goal(what="a case found among {stored}, the slowest way, p95", limit=100),
    "journal_page_ms": Goal(what="a page of the journal of {stored} cases, the slowest filter, p95", limit=200),
    "groups_ms": Goal(what="the groups of failures among {stored} cases, p95", limit=200),
    "journal_cost": Goal(what="throughput lost to writing the journal", limit=5),
    "report_s": Goal(what="a report over {stored} cases, the slowest", limit=2),
    "registry_change_s": Goal(what="100 channels changed by a pattern, checked with {stored} cases", limit=30),
    "overdue_sweep_s": Goal(what="1,000 of {stored} cases come overdue: all looked at", limit=5),
}
PER_S_LIMIT = 385
"""Ten months of 2015 in an hour: the hub must never carry fewer a second."""

Results = dict[str, dict[str, Any]]


def missed(results: Results) -> list[str]:
    """Keys whose value does not hold, and ``per_s`` if the hub is slower than it may ever be."""
    wrong = [key for key, goal in GOALS.items() if key in results and not goal.met(results[key]["value"])]
    per_s = results.get("ratio_to_floor", {}).get("detail", {}).get("hub_per_s")
    return wrong + (["per_s"] if per_s is not None and per_s < PER_S_LIMIT else [])
