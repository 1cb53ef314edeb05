"""The whole unified form at the doors: what is kept, what an authority gets, and the centre's own answer."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from hub.cases.patrol import Patrol
from hub.evidence import check
from hub.schemas.base import format_datetime
from hub.schemas.delivery import Direction, FactKind, Message
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId, new_id
from hub.schemas.json_rendering import from_json
from hub.schemas.terms import Role
from hub.schemas.xml_rendering import NAMESPACE, to_xml
from hub.seals import HubSeal
from tests.api.world import NCC, PLAIN, PULLER, RECEIVED_AT, World, envelope, form, problem

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
SECRETS = ("call-31337", "31337 00", "op-31337", "records.centre.example", "f" * 64, "session-31337")
"""The centre's own in ``by_phone``: id, number, operator and recording of the call, evidence of the identity."""


def by_phone(**changes: Any) -> dict[str, Any]:
    """An appeal that a representative told by phone, with all that a centre may know."""
    call = {
        "id": "call-31337",
        "number": "+38 067 31337 00",
        "operator": "op-31337",
        "began_at": RECEIVED_AT,
        "ended_at": RECEIVED_AT,
        "duration_secs": 270,
        "recording": {"reference": "https://records.centre.example/call-31337", "sha256": "f" * 64},
    }
    whole = {
        "channel": "phone",
        "representative": {
            "basis": "lawyer",
            "name": {"surname": "Захисник", "given": "Ірина"},
            "organisation": "Адвокатське бюро",
            "document": {"title": "ордер", "number": "АА-77", "date": "2026-03-01"},
        },
        "identity": {"method": "diia", "level": "high", "at": RECEIVED_AT, "evidence": "session-31337"},
        "addressee": {"code": PLAIN, "chosen_by": "operator"},
        "call": call,
    }
    return form(**{**whole, **changes})


def consultation(**changes: Any) -> dict[str, Any]:
    """An appeal that the operator answered in the same call."""
    answered = {"text": "Таємна порада 31337.", "by": "op-31337", "at": RECEIVED_AT, **changes}
    return by_phone(answered=answered)


def messages(world: World, case: str, direction: Direction) -> list[Message]:
    """Messages of a case that went one way."""
    return [m for m in world.store.messages(CaseId(uuid.UUID(case))) if m.direction is direction]


def _form_of(message: Message) -> Any:
    found = from_json(message.body)
    assert isinstance(found, AppealEnvelope)
    return found.body


def test_what_is_the_centres_own_stays_with_the_centre(world: World) -> None:
    """The authority's copy has the representative and how the identity was established, and nothing of the call."""
    case = world.call("POST", "/v1/appeals", json=by_phone()).json()["case_id"]
    (kept,), (sent,) = messages(world, case, Direction.IN), messages(world, case, Direction.OUT)
    assert (kept.sender, kept.recipient) == (NCC, NCC)
    assert all(secret in kept.body.decode() for secret in SECRETS)
    assert not any(secret in sent.body.decode() for secret in SECRETS)
    out = _form_of(sent)
    assert (out.call, out.representative.document.number, out.addressee.chosen_by) == (None, "АА-77", "operator")
    assert (out.identity.method, out.identity.level, out.identity.evidence) == ("diia", "high", None)
    named = {"call": None, "identity": out.identity, "reference": out.reference}  # by the number of the case
    assert out == _form_of(kept).model_copy(update=named)


def test_a_recording_goes_to_the_authority_only_if_the_centre_says_so(world: World) -> None:
    """With access for the authority the reference, its digest and the beginning of the call go along, nothing else."""
    opened = by_phone()
    opened["call"]["recording"]["access"] = "authority"
    case = world.call("POST", "/v1/appeals", json=opened).json()["case_id"]
    call = _form_of(messages(world, case, Direction.OUT)[0]).call
    assert call.recording.reference == "https://records.centre.example/call-31337"
    assert (call.recording.sha256, format_datetime(call.began_at)) == ("f" * 64, RECEIVED_AT)
    assert (call.id, call.number, call.operator, call.ended_at, call.duration_secs) == (None,) * 5


def test_no_body_can_ask_for_the_form_as_it_came_in(world: World) -> None:
    """Neither the list of messages nor a message by its id shows it to a body, not even if it was made out to it."""
    case = str(new_id())
    sealed = envelope("appeal", by_phone(), sender=NCC, case=case, reply_to=None)
    sealed["header"]["recipient"] = {"code": PLAIN}
    answer = world.call("POST", "/v1/envelopes", data=world.sealed(sealed, world.ncc_key), headers=JSON)
    assert answer.status_code == 202, answer.text
    world.offer(case)
    seen = world.call("GET", f"/v1/cases/{case}", "plain").json()
    assert [message["direction"] for message in seen["messages"]] == ["out"]
    kept = messages(world, case, Direction.IN)[0].id
    problem(world.call("GET", f"/v1/cases/{case}/messages/{kept}", "plain"), 404, "message.unknown")
    shown = world.call("GET", f"/v1/cases/{case}/messages/{seen['messages'][0]['id']}", "plain").text
    timeline = world.call("GET", f"/v1/cases/{case}/timeline", "plain").text
    assert not any(secret in text for secret in SECRETS for text in (shown, timeline, json.dumps(seen)))
    whole = world.call("GET", f"/v1/cases/{case}/messages/{kept}").text
    assert all(secret in whole for secret in SECRETS)


def test_who_gets_the_case_later_gets_no_more(world: World) -> None:
    """A body that an operator adds, or that further topics add, gets the form without the centre's own."""
    case = world.call("POST", "/v1/appeals", json=by_phone(topics=["roads", "water"])).json()["case_id"]
    world.hub.forwarding.assign(CaseId(uuid.UUID(case)), "00034186", by="op", reason="It knows.", role=Role.INFORMATION)
    sent = messages(world, case, Direction.OUT)
    assert {message.recipient for message in sent} == {PLAIN, PULLER, "00034186"}
    assert not any(secret in message.body.decode() for secret in SECRETS for message in sent)


def _as_xml(document: dict[str, Any]) -> bytes:
    """The same submission as XML, by the envelope's own rendering."""
    read = from_json(json.dumps(envelope("appeal", document, sender=NCC, case=str(new_id()), reply_to=None)).encode())
    appeal = etree.fromstring(to_xml(read)).find(f"{{{NAMESPACE}}}appeal")
    root = etree.Element(f"{{{NAMESPACE}}}submission")
    assert appeal is not None
    root.append(appeal)
    return etree.tostring(root)


def _submitted(world: World, way: str) -> dict[str, Any]:
    document = consultation()
    if way == "json":
        answer = world.call("POST", "/v1/appeals", json=document)
    elif way == "xml":
        answer = world.call("POST", "/v1/appeals", data=_as_xml(document), headers=XML)
    elif way == "ndjson":
        line = {"Content-Type": "application/x-ndjson"}
        answer = world.call("POST", "/v1/appeals/batch", data=json.dumps(document).encode(), headers=line)
        assert answer.json()["status"] == 202, answer.text
    else:
        sealed = envelope("appeal", document, sender=NCC, case=str(new_id()), reply_to=None)
        answer = world.call("POST", "/v1/envelopes", data=world.sealed(sealed, world.ncc_key), headers=JSON)
    assert answer.status_code in (200, 202), answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


@pytest.mark.parametrize("way", ["json", "xml", "ndjson", "sealed"])
def test_a_consultation_is_a_case_that_is_finished_from_the_start(world: World, way: str) -> None:
    """One call keeps the appeal with the centre's answer; nobody gets it, no term runs, nothing waits for a person."""
    accepted = _submitted(world, way)
    assert (accepted["state"], accepted["reason"], "authority" in accepted) == (
        "concluded",
        "answered_by_centre",
        False,
    )
    case = CaseId(uuid.UUID(accepted["case_id"]))
    row = world.store.case(case)
    assert row is not None
    assert (row.state, row.due_at, row.authority, row.needs_operator) == ("concluded", None, None, False)
    assert row.case.answer_due is None
    assert (world.store.deliveries(case), world.store.open_items([case])) == ((), {})
    facts = world.store.facts(case)
    assert {fact.kind for fact in facts} == {FactKind.ACCEPTED_BY_HUB, FactKind.CONCLUDED}
    (ended,) = [fact for fact in facts if fact.kind is FactKind.CONCLUDED]
    assert (ended.data["decision"], ended.data["result"], ended.data["by"]) == (
        "answered_by_centre",
        "explained",
        "op-31337",
    )
    assert format_datetime(ended.at) == RECEIVED_AT
    assert "порада" not in json.dumps(dict(ended.data), ensure_ascii=False)
    (kept,) = messages(world, accepted["case_id"], Direction.IN)
    assert _form_of(kept).answered.text == "Таємна порада 31337."
    assert Patrol(store=world.store, clock=world.hub.clock, law=world.hub.law).round() == 0


def test_a_consultation_sent_twice_is_one_case(world: World) -> None:
    """The same key with the same body brings the same answer."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (world.call("POST", "/v1/appeals", json=consultation(), headers=key) for _ in range(2))
    assert (first.json(), second.headers["Idempotent-Replayed"]) == (second.json(), "true")


def test_a_consultation_that_did_not_satisfy_goes_to_a_body_without_the_centres_words(world: World) -> None:
    """An operator may still assign the case; the body gets the appeal, not what the centre had answered."""
    case = world.call("POST", "/v1/appeals", json=consultation()).json()["case_id"]
    world.hub.forwarding.assign(CaseId(uuid.UUID(case)), PLAIN, by="op", reason="The applicant asks for more.")
    row = world.store.case(CaseId(uuid.UUID(case)))
    assert row is not None
    assert (row.state, row.authority) == ("routed", PLAIN)
    assert not any("31337" in message.body.decode() for message in messages(world, case, Direction.OUT))


def test_the_evidence_of_a_consultation_holds_question_and_answer(world: World) -> None:
    """The bundle can be checked by others, and has the whole form with the centre's words in it."""
    case = world.call("POST", "/v1/appeals", json=consultation()).json()["case_id"]
    bundle = world.call("GET", f"/v1/cases/{case}/evidence").content
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        (kept,) = [name for name in archive.namelist() if name.endswith("-appeal-in/envelope.json")]
        assert "Таємна порада" in archive.read(kept).decode()
        assert "answered_by_centre" in archive.read("facts.json").decode()
    assert isinstance(world.hub.seal, HubSeal)
    assert check(io.BytesIO(bundle), seal=HubSeal(None), trusted=[world.hub.seal.own_key()]).holds


LATER = format_datetime(datetime.now(UTC) + timedelta(days=1))
EARLIER = format_datetime(datetime.now(UTC) - timedelta(days=1))
IMPOSSIBLE: list[tuple[dict[str, Any], str, str]] = [
    ({"call": {"began_at": LATER}}, "/call/began_at", "moment.future"),
    ({"call": {"began_at": EARLIER, "ended_at": LATER}}, "/call/ended_at", "moment.future"),
    ({"call": {"began_at": RECEIVED_AT, "ended_at": EARLIER}}, "/call/ended_at", "moment.order"),
    ({"identity": {"method": "diia", "level": "high", "at": LATER}}, "/identity/at", "moment.future"),
    ({"answered": {"text": "Так.", "by": "op-1", "at": LATER}}, "/answered/at", "moment.future"),
    ({"channel": "post", "call": None, "letter": {"posted_on": "2199-01-01"}}, "/letter/posted_on", "moment.order"),
    ({"channel": "post", "call": None, "letter": {"dated": "2199-01-01"}}, "/letter/dated", "moment.order"),
]


@pytest.mark.parametrize(("changes", "pointer", "code"), IMPOSSIBLE, ids=[f"{p}-{c}" for _, p, c in IMPOSSIBLE])
def test_moments_that_cannot_be_are_refused(world: World, changes: dict[str, Any], pointer: str, code: str) -> None:
    """What lies in the future, or in an order that cannot be, is 422 and named by its place."""
    refused = problem(world.call("POST", "/v1/appeals", json=by_phone(**changes)), 422, code)
    assert [(fault["pointer"], fault["code"]) for fault in refused["faults"]] == [(pointer, code)]


def test_a_letter_is_taken_in(world: World) -> None:
    """Post is a channel like the others: the case is listed under it, and the letter's days go to the authority."""
    letter = {"dated": "2026-02-20", "posted_on": "2026-02-21", "postal_number": "0100112233445"}
    accepted = world.submit(channel="post", letter=letter, reply_by=["post"])
    assert accepted["state"] == "routed"
    seen = world.call("GET", f"/v1/cases/{accepted['case_id']}").json()
    assert seen["case"]["channel"] == "post"
    out = _form_of(messages(world, accepted["case_id"], Direction.OUT)[0])
    assert (str(out.letter.posted_on), out.letter.postal_number) == ("2026-02-21", "0100112233445")
