"""A pickup folder: another program (a delivery agent, a script, the demo) puts mails in as ``*.eml`` by rename
(in capitals too).

What was taken goes to ``done/``, what was not to ``refused/`` with a file that says why. Links and whatever is no
regular file are left alone; a name is never more than a name in this one folder.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.errors import ConfigurationError, HubError, TemporaryFailure

BATCH = 500
DONE, REFUSED = "done", "refused"
PIECE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMail:
    """One file that waits."""

    path: Path
    size: int
    received: datetime

    @property
    def name(self) -> str:
        """Name for people, where there is nothing else to show."""
        return f"{self.path.name}, {self.size} bytes"


class Pickup:
    """One folder. ``limit``: longest mail that is read, in bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        if not folder.is_dir():
            raise ConfigurationError(
                f"The pickup folder {folder} is not there.",
                code="mail.pickup",
                action="Make the folder, with the right of writing for the hub's user, or mend its path.",
            )
        self._folder = folder
        self._limit = limit

    def try_rights(self) -> None:
        """Move a file of our own as mails are moved. ``ConfigurationError`` (``mail.pickup``) says what is refused."""
        name = f".probe-{uuid.uuid4().hex}"
        try:
            for where in (DONE, REFUSED):
                target = self._folder / where
                target.mkdir(mode=0o700, exist_ok=True)
                (self._folder / name).write_bytes(b"")
                (self._folder / name).rename(target / name)
                (target / name).unlink()
        except OSError as error:
            raise ConfigurationError(
                f"The pickup folder {self._folder} does not let the hub move files to {DONE} and {REFUSED}: "
                f"{type(error).__name__}.",
                code="mail.pickup",
                action="Give the hub's user the right to write in this folder and those below it.",
            ) from None

    def waiting(self) -> Iterator[FoundMail]:
        """Files that wait, by name."""
        with os.scandir(self._folder) as entries:
            names = sorted(e.name for e in entries if e.name.lower().endswith(".eml") and not e.name.startswith("."))
        for name in names[:BATCH]:
            path = self._folder / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # another worker was faster
            if stat.S_ISREG(status.st_mode):
                received = datetime.fromtimestamp(status.st_mtime, UTC)
                yield FoundMail(path=path, size=status.st_size, received=received)

    def fetch(self, found: FoundMail) -> bytes | None:
        """The content, cut one byte over the limit; None if the file is gone."""
        try:
            descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(self._limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TemporaryFailure(f"A file cannot be read: {type(error).__name__}.", code="mail.pickup") from None

    def pieces(self, found: FoundMail) -> Iterator[bytes]:
        """The content in pieces, for what is too large to be read at once. ``TemporaryFailure``."""
        try:
            descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise TemporaryFailure(f"A file cannot be read: {type(error).__name__}.", code="mail.pickup") from None

    def done(self, found: FoundMail) -> None:
        """It was taken in."""
        self._move(found, DONE)

    def refuse(self, found: FoundMail, why: HubError) -> None:
        """It was not; the reason stands beside it."""
        self._move(found, REFUSED)
        (self._folder / REFUSED / f"{found.path.name}.reason").write_text(
            f"{why.stable_code}: {why.message}\n", encoding="utf-8"
        )

    def _move(self, found: FoundMail, where: str) -> None:
        target = self._folder / where
        try:
            target.mkdir(mode=0o700, exist_ok=True)
            found.path.rename(target / found.path.name)
        except FileNotFoundError:
            return  # another worker moved it
        except OSError as error:
            raise TemporaryFailure(
                f"A file cannot be moved: {type(error).__name__}.", code="mail.pickup_move"
            ) from None
