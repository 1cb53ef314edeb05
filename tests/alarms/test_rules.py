"""The rules' file: shipped whole, changed by code, and every fault named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.alarms.rules import Watched, merged, shipped
from hub.errors import ConfigurationError
from hub.upkeep.alarm_file import AlarmFile, HookReceiver, MailReceiver, read
from tests.api.world import build

MAIL: dict[str, Any] = {
    "name": "duty",
    "kind": "mail",
    "address": "hub@example.org",
    "to": ["duty@example.org"],
    "smtp": {"host": "mail.example.org", "port": 25, "security": "none"},
}
HOOK: dict[str, Any] = {
    "name": "pager",
    "kind": "webhook",
    "url": "https://pager.example.org/hooks",
    "secrets": ["env:PAGER_SECRET"],
}


def _file(folder: Path, **members: Any) -> Path:
    path = folder / "alarms.yaml"
    path.write_text(json.dumps(members), "utf-8")
    return path


def test_every_figure_is_watched_by_a_shipped_rule_and_can_be_read(tmp_path: Path) -> None:
    """Nothing that the hub can see is left unwatched, and the figure of every rule of the package can be read."""
    assert {rule.watch for rule in shipped()} == set(Watched)
    assert len({rule.code for rule in shipped()}) == len(shipped())
    world = build(tmp_path / "home")
    from hub.bootstrap_upkeep import upkeep

    looks = upkeep(world.hub).keeper._looks
    for rule in shipped():
        if rule.watch is not Watched.BLIND:
            looks.look(rule, world.hub.clock.now())


def test_without_a_file_the_shipped_rules_hold_and_nobody_hears(tmp_path: Path) -> None:
    """A home without the file has all rules, at the doors and in the figures."""
    found = read(tmp_path / "alarms.yaml")
    assert (found.rules, found.book.receivers) == (shipped(), ())


def test_a_rule_is_changed_by_its_code(tmp_path: Path) -> None:
    """Some members of a shipped rule, a rule of one's own, and receivers of both kinds."""
    changes = [
        {"code": "pen.waiting", "older_minutes": 30, "tell": ["duty"]},
        {"code": "lanes.paused", "disabled": True},
        {"code": "own.dead", "watch": "deliveries.dead", "above": 100, "door": "/v1/ops/dead-letters", "says": "Many."},
    ]
    path = _file(tmp_path, receivers=[MAIL, HOOK], rules=changes, digest_at="07:30", gather_minutes=10)
    found = read(path)
    rules = {rule.code: rule for rule in found.rules}
    assert (rules["pen.waiting"].older_minutes, rules["pen.waiting"].door) == (30, "/v1/ops/pen")
    assert rules["lanes.paused"].disabled
    assert rules["own.dead"].above == 100
    assert len(rules) == len(shipped()) + 1
    assert [type(found.receivers[name]) for name in ("duty", "pager")] == [MailReceiver, HookReceiver]
    assert (found.book.digests, found.book.digest_at.hour) == (("duty",), 7)
    assert found.book.hears("duty", "pen.waiting")
    assert not found.book.hears("pager", "pen.waiting")
    assert found.book.hears("pager", "dead.letters")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"rules": [{"code": "pen.waiting", "above": 1, "below": 1}]}, "exactly one of above and below"),
        ({"rules": [{"code": "own.rule", "watch": "pen.held", "above": 0}]}, "own.rule.door"),
        ({"rules": [{"code": "pen.waiting", "wach": "x"}]}, "wach"),
        ({"rules": [{"code": "pen.waiting"}, {"code": "pen.waiting"}]}, "once for each rule"),
        ({"rules": [{"code": "expiry.near", "steps": [7, 14]}]}, "steps go on from the threshold"),
        ({"rules": [{"code": "pen.waiting", "tell": ["nobody"]}]}, "receivers that it does not name: nobody"),
        ({"rules": [{"code": "pen.waiting", "watch": "moon.phase"}]}, "pen.waiting.watch"),
        ({"receivers": [MAIL, MAIL]}, "names a receiver twice"),
        ({"receivers": [{**MAIL, "to": []}]}, "receivers.0.mail.to"),
        ({"receivers": [{**HOOK, "secrets": ["whsec_abc"]}]}, "must be a reference"),
        ({"receivers": [{**HOOK, "url": "http://pager.example.org/"}]}, "http"),
        ({"digest_at": "25:00"}, "digest_at"),
        ({"moon": 1}, "moon"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, members: dict[str, Any], said: str) -> None:
    """What is wrong is named, and no secret is repeated."""
    with pytest.raises(ConfigurationError) as refusal:
        read(_file(tmp_path, **members))
    assert said in str(refusal.value)
    assert "whsec_abc" not in str(refusal.value)


def test_a_file_that_became_broken_leaves_what_was_in_force(tmp_path: Path) -> None:
    """A change counts at once; a broken one does not, until it is mended."""
    path = _file(tmp_path, receivers=[MAIL])
    file = AlarmFile(path)
    assert list(file.current().receivers) == ["duty"]
    path.write_text("receivers: [", "utf-8")
    assert list(file.current().receivers) == ["duty"]
    _file(tmp_path, receivers=[MAIL, HOOK])
    assert list(file.current().receivers) == ["duty", "pager"]
    assert [owner for owner, _ in file.models()] == ["alarms duty", "alarms pager"]


def test_codes_are_asked_for() -> None:
    """A change without a code cannot be for any rule."""
    with pytest.raises(ConfigurationError):
        merged([{"above": 5}])
