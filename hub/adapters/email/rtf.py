"""Rich text as Outlook packs it into winmail.dat (MS-OXRTFCP): undone to the file that word processors open. Pure."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1_048_576
_DICTIONARY: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW: Final = 4_096
_HEAD: Final = 16


def decompressed(data: bytes) -> bytes:
    """The RTF; as much of it as is there. Empty for another kind of packing. Never raises; at most 1 MiB."""
    kind = data[8:12]
    if kind == b"MELA":
        return data[_HEAD : _HEAD + int.from_bytes(data[4:8], "little")][:MAX_BYTES]
    if kind != b"LZFu":
        return b""
    size = min(int.from_bytes(data[4:8], "little"), MAX_BYTES)
    return bytes(_unpacked(data[_HEAD:], size))


def _unpacked(packed: bytes, size: int) -> bytearray:
    """References into a window of 4,096 bytes that begins with the dictionary (section 3.1.3)."""
    window = bytearray(_DICTIONARY.ljust(_WINDOW, b"\0"))
    place, at, out = len(_DICTIONARY), 0, bytearray()
    while at < len(packed) and len(out) < size:
        control, at = packed[at], at + 1
        for bit in range(8):
            reference = control >> bit & 1
            piece = packed[at : at + 1 + reference]
            at += 1 + reference
            if len(piece) <= reference or len(out) >= size:
                return out[:size]
            begin, length = place, 1
            if reference:
                begin, length = piece[0] << 4 | piece[1] >> 4, (piece[1] & 15) + 2
                if begin == place:
                    return out[:size]
            for step in range(length):
                letter = window[(begin + step) % _WINDOW] if reference else piece[0]
                window[place] = letter
                place = (place + 1) % _WINDOW
                out.append(letter)
    return out[:size]
