"""Interface of the forms in which documents are written and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One statement in a document of theirs. ``place``: for people; ``raw``: its own text, kept; ``find``: the text at
    a place; ``fault``: why it cannot be read.
    """

    place: str
    raw: str = field(repr=False)
    find: Callable[[str], str | None] | None = None
    fault: str | None = None


class Form(Protocol):
    """One form: JSON, XML or CSV, by one channel's settings. Pure. ``marks``: places of files in a document; None where
    there can be none.
    """

    ending: ClassVar[str]
    marks: ClassVar[re.Pattern[bytes] | None]
    content_type: str

    def write(self, values: Mapping[str, Any]) -> bytes:
        """The document of a mapping's values. ``UnsupportedFeature`` for what the form or its schema cannot say."""
        ...

    def pieces(self, data: bytes) -> Iterator[Piece]:
        """Statements of a document of theirs. ``InvalidInput`` if nothing of it can be read."""
        ...

    def finder(self, said: Any) -> Callable[[str], str | None]:
        """Finds in what a test shows, a text or a tree. ``InvalidInput`` for what is none."""
        ...

    def comparable(self, text: str) -> Any:
        """A tree that is the same for texts that say the same. ``InvalidInput``."""
        ...
