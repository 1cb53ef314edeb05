"""Content encodings of an answer (RFC 9110 section 8.4), as labels and bytes really go together.

What the bytes show comes before the label: a body that begins as gzip is unpacked, whatever is said of it, and one that
is text is text, even if a proxy unpacked it and left the header, or a charset stands there. Unpacked is never more than
the limit.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Mapping
from typing import Final

from hub.net.deadline import TooMuchError
from hub.net.heads import words
from hub.schemas.charsets import codec

_GZIP: Final = b"\x1f\x8b\x08"
_MEMBERS_MAX: Final = 10_000
_LAYERS_MAX: Final = 3
_NOTHING: Final = frozenset({"identity", "none", "chunked", "binary", "7bit", "8bit"})
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)


class EncodingError(ValueError):
    """A content encoding that is unknown, or whose bytes are broken."""


def unpack(data: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """The body without its encodings. ``EncodingError``, or ``TooMuchError`` over ``limit`` bytes."""
    layers = [*words(headers, "Content-Encoding"), *words(headers, "Transfer-Encoding")]
    layers = [each for each in layers if each not in _NOTHING]
    if len(layers) > _LAYERS_MAX:
        raise EncodingError("too many content encodings")
    for layer in reversed(layers):
        data = _without(layer, data, limit)
    return _gunzip(data, limit) if data.startswith(_GZIP) and not layers else data


def _without(layer: str, data: bytes, limit: int) -> bytes:
    if data.startswith(_GZIP):
        return _gunzip(data, limit)
    if not data or _is_text(data) or codec(layer) is not None:
        return data
    if layer == "deflate":
        return _inflate(data, limit)
    raise EncodingError("unknown content encoding")


def _is_text(data: bytes) -> bool:
    """True for UTF-8, or what has a mark of Unicode, without control characters: nothing packed looks like it."""
    if data.startswith(_WIDE):
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _NO_TEXT.search(data) is None


def _gunzip(data: bytes, limit: int) -> bytes:
    """All members (RFC 1952 section 2.2), with zeros behind them or not."""
    made: list[bytes] = []
    left = limit
    for _ in range(_MEMBERS_MAX):
        plain, data = _one(data, left, 16 + zlib.MAX_WBITS)
        made.append(plain)
        left -= len(plain)
        if not data.strip(b"\x00"):
            return b"".join(made)
    raise EncodingError("too many members")


def _inflate(data: bytes, limit: int) -> bytes:
    """Deflate with the wrapper of zlib, as the standard says, or without, as many servers write it."""
    for wbits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            plain, rest = _one(data, limit, wbits)
        except EncodingError:
            continue
        if not rest:
            return plain
    raise EncodingError("broken deflate")


def _one(data: bytes, limit: int, wbits: int) -> tuple[bytes, bytes]:
    """One packed piece, and what follows it."""
    machine = zlib.decompressobj(wbits=wbits)
    try:
        plain = machine.decompress(data, limit + 1)
    except zlib.error:
        raise EncodingError("broken content encoding") from None
    if len(plain) > limit:
        raise TooMuchError("the answer is longer than it may be")
    if not machine.eof:
        raise EncodingError("cut content encoding")
    return plain, machine.unused_data
