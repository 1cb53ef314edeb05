"""The two clocks of a fact, read: when it was heard, and the earliest moment at which it can have happened. Pure.

``Fact.at`` is the moment that the law counts from: the one that the body names, or the last one at which it can have
happened. What ends a term counts from the earliest, so that nobody is called late for what the hub looked up late.
"""

from __future__ import annotations

from datetime import datetime

from hub.schemas.delivery import ClockMark, Fact

_OPEN = frozenset({ClockMark.NONE, ClockMark.FUTURE, ClockMark.BEFORE_ROUTING})
"""Marks of facts of which only the bounds are known."""


def heard_at(fact: Fact) -> datetime:
    """When the hub heard of it. What the hub does itself, and what older hubs wrote, has one clock."""
    return _read(fact, "heard_at") or fact.at


def earliest(fact: Fact) -> datetime:
    """The earliest moment at which it can have happened: the last look that did not show it, where no moment of its own
    is known.
    """
    if fact.data.get("clock") not in _OPEN:
        return fact.at
    return min(_read(fact, "unseen_at") or fact.at, fact.at)


def _read(fact: Fact, name: str) -> datetime | None:
    text = fact.data.get(name)
    return datetime.fromisoformat(text) if text else None
