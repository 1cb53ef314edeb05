"""A clock for processes that jumps while they run (libfaketime, by file); monotonic clocks stay true, as in life."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "libfaketimeMT.so.1"


def library() -> Path | None:
    """The library, if it is installed (Debian: package faketime)."""
    for folder in ("/usr/lib", "/usr/local/lib", "/usr/lib64"):
        for found in sorted(Path(folder).glob(f"**/faketime/{_NAME}")):
            return found
    return None


class Clock:
    """``environment``: for the processes that shall live in this clock's time."""

    def __init__(self, file: Path, so: Path) -> None:
        self._file = file
        self.environment = {
            "LD_PRELOAD": str(so),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.jump(0)

    def jump(self, secs: int) -> None:
        """From now on the clock is so far from the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{secs:+d}s\n", "ascii")
        fresh.replace(self._file)


@contextmanager
def faked(folder: Path) -> Iterator[Clock]:
    """A clock; ``AssertionError`` if the library is not here."""
    so = library()
    if so is None:
        raise AssertionError("libfaketime is not installed (Debian: faketime)")
    file = folder / "faketime"
    yield Clock(file, so)
    file.unlink(missing_ok=True)
