"""Cases, timelines, messages, events and attachments: shown to whom they concern, to nobody else."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
import uuid
from typing import Any

import pytest

from hub.api.shares import Held
from hub.schemas.ids import CaseId, new_id
from tests.api.world import PLAIN, PULLER, World, answer, as_bytes, problem, registered, wait_until

CASE_PATHS = ("/v1/cases/{}", "/v1/cases/{}/timeline")


def _answered(world: World) -> tuple[str, str]:
    case = world.submit(reference="НЦ-77")
    for document in (
        registered(PLAIN, case["case_id"], case["message_id"]),
        (reply := answer(PLAIN, case["case_id"], case["message_id"], text="Текст відповіді.")),
    ):
        sent = world.call(
            "POST",
            f"/v1/callbacks/{PLAIN}.rest",
            "plain",
            data=as_bytes(document),
            headers={"Content-Type": "application/json"},
        )
        assert sent.status_code == 202, sent.text
    return case["case_id"], reply["header"]["message_id"]


@pytest.mark.parametrize("who", ["ncc", "operator"])
def test_the_owner_sees_the_whole_case(world: World, who: str) -> None:
    """State, number, deliveries and messages are there, and the answer's text can be read."""
    case, reply = _answered(world)
    document = world.call("GET", f"/v1/cases/{case}", who).json()
    assert document["case"]["state"] == "answered"
    assert world.call("GET", f"/v1/cases/{case.upper()}", who).json()["case"]["id"] == case
    assert document["case"]["reference"] == "НЦ-77"
    assert [d["authority"] for d in document["deliveries"]] == [PLAIN]
    assert [m["kind"] for m in document["messages"]].count("answer") == 1
    text = world.call("GET", f"/v1/cases/{case}/messages/{reply}", who).json()["body"]["text"]
    assert text == "Текст відповіді."


def test_an_authority_sees_its_part(world: World) -> None:
    """The authority sees its delivery and messages, not the centre's reference."""
    case, reply = _answered(world)
    document = world.call("GET", f"/v1/cases/{case}", "plain").json()
    assert document["case"]["reference"] is None
    assert {m["kind"] for m in document["messages"]} == {"appeal", "receipt", "answer"}
    assert world.call("GET", f"/v1/cases/{case}/messages/{reply}", "plain").status_code == 200
    entries = world.call("GET", f"/v1/cases/{case}/timeline", "plain").json()["entries"]
    assert {entry["authority"] for entry in entries} == {PLAIN}


@pytest.mark.parametrize("path", CASE_PATHS)
@pytest.mark.parametrize("who", ["other_ncc", "puller"])
def test_foreign_and_unknown_cases_look_alike(world: World, path: str, who: str) -> None:
    """A foreign case, an unknown one and no id at all give byte for byte the same answer."""
    case = world.submit()["case_id"]
    answers = {world.call("GET", path.format(i), who).content for i in (case, new_id(), "nonsense", case.upper())}
    assert len(answers) == 1
    problem(world.call("GET", path.format(case), who), 404, "case.unknown")


def test_the_timeline_tells_the_story(world: World) -> None:
    """The timeline is in order of time and has every step."""
    case, _ = _answered(world)
    document = world.call("GET", f"/v1/cases/{case}/timeline").json()
    codes = [entry["code"] for entry in document["entries"]]
    assert {"accepted_by_hub", "routed", "registered", "answered"} <= set(codes)
    assert [e["at"] for e in document["entries"]] == sorted(e["at"] for e in document["entries"])


def test_lists_page_and_filter(world: World) -> None:
    """The cursor leads through all cases, each once; filters keep what they say."""
    reference = f"НЦ-{uuid.uuid4()}"
    cases = {world.submit(reference=reference)["case_id"] for _ in range(3)}
    listed = world.call("GET", "/v1/cases", params={"reference": reference}).json()["cases"]
    assert {entry["id"] for entry in listed} == cases
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2, "reference": reference}
    while True:
        page = world.call("GET", "/v1/cases", params=params).json()
        seen += [entry["id"] for entry in page["cases"]]
        if page["cursor"] is None:
            break
        params["after"] = page["cursor"]
    assert sorted(seen) == sorted(cases)
    assert world.call("GET", "/v1/cases?state=nowhere").json() == {"cases": [], "cursor": None}


def test_lists_keep_parties_apart(world: World) -> None:
    """Nobody finds another party's case in a list."""
    reference = f"НЦ-{uuid.uuid4()}"
    case = world.submit(reference=reference)["case_id"]
    assert world.call("GET", "/v1/cases", "other_ncc", params={"reference": reference}).json()["cases"] == []
    for who in ("plain", "puller"):
        found = world.call("GET", "/v1/cases", who, params={"order": "newest", "limit": "200"}).json()["cases"]
        assert case not in {each["id"] for each in found}
    mine = world.call("GET", "/v1/cases?limit=200", "puller").json()["cases"]
    assert case not in {entry["id"] for entry in mine}
    waiting = world.submit(topics=["unheard-of"], reference=reference)["case_id"]
    found = world.call("GET", "/v1/cases", params={"reference": reference, "needs_operator": "true"}).json()["cases"]
    assert [entry["id"] for entry in found] == [waiting]


def test_a_case_that_went_elsewhere_tells_nothing(world: World) -> None:
    """A body that redirected a case sees that it is elsewhere: not where, not its state, not even by a filter."""
    case = world.submit()
    path, heads = "/v1/callbacks/{}", {"Content-Type": "application/json"}
    mine = registered(PLAIN, case["case_id"], case["message_id"])
    world.call("POST", path.format(f"{PLAIN}.rest"), "plain", data=as_bytes(mine), headers=heads)
    world.call("POST", f"/v1/ops/cases/{case['case_id']}/assign", "operator", json={"authority": PULLER})
    message = str(world.store.deliveries(CaseId(uuid.UUID(case["case_id"])))[1].message_id)
    receipt = registered(PULLER, case["case_id"], message)
    sent = world.call("POST", path.format(f"{PULLER}.pull"), "puller", data=as_bytes(receipt), headers=heads)
    assert sent.status_code == 202, sent.text
    seen = world.call("GET", f"/v1/cases/{case['case_id']}", "plain").json()
    assert (seen["case"]["state"], seen["case"]["authority"], seen["case"]["number"]) == ("elsewhere", None, None)
    assert {d["authority"] for d in seen["deliveries"]} == {PLAIN}
    listed = world.call("GET", "/v1/cases?state=registered&limit=200", "plain").json()["cases"]
    assert case["case_id"] not in {entry["id"] for entry in listed}
    assert world.call("GET", f"/v1/cases/{case['case_id']}", "puller").json()["case"]["state"] == "registered"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "query/limit"),
        ("limit=201", "query/limit"),
        ("limit=many", "query/limit"),
        ("after=secret-value", "query/after"),
        ("needs_operator=perhaps", "query/needs_operator"),
        ("stat=new", "query"),
        ("limit=1&limit=2", "query"),
    ],
)
def test_wrong_parameters_are_named(world: World, query: str, pointer: str) -> None:
    """Every wrong, unknown or repeated parameter is refused by name and never quoted."""
    response = world.call("GET", f"/v1/cases?{query}")
    assert problem(response, 422, "input.parameters")["faults"][0]["pointer"] == pointer
    assert "secret-value" not in response.text


def _last_cursor(world: World) -> str:
    cursor = None
    while True:
        page = world.call("GET", "/v1/events", params={"limit": 500, **({"after": cursor} if cursor else {})}).json()
        if not page["events"]:
            assert page["cursor"]
            return str(page["cursor"])
        cursor = page["cursor"]


def test_events_follow_the_cursor(world: World) -> None:
    """After a cursor come the new events of one's own cases, in order, and nobody else's."""
    world.submit()
    start = _last_cursor(world)
    case = world.submit()["case_id"]
    foreign = world.submit("other_ncc")["case_id"]
    events = world.call("GET", "/v1/events", params={"after": start, "limit": 500}).json()["events"]
    assert [e["type"] for e in events if e["case_id"] == case] == ["case.accepted_by_hub", "case.routed"]
    assert foreign not in {e["case_id"] for e in events}
    assert [e["cursor"] for e in events] == sorted(e["cursor"] for e in events)
    every = world.call("GET", "/v1/events", "operator", params={"after": start, "limit": 500}).json()["events"]
    assert {case, foreign} <= {e["case_id"] for e in every}


def test_the_long_poll_answers_with_the_event(world: World) -> None:
    """A waiting call returns when something happens, long before its time is over."""
    world.submit()
    start = _last_cursor(world)
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(world.call("GET", "/v1/events", params={"after": start, "wait": 30}))
    )
    began = time.monotonic()
    waiting.start()
    case = world.submit()["case_id"]
    waiting.join(25)
    assert time.monotonic() - began < 20
    assert case in {event["case_id"] for event in answers[0].json()["events"]}


@pytest.mark.parametrize("who", ["ncc", "plain", "operator"])
def test_from_now_tells_a_cursor_and_no_event(world: World, who: str) -> None:
    """`after=now` answers at once with the cursor behind all that there is; what comes later stands behind it."""
    world.submit()
    page = world.call("GET", "/v1/events", who, params={"after": "now"}).json()
    assert page["events"] == []
    case = world.submit()["case_id"]
    later = world.call("GET", "/v1/events", "operator", params={"after": page["cursor"], "limit": 500}).json()
    assert {event["case_id"] for event in later["events"]} == {case}


def test_a_long_poll_from_now_waits_for_the_next(world: World) -> None:
    """With `wait`, `after=now` brings what happens after the call began and nothing from before."""
    before = world.submit()["case_id"]
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(world.call("GET", "/v1/events", params={"after": "now", "wait": 30}))
    )
    waiting.start()
    wait_until(lambda: world.shares.held(Held.WAITS) or answers)
    while waiting.is_alive():  # the place of now is read in a thread: only what comes after it wakes the caller
        world.submit()
        waiting.join(0.2)
    heard = {event["case_id"] for event in answers[0].json()["events"]}
    assert heard
    assert before not in heard


def test_the_long_poll_ends(world: World) -> None:
    """Without events the answer comes after the asked time, empty, with a cursor to go on from."""
    world.submit()
    start = _last_cursor(world)
    page = world.call("GET", "/v1/events", "other_ncc", params={"after": start, "wait": 1}).json()
    assert page["events"] == []


def _upload(world: World, content: bytes, who: str = "ncc", path: str = "/v1/attachments", **headers: str) -> Any:
    return world.call("POST", path, who, data=content, headers={"Content-Type": "application/pdf", **headers})


def test_a_file_goes_in_and_out(world: World) -> None:
    """An uploaded file is named by its SHA-256 and comes back byte for byte, to be saved, never shown."""
    content = b"%PDF-1.4 " + uuid.uuid4().bytes * 10_000
    sha256 = hashlib.sha256(content).hexdigest()
    response = _upload(world, content)
    assert response.status_code == 201
    assert response.json() == {"sha256": sha256, "size": len(content)}
    download = world.call("GET", response.headers["Location"])
    assert download.content == content
    assert download.headers["Content-Type"] == "application/pdf"
    assert download.headers["Content-Disposition"].startswith("attachment;")
    assert download.headers["X-Content-Type-Options"] == "nosniff"


def test_files_are_for_those_they_were_granted_to(world: World) -> None:
    """A foreign file and an unknown one look alike; the addressee and the operator may read."""
    content = uuid.uuid4().bytes
    sha256 = _upload(world, content).json()["sha256"]
    foreign = world.call("GET", f"/v1/attachments/{sha256}", "plain")
    problem(foreign, 404, "attachment.unknown")
    assert foreign.content == world.call("GET", f"/v1/attachments/{'0' * 64}", "plain").content
    assert foreign.content == world.call("GET", "/v1/attachments/nonsense", "plain").content
    entry = {"sha256": sha256, "size": len(content), "media_type": "application/pdf", "name": "a.pdf"}
    world.submit(attachments=[entry])
    assert world.call("GET", f"/v1/attachments/{sha256}", "plain").content == content
    assert world.call("GET", f"/v1/attachments/{sha256}", "operator").content == content


def test_a_file_is_the_one_announced(world: World) -> None:
    """A wrong SHA-256 or Content-Digest is refused; the right ones pass."""
    content = uuid.uuid4().bytes
    digest = hashlib.sha256(content).digest()
    right = f"sha-256=:{base64.b64encode(digest).decode()}:"
    wrong = f"sha-256=:{base64.b64encode(hashlib.sha256(b'x').digest()).decode()}:"
    problem(_upload(world, content, **{"Content-Digest": wrong}), 422, "attachment.digest")
    problem(_upload(world, content, path=f"/v1/attachments?sha256={'0' * 64}"), 422, "attachment.digest")
    problem(_upload(world, content, **{"Content-Digest": "md5=:AAAA:"}), 422, "input.parameters")
    path = f"/v1/attachments?sha256={digest.hex()}"
    assert _upload(world, content, path=path, **{"Content-Digest": right}).status_code == 201


def test_a_file_needs_a_type(world: World) -> None:
    """A media type that is none is refused."""
    problem(_upload(world, b"x", **{"Content-Type": "pdf"}), 415, "input.media_type")
