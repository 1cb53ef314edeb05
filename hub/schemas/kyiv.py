"""Kyiv time: the calendar that the law counts by."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")


def written_zone(pattern: str) -> tzinfo:
    """The zone in which a pattern without ``%z`` writes moments: UTC where it ends with a ``Z``, else Kyiv's."""
    return UTC if pattern.endswith("Z") and not pattern.endswith("%Z") else KYIV


def kyiv_day(moment: datetime) -> date:
    """The calendar day in Kyiv at an aware moment."""
    return moment.astimezone(KYIV).date()
