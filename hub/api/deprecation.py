"""Doors that will go: since when they are deprecated, when they end, what takes their place.

The one table: answers of a deprecated door tell it (``Deprecation`` of RFC 9745, ``Sunset`` of RFC 8594, ``Link``), the
OpenAPI document marks it, and docs/compatibility.md shows it (``told``). What is promised stands on that page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Final

PAGE: Final = "/docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecated:
    """A door that will go. ``since``: the day from which nobody should begin to use it; ``ends``: the first day on
    which it may be gone; ``instead``: the door that does the same.
    """

    since: date
    ends: date
    instead: str

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Fields that tell a caller."""
        since, ends = (datetime.combine(day, time(), UTC) for day in (self.since, self.ends))
        return [
            (b"deprecation", f"@{int(since.timestamp())}".encode()),
            (b"sunset", format_datetime(ends, usegmt=True).encode()),
            (b"link", f'<{PAGE}>; rel="deprecation"; type="text/html"'.encode()),
        ]


DEPRECATED: Final[dict[tuple[str, str], Deprecated]] = {}
"""Deprecated doors by method and path. None is, today."""


def headers_of(method: str, path: str) -> list[tuple[bytes, bytes]]:
    """Fields of an answer of this door; none for one that stays."""
    if not DEPRECATED:
        return []
    found = DEPRECATED.get(("GET" if method == "HEAD" else method, path))
    return found.headers() if found else []


def told(doors: Mapping[tuple[str, str], Deprecated] = DEPRECATED) -> str:
    """The table for docs/compatibility.md, as Markdown."""
    if not doors:
        return "Nothing is deprecated today."
    lines = ["| door | deprecated since | may be gone from | use instead |", "| --- | --- | --- | --- |"]
    rows = (f"| `{m} {p}` | {each.since} | {each.ends} | {each.instead} |" for (m, p), each in doors.items())
    return "\n".join([*lines, *rows])
