"""``hub alarms``, ``hub expiry`` and what `hub doctor` says of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.bootstrap import build
from hub.bootstrap_upkeep import upkeep
from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import hub
from tests.following.test_webhooks import SECRET, Receiver, receiver  # noqa: F401  # a fixture


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as `hub init` makes it."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    return home


def _hears(home: Path, url: str) -> None:
    secret = home / "pager"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    where = {"url": url, "secrets": [f"file:{secret}"], "allow_http": True, "allow_private": ["127.0.0.0/8"]}
    (home / "alarms.yaml").write_text(json.dumps({"receivers": [{"name": "pager", "kind": "webhook", **where}]}))


def test_the_file_is_checked_and_a_test_is_sent(home: Path, receiver: Receiver) -> None:  # noqa: F811
    """Rules in force and receivers are shown; each receiver gets one test; one that is away is exit code 1."""
    assert "nobody" in hub("alarms", "check", home=home).stdout
    nobody = hub("alarms", "test", home=home, check=False)
    assert (nobody.returncode, "receiver.unknown" in nobody.stderr) == (1, True)
    _hears(home, receiver.url)
    checked = json.loads(hub("alarms", "check", "--json", home=home).stdout)
    assert checked["receivers"] == [{"name": "pager", "kind": "webhook"}]
    assert "ok   pager: told" in hub("alarms", "test", home=home).stdout
    assert json.loads(receiver.got[0][1])["type"] == "alarms.test"
    receiver.answers = [(500, {})]
    away = hub("alarms", "test", "pager", home=home, check=False)
    assert (away.returncode, "WRONG pager: answer.http_500" in away.stdout) == (1, True)
    (home / "alarms.yaml").write_text("rules: [{code: pen.waiting, above: -1}]")
    wrong = hub("alarms", "check", home=home, check=False)
    assert (wrong.returncode, "pen.waiting.above" in wrong.stderr) == (3, True)


@pytest.mark.slow
def test_what_ends_is_listed_without_a_store(home: Path) -> None:
    """Everything with its end; what cannot be read is exit code 1, here and in doctor's finding."""
    listed = json.loads(hub("expiry", "--json", home=home).stdout)
    assert {entry["kind"] for entry in listed} >= {"seal", "api_key"}
    assert "ok   expiry: " in hub("doctor", home=home).stdout
    (home / "keys" / "applicants.key").write_text("x\n")
    (home / "keys" / "applicants.key").chmod(0o644)
    broken = hub("expiry", "--days", "1", home=home, check=False)
    assert (broken.returncode, "configuration.secret_open" in broken.stdout) == (1, True)
    doctor = hub("doctor", home=home, check=False)
    assert (doctor.returncode, "WRONG expiry: expiry.wrong" in doctor.stdout) == (1, True)


@pytest.mark.slow
def test_a_receiver_that_is_not_reached_shows(home: Path, receiver: Receiver) -> None:  # noqa: F811
    """The keeper of a real home finds a real alarm and cannot tell: list and doctor say that nobody knows."""
    _hears(home, receiver.url)
    rule = {"code": "disk.low", "below": 10**12, "after_minutes": 0}
    document = json.loads((home / "alarms.yaml").read_text()) | {"rules": [rule]}
    (home / "alarms.yaml").write_text(json.dumps(document))
    running = build(Settings(home=home))
    it = upkeep(running)
    receiver.answers = [(500, {})]
    assert it.keeper.step() == 1
    listed = json.loads(hub("alarms", "list", "--json", home=home).stdout)
    assert [alarm["rule"] for alarm in listed["open"]] == ["disk.low"]
    assert listed["receivers"] == [{"name": "pager", "failing": False}]
    (message,) = it.memory.due(running.clock.now().replace(year=2100), 5)
    from dataclasses import replace

    it.memory.settle(replace(message, attempts=3))
    it.keeper.release()
    running.close()
    doctor = hub("doctor", home=home, check=False)
    assert (doctor.returncode, "alarms.nobody_told" in doctor.stdout) == (1, True)
    assert "NOT REACHED" in hub("alarms", "list", home=home).stdout
