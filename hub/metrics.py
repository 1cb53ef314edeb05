"""Figures of lanes for Prometheus, in one registry per process. Labels are channels, outcomes and stages: no ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.schemas.delivery import LaneDue, OutcomeKind

REGISTRY: Final = CollectorRegistry()
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

ATTEMPTS: Final = Counter(
    "hub_attempts", "Attempts ended, by channel and outcome.", ["channel", "outcome"], registry=REGISTRY
)
SEND_SECONDS: Final = Histogram(
    "hub_send_seconds", "Seconds from the first byte to the outcome.", ["outcome"], buckets=_BUCKETS, registry=REGISTRY
)
STAGE_SECONDS: Final = Histogram(
    "hub_stage_seconds", "Seconds of one batch in a stage.", ["stage"], buckets=_BUCKETS, registry=REGISTRY
)
DUE_LANES: Final = Gauge("hub_due_lanes", "Lanes that had work at the last sweep.", registry=REGISTRY)
DUE_DELIVERIES: Final = Gauge(
    "hub_due_deliveries", "Deliveries due at the last sweep; each lane is counted up to 1,000.", registry=REGISTRY
)
SUSPECT_LANES: Final = Gauge("hub_suspect_lanes", "Lanes with work that fail.", registry=REGISTRY)
FOLLOWED: Final = Counter("hub_followed_events", "Events that the follower has looked at.", registry=REGISTRY)
BEHIND_SECONDS: Final = Gauge(
    "hub_follower_behind_seconds", "How long ago the first event was recorded that the follower has not seen.",
    registry=REGISTRY,
)  # fmt: skip
WEBHOOKS: Final = Counter(
    "hub_webhook_attempts", "Attempts at webhook endpoints, by how they ended.", ["endpoint", "code"], registry=REGISTRY
)

NOBODY_HAD: Final = Counter(
    "hub_cases_nobody_had", "Unfinished cases that no body and no operator had, found and mended.", registry=REGISTRY
)


def swept(due: Sequence[LaneDue]) -> None:
    """Note what a sweep found."""
    DUE_LANES.set(len(due))
    DUE_DELIVERIES.set(sum(lane.sends for lane in due))
    SUSPECT_LANES.set(sum(lane.suspect for lane in due))


def patrolled(found: int) -> None:
    """Count cases that nobody had."""
    NOBODY_HAD.inc(found)


def sent(channel_id: str, outcome: OutcomeKind, seconds: float) -> None:
    """Count one attempt."""
    ATTEMPTS.labels(channel_id, outcome).inc()
    SEND_SECONDS.labels(outcome).observe(seconds)


def called(endpoint: str, code: str) -> None:
    """Count one attempt at a webhook endpoint."""
    WEBHOOKS.labels(endpoint, code).inc()
