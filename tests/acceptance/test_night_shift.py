"""An operator's night shift over real HTTP, with a hub that runs: words that no machine could place find their case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import Running, hub, until
from tests.api.world import form

BODY = "00032106"
PHONE = "+380671112233"


@pytest.mark.slow
def test_words_without_a_reference_are_attached_in_two_calls(tmp_path: Path) -> None:
    """A body's letter that names only the applicant's phone: found by the phone, attached as the final answer; the
    centre hears of it, and the terminal finds the case by name, phone, their number and the failure's code.
    """
    home = tmp_path / "home"
    make_home(Settings(home=home))
    channel = {"authority": BODY, "channel": {"id": f"{BODY}.pull", "adapter": "pull", "settings": {"format": "json"}}}
    (home / "registry" / "bank.yaml").write_text(json.dumps({"channels": [channel]}))
    running = Running(("up",), tmp_path / "log", HUB_HOME=str(home), HUB_LISTEN="127.0.0.1:0")
    keys = {
        role: (home / "keys" / f"{role}.key").read_text("ascii").strip() for role in ("ncc", "authority", "operator")
    }

    def call(method: str, path: str, role: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {keys[role]}", **options.pop("headers", {})}
        return requests.request(method, f"{running.url}{path}", headers=headers, timeout=20, **options)

    try:
        appeal = form(topics=["finance.banking"])
        appeal["applicant"]["contacts"] = {"phones": [PHONE]}
        case = call("POST", "/v1/appeals", "ncc", json=appeal).json()["case_id"]
        letter = "Шановний заявнику (тел. 067 111-22-33)! Кошти повернуто 20 листопада."
        refused = call(
            "POST", "/v1/envelopes", "authority", data=letter.encode(), headers={"Content-Type": "application/json"}
        )
        assert refused.status_code == 400
        (entry,) = call("GET", "/v1/ops/pen", "operator").json()["entries"]
        until(lambda: call("GET", "/v1/cases?phone=0671112233", "operator").json()["cases"], what="the index")

        found = call("GET", "/v1/cases?phone=067+111-22-33", "operator").json()["cases"]
        order = {
            "cases": [{"case_id": found[0]["id"]}],
            "statement": {"answer": {"stage": "final", "result": "satisfied", "number": "17/2", "date": "2026-11-20"}},
            "reason": "the applicant's phone",
        }
        done = call("POST", f"/v1/ops/inbound/{entry['id']}/attach", "operator", json=order)

        assert done.status_code == 200, done.text
        assert call("GET", f"/v1/cases/{case}", "ncc").json()["case"]["state"] == "answered"
        told = call("GET", "/v1/events?limit=500", "ncc").json()["events"]
        assert "case.answered" in [event["type"] for event in told if event["case_id"] == case]
        message = call("GET", f"/v1/cases/{case}/messages/{done.json()['messages'][0]['message_id']}", "ncc").json()
        assert "Кошти повернуто" in message["body"]["text"]
        assert call("GET", "/v1/ops/pen", "operator").json()["entries"] == []
        seen = call("GET", "/v1/cases?phone=0671112233", "authority").json()["cases"]
        assert seen == []
    finally:
        running.stop()
    for words in (PHONE, "Шевченко Оксана", case, done.json()["messages"][0]["message_id"]):
        rows = json.loads(hub("find", words, "--json", home=home).stdout)
        assert [row["case"] for row in rows] == [case], words
