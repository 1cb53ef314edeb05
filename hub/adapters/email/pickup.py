"""A pickup folder: another program (a delivery agent, a script, the demo) puts mails in as ``*.eml`` by rename.

What was taken goes to ``done/``, what was not to ``refused/`` with a file that says why. Links and whatever is no
regular file are left alone; a name is never more than a name in this one folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.errors import ConfigurationError, TemporaryFailure

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMail:
    """One file that waits."""

    path: Path
    size: int
    received: datetime


class Pickup:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigurationError(f"The pickup folder {folder} is not there.", code="mail.pickup")
        self._folder = folder

    def waiting(self) -> Iterator[FoundMail]:
        """Files that wait, by name."""
        with os.scandir(self._folder) as entries:
            names = sorted(e.name for e in entries if e.name.endswith(".eml") and not e.name.startswith("."))
        for name in names[:BATCH]:
            path = self._folder / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # another worker was faster
            if stat.S_ISREG(status.st_mode):
                received = datetime.fromtimestamp(status.st_mtime, UTC)
                yield FoundMail(path=path, size=status.st_size, received=received)

    def fetch(self, found: FoundMail, limit: int) -> bytes | None:
        """At most ``limit`` bytes and one more; None if the file is gone."""
        try:
            descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TemporaryFailure(f"A file cannot be read: {type(error).__name__}.", code="mail.pickup") from None

    def done(self, found: FoundMail) -> None:
        """It was taken in."""
        self._move(found, "done")

    def refuse(self, found: FoundMail, reason: str) -> None:
        """It was not; the reason stands beside it."""
        self._move(found, "refused")
        (self._folder / "refused" / f"{found.path.name}.reason").write_text(f"{reason}\n", encoding="utf-8")

    def _move(self, found: FoundMail, where: str) -> None:
        target = self._folder / where
        target.mkdir(mode=0o700, exist_ok=True)
        try:
            found.path.rename(target / found.path.name)
        except FileNotFoundError:
            return  # another worker moved it
        except OSError as error:
            raise TemporaryFailure(f"A file cannot be moved: {type(error).__name__}.", code="mail.pickup") from None
