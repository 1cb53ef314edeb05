"""The law as data: ``data/terms.yaml`` and ``data/calendar.yaml``, read once, checked, and then only looked up.

A lawyer reviews the two files; nothing here knows a number of days. Use cases and stores are given the law that they
count by: the files of the package (``shipped``), or those of a folder that the settings name (``read``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import ConfigurationError
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Day, Frozen, Line
from hub.schemas.delivery import FactKind
from hub.schemas.kyiv import KYIV
from hub.schemas.terms import AppealChannel, RefusalGround
from hub.tracking.calendar import Calendar, Suspension, Year, at, day_end, plus_months

OPERATOR = "operator"
"""Code of the term that runs while something of a case waits for an operator."""
TERMS_FILE, CALENDAR_FILE = "terms.yaml", "calendar.yaml"
Knowledge = Literal["text", "retold", "unknown", "setting"]
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
TermCode = Annotated[str, Code(r"[a-z][a-z_]{1,39}")]


class Length(Frozen):
    """How long a term is: exactly one of these. ``review``: until that hour of the next working day (item 20).
    ``seconds``: for demonstrations, where hours pass quickly.
    """

    seconds: int | None = Field(default=None, ge=1, le=1_000_000)
    hours: int | None = Field(default=None, ge=1, le=10_000)
    days: int | None = Field(default=None, ge=1, le=1_000)
    working_days: int | None = Field(default=None, ge=1, le=1_000)
    months: int | None = Field(default=None, ge=1, le=24)
    review: Annotated[str, Code(_CLOCK)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Length:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("length", "must give one of seconds, hours, days, working_days, months, review")
        return self

    @cached_property
    def short(self) -> bool:
        """True if it is counted by the clock, not by days."""
        return self.hours is not None or self.seconds is not None

    @cached_property
    def clock(self) -> time:
        """The hour until which a review may last."""
        return time.fromisoformat(self.review or "00:00")

    @cached_property
    def span(self) -> timedelta:
        """Span of a term that is counted by the clock."""
        return timedelta(hours=self.hours or 0, seconds=self.seconds or 0)


class Rule(Frozen):
    """One term of the law (строк)."""

    code: TermCode
    title: Annotated[str, Line(300)]
    act: Annotated[str, Line(200)]
    article: Annotated[str, Line(100)]
    knowledge: Knowledge
    per: Literal["executor", "copy", "case"]
    channels: tuple[AppealChannel, ...] = ()
    starts: Annotated[tuple[FactKind, ...], Field(min_length=1, alias="from")]
    length: Length
    ends_by: tuple[FactKind, ...] = ()
    clock: Literal["says", "heard"] = "says"
    extended_by: tuple[FactKind, ...] = ()
    stopped_by: tuple[FactKind, ...] = ()
    at_most: Length | None = None
    warn_days: tuple[Annotated[int, Field(ge=1, le=60)], ...] = ()
    binding: bool = False
    overdue: Literal["nothing", "operator", "superior", "next_channel"] = "nothing"
    checked_on: Literal["redirected", "answered_returned"] | None = None
    unless: tuple[TermCode, ...] = ()
    again: Length | None = None

    @cached_property
    def ends(self) -> frozenset[FactKind]:
        """``ends_by`` to look into."""
        return frozenset(self.ends_by)

    @cached_property
    def law(self) -> str:
        """Act and article, for people."""
        return f"{self.act}, {self.article}"


class Ground(Frozen):
    """One of the ten grounds of CMU 55/2018 item 21, what the hub does, and what helps."""

    code: RefusalGround
    item: int = Field(ge=1, le=10)
    act: Literal["router", "operator", "nothing"]
    mend: Annotated[str, Line(500)]


class Setting(Frozen):
    """A rule of counting and how well it is known."""

    value: Annotated[str, Line(50)] | int
    knowledge: Knowledge


class Counting(Frozen):
    """Rules of counting; where the law is silent they are settings."""

    count_from: Setting
    month: Setting
    day_off: Setting
    redirect_restarts_answer: Setting
    completion: Setting
    hops: Setting
    opens: Setting
    closes: Setting

    @model_validator(mode="after")
    def _known(self) -> Counting:
        allowed: dict[str, tuple[str, ...]] = {
            "count_from": ("next_day", "same_day"),
            "month": ("same_number_or_last",),
            "day_off": ("next_working_day", "stays"),
            "redirect_restarts_answer": ("both", "yes", "no"),
            "completion": ("main", "all"),
        }
        for name, values in allowed.items():
            if getattr(self, name).value not in values:
                raise PydanticCustomError(
                    "counting", "{name} must be one of {values}", {"name": name, "values": values}
                )
        if not isinstance(self.hops.value, int) or not 1 <= self.hops.value <= 50:
            raise PydanticCustomError("counting", "hops must be 1 to 50")
        for name in ("opens", "closes"):
            if not re.fullmatch(_CLOCK, str(getattr(self, name).value)):
                raise PydanticCustomError("counting", "{name} must be a time as HH:MM", {"name": name})
        return self


class TermsFile(Frozen):
    """``terms.yaml``."""

    counting: Counting
    terms: Annotated[tuple[Rule, ...], Field(min_length=1)]
    grounds: tuple[Ground, ...]

    @model_validator(mode="after")
    def _whole(self) -> TermsFile:
        codes = [rule.code for rule in self.terms]
        if len(set(codes)) < len(codes):
            raise PydanticCustomError("terms", "a code of a term stands twice")
        unknown = {code for rule in self.terms for code in rule.unless} - set(codes)
        if unknown:
            raise PydanticCustomError("terms", "unless names no term: {names}", {"names": ", ".join(sorted(unknown))})
        if {ground.code for ground in self.grounds} != set(RefusalGround) - {RefusalGround.OTHER}:
            raise PydanticCustomError("grounds", "must name each of the ten grounds once")
        return self


class _Shift(Frozen):
    day_off: Day
    worked: Day
    act: Annotated[str, Line(200)]


class _Year(Frozen):
    holidays: tuple[Day, ...]
    shifts: tuple[_Shift, ...] = ()


class _Suspended(Frozen):
    since: Day = Field(alias="from")
    to: Day | None
    act: Annotated[str, Line(200)]


class CalendarFile(Frozen):
    """``calendar.yaml``."""

    suspended: tuple[_Suspended, ...] = ()
    years: dict[int, _Year]

    @model_validator(mode="after")
    def _in_year(self) -> CalendarFile:
        for number, year in self.years.items():
            if any(day.year != number for day in year.holidays):
                raise PydanticCustomError("year", "a holiday stands under another year")
        return self

    def calendar(self) -> Calendar:
        """The calendar that these lines describe."""
        years = {
            number: Year(
                holidays=frozenset(year.holidays),
                off=frozenset(shift.day_off for shift in year.shifts),
                worked=frozenset(shift.worked for shift in year.shifts),
            )
            for number, year in self.years.items()
        }
        return Calendar(years, [Suspension(since=span.since, to=span.to) for span in self.suspended])


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Where a term ends. ``provisional``: it runs through a year whose days off were not reviewed."""

    at: datetime
    provisional: bool


class Law:
    """Terms, grounds and calendar, ready to be asked. Immutable but for a cache; safe from many threads."""

    def __init__(self, terms: TermsFile, calendar: Calendar) -> None:
        self.counting = terms.counting
        self.calendar = calendar
        self.rules = {rule.code: rule for rule in terms.terms}
        self.grounds = {ground.code: ground for ground in terms.grounds}
        self.max_hops = int(terms.counting.hops.value)
        self.all_must_answer = terms.counting.completion.value == "all"
        self._opens = time.fromisoformat(str(terms.counting.opens.value))
        self._closes = time.fromisoformat(str(terms.counting.closes.value))
        self._ends: dict[tuple[str, date], Due] = {}

    @cached_property
    def by_scope(self) -> dict[str, tuple[Rule, ...]]:
        """Rules that run, by ``per``; those that are only checked are left out."""
        return {
            scope: tuple(r for r in self.rules.values() if r.per == scope and r.checked_on is None)
            for scope in ("executor", "copy", "case")
        }

    def end(self, length: Length, start: datetime, name: str = "") -> Due:
        """Where a term of this length ends that started then. ``name``: of the rule, so that it is remembered."""
        if length.short:
            return Due(at=start + length.span, provisional=False)
        if length.review is not None:
            return self._review(start, length.clock)
        day = start.astimezone(KYIV).date()
        known = self._ends.get((name, day)) if name else None
        if known is None:
            known = self._due(self.last_day(length, day), day)
            if name:
                if len(self._ends) > 20_000:
                    self._ends.clear()
                self._ends[name, day] = known
        return known

    def end_of(self, rule: Rule, start: datetime) -> Due:
        """Where this term ends that started then."""
        return self.end(rule.length, start, rule.code)

    def item_due(self, opened_at: datetime) -> datetime | None:
        """By when an operator is to have done what was opened then; none if the law's file sets no such term."""
        rule = self.rules.get(OPERATOR)
        return self.end_of(rule, opened_at).at if rule is not None else None

    def limit_of(self, rule: Rule, start: datetime) -> datetime | None:
        """Where it ends at the latest, whatever extends it."""
        return self.end(rule.at_most, start, f"{rule.code}:at_most").at if rule.at_most is not None else None

    def last_day(self, length: Length, day: date) -> date:
        """The last Kyiv day of a term that started on ``day``; its rules of counting stand in ``counting``."""
        less = 1 if self.counting.count_from.value == "same_day" else 0
        if length.working_days is not None:
            return self.calendar.plus_working_days(day, length.working_days - less)
        if length.months is not None:
            last = plus_months(day, length.months) - timedelta(less)
        else:
            last = day + timedelta((length.days or 0) - less)
        return self.calendar.working_day(last) if self.counting.day_off.value == "next_working_day" else last

    def _due(self, last: date, first: date) -> Due:
        reviewed = all(self.calendar.reviewed(year) for year in range(first.year, last.year + 1))
        return Due(at=day_end(last), provisional=not reviewed)

    def _review(self, start: datetime, hour: time) -> Due:
        """Item 20: on the day of delivery; by 10:00 of the next working day if it came after hours or on a day off."""
        local = start.astimezone(KYIV)
        day = local.date()
        if self.calendar.works_on(day) and local.time() < self._closes:
            return self._due(day, day)
        after = self.calendar.next_working_day(day)
        return Due(at=at(after, hour), provisional=not self.calendar.reviewed(after.year))

    def answer_day(self, received: date) -> date:
        """The day by which an answer is due that was received on this Kyiv day (article 20: one month)."""
        return self.last_day(self.rules["answer"].length, received)

    def forward_day(self, received: date) -> date:
        """The day by which a body that is not competent forwards (article 7: five days)."""
        return self.last_day(self.rules["forward"].length, received)


def _read(text: str, name: str, model: type[Any]) -> Any:
    try:
        return model.model_validate(strict_yaml.load(text), strict=False)
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{name} cannot be read as YAML: {strict_yaml.told(error)}.", code="law.yaml"
        ) from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:20])
        raise ConfigurationError(f"{name} is wrong: {wrong}.", code="law.wrong") from None


def read(folder: Path | None = None) -> Law:
    """The law from a folder, or from the package. Raises ``ConfigurationError`` that names every wrong line."""

    def text(name: str) -> str:
        if folder is None:
            return resources.files("hub.tracking").joinpath("data", name).read_text("utf-8")
        try:
            return (folder / name).read_text("utf-8")
        except OSError as error:
            raise ConfigurationError(f"{folder / name} cannot be read: {error.strerror}.", code="law.absent") from None

    terms: TermsFile = _read(text(TERMS_FILE), TERMS_FILE, TermsFile)
    days: CalendarFile = _read(text(CALENDAR_FILE), CALENDAR_FILE, CalendarFile)
    return Law(terms, days.calendar())


@lru_cache(maxsize=1)
def shipped() -> Law:
    """The law of the package's own files. Whoever counts by another one is given it."""
    return read()


def provisional_years(law: Law, first: int, last: int) -> Iterator[int]:
    """Years of a span whose days off were not reviewed."""
    return (year for year in range(first, last + 1) if not law.calendar.reviewed(year))
