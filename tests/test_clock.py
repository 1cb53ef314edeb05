"""The hub's clock beside a machine's clock that jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.clock import HOLD_SECS, STEP_SECS, SystemClock

START = 1_795_599_000.0


class _Machine:
    """A steady clock, and a wall clock that is ``ahead`` of the truth."""

    def __init__(self) -> None:
        self.secs = 5_000.0
        self.ahead = 0.0
        self.clock = SystemClock(wall=lambda: START + self.secs + self.ahead, steady=lambda: self.secs)

    def off(self) -> float:
        """How far the hub's time is from the truth."""
        return (self.clock.now() - datetime.fromtimestamp(START + self.secs, UTC)).total_seconds()


_JUMPS = st.one_of(st.floats(-1, 1), st.floats(STEP_SECS + 1, 90_000), st.floats(-90_000, -STEP_SECS - 1))
"""Jumps, and trembling. What lies between may be reached in small steps, each of which is followed (see below)."""


@given(
    jumps=st.lists(_JUMPS, max_size=8),
    secs=st.floats(min_value=0, max_value=HOLD_SECS / 10),
)
def test_jumps_that_do_not_last_are_not_seen(jumps: list[float], secs: float) -> None:
    """Whatever the machine's clock says for less than the time of holding, the hub's is off by a small step at most."""
    machine = _Machine()
    for jump in jumps:
        machine.ahead = jump
        before = machine.clock.now()
        machine.secs += secs
        assert abs((machine.clock.now() - before).total_seconds() - secs) < STEP_SECS + 0.01
    machine.ahead = 0.0
    assert abs(machine.off()) < 0.01


def test_a_lasting_correction_is_followed() -> None:
    """A clock that was set right stays right: after the time of holding the hub's time is the machine's."""
    machine = _Machine()
    machine.ahead = -3_600.0
    assert abs(machine.off()) < 0.01
    machine.secs += HOLD_SECS - 1
    assert abs(machine.off()) < 0.01
    machine.secs += 2
    assert abs(machine.off() + 3_600) < 0.01


def test_small_corrections_are_followed_at_once() -> None:
    """What a time server corrects every day is no jump, and it adds up."""
    machine = _Machine()
    for number in range(1, 11):
        machine.ahead = number * 0.9 * STEP_SECS
        assert abs(machine.off() - machine.ahead) < 0.01


def test_small_steps_that_add_up_come_back_as_a_jump() -> None:
    """A clock that crept away was followed; that it returns at once is a jump, believed when it has held."""
    machine = _Machine()
    for ahead in (0.5 * STEP_SECS, STEP_SECS):
        machine.ahead = ahead
        assert abs(machine.off() - ahead) < 0.01
    machine.ahead = 0.0
    assert abs(machine.off() - STEP_SECS) < 0.01
    machine.secs += HOLD_SECS + 1
    assert abs(machine.off()) < 0.01


def test_the_time_is_aware_and_cut_to_milliseconds() -> None:
    """As the machine says it now."""
    now = SystemClock().now()
    assert now.utcoffset() == timedelta()
    assert now.microsecond % 1000 == 0
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=STEP_SECS)
