"""Interface of the forms in which documents are written and read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

from hub.adapters.mapping import Find, Rows

MAX_STATEMENTS: Final = 10_000
"""So many are read of one document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPiece:
    """One statement in a document of theirs. ``place``: for people; ``raw``: its own bytes, kept: those that came, of
    one of several the same at each reading; ``find``: the text at a place; ``rows``: what stands at one, piece by
    piece; ``fault``: why it cannot be read; ``unclear``: what is told and not believed, for people; it grows while
    places are looked for.
    """

    place: str
    raw: bytes = field(repr=False)
    find: Find | None = None
    rows: Rows | None = None
    fault: str | None = None
    unclear: Sequence[str] = ()


def too_many(place: str, raw: bytes) -> DocumentPiece:
    """The first piece that is not read any more."""
    return DocumentPiece(
        place=place, raw=raw, fault=f"there are more than {MAX_STATEMENTS} statements: it and the rest stay unread"
    )


class DocumentForm(Protocol):
    """One form: JSON, XML or CSV, by one channel's settings. Pure. ``marks``: places of files in a document; None where
    there can be none.
    """

    ending: ClassVar[str]
    marks: ClassVar[re.Pattern[bytes] | None]
    content_type: str

    def write(self, values: Mapping[str, Any]) -> bytes:
        """The document of a mapping's values. ``UnsupportedFeature`` for what the form or its schema cannot say."""
        ...

    def pieces(self, data: bytes) -> Iterator[DocumentPiece]:
        """Statements of a document of theirs. ``InvalidInput`` if nothing of it can be read."""
        ...

    def shown(self, said: Any) -> DocumentPiece:
        """Statement that a test shows, as a text or a tree. ``InvalidInput`` for what is none."""
        ...

    def comparable(self, text: str) -> Any:
        """A tree that is the same for texts that say the same. ``InvalidInput``."""
        ...
