"""The mutation run: what a test holds to is noticed, what no test looks at is named; the sample is its seed's."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.forks import TimedTest
from tests.mutation.mutants import Population
from tests.mutation.trial import PROVEN, in_order, proven_first

RULES = '''"""Docstring."""

LIMIT = 3


def fits(count: int) -> bool:
    """Docstring."""
    return count <= LIMIT


def loose(count: int) -> int:
    return count + 1


def shared(count: int) -> int:
    return count * 2
'''
TESTS = """import pytest

from small.rules import fits, loose, shared


@pytest.fixture(scope="module")
def made():
    return shared(2)


def test_made(made):
    pass


def test_made_right(made):
    assert made == 4


def test_fits():
    assert fits(3)
    assert not fits(4)


def test_loose():
    loose(1)
"""
RUN = """
from pathlib import Path
from tests.mutation.mutants import Population
from tests.mutation.trial import Ground, tried

root = Path.cwd()
mutants = Population.of(root, "small").sample(100, seed=1)
ground = Ground(root=root, folders=["small"], tests=["test_rules.py"], jobs=2, budget_secs=15)
for trial in tried(mutants, ground):
    line = trial.mutant.shown(root).splitlines()[-1][2:].strip()
    print(trial.verdict.noticed, trial.living, line, sep="|")
"""


@pytest.mark.slow
def test_a_fault_that_a_test_holds_to_is_noticed_and_one_that_none_looks_at_survives(tmp_path: Path) -> None:
    """Comparison and constant of a tested rule are noticed, and what a shared fixture ran; the sum that no test asserts
    about is named.
    """
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "__init__.py").touch()
    (tmp_path / "small" / "rules.py").write_text(RULES)
    (tmp_path / "test_rules.py").write_text(TESTS)
    here = str(Path(__file__).resolve().parents[2])
    paths = {"PYTHONPATH": f"{tmp_path}:{here}", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, env=paths, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert {line for line in ran.stdout.splitlines() if "|" in line} == {
        "True|True|return count < LIMIT",
        "True|True|return",
        "True|True|return count / 2",
        "True|True|return count * 3",
        "True|False|LIMIT = 4",
        "True|False|LIMIT = None",
        "False|True|return",
        "False|True|return count - 1",
        "False|True|return count + 2",
    }


def test_the_sample_is_that_of_its_seed_and_leaves_out_by_rule(tmp_path: Path) -> None:
    """The same seed draws the same mutants, another one others; docstrings and annotations are counted, not drawn."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "rules.py").write_text(RULES)
    population = Population.of(tmp_path, "small")
    drawn = [[mutant.code for mutant in population.sample(3, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert not any("XX" in mutant.code for mutant in population.sample(100, 1))


def test_the_order_of_the_tests_of_a_mutant() -> None:
    """Those of the package's folders before others, the quickest first; before all, those that noticed the most."""
    tests = [
        TimedTest("tests/api/test_a.py::one", 0.1),
        TimedTest("tests/delivery/test_b.py::slow", 9.0),
        TimedTest("tests/delivery/test_b.py::quick", 0.2),
        TimedTest("tests/worker/test_c.py::one", 0.3),
    ]
    planned = in_order(tests, ("tests/delivery/", "tests/worker/"), 99.0)
    assert [test.id.partition("/test_")[2] for test in planned] == [
        "b.py::quick",
        "b.py::slow",
        "c.py::one",
        "a.py::one",
    ]
    focused = in_order(tests, ("tests/delivery/", "tests/worker/"), 99.0, {"tests/worker/test_c.py::one": 0.5})
    assert focused[0].file == "tests/worker/test_c.py"
    waits, works = TimedTest("tests/x.py::waits", 9.0, 0.1), TimedTest("tests/x.py::works", 9.0, 3.0)
    assert [(test.cost, test.secs) for test in (waits, works)] == [(0.9, 9.0), (3.0, 9.0)]
    proven = Counter({"tests/api/test_a.py::one": 2, "tests/worker/test_c.py::one": 3})
    assert [test.id[-3:] for test in proven_first(planned, proven)] == ["one", "one", "ick", "low"]
    assert proven_first(planned, proven)[0].file == "tests/worker/test_c.py"
    many = [TimedTest(str(number), 0.1) for number in range(2 * PROVEN)]
    found = proven_first(many, Counter({str(number): number for number in range(2 * PROVEN)}))
    assert [test.id for test in found[:PROVEN]] == [str(number) for number in range(2 * PROVEN - 1, PROVEN - 1, -1)]
    assert sorted(test.id for test in found) == sorted(test.id for test in many)
