"""Order in which competent bodies are looked for: from the place upward, at each level the narrowest topic first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from hub.ports import Directory
from hub.schemas.directory import Competent
from hub.schemas.terms import AppealKind


def topic_chain(directory: Directory, topic: str) -> tuple[str, ...]:
    """A topic and its parents, the narrowest first; none twice."""
    chain: list[str] = []
    at: str | None = topic
    while at is not None and at not in chain:
        chain.append(at)
        known = directory.topic(at)
        at = known.parent if known is not None else None
    return tuple(chain)


def in_order(
    directory: Directory, chain: Sequence[str], levels: Sequence[str], kind: AppealKind, day: date
) -> Iterator[tuple[int, str, tuple[Competent, ...]]]:
    """Bodies that are named, nearest first: the place of their topic in the chain, the territory, and they."""
    for territory in levels:
        for width, topic in enumerate(chain):
            found = directory.competent(topic, territory, kind, day, below=width > 0)
            if found:
                yield width, territory, found
