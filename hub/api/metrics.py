"""Figures for Prometheus. Labels are route templates, methods, statuses and states: never ids, never personal data."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hub import metrics

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
KEEP_SECS = 5.0
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

    def called(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one call."""
        self._calls.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition text. Raises ``Unavailable`` if the store cannot be asked."""
        return generate_latest(self._registry) + generate_latest(metrics.REGISTRY)
