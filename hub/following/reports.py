"""Reports for spotting problems: what is asked most, who keeps terms, who sends on, whose answers look formal.

Each report is the same pass over the digests, shown by other columns; whole numbers only. A case counts under its first
topic, under the body that has it now, and in the week in which it arrived. ``surges`` names what suddenly rose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from hub.following.ports import Insights
from hub.following.surge import NEEDED, Signal, signal
from hub.following.values import DayCount, Measures, ReportBy, ReportFilter

SERIES_DAYS = NEEDED + 2
"""Days that are read: the baseline, the guard days, the day itself, and two more for the sum over three days."""


class Report(StrEnum):
    """Contents of a report."""

    VOLUMES = "volumes"
    TERMS = "terms"
    REDIRECTS = "redirects"
    FORMAL_ANSWERS = "formal-answers"


Column = tuple[str, Callable[[Measures], int]]


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


COLUMNS: dict[Report, tuple[Column, ...]] = {
    Report.VOLUMES: (
        ("cases", lambda m: m.cases),
        ("urgent", lambda m: m.urgent),
        ("answered", lambda m: m.answered),
        ("by_centre", lambda m: m.by_centre),
        ("again", lambda m: m.again),
        ("mass", lambda m: m.mass),
        ("escalated", lambda m: m.escalated),
    ),
    Report.TERMS: (
        ("cases", lambda m: m.cases),
        ("answered", lambda m: m.answered),
        ("kept", lambda m: m.kept),
        ("late", lambda m: m.late),
        ("kept_percent", lambda m: _percent(m.kept, m.kept + m.late)),
        ("overdue", lambda m: m.overdue),
        ("missed", lambda m: m.missed),
        ("breaches", lambda m: m.breaches),
        ("extended", lambda m: m.extended),
        ("returned", lambda m: m.returned),
        ("mean_answer_hours", lambda m: m.answer_hours // m.answered if m.answered else 0),
    ),
    Report.REDIRECTS: (
        ("cases", lambda m: m.cases),
        ("redirected", lambda m: m.redirected),
        ("redirected_percent", lambda m: _percent(m.redirected, m.cases)),
        ("hops", lambda m: m.hops),
        ("refused", lambda m: m.refused),
    ),
    Report.FORMAL_ANSWERS: (
        ("cases", lambda m: m.cases),
        ("answered", lambda m: m.answered),
        ("flagged", lambda m: m.formal),
        ("flagged_percent", lambda m: _percent(m.formal, m.answered)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One line of a report. ``key``: the value it is split by, empty where a case has none."""

    key: str
    values: dict[str, int]


def report(
    insights: Insights, kind: Report, by: ReportBy, where: ReportFilter, now: datetime
) -> tuple[ReportLine, ...]:
    """The lines of a report, most cases first; by week in order of time."""
    columns = COLUMNS[kind]
    measured = insights.report(where, by, now)
    return tuple(ReportLine(key=m.key, values={name: of(m) for name, of in columns}) for m in measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A rise on a day: a topic in a territory (empty: in all), or everything of a territory (empty topic)."""

    day: str
    topic: str
    territory: str
    signal: Signal


def surges(insights: Insights, where: ReportFilter, day: date, off: Callable[[date], bool]) -> tuple[Surge, ...]:
    """Surges on a Kyiv day, the strongest first. ``where``: its days are left aside. ``off``: which are days off."""
    days = [day - timedelta(days=back) for back in range(SERIES_DAYS - 1, -1, -1)]
    asked = ReportFilter(
        owner=where.owner,
        share_of=where.share_of,
        authority=where.authority,
        topic=where.topic,
        territory=where.territory,
        day_from=days[0].isoformat(),
        day_to=day.isoformat(),
    )
    kinds = [off(one) for one in days]
    found = (
        Surge(day=day.isoformat(), topic=topic, territory=territory, signal=signal(counts, kinds))
        for (topic, territory), counts in _series(insights.daily(asked), days).items()
        if counts[-1]
    )
    rose = [surge for surge in found if surge.signal.rose]
    return tuple(sorted(rose, key=lambda surge: (-surge.signal.c2, surge.topic, surge.territory)))


def _series(daily: Sequence[DayCount], days: Sequence[date]) -> dict[tuple[str, str], list[int]]:
    """Counts by day of every topic in every territory, of each alone, and of all together."""
    place = {day.isoformat(): at for at, day in enumerate(days)}
    series: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(days))
    for count in daily:
        for key in _keys(count):
            series[key][place[count.day]] += count.cases
    return dict(series)


def _keys(count: DayCount) -> Iterator[tuple[str, str]]:
    yield ("", "")
    yield (count.topic, "")
    if count.oblast:
        yield ("", count.oblast)
        yield (count.topic, count.oblast)
