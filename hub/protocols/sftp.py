"""SFTP version 3 (draft-ietf-secsh-filexfer-02) over an open channel, as far as the hub speaks it.

Spoken here and not by paramiko's client: that one loses errors of pipelined writes, takes every name for UTF-8 and
bounds neither a listing nor what is read ahead. Used by one thread. Requests are answered in any order; at most
``WINDOW`` are under way.
"""

from __future__ import annotations

import contextlib
import stat
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK: Final = 32_768
"""Bytes in one read or write: what every server takes (section 3)."""
WINDOW: Final = 64
MAX_PACKET: Final = 1_048_576
_VERSION: Final = 3
_INIT, _VERSION_IS, _OPEN, _CLOSE, _READ, _WRITE, _LSTAT, _FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
_OPENDIR, _READDIR, _REMOVE, _MKDIR, _RMDIR, _STAT, _RENAME = 11, 12, 13, 14, 15, 17, 18
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS, _EXTENDED = 101, 102, 103, 104, 105, 200
_READING, _WRITING, _CREATE, _TRUNCATE, _EXCLUSIVE = 0x01, 0x02, 0x08, 0x10, 0x20
_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 0x01, 0x02, 0x04, 0x08, 0x8000_0000
_OK, _EOF, _NO_SUCH_FILE, _DENIED, _FAILURE, UNSUPPORTED, _NO_SUCH_PATH = 0, 1, 2, 3, 4, 8, 10
_MEANINGS: Final = {
    _NO_SUCH_FILE: "no such file",
    _DENIED: "permission denied",
    _FAILURE: "failure",
    UNSUPPORTED: "unsupported",
    _NO_SUCH_PATH: "no such path",
}
_VAGUE: Final = frozenset({_DENIED, _FAILURE})
"""Statuses that some servers answer where nothing is."""
LEAST_READ: Final = 512
MOST_LISTED: Final = 10_000
_POSIX_RENAME: Final = b"posix-rename@openssh.com"
_FSYNC: Final = b"fsync@openssh.com"
_TEXT_CHARS: Final = 200


class Stream(Protocol):
    """Part of an SSH channel that is needed."""

    def sendall(self, data: bytes, /) -> None:
        """Send all."""
        ...

    def recv(self, count: int, /) -> bytes:
        """At least one byte, or none at the end."""
        ...


class ProtocolError(Exception):
    """The server said something that is not SFTP."""


class StatusError(Exception):
    """The server did not do what it was asked. ``str()``: its own words, escaped, for an operator."""

    def __init__(self, status: int, text: bytes) -> None:
        said = text[:_TEXT_CHARS].decode("utf-8", "backslashreplace")
        shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in said)
        super().__init__(f"{_MEANINGS.get(status, f'status {status}')} ({shown})")
        self.status = status

    @property
    def absent(self) -> bool:
        """True if the file is not there."""
        return self.status in (_NO_SUCH_FILE, _NO_SUCH_PATH)


class UnsureError(StatusError):
    """All was written, and the server did not say yes to its end: what is there now must be looked at."""

    @classmethod
    def of(cls, error: StatusError) -> UnsureError:
        """The same answer."""
        made = cls(error.status, b"")
        made.args = error.args
        return made


class NotOpenedError(StatusError):
    """A new file was not made: nothing was written, and what may lie there is somebody else's."""

    @classmethod
    def of(cls, error: StatusError) -> NotOpenedError:
        """The same answer."""
        made = cls(error.status, b"")
        made.args = error.args
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """One line of a listing, or what is known of one path. Nothing of it is believed: ``name`` are the server's bytes.

    ``mode`` and ``modified`` are 0 if the server did not say them; what is of no said type is taken for a file.
    ``size``: none if the server did not say it.
    """

    name: bytes
    size: int | None
    mode: int
    modified: int

    @property
    def is_file(self) -> bool:
        """A regular file, and no link."""
        return stat.S_ISREG(self.mode) or not stat.S_IFMT(self.mode)

    @property
    def is_folder(self) -> bool:
        """A folder, and no link."""
        return stat.S_ISDIR(self.mode)


class _Reader:
    """Takes a packet apart; what is cut short is a ``ProtocolError``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) != count:
            raise ProtocolError("a packet is cut short")
        self._at += count
        return piece

    def number(self) -> int:
        return int.from_bytes(self.read(4), "big")

    def text(self) -> bytes:
        return self.read(self.number())

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def entry(self, name: bytes) -> FolderEntry:
        flags = self.number()
        size = int.from_bytes(self.read(8), "big") if flags & _HAS_SIZE else None
        self.read(8 if flags & _HAS_OWNER else 0)
        mode = self.number() if flags & _HAS_MODE else 0
        times = self.read(8) if flags & _HAS_TIMES else bytes(8)
        for _ in range(self.number() if flags & _HAS_MORE else 0):
            self.text(), self.text()
        return FolderEntry(name=name, size=size, mode=mode, modified=int.from_bytes(times[4:], "big"))


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), CHUNK):
            yield chunk[start : start + CHUNK]


def _path(value: str | bytes) -> bytes:
    return _text(value.encode() if isinstance(value, str) else value)


class Sftp:
    """Requests and answers. Raises ``StatusError``, ``ProtocolError``, ``EOFError``, and what the stream raises."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._count = 0
        self._waiting: dict[int, tuple[int, _Reader] | None] = {}
        self._piece = CHUNK  # what the server gives in one read
        self._put(_INIT, struct.pack(">I", _VERSION))
        kind, reader = self._get()
        if kind != _VERSION_IS or reader.number() < _VERSION:
            raise ProtocolError("the server does not speak SFTP 3")
        self.extensions: set[bytes] = set()
        while reader.left:
            self.extensions.add(reader.text())
            reader.text()

    # What is asked

    def look(self, path: str | bytes) -> FolderEntry | None:
        """Entry at a path, links not followed; None if nothing is there."""
        try:
            return self._ask(_LSTAT, _path(path), want=_ATTRS).entry(b"")
        except StatusError as error:
            if error.absent or (error.status in _VAGUE and self._is_missing(path)):
                return None
            raise

    def _is_missing(self, path: str | bytes) -> bool:
        """True if the folder's listing does not have it: servers that say less than "no such file" are asked so."""
        folder, _, name = (path.encode() if isinstance(path, str) else path).rpartition(b"/")
        try:
            entries = self.listing(folder or b".", limit=MOST_LISTED)
        except StatusError:
            return False
        return len(entries) < MOST_LISTED and all(entry.name != name for entry in entries)

    def make_folder(self, path: str) -> None:
        """Make a folder that may be there already."""
        try:
            self._ask(_MKDIR, _path(path) + struct.pack(">I", 0))
        except StatusError:
            entry = self.look(path)
            if entry is None or not entry.is_folder:
                raise

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        self._ask(_RMDIR, _path(path))

    def remove(self, path: str | bytes) -> None:
        """Remove a file."""
        self._ask(_REMOVE, _path(path))

    def rename(self, old: str | bytes, new: str | bytes) -> None:
        """Rename at once or not at all. Without OpenSSH's extension the plain rename: it refuses to replace anything,
        so whoever renames must have looked that nothing of value is at ``new``.
        """
        if _POSIX_RENAME in self.extensions:
            self._ask(_EXTENDED, _text(_POSIX_RENAME) + _path(old) + _path(new))
        else:
            self._ask(_RENAME, _path(old) + _path(new))

    def rename_new(self, old: str | bytes, new: str | bytes) -> None:
        """Rename by the plain request, which replaces nothing (draft-ietf-secsh-filexfer-02 section 6.5): for names
        that somebody else may have given meanwhile.
        """
        self._ask(_RENAME, _path(old) + _path(new))

    def mark(self, path: str) -> None:
        """Make an empty file, unless it is there."""
        try:
            self._close(self._open(path, _WRITING | _CREATE | _EXCLUSIVE))
        except StatusError:
            if self.look(path) is None:
                raise

    def write(self, path: str, chunks: Iterable[bytes], *, offset: int = 0) -> None:
        """Write from an offset on; at 0 the file begins anew. Ends when the server has answered for every byte."""
        self._write(self._open(path, _WRITING | _CREATE | (0 if offset else _TRUNCATE)), chunks, offset)

    def write_new(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file that is not there. ``NotOpenedError`` if it is, or cannot be made."""
        try:
            handle = self._open(path, _WRITING | _CREATE | _EXCLUSIVE)
        except StatusError as error:
            raise NotOpenedError.of(error) from None
        self._write(handle, chunks, 0)

    def _write(self, handle: bytes, chunks: Iterable[bytes], offset: int) -> None:
        under_way: deque[int] = deque()
        try:
            for piece in _pieces(chunks):
                if len(under_way) >= WINDOW:
                    self._done(under_way.popleft())
                under_way.append(self._send(_WRITE, handle + struct.pack(">Q", offset) + _text(piece)))
                offset += len(piece)
            while under_way:
                self._done(under_way.popleft())
        except StatusError:
            for number in under_way:
                with contextlib.suppress(StatusError):
                    self._done(number)
            with contextlib.suppress(StatusError):
                self._close(handle)
            raise
        self._end(handle)

    def _end(self, handle: bytes) -> None:
        """Have it on the disk, and close it. ``UnsureError`` if the server does not say yes to both."""
        unsure: StatusError | None = None
        if _FSYNC in self.extensions:
            try:
                self._ask(_EXTENDED, _text(_FSYNC) + handle)
            except StatusError as error:  # advertised, and not done: it is not asked for again
                self.extensions.discard(_FSYNC)
                unsure = error
        try:
            self._close(handle)
        except StatusError as error:
            unsure = error
        if unsure is not None:
            raise UnsureError.of(unsure)

    def read(self, path: str | bytes, *, limit: int) -> Iterator[bytes]:
        """The content up to its end. ``ProtocolError`` beyond ``limit`` bytes.

        A server may give less than it was asked for (section 6.4 allows it at the end only; many do it always): what is
        missing is asked for next, and from then on no more is asked for at a time than it gives.
        """
        handle = self._open(path, _READING)
        asked, got = 0, 0
        under_way: deque[tuple[int, int, int]] = deque()
        ended = False
        while True:
            while not ended and len(under_way) < WINDOW and asked <= limit:
                under_way.append(self._ask_piece(handle, asked, self._piece))
                asked += self._piece
            if not under_way:
                break
            number, offset, wanted = under_way.popleft()
            piece = self._data(number)
            if piece is None or ended:
                ended = True
                continue
            if not piece or len(piece) > wanted:
                raise ProtocolError("a read gives nothing, or more than was asked for")
            if len(piece) < wanted:
                self._piece = min(self._piece, max(len(piece), LEAST_READ))
                under_way.appendleft(self._ask_piece(handle, offset + len(piece), wanted - len(piece)))
            got += len(piece)
            if got > limit:
                raise ProtocolError("a file is longer than it may be")
            yield piece
        self._close(handle)

    def _ask_piece(self, handle: bytes, offset: int, count: int) -> tuple[int, int, int]:
        """Ask for a piece: the request's number, from where, and how much."""
        return self._send(_READ, handle + struct.pack(">QI", offset, count)), offset, count

    def first(self, path: str | bytes, length: int) -> bytes:
        """The first ``length`` bytes, or all if there are fewer."""
        handle = self._open(path, _READING)
        content = bytearray()
        while len(content) < length:
            wanted = min(CHUNK, length - len(content))
            piece = self._data(self._send(_READ, handle + struct.pack(">QI", len(content), wanted)))
            if not piece:
                break
            content += piece[:wanted]
        self._close(handle)
        return bytes(content)

    def listing(self, path: str | bytes, *, limit: int) -> list[FolderEntry]:
        """At most ``limit`` entries of a folder, ``.`` and ``..`` left out."""
        handle = _text(self._ask(_OPENDIR, _path(path), want=_HANDLE).text())
        found: list[FolderEntry] = []
        while len(found) < limit:
            try:
                reader = self._ask(_READDIR, handle, want=_NAME)
            except StatusError as error:
                if error.status != _EOF:
                    raise
                break
            count = reader.number()
            if not count:
                raise ProtocolError("a listing gives nothing")
            for _ in range(count):
                name, _long = reader.text(), reader.text()
                entry = reader.entry(name)
                if name not in (b".", b".."):
                    found.append(entry)
        self._close(handle)
        return found[:limit]

    # Packets

    def _open(self, path: str | bytes, flags: int) -> bytes:
        request = _path(path) + struct.pack(">II", flags, 0)
        return _text(self._ask(_OPEN, request, want=_HANDLE).text())

    def _close(self, handle: bytes) -> None:
        self._ask(_CLOSE, handle)

    def _data(self, number: int) -> bytes | None:
        try:
            return self._answer(number, _DATA).text()
        except StatusError as error:
            if error.status != _EOF:
                raise
            return None

    def _done(self, number: int) -> None:
        self._answer(number, _STATUS)

    def _ask(self, kind: int, request: bytes, *, want: int = _STATUS) -> _Reader:
        return self._answer(self._send(kind, request), want)

    def _send(self, kind: int, request: bytes) -> int:
        self._count = (self._count + 1) & 0xFFFF_FFFF
        self._waiting[self._count] = None
        self._put(kind, struct.pack(">I", self._count) + request)
        return self._count

    def _answer(self, number: int, want: int) -> _Reader:
        while (found := self._waiting[number]) is None:
            kind, reader = self._get()
            about = reader.number()
            if self._waiting.get(about, ()) is not None:
                raise ProtocolError("an answer to nothing that was asked")
            self._waiting[about] = (kind, reader)
        del self._waiting[number]
        kind, reader = found
        if kind == _STATUS:
            status = reader.number()
            if status != _OK or want != _STATUS:
                raise StatusError(status, reader.text() if reader.left else b"")
        elif kind != want:
            raise ProtocolError("an answer of another kind")
        return reader

    def _put(self, kind: int, payload: bytes) -> None:
        self._stream.sendall(struct.pack(">IB", len(payload) + 1, kind) + payload)

    def _get(self) -> tuple[int, _Reader]:
        size = int.from_bytes(self._exactly(4), "big")
        if not 1 <= size <= MAX_PACKET:
            raise ProtocolError("a packet is empty or too long")
        data = self._exactly(size)
        return data[0], _Reader(data[1:])

    def _exactly(self, count: int) -> bytes:
        pieces: list[bytes] = []
        while count:
            piece = self._stream.recv(min(count, CHUNK))
            if not piece:
                raise EOFError
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
