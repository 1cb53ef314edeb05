"""Bytes of uploads that are not whole yet. The session's row is the truth; what a crash left behind it is cut off."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hub.errors import NotFound, Unavailable

STALE_SECS = 172_800
"""Spooled bytes that nobody has added to for two days belong to nobody any more."""
SWEEP_SECS = 3_600


class Spool:
    """Bytes of uploads that are not whole yet: one file a session, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sweep_at = 0.0
        with _disk():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what nobody has added to for two days; looks at most once an hour."""
        now = time.time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECS
        with _disk():
            for path in self._root.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                    if path.lstat().st_mtime < now - STALE_SECS:
                        path.unlink()

    def _path(self, session_id: int) -> Path:
        return self._root / f"{session_id:020d}"

    @contextlib.contextmanager
    def turn(self, session_id: int) -> Iterator[SpoolFile]:
        """The session's file, for one writer at a time, whatever process it is in: look at the row inside."""
        with _disk():
            descriptor = os.open(self._path(session_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            with _disk():
                fcntl.flock(file, fcntl.LOCK_EX)
            yield SpoolFile(file, self._root)

    def open(self, session_id: int) -> BinaryIO:
        """The bytes so far. ``NotFound`` if there are none."""
        try:
            return self._path(session_id).open("rb")
        except FileNotFoundError:
            raise NotFound("This upload has no bytes here.", code="transfer.lost") from None

    def remove(self, session_id: int) -> None:
        """Nothing of this upload is needed any more."""
        with contextlib.suppress(OSError):  # swept later
            self._path(session_id).unlink()


class SpoolFile:
    """The bytes of one upload, held by one writer."""

    def __init__(self, file: io.FileIO, root: Path) -> None:
        self._file = file
        self._root = root

    def write(self, position: int, data: bytes) -> None:
        """Write ``data`` at ``position``, durably; what a crash left behind it is cut off. ``NotFound``
        (``transfer.lost``) if the bytes before are gone, ``Unavailable`` if the disk fails.
        """
        with _disk():
            if os.fstat(self._file.fileno()).st_size < position:
                raise NotFound("The first parts of this upload are not here any more.", code="transfer.lost")
            self._file.truncate(position)
            self._file.seek(position)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
            if not position:  # the file is new, and so is its name
                directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Unavailable("Parts of uploads cannot be kept now.", code="transfer.disk", retry_after=30) from None
