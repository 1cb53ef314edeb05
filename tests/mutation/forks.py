"""Forked processes, several at once: each tries tests until one fails, and tells by a pipe how far it is.

A child that says nothing for longer than its present test may take is killed, and its mutant counts as noticed: it
hangs. One that dies without a word is noticed too.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

LOAD_SECS = 60.0
"""How long a child may take before its first test."""
LEAST_SECS = 5.0
TIMES = 10.0
"""A test may take so many times its time without a mutant, and ``LEAST_SECS`` more: the machine may be busy."""


class Ending(StrEnum):
    """How a child ended."""

    NOTICED = "noticed"
    HUNG = "hung"
    DIED = "died"
    SURVIVED = "survived"
    UNFIT = "unfit"


@dataclass(frozen=True)
class TimedTest:
    """A test by its id, how long it takes, and how long a processor is at it, in seconds (absent = all that time)."""

    id: str
    secs: float
    cpu_secs: float | None = None

    @property
    def cost(self) -> float:
        """Time that counts against a budget: that of the processor, for a busy machine makes every test slow; of one
        that waits, at least a tenth of the whole.
        """
        return self.secs if self.cpu_secs is None else max(self.cpu_secs, self.secs / 10)

    @property
    def file(self) -> str:
        """The file it stands in."""
        return self.id.partition("::")[0]


@dataclass(frozen=True)
class Verdict:
    """How a child ended, and by which test (``None``: while it was loading, or by none)."""

    ending: Ending
    by: str | None = None

    @property
    def noticed(self) -> bool:
        """True if something was wrong with the mutant."""
        return self.ending in {Ending.NOTICED, Ending.HUNG, Ending.DIED}


class Teller:
    """The child's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def begins(self, test: str) -> None:
        """A test begins."""
        os.write(self._descriptor, f"{test}\n".encode())

    def ends(self, ending: Ending) -> None:
        """The child is done; it goes without cleaning up."""
        os.write(self._descriptor, f"={ending}\n".encode())
        os._exit(0)


@dataclass(frozen=True)
class Job:
    """A child to come: ``work`` gets the tests, and tells; ``number`` says whose it is."""

    number: int
    tests: Sequence[TimedTest]
    work: Callable[[Sequence[TimedTest], Teller], None]


class _Child:
    """One process, led by its pipe."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.folder = tempfile.mkdtemp(prefix="hub-mutant-")
        self.pipe, there = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.pipe)
            self._run(Teller(there))
        os.close(there)
        self.deadline = time.monotonic() + LOAD_SECS
        self._secs = {test.id: test.secs for test in job.tests}
        self._test: str | None = None
        self._ending: Ending | None = None
        self._rest = b""

    def _run(self, teller: Teller) -> None:
        """In the child: alone in its process group, silent, with files of its own."""
        try:
            os.setsid()
            os.environ["TMPDIR"] = tempfile.tempdir = self.folder
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            self.job.work(self.job.tests, teller)
        finally:
            os._exit(1)  # whatever happened; the parent sees that no ending was told

    def heard(self) -> bool:
        """Read what it told; false if it told all."""
        if not (told := os.read(self.pipe, 65536)):
            return False
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in (line.decode() for line in lines):
            if line.startswith("="):
                self._ending = Ending(line[1:])
                return False
            self._test = line
            self.deadline = time.monotonic() + LEAST_SECS + TIMES * self._secs.get(line, 0.0)
        return True

    def end(self, ending: Ending | None = None) -> Verdict:
        """Kill it with all that it started, and remove what it wrote."""
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        os.waitpid(self.pid, 0)
        os.close(self.pipe)
        shutil.rmtree(self.folder, ignore_errors=True)
        ending = ending or self._ending or Ending.DIED
        return Verdict(ending, None if ending in {Ending.SURVIVED, Ending.UNFIT} else self._test)


def run(jobs: Iterable[Job], at_once: int) -> Iterator[tuple[int, Verdict]]:
    """Run all, ``at_once`` at a time; each verdict as it comes."""
    waiting = iter(jobs)
    with selectors.DefaultSelector() as selector:
        while True:
            while len(selector.get_map()) < at_once and (job := next(waiting, None)) is not None:
                child = _Child(job)
                selector.register(child.pipe, selectors.EVENT_READ, child)
            if not selector.get_map():
                return
            heard = {key.fd for key, _ in selector.select(timeout=0.5)}
            for key in list(selector.get_map().values()):
                child = key.data
                hung = time.monotonic() > child.deadline
                if (key.fd in heard and not child.heard()) or hung:
                    selector.unregister(key.fd)
                    yield child.job.number, child.end(Ending.HUNG if hung else None)


def in_fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own; its process id. It ends with 0 if nothing was raised."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)


def wait(pid: int) -> None:
    """Wait for a process of ``in_fork``; ``RuntimeError`` if it failed."""
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("a process of the mutation run failed; what it said stands above")
