"""Parameters of Content-Type and Content-Disposition as they really arrive: RFC 2231 with and without its signs,
encoded words where the RFC forbids them, quotation marks inside quotation marks, apostrophes in names. Pure; linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from itertools import groupby
from operator import itemgetter
from typing import Final
from urllib.parse import unquote_to_bytes

from hub.schemas.charsets import codec, decode

MAX_DECODED_CHARS: Final = 4_000
"""Longer header values are left as they are: decoding encoded words takes quadratic time."""
_BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, MessageError)
_FOLD: Final = re.compile(r"[\r\n\x00]+[ \t]*")
_NAME: Final = re.compile(r"([^*\s]{1,60})(?:\*(\d{1,4}))?(\*)?")
_EXTENDED: Final = re.compile(r"([A-Za-z0-9_.:+-]{0,40})'([A-Za-z0-9-]{0,20})'([\s\S]*)")
_PERCENT: Final = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f]){2}")
_NAMES_OF_FILES: Final = frozenset({"name", "filename"})


def header_text(value: str) -> str:
    """A header's value for people: unfolded, encoded words and raw bytes decoded. Never raises."""
    flat = _FOLD.sub(" ", unescaped(value)).strip()
    if "=?" not in flat or len(flat) > MAX_DECODED_CHARS:
        return flat
    try:
        pieces = decode_header(flat)
    except (HeaderParseError, *_BROKEN):
        return flat
    words = [piece if isinstance(piece, str) else decode(piece, charset) for piece, charset in pieces]
    return _FOLD.sub(" ", "".join(words)).strip()


def unescaped(value: str) -> str:
    """Raw 8-bit bytes stand in headers as surrogates (PEP 383)."""
    if value.isascii():
        return value
    try:
        return decode(value.encode("utf-8", "surrogateescape"), None)
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")


def read(value: str) -> dict[str, str]:
    """The parameters of a header, decoded, by lower-case name. One that stands there twice counts first."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, said in _pairs(_FOLD.sub(" ", unescaped(value))):
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        base, number, extended = found[1], found[2], found[3] is not None
        if number is None and not extended:
            plain.setdefault(base, said)
        else:
            pieces.setdefault(base, {}).setdefault(int(number or 0), (said, extended))
    read_ = {base: _plain(said) for base, said in plain.items()}
    for base, parts in pieces.items():
        whole = _joined(parts)
        if base not in read_ or "\ufffd" not in whole:
            read_[base] = whole
    return read_


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    """Names and values. A piece without ``=`` belongs to the name of a file before it, which had a semicolon in it."""
    held: tuple[str, str] | None = None
    for piece in _segments(value):
        name, equals, said = piece.partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            if held:
                yield held
            held = (name.strip().lower(), _unquoted(said.strip()))
        elif held and held[0] in _NAMES_OF_FILES and piece.strip():
            held = (held[0], f"{held[1]};{piece.rstrip()}")
    if held:
        yield held


def _segments(value: str) -> Iterator[str]:
    """Pieces between semicolons outside quotation marks, without the first one, which is the value itself."""
    begin, at, quoted, first = 0, 0, False, True
    while at < len(value):
        letter = value[at]
        if quoted and letter == "\\" and not _closes(value, at + 1):
            at += 1
        elif quoted:
            quoted = not _closes(value, at)
        elif letter == '"' and value[begin:at].rstrip().endswith("="):
            quoted = True
        elif letter == ";":
            if not first:
                yield value[begin:at]
            begin, first = at + 1, False
        at += 1
    if not first:
        yield value[begin:]


def _closes(value: str, at: int) -> bool:
    """True for a quotation mark with nothing but blanks behind it, to the semicolon or the end."""
    if value[at : at + 1] != '"':
        return False
    at += 1
    while at < len(value) and value[at] in " \t":
        at += 1
    return at == len(value) or value[at] == ";"


def _unquoted(said: str) -> str:
    if len(said) < 2 or said[0] != '"' or said[-1] != '"':
        return said.removeprefix('"')
    return said[1:-1].replace("\\\\", "\\").replace('\\"', '"')


def _plain(said: str) -> str:
    """A value without RFC 2231's signs; some programs write its form into it all the same."""
    found = _EXTENDED.fullmatch(said)
    if found is not None and "%" in found[3] and codec(found[1]) is not None:
        return decode(unquote_to_bytes(found[3]), found[1])
    if said.isascii() and _PERCENT.search(said):
        try:
            return unquote_to_bytes(said).decode("utf-8")
        except UnicodeDecodeError:
            return said
    return header_text(said)


def _joined(parts: Mapping[int, tuple[str, bool]]) -> str:
    """Pieces of one value in their order (RFC 2231 section 3); the first may name its charset (section 4)."""
    ordered = [parts[number] for number in sorted(parts)]
    if not any(extended for _, extended in ordered):
        return _plain("".join(said for said, _ in ordered))
    first, extended = ordered[0]
    label, rest = _charset_of(first) if extended else (None, first)
    ordered[0] = (rest, extended)
    runs = ((encoded, "".join(said for said, _ in run)) for encoded, run in groupby(ordered, key=itemgetter(1)))
    return decode(b"".join(_bytes(said, encoded, label) for encoded, said in runs), label)


def _charset_of(said: str) -> tuple[str | None, str]:
    """The charset before two apostrophes; without one the apostrophes are the name's own."""
    found = _EXTENDED.fullmatch(said)
    if found is None or (found[1] and codec(found[1]) is None and "%" not in found[3]):
        return None, said
    return found[1] or None, found[3]


def _bytes(said: str, extended: bool, label: str | None) -> bytes:
    if extended:
        return unquote_to_bytes(said)
    try:
        return said.encode(codec(label) or "utf-8")
    except UnicodeError:
        return said.encode("utf-8", "replace")
