"""Each mutant tried by the tests that reach it: in a fork of a process that has loaded all, or in one that loads anew.

A mutant in a function is put into the functions that live already (``hub`` and the tests are loaded once). One that
changes what runs while its module is loaded is put in place of the module's file, in a process that has loaded only
the libraries; that takes seconds. Every test that noticed a mutant is tried on unchanged code, too: a test that fails
there proves nothing, and its mutants are tried again without it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import importlib.util
import pickle
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType

import click
import pytest

from tests.mutation import reach as reaching
from tests.mutation.codes import Living, changed_functions
from tests.mutation.forks import Ending, Job, Teller, TimedTest, Verdict, in_fork, run, wait
from tests.mutation.mutants import Mutant
from tests.mutation.reach import Reach
from tests.mutation.watch import ARGUMENTS, Calm, Loop, run_chosen

Work = Callable[[Sequence[TimedTest], Teller], None]
"""What a child does with its tests; it never returns."""
UNNOTICED = Verdict(Ending.SURVIVED)
WELL = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
LEAST = 8
"""So many tests are tried, however long they take."""
FEW = 3
"""Modules of tests that are loaded first: most mutants are noticed there."""
PROVEN = 12
"""So many tests that noticed mutants of the same module before are tried first."""
LEAST_FOCUS = 0.01
"""Added to the share of a module in what a test runs, so that time counts for those that run hardly any of it."""
NO_FOCUS: Mapping[str, float] = {}
HOMES = {"outbound": ("delivery", "worker"), "inbound": ("delivery",), "cases": ("delivery", "scenarios")}
"""Folders of the tests of packages that have none of their own name."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a run stands on: where the code is, which folders are looked at, which tests there are and how many at once.

    ``budget_secs`` is how long the tests of one mutant may take together, without it; ``reach`` is a file that keeps
    what the tests reach.
    """

    root: Path
    folders: Sequence[str]
    tests: Sequence[str]
    jobs: int
    budget_secs: float
    reach: Path | None = None


@dataclass(kw_only=True)
class Trial:
    """A mutant with its tests, how many reach it, whether it fits into living functions, and its verdict."""

    mutant: Mutant
    tests: list[TimedTest] = field(default_factory=list)
    reaching: int = 0
    living: bool = False
    verdict: Verdict = UNNOTICED

    @property
    def reason(self) -> str:
        """Why nothing noticed it, as far as a machine can tell."""
        if not self.reaching:
            return "no test reaches it"
        if len(self.tests) < self.reaching:
            return f"{len(self.tests)} of {self.reaching} tests that reach it were tried (time budget)"
        return f"{self.reaching} tests reach it"


def homes_of(mutant: Mutant) -> tuple[str, ...]:
    """Folders where the tests of a mutant's package stand."""
    package = mutant.path.split("/")[1]
    return tuple(f"tests/{folder}/" for folder in HOMES.get(package, (package,)))


def in_order(
    tests: Iterable[TimedTest], homes: tuple[str, ...], budget_secs: float, focus: Mapping[str, float] = NO_FOCUS
) -> list[TimedTest]:
    """The package's own tests, then the others, those first that are quick and run little else than the module
    (``focus``: by test, its share), until the budget is spent; at least a few.

    Tests of one file run together, for they share what they stand on.
    """
    chosen: list[TimedTest] = []
    left = budget_secs

    def cost(test: TimedTest) -> tuple[bool, float, str]:
        return not test.file.startswith(homes), test.cost / (LEAST_FOCUS + focus.get(test.id, 0.0)), test.id

    for test in sorted(tests, key=cost):
        if (left := left - test.cost) < 0 and len(chosen) >= LEAST:
            break
        chosen.append(test)
    place = {file: number for number, file in enumerate(dict.fromkeys(test.file for test in chosen))}
    return sorted(chosen, key=lambda test: place[test.file])


def functions_of(mutant: Mutant, root: Path) -> list[tuple[CodeType, CodeType]] | None:
    """The codes of functions that a mutant changes, old and new; ``None`` if it changes what loading runs."""
    file = root / mutant.path
    old, new = (compile(text, str(file), "exec", dont_inherit=True) for text in (file.read_bytes(), mutant.code))
    return changed_functions(old, new)


class Planner:
    """Finds the tests of each mutant."""

    def __init__(self, ground: Ground, reach: Reach) -> None:
        self._ground = ground
        self._reach = reach
        self._focus = cache(reach.focus)
        self._texts = {path: (ground.root / path).read_text("utf-8") for path in reach.lines}

    def plan(self, trial: Trial) -> None:
        """Give it its tests, and say whether only functions change."""
        mutant = trial.mutant
        functions = functions_of(mutant, self._ground.root)
        trial.living = functions is not None and not self._reach.loaded(mutant.path, mutant.lines)
        found = [self._reach.tests(mutant.path, mutant.lines)]
        homes, focus = homes_of(mutant), self._focus(mutant.path)
        if not trial.living:  # a test that only looks at a constant runs no line
            found.append(self._named(mutant.names) | self._reach.within(homes))
            found += [self._reach.tests(mutant.path), self._of_package(mutant.path)]
        known = set[str]()
        for tests in found:
            left = self._ground.budget_secs - sum(test.cost for test in trial.tests)
            if left > 0 and (fresh := tests - known):
                trial.tests += in_order(map(self._reach.timed, fresh), homes, left, focus)
            known |= tests
        trial.reaching = len(known)

    def _named(self, names: Sequence[str]) -> set[str]:
        """Tests of lines that name what a statement binds."""
        if not names:
            return set()
        word = re.compile(rf"\\b({'|'.join(map(re.escape, names))})\\b")
        return {
            test
            for path, text in self._texts.items()
            for test in self._reach.tests(
                path, [number for number, line in enumerate(text.splitlines(), 1) if word.search(line)]
            )
        }

    def _of_package(self, path: str) -> set[str]:
        folder = path.rpartition("/")[0] + "/"
        return {test for each in self._texts if each.startswith(folder) for test in self._reach.tests(each)}


class _Instead(importlib.machinery.SourceFileLoader):
    """Loads one module with other code than its file's."""

    def __init__(self, mutant: Mutant, root: Path) -> None:
        super().__init__(mutant.module, str(root / mutant.path))
        self._code = mutant.code

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None
        )

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._code, self.path, "exec", dont_inherit=True)


def _anew(ground: Ground, mutant: Mutant | None) -> Work:
    """Load everything, with the mutant in it, and run the tests."""

    def work(tests: Sequence[TimedTest], teller: Teller) -> None:
        if mutant is not None:
            sys.meta_path.insert(0, _Instead(mutant, ground.root))
        files = list(dict.fromkeys(test.file for test in tests))
        for some in (files[:FEW], files[FEW:]):
            loop = Loop(lambda session: run_chosen(session, tests, teller))
            if (
                some
                and pytest.main([*ARGUMENTS, f"--rootdir={ground.root}", *some], plugins=[Calm(), loop]) not in WELL
            ):
                teller.ends(Ending.NOTICED)  # there was nothing to load
        teller.ends(Ending.SURVIVED)

    return work


def _put_in(session: pytest.Session, ground: Ground, alive: Living, mutant: Mutant | None) -> Work:
    """Put the mutant into the functions that live, and run the tests."""

    def work(tests: Sequence[TimedTest], teller: Teller) -> None:
        if mutant is not None and not alive.put_in(functions_of(mutant, ground.root) or []):
            teller.ends(Ending.UNFIT)
        run_chosen(session, tests, teller)
        teller.ends(Ending.SURVIVED)

    return work


def proven_first(tests: Sequence[TimedTest], proven: Counter[str]) -> list[TimedTest]:
    """Those that noticed the most mutants of the same module so far, then the others as they are."""
    first = sorted((test for test in tests if proven[test.id]), key=lambda test: -proven[test.id])[:PROVEN]
    return [*first, *(test for test in tests if test not in first)]


def _try(trials: dict[int, Trial], ground: Ground, work: Callable[[Mutant | None], Work]) -> None:
    """Try all; then each test that noticed one on unchanged code, and again without those that fail there."""
    left = [number for number, trial in trials.items() if trial.tests]
    proven: dict[str, Counter[str]] = defaultdict(Counter)
    while left:
        wanted = (
            Job(number, proven_first(trial.tests, proven[trial.mutant.path]), work(trial.mutant))
            for number, trial in ((number, trials[number]) for number in left)
        )
        for done, (number, verdict) in enumerate(run(wanted, ground.jobs), 1):
            trials[number].verdict = verdict
            if verdict.by is not None:
                proven[trials[number].mutant.path][verdict.by] += 1
            if verdict.ending is Ending.SURVIVED:
                click.echo(f"  survived: {trials[number].mutant.told(ground.root)}", err=True)
            if done % 50 == 0:
                click.echo(f"  {done} of {len(left)} tried", err=True)
        wrong = _wrong([trials[number] for number in left], ground.jobs, work(None))
        left = [number for number in left if trials[number].verdict.by in wrong]
        for trial in (trials[number] for number in left):
            trial.tests = [test for test in trial.tests if test.id not in wrong]
            trial.verdict = UNNOTICED
        left = [number for number in left if trials[number].tests]


def _wrong(trials: Sequence[Trial], jobs: int, work: Work) -> set[str]:
    """Tests that noticed a mutant and fail without one, too."""
    known = {test.id: test for trial in trials for test in trial.tests}
    ids = sorted({trial.verdict.by for trial in trials if trial.verdict.by is not None})
    checks = (Job(place, [known[test]], work) for place, test in enumerate(ids))
    wrong = {ids[place] for place, verdict in run(checks, jobs) if verdict.noticed}
    for test in sorted(wrong):
        click.echo(f"!!! {test} fails on unchanged code, too: not counted", err=True)
    return wrong


def _warm(trials: dict[int, Trial], ground: Ground, kept: Path) -> None:
    """Load all, measure what reaches what, try what fits into living functions; leave the trials in a file."""
    found = reaching.begin(ground.folders, ground.root)

    def work(session: pytest.Session) -> None:
        if session.testsfailed:
            raise RuntimeError("tests could not be collected")
        reach = reaching.kept_in(ground.reach)
        fresh = [item for item in session.items if item.nodeid not in reach.secs]
        click.echo(f"{len(fresh)} of {len(session.items)} tests run once, to see what they reach", err=True)
        reach.add(reaching.measure(found, fresh, ground.jobs, ground.root, kept.parent))
        if ground.reach is not None:
            ground.reach.write_bytes(pickle.dumps(reach))
        for test in sorted(reach.failed):
            click.echo(f"!!! {test} fails on unchanged code: not counted", err=True)
        reach.only(item.nodeid for item in session.items)
        planner = Planner(ground, reach)
        for trial in trials.values():
            planner.plan(trial)
        living = {number: trial for number, trial in trials.items() if trial.living}
        click.echo(f"{len(living)} mutants that fit into living functions", err=True)
        alive = Living(f"{ground.root / folder}/" for folder in ground.folders)
        gc.freeze()  # a child that looks at all objects would copy them
        _try(living, ground, lambda mutant: _put_in(session, ground, alive, mutant))
        for trial in living.values():
            trial.living = trial.verdict.ending is not Ending.UNFIT

    code = pytest.main([*ARGUMENTS, f"--rootdir={ground.root}", *ground.tests], plugins=[Calm(), Loop(work)])
    if code not in WELL:
        raise RuntimeError(f"pytest ended with {code}")
    kept.write_bytes(pickle.dumps((trials, [name for name in sys.modules if _is_library(name)])))


def _is_library(name: str) -> bool:
    """True for a module of others: neither the project's nor the tests'."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return (
        isinstance(file, str)
        and "site-packages" in Path(file).parts
        and name.partition(".")[0] not in {"hub", "registry"}
    )


def _preload(name: str) -> None:
    """Load a library that the tests had loaded, so that no child needs to."""
    try:
        importlib.import_module(name)
    except ImportError:
        click.echo(f"{name} is loaded by each child anew", err=True)


def tried(mutants: Sequence[Mutant], ground: Ground) -> list[Trial]:
    """Try all mutants; nothing of ``hub`` or of its tests may be loaded yet."""
    trials = {number: Trial(mutant=mutant) for number, mutant in enumerate(mutants)}
    with tempfile.TemporaryDirectory(prefix="hub-mutation-") as made:
        kept = Path(made) / "trials"
        wait(in_fork(lambda: _warm(trials, ground, kept)))
        trials, libraries = pickle.loads(kept.read_bytes())
    for name in libraries:
        _preload(name)
    gc.freeze()
    anew = {number: trial for number, trial in trials.items() if not trial.living and trial.tests}
    click.echo(f"{len(anew)} mutants that need their module loaded anew", err=True)
    _try(anew, ground, lambda mutant: _anew(ground, mutant))
    return list(trials.values())
