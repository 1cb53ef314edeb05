"""``hub lanes``: what an operator sees of the lanes, and pausing one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.cases.operators import standing
from hub.schemas.delivery import LaneState
from tests.acceptance.processes import hub
from tests.delivery.world import START

LANE = "00032106.pull"


@pytest.mark.slow
def test_a_lane_is_paused_and_resumed_by_name(tmp_path: Path) -> None:
    """A pause and its end show; a name that is no channel's is refused and makes no lane."""
    home = tmp_path / "home"
    hub("init", home=home)
    wrong = hub("lanes", "--pause", "00032106.pul", home=home, check=False)
    assert (wrong.returncode, "lane.unknown" in wrong.stderr, "hub registry show" in wrong.stderr) == (1, True, True)
    folder = home / "registry"
    channel = f"channels: [{{authority: '00032106', channel: {{id: {LANE}, adapter: pull}}}}]\n"
    (folder / "bank.yaml").write_text(channel, "utf-8")
    (paused,) = json.loads(hub("lanes", "--pause", LANE, "--json", home=home).stdout)
    assert (paused["channel"], paused["standing"], paused["waiting"]) == (LANE, "paused", 0)
    assert f"{LANE}  well" in hub("lanes", "--resume", LANE, home=home).stdout


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, "well"),
        ({"failures": 2, "suspect": True}, "suspect"),
        ({"rest_until": 1}, "resting"),
        ({"rest_until": -1}, "well"),
        ({"open_until": 1, "suspect": True, "rest_until": 1}, "open"),
        ({"open_until": -1, "suspect": True}, "suspect"),
        ({"open_until": 1, "paused": True}, "paused"),
    ],
)
def test_the_strongest_reason_names_how_it_stands(state: dict[str, int], expected: str) -> None:
    """Paused before open before suspect before resting; what is over counts no more."""
    moments = {name: START.replace(minute=30 + value) for name, value in state.items() if name.endswith("_until")}
    assert standing(LaneState(channel_id="x", **{**state, **moments}), START.replace(minute=30)) == expected  # type: ignore[arg-type]
