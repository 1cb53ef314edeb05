"""Which tests run which lines of the packages, how long each takes, and what runs when the modules are loaded."""

from __future__ import annotations

import os
import pickle
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import coverage
import pytest

from tests.mutation.forks import TimedTest, in_fork, wait
from tests.mutation.watch import run_items

Lines = dict[int, set[str]]
"""Ids of tests for each line of a module; "" is loading it."""


@dataclass
class Reach:
    """What the tests of a run reached: lines by the module's path, the times of each test, those that failed."""

    lines: dict[str, Lines] = field(default_factory=dict)
    secs: dict[str, float] = field(default_factory=dict)
    cpu_secs: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def add(self, other: Reach) -> None:
        """Take in what another share of the tests found."""
        for path, lines in other.lines.items():
            own = self.lines.setdefault(path, {})
            for line, tests in lines.items():
                own.setdefault(line, set()).update(tests)
        self.secs |= other.secs
        self.cpu_secs |= other.cpu_secs
        self.failed |= other.failed

    def only(self, tests: Iterable[str]) -> None:
        """Forget tests that are no more."""
        self.failed |= self.secs.keys() - set(tests)

    def tests(self, path: str, lines: Collection[int] | None = None) -> set[str]:
        """Tests that run any of these lines of a module; any line, if none are given."""
        known = self.lines.get(path, {})
        wanted = known if lines is None else lines
        return {test for line in wanted for test in known.get(line, ())} - self.failed - {""}

    def within(self, folders: tuple[str, ...]) -> set[str]:
        """Tests that stand in these folders."""
        return {test for test in self.secs if test.startswith(folders)} - self.failed

    def loaded(self, path: str, lines: Collection[int]) -> bool:
        """True if any of these lines runs when the module is loaded."""
        return any("" in self.lines.get(path, {}).get(line, ()) for line in lines)

    def timed(self, test: str) -> TimedTest:
        """A test with its time."""
        return TimedTest(test, self.secs[test], self.cpu_secs[test])

    def focus(self, path: str) -> dict[str, float]:
        """The share of a module in the lines that each test runs: one that is about the module runs little else."""
        mine = Counter(test for tests in self.lines.get(path, {}).values() for test in tests)
        return {test: lines / self._sizes[test] for test, lines in mine.items()}

    @cached_property
    def _sizes(self) -> Counter[str]:
        """Lines that each test runs."""
        return Counter(test for lines in self.lines.values() for tests in lines.values() for test in tests)


def begin(folders: Sequence[str], root: Path) -> coverage.Coverage:
    """Begin to look at the code in these folders, before any of it is loaded."""
    found = coverage.Coverage(data_file=None, config_file=False, include=[f"{root / each}/*" for each in folders])
    found.start()
    return found


def kept_in(file: Path | None) -> Reach:
    """What was kept in a file by an earlier run, or nothing. It is right as long as the packages are the same."""
    known = Reach() if file is None or not file.exists() else pickle.loads(file.read_bytes())
    assert isinstance(known, Reach)
    return known


def measure(found: coverage.Coverage, items: Sequence[pytest.Item], shares: int, root: Path, folder: Path) -> Reach:
    """Run these tests once, in ``shares`` processes, and tell what each reached."""
    files = [folder / f"share-{number}" for number in range(shares)]
    own = [_Share(found, items, root, file) for items, file in zip(_divided(items, shares), files, strict=True)]
    for pid in [in_fork(share.run) for share in own]:
        wait(pid)
    found.stop()
    reach = Reach()
    for file in files:
        reach.add(pickle.loads(file.read_bytes()))
    return reach


def _divided(items: Sequence[pytest.Item], shares: int) -> list[list[pytest.Item]]:
    """Tests of a module stay together, for they share what they stand on."""
    modules: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        modules[item.path].append(item)
    divided: list[list[pytest.Item]] = [[] for _ in range(shares)]
    for own in sorted(modules.values(), key=len, reverse=True):
        min(divided, key=len).extend(own)
    return divided


class _Share:
    """A part of the tests, run in a process of its own."""

    def __init__(self, found: coverage.Coverage, items: Sequence[pytest.Item], root: Path, file: Path) -> None:
        self._found = found
        self._items = items
        self._root = root
        self._file = file
        self._reach = Reach()
        self._begun, self._cpu_begun = time.perf_counter(), time.process_time()
        self._test = ""

    def run(self) -> None:
        """Run them, silently; leave what they reached in the file."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if self._items:
            self._items[0].config.pluginmanager.register(self)
        run_items(self._items, self._begins)
        self._found.stop()
        data = self._found.get_data()
        for file in data.measured_files():
            lines = {line: self._tests(contexts) for line, contexts in data.contexts_by_lineno(file).items()}
            self._reach.lines[str(Path(file).relative_to(self._root))] = lines
        self._file.write_bytes(pickle.dumps(self._reach))

    def _tests(self, contexts: Iterable[str]) -> set[str]:
        """Tests of these contexts; that of a shared fixture stands for all tests of its module."""
        found = set(contexts)
        for shared in {each for each in found if each.endswith("::")}:
            found.remove(shared)
            found.update(test for test in self._reach.secs if test.startswith(shared))
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """A fixture that several tests share is set up in the first, and all of them stand on what it ran."""
        if fixturedef.scope == "function":
            return (yield)
        file, _, _ = self._test.partition("::")
        self._found.switch_context(f"{file}::")
        try:
            return (yield)
        finally:
            self._found.switch_context(self._test)

    def _begins(self, item: pytest.Item) -> None:
        self._test = item.nodeid
        self._found.switch_context(item.nodeid)
        self._begun, self._cpu_begun = time.perf_counter(), time.process_time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The time so far; the last word, of cleaning up, holds."""
        self._reach.secs[report.nodeid] = time.perf_counter() - self._begun
        self._reach.cpu_secs[report.nodeid] = time.process_time() - self._cpu_begun
        if report.failed:
            self._reach.failed.add(report.nodeid)
