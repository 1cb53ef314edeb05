"""The breaker of a lane, and the throttle that its rate sets. Pure.

Closed: everything flows. After ``breaker_failures`` attempts in a row that failed or stayed without an answer it opens
for ``breaker_open_secs`` (doubling up to 8 times that, so that a dead system is not hammered); then one probe goes
out, and its outcome closes or re-opens the breaker. A refusal by the authority is an answer: it closes the breaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hub.delivery import retry
from hub.schemas.delivery import Claim, LaneState, OutcomeKind
from hub.schemas.directory import Channel, LaneSettings

_SICK = frozenset({OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN})
MAX_DOUBLINGS = 3
NOT_BEGUN = "attempt.not_begun"
"""Code of an attempt that was written and then not made: the time slice ended, or the breaker opened before it."""
THROTTLE_LEAST_SECS = 0.2
"""A shorter wait is not worth a write: a lane is not rung for more often than that."""
SUSPECT_FAILURES = 2
"""From so many failures in a row on, a lane is worked by the suspects' workers, so that it keeps no other one busy."""


def probing(state: LaneState, lane: LaneSettings) -> bool:
    """True if only one probe may go out."""
    return state.failures >= lane.breaker_failures


def throttled_until(channel: Channel, taken: int, now: datetime) -> datetime | None:
    """Until when ``taken`` messages use up what a lane's rate allows; ``None`` if that is hardly any time."""
    secs = taken / channel.lane.rate_per_sec
    return now + timedelta(seconds=secs) if secs >= THROTTLE_LEAST_SECS else None


def choose(
    claims: Sequence[Claim], lanes: Mapping[str, tuple[Channel, LaneState]], now: datetime
) -> tuple[list[Claim], list[Claim]]:
    """Claims that go out, of those that are due, and claims that are over without another try.

    Of a lane that failed, one delivery goes as a probe: the one with the fewest attempts, for one that always fails
    proves nothing about the others. Those of it whose schedule has ended are over; the rest stays as it is.
    """
    going: list[Claim] = []
    over: list[Claim] = []
    probes: dict[str, Claim] = {}
    for claim in claims:
        channel, state = lanes[claim.delivery.channel_id]
        if not probing(state, channel.lane):
            going.append(claim)
        elif _tried(claim) and retry.over(first_attempt_at=claim.delivery.first_attempt_at, now=now, lane=channel.lane):
            over.append(claim)
        else:
            best = probes.setdefault(channel.id, claim)
            if _order(claim) < _order(best):
                probes[channel.id] = claim
    return [*going, *probes.values()], over


def _tried(claim: Claim) -> bool:
    """True if the last attempt that was written was made: one that was put back unsent gets its try first."""
    return claim.delivery.last_code != NOT_BEGUN


def _order(claim: Claim) -> tuple[int, bool, int]:
    return (-claim.delivery.priority, bool(claim.delivery.attempts) and _tried(claim), claim.delivery.attempts)


def after(state: LaneState, outcome: OutcomeKind, now: datetime, lane: LaneSettings) -> LaneState:
    """State of the lane after one attempt."""
    if outcome not in _SICK:
        return replace(state, failures=0, open_until=None, suspect=False)
    failures = state.failures + 1
    over = failures - lane.breaker_failures
    if over < 0:
        return replace(state, failures=failures, suspect=failures >= SUSPECT_FAILURES)
    open_for = timedelta(seconds=lane.breaker_open_secs * 2 ** min(over, MAX_DOUBLINGS))
    return replace(state, failures=failures, open_until=now + open_for, suspect=True)
