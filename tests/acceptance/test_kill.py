"""Killed in the middle of the demo and started again: every accepted appeal ends, none is delivered twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.demo.arrangement import PLACES, TOPICS, TWELVE, Arrangement, arrange
from hub.demo.play import LANE, SILENT
from hub.schemas.json_rendering import to_tree
from hub.simulator.appeals import generate
from tests.acceptance.processes import Running, running, until

APPEALS = 80


def _start(arrangement: Arrangement, log: Path) -> Running:
    return Running(("up",), log, HUB_HOME=str(arrangement.home), HUB_LISTEN=arrangement.hub_listen)


class _Caller:
    def __init__(self, arrangement: Arrangement) -> None:
        self.base = f"http://{arrangement.hub_listen}/v1"
        self.headers = {"Authorization": "Bearer " + arrangement.ncc_key.read_text("ascii").strip()}
        self.accepted: dict[int, str] = {}

    def submit(self, number: int, form: dict[str, Any]) -> bool:
        """One try; True once 202 was seen. The idempotency key is the same at each try."""
        try:
            response = requests.post(
                f"{self.base}/appeals",
                data=json.dumps(form).encode(),
                headers={**self.headers, "Content-Type": "application/json", "Idempotency-Key": f"kill-{number}"},
                timeout=10,
            )
        except requests.RequestException:
            return False  # killed under our hands: asked again after the restart, with the same key
        assert response.status_code == 202, response.text
        self.accepted[number] = response.json()["case_id"]
        return True

    def cases(self) -> dict[str, dict[str, Any]]:
        """All cases that the hub knows."""
        found: dict[str, dict[str, Any]] = {}
        after: dict[str, str] = {"limit": "200"}
        while True:
            page = requests.get(f"{self.base}/cases", params=after, headers=self.headers, timeout=10)
            rows = page.json()["cases"]
            found.update((row["id"], row) for row in rows)
            if len(rows) < 200:
                return found
            after["after"] = rows[-1]["id"]

    def bodies(self, cases: Iterable[str]) -> dict[str, list[str]]:
        """To whom each case was delivered; a refusal as wrongly addressed sends it to one body more."""
        seen = (requests.get(f"{self.base}/cases/{case}", headers=self.headers, timeout=10).json() for case in cases)
        return {case["case"]["id"]: [each["authority"] for each in case["deliveries"]] for case in seen}


def _ended(row: dict[str, Any]) -> bool:
    return (
        row["state"] in ("answered", "withdrawn")
        or row["needs_operator"]
        or (row["authority"] in SILENT and row["state"] == "delivered")
    )


def _reached(caller: _Caller, goal: int) -> bool:
    return len(caller.accepted) >= goal


def _all_ended(caller: _Caller) -> dict[str, dict[str, Any]] | None:
    found = caller.cases()
    return found if found and all(map(_ended, found.values())) else None


@pytest.mark.slow
def test_killed_and_started_again_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """SIGKILL twice while appeals come in and go out: all accepted ones end, no receiver saw an id with other bytes,
    and every message that a receiver took it took once."""
    arrangement = arrange(tmp_path, seed=3, hours_per_sec=48, lane=LANE)
    caller = _Caller(arrangement)
    forms = [to_tree(form) for form in generate(APPEALS, seed=3, topics=TOPICS, places=PLACES)]
    log = tmp_path / "up.log"
    simulate = ("simulate", str(arrangement.simulation), "--listen", arrangement.simulator_listen)
    with running(*simulate, log=tmp_path / "simulate.log") as simulator:
        for goal in (APPEALS // 3, 2 * APPEALS // 3):
            hub = _start(arrangement, log)
            with ThreadPoolExecutor(4) as pool:
                todo = [pool.submit(caller.submit, n, f) for n, f in enumerate(forms) if n not in caller.accepted]
                until(partial(_reached, caller, goal), what=f"{goal} accepted")
                hub.kill()
                for done in todo:
                    done.result()
        acknowledged = dict(caller.accepted)
        hub = _start(arrangement, log)
        try:
            for number, form in enumerate(forms):
                if number not in caller.accepted:
                    assert caller.submit(number, form)
            rows = until(partial(_all_ended, caller), what="the end of every case")
            bodies = caller.bodies(rows)
            state = requests.get(f"{simulator.url}/_sim/state", timeout=10).json()["authorities"]
        finally:
            hub.stop()
    assert set(acknowledged.values()) <= set(rows), "an acknowledged appeal is not there"
    assert len(rows) == APPEALS, "an idempotency key made two cases"
    assert {p.code for p in TWELVE} == set(state)
    assert all(len(to) == len(set(to)) for to in bodies.values()), "an appeal went twice to one body"
    assert sum(counts["unique"] for counts in state.values()) == sum(map(len, bodies.values()))
    assert sum(counts["altered"] for counts in state.values()) == 0
