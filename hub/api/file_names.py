"""Names of files in ``Content-Disposition`` (RFC 6266, RFC 7578), as browsers and libraries really write them.

``filename*`` (RFC 8187) goes first, with apostrophes as ``encodeURIComponent`` leaves them, in quotes or cut in pieces
(RFC 2231); then ``filename``, with the encoded words (RFC 2047) that .NET writes there.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from hub.schemas import charsets

_EXTENDED: Final = re.compile(r"""(?i);\s*filename\*\s*=\s*"?([A-Za-z0-9._-]{0,40})'[A-Za-z0-9-]*'([^;"\r\n]*)""")
_PIECE: Final = re.compile(r"""(?i);\s*filename\*(\d{1,2})(\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)""")
_CHARSET: Final = re.compile(r"([A-Za-z0-9._-]{0,40})'[A-Za-z0-9-]*'(.*)", re.DOTALL)
_WORD: Final = re.compile(r"=\?([A-Za-z0-9._*-]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS: Final = re.compile(r"(\?=)\s+(=\?)")
_ESCAPED: Final = (("%22", '"'), ("%0D", " "), ("%0A", " "))
"""Browsers write a quotation mark and line ends so (WHATWG HTML, multipart/form-data)."""


def name_of(disposition: str, plain: str | None) -> str | None:
    """The name of a part's file; None if it has none. ``plain``: the parameter ``filename``, without its quotes."""
    extended = _EXTENDED.search(disposition)
    if extended is not None:
        return _percent(extended[2], extended[1])
    pieces = sorted((int(found[1]), found[2], found[3]) for found in _PIECE.finditer(disposition))
    if pieces and pieces[0][0] == 0:
        return _joined(pieces)
    return None if plain is None else _unescaped(words(plain))


def words(text: str) -> str:
    """A text with its encoded words read; what is none stays as it is."""
    found = list(_WORD.finditer(text := _BETWEEN_WORDS.sub(r"\1\2", text)))
    made, at = [], 0
    while found:
        first = found.pop(0)
        made.append(text[at : first.start()])
        data, at = _bytes(first), first.end()
        while found and found[0].start() == at and found[0][1].lower() == first[1].lower():
            data, at = data + _bytes(found[0]), found.pop(0).end()  # a letter may be cut between two words
        made.append(charsets.decode(data, first[1].partition("*")[0]))
    return "".join((*made, text[at:]))


def _bytes(word: re.Match[str]) -> bytes:
    raw = word[3].encode("utf-8", "replace")
    if word[2] in "qQ":
        return quopri.decodestring(raw, header=True)
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error:
        return word[0].encode("utf-8", "replace")


def _percent(value: str, label: str | None) -> str:
    return charsets.decode(unquote_to_bytes(value.strip()), label)


def _joined(pieces: list[tuple[int, str, str]]) -> str:
    """A name in pieces; the charset stands in the first."""
    label, data = None, b""
    for number, extended, value in pieces:
        text = value[1:-1].replace("\\\\", "\\") if value.startswith('"') else value
        if extended and number == 0 and (found := _CHARSET.fullmatch(text)) is not None:
            label, text = found[1], found[2]
        data += unquote_to_bytes(text) if extended else text.encode("utf-8", "replace")
    return charsets.decode(data, label)


def _unescaped(text: str) -> str:
    for written, meant in _ESCAPED:
        text = text.replace(written, meant)
    return text
