"""Retry schedule, polling and breaker: pure policy."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery import retry
from hub.outbound import circuit_breaker
from hub.schemas.delivery import LaneState, OutcomeKind
from hub.schemas.directory import LaneSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LANE = LaneSettings()


@given(attempts=st.integers(1, 200), dice=st.floats(0, 1, exclude_max=True))
def test_waits_stay_within_a_fifth_of_the_schedule(attempts: int, dice: float) -> None:
    """Jitter moves a wait by at most 20 % of the channel's schedule."""
    at = retry.retry_at(attempts=attempts, first_attempt_at=NOW, now=NOW, lane=LANE, dice=dice)
    base = LANE.retry_secs[min(attempts, len(LANE.retry_secs)) - 1]
    assert at is not None
    assert 0.8 * base <= (at - NOW).total_seconds() <= 1.2 * base


@pytest.mark.parametrize(
    ("dice", "share"), [(0.0, 0.8), (0.25, 0.9), (0.5, 1.0), (0.75, 1.1), (math.nextafter(1, 0), 1.2)]
)
def test_the_dice_move_a_wait_between_both_ends(dice: float, share: float) -> None:
    """The lowest throw takes a fifth off the schedule's wait, the highest adds a fifth, the middle leaves it."""
    for attempts, base in enumerate(LANE.retry_secs, start=1):
        at = retry.retry_at(attempts=attempts, first_attempt_at=NOW, now=NOW, lane=LANE, dice=dice)
        assert at is not None
        assert (at - NOW).total_seconds() == pytest.approx(share * base, abs=1e-5)


def test_the_default_schedule_reaches_72_hours_and_then_ends() -> None:
    """Retries go on for 72 hours after the first attempt and no longer."""
    now, attempts = NOW, 0
    while True:
        attempts += 1
        at = retry.retry_at(attempts=attempts, first_attempt_at=NOW, now=now, lane=LANE, dice=0.5)
        if at is None:
            break
        now = at
    assert timedelta(hours=68) <= now - NOW <= timedelta(hours=72)


@given(asked=st.floats(allow_nan=False))
def test_retry_after_is_honoured_within_bounds(asked: float) -> None:
    """Whatever the other side asks for, the wait is at least the schedule's and at most a day."""
    at = retry.retry_at(attempts=1, first_attempt_at=NOW, now=NOW, lane=LANE, dice=0.5, retry_after=asked)
    assert at is not None
    assert NOW + timedelta(seconds=5) <= at <= NOW + timedelta(days=1)


@given(age=st.integers(0, 10_000_000))
def test_polling_slows_with_age(age: int) -> None:
    """A receipt is asked for after a tenth of the message's age, from a second to an hour."""
    wait = (retry.poll_at(sent_at=NOW - timedelta(seconds=age), now=NOW) - NOW).total_seconds()
    assert wait == min(max(age / 10, 1), 3600)


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """Five failures open it; after the wait one probe may go; success closes it."""
    state = LaneState(channel_id="c")
    for _ in range(LANE.breaker_failures):
        assert state.may_run(NOW)
        state = circuit_breaker.after(state, OutcomeKind.TEMPORARY, NOW, LANE)
    assert not state.may_run(NOW)
    later = NOW + timedelta(seconds=LANE.breaker_open_secs)
    assert state.may_run(later)
    assert circuit_breaker.probing(state, LANE)
    assert circuit_breaker.after(state, OutcomeKind.DELIVERED, later, LANE) == LaneState(channel_id="c")


@pytest.mark.parametrize("outcome", [OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN])
def test_a_lane_is_suspect_from_its_second_failure_in_a_row(outcome: OutcomeKind) -> None:
    """One failure may be chance; from the second on the lane is worked apart, open or not, until it is well again."""
    state = LaneState(channel_id="c")
    told = []
    for _ in range(LANE.breaker_failures + 1):
        state = circuit_breaker.after(state, outcome, NOW, LANE)
        told.append(state.suspect)
    assert told == [False, *[True] * LANE.breaker_failures]
    well = circuit_breaker.after(state, OutcomeKind.DELIVERED, NOW, LANE)
    assert not well.suspect
    assert not circuit_breaker.after(well, outcome, NOW, LANE).suspect


def test_a_lane_that_opens_at_once_is_suspect_at_once() -> None:
    """Where one failure opens the breaker, one failure is enough to be worked apart."""
    touchy = LANE.model_copy(update={"breaker_failures": 1})
    state = circuit_breaker.after(LaneState(channel_id="c"), OutcomeKind.TEMPORARY, NOW, touchy)
    assert state.suspect
    assert state.open_until is not None


@given(outcomes=st.lists(st.sampled_from(list(OutcomeKind)), max_size=60))
def test_a_lane_never_stays_open_longer_than_the_longest_wait(outcomes: list[OutcomeKind]) -> None:
    """However long it fails, the breaker lets a probe through after at most 8 times its first wait."""
    state = LaneState(channel_id="c")
    for outcome in outcomes:
        state = circuit_breaker.after(state, outcome, NOW, LANE)
    longest = timedelta(seconds=LANE.breaker_open_secs * 2**circuit_breaker.MAX_DOUBLINGS)
    assert state.open_until is None or state.open_until <= NOW + longest


def test_a_refusal_is_an_answer() -> None:
    """An authority that refuses is not sick: the breaker closes."""
    sick = LaneState(channel_id="c", failures=3)
    assert circuit_breaker.after(sick, OutcomeKind.REFUSED, NOW, LANE).failures == 0


def test_a_paused_lane_does_not_run() -> None:
    """What an operator paused stays paused whatever the breaker says."""
    assert not LaneState(channel_id="c", paused=True).may_run(NOW)
