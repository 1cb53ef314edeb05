"""Figures for Prometheus. Labels are route templates, methods, statuses and states: never ids, never personal data."""

from __future__ import annotations

import threading
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hub import metrics
from hub.bootstrap_upkeep import Upkeep
from hub.ports import Clock

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
KEEP_SECS = 5.0
UPKEEP_KEEP_SECS = 30.0
MOST_ENDS = 500
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class StoreCounts(Collector):
    """Counts of the store, asked at most every 5 seconds: a scrape costs a query, and anyone may scrape."""

    def __init__(
        self, counts: Callable[[], Mapping[str, int]], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._counts = counts
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: Mapping[str, int] = {}
        self._asked_at: float | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names only, so that registering asks the store nothing."""
        yield GaugeMetricFamily("hub_store", "Rows of the store by kind and state.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """``delivery.waiting`` becomes ``hub_store{what="delivery",state="waiting"}``."""
        with self._lock:
            now = self._monotonic()
            if self._asked_at is None or now - self._asked_at >= KEEP_SECS:
                self._kept, self._asked_at = self._counts(), now
        family = GaugeMetricFamily("hub_store", "Rows of the store by kind and state.", labels=["what", "state"])
        for name, count in sorted(self._kept.items()):
            what, _, state = name.partition(".")
            family.add_metric([what, state], count)
        yield family


class UpkeepFigures(Collector):
    """Alarms, their receivers and what ends, asked at most every 30 seconds. Labels are bounded: codes of rules, and
    the names of the ``MOST_ENDS`` things that end first.
    """

    def __init__(self, upkeep: Upkeep, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._upkeep = upkeep
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: tuple[float, tuple[GaugeMetricFamily, ...]] | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names only, so that registering asks the store nothing."""
        return iter(_families())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All figures. Raises ``Unavailable`` if the store cannot be asked."""
        with self._lock:
            now = self._monotonic()
            if self._kept is None or now - self._kept[0] >= UPKEEP_KEEP_SECS:
                self._kept = (now, self._figures())
            return iter(self._kept[1])

    def _figures(self) -> tuple[GaugeMetricFamily, ...]:
        families = opened, messages, receivers, looked, ends, broken = _families()
        it, now = self._upkeep, self._clock.now()
        standing = Counts((a.rule, a.severity.value) for a in it.memory.standing() if a.opened_at is not None)
        for rule in it.file.current().rules:
            opened.add_metric([rule.code, rule.severity.value], standing[rule.code, rule.severity.value])
        states = {state.name: state for state in it.memory.receivers()}
        messages.add_metric(["waiting"], sum(state.waiting for state in states.values()))
        messages.add_metric(["given_up"], sum(state.given_up for state in states.values()))
        for name in it.file.current().receivers:
            receivers.add_metric([name], 1 if name in states and states[name].failing else 0)
        looked_at = it.memory.looked_at()
        if looked_at is not None:
            looked.add_metric([], (now - looked_at).total_seconds())
        entries = it.expiry.entries()
        ending = [entry for entry in entries if entry.ends is not None and not entry.succeeded]
        for entry in ending[:MOST_ENDS]:
            ends.add_metric([entry.kind.value, entry.name], entry.days(now) or 0)
        broken.add_metric([], sum(bool(entry.fault) for entry in entries))
        return families


def _families() -> tuple[GaugeMetricFamily, ...]:
    return (
        GaugeMetricFamily("hub_alarms_open", "Alarms that stand.", labels=["rule", "severity"]),
        GaugeMetricFamily("hub_alarm_messages", "Messages about alarms by state.", labels=["state"]),
        GaugeMetricFamily("hub_alarm_receiver_failing", "1 if a receiver is not reached.", labels=["receiver"]),
        GaugeMetricFamily("hub_alarms_looked_seconds", "How long ago the rules of alarms were looked at."),
        GaugeMetricFamily("hub_expiry_days", "Days until it ends; below 0: it has ended.", labels=["kind", "name"]),
        GaugeMetricFamily("hub_expiry_unreadable", "Things on the list of ends that cannot be read."),
    )


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "hub_http_requests", "Calls by route and status.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "hub_http_seconds", "Seconds to answer.", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        self._registry.register(StoreCounts(counts))

    def add(self, collector: Collector) -> None:
        """Show these figures too."""
        self._registry.register(collector)

    def called(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one call."""
        self._calls.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition text. Raises ``Unavailable`` if the store cannot be asked."""
        return generate_latest(self._registry) + generate_latest(metrics.REGISTRY)
