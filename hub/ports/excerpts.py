"""Reading raw bytes for people: what they seem to say, believed by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hub.ports.incoming import RawInbound


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcerptFile:
    """A file that came along. ``name``: as they gave it, for people only."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Readable part of an input. ``text``: the words of whoever wrote; ``searched``: everything in which a number or a
    name may stand, quoted words and heads included. ``sender``: an address, unproved.
    """

    subject: str = ""
    sender: str = ""
    text: str = ""
    searched: str = ""
    files: tuple[ExcerptFile, ...] = ()


class Excerpts(Protocol):
    """Reader of raw bytes of any kind."""

    def read(self, raw: RawInbound) -> Excerpt:
        """As much as can be read; never raises for what the bytes are."""
        ...
