"""Terms of the law, first cut."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.tracking.terms import answer_due


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-24", "2026-12-24"),
        ("2026-01-31", "2026-02-28"),
        ("2028-01-30", "2028-02-29"),
        ("2026-12-05", "2027-01-05"),
    ],
)
def test_a_month_ends_on_the_same_number_or_the_last_day(received: str, due: str) -> None:
    """Article 20: one month; a month that lacks the number ends on its last day."""
    assert answer_due(date.fromisoformat(received)) == date.fromisoformat(due)


@given(day=st.dates(date(2000, 1, 1), date(2190, 1, 1)))
def test_a_month_is_28_to_31_days(day: date) -> None:
    """No day of receipt gives a term shorter than 28 or longer than 31 days."""
    assert timedelta(28) <= answer_due(day) - day <= timedelta(31)
