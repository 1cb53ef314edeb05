"""Content-Transfer-Encoding undone, as it really arrives; for parts of mails and of answers alike. Pure.

Python's ``email`` believes only the exact word, and stops at the first padding of base64. Here the name is read without
blanks and case, base64 goes on behind each padding, and what is labelled base64 and is none stays as it is.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

_COMMENT: Final = re.compile(r"\([^()]*\)")
_NO_NAME: Final = re.compile(r"[^a-z0-9]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_PIECE: Final = re.compile(rb"[A-Za-z0-9+/]+")
_NO_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]+")
_SHORT_PIECE: Final = 16
_SOFT_BREAK: Final = re.compile(rb"=[ \t]+(?=\r?\n)")
_UU_NAMES: Final = frozenset({"uuencode", "xuuencode", "uue", "xuue"})
_UU_BEGIN: Final = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} [^\r\n]{1,300}\r?$", re.MULTILINE)


def name_of(label: str | None) -> str:
    """The encoding's name without blanks, signs, case and comments: ``base64``, ``quotedprintable``; empty for none."""
    bare = _COMMENT.sub("", (label or "")[:200]).partition(";")[0]
    return _NO_NAME.sub("", bare.lower())


def undone(data: bytes, label: str | None) -> bytes:
    """The content; what is not encoded as it says stays as it is. Never raises; linear."""
    name = name_of(label)
    if name == "base64":
        return _of_base64(data)
    if name == "quotedprintable":
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", data))
    if name in _UU_NAMES:
        return _of_uuencode(data)
    return data


def _of_base64(data: bytes) -> bytes:
    """All pieces, each with its own padding. Lines of words that a gateway set under it are left out."""
    compact = data.translate(None, b" \t\r\n")
    if len(compact) % 4 == 0 and _BASE64.fullmatch(compact):
        return binascii.a2b_base64(compact)
    lines = [line for each in data.splitlines() if (line := each.strip())]
    good = list(_encoded(lines))
    if sum(map(len, good)) * 2 < sum(map(len, lines)):
        return data
    return b"".join(map(_piece, _PIECE.findall(b"".join(good))))


def _encoded(lines: list[bytes]) -> Iterator[bytes]:
    """Lines of base64. One with blanks is somebody's words behind a padding, or where its pieces are short."""
    ended = False
    for line in lines:
        pieces = line.split()
        words = len(pieces) > 1 and (ended or max(map(len, pieces)) < _SHORT_PIECE)
        if words or not line.isascii():
            continue
        bare = b"".join(pieces)
        kept = _NO_BASE64.sub(b"", bare)  # RFC 2045 section 6.8: other characters are ignored
        if len(kept) * 10 >= len(bare) * 9:
            ended = ended or kept.endswith(b"=")
            yield kept


def _piece(letters: bytes) -> bytes:
    whole = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def _of_uuencode(data: bytes) -> bytes:
    begins = _UU_BEGIN.search(data)
    if begins is None:
        return data
    decoded = uu_lines(data[begins.end() :].lstrip(b"\r\n").splitlines())
    return data if decoded is None else decoded


def uu_lines(lines: list[bytes]) -> bytes | None:
    """Bytes of the lines from behind ``begin`` to ``end``; None if one of them is none of uuencode."""
    pieces: list[bytes] = []
    for line in lines:
        if line.strip() == b"end":
            break
        piece = _uu_line(line) if line.strip() else b""
        if piece is None:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _uu_line(line: bytes) -> bytes | None:
    """One line; its own length counts, for some programs write more letters and others take blanks from its end."""
    letters = ((line[0] - 32 & 63) * 4 + 5) // 3
    try:
        return binascii.a2b_uu(line[:letters])
    except binascii.Error:
        return None
