"""Forty-five days later: what was not delivered, given up, not fetched or not routed is overdue, and somebody's."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.processes import hub, running, until
from tests.chaos import clock
from tests.conftest import leave_out

REGISTRY = """\
topics:
  - {code: undelivered, name: "Канал зупинено"}
  - {code: dead, name: "Канал відмовляє"}
  - {code: unfetched, name: "Скриньку не спорожнюють"}
  - {code: unrouted, name: "Нікому"}
authorities:
  - code: "00032106"
    name: "Орган, канал якого зупинено"
    kind: central
    territory: UA
    competences: [{topics: [undelivered]}]
    channels:
      - {id: 00032106.rest, adapter: rest, settings: {url: "https://127.0.0.1:1/", allow_private: [127.0.0.0/8]}}
  - code: "00032684"
    name: "Орган, до якого не додзвонитися"
    kind: central
    territory: UA
    competences: [{topics: [dead]}]
    channels:
      - id: 00032684.rest
        adapter: rest
        settings: {url: "https://127.0.0.1:1/", allow_private: [127.0.0.0/8]}
        lane: {retry_secs: [1], give_up_secs: 1}
  - code: "37641918"
    name: "Орган зі скринькою"
    kind: central
    territory: UA
    competences: [{topics: [unfetched]}]
    channels: [{id: 37641918.pull, adapter: pull}]
"""
TOPICS = ("undelivered", "dead", "unfetched", "unrouted")
DAYS = 45


class _Caller:
    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._keys = {role: (home / "keys" / f"{role}.key").read_text("ascii").strip() for role in ("ncc", "operator")}

    def call(self, method: str, path: str, role: str = "ncc", **more: Any) -> requests.Response:
        """One call with the key of a role."""
        headers = {"Authorization": f"Bearer {self._keys[role]}"}
        return requests.request(method, self._url + path, headers=headers, timeout=30, **more)

    def submit(self, topic: str) -> str:
        """An appeal on this topic; its case."""
        form = {
            "channel": "web",
            "kind": "application",
            "received_at": datetime.now(UTC).isoformat(),
            "applicant": {
                "type": "individual",
                "name": {"surname": "Шевченко", "given": "Оксана"},
                "address": {"text": "м. Київ, вул. Хрещатик, 1"},
            },
            "topics": [topic],
            "text": "Прошу відповісти.",
        }
        response = self.call("POST", "/v1/appeals", json=form)
        assert response.status_code == 202, response.text
        return str(response.json()["case_id"])

    def facts(self, case: str) -> set[str]:
        """What the timeline of a case names."""
        entries = self.call("GET", f"/v1/cases/{case}/timeline").json()["entries"]
        return {entry["code"] for entry in entries if entry["what"] == "fact"}

    def overdue(self) -> dict[str, dict[str, Any]]:
        """Cases of which a term of the law has run out."""
        rows = self.call("GET", "/v1/cases", params={"overdue": "true"}).json()["cases"]
        return {row["id"]: row for row in rows}


def _told(caller: _Caller, case: str) -> bool:
    return {"term_overdue", "escalated"} <= caller.facts(case)


@pytest.mark.slow
def test_after_forty_five_days_everything_is_overdue_and_nothing_is_lost(tmp_path: Path) -> None:
    """The audit's script: closing what nobody has is refused; after a leap of the clock all four are overdue, told to
    the contact centre, and a person has each of them.
    """
    why = clock.fit()
    if why is not None:
        leave_out(why)
    home, registry = tmp_path / "home", tmp_path / "registry"
    registry.mkdir()
    (registry / "bodies.yaml").write_text(REGISTRY, "utf-8")
    hub("init", "--home", str(home), home=home)
    env = {"HUB_HOME": str(home), "HUB_REGISTRY": str(registry), "HUB_LISTEN": "127.0.0.1:0"}
    with running("up", log=tmp_path / "first.log", **env) as first:
        caller = _Caller(first.url, home)
        assert caller.call("POST", "/v1/ops/lanes/00032106.rest/pause", "operator").status_code == 200
        cases = {topic: caller.submit(topic) for topic in TOPICS}
        closed = caller.call(
            "POST", f"/v1/ops/cases/{cases['unrouted']}/close", "operator", json={"resolution": "done"}
        )
        assert (closed.status_code, closed.json()["code"]) == (409, "case.nobody_has_it")
        until(lambda: "escalated" in caller.facts(cases["dead"]), what="the dead letter")
        assert caller.overdue() == {}
        first.stop()
    with clock.faked(tmp_path) as later:
        later.jump(DAYS * 86_400)
        with running("up", log=tmp_path / "later.log", **env, **later.environment) as second:
            caller = _Caller(second.url, home)
            for topic, case in cases.items():
                until(partial(_told, caller, case), what=f"the alarm about {topic}, and a person for it")
            rows = caller.overdue()
            assert set(rows) == set(cases.values())
            assert all(row["needs_operator"] for row in rows.values())
            items = caller.call("GET", "/v1/ops/items", "operator").json()["items"]
            assert {item["case_id"] for item in items} == set(cases.values())
            assert all(item["due_at"] for item in items)
            second.stop()
