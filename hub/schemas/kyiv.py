"""Kyiv time: the calendar that the law counts by."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")


def kyiv_day(moment: datetime) -> date:
    """The calendar day in Kyiv at an aware moment."""
    return moment.astimezone(KYIV).date()
