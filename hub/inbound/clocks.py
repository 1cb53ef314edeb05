"""The two clocks of a statement: when it was heard, which the hub knows, and when it says that it happened. Pure.

What a body says is believed, and its moment with it, as far as it can be: not before the body was given the message,
not after the hub heard of it. Beyond that the statement counts from when it was heard, is marked, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.schemas.base import format_datetime
from hub.schemas.delivery import ClockMark
from hub.schemas.kyiv import kyiv_day
from hub.tracking.calendar import day_end

SKEW = timedelta(hours=24)
"""So far a clock may be wrong before a person hears of it; it is marked in any case. Beyond it the sender's clock is
broken, or says "no date" (1900, year 1).
"""
_WITHIN_SECOND = timedelta(milliseconds=999)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidMoment:
    """Moment that a statement gives itself; none, or a Kyiv day that ``at`` is the beginning of (``by_day``). Whole
    seconds are a second: most systems name no smaller part.
    """

    at: datetime | None
    by_day: bool = False

    @property
    def until(self) -> datetime | None:
        """The last millisecond that it may mean."""
        if self.at is None or not _near(self.at):
            return self.at
        if self.by_day:
            return day_end(kyiv_day(self.at))
        return self.at if self.at.microsecond else self.at + _WITHIN_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Moments that the hub knows by its own clock. ``routed``: the body was given the message; ``heard``: the statement
    came; ``unseen``: the hub looked and it was not there, for what is found by looking.
    """

    routed: datetime
    heard: datetime
    unseen: datetime | None = None

    @property
    def latest(self) -> datetime:
        """The last moment at which it can have happened."""
        return max(self.routed, self.heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Moment that counts. ``data``: what a fact keeps of both clocks; ``doubt``: words for a person."""

    at: datetime
    data: Mapping[str, str]
    doubt: str | None = None


def counted(claim: SaidMoment, hearing: Hearing) -> Counted:
    """The moment of a statement: what it claims, within what can be; else when it was heard."""
    data = {"heard_at": format_datetime(hearing.heard)}
    if hearing.unseen is not None:
        data["unseen_at"] = format_datetime(hearing.unseen)
    mark = _mark(claim, hearing)
    if mark is None:
        assert claim.at is not None
        return Counted(at=max(claim.at, hearing.routed), data=data)
    data["clock"] = mark.value
    if claim.at is not None:
        data["says_at"] = _spelled(claim.at)
    at = _within_day(claim, hearing) if mark is ClockMark.DAY else hearing.latest
    return Counted(at=at, data=data, doubt=_doubt(claim, mark, hearing))


def _mark(claim: SaidMoment, hearing: Hearing) -> ClockMark | None:
    if claim.at is None or claim.until is None:
        return ClockMark.NONE
    if claim.at > hearing.latest:
        return ClockMark.FUTURE
    if claim.until < hearing.routed:
        return ClockMark.BEFORE_ROUTING
    return ClockMark.DAY if claim.by_day else None


def _within_day(claim: SaidMoment, hearing: Hearing) -> datetime:
    """The earliest moment of the day that it names at which it can have happened: a body is not called late for an hour
    that nobody said.
    """
    assert claim.at is not None
    assert claim.until is not None
    first = max(claim.at, hearing.routed)
    unseen = hearing.unseen
    return unseen if unseen is not None and first < unseen <= min(claim.until, hearing.latest) else first


def _doubt(claim: SaidMoment, mark: ClockMark, hearing: Hearing) -> str | None:
    if claim.at is None or claim.until is None:
        return None
    if mark is ClockMark.FUTURE and claim.at - hearing.latest > SKEW:
        when = "after the hub heard it"
    elif mark is ClockMark.BEFORE_ROUTING and hearing.routed - claim.until > SKEW:
        when = "before the appeal was sent"
    else:
        return None
    return f"The statement dates itself {claim.at.date().isoformat()}, {when}; it counts from when it came."


def _near(moment: datetime) -> bool:
    """True for years that have a day in Kyiv; the first and the last that Python knows may have none."""
    return 1 < moment.year < 9999


def _spelled(moment: datetime) -> str:
    try:
        return format_datetime(moment)
    except OverflowError:  # it has no moment in UTC
        return moment.isoformat(timespec="milliseconds")
