"""When to try again, and when to give up. Pure.

Waits grow along the channel's ``retry_secs``; the last one repeats until ``give_up_secs`` after the first attempt.
Jitter of ±20 % spreads a crowd that failed together. ``Retry-After`` is honoured within bounds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.schemas.directory import LaneSettings

JITTER = 0.2
RETRY_AFTER_MAX_SECS = 86_400.0
POLL_MIN_SECS = 1.0
POLL_MAX_SECS = 3_600.0


def retry_at(
    *,
    attempts: int,
    first_attempt_at: datetime,
    now: datetime,
    lane: LaneSettings,
    dice: float,
    retry_after: float | None = None,
) -> datetime | None:
    """The moment of the next attempt, or ``None`` if the schedule is exhausted.

    ``attempts``: how many were made (at least 1). ``dice``: 0 ≤ dice < 1, from a random generator. ``retry_after``:
    seconds that the other side asked for; taken up to a day, never shorter than the schedule's own wait.
    """
    base = lane.retry_secs[min(attempts, len(lane.retry_secs)) - 1]
    wait = base * (1 - JITTER + 2 * JITTER * dice)
    if retry_after is not None and retry_after > 0:
        wait = max(wait, min(retry_after, RETRY_AFTER_MAX_SECS))
    at = now + timedelta(seconds=wait)
    return at if at <= first_attempt_at + timedelta(seconds=lane.give_up_secs) else None


def over(*, first_attempt_at: datetime | None, now: datetime, lane: LaneSettings) -> bool:
    """True if the schedule of a delivery has ended, whatever became of its attempts."""
    return first_attempt_at is not None and now > first_attempt_at + timedelta(seconds=lane.give_up_secs)


def poll_at(*, sent_at: datetime, now: datetime) -> datetime:
    """When to ask next for a receipt: a tenth of the message's age, from a second to an hour."""
    age = (now - sent_at).total_seconds()
    return now + timedelta(seconds=min(max(age / 10, POLL_MIN_SECS), POLL_MAX_SECS))
