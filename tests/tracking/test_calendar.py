"""Counting by the calendar: months, days off, holidays, shifts, martial law."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.tracking.calendar import Calendar, Suspension, Year, plus_months
from hub.tracking.law import shipped

PEACE = Calendar(
    {
        2016: Year(
            holidays=frozenset(
                {date(2016, 1, 1), date(2016, 1, 7), date(2016, 5, 1), date(2016, 5, 2), date(2016, 5, 9)}
            ),
            off=frozenset({date(2016, 1, 8)}),
            worked=frozenset({date(2016, 1, 16)}),
        )
    }
)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-24", "2026-12-24"),
        ("2026-01-31", "2026-03-02"),  # 28 February is a Saturday
        ("2028-01-31", "2028-02-29"),
        ("2026-12-05", "2027-01-05"),
        ("2026-10-15", "2026-11-16"),  # 15 November is a Sunday
    ],
)
def test_an_answer_is_due_in_a_month_or_on_the_next_working_day(received: str, due: str) -> None:
    """Article 20: one month; a month that lacks the number ends on its last day, a day off moves the end on."""
    assert shipped().answer_day(date.fromisoformat(received)) == date.fromisoformat(due)


@given(day=st.dates(date(2000, 1, 1), date(2190, 1, 1)))
def test_a_month_is_28_to_31_days(day: date) -> None:
    """No day of receipt gives a month shorter than 28 or longer than 31 days."""
    assert timedelta(28) <= plus_months(day, 1) - day <= timedelta(31)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2016-01-08", False),  # a shifted day off
        ("2016-01-16", True),  # the Saturday that is worked instead
        ("2016-01-07", False),
        ("2016-05-03", False),  # 1 May was a Sunday: its day off moves behind 2 May, a holiday itself
        ("2016-05-04", True),
        ("2016-05-07", False),
        ("2026-05-01", True),  # a year without data has weekends only
    ],
)
def test_days_off(day: str, works: bool) -> None:
    """Holidays, shifts, and holidays that fall on days off."""
    assert PEACE.works_on(date.fromisoformat(day)) is works


def test_under_martial_law_holidays_are_ordinary_days() -> None:
    """Law 2136-IX article 6: from its first day on holidays and their moves are worked; weekends are not."""
    years = {2022: Year(holidays=frozenset({date(2022, 3, 8), date(2022, 5, 1), date(2022, 6, 28)}))}
    war = Calendar(years, [Suspension(since=date(2022, 3, 15), to=None)])
    works = [war.works_on(date(2022, m, d)) for m, d in ((3, 8), (5, 1), (5, 2), (6, 28))]
    assert works == [False, False, True, True]


@pytest.mark.parametrize(
    ("delivered", "due"),
    [
        ("2026-11-24T10:00", "2026-11-24T21:59"),  # a working day, 12:00 in Kyiv: on the day itself
        ("2026-11-24T17:00", "2026-11-25T08:00"),  # after hours: 10:00 of the next day in Kyiv
        ("2026-11-27T17:00", "2026-11-30T08:00"),  # Friday evening
        ("2026-11-28T09:00", "2026-11-30T08:00"),  # Saturday
        ("2026-06-26T16:00", "2026-06-29T07:00"),  # Kyiv summer time
    ],
)
def test_the_preliminary_review(delivered: str, due: str) -> None:
    """CMU 55/2018 item 20: on the day of delivery, or by 10:00 of the next working day."""
    law = shipped()
    end = law.end_of(law.rules["review"], datetime.fromisoformat(delivered).replace(tzinfo=UTC))
    assert end.at.replace(second=0, microsecond=0, tzinfo=None).isoformat(timespec="minutes") == due


ARTICLE_73: dict[tuple[int, int], tuple[int, int]] = {
    (1, 1): (1991, 9999),
    (1, 7): (1991, 2023),  # taken out by Law 3107-IX, in force from 1 September 2023
    (3, 8): (1991, 9999),
    (5, 1): (1991, 9999),
    (5, 2): (1991, 2017),  # taken out by Law 2211-VIII of 16.11.2017
    (5, 8): (2024, 9999),  # Law 2862-IX of 29.05.2023, instead of 9 May
    (5, 9): (1991, 2023),
    (6, 28): (1997, 9999),
    (7, 15): (2024, 9999),  # Law 3107-IX, instead of 28 July
    (7, 28): (2022, 2023),  # Law 2295-IX of 31.05.2022
    (8, 24): (1992, 9999),
    (10, 1): (2023, 9999),  # Law 3107-IX, instead of 14 October
    (10, 14): (2015, 2022),  # Law 238-VIII of 05.03.2015
    (12, 25): (2017, 9999),  # Law 2211-VIII
}
"""Days of Labour Code article 73 that have a date, with the first and the last year in which they were holidays."""
SHIFTS = {2016: {("2016-01-08", "2016-01-16"), ("2016-03-07", "2016-03-12"), ("2016-06-27", "2016-07-02")}}
"""Days off, and days worked instead, by orders of the Cabinet; a year that is not here has none."""


def orthodox_easter(year: int) -> date:
    """Easter by the Julian reckoning (Meeus), as a day of today's calendar; right from 1900 to 2099."""
    moon = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + weekday + 114, 31)
    return date(year, month, day + 1) + timedelta(13)


def _calendar_file() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((resources.files("hub.tracking") / "data" / "calendar.yaml").read_bytes())
    return read


REVIEWED = sorted(_calendar_file()["years"])


@pytest.mark.parametrize("year", REVIEWED)
def test_the_holidays_of_a_year_are_those_of_the_labour_code(year: int) -> None:
    """Every reviewed year has the days of article 73 as it stood then, with Easter and Trinity, and no other day."""
    easter = orthodox_easter(year)
    fixed = [date(year, *day) for day, (first, last) in ARTICLE_73.items() if first <= year <= last]
    assert _calendar_file()["years"][year]["holidays"] == sorted({*fixed, easter, easter + timedelta(49)})


@pytest.mark.parametrize("year", REVIEWED)
def test_the_shifts_of_a_year_are_those_of_the_cabinet(year: int) -> None:
    """Every shift of a reviewed year makes the working day free and the day off worked that the order names."""
    shifts = _calendar_file()["years"][year].get("shifts", ())
    assert {(str(shift["day_off"]), str(shift["worked"])) for shift in shifts} == SHIFTS.get(year, set())
    for shift in shifts:
        assert shift["day_off"].weekday() < 5 <= shift["worked"].weekday()
        assert shipped().calendar.is_off(shift["day_off"])
        assert shipped().calendar.works_on(shift["worked"])


def test_easter_is_counted_right() -> None:
    """The reckoning that holidays are held against gives the Easters that everybody knows."""
    known = [date(2016, 5, 1), date(2021, 5, 2), date(2022, 4, 24), date(2023, 4, 16), date(2024, 5, 5)]
    assert [orthodox_easter(day.year) for day in known] == known


def test_a_year_without_data_is_marked() -> None:
    """What is counted through a year whose days off nobody reviewed is provisional."""
    law = shipped()
    ends = [law.end_of(law.rules["answer"], datetime(year, 12, 10, 9, tzinfo=UTC)) for year in (2026, 2027)]
    assert [end.provisional for end in ends] == [False, True]
