"""The first minutes with the hub: every mistake gets a sentence and a next step, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.processes import Running, hub, hub_process

pytestmark = pytest.mark.slow  # all of it together


def test_without_a_home_the_hub_says_what_to_do(tmp_path: Path) -> None:
    """`hub up`, `hub trace` and `hub lanes` before `hub init` end with exit code 3 and name the next step."""
    for words in (("up",), ("lanes",), ("trace", "01930000-0000-7000-8000-000000000001")):
        done = hub_process(*words, home=tmp_path / "none", check=False)
        assert done.returncode == 3
        assert "hub init" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_fresh_home_is_well(tmp_path: Path) -> None:
    """After `hub init`, `hub doctor` finds nothing wrong, a second init is refused, and secrets are private files."""
    home = tmp_path / "home"
    made = json.loads(hub("init", "--json", home=home).stdout)
    findings = json.loads(hub("doctor", "--json", home=home).stdout)
    assert [finding["ok"] for finding in findings] == [True] * 9
    again = hub("init", home=home, check=False)
    assert (again.returncode, "already" in again.stderr) == (3, True)
    for file in made["keys"].values():
        assert Path(file).stat().st_mode & 0o077 == 0
        assert Path(file).read_text("ascii").strip() not in json.dumps(made)


def test_two_hubs_do_not_share_a_home(tmp_path: Path) -> None:
    """A second `hub up` in the same home is refused while the first one runs, and the first one stops cleanly, without
    a word of complaint in its log.
    """
    home = tmp_path / "home"
    hub("init", home=home)
    first = Running(("up",), tmp_path / "log", HUB_HOME=str(home), HUB_LISTEN="127.0.0.1:0")
    second = hub_process("up", "--listen", "127.0.0.1:0", home=home, check=False)
    assert (second.returncode, "Another hub runs" in second.stderr) == (3, True)
    assert first.stop() in (0, -15)
    assert '"level": "warning"' not in first.log.read_text("utf-8")


def test_an_unknown_id_is_an_error_with_exit_code_1(tmp_path: Path) -> None:
    """`hub trace` of an id that nothing has says so and fails."""
    home = tmp_path / "home"
    hub("init", home=home)
    done = hub("trace", "01930000-0000-7000-8000-000000000001", home=home, check=False)
    assert (done.returncode, done.stderr.startswith("case.unknown")) == (1, True)


def test_a_number_is_as_good_as_an_id(tmp_path: Path) -> None:
    """`hub trace` takes a number with blanks or dashes of any kind; one with a wrong digit is wrong usage."""
    home = tmp_path / "home"
    hub("init", home=home)
    done = hub("trace", "2026 000 1234 6", home=home, check=False)
    assert (done.returncode, done.stderr.startswith("case.unknown")) == (1, True)
    done = hub("trace", "2026-000-1234-5", home=home, check=False)
    assert (done.returncode, "has a wrong digit" in done.stderr) == (2, True)
