"""Counting by the calendar: months, days off, holidays, shifts, martial law."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
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


def test_a_year_without_data_is_marked() -> None:
    """What is counted through a year whose days off nobody reviewed is provisional."""
    law = shipped()
    ends = [law.end_of(law.rules["answer"], datetime(year, 12, 10, 9, tzinfo=UTC)) for year in (2026, 2027)]
    assert [end.provisional for end in ends] == [False, True]
