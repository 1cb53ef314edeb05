"""One mistake, and what is shown for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Seen = Literal["check", "probe", "try", "doctor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """``old`` becomes ``new`` in the text of a sound channel (``base``), and ``seen`` is the command that tells.

    ``also``: further pairs of old and new. ``at``: words of the line that must be named, absent = that of the named
    setting. ``row``: which of several faults or notes the page has.
    """

    title: str
    base: str
    old: str
    new: str
    seen: Seen = "check"
    also: tuple[tuple[str, str], ...] = ()
    at: str | None = None
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """``place``: line in the registry's file and path inside; ``lane``: what the hub does with a message meanwhile."""

    code: str
    text: str
    line: int | None = None
    place: str = ""
    next_step: str = ""
    lane: str = ""
