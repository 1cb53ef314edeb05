"""When alarms open, get worse and close."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.alarms.judging import MOST_SUBJECTS, OTHERS, judge
from hub.alarms.rules import AlarmRule, Watched
from hub.alarms.values import Alarm, Reading, Verdict
from tests.alarms.world import rule

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class _Story:
    """Looks one after the other; what each found."""

    def __init__(self, of: AlarmRule) -> None:
        self.rule = of
        self.standing: dict[str, Alarm] = {}
        self.ids = map(str, itertools.count())

    def look(
        self, minute: int, *readings: Reading, blind: bool = False, rules: tuple[AlarmRule, ...] | None = None
    ) -> Verdict:
        """What a look at this minute finds."""
        at = START + timedelta(minutes=minute)
        read = {self.rule.code: None if blind else readings}
        known = self.standing.values()
        verdict = judge((self.rule,) if rules is None else rules, read, known, at, lambda: next(self.ids))
        self.standing |= {alarm.id: alarm for alarm in verdict.kept}
        self.standing = {
            key: alarm
            for key, alarm in self.standing.items()
            if alarm.closed_at is None and alarm.id not in verdict.gone
        }
        return verdict

    def told(self, verdict: Verdict) -> tuple[list[str], list[str], list[str]]:
        """Subjects that opened, got worse, closed."""
        return tuple([a.subject for a in found] for found in (verdict.opened, verdict.worse, verdict.closed))  # type: ignore[return-value]


def test_an_alarm_opens_after_its_time_and_closes_after_its_quiet() -> None:
    """What holds for a shorter time than ``after`` is never heard of; what opened closes once it was quiet."""
    story = _Story(rule(after_minutes=10, quiet_minutes=30))
    bad = Reading(subject="a")
    assert story.told(story.look(0, bad)) == ([], [], [])
    assert story.told(story.look(5)) == ([], [], [])
    assert story.standing == {}
    for minute in (6, 15):
        assert story.told(story.look(minute, bad)) == ([], [], [])
    assert story.told(story.look(16, bad)) == (["a"], [], [])
    assert story.told(story.look(17, bad)) == ([], [], [])
    assert story.told(story.look(20)) == ([], [], [])
    assert story.told(story.look(49)) == ([], [], [])
    assert story.told(story.look(50)) == ([], [], ["a"])
    assert story.standing == {}


def test_steps_are_told_once_each() -> None:
    """An end that comes nearer is told at 30, 14, 7 and 1 days, several at once as one, and not again."""
    ends = rule("expiry.near", watch=Watched.EXPIRY_DAYS, above=None, below=31, steps=[14, 7, 1], quiet_minutes=10)
    story = _Story(ends)
    told = [
        story.told(story.look(60 * n, Reading(subject="key", value=days))) for n, days in enumerate(range(40, -3, -1))
    ]
    opened = [40 - n for n, (new, _, _) in enumerate(told) if new]
    worse = [40 - n for n, (_, more, _) in enumerate(told) if more]
    assert (opened, worse) == ([30], [14, 7, 1])
    late = _Story(ends)
    assert late.told(late.look(0, Reading(subject="key", value=5))) == (["key"], [], [])
    assert late.told(late.look(1, Reading(subject="key", value=0))) == ([], ["key"], [])
    assert late.told(late.look(2, Reading(subject="key", value=700))) == ([], [], [])
    assert late.told(late.look(12, Reading(subject="key", value=700))) == ([], [], ["key"])


def test_a_rule_without_each_is_one_alarm_over_the_sum() -> None:
    """Twenty-one failing lanes are one alarm that names ten of them; twenty are none."""
    story = _Story(rule(above=20, each=False))
    lanes = [Reading(subject=f"{n:02}") for n in range(21)]
    assert story.told(story.look(0, *lanes[:20])) == ([], [], [])
    (alarm,) = story.look(1, *lanes).opened
    assert (alarm.subject, alarm.value) == ("", 21)
    assert alarm.words.startswith("00, 01")
    assert alarm.words.endswith("and 11 more")


def test_what_cannot_be_read_changes_nothing() -> None:
    """A look that is blind neither opens nor closes, however long it lasts."""
    story = _Story(rule(quiet_minutes=1))
    story.look(0, Reading(subject="a"))
    for minute in (1, 60, 600):
        assert story.look(minute, blind=True) == Verdict()
    assert [alarm.subject for alarm in story.standing.values()] == ["a"]


def test_a_rule_that_is_gone_closes_its_alarms() -> None:
    """Alarms of a rule that is off or deleted do not stand for ever; one that never opened is dropped unheard."""
    story = _Story(rule())
    story.look(0, Reading(subject="a"))
    assert story.told(story.look(1, rules=())) == ([], [], ["a"])
    waiting = _Story(rule(after_minutes=60))
    waiting.look(0, Reading(subject="a"))
    assert waiting.told(waiting.look(1, rules=())) == ([], [], [])
    assert waiting.standing == {}


def test_subjects_are_bounded() -> None:
    """Ten thousand failing lanes are 500 alarms and one for the others; those that stand do not change places."""
    story = _Story(rule())
    lanes = [Reading(subject=f"{n:05}") for n in range(10_000)]
    assert len(story.look(0, *lanes[5_000:5_400]).opened) == 400
    opened = {alarm.subject for alarm in story.look(1, *lanes).opened}
    assert len(opened) == MOST_SUBJECTS + 1 - 400
    assert OTHERS in opened
    assert story.look(2, *lanes).closed == ()


@given(
    st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=200),
    st.integers(0, 40),
    st.integers(1, 90),
)
def test_a_flapping_condition_is_told_as_pairs(looks: list[tuple[int, bool]], after: int, quiet: int) -> None:
    """Openings and closings take turns, and within any span of the quiet time there is at most one of each."""
    story = _Story(rule(after_minutes=after, quiet_minutes=quiet))
    minute, told = 0, []
    for step, holds in looks:
        minute += step
        verdict = story.look(minute, *([Reading(subject="a")] if holds else []))
        told += [(minute, "open") for _ in verdict.opened] + [(minute, "close") for _ in verdict.closed]
    assert [kind for _, kind in told] == [("open", "close")[n % 2] for n in range(len(told))]
    for kind in ("open", "close"):
        times = [at for at, what in told if what == kind]
        assert all(later - earlier >= quiet for earlier, later in itertools.pairwise(times))
    assert len(story.standing) <= 1
