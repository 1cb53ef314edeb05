"""A message as SEV moves it: one long run of bytes, read from anywhere, never held in memory whole.

The skeleton (an XML document of some kilobytes) holds ``hub-file:<sha256>`` where a file's Base64 belongs; the files
stay in the attachment store. ``Package`` is the finished document: the same skeleton and files always give the same
bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from hub.errors import PermanentFailure
from hub.ports import Attachments

PLACE = "hub-file:"
"""What stands in the skeleton before the SHA-256 of a file."""
READ_BYTES = 196_608
"""How much of a file is read at once; a multiple of 3, so that Base64 joins without padding."""
_PLACE = re.compile(rb"(<DocTransfer [^<>]*>)hub-file:([0-9a-f]{64})(?=</DocTransfer>)")


def base64_length(size: int) -> int:
    """Characters of the Base64 of ``size`` bytes (RFC 4648 section 4)."""
    return (size + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class _Piece:
    """``length`` bytes of the document: as they are, or the Base64 of a file."""

    length: int
    literal: bytes = b""
    file: str | None = None


class Package:
    """The whole document. Used by one thread at a time."""

    def __init__(self, skeleton: bytes, attachments: Attachments | None) -> None:
        """``NotFound`` if a file is not in the store. ``attachments``: None = the skeleton names no file."""
        self._attachments = attachments
        self._pieces: list[_Piece] = []
        position = 0
        for place in _PLACE.finditer(skeleton):
            self._literal(skeleton[position : place.end(1)])
            file = place[2].decode()
            self._pieces.append(_Piece(base64_length(self._store.size(file)), file=file))
            position = place.end()
        self._literal(skeleton[position:])
        self._starts: list[int] = []
        self.size = 0
        for piece in self._pieces:
            self._starts.append(self.size)
            self.size += piece.length

    @property
    def _store(self) -> Attachments:
        assert self._attachments is not None
        return self._attachments

    def _literal(self, data: bytes) -> None:
        if data:
            self._pieces.append(_Piece(len(data), literal=data))

    def read(self, position: int, count: int) -> bytes:
        """At most ``count`` bytes from ``position`` on; fewer only at the end."""
        found = bytearray()
        index = max(bisect_right(self._starts, position) - 1, 0)
        while count > len(found) and index < len(self._pieces):
            inside = position + len(found) - self._starts[index]
            found += self._slice(self._pieces[index], inside, count - len(found))
            index += 1
        return bytes(found)

    def _slice(self, piece: _Piece, start: int, count: int) -> bytes:
        end = min(start + count, piece.length)
        if piece.file is None:
            return piece.literal[start:end]
        first = start // 4 * 3
        with self._store.open(piece.file) as file:
            file.seek(first)
            text = base64.b64encode(file.read((end + 3) // 4 * 3 - first))
        return text[start - first // 3 * 4 : end - first // 3 * 4]

    def chunks(self) -> Iterator[bytes]:
        """The document from beginning to end. ``PermanentFailure`` if a file is not what its name says."""
        for piece in self._pieces:
            if piece.file is None:
                yield piece.literal
                continue
            digest = hashlib.sha256()
            with self._store.open(piece.file) as file:
                while data := file.read(READ_BYTES):
                    digest.update(data)
                    yield base64.b64encode(data)
            if digest.hexdigest() != piece.file:
                raise PermanentFailure("A file in the attachment store is damaged.", code="sevovv.file_damaged")

    def sha256(self) -> str:
        """SHA-256 over the exact bytes, 64 hexadecimal digits in upper case as SEV's clients write it."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest().upper()
