"""The doors of alarms and of what ends, and the figures beside them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from hub.alarms.keeper import NAME
from hub.alarms.rules import shipped
from hub.alarms.values import Alarm, AlarmMessage, MessageKind, Severity
from hub.api.auth import KEY_FILE, append_key, new_api_key
from hub.errors import ConfigurationError
from hub.schemas.ids import new_id
from hub.storage.alarms import SqlAlarms
from tests.api.world import World, build, problem, serve

FILE = {
    "receivers": [
        {
            "name": "duty",
            "kind": "webhook",
            "url": "https://pager.example.org/h",
            "secrets": ["env:PAGER"],
        }
    ]
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A hub of these tests' own: an alarm stands, one has closed, its receiver is not reached."""
    world = build(tmp_path_factory.mktemp("alarms") / "home")
    (world.home / "alarms.yaml").write_text(json.dumps(FILE))
    now, following = world.hub.clock.now(), world.hub.following.insights
    following.acquire(NAME, owner="x", now=now, lease_until=now)
    common = {"severity": Severity.WARNING, "value": 3, "words": "3 deliveries wait", "since": now}
    alarms = (
        Alarm(id="1", rule="lanes.failing", subject="00032106.rest", opened_at=now, **common),  # type: ignore[arg-type]
        Alarm(id="2", rule="own.gone", subject="", opened_at=now, closed_at=now, **common),  # type: ignore[arg-type]
        Alarm(id="3", rule="lanes.paused", subject="not.open.yet", **common),  # type: ignore[arg-type]
    )
    lost = AlarmMessage(
        id=str(new_id()),
        receiver="duty",
        kind=MessageKind.CHANGES,
        body="{}",
        made_at=now,
        next_at=None,
        attempts=7,
        last_code="answer.http_500",
        ended_at=now,
    )
    assert SqlAlarms(following.database).write("x", looked_at=now, alarms=alarms, messages=(lost,))
    _, key = new_api_key("operator", "36521731", valid_to=now + timedelta(days=3, hours=1))
    append_key(world.home / KEY_FILE, key)
    return world


def test_alarms_stand_with_their_rule_and_their_door(own: World) -> None:
    """What stands, what closed, who hears and how that goes; what waits to open is not shown."""
    with serve(own):
        found = own.call("GET", "/v1/ops/alarms", "operator").json()
    (standing,) = found["open"]
    assert (standing["rule"], standing["subject"], standing["door"]) == (
        "lanes.failing",
        "00032106.rest",
        "/v1/ops/lanes",
    )
    (closed,) = found["recent"]
    assert (closed["rule"], closed["says"]) == ("own.gone", "The rule is not in the file any more.")
    assert found["receivers"] == [
        {
            "name": "duty",
            "failing": True,
            "waiting": 0,
            "given_up": 1,
            "told_at": None,
            "last_code": "answer.http_500",
        }
    ]
    assert found["looked_at"]


@pytest.mark.slow
def test_what_ends_is_listed_as_it_is_now(own: World) -> None:
    """The seal, API keys, secrets of receivers; `days` leaves what ends later out; a misspelt filter is refused."""
    with serve(own):
        whole = own.call("GET", "/v1/ops/expiry", "operator").json()
        near = own.call("GET", "/v1/ops/expiry?days=5", "operator").json()
        problem(own.call("GET", "/v1/ops/expiry?day=5", "operator"), 422, "input.parameters")
    kinds = {entry["kind"] for entry in whole["entries"]}
    assert {"seal", "api_key", "secret", "verification_key"} <= kinds
    assert whole["total"] == len(whole["entries"])
    assert [(e["kind"], e["days"]) for e in near["entries"] if not e["fault"]] == [("api_key", 3)]


def test_figures_say_the_same(own: World) -> None:
    """Alarms by rule, receivers, age of the last look and days that are left stand in /metrics, bounded in labels."""
    with serve(own):
        text = own.call("GET", "/metrics", None).text
    lines = [line for line in text.splitlines() if line.startswith(("hub_alarm", "hub_expiry"))]
    assert 'hub_alarms_open{rule="lanes.failing",severity="warning"} 1.0' in lines
    assert sum(line.startswith("hub_alarms_open{") for line in lines) == len(shipped())
    assert 'hub_alarm_receiver_failing{receiver="duty"} 1.0' in lines
    assert 'hub_alarm_messages{state="given_up"} 1.0' in lines
    assert any(line.startswith('hub_expiry_days{kind="seal",name="the hub') for line in lines)
    assert not any("api_key" in line for line in lines), "another key of that operator goes on"
    assert any(line.startswith("hub_alarms_looked_seconds ") for line in lines)


def test_a_broken_file_of_alarms_ends_the_start(tmp_path: Path) -> None:
    """A hub that nobody would hear of does not start with a file that cannot be read."""
    world = build(tmp_path / "home")
    (world.home / "alarms.yaml").write_text("receivers: {")
    with pytest.raises(ConfigurationError) as refusal, serve(world):
        pass
    assert refusal.value.stable_code == "alarms.file"
    assert "hub alarms check" in refusal.value.next_step
