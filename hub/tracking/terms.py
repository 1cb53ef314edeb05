"""Terms of the Law on citizens' appeals, first cut: the day by which an answer is due. Pure, calendar days in Kyiv."""

from __future__ import annotations

import calendar
from datetime import date


def answer_due(received_on: date) -> date:
    """One month from receipt (Law on citizens' appeals, article 20): same number of the next month, or its last day."""
    year, month = (received_on.year + received_on.month // 12, received_on.month % 12 + 1)
    return date(year, month, min(received_on.day, calendar.monthrange(year, month)[1]))
