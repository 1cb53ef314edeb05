"""Cursors of the event feed: transaction and number, zero-padded so that they sort as text. Opaque to callers."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Row

from hub.errors import InvalidInput
from hub.schemas.delivery import Event

_CURSOR = re.compile(r"([0-9]{19})-([0-9]{19})", re.ASCII)


def make(tx: int, seq: int) -> str:
    """The cursor of an event."""
    return f"{tx:019d}-{seq:019d}"


def read(cursor: str) -> tuple[int, int]:
    """Transaction and number; ``InvalidInput`` for what was never given out."""
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[1]) >= 2**63 or int(match[2]) >= 2**63:
        raise InvalidInput("The cursor is not one that was given out.", code="input.cursor")
    return int(match[1]), int(match[2])


def event(row: Row[Any]) -> Event:
    """An event with its cursor."""
    return Event(
        cursor=make(row.tx, row.seq),
        type=row.type,
        case_id=row.case_id,
        at=row.at,
        recorded_at=row.recorded_at,
        data=json.loads(row.data),
    )
