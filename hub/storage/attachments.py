"""Files by content: ``aa/bb/<sha256>`` under a root, written, fsynced and renamed before anything may name them.

The name is the SHA-256 of the content, so the same content is one file, a file never changes, and whoever has the name
can check the content. A power failure at any point leaves either the whole file or a temporary one that is swept away.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hub.errors import NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 262_144
STALE_SECS = 86_400
"""Temporary files older than a day belong to nobody any more."""
_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEMPORARY = "tmp"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def _chunks(source: BinaryIO | Iterator[bytes]) -> Iterator[bytes]:
    """The stream in pieces of at most 256 KiB, so that no piece is large in memory twice."""
    pieces: Iterable[bytes] = iter(lambda: source.read(CHUNK_BYTES), b"") if hasattr(source, "read") else source
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), CHUNK_BYTES):
            yield bytes(view[start : start + CHUNK_BYTES])


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The attachment is larger than {limit} bytes.", code="attachment.too_large")


def _checked(sha256: str) -> str:
    if not _NAME.fullmatch(sha256):
        raise _unknown()
    return sha256


def _unknown() -> NotFound:
    return NotFound("There is no attachment with this SHA-256.", code="attachment.unknown")


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    """Turn a failure of the disk into ``Unavailable``: nothing was kept. The texts name no path."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable(
                "There is no room left for attachments.", code="attachment.full", retry_after=60
            ) from None
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise Unavailable(f"Attachments cannot be kept now ({name}).", retry_after=30) from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(error: OSError) -> Unavailable:
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return Unavailable(f"Attachments cannot be read now ({name}).", retry_after=30)


class _File(io.FileIO):
    """A file whose disk may fail while it is read: ``Unavailable``, never an ``OSError`` that reads as the peer's."""

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise _unreadable(error) from None

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise _unreadable(error) from None


class FileAttachments:
    """Attachments in a folder of their own. Safe to use from many threads and processes.

    Raises ``Unavailable`` if the folder cannot be made. Files are readable by their owner only.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / _TEMPORARY
        with _disk():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._temporary.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(self._root)
            self._sweep()

    def _sweep(self) -> None:
        """Remove what crashes left behind."""
        for path in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if path.lstat().st_mtime < time.time() - STALE_SECS:
                    path.unlink()

    def put(self, source: BinaryIO | Iterator[bytes], *, limit: int) -> tuple[str, int]:
        """Store a stream; its SHA-256 and size. No more than ``limit`` bytes are written, nothing stays of a failure.

        Raises ``TooLarge`` beyond the limit, ``Unavailable`` if the disk fails; what ``source`` raises goes through.
        """
        with _disk():
            descriptor, name = tempfile.mkstemp(dir=self._temporary)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                sha256, size = self._write(file, source, limit)
            with _disk():
                self._name(temporary, sha256)
        finally:
            with contextlib.suppress(OSError):  # renamed away, or swept after a day
                temporary.unlink()
        return sha256, size

    @staticmethod
    def _write(file: io.FileIO, source: BinaryIO | Iterator[bytes], limit: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(source):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            digest.update(chunk)
            with _disk():
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
        with _disk():
            os.fsync(file.fileno())
        return digest.hexdigest(), size

    def _name(self, temporary: Path, sha256: str) -> None:
        """Give the file its name for ever. Every directory entry on the way is durable before the name is given out."""
        target = self._path(sha256)
        for folder in (target.parent.parent, target.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(folder.parent)  # though it was there: whoever made it may not have come that far yet
        temporary.replace(target)  # over the same content, if it is there: a name never lacks its file
        _sync_directory(target.parent)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """The file for reading. ``NotFound`` for what is not there, not a SHA-256, or not a plain file;
        ``Unavailable``, at reading too, if the disk fails or the whole folder is away.
        """
        path = self._path(_checked(sha256))
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            # Without the folder that every start makes the disk is away, and nothing is known about the file.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) and self._temporary.is_dir():
                raise _unknown() from None
            raise _unreadable(error) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _unknown()
        return io.BufferedReader(_File(descriptor))

    def size(self, sha256: str) -> int:
        """Size in bytes. ``NotFound`` as for ``open``."""
        with self.open(sha256) as file:
            return os.fstat(file.fileno()).st_size

    def delete(self, sha256: str, *, older_than: datetime) -> bool:
        """Delete a file that was put before a moment; False if it is not there, or was put again since.

        It is moved away before it is looked at: a file that is being put again at this moment is never lost.
        """
        path, aside = self._path(_checked(sha256)), self._temporary / f"{sha256}.deleted"
        with _disk():
            try:
                path.rename(aside)
            except FileNotFoundError:
                return False
            if aside.lstat().st_mtime >= older_than.timestamp():
                with contextlib.suppress(FileExistsError):
                    os.link(aside, path, follow_symlinks=False)
                aside.unlink()
                return False
            aside.unlink()
            _sync_directory(path.parent)
        return True


class MemoryAttachments:
    """The twin in memory, for tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}

    def put(self, source: BinaryIO | Iterator[bytes], *, limit: int) -> tuple[str, int]:
        """Store a stream; its SHA-256 and size. ``TooLarge`` beyond the limit."""
        content = bytearray()
        for chunk in _chunks(source):
            content += chunk
            if len(content) > limit:
                raise _too_large(limit)
        sha256 = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._files.setdefault(sha256, bytes(content))
        return sha256, len(content)

    def open(self, sha256: str) -> BinaryIO:
        """The file for reading; ``NotFound`` if there is none."""
        with self._lock:
            content = self._files.get(_checked(sha256))
        if content is None:
            raise _unknown()
        return io.BytesIO(content)

    def size(self, sha256: str) -> int:
        """Size in bytes; ``NotFound`` if there is none."""
        with self.open(sha256) as file:
            return len(file.read())

    def damage(self, sha256: str) -> None:
        """Flip a bit, as a disk that goes bad does."""
        with self._lock:
            content = bytearray(self._files[sha256])
            content[0] ^= 1
            self._files[sha256] = bytes(content)

    def delete(self, sha256: str, *, older_than: datetime) -> bool:
        """Delete a file; the twin does not know when it was put."""
        del older_than
        with self._lock:
            return self._files.pop(_checked(sha256), None) is not None
