"""Files of the law: what they may say, and what is refused with the line that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import ConfigurationError
from hub.tracking.law import CALENDAR_FILE, TERMS_FILE, provisional_years, read
from tests.tracking.laws import Edit, counting, law_with, length, rule


def _twice(said: dict[str, list[object]]) -> None:
    said["terms"].append(said["terms"][0])


WRONG: list[tuple[Edit, str]] = [
    (length("answer", seconds=0), "terms.4.length.seconds"),
    (length("answer", seconds=1_000_001), "terms.4.length.seconds"),
    (length("answer", hours=0), "terms.4.length.hours"),
    (length("answer", hours=10_001), "terms.4.length.hours"),
    (length("answer", days=0), "terms.4.length.days"),
    (length("answer", days=1_001), "terms.4.length.days"),
    (length("answer", working_days=0), "terms.4.length.working_days"),
    (length("answer", working_days=1_001), "terms.4.length.working_days"),
    (length("answer", months=0), "terms.4.length.months"),
    (length("answer", months=25), "terms.4.length.months"),
    (length("answer", review="24:00"), "terms.4.length.review"),
    (length("answer"), "must give one of seconds, hours, days, working_days, months, review"),
    (length("answer", days=1, hours=1), "must give one of seconds, hours, days, working_days, months, review"),
    (lambda said: rule(said, "answer").update(warn_days=[0]), "terms.4.warn_days.0"),
    (lambda said: rule(said, "answer").update(warn_days=[61]), "terms.4.warn_days.0"),
    (lambda said: rule(said, "answer").update({"from": []}), "terms.4.from"),
    (lambda said: rule(said, "answer").update(unless=["nothing_such"]), "unless names no term: nothing_such"),
    (_twice, "a code of a term stands twice"),
    (lambda said: said["grounds"][0].update(item=0), "grounds.0.item"),
    (lambda said: said["grounds"][0].update(item=11), "grounds.0.item"),
    (lambda said: said["grounds"].pop(), "must name each of the ten grounds once"),
    (counting("count_from", "yesterday"), "count_from must be one of"),
    (counting("month", "thirty_days"), "month must be one of"),
    (counting("day_off", "sometimes"), "day_off must be one of"),
    (counting("redirect_restarts_answer", "perhaps"), "redirect_restarts_answer must be one of"),
    (counting("completion", "most"), "completion must be one of"),
    (counting("hops", 0), "hops must be 1 to 50"),
    (counting("hops", 51), "hops must be 1 to 50"),
    (counting("hops", "four"), "hops must be 1 to 50"),
    (counting("opens", "9:00"), "opens must be a time as HH:MM"),
    (counting("closes", "18:60"), "closes must be a time as HH:MM"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("edit", "told"), WRONG)
def test_a_wrong_line_is_refused_and_named(tmp_path: Path, edit: Edit, told: str) -> None:
    """Every limit of the file of terms: who breaks it is told where, and the hub does not start."""
    with pytest.raises(ConfigurationError) as refused:
        law_with(tmp_path, terms=edit)
    assert refused.value.stable_code == "law.wrong"
    assert refused.value.message.startswith(f"{TERMS_FILE} is wrong: ")
    assert told in refused.value.message
    assert "pydantic" not in refused.value.message


@pytest.mark.parametrize(
    "edit",
    [
        length("answer", seconds=1),
        length("answer", seconds=1_000_000),
        length("answer", hours=10_000),
        length("answer", days=1_000),
        length("answer", working_days=1),
        length("answer", working_days=1_000),
        length("answer", months=24),
        length("review", review="23:59"),
        lambda said: rule(said, "answer").update(warn_days=[1, 60]),
        counting("hops", 1),
        counting("hops", 50),
        counting("count_from", "same_day"),
        counting("day_off", "stays"),
        counting("redirect_restarts_answer", "yes"),
        counting("redirect_restarts_answer", "no"),
        counting("completion", "all"),
        counting("opens", "00:00"),
        counting("closes", "23:59"),
    ],
)
def test_what_the_limits_allow_is_read(tmp_path: Path, edit: Edit) -> None:
    """The last value on the right side of each limit, and every word that a rule of counting knows."""
    assert law_with(tmp_path, terms=edit).rules["answer"].binding


def test_a_holiday_stands_under_its_own_year(tmp_path: Path) -> None:
    """A day of another year is a slip of the pen, and is refused."""
    with pytest.raises(ConfigurationError) as refused:
        law_with(tmp_path, calendar=lambda said: said["years"][2026]["holidays"].append(date(2025, 1, 1)))
    assert refused.value.stable_code == "law.wrong"
    assert refused.value.message.startswith(f"{CALENDAR_FILE} is wrong: ")
    assert "a holiday stands under another year" in refused.value.message


def test_a_file_that_is_no_yaml_is_refused_without_its_content(tmp_path: Path) -> None:
    """The error names the file and the kind of fault; a missing file is named with its folder."""
    law_with(tmp_path)
    (tmp_path / TERMS_FILE).write_text("counting: [", "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path)
    assert refused.value.stable_code == "law.yaml"
    assert refused.value.message.startswith(f"{TERMS_FILE} cannot be read as YAML: ")
    assert "counting" not in refused.value.message
    (tmp_path / TERMS_FILE).unlink()
    with pytest.raises(ConfigurationError) as absent:
        read(tmp_path)
    assert absent.value.stable_code == "law.absent"
    assert str(tmp_path / TERMS_FILE) in absent.value.message


def test_the_words_of_counting_count(tmp_path: Path) -> None:
    """From the day of receipt or the next one; an end on a day off stays or moves on."""
    saturday, monday = date(2026, 11, 28), date(2026, 11, 30)
    assert law_with(tmp_path).forward_day(date(2026, 11, 23)) == monday
    assert law_with(tmp_path, terms=counting("day_off", "stays")).forward_day(date(2026, 11, 23)) == saturday
    same_day = law_with(tmp_path, terms=counting("count_from", "same_day"))
    assert same_day.forward_day(date(2026, 11, 23)) == date(2026, 11, 27)
    assert same_day.answer_day(date(2026, 11, 24)) == date(2026, 12, 23)
    assert law_with(tmp_path).answer_day(date(2026, 11, 24)) == date(2026, 12, 24)


def test_lengths_by_the_clock(tmp_path: Path) -> None:
    """Hours and seconds are counted from the moment, whatever the day; a review lasts until its hour."""
    start = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)  # a Saturday
    by_clock = law_with(tmp_path, terms=length("answer", seconds=90))
    assert by_clock.end_of(by_clock.rules["answer"], start).at == start + timedelta(seconds=90)
    by_hour = law_with(tmp_path, terms=length("answer", hours=5))
    assert by_hour.end_of(by_hour.rules["answer"], start).at == start + timedelta(hours=5)
    reviewed = law_with(tmp_path, terms=length("review", review="11:30"))
    assert reviewed.end_of(reviewed.rules["review"], start).at == datetime(2026, 11, 30, 9, 30, tzinfo=UTC)


def test_years_whose_days_off_nobody_reviewed_are_named() -> None:
    """Both ends of a span are looked at, and nothing beyond them."""
    assert list(provisional_years(read(), 2025, 2027)) == []
    assert list(provisional_years(read(), 2026, 2029)) == [2028, 2029]
    assert list(provisional_years(read(), 2028, 2028)) == [2028]
