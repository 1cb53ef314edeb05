"""A look at the shape of BER (X.690) before a library takes it apart. Pure; linear.

asn1crypto reads tag numbers and object identifiers byte by byte into one number: a signature of half a megabyte took
two minutes. No structure of CMS (RFC 5652) or X.509 needs a tag over 30, a long identifier, or much depth.
"""

from __future__ import annotations

from typing import Final

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 200_000
MAX_IDENTIFIER_BYTES: Final = 64
MAX_NUMBER_BYTES: Final = 8_192
_LONG_TAG: Final = 0x1F
_CONSTRUCTED: Final = 0x20
_INDEFINITE: Final = 0x80
_LIMITS: Final = {0x02: MAX_NUMBER_BYTES, 0x06: MAX_IDENTIFIER_BYTES}
"""Longest value of an INTEGER and of an OBJECT IDENTIFIER."""


def is_plain(data: bytes) -> bool:
    """True if the first element of ``data`` is whole and of a shape that costs no more than its length."""
    at, ends, seen = 0, [len(data)], 0
    while len(ends) > 1 or not seen:
        if at == ends[-1] and len(ends) > 1:
            ends.pop()
            continue
        seen += 1
        if data[at : at + 2] == b"\x00\x00" and len(ends) > 1 and ends[-1] < 0:
            ends.pop()
            at += 2
            continue
        head = _head(data, at)
        if head is None or seen > MAX_ELEMENTS or len(ends) > MAX_DEPTH:
            return False
        tag, begin, end = head
        if end > max(_nearest(ends), 0) or end - begin > _LIMITS.get(tag, len(data)):
            return False
        if tag & _CONSTRUCTED:
            ends.append(end)
            at = begin
        else:
            at = end
    return True


def _nearest(ends: list[int]) -> int:
    """End of the innermost element that has one; those of indefinite length end where theirs do, at most."""
    return next(end for end in reversed(ends) if end >= 0)


def _head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Tag, and where the content begins and ends (-1: it says so itself); None if it is none that is taken."""
    if len(data) < at + 2 or data[at] & _LONG_TAG == _LONG_TAG:
        return None
    tag, length, begin = data[at], data[at + 1], at + 2
    if length == _INDEFINITE:
        return (tag, begin, -1) if tag & _CONSTRUCTED else None
    if length > _INDEFINITE:
        count = length & 0x7F
        if count > 4 or len(data) < begin + count:
            return None
        length, begin = int.from_bytes(data[begin : begin + count], "big"), begin + count
    return tag, begin, begin + length
