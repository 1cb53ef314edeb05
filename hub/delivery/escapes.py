"""Bytes without the escapes of XML, JSON, URLs and quoted-printable, and where each stood. Pure.

A byte is a character here (Latin-1): an escape may stand for a byte or for a letter, which is its bytes in UTF-8.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_DEPTH: Final = 3
"""Escapes of escapes of escapes: XML in JSON in a form."""
_LINE: Final = 60
"""Letters of base64 before the end of a line that only folds it."""
_FOLDED: Final = "|".join(
    rf"{end}(?<=[A-Za-z0-9+/]{{{_LINE}}}{end})(?=[A-Za-z0-9+/])" for end in (r"\r\n", r"\n", r"\\r\\n", r"\\n")
)
_ESCAPE: Final = re.compile(
    r"&amp;(?:&amp;)*|&lt;(?:&lt;)*|&gt;(?:&gt;)*|&quot;(?:&quot;)*|&apos;(?:&apos;)*"
    r"|&#\d{1,7};?|&#[xX][0-9a-fA-F]{1,6};?|&[A-Za-z]{2,8};?"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u00[0-7][0-9a-fA-F](?:\\u00[0-7][0-9a-fA-F])*"
    r"|\\u[0-9a-fA-F]{4}|\\[\"'\\/](?:\\[\"'\\/])*|%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*|%u[0-9a-fA-F]{4}|" + _FOLDED
)
"""Each way begins with a letter of its own, or a search would try all of them at each place."""
_QUOTED: Final = re.compile(r"=[0-9A-F]{2}(?:=[0-9A-F]{2})*|=\r?\n")
"""Quoted-printable is read apart: a form has ``=`` too, before any value."""
_WIDTHS: Final = (
    *(("&amp;", 5), ("&lt;", 4), ("&gt;", 4), ("&quot;", 6), ("&apos;", 6), ("%u", 0)),
    *((rf"\u00{digit}", 6) for digit in range(8)),
)
"""Characters of an escape by how it begins; 0 for one that is a unit."""
_CACHED: Final = 16


class _Place(NamedTuple):
    """Where an escape, or several of one width in a row, stood. ``width``: 0 for one that is a unit."""

    begin: int
    end: int
    raw_begin: int
    raw_end: int
    width: int


class Reading:
    """A text as it says, and where of each character of it the escape stood."""

    def __init__(self, text: str, places: list[_Place], of: Reading | None) -> None:
        self.text = text
        self._places = places
        self._begins = [each.begin for each in places]
        self._of = of

    def raw(self, begin: int, end: int) -> tuple[int, int]:
        """Where a part of this text stood in the bytes, with all of the escapes that it begins and ends in."""
        place = self._raw(begin)[0], self._raw(max(begin, end - 1))[1]
        return place if self._of is None else self._of.raw(*place)

    def _raw(self, at: int) -> tuple[int, int]:
        index = bisect_right(self._begins, at) - 1
        if index < 0:
            return at, at + 1
        place = self._places[index]
        if at >= place.end:
            begin = place.raw_end + at - place.end
            return begin, begin + 1
        if not place.width:
            return place.raw_begin, place.raw_end
        begin = place.raw_begin + (at - place.begin) * place.width
        return begin, begin + place.width


def readings(text: str) -> Iterator[Reading]:
    """The text as it is, and with its escapes read once, twice and three times, as long as there are any."""
    plain = Reading(text, [], None)
    yield from _chain(plain)
    if quoted := _read_once(plain, _QUOTED):
        yield from _chain(quoted)


def _chain(reading: Reading | None) -> Iterator[Reading]:
    for _ in range(_DEPTH + 1):
        if reading is None:
            return
        yield reading
        reading = _read_once(reading, _ESCAPE)


def _read_once(of: Reading, escapes: re.Pattern[str]) -> Reading | None:
    text = of.text
    parts: list[str] = []
    places: list[_Place] = []
    last = length = 0
    for found in escapes.finditer(text):
        begin, end = found.span()
        said, width = _read(found[0]) if end - begin < _CACHED else _read.__wrapped__(found[0])
        length += begin - last
        parts += (text[last:begin], said)
        places.append(_Place(length, length + len(said), begin, end, width))
        length += len(said)
        last = end
    return Reading("".join((*parts, text[last:])), places, of) if places else None


@lru_cache(maxsize=8_192)
def _read(escape: str) -> tuple[str, int]:
    """Bytes that an escape, or several in a row, stands for, and how wide each is that stands for one byte."""
    for opening, width in _WIDTHS:
        if escape.startswith(opening):
            return _read_run(escape, width)
    if escape[0] == "\\" and escape[1] not in "urn":
        return escape[1::2], 2
    if escape[0] in "%=" and escape[1] not in "\r\n":
        return bytes.fromhex(escape.replace(escape[0], "")).decode("latin-1"), 3
    return _read_unit(escape), 0


def _read_run(escape: str, width: int) -> tuple[str, int]:
    if width == 0:
        return _letter(chr(int(escape[2:], 16))), 0
    if escape[0] == "&":
        return html.unescape(escape[:width]) * (len(escape) // width), width
    return bytes.fromhex(escape.replace(r"\u00", "")).decode("latin-1"), width


def _read_unit(escape: str) -> str:
    if escape[0] == "&":
        return _letter(html.unescape(escape))
    if escape[:2] == r"\u":
        units = bytes.fromhex(escape.replace(r"\u", ""))
        return _letter(units.decode("utf-16-be", "replace"))
    return ""  # the end of a line that only folds it


def _letter(said: str) -> str:
    return said.encode("utf-8", "replace").decode("latin-1")
