"""Lists, counts, exports, streams, campaigns, reports and webhooks over HTTP."""

from __future__ import annotations

import csv
import io
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.api.listing import cell
from hub.schemas.kyiv import kyiv_day
from tests.api.world import PLAIN, World, answer, as_bytes, problem, wait_until

LVIV_CITY = "UA46060250010015970"
LVIV_OBLAST = "UA46000000000026241"
TODAY = kyiv_day(datetime.now(UTC)).isoformat()
TOMORROW = kyiv_day(datetime.now(UTC) + timedelta(days=1)).isoformat()  # a run may go over midnight


def _ids(response: requests.Response) -> set[str]:
    assert response.status_code == 200, response.text
    return {case["id"] for case in response.json()["cases"]}


def _follow(world: World) -> None:
    """The follower looks at everything."""
    while world.hub.following.follower.step():
        pass


def test_filters_work_together(world: World) -> None:
    """Territory with all below it, topic, kind, channel and period: all that are given must hold."""
    reference = f"НЦ-{uuid.uuid4()}"
    lviv = world.submit(place=LVIV_CITY, reference=reference, kind="proposal")["case_id"]
    other = world.submit(reference=reference, topics=["water"], channel="phone")["case_id"]
    both = {lviv, other}

    def found(**params: str) -> set[str]:
        return _ids(world.call("GET", "/v1/cases", params={"reference": reference, **params}))

    assert found() == found(territory="UA") == found(**{"from": TODAY, "to": TOMORROW}) == both
    assert found(territory=LVIV_OBLAST) == found(kind="proposal") == found(topic="roads") == {lviv}
    assert found(topic="water") == found(channel="phone") == {other}
    assert found(topic="water", territory=LVIV_OBLAST) == found(overdue="true") == set()
    assert found(authority=PLAIN) == {lviv}
    assert found(to="2026-01-01") == set()
    newest = world.call("GET", "/v1/cases", params={"reference": reference, "order": "newest"}).json()["cases"]
    assert [case["id"] for case in newest] == sorted(both, reverse=True)


def test_counts_are_those_of_the_list(world: World) -> None:
    """Counts take the same filters and add up to what is listed."""
    reference = f"НЦ-{uuid.uuid4()}"
    for topic in ("roads", "roads", "water"):
        world.submit(reference=reference, topics=[topic], place=LVIV_CITY)
    params = {"reference": reference, "by": "topic"}
    assert world.call("GET", "/v1/cases/counts", params=params).json() == {
        "by": "topic",
        "total": 3,
        "counts": {"roads": 2, "water": 1},
    }
    params["by"] = "territory"
    assert world.call("GET", "/v1/cases/counts", params=params).json()["counts"] == {"UA46": 3}
    assert world.call("GET", "/v1/cases/counts", "other_ncc", params=params).json()["total"] == 0


@pytest.mark.parametrize("text", ["=1+1", "+380", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute is shown as text."""
    assert cell(text) == f"'{text}"
    assert cell("звичайний текст") == "звичайний текст"


@pytest.mark.slow
def test_the_export_is_whole_and_harmless(world: World) -> None:
    """The CSV has a header, every case of the filter and no formula, more cases than a page holds included."""
    reference = f"=cmd|'/c calc'!A{uuid.uuid4().hex[:6]}"
    batch = "\n".join(json.dumps(_form(reference)) for _ in range(600))
    sent = world.call(
        "POST", "/v1/appeals/batch", data=batch.encode(), headers={"Content-Type": "application/x-ndjson"}
    )
    assert sent.status_code == 200, sent.text
    response = world.call("GET", "/v1/cases.csv", params={"reference": reference})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len({row["id"] for row in rows}) == 600
    assert {row["reference"] for row in rows} == {f"'{reference}"}
    assert {row["state"] for row in rows} == {"routed"}


def _form(reference: str) -> dict[str, Any]:
    from tests.api.world import form

    return form(reference=reference)


def _stream(world: World, **options: Any) -> requests.Response:
    return world.call("GET", "/v1/events/stream", stream=True, **options)


def _read(url: str, token: str, headers: dict[str, str], wanted: str, got: list[dict[str, str]]) -> None:
    """Read a stream as a browser would until an event about a case came."""
    with requests.Session() as session:
        session.trust_env = False
        with session.get(
            f"{url}/v1/events/stream", headers={"Authorization": f"Bearer {token}", **headers}, stream=True, timeout=30
        ) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            event: dict[str, str] = {}
            for raw in response.iter_lines(chunk_size=1):
                name, _, value = raw.decode().partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:
                    got.append(event)
                    if wanted in event["data"]:
                        return
                    event = {}
                else:
                    event = {}


@pytest.mark.slow
def test_the_stream_tells_what_happens(world: World) -> None:
    """Server-sent events bring each event with its cursor as id; Last-Event-ID goes on behind it."""
    world.submit()
    start = _last(world)
    got: list[dict[str, str]] = []
    began = len(got)
    thread = threading.Thread(
        target=_read, args=(world.url, world.tokens["ncc"], {"Last-Event-ID": start}, '"case.routed"', got), daemon=True
    )
    thread.start()
    case = world.submit()["case_id"]
    foreign = world.submit("other_ncc")["case_id"]
    thread.join(25)
    assert not thread.is_alive()
    mine = [event for event in got[began:] if case in event["data"]]
    assert [event["event"] for event in mine] == ["case.accepted_by_hub", "case.routed"]
    assert json.loads(mine[0]["data"])["cursor"] == mine[0]["id"] > start
    assert all(foreign not in event["data"] for event in got)
    again: list[dict[str, str]] = []
    _read(world.url, world.tokens["ncc"], {"Last-Event-ID": mine[0]["id"]}, '"case.routed"', again)
    assert again[0]["id"] == mine[1]["id"]


def test_a_stream_from_now_can_be_taken_up_again(world: World) -> None:
    """A stream that begins with `after=now` says its place first: a break before the first event loses nothing."""
    before = world.submit()["case_id"]
    with _stream(world, params={"after": "now"}) as response:
        lines = response.iter_lines(chunk_size=1)
        place = next(line.decode() for line in lines if line.startswith(b"id: "))
    missed = world.submit()["case_id"]
    got: list[dict[str, str]] = []
    _read(world.url, world.tokens["ncc"], {"Last-Event-ID": place.removeprefix("id: ")}, '"case.routed"', got)
    assert all(missed in event["data"] for event in got)
    assert before not in str(got)


def test_a_stream_refuses_what_is_no_cursor(world: World) -> None:
    """A made-up Last-Event-ID is refused before anything is streamed."""
    problem(_stream(world, headers={"Last-Event-ID": "x y"}), 422, "cursor.invalid")
    problem(_stream(world, params={"after": "nonsense"}), 422, "cursor.invalid")


def _last(world: World) -> str:
    cursor = None
    while True:
        page = world.call("GET", "/v1/events", params={"limit": 500, **({"after": cursor} if cursor else {})}).json()
        if not page["events"]:
            return str(page["cursor"])
        cursor = page["cursor"]


def test_too_old_a_cursor_is_told(world: World) -> None:
    """A cursor before the events that are still given out is 410, not silence; without one reading begins there."""
    world.submit()
    old = world.call("GET", "/v1/events", "operator", params={"limit": 1}).json()["cursor"]
    world.submit()
    pruning = world.hub.following.pruning
    floor = pruning.floor()
    try:
        assert pruning.raise_floor(datetime.now(UTC) + timedelta(seconds=1), 2) == 2
        problem(world.call("GET", "/v1/events", params={"after": old}), 410, "cursor.expired")
        problem(_stream(world, params={"after": old}), 410, "cursor.expired")
        page = world.call("GET", "/v1/events", "operator", params={"limit": 1}).json()
        assert page["events"][0]["cursor"] > old
    finally:
        with world.hub.following.insights.database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM followers WHERE name = 'events-floor'")
        assert pruning.floor() is None or floor is not None


@pytest.mark.slow
def test_campaigns_and_likeness_are_shown(world: World) -> None:
    """A campaign is a group with its members; a repeat names the earlier case; strangers see neither."""
    text = (
        f"На вулиці {uuid.uuid4().hex} навпроти школи глибока яма, діти бояться переходити дорогу, машини об'їжджають."
    )
    crowd = {
        world.submit(text=text, applicant=_person(f"Прізвище{chr(1072 + n)}", f"+38050000000{n}"))["case_id"]
        for n in range(10)
    }
    again = world.submit(text=text, applicant=_person("Прізвищеа", "+380500000000"))["case_id"]
    _follow(world)
    groups = world.call("GET", "/v1/groups").json()["groups"]
    (mine,) = [group for group in groups if group["id"] in crowd]
    assert mine["size"] == 10
    assert _ids(world.call("GET", "/v1/cases", params={"group": mine["id"]})) == crowd
    assert world.call("GET", "/v1/groups", "other_ncc").json()["groups"] == []
    seen = world.call("GET", f"/v1/cases/{again}/likeness").json()
    assert (seen["sign"], seen["of_case"] in crowd, seen["looked"]) == ("duplicate", True, True)
    problem(world.call("GET", f"/v1/cases/{again}/likeness", "other_ncc"), 404, "case.unknown")
    timeline = world.call("GET", f"/v1/cases/{again}/timeline").json()["entries"]
    assert "linked" in {entry["code"] for entry in timeline}
    problem(world.call("GET", "/v1/cases", "plain", params={"group": mine["id"]}), 422, "input.parameters")


HIDDEN = {
    "applicant": "Шевченко",
    "phone": "+380501112233",
    "email": "a@example.org",
    "registered": "1",
    "message": "0195e1a0-0000-7000-8000-000000000001",
    "external": "x-1",
    "code": "http.timeout",
    "needs_operator": "true",
    "reference": "НЦ-1",
    "number": "НЦ-2",
    "authority": "00032106",
    "group": "0195e1a0-0000-7000-8000-000000000001",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/cases", "/v1/cases/counts", "/v1/cases.csv"])
def test_filters_that_a_body_may_not_use_are_refused_by_name(world: World, path: str) -> None:
    """None is ignored and none finds nothing in silence: each is named, together with the others; what it may use
    goes on, and each filter of the list is one or the other."""
    for name, value in HIDDEN.items():
        document = problem(
            world.call("GET", path, "plain", params={name: value, "state": "sent"}), 422, "input.parameters"
        )
        assert [(f["pointer"], f["code"]) for f in document["faults"]] == [(f"query/{name}", "parameter.role")]
    both = problem(world.call("GET", path, "plain", params=dict(list(HIDDEN.items())[:3])), 422, "input.parameters")
    assert len(both["faults"]) == 3
    own = {"state": "sent", "overdue": "true", "territory": "UA", "topic": "roads", "kind": "complaint"}
    own |= {"channel": "web", "from": "2026-01-01", "to": "2026-01-02"}
    assert world.call("GET", path, "plain", params=own).status_code == 200
    document = world.call("GET", "/openapi.json").json()["paths"][path]["get"]
    names = {each["name"] for each in document["parameters"] if each["in"] == "query"}
    assert names - set(own) - {"after", "limit", "order", "by"} == set(HIDDEN)


def test_a_report_of_a_body_is_of_itself(world: World) -> None:
    """The filter by body, that was ignored for it, is refused."""
    path, params = "/v1/reports/volumes", {"authority": "00032106"}
    problem(world.call("GET", path, "plain", params=params), 422, "input.parameters")
    assert world.call("GET", path, "plain").status_code == 200
    assert world.call("GET", path, params=params).status_code == 200


def _person(surname: str, phone: str) -> dict[str, Any]:
    return {
        "type": "individual",
        "name": {"surname": surname, "given": "Оксана"},
        "address": {"territory": LVIV_CITY},
        "contacts": {"phones": [phone]},
    }


def test_reports_count_what_happened(world: World) -> None:
    """Volumes, terms and flags by body, topic and territory, as JSON and as CSV, of one's own cases."""
    case = world.submit(topics=["roads"], place=LVIV_CITY)
    reply = answer(PLAIN, case["case_id"], case["message_id"], text="Ваше звернення надіслано за належністю.")
    heads = {"Content-Type": "application/json"}
    assert world.call("POST", f"/v1/callbacks/{PLAIN}.rest", "plain", data=as_bytes(reply), headers=heads).ok
    _follow(world)
    _follow(world)
    terms = world.call("GET", "/v1/reports/terms", params={"by": "authority", "from": TODAY}).json()
    (line,) = [line for line in terms["lines"] if line["key"] == PLAIN]
    assert line["name"] == f"Орган {PLAIN}"
    assert line["values"]["answered"] >= 1
    assert terms["behind_since"] is None
    formal = world.call("GET", "/v1/reports/formal-answers", params={"by": "territory", "territory": LVIV_OBLAST})
    (lviv,) = formal.json()["lines"]
    assert (lviv["key"], lviv["name"], lviv["values"]["flagged"] >= 1) == ("UA46", "Львівська", True)
    scored = world.call("GET", f"/v1/cases/{case['case_id']}/likeness").json()["answers"][0]
    assert scored["flagged"]
    assert "only_forwarded" in scored["reasons"]
    table = world.call("GET", "/v1/reports/volumes", params={"by": "week", "format": "csv"})
    assert table.content.decode("utf-8-sig").startswith("week,name,cases,")
    assert (
        world.call("GET", "/v1/reports/volumes", "other_ncc", params={"authority": PLAIN, "to": "2026-01-01"}).json()[
            "lines"
        ]
        == []
    )
    assert world.call("GET", "/v1/reports/surges").json()["surges"] == []
    problem(world.call("GET", "/v1/reports/nonsense"), 422, "input.parameters")
    problem(world.call("GET", "/v1/reports/volumes", params={"from": "2026-02-30"}), 422, "input.parameters")


def test_operators_see_and_steer_webhooks(world: World) -> None:
    """The endpoints of the file are listed with their health; unknown names are 404; orders are read strictly."""
    file = world.home / "webhooks.yaml"
    file.write_text(
        json.dumps({"endpoints": [{"id": "front", "url": "https://example.org/h", "secrets": ["env:HUB_HOOK"]}]})
    )
    try:
        wait_until(lambda: world.call("GET", "/v1/ops/webhooks", "operator").json()["webhooks"])
        (hook,) = world.call("GET", "/v1/ops/webhooks", "operator").json()["webhooks"]
        assert (hook["id"], hook["state"], hook["waiting"]) == ("front", "on", 0)
        now = datetime.now(UTC)
        queue = world.hub.following.queue
        taken = queue.acquire_endpoint("front", owner="test", now=now, lease_until=now)
        assert taken is not None
        queue.save_endpoint(type(taken)(id="front", disabled_at=now, reason="answer.http_410"))
        assert world.call("GET", "/v1/ops/webhooks", "operator").json()["webhooks"][0]["state"] == "off"
        assert world.call("POST", "/v1/ops/webhooks/front/enable", "operator").json()["state"] == "on"
        moved = world.call("POST", "/v1/ops/webhooks/front/replay", "operator", json={"from_start": True})
        assert moved.json()["cursor"] is None
        problem(world.call("POST", "/v1/ops/webhooks/other/enable", "operator"), 404, "webhook.unknown")
        wrong = world.call("POST", "/v1/ops/webhooks/front/replay", "operator", json={"everything": True})
        assert wrong.status_code == 422
    finally:
        Path(file).unlink()
