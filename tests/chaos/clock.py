"""A clock for processes that jumps while they run (libfaketime, by file); monotonic clocks stay true, as in life."""

from __future__ import annotations

import subprocess
import sys
import tempfile
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


_SITE = """\
import select
import time


def sleep(secs):
    select.select((), (), (), secs)


time.sleep = sleep
"""
_TRIAL = "import threading,time; time.sleep(0.01); threading.Event().wait(0.01); print('fit')"


def _environment(folder: Path, so: Path) -> dict[str, str]:
    """Variables for processes whose wall clock alone is faked.

    libfaketime 0.9.10 leaves monotonic clocks alone if it is told to, but then it spoils ``clock_nanosleep`` with an
    absolute time (EINVAL), which is what CPython's ``time.sleep`` calls; all other waits stay whole. So Python sleeps
    in ``select`` there. If it fakes monotonic clocks too, ``sem_clockwait`` (every ``Event.wait``) never ends.
    """
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(_SITE, "ascii")
    return {
        "LD_PRELOAD": str(so),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(site),
    }


def fit() -> str | None:
    """Why the cells of the clock cannot run here; None if they can."""
    so = library()
    if so is None:
        return "libfaketime is not installed (Debian: faketime)"
    with tempfile.TemporaryDirectory() as folder:
        env = {**_environment(Path(folder), so), "FAKETIME": "+0s"}
        try:
            tried = subprocess.run(
                [sys.executable, "-c", _TRIAL], env=env, capture_output=True, timeout=10, check=False
            )
        except subprocess.TimeoutExpired:
            return "this libfaketime breaks Python's waits"
    return None if b"fit" in tried.stdout else "this libfaketime breaks Python's sleep"


class Clock:
    """``environment``: for the processes that shall live in this clock's time."""

    def __init__(self, file: Path, so: Path) -> None:
        self._file = file
        self.environment = {**_environment(file.parent, so), "FAKETIME_TIMESTAMP_FILE": str(file)}
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
