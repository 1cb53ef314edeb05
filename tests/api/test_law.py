"""The law over HTTP: what the centre says about a case, its executors, terms and chain, and what operators do."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from datetime import date, datetime
from typing import Any

from hub.schemas.delivery import Change, DeliveryUpdate, FactKind, TransportState
from hub.schemas.ids import CaseId, new_id
from hub.schemas.kyiv import KYIV
from tests.api.world import PLAIN, PULLER, SEALER, World, answer, envelope, now, problem, registered

WITHDRAWAL = {"kind": "withdrawal", "body": {"at": "2026-03-04T10:00:00Z"}}
RETURN = {"kind": "return", "body": {"at": "2026-03-06T10:00:00Z", "reason": "Не дано відповіді по суті."}}
REPLY = {
    "kind": "clarification",
    "body": {"step": "reply", "at": "2026-03-06T10:00:00Z", "text": "Вулиця Вигадана, 1."},
}


def _say(world: World, case: str, document: dict[str, Any], who: str = "ncc", **headers: str) -> Any:
    return world.call("POST", f"/v1/cases/{case}/messages", who, json=document, headers=headers)


def _speak(world: World, document: dict[str, Any]) -> None:
    response = world.call("POST", "/v1/envelopes", "plain", json=document)
    assert response.status_code == 202, response.text


def _case(world: World, case: str, who: str = "ncc") -> Any:
    return world.call("GET", f"/v1/cases/{case}", who).json()


def _answered(world: World) -> tuple[str, str]:
    submitted = world.submit()
    case, message = submitted["case_id"], submitted["message_id"]
    _speak(world, registered(PLAIN, case, message))
    _speak(world, answer(PLAIN, case, message))
    return case, message


def test_the_applicant_withdraws(world: World) -> None:
    """A withdrawal reaches whoever has the appeal, ends every term, and is said once."""
    submitted = world.submit()
    case = submitted["case_id"]
    _speak(world, registered(PLAIN, case, submitted["message_id"]))
    response = _say(world, case, WITHDRAWAL)
    assert response.status_code == 202, response.text
    (message,) = response.json()["messages"]
    seen = _case(world, case)
    assert (seen["case"]["state"], seen["case"]["due_at"]) == ("withdrawn", None)
    assert {term["state"] for term in seen["terms"]} <= {"met", "late"}
    carried = world.call("GET", f"/v1/cases/{case}/messages/{message}", "plain").json()
    assert (carried["kind"], carried["header"]["in_reply_to"]) == ("withdrawal", submitted["message_id"])
    problem(_say(world, case, WITHDRAWAL), 409, "case.withdrawn")


def test_an_answer_goes_back_for_more_work_and_returns(world: World) -> None:
    """A return starts a term of its own; the next answer, which replies to the return, ends it."""
    case, _ = _answered(world)
    returned = _say(world, case, {**RETURN, "body": {**RETURN["body"], "at": now(), "until": "2099-01-05"}})  # type: ignore[dict-item]
    assert returned.status_code == 202, returned.text
    seen = _case(world, case)
    assert (seen["case"]["state"], seen["executors"][0]["returns"]) == ("returned", 1)
    (rework,) = [term for term in seen["terms"] if term["term"] == "rework"]
    assert (rework["due"], rework["state"], rework["binding"]) == ("2099-01-05", "running", True)
    assert seen["case"]["due_at"] == rework["due_at"]
    again = answer(PLAIN, case, returned.json()["messages"][0])
    again["body"] |= {"number": "78", "at": "2026-03-09T12:00:00Z"}
    _speak(world, again)
    assert _case(world, case)["case"]["state"] == "answered"


def test_what_was_not_answered_cannot_be_returned(world: World) -> None:
    """Without a final answer, with another message's id, or with a day that is over, nothing goes back."""
    submitted = world.submit()
    case = submitted["case_id"]
    problem(_say(world, case, RETURN), 409, "return.no_answer")
    problem(_say(world, case, {**RETURN, "in_reply_to": submitted["message_id"]}), 404, "message.unknown")
    done, _ = _answered(world)
    late = {**RETURN, "body": {"at": "2026-03-06T10:00:00Z", "reason": "Ні.", "until": "2026-03-07"}}
    problem(_say(world, done, late), 422, "return.until")


def test_a_question_is_answered_through_the_centre(world: World) -> None:
    """The reply goes to whoever asked, once; without a question there is nothing to answer."""
    submitted = world.submit()
    case = submitted["case_id"]
    problem(_say(world, case, REPLY), 409, "clarification.not_asked")
    body = {"step": "question", "at": "2026-03-03T09:00:00Z", "text": "Яка адреса?", "until": "2026-03-10"}
    question = envelope("clarification", body, sender=PLAIN, case=case, reply_to=submitted["message_id"])
    _speak(world, question)
    asked = question["header"]["message_id"]
    response = _say(world, case, {**REPLY, "in_reply_to": asked})
    assert response.status_code == 202, response.text
    carried = world.call("GET", f"/v1/cases/{case}/messages/{response.json()['messages'][0]}", "plain").json()
    assert (carried["kind"], carried["header"]["in_reply_to"]) == ("clarification", asked)
    problem(_say(world, case, REPLY), 409, "clarification.not_asked")


def test_what_the_centre_says_is_repeatable(world: World) -> None:
    """The same key with the same words brings the same answer and one message; with other words it is a conflict."""
    case, _ = _answered(world)
    key = {"Idempotency-Key": f"return-{case}"}
    first, second = (_say(world, case, RETURN, **key) for _ in range(2))
    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    kinds = [message["kind"] for message in _case(world, case)["messages"]]
    assert kinds.count("return") == 1
    other = {**RETURN, "body": {"at": "2026-03-06T10:00:00Z", "reason": "Інше."}}
    problem(_say(world, case, other, **key), 409, "idempotency.conflict")


def test_only_the_owner_speaks_about_a_case(world: World) -> None:
    """Another centre gets the answer of an unknown case; bad documents name every fault."""
    case = world.submit()["case_id"]
    problem(_say(world, case, WITHDRAWAL, "other_ncc"), 404, "case.unknown")
    problem(_say(world, str(new_id()), WITHDRAWAL), 404, "case.unknown")
    problem(_say(world, case, {"kind": "appeal", "body": {}}), 422, "input.invalid")
    problem(_say(world, case, {**WITHDRAWAL, "body": {"at": "yesterday"}}), 422, "input.invalid")


def test_a_case_shows_its_executors_terms_and_copies(world: World) -> None:
    """The centre sees who has the case, by which copy, and what is due; the authority sees its own part only."""
    submitted = world.submit()
    case = submitted["case_id"]
    _speak(world, registered(PLAIN, case, submitted["message_id"]))
    given = {"authority": PULLER, "role": "co_executor"}
    assert world.call("POST", f"/v1/ops/cases/{case}/assign", "operator", json=given).status_code == 202
    seen = _case(world, case)
    roles = [(e["authority"], e["role"], e["state"]) for e in seen["executors"]]
    assert roles == [(PLAIN, "main", "registered"), (PULLER, "co_executor", "routed")]
    (copy,) = seen["executors"][0]["copies"]
    assert (copy["channel_id"], copy["receipt"], copy["counts"]) == (f"{PLAIN}.rest", "registered", True)
    assert {"answer", "unsent", "review"} <= {term["term"] for term in seen["terms"]}
    (due,) = [term for term in seen["terms"] if term["term"] == "answer"]
    days = (date.fromisoformat(due["due"]) - datetime.now(KYIV).date()).days
    assert (28 <= days <= 40, due["law"]) == (True, "Law 393/96, article 20")
    problem(world.call("GET", f"/v1/cases/{case}", "puller"), 404, "case.unknown")
    helping = next(d for d in world.store.deliveries(CaseId(uuid.UUID(case))) if d.authority == PULLER)
    world.store.apply(Change(updates=(DeliveryUpdate(id=helping.id, state=TransportState.OFFERED),)))
    own = _case(world, case, "puller")
    assert {e["authority"] for e in own["executors"]} == {PULLER}
    assert {term["authority"] for term in own["terms"]} == {PULLER}


def test_a_redirect_is_followed_and_its_chain_told(world: World) -> None:
    """A body that names another one: the appeal goes there at once, and the chain is told with the body's reason."""
    submitted = world.submit()
    case = submitted["case_id"]
    body = {"at": now(), "to": SEALER, "reason": "Це питання теплопостачання."}
    _speak(world, envelope("redirect", body, sender=PLAIN, case=case, reply_to=submitted["message_id"]))
    seen = world.call("GET", f"/v1/cases/{case}/chain").json()
    (hop,) = seen["hops"]
    assert (hop["authority"], hop["to"], hop["decided_by"]) == (PLAIN, SEALER, "authority")
    assert hop["reason"] == "Це питання теплопостачання."
    assert seen["told"].startswith(f"1. {datetime.now(KYIV):%d.%m.%Y}")
    assert _case(world, case)["case"]["authority"] == SEALER
    problem(world.call("GET", f"/v1/cases/{case}/chain", "plain"), 403, "auth.forbidden")
    problem(world.call("GET", f"/v1/cases/{case}/chain", "other_ncc"), 404, "case.unknown")


def test_an_operator_redirects_by_hand_and_chooses_channels(world: World) -> None:
    """As main executor another body has the case instead; a channel that is not the body's is refused."""
    case = world.submit()["case_id"]
    order = {"authority": PULLER, "reason": "За домовленістю"}
    assert world.call("POST", f"/v1/ops/cases/{case}/assign", "operator", json=order).status_code == 202
    seen = _case(world, case)
    assert [(e["authority"], e["superseded"]) for e in seen["executors"]] == [(PLAIN, True), (PULLER, False)]
    delivery = str(world.delivery(case).id)
    path = f"/v1/ops/deliveries/{delivery}/channel"
    problem(world.call("POST", path, "operator", json={"channel_id": f"{PULLER}.pull"}), 422, "channel.unknown")
    problem(world.call("POST", path, "operator", json={"channel_id": f"{PLAIN}.rest"}), 409, "channel.nothing_to_do")
    unknown = f"/v1/ops/deliveries/{new_id()}/channel"
    problem(world.call("POST", unknown, "operator", json={"channel_id": "x.y"}), 404, "delivery.unknown")
    assert world.call("GET", "/v1/ops/shadows", "operator").json() == {"channels": []}


SUPPLEMENT = {"kind": "supplement", "body": {"at": "2026-03-05T10:00:00Z", "text": "Додаю знімок."}}
NOTE = {"kind": "note", "body": {"text": "Канаркенко просить дзвонити після 18:00."}}


def test_the_applicant_supplements_the_appeal(world: World) -> None:
    """Text and a file go to whoever has the appeal, who may then fetch the file; a repeat says it once."""
    submitted = world.submit()
    case = submitted["case_id"]
    _speak(world, registered(PLAIN, case, submitted["message_id"]))
    upload = world.call("POST", "/v1/attachments", data=b"photo", headers={"Content-Type": "image/png"}).json()
    file = {"sha256": upload["sha256"], "size": upload["size"], "media_type": "image/png", "name": "яма.png"}
    key = {"Idempotency-Key": f"supplement-{case}"}
    first, again = (_say(world, case, {**SUPPLEMENT, "attachments": [file]}, **key) for _ in range(2))
    assert first.status_code == 202, first.text
    assert (first.content, again.headers["Idempotent-Replayed"]) == (again.content, "true")
    kept, sent = first.json()["messages"]
    carried = world.call("GET", f"/v1/cases/{case}/messages/{sent}", "plain").json()
    assert (carried["kind"], carried["header"]["in_reply_to"]) == ("supplement", submitted["message_id"])
    assert (carried["body"]["text"], carried["attachments"]) == ("Додаю знімок.", [file])
    assert world.call("GET", f"/v1/attachments/{upload['sha256']}", "plain").content == b"photo"
    problem(world.call("GET", f"/v1/cases/{case}/messages/{kept}", "plain"), 404, "message.unknown")
    events = [fact.kind for fact in world.store.facts(CaseId(uuid.UUID(case)))]
    assert (events.count(FactKind.SUPPLEMENTED), events.count(FactKind.PASSED_ON)) == (1, 1)


def test_a_supplement_that_goes_nowhere_is_refused(world: World) -> None:
    """Nothing in it, files that are not there, a case that was answered or withdrawn: each says what to do."""
    case = world.submit()["case_id"]
    problem(_say(world, case, {"kind": "supplement", "body": {"at": "2026-03-05T10:00:00Z"}}), 422, "supplement.empty")
    absent = {"sha256": "0" * 64, "size": 1, "media_type": "image/png", "name": "a.png"}
    assert _say(world, case, {**SUPPLEMENT, "attachments": [absent]}).status_code == 422
    assert _say(world, case, WITHDRAWAL).status_code == 202
    problem(_say(world, case, SUPPLEMENT), 409, "case.withdrawn")
    answered, _ = _answered(world)
    refused = problem(_say(world, answered, SUPPLEMENT), 409, "case.finished")
    assert "return" in refused["action"]
    problem(_say(world, world.submit()["case_id"], SUPPLEMENT, "other_ncc"), 404, "case.unknown")


def test_a_note_stays_with_the_centre(world: World) -> None:
    """The centre and operators read it, in the case and as a line of its timeline, whatever the case's state; no body
    is told, and no event or evidence has its words.
    """
    case, _ = _answered(world)
    key = {"Idempotency-Key": f"note-{case}"}
    made, again = (_say(world, case, NOTE, **key) for _ in range(2))
    assert (made.status_code, made.json()["messages"], again.content) == (202, [], made.content)
    words = NOTE["body"]["text"]  # type: ignore[index]
    for who in ("ncc", "operator"):
        (note,) = _case(world, case, who)["notes"]
        assert (note["id"], note["text"], note["by"].startswith("key:")) == (made.json()["note"], words, True)
        entries = world.call("GET", f"/v1/cases/{case}/timeline", who).json()["entries"]
        assert [entry["ref"] for entry in entries if entry["code"] == "noted"] == [note["id"]]
        assert words not in json.dumps(entries, ensure_ascii=False)
    assert _case(world, case, "plain")["notes"] == []
    assert "noted" not in world.call("GET", f"/v1/cases/{case}/timeline", "plain").text
    bundle = zipfile.ZipFile(io.BytesIO(world.call("GET", f"/v1/cases/{case}/evidence").content))
    assert all(words.encode() not in bundle.read(name) for name in bundle.namelist())
    problem(_say(world, case, NOTE, "other_ncc"), 404, "case.unknown")
    problem(_say(world, case, {"kind": "note", "body": {"text": " "}}), 422, "input.invalid")
