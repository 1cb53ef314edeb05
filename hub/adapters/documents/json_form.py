"""JSON: the mapping's values as they are; of theirs, the document or each of a list is a statement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from hub.adapters.documents.forms import MAX_STATEMENTS, DocumentForm, DocumentPiece, too_many
from hub.adapters.json_places import find, is_list, rows, subtrees
from hub.adapters.mapping import not_understood
from hub.errors import InvalidInput
from hub.schemas import foreign_json, strict_json

_MARK: Final = re.compile(rb'(?<=")\\u0000([0-9a-f]{64})\\u0000(?=")')


class JsonDocuments(DocumentForm):
    """Writes and reads. ``each``: where several statements stand in a document of theirs."""

    ending = "json"
    marks = _MARK
    content_type = "application/json"

    def __init__(self, each: str | None = None) -> None:
        self._each = each

    def write(self, values: Mapping[str, Any]) -> bytes:
        """The values in their order."""
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def pieces(self, data: bytes) -> Iterator[DocumentPiece]:
        """The document; each of a list at ``each``, or of a list that is the document."""
        tree = foreign_json.parse(data)
        if self._each and not is_list(tree, self._each):
            raise InvalidInput(f"There is no list at {self._each}.", code="template.each")
        for number, each in enumerate(subtrees(tree, self._each), 1):
            raw = data if each is tree else foreign_json.dump(each).encode("utf-8", "replace")
            place = f"entry {number}"
            if number > MAX_STATEMENTS:
                yield too_many(place, raw)
                return
            if isinstance(each, dict):
                yield _readable(each, place, raw)
            else:
                yield DocumentPiece(place=place, raw=raw, fault="it is no object")

    def shown(self, said: Any) -> DocumentPiece:
        """One statement, as a text or a tree."""
        tree = foreign_json.parse(said.encode()) if isinstance(said, str) else said
        return _readable(tree, "", b"")

    def comparable(self, text: str) -> Any:
        """The tree."""
        return strict_json.parse(text.encode(), allow_floats=True)


def _readable(tree: Any, place: str, raw: bytes) -> DocumentPiece:
    return DocumentPiece(
        place=place, raw=raw, find=partial(find, tree), rows=partial(rows, tree), unclear=_unclear(tree)
    )


def _unclear(tree: Any) -> tuple[str, ...]:
    """Members that are not believed."""
    names = dict.fromkeys(foreign_json.unread_names(tree))
    return tuple(not_understood(name, "it cannot be read, or is told twice") for name in names)
