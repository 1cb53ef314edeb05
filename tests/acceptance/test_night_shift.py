"""An operator's night shift over real HTTP, with a hub that runs: words that no machine could place find their case."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import Running, hub, until
from tests.api.world import form

BODY = "00032106"
PHONE = "+380671112233"
NDJSON = "application/x-ndjson"


class _Edms(BaseHTTPRequestHandler):
    """A document system that takes JSON only, and says so."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for the first
    taken: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.headers["Hub-Message-Id"]
        wrong = self.headers["Content-Type"] != "application/json" or not body.startswith(b"{")
        answer = b'{"error": "JSON only"}' if wrong else json.dumps({"message_id": name, "status": "accepted"}).encode()
        if not wrong:
            self.taken.add(name)
        self.send_response(415 if wrong else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class _Calls:
    """Calls of a home's three roles."""

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        roles = ("ncc", "authority", "operator")
        self._keys = {role: (home / "keys" / f"{role}.key").read_text("ascii").strip() for role in roles}

    def __call__(self, method: str, path: str, role: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._keys[role]}", **options.pop("headers", {})}
        return requests.request(method, f"{self._url}{path}", headers=headers, timeout=60, **options)

    def failed(self) -> int:
        """How many dead letters there are."""
        groups = self("GET", "/v1/ops/groups", "operator").json()["groups"]
        return sum(group["count"] for group in groups if group["kind"] == "dead")


def _connect(home: Path, channel: dict[str, Any]) -> None:
    (home / "registry" / "bank.yaml").write_text(json.dumps({"channels": [{"authority": BODY, "channel": channel}]}))


@pytest.mark.slow
def test_a_lane_that_failed_is_delivered_in_five_calls(tmp_path: Path) -> None:
    """A wrong setting made every message of a lane a dead letter: understood from one group and one raw answer, mended
    in the file, previewed, ordered with new bytes, and all of it arrives.
    """
    count = 5_000 if os.environ.get("HUB_TEST_FORM") == "nightly" else 120
    _Edms.taken.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Edms)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    home = tmp_path / "home"
    make_home(Settings(home=home))
    settings = {
        "url": f"http://127.0.0.1:{server.server_port}/in",
        "format": "jws",
        "allow_http": True,
        "allow_private": ["127.0.0.0/8"],
        "receipt": "callback",
    }
    lane = {"rate_per_sec": 10_000, "batch": 500}
    channel = {"id": f"{BODY}.rest", "adapter": "rest", "settings": settings, "lane": lane}
    _connect(home, channel)
    running = Running(("up",), tmp_path / "log", HUB_HOME=str(home), HUB_LISTEN="127.0.0.1:0")
    call = _Calls(running.url, home)
    try:
        for start in range(0, count, 1_000):
            lines = [json.dumps(form(topics=["finance.banking"])) for _ in range(min(1_000, count - start))]
            body = "\n".join(lines).encode()
            sent = call("POST", "/v1/appeals/batch", "ncc", data=body, headers={"Content-Type": NDJSON})
            assert sent.status_code == 200, sent.text
        until(lambda: call.failed() == count, seconds=300, what="all dead")

        (group,) = [g for g in call("GET", "/v1/ops/groups", "operator").json()["groups"] if g["kind"] == "dead"]
        *_, attempt = call("GET", f"/v1/ops/deliveries/{group['example']}/attempts", "operator").json()["attempts"]
        _connect(home, {**channel, "settings": {**settings, "format": "json"}})
        order = {"act": "rebuild", "where": {"code": group["code"], "authority": BODY}, "reason": "they take JSON only"}
        seen = call("POST", "/v1/ops/acts", "operator", json=order).json()
        until(lambda: "is in force" in running.log.read_text("utf-8"), what="the mended registry")
        act = call("POST", "/v1/ops/acts", "operator", json=order | {"expected": seen["total"]})

        assert act.status_code == 202, act.text
        assert (group["count"], group["code"]) == (count, "answer.http_415")
        assert '{"error": "JSON only"}' in attempt["answered"]
        assert attempt["sent"] is not None
        until(lambda: len(_Edms.taken) == count, seconds=300, what="all delivered")
        path = f"/v1/ops/acts/{act.json()['id']}"
        until(lambda: call("GET", path, "operator").json()["state"] == "ended", what="the act's end")
        ended = call("GET", path, "operator").json()
        assert (ended["total"], ended["done"], ended["failed"]) == (count, count, 0)
        until(lambda: call("GET", "/v1/ops/groups", "operator").json()["groups"] == [], what="nothing is left")
    finally:
        running.stop()
        server.shutdown()
        server.server_close()


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
    as_json = {"Content-Type": "application/json"}
    call = _Calls(running.url, home)
    try:
        appeal = form(topics=["finance.banking"])
        appeal["applicant"]["contacts"] = {"phones": [PHONE]}
        case = call("POST", "/v1/appeals", "ncc", json=appeal).json()["case_id"]
        letter = "Шановний заявнику (тел. 067 111-22-33)! Кошти повернуто 20 листопада."
        refused = call("POST", "/v1/envelopes", "authority", data=letter.encode(), headers=as_json)
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
        asked = call("GET", "/v1/cases?phone=0671112233", "authority")
        assert (asked.status_code, asked.json()["faults"][0]["code"]) == (422, "parameter.role")
    finally:
        running.stop()
    for words in (PHONE, "Шевченко Оксана", case, done.json()["messages"][0]["message_id"]):
        rows = json.loads(hub("find", words, "--json", home=home).stdout)
        assert [row["case"] for row in rows] == [case], words
