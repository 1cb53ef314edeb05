"""A small disk that can be filled to the last byte and emptied: a tmpfs, so only root on Linux has one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

LIVING: set[Path] = set()
"""What is mounted by us now."""


def end_all() -> None:
    """Unmount whatever was mounted here."""
    for folder in tuple(LIVING):
        _unmount(folder)


def _unmount(folder: Path) -> None:
    LIVING.discard(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True, timeout=20)


class Room:
    """One small disk. ``fill()``: nothing more fits; ``clear()``: what filled it is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take every byte that is free now."""
        with self._ballast.open("ab", buffering=0) as ballast:
            while True:
                try:
                    ballast.write(bytes(4_096))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def room(folder: Path, mib: int) -> Iterator[Room]:
    """A disk of so many MiB, mounted at ``folder``; what was in the folder is moved onto it."""
    folder.mkdir(exist_ok=True)
    aside = folder.with_name(folder.name + ".aside")
    shutil.copytree(folder, aside)
    mode = folder.stat().st_mode & 0o777
    options = f"size={mib}m,mode={mode:o}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", str(folder)], check=True, timeout=20)
    LIVING.add(folder)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield Room(folder)
    finally:
        _unmount(folder)
        shutil.rmtree(aside, ignore_errors=True)


def fit() -> str | None:
    """Why no disk of our own can be had here; None if one can."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return "a small disk of its own needs root and mount"
    try:
        with tempfile.TemporaryDirectory() as folder, room(Path(folder) / "disk", 1):
            return None
    except subprocess.CalledProcessError:
        return "nothing can be mounted here"
