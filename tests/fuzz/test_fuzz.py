"""The fuzzer notices what it should, and each target takes its seeds; all but one of it without atheris."""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.errors import InvalidInput
from tests.conftest import leave_out
from tests.fuzz import planted
from tests.fuzz.__main__ import main
from tests.fuzz.judging import Judge, Target
from tests.fuzz.table import HOMES, TARGETS, judge


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_each_target_takes_its_seeds(name: str) -> None:
    """No seed breaks a rule, and one at least comes through to the end of its reader: it says what may come."""
    judged = judge(TARGETS[name])
    for seed in TARGETS[name].seeds():
        judged(seed)
        judged(seed[: len(seed) // 2])
        judged(seed + seed)
    assert [finding.told for finding in judged.findings.values()] == []
    assert judged.taken > 0


def _planted(data: bytes) -> None:
    """A reader with a fault of each kind."""
    if data.startswith(b"refuse"):
        raise InvalidInput("no")
    if data.startswith(b"own"):
        raise EOFError
    if data.startswith(b"key"):
        raise KeyError
    if data.startswith(b"spin"):
        begun = time.thread_time()
        while time.thread_time() - begun < 2.1:
            pass
    if data.startswith(b"swell"):
        bytearray(b"x" * 400_000_000)
    assert not data.startswith(b"law"), "a law"


PLANTED = Target(name="planted", reads=_planted, seeds=lambda: [b"fine"], allowed=(EOFError,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"fine", None),
        (b"refuse", None),
        (b"own", None),
        (b"key", "KeyError tests/fuzz/test_fuzz.py:_planted"),
        (b"law", "AssertionError tests/fuzz/test_fuzz.py:_planted"),
        (b"spin", "slow"),
        (b"swell", "memory"),
    ],
)
def test_a_planted_fault_is_noticed(data: bytes, kind: str | None, tmp_path: Path) -> None:
    """An error that is not named, a law that does not hold, time, memory: each is a finding, and its input is kept."""
    judged = Judge(PLANTED, (InvalidInput,), tmp_path, most_secs=2.0)
    for _ in range(2):
        judged(data)
    assert set(judged.findings) == ({kind} if kind else set())
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([data] if kind else [])


@pytest.mark.nightly
@pytest.mark.slow
def test_a_fault_behind_a_word_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guided by coverage it finds a fault that chance would not, keeps the input, and says so by its exit code."""
    if importlib.util.find_spec("atheris") is None:
        leave_out("atheris is not installed (make fuzz installs it)")
    monkeypatch.setitem(TARGETS, "planted", planted.TARGETS[0])
    monkeypatch.setitem(HOMES, "planted", planted.__name__)
    folders = ["--corpus", str(tmp_path / "corpus"), "--findings", str(tmp_path / "found")]
    done = CliRunner().invoke(main, ["planted", "--seconds", "20", "--seed", "7", *folders])
    assert done.exit_code == 1, done.output
    assert re.search(r"planted: KeyError at tests/fuzz/planted\.py:_reads", done.output)
    kept = [file.read_bytes() for file in (tmp_path / "found" / "planted").glob("KeyError-*")]
    assert kept
    assert all(data.startswith(b"<hub>") for data in kept)


def test_without_atheris_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick set-up has no fuzzer; the message names the command that brings it."""
    monkeypatch.setitem(sys.modules, "atheris", None)
    done = CliRunner().invoke(main, ["jws"])
    assert done.exit_code == 1
    assert "make fuzz" in done.output
