"""The journal and the holding pen over HTTP: what came in is seen, read, and decided by people in one call."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from hub.delivery.journal import Origin
from hub.ports import RawInbound
from hub.schemas.delivery import (
    Attempt,
    AttemptEnd,
    Change,
    DeliveryUpdate,
    FactKind,
    OutcomeKind,
    Source,
    TransportState,
)
from hub.schemas.ids import AttemptId, CaseId, new_id
from hub.schemas.journal import Door
from hub.tracking.state import State
from tests.api.world import PLAIN, World, answer, problem, registered, wait_until

CHANNEL = f"{PLAIN}.rest"
CALLBACK = f"/v1/callbacks/{CHANNEL}"
JSON = {"Content-Type": "application/json"}
FINAL = {"stage": "final", "result": "explained", "number": "17/2", "date": "2026-03-10"}


def _garbage(world: World) -> dict[str, Any]:
    """Something from a known body that cannot be read; its entry."""
    body = f'{{"answer": "{uuid.uuid4()}", "password": "tuZvjL4Pq9sX"}}'.encode()
    response = world.call("POST", CALLBACK, "plain", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    return _newest(world)


def _mail(world: World, text: str, subject: str = "Щодо звернення") -> dict[str, Any]:
    """A mail that could not be taken in; its entry."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "clerk@city.example", "hub@hub.example", subject
    mail.set_content(text)
    mail.add_attachment(b"%PDF-1.4 scan", maintype="application", subtype="pdf", filename="відповідь.pdf")
    raw = RawInbound(content_type="message/rfc822", body=mail.as_bytes())
    origin = Origin(door=Door.COLLECT, channel_id="mailbox")
    world.hub.receiver.hold(raw, origin, verdict="mail.no_token", detail=subject)
    return _newest(world)


def _newest(world: World) -> dict[str, Any]:
    found: list[dict[str, Any]] = world.call("GET", "/v1/ops/pen?limit=1", "operator").json()["entries"]
    return found[0]


def _state(world: World, case: str) -> str:
    row = world.store.case(CaseId(uuid.UUID(case)))
    assert row is not None
    return row.state


def _facts(world: World, case: str, kind: FactKind) -> list[Any]:
    return [fact for fact in world.store.facts(CaseId(uuid.UUID(case))) if fact.kind is kind]


def _attach(world: World, entry: dict[str, Any], *cases: str, **more: Any) -> Any:
    order = {"cases": [{"case_id": case, "authority": PLAIN} for case in cases], "reason": "by the subject", **more}
    return world.call("POST", f"/v1/ops/inbound/{entry['id']}/attach", "operator", json=order)


def test_a_refused_callback_waits_in_the_pen_with_its_bytes(world: World) -> None:
    """It is listed with door, verdict, digest and a due date, found by each filter, and read without its password."""
    entry = _garbage(world)
    assert (entry["door"], entry["custody"], entry["authority"]) == ("callback", "held", PLAIN)
    assert (entry["channel_id"], entry["cuts"], entry["count"]) == (CHANNEL, 1, 1)
    assert entry["due_at"] > entry["received_at"]
    for query in (
        f"channel={CHANNEL}",
        f"authority={PLAIN}",
        "custody=held",
        "door=callback",
        f"sha256={entry['sha256']}",
        f"code={entry['verdict'].partition('.')[0]}",
        f"from={entry['received_at'][:10]}",
    ):
        listed = world.call("GET", f"/v1/ops/inbound?limit=200&{query}", "operator").json()["entries"]
        assert entry["id"] in [each["id"] for each in listed], query
    raw = world.call("GET", f"/v1/ops/inbound/{entry['id']}/raw", "operator")
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert b'"password": "[cut]"' in raw.content
    assert b"tuZvjL4Pq9sX" not in raw.content


def test_what_was_taken_in_is_in_the_journal_too(world: World) -> None:
    """An accepted receipt is attached to its case and gives back the bytes that came; a repeat is noted."""
    accepted = world.submit()
    document = registered(PLAIN, accepted["case_id"], accepted["message_id"])
    for _ in range(2):
        assert world.call("POST", CALLBACK, "plain", json=document).status_code == 202
    listed = world.call("GET", f"/v1/ops/inbound?case={accepted['case_id']}", "operator").json()["entries"]
    assert sorted((each["custody"], each["verdict"]) for each in listed) == [
        ("attached", "accepted"),
        ("noted", "repeat"),
    ]
    for each in listed:
        raw = world.call("GET", f"/v1/ops/inbound/{each['id']}/raw", "operator")
        assert raw.json()["header"]["message_id"] == document["header"]["message_id"]


def test_a_mail_is_attached_as_the_final_answer_in_one_call(world: World) -> None:
    """State, text and files follow as if the body had said it; the fact says who said so, why, and on what it rests."""
    case = world.submit()["case_id"]
    entry = _mail(world, "Доброго дня! Яму засипано 9 березня.")
    response = _attach(world, entry, case, statement={"answer": FINAL})
    assert response.status_code == 200, response.text
    decided = response.json()
    assert (decided["entry"]["custody"], decided["entry"]["case_id"]) == ("decided", case)
    assert _state(world, case) == State.ANSWERED
    (fact,) = _facts(world, case, FactKind.ANSWERED)
    assert (fact.source, fact.authority, fact.data["rests_on"]) == (Source.OPERATOR, PLAIN, entry["id"])
    assert fact.data["why"] == "by the subject"
    assert fact.data["by"]
    (made,) = decided["messages"]
    message = world.call("GET", f"/v1/cases/{case}/messages/{made['message_id']}", "ncc").json()
    assert "Яму засипано" in message["body"]["text"]
    (file,) = message["attachments"]
    got = world.call("GET", f"/v1/attachments/{file['sha256']}", "ncc")
    assert (file["name"], got.content) == ("відповідь.pdf", b"%PDF-1.4 scan")
    pen = world.call("GET", "/v1/ops/pen?limit=200", "operator").json()["entries"]
    assert entry["id"] not in [each["id"] for each in pen]


def test_one_mail_may_answer_two_cases(world: World) -> None:
    """Attached to both, it stands at both; corrected later, it says no more at either."""
    cases = [world.submit()["case_id"] for _ in range(2)]
    entry = _mail(world, "Відповідь на два звернення.")
    assert _attach(world, entry, *cases, statement={"answer": FINAL}).status_code == 200
    assert [_state(world, case) for case in cases] == [State.ANSWERED] * 2
    for case in cases:
        listed = world.call("GET", f"/v1/ops/inbound?case={case}", "operator").json()["entries"]
        assert entry["sha256"] in [each["sha256"] for each in listed]
    order = {"reason": "an advertisement after all", "again": True}
    response = world.call("POST", f"/v1/ops/inbound/{entry['id']}/dismiss", "operator", json=order)
    assert response.status_code == 200, response.text
    assert [_state(world, case) for case in cases] == [State.ROUTED] * 2


def test_an_answer_at_the_wrong_case_is_moved(world: World) -> None:
    """A body answered the wrong case: attached to the right one, the answer stands there and no longer here."""
    wrong, right = (world.submit() for _ in range(2))
    document = answer(PLAIN, wrong["case_id"], wrong["message_id"])
    assert world.call("POST", CALLBACK, "plain", json=document).status_code == 202
    assert _state(world, wrong["case_id"]) == State.ANSWERED
    query = f"/v1/ops/inbound?case={wrong['case_id']}"
    (entry,) = world.call("GET", query, "operator").json()["entries"]
    response = _attach(world, entry, right["case_id"], statement={"answer": {**FINAL, "text": "Яму полагоджено."}})
    assert response.status_code == 200, response.text
    assert _state(world, right["case_id"]) == State.ANSWERED
    assert _state(world, wrong["case_id"]) == State.ROUTED
    corrected = _facts(world, wrong["case_id"], FactKind.CORRECTED)
    assert sorted(fact.data["what"] for fact in corrected) == ["answered", "delivered"]
    events = world.store.events(after=None, limit=100_000)
    assert "case.corrected" in [event.type for event in events if str(event.case_id) == wrong["case_id"]]


def test_who_comes_second_is_told(world: World) -> None:
    """An entry that was decided is decided again only on purpose."""
    case = world.submit()["case_id"]
    entry = _mail(world, "Відповідь.")
    assert _attach(world, entry, case).status_code == 200
    assert _state(world, case) == State.ROUTED
    problem(_attach(world, entry, case, statement={"answer": FINAL}), 409, "inbound.decided")
    assert _attach(world, entry, case, statement={"answer": FINAL}, again=True).status_code == 200
    assert _state(world, case) == State.ANSWERED


@pytest.mark.parametrize(
    ("statement", "pointer"),
    [
        ({}, "/statement"),
        ({"answer": FINAL, "receipt": {"status": "accepted"}}, "/statement"),
        ({"answer": {**FINAL, "date": "yesterday"}}, "/statement/answer/date"),
        ({"receipt": {"status": "registered"}}, "/statement/receipt"),
    ],
)
def test_faults_of_a_decision_are_named(world: World, statement: dict[str, Any], pointer: str) -> None:
    """422 names the place, and nothing is decided."""
    case = world.submit()["case_id"]
    entry = _mail(world, "Відповідь.")
    response = _attach(world, entry, case, statement=statement)
    assert response.status_code == 422
    assert pointer in [fault["pointer"] for fault in response.json()["faults"]]
    assert _newest(world)["id"] == entry["id"]


def test_a_stranger_cannot_have_answered(world: World) -> None:
    """A case that was not sent to the body that is named, or that does not exist, is refused."""
    case = world.submit()["case_id"]
    entry = _mail(world, "Відповідь.")
    order = {"cases": [{"case_id": case, "authority": "00034186"}], "reason": "x", "statement": {"answer": FINAL}}
    path = f"/v1/ops/inbound/{entry['id']}/attach"
    problem(world.call("POST", path, "operator", json=order), 404, "inbound.not_sent")
    problem(_attach(world, entry, str(new_id())), 404, "case.unknown")
    problem(world.call("POST", path.replace(entry["id"], "x"), "operator", json=order), 404, "inbound.unknown")
    decide = f"/v1/ops/inbound/{entry['id']}/decide"
    problem(world.call("POST", decide, "operator", json={"reason": "x"}), 422, "inbound.no_case")


def test_what_a_body_said_by_phone_is_recorded(world: World) -> None:
    """A registration told by phone counts from then on, marked as a person's word."""
    case = world.submit()["case_id"]
    order = {
        "statement": {"receipt": {"status": "registered", "number": "Ш-5", "date": "2026-03-03"}},
        "rests_on": "Call of 3 March with the office, extension 214",
        "reason": "told by phone",
    }
    response = world.call("POST", f"/v1/ops/cases/{case}/statements", "operator", json=order)
    assert response.status_code == 200, response.text
    assert _state(world, case) == State.REGISTERED
    assert world.call("GET", f"/v1/cases/{case}", "ncc").json()["case"]["number"] == "Ш-5"
    (fact,) = _facts(world, case, FactKind.REGISTERED)
    assert (fact.source, fact.data["rests_on"]) == (Source.OPERATOR, order["rests_on"])


def test_an_item_about_an_input_closes_with_the_decision(world: World) -> None:
    """What is held about a known case shows there, and no longer once somebody decided."""
    accepted = world.submit()
    raw = RawInbound(content_type="text/plain", body=f"unreadable {uuid.uuid4()}".encode())
    delivery = world.delivery(accepted["case_id"])
    origin = Origin(door=Door.POLL, channel_id=CHANNEL, party=PLAIN)
    world.hub.receiver.hold(raw, origin, verdict="poll.unreadable", about=delivery)
    case = world.call("GET", f"/v1/cases/{accepted['case_id']}", "operator").json()["case"]
    assert case["needs_operator"] is True
    entry = _newest(world)
    assert entry["case_id"] == accepted["case_id"]
    order = {"statement": {"receipt": {"status": "accepted"}}, "reason": "it says so in words"}
    response = world.call("POST", f"/v1/ops/inbound/{entry['id']}/decide", "operator", json=order)
    assert response.status_code == 200, response.text
    case = world.call("GET", f"/v1/cases/{accepted['case_id']}", "operator").json()["case"]
    assert (case["needs_operator"], case["state"]) == (False, "received")
    items = world.call("GET", "/v1/ops/items?limit=200", "operator").json()["items"]
    assert accepted["case_id"] not in [item["case_id"] for item in items]


def test_guesses_name_cases_and_attach_nothing(world: World) -> None:
    """Our id, the centre's number and their number each point to the case; two signs are surer than one."""
    reference = f"НЦ-{uuid.uuid4().hex[:8]}"
    accepted = world.submit(reference=reference)
    case = accepted["case_id"]
    number = f"Ш-{uuid.uuid4().hex[:6]}/9"
    document = registered(PLAIN, case, accepted["message_id"], number)
    assert world.call("POST", CALLBACK, "plain", json=document).status_code == 202
    for text, signs in (
        (f"На ваш лист {case}", ["our_id"]),
        (f"звернення № {reference}, відповідь", ["reference"]),
        (f"наш номер {number}.", ["their_number"]),
        (f"{reference} та {number}", ["reference", "their_number"]),
    ):
        entry = _mail(world, text)
        shown = world.call("GET", f"/v1/ops/inbound/{entry['id']}", "operator").json()
        best = shown["guesses"][0]
        assert (best["case_id"], best["signs"], best["authority"]) == (case, signs, PLAIN), text
        assert 50 <= best["sure"] <= 99
        assert text in shown["excerpt"]["text"]
        assert shown["entry"]["case_id"] is None
    assert best["sure"] > 80


_FORM = {"Content-Type": "multipart/form-data; boundary=b"}
_RELATED = "multipart/related; boundary=b"
_LETTER = b'--b\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: application/json\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (CALLBACK, b"x" * 2_097_153, JSON, 413, "input.too_large"),
        (CALLBACK, b"words", {"Content-Type": "text/plain"}, 415, "input.media_type"),
        (CALLBACK, b"packed", {**JSON, "Content-Encoding": "gzip"}, 415, "input.encoding"),
        (CALLBACK, _LETTER % (b"letter", b"{}"), _FORM, 400, "multipart.envelope"),
        (CALLBACK, _LETTER % (b"envelope", b"{}") + _LETTER % (b"files", b"cut"), _FORM, 400, "multipart.end"),
        (f"{CALLBACK}?from=us", b"{}", JSON, 422, "input.parameters"),
        ("/v1/callbacks/00032129.pull", b"{}", JSON, 404, "channel.unknown"),
        ("/v1/inbox/no-id/receipt", b"{}", JSON, 404, "inbox.unknown"),
        ("/v1/inbox/01930000-0000-7000-8000-000000000001/receipt", b"{}", JSON, 404, "inbox.unknown"),
        ("/v1/envelopes?from=us", b"{}", JSON, 422, "input.parameters"),
        ("/soap/hub", b"no soap", {"Content-Type": "application/json"}, 415, "input.media_type"),
        ("/soap/hub", _LETTER % (b"x", b"no soap"), {"Content-Type": _RELATED}, 500, "soap.no_soap_part"),
    ],
)
def test_what_a_door_refuses_waits_with_its_bytes(
    world: World, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Too large, of another type, to nobody: the entry has what was said, though the door did not want to read it."""
    body += uuid.uuid4().hex.encode()
    response = world.call("POST", path, "plain", data=body, headers=headers)
    assert response.status_code == status
    query = f"/v1/ops/inbound?custody=held&authority={PLAIN}&sha256={hashlib.sha256(body).hexdigest()}"
    (entry,) = world.call("GET", query, "operator").json()["entries"]
    assert (entry["verdict"], entry["size"], entry["count"]) == (code, len(body), 1)
    assert world.call("GET", f"/v1/ops/inbound/{entry['id']}/raw", "operator").content == body


def test_of_what_is_over_the_cap_the_first_part_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is heard to its end all the same: length and digest are those of the whole."""
    monkeypatch.setattr("hub.api.heard.CAP_BYTES", 2_200_000)
    body = uuid.uuid4().bytes * 150_000
    assert world.call("POST", CALLBACK, "plain", data=body, headers=JSON).status_code == 413
    query = f"/v1/ops/inbound?custody=held&sha256={hashlib.sha256(body).hexdigest()}"
    (entry,) = world.call("GET", query, "operator").json()["entries"]
    assert (entry["size"], entry["kept"]) == (len(body), 1_048_576)


def test_a_fault_of_our_own_at_a_door_keeps_what_was_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is told that the hub failed; a person has the bytes."""

    def broken(*_: object) -> None:
        raise KeyError("Канаркенко")

    monkeypatch.setattr("hub.api.multipart.parts", broken)
    body = uuid.uuid4().hex.encode()
    assert world.call("POST", CALLBACK, "plain", data=body, headers=_FORM).status_code == 500
    entry = _newest(world)
    assert (entry["verdict"], entry["sha256"]) == ("item.failed", hashlib.sha256(body).hexdigest())


def test_words_over_soap_wait_too(world: World) -> None:
    """A call that an authority makes wrongly is held with its bytes."""
    namespace = "http://schemas.xmlsoap.org/soap/envelope/"
    body = f"<e:Envelope xmlns:e='{namespace}'><e:Body><No>{uuid.uuid4()}</No></e:Body></e:Envelope>"
    response = world.call("POST", "/soap/hub", "plain", data=body.encode(), headers={"Content-Type": "text/xml"})
    assert response.status_code >= 400
    entry = _newest(world)
    assert (entry["door"], entry["authority"]) == ("soap", PLAIN)
    raw = world.call("GET", f"/v1/ops/inbound/{entry['id']}/raw", "operator")
    assert raw.content == body.encode()


def test_refused_credentials_are_counted_by_source_door_and_minute(world: World) -> None:
    """Many tries are one entry without a body; another door is another entry."""
    for _ in range(5):
        response = world.call("POST", CALLBACK, None, headers={"Authorization": "Bearer hub_x_y"}, data=b"secret words")
        assert response.status_code == 401
    world.call("GET", "/v1/inbox", None, headers={"Authorization": "Bearer hub_x_y"})

    def counted() -> dict[str, int]:
        assert world.deps is not None
        world.deps.refused.flush()
        listed = world.call("GET", "/v1/ops/inbound?door=login&limit=200", "operator").json()["entries"]
        mine = [each for each in listed if "127.0.0.1" in each["detail"]]
        assert {(e["custody"], e["size"], e["verdict"]) for e in mine} <= {("noted", 0, "auth.refused")}
        found: Counter[str] = Counter()
        for each in mine:
            found[each["detail"].partition(" at ")[2]] += each["count"]
        return found

    wait_until(lambda: counted()["/v1/callbacks/{channel_id}"] >= 5 and counted()["/v1/inbox"] >= 1)


def test_what_went_out_stands_beside_what_came_back(world: World) -> None:
    """Each attempt shows the bytes that it sent and the raw answer; of older bytes only the digest is left."""
    case = world.submit()["case_id"]
    delivery = world.delivery(case)
    moment = datetime.now(UTC)
    payload = f"appeal {case}".encode()

    def tried(number: int, sent: bytes, answer: bytes | None) -> tuple[Attempt, AttemptEnd]:
        attempt = Attempt(
            id=AttemptId(new_id()),
            delivery_id=delivery.id,
            number=number,
            channel_id=delivery.channel_id,
            message_id=delivery.message_id,
            sha256=hashlib.sha256(sent).hexdigest(),
            size=len(sent),
            started_at=moment,
            registry_version="1",
        )
        return attempt, AttemptEnd(id=attempt.id, finished_at=moment, outcome=OutcomeKind.UNKNOWN, answer=answer)

    tries = [tried(1, b"older bytes", None), tried(2, payload, "HTTP 500\r\n\r\nПомилка\x1b".encode())]
    update = DeliveryUpdate(id=delivery.id, state=TransportState.UNKNOWN, payload=payload, payload_type="text/plain")
    attempts, ends = zip(*tries, strict=True)
    world.store.apply(Change(attempts=attempts, attempt_ends=ends, updates=(update,)))
    seen = world.call("GET", f"/v1/ops/deliveries/{delivery.id}/attempts", "operator").json()
    first, second = seen["attempts"]
    assert (first["sent"], first["answered"], second["sent"]) == (None, None, payload.decode())
    assert second["answered"] == "HTTP 500\n\nПомилка‹U+001B›"
    unknown = world.call("GET", f"/v1/ops/deliveries/{new_id()}/attempts", "operator")
    problem(unknown, 404, "delivery.unknown")
