"""Retry schedule, polling and breaker: pure policy."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery import retry
from hub.outbound import circuit_breaker
from hub.schemas.delivery import Claim, Delivery, LaneState, OutcomeKind, TransportState
from hub.schemas.directory import Channel, LaneSettings
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.terms import Role

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


@pytest.mark.parametrize(("taken", "secs"), [(1, None), (9, None), (10, 0.2), (25, 0.5), (100, 2.0)])
def test_a_lane_is_throttled_for_as_long_as_its_rate_asks(taken: int, secs: float | None) -> None:
    """Fifty a second: what ten used up is a fifth of a second, and less than that is not worth a write."""
    until = circuit_breaker.throttled_until(Channel(id="c", adapter="rest"), taken, NOW)
    assert until == (None if secs is None else NOW + timedelta(seconds=secs))


@pytest.mark.parametrize("more", range(6))
def test_each_failure_doubles_the_wait_up_to_eight_times(more: int) -> None:
    """An opened breaker stays open for 30, 60, 120 seconds, and for 240 however long the other side is dead."""
    state = LaneState(channel_id="c", failures=LANE.breaker_failures + more - 1)
    opened = circuit_breaker.after(state, OutcomeKind.TEMPORARY, NOW, LANE)
    assert opened.failures == LANE.breaker_failures + more
    assert opened.open_until == NOW + timedelta(seconds=30 * (1, 2, 4, 8, 8, 8)[more])


def due(name: str, channel: str = "sick", **more: Any) -> Claim:
    """A claim that is due; ``name`` is what the test calls it."""
    fields: dict[str, Any] = {"priority": 0, "attempts": 0, "first_attempt_at": None} | more
    delivery = Delivery(
        id=DeliveryId(new_id()),
        case_id=CaseId(new_id()),
        message_id=MessageId(new_id()),
        authority="00032106",
        channel_id=channel,
        role=Role.MAIN,
        state=TransportState.WAITING,
        created_at=NOW,
        next_at=NOW,
        **fields,
    )
    return Claim(delivery=delivery, body=name.encode())


def chosen(*claims: Claim) -> tuple[list[str], list[str]]:
    """Names of those that go and of those that are over; only the lane "well" has not failed."""
    lanes = {
        name: (Channel(id=name, adapter="rest"), LaneState(channel_id=name, failures=failures))
        for name, failures in (("well", LANE.breaker_failures - 1), ("sick", LANE.breaker_failures), ("ill", 99))
    }
    going, over = circuit_breaker.choose(claims, lanes, NOW)
    return sorted(claim.body.decode() for claim in going), [claim.body.decode() for claim in over]


LONG_AGO = NOW - timedelta(seconds=LANE.give_up_secs + 1)
BEGUN = NOW - timedelta(seconds=60)


@pytest.mark.parametrize(
    ("claims", "probe"),
    [
        ([due("tried", attempts=1, first_attempt_at=BEGUN), due("fresh")], "fresh"),
        ([due("often", attempts=3, first_attempt_at=BEGUN), due("once", attempts=1, first_attempt_at=BEGUN)], "once"),
        ([due("first"), due("second")], "first"),
        ([due("fresh"), due("urgent", priority=2, attempts=5, first_attempt_at=BEGUN)], "urgent"),
        (
            [
                due("tried", attempts=1, first_attempt_at=BEGUN, last_code="http.busy"),
                due("put back", attempts=2, first_attempt_at=BEGUN, last_code=circuit_breaker.NOT_BEGUN),
            ],
            "put back",
        ),
    ],
)
def test_the_probe_is_what_can_say_most_about_the_lane(claims: list[Claim], probe: str) -> None:
    """Of a lane that failed goes one delivery, in whatever order they are due: the most urgent, then one that was not
    tried yet, then the one with the fewest tries.
    """
    assert chosen(*claims) == ([probe], [])
    if probe != "first":
        assert chosen(*reversed(claims)) == ([probe], [])


def test_each_lane_is_probed_alone_and_a_well_one_sends_all() -> None:
    """Two lanes that failed send a probe each; what waits for a lane that did not fail all goes."""
    claims = [due("a", "well"), due("b", "well"), due("c"), due("d"), due("e", "ill"), due("f", "ill")]
    assert chosen(*claims) == (["a", "b", "c", "e"], [])


@pytest.mark.parametrize(
    ("claim", "over"),
    [
        (due("x", attempts=4, first_attempt_at=LONG_AGO), True),
        (due("x", attempts=4, first_attempt_at=LONG_AGO + timedelta(seconds=1)), False),
        (due("x", attempts=4, first_attempt_at=LONG_AGO, last_code=circuit_breaker.NOT_BEGUN), False),
        (due("x", "well", attempts=4, first_attempt_at=LONG_AGO), False),
    ],
)
def test_a_schedule_that_ended_behind_a_failing_lane_ends_without_a_try(claim: Claim, over: bool) -> None:
    """Only there, and not where the last attempt was written and never made: that one still has its try."""
    assert chosen(claim) == (([], ["x"]) if over else (["x"], []))
