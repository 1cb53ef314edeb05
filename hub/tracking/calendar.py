"""Working days of Ukraine: Saturdays and Sundays, holidays and the Cabinet's shifts of days off, as reviewed data.

Pure once loaded. A year without data has weekends only, and what is counted through it is marked as provisional.
"""

from __future__ import annotations

import calendar as gregorian
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from hub.schemas.kyiv import KYIV

DAY = timedelta(1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One reviewed year: holidays, days off that were moved, and weekend days that are worked instead."""

    holidays: frozenset[date]
    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A span in which holidays are ordinary days (martial law); ``to``: the day after its last one, or open."""

    since: date
    to: date | None

    def holds_on(self, day: date) -> bool:
        """True if holidays are ordinary on this day."""
        return self.since <= day and (self.to is None or day < self.to)


class Calendar:
    """Answers by look-up. Days are Kyiv days."""

    def __init__(self, years: Mapping[int, Year], suspensions: Iterable[Suspension] = ()) -> None:
        self._years = frozenset(years)
        self._suspensions = tuple(suspensions)
        self._worked = frozenset(day for year in years.values() for day in year.worked)
        holidays = frozenset(day for year in years.values() for day in year.holidays if not self._suspended(day))
        off = frozenset(day for year in years.values() for day in year.off)
        self._off = holidays | off | self._moved(holidays, off)

    def _suspended(self, day: date) -> bool:
        return any(span.holds_on(day) for span in self._suspensions)

    def _moved(self, holidays: frozenset[date], off: frozenset[date]) -> frozenset[date]:
        """A holiday on a day off moves that day off to the next working day (Labour Code article 67 part 3)."""
        moved: set[date] = set()
        for holiday in sorted(holidays):
            if holiday.weekday() < _SATURDAY or holiday in self._worked:
                continue
            day = holiday + DAY
            while day.weekday() >= _SATURDAY or day in holidays or day in off or day in moved:
                day += DAY
            moved.add(day)
        return frozenset(moved)

    def reviewed(self, year: int) -> bool:
        """True if there is data for this year."""
        return year in self._years

    def is_off(self, day: date) -> bool:
        """True if nobody works on this day."""
        return not self.works_on(day)

    def works_on(self, day: date) -> bool:
        """True if this is a working day."""
        if day in self._worked:
            return True
        return day.weekday() < _SATURDAY and day not in self._off

    def working_day(self, day: date) -> date:
        """The day itself if it is worked, else the next working day."""
        while not self.works_on(day):
            day += DAY
        return day

    def next_working_day(self, day: date) -> date:
        """The first working day after this one."""
        return self.working_day(day + DAY)

    def plus_working_days(self, day: date, count: int) -> date:
        """The ``count``-th working day after this one."""
        for _ in range(count):
            day = self.next_working_day(day)
        return day


def plus_months(day: date, count: int) -> date:
    """The same number ``count`` months later, or that month's last day."""
    months = day.year * 12 + day.month - 1 + count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, gregorian.monthrange(year, month + 1)[1]))


def at(day: date, clock: time) -> datetime:
    """The moment of a Kyiv day, in UTC."""
    return datetime.combine(day, clock, KYIV).astimezone(UTC)


def day_end(day: date) -> datetime:
    """The last millisecond of a Kyiv day, in UTC."""
    return at(day + DAY, time()) - timedelta(milliseconds=1)
