"""Start and stop the hub's own processes, as a person at a terminal would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TypeVar

import pytest

from hub.cli import main

T = TypeVar("T")
PATIENCE_SECS = 120.0
"""A hang's end, not a measure: the machine may be busy."""
READY = re.compile(r"ready on (http://\S+)", re.IGNORECASE)


def environment(**more: str) -> dict[str, str]:
    """An environment without settings of the person who runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    return {**kept, "PYTHONWARNINGS": "error::DeprecationWarning:hub", **more}


def hub(*words: str, home: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command of the hub to its end, in this process, by the entry point that its own would run."""
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        for name in [name for name in os.environ if name.startswith("HUB_")]:
            patch.delenv(name)
        patch.setenv("HUB_HOME", str(home))
        patch.setattr(sys, "argv", ["hub", *words])
        try:
            main()
        except SystemExit as leave:
            code = leave.code or 0
    assert isinstance(code, int)
    return _checked(subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue()), check)


def hub_process(*words: str, home: Path, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, as a person at a terminal has it."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", *words],
        env=environment(**{**env, "HUB_HOME": str(home)}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECS,
        check=False,
    )
    return _checked(done, check)


def _checked(done: subprocess.CompletedProcess[str], check: bool) -> subprocess.CompletedProcess[str]:
    if check and done.returncode:
        words = " ".join(map(str, done.args))
        raise AssertionError(f"hub {words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


class Running:
    """A process that said it is ready, and where."""

    def __init__(self, words: tuple[str, ...], log: Path, **env: str) -> None:
        self.log = log
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "hub", *words],
                env=environment(**env),
                stdout=subprocess.PIPE,
                stderr=sink,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        self.url = self._ready()

    def _ready(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if match := READY.search(line):
                return match[1]
        raise AssertionError(f"the process ended before it was ready:\n{self.log.read_text('utf-8')[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is tidied."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self._reap(10)

    def stop(self) -> int:
        """SIGTERM, and wait for a clean end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        return self._reap(30)

    def _reap(self, timeout: float) -> int:
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


@contextmanager
def running(*words: str, log: Path, **env: str) -> Iterator[Running]:
    """A process for the time of a block; ended by SIGKILL if it has not ended itself."""
    started = Running(words, log, **env)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.kill()


def until(fact: Callable[[], T | None], *, seconds: float = PATIENCE_SECS, what: str = "the fact") -> T:
    """Poll until ``fact`` gives something true; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)  # between two looks, not to wait for a fact by guess
