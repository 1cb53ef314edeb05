"""Simulated authorities that speak SOAP: the whole hub exchanges with each character, over real SOAP both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from hub.demo.arrangement import arrange
from hub.schemas.directory import LaneSettings
from hub.simulator.setup import Placement
from tests.acceptance.processes import running, until
from tests.api.world import form

LANE = LaneSettings(retry_secs=(1,), deadline_secs=5, slice_secs=2, breaker_open_secs=1, breaker_failures=50)
EACH = 2
WHO = {
    "health": Placement(code="00012925", name="МОЗ", character="prompt", speaks="soap"),
    "transport.roads": Placement(code="37641918", name="Дороги", character="twice", speaks="soap"),
    "law-and-order.police": Placement(
        code="40108578",
        name="Поліція",
        character="failing",
        changes={"fail_percent": 100, "fail_tries": 3, "failures": ["busy", "error", "reset", "lost"]},
        speaks="soap",
    ),
    "social-protection.pensions": Placement(code="00035323", name="ПФУ", character="pulling", speaks="soap"),
    "finance.banking": Placement(code="00032106", name="НБУ", character="polled", speaks="soap"),
    "social-protection": Placement(
        code="37567866", name="Мінсоц", character="refusing", changes={"refuse_percent": 100}, speaks="soap"
    ),
}


def _cases(url: str, key: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/v1/cases?limit=200", headers={"Authorization": f"Bearer {key}"}, timeout=20)
    cases: list[dict[str, Any]] = answer.json()["cases"]
    return cases


@pytest.mark.slow
def test_every_character_exchanges_over_soap(tmp_path: Path) -> None:
    """Receipts in the answer, asked for and reported; faults, a lost answer, repeats, refusals, and one that pulls over
    the hub's SOAP door: every case ends as the character wants, each appeal is taken in once.
    """
    arrangement = arrange(tmp_path, placements=list(WHO.values()), hours_per_sec=240, lane=LANE)
    key = arrangement.ncc_key.read_text("utf-8").strip()
    simulate = ("simulate", str(arrangement.simulation), "--listen", arrangement.simulator_listen)
    up = ("up", "--listen", arrangement.hub_listen)
    environment = {"HUB_HOME": str(arrangement.home), "HUB_SWEEP_SECS": "0.2"}
    with (
        running(*simulate, log=tmp_path / "simulate.log") as simulator,
        running(*up, log=tmp_path / "up.log", **environment) as hub,
    ):
        for topic in WHO:
            for _ in range(EACH):
                document = form(topics=[topic])
                accepted = requests.post(
                    f"{hub.url}/v1/appeals", json=document, headers={"Authorization": f"Bearer {key}"}, timeout=20
                )
                assert accepted.status_code == 202, accepted.text

        def ended() -> list[dict[str, Any]] | None:
            cases = _cases(hub.url, key)
            return cases if all(case["state"] in ("answered", "refused") for case in cases) else None

        cases = until(ended, what="the end of every case")
        state = requests.get(f"{simulator.url}/_sim/state", timeout=10).json()["authorities"]
    assert len(cases) == EACH * len(WHO)
    for placement in WHO.values():
        counts = state[placement.code]
        mine = [case["state"] for case in cases if case["authority"] == placement.code]
        wanted = "refused" if placement.character == "refusing" else "answered"
        assert mine == [wanted] * EACH, placement
        assert (counts["unique"], counts["altered"]) == (EACH, 0), placement
        assert counts.get("malformed", 0) == counts.get("unauthenticated", 0) == counts.get("report_refused", 0) == 0
