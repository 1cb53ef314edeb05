"""Terms of the Law on citizens' appeals, first cut: the day by which an answer is due. Pure, calendar days in Kyiv."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from hub.schemas.delivery import Fact, FactKind
from hub.schemas.kyiv import KYIV, kyiv_day


def answer_due(received_on: date) -> date:
    """One month from receipt (Law on citizens' appeals, article 20): same number of the next month, or its last day."""
    year, month = (received_on.year + received_on.month // 12, received_on.month % 12 + 1)
    return date(year, month, min(received_on.day, calendar.monthrange(year, month)[1]))


_RECEIPT = frozenset({FactKind.DELIVERED, FactKind.ACCEPTED, FactKind.REGISTERED})


def due_at_of(facts: Iterable[Fact], *, finished: bool) -> datetime | None:
    """End of the nearest running term of a case: a month from the first receipt by an authority, in Kyiv days."""
    received = [fact.at for fact in facts if fact.kind in _RECEIPT]
    return None if finished or not received else day_end(answer_due(kyiv_day(min(received))))


def day_end(day: date) -> datetime:
    """The last millisecond of a Kyiv day, in UTC."""
    return (datetime.combine(day + timedelta(1), time(), KYIV) - timedelta(milliseconds=1)).astimezone(UTC)
