"""Personal data and secrets that were planted appear in no log line, no error and no figure."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from hub.logs import JsonFormatter
from tests.api.world import PLAIN, World, answer, as_bytes, form, registered

CANARY = "Канарейка"
ASCII_CANARY = "canary77"


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(("urllib3", "charset_normalizer")):  # the test's own client, not the hub
            self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Any:
    """All log lines of a test, as a hub in production writes them."""
    handler, root = _Lines(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(before)


def _planted() -> dict[str, Any]:
    return form(
        text=CANARY,
        reference=CANARY,
        subject=CANARY,
        place_text=CANARY,
        applicant={
            "type": "individual",
            "name": {"surname": CANARY, "given": CANARY},
            "address": {"text": CANARY},
            "contacts": {"phones": ["+380 44 700 77 77"], "emails": [f"{ASCII_CANARY}@example.com"]},
        },
    )


def test_planted_data_stays_where_it_belongs(world: World, lines: list[str]) -> None:
    """Good and bad calls of every kind: nothing of what they carry is logged, counted or quoted."""
    heads = {"Content-Type": "application/json"}
    good = world.call("POST", "/v1/appeals", json=_planted(), headers={"Idempotency-Key": ASCII_CANARY}).json()
    bad = _planted() | {"kind": CANARY, "surprise": CANARY, "received_at": ASCII_CANARY, "topics": [CANARY]}
    callback = f"/v1/callbacks/{PLAIN}.rest"
    receipt = registered(PLAIN, good["case_id"], good["message_id"], number=CANARY)
    refusals = [
        world.call("POST", "/v1/appeals", data=as_bytes(bad), headers=heads),
        world.call("POST", "/v1/appeals", data=CANARY.encode(), headers=heads),
        world.call("POST", "/v1/appeals/batch", data=as_bytes(bad), headers={"Content-Type": "application/x-ndjson"}),
        world.call("POST", "/v1/appeals", json=_planted() | {"text": "x"}, headers={"Idempotency-Key": ASCII_CANARY}),
        world.call("POST", "/v1/appeals", json=form(), headers={"Idempotency-Key": f"{ASCII_CANARY} x"}),
        world.call("POST", callback, "plain", data=f"<a>{CANARY}</b>".encode(), headers={"Content-Type": "text/xml"}),
        world.call("POST", callback, "plain", data=as_bytes({**receipt, "kind": CANARY}), headers=heads),
        world.call("POST", f"/v1/callbacks/{ASCII_CANARY}", "plain", data=as_bytes(receipt), headers=heads),
        world.call("POST", f"/v1/attachments?sha256={ASCII_CANARY}", data=b"x", headers={"Content-Type": "a/b"}),
        world.call("GET", f"/v1/cases?{ASCII_CANARY}={ASCII_CANARY}"),
        world.call("GET", f"/v1/cases?limit={ASCII_CANARY}"),
        world.call("GET", f"/v1/cases/{ASCII_CANARY}"),
        world.call("GET", f"/{ASCII_CANARY}"),
        world.call("GET", "/v1/cases", None, headers={"Authorization": f"Bearer hub_{ASCII_CANARY}_{ASCII_CANARY}"}),
        world.call("GET", "/v1/cases", None, headers={"Authorization": f"Bearer {ASCII_CANARY}.a.b"}),
    ]
    for document in (receipt, answer(PLAIN, good["case_id"], good["message_id"], text=CANARY)):
        assert world.call("POST", callback, "plain", data=as_bytes(document), headers=heads).status_code == 202
    timeline = world.call("GET", f"/v1/cases/{good['case_id']}/timeline", "operator")
    told = [r.text for r in refusals] + [json.dumps(dict(r.headers)) for r in refusals]
    told += [world.call("GET", "/metrics", None).text, *lines]
    assert all(r.status_code in (200, 400, 401, 404, 409, 422) for r in refusals), [r.status_code for r in refusals]
    for text in told:
        assert CANARY not in text
        assert json.dumps(CANARY)[1:-1] not in text
        assert ASCII_CANARY not in text
        assert "700 77 77" not in text
        assert not any(token in text for token in world.tokens.values())
    assert timeline.status_code == 200
    assert any('"event": "call"' in line for line in lines)
