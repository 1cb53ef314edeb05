"""Surges: topics and territories from which suddenly more appeals come than the weeks before let expect.

Method: C2 and C3 of EARS, the Early Aberration Reporting System (L. Hutwagner, W. Thompson, G. M. Seeman, T. Treadwell,
The bioterrorism preparedness and response Early Aberration Reporting System, Journal of Urban Health 80, Suppl. 1,
2003, i89-i96), in the form W2 that compares working days with working days and days off with days off and takes a
longer baseline (J. I. Tokars et al., Enhancing time-series detection algorithms for automated biosurveillance, Emerging
Infectious Diseases 15(4), 2009, 533-539). Two days before the day in question belong to no baseline, so that a surge
does not hide itself. Counts of appeals are Poisson at best, so the deviation is never taken below the square root of
the mean, nor below 1. Pure: counts in, signals out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

BASELINE_DAYS = 28
GUARD_DAYS = 2
NEEDED = BASELINE_DAYS + GUARD_DAYS + 1
"""Days that a series must have for C2; C3 looks at two more."""
C2_LIMIT = 4.0
"""EARS takes 3 for one series; thousands of series are looked at here every day (docs/api/events.md has the rates)."""
C3_LIMIT = 5.0
LEAST = 5
"""Fewer appeals in a day are no surge, whatever the weeks before had."""
_LEAST_BASELINE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A day's count against what was to be expected. ``c2``: deviations above it; ``c3``: over three days."""

    count: int
    expected: float
    c2: float
    c3: float

    @property
    def excess(self) -> float:
        """By how many appeals it rose."""
        return self.count - self.expected

    @property
    def rose(self) -> bool:
        """True if it is a surge."""
        return self.count >= LEAST and self.excess > 0 and (self.c2 >= C2_LIMIT or self.c3 >= C3_LIMIT)


def signal(counts: Sequence[int], off: Sequence[bool]) -> Signal:
    """The last day of a series. ``off``: which days are days off. ``ValueError`` for a series that is too short."""
    if len(counts) < NEEDED or len(counts) != len(off):
        raise ValueError(f"a series needs {NEEDED} days, each known as a working day or a day off")
    last = len(counts) - 1
    days = [day for day in range(last - 2, last + 1) if day + 1 >= NEEDED]
    found = [_deviation(counts, off, day) for day in days]
    expected, c2 = found[-1]
    return Signal(count=counts[last], expected=expected, c2=c2, c3=sum(max(0.0, value - 1.0) for _, value in found))


def _deviation(counts: Sequence[int], off: Sequence[bool], day: int) -> tuple[float, float]:
    """Mean of the like days of the baseline, and how many deviations above it the day stands."""
    window = range(day - GUARD_DAYS - BASELINE_DAYS, day - GUARD_DAYS)
    like = [counts[before] for before in window if off[before] == off[day]]
    if len(like) < _LEAST_BASELINE:
        like = [counts[before] for before in window]
    mean = sum(like) / len(like)
    deviation = sqrt(sum((count - mean) ** 2 for count in like) / (len(like) - 1))
    return mean, (counts[day] - mean) / max(deviation, sqrt(mean), 1.0)
