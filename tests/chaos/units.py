"""Processes of the hub that are killed, frozen and started again, as a service manager would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.acceptance.processes import environment

START_SECS = 120.0
"""A hang's end, not a measure: the machine may be busy."""
LOOK_SECS = 0.02
LIVING: set[int] = set()
"""Process groups of ours that may be alive."""
_ENDING = threading.Event()
"""Set when all is over: a watchman would start again what was just ended."""


def end_all() -> None:
    """SIGKILL to every process that was started here; from now on none is started."""
    _ENDING.set()
    for pid in tuple(LIVING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def state_of(pid: int) -> str:
    """``dead``, ``stopped`` or ``running``, from the process table."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return "dead"
    letter = stat.rpartition(")")[2].split()[0]
    return {"T": "stopped", "t": "stopped", "Z": "dead", "X": "dead"}.get(letter, "running")


class Unit:
    """One process. ``plan``: failpoints for its lives, one each (``S8:kill:3``); when it is empty a life has none.

    ``once``: it is not started again when it died; then it is ``gone``.
    """

    def __init__(self, name: str, words: tuple[str, ...], folder: Path, *, plan: list[str], **env: str) -> None:
        self.name = name
        self.plan = plan
        self._words = words
        self._env = env
        self._log = folder / f"{name}.log"
        self._out = folder / f"{name}.out"
        self.process: subprocess.Popen[bytes] | None = None
        self.armed: str | None = None
        self.struck: list[str] = []
        self.once = False
        self.gone = False

    def start(self) -> None:
        """Start, and wait until it is ready, dead or frozen."""
        if _ENDING.is_set():
            raise AssertionError("Everything ends; nothing is started.")
        if self.process is not None:
            self.process.wait(10)  # a life before this one is reaped
        self.armed = self.plan.pop(0) if self.plan else None
        env = environment(**self._env)
        if self.armed:
            env["HUB_FAILPOINT"] = self.armed
        self._out.write_bytes(b"")
        with self._log.open("ab") as log, self._out.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "hub", *self._words],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        LIVING.add(self.process.pid)
        end = time.monotonic() + START_SECS
        while self.state() == "running" and b"ready" not in self._out.read_bytes().lower():
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} was not ready in {START_SECS:.0f} s:\n{self.tail()}")
            time.sleep(LOOK_SECS)

    def state(self) -> str:
        """``dead``, ``stopped`` or ``running``."""
        if self.process is None:
            return "dead"
        if self.process.poll() is not None:
            LIVING.discard(self.process.pid)
            return "dead"
        return state_of(self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to whatever it started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, and reap."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait(10)
            LIVING.discard(self.process.pid)

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text("utf-8", "replace")[-3000:] if self._log.exists() else ""

    def log(self) -> str:
        """Its whole log."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""
