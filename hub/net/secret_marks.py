"""Secrets in the places that a mapping gives them: a mark in prepared bytes, the secret only in what goes out.

A mapping says ``{$secret: "file:/etc/hub/x"}``. What is prepared, kept, shown and proved holds a mark, so that the same
message is always the same bytes and no secret is among them; the secret is read when the bytes go out. The mark begins
and ends with C1 controls, which no envelope can hold (``hub.schemas.base``) and both JSON and XML can.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from xml.sax.saxutils import escape

from hub.errors import ConfigurationError
from hub.net.secrets import resolve

RULE: Final = "$secret"
"""Key of a mapping's rule."""
SHOWN: Final = "(secret)"
"""Words that people see instead."""
_MARK: Final = re.compile(r"\x91\(secret\)([0-9a-f]{16})\x92")
_MARK_BYTES: Final = re.compile(_MARK.pattern.replace(r"\x91", "\x91").replace(r"\x92", "\x92").encode())
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def mark(reference: str) -> str:
    """Mark that stands for a secret."""
    return f"\x91{SHOWN}{_name(reference)}\x92"


def _name(reference: str) -> str:
    return hashlib.sha256(reference.encode()).hexdigest()[:16]


def is_marked(text: str) -> bool:
    """True if a secret stands in this text."""
    return _MARK.search(text) is not None


def shown(text: str) -> str:
    """A text for people: ``(secret)`` for each mark."""
    return _MARK.sub(SHOWN, text)


def references(tree: Any) -> Iterator[str]:
    """References to secrets in a mapping's request, in its order."""
    if isinstance(tree, dict):
        if isinstance(said := tree.get(RULE), str):
            yield said
        yield from (found for each in tree.values() for found in references(each))
    elif isinstance(tree, list):
        yield from (found for each in tree for found in references(each))


def in_json(secret: str) -> str:
    """A secret inside a JSON string."""
    return json.dumps(secret, ensure_ascii=False)[1:-1]


def in_xml(secret: str) -> str:
    """A secret inside an element or an attribute. ``ConfigurationError`` if XML cannot hold it."""
    if _NOT_XML.search(secret):
        raise ConfigurationError("A secret holds characters that XML cannot.")
    return escape(secret, {'"': "&quot;", "'": "&apos;"})


class Secrets:
    """The secrets of one mapping. ``written``: how a secret is written in its documents."""

    def __init__(self, known: Iterable[str], written: Callable[[str], str]) -> None:
        self._known = {_name(reference): reference for reference in known}
        self._written = written

    def fill(self, body: bytes) -> bytes:
        """The bytes that go out. ``ConfigurationError`` if a secret cannot be read."""
        return _MARK_BYTES.sub(lambda found: self._written(self._of(found[1].decode())).encode(), body)

    def fill_text(self, text: str) -> str:
        """The same for a header's value, with the secret as it is."""
        return _MARK.sub(lambda found: self._of(found[1]), text)

    def _of(self, name: str) -> str:
        reference = self._known.get(name)
        if reference is None:
            raise ConfigurationError("The mapping that these bytes were made by named another secret.")
        return resolve(reference).reveal()


NO_SECRETS: Final = Secrets((), str)
