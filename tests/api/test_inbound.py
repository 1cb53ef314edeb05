"""Envelopes that come in: callbacks, the pull inbox, the door for sealed envelopes."""

from __future__ import annotations

import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.ports import InboundFilter, Rendering
from hub.schemas.delivery import (
    Attempt,
    AttemptEnd,
    Change,
    Delivery,
    DeliveryUpdate,
    FactKind,
    OutcomeKind,
    TransportState,
)
from hub.schemas.ids import AttemptId, CaseId, new_id
from tests.api.world import (
    NCC,
    PLAIN,
    PULLER,
    SEALER,
    World,
    answer,
    as_bytes,
    envelope,
    form,
    problem,
    registered,
)

CALLBACK = f"/v1/callbacks/{PLAIN}.rest"


def _case(world: World, topic: str = "roads") -> tuple[str, str]:
    document = world.submit(topics=[topic])
    return document["case_id"], document["message_id"]


def _state(world: World, case: str) -> str:
    row = world.store.case(CaseId(uuid.UUID(case)))
    assert row is not None
    return row.state


def _push(world: World, document: dict[str, Any], who: str = "plain", path: str = CALLBACK) -> Any:
    return world.call("POST", path, who, data=as_bytes(document), headers={"Content-Type": "application/json"})


def test_a_receipt_moves_the_case(world: World) -> None:
    """A registered receipt by callback is a fact of the case, with its number."""
    case, message = _case(world)
    receipt = registered(PLAIN, case, message)
    response = _push(world, receipt)
    assert response.status_code == 202, response.text
    assert response.json() == {"message_id": receipt["header"]["message_id"], "case_id": case, "repeat": False}
    row = world.store.case(CaseId(uuid.UUID(case)))
    assert row is not None
    assert (row.state, row.number) == ("registered", "Ш-12/34")


def test_a_repeated_callback_changes_nothing(world: World) -> None:
    """The second copy gets the same ids and says that it is a repeat."""
    case, message = _case(world)
    receipt = registered(PLAIN, case, message)
    _push(world, receipt)
    facts = world.store.facts(CaseId(uuid.UUID(case)))
    again = _push(world, receipt)
    assert again.json()["repeat"] is True
    assert world.store.facts(CaseId(uuid.UUID(case))) == facts


@pytest.mark.slow
def test_a_hundred_equal_callbacks_make_one_change(world: World) -> None:
    """A hundred copies at the same moment: every one is answered 202 with the same ids, and there is one fact."""
    case, message = _case(world)
    receipt = registered(PLAIN, case, message)
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: _push(world, receipt), range(100)))
    assert {r.status_code for r in responses} == {202}
    assert {(r.json()["message_id"], r.json()["case_id"]) for r in responses} == {
        (receipt["header"]["message_id"], case)
    }
    kinds = [fact.kind for fact in world.store.facts(CaseId(uuid.UUID(case)))]
    assert kinds.count(FactKind.REGISTERED) == 1


def test_the_same_id_with_other_content_is_a_conflict(world: World) -> None:
    """A message id stands for one content for ever."""
    case, message = _case(world)
    receipt = registered(PLAIN, case, message)
    _push(world, receipt)
    receipt["body"]["number"] = "999"
    problem(_push(world, receipt), 409, "inbound.id_reused")


def test_an_answer_brings_its_files(world: World) -> None:
    """An answer as multipart: the file is kept, and the contact centre may download it."""
    case, message = _case(world)
    content = b"%PDF-1.4 the answer"
    sha256 = hashlib.sha256(content).hexdigest()
    entry = {"sha256": sha256, "size": len(content), "media_type": "application/pdf", "name": "відповідь.pdf"}
    document = answer(PLAIN, case, message, attachments=[entry])
    files = [
        ("envelope", ("", as_bytes(document), "application/json")),
        ("file", ("відповідь.pdf", content, "application/pdf")),
    ]
    response = world.call("POST", CALLBACK, "plain", files=files)
    assert response.status_code == 202, response.text
    assert _state(world, case) == "answered"
    download = world.call("GET", f"/v1/attachments/{sha256}")
    assert download.content == content
    problem(world.call("GET", f"/v1/attachments/{sha256}", "other_ncc"), 404, "attachment.unknown")


def test_files_must_follow_their_envelope(world: World) -> None:
    """A multipart callback that does not begin with the envelope is refused."""
    files = [("file", ("a.pdf", b"x", "application/pdf"))]
    problem(world.call("POST", CALLBACK, "plain", files=files), 400, "multipart.envelope")


def test_foreign_and_unknown_cases_look_alike(world: World) -> None:
    """An answer to another body's case and to no case at all get one and the same refusal, and both are journalled."""
    case, message = _case(world, "water")
    before = len(world.store.inbound(InboundFilter(channel_id=f"{PLAIN}.rest"), limit=1_000))
    foreign = _push(world, registered(PLAIN, case, message))
    unknown = _push(world, registered(PLAIN, str(new_id()), str(new_id())))
    problem(foreign, 404, "inbound.unknown_case")
    assert foreign.content == unknown.content
    assert len(world.store.inbound(InboundFilter(channel_id=f"{PLAIN}.rest"), limit=1_000)) == before + 2


def test_foreign_and_unknown_channels_look_alike(world: World) -> None:
    """A callback to another body's channel and to no channel get one and the same refusal."""
    case, message = _case(world)
    receipt = registered(PLAIN, case, message)
    foreign = _push(world, receipt, "plain", f"/v1/callbacks/{PULLER}.pull")
    unknown = _push(world, receipt, "plain", "/v1/callbacks/no.such")
    problem(foreign, 404, "channel.unknown")
    assert foreign.content == unknown.content


def test_an_envelope_must_name_the_caller(world: World) -> None:
    """A valid credential does not allow to speak for another body."""
    case, message = _case(world)
    problem(_push(world, registered(PULLER, case, message)), 403, "seal.party")


def test_who_has_keys_must_seal(world: World) -> None:
    """An authority with keys in the registry is refused without a seal, and heard with one, in every form."""
    for rendering, kind in (
        (Rendering.JSON, "application/json"),
        (Rendering.JWS, "application/jose"),
        (Rendering.XML, "application/xml"),
    ):
        case, message = _case(world, "heating")
        receipt = registered(SEALER, case, message)
        path = f"/v1/callbacks/{SEALER}.rest"
        problem(_push(world, receipt, "sealer", path), 422, "seal.missing")
        sealed = world.sealed(receipt, world.sealer_key, rendering)
        response = world.call("POST", path, "sealer", data=sealed, headers={"Content-Type": kind})
        assert response.status_code == 202, response.text
        assert _state(world, case) == "registered"


def test_a_seal_by_another_key_is_refused(world: World) -> None:
    """A seal counts only with the registry's key of that party."""
    case, message = _case(world, "heating")
    sealed = world.sealed(registered(SEALER, case, message), world.ncc_key)
    response = world.call(
        "POST",
        f"/v1/callbacks/{SEALER}.rest",
        "sealer",
        data=sealed,
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    assert response.json()["code"].startswith("seal.")


def test_hostile_xml_is_400(world: World) -> None:
    """A DOCTYPE never reaches a parser that would follow it."""
    body = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'
    response = world.call("POST", CALLBACK, "plain", data=body, headers={"Content-Type": "application/xml"})
    assert response.status_code == 400
    assert "passwd" not in response.text


def test_an_envelope_may_come_without_a_channel(world: World) -> None:
    """An authority may hand over its receipt at the general door."""
    case, message = _case(world)
    assert _push(world, registered(PLAIN, case, message), path="/v1/envelopes").status_code == 202
    assert _state(world, case) == "registered"


def _sealed_appeal(case: str, **changes: Any) -> dict[str, Any]:
    document = envelope("appeal", form(), sender=NCC, case=case, reply_to=None)
    document["header"].update(changes)
    return document


def _hand_over(world: World, document: dict[str, Any], who: str = "ncc") -> Any:
    sealed = world.sealed(document, world.ncc_key)
    return world.call("POST", "/v1/envelopes", who, data=sealed, headers={"Content-Type": "application/json"})


def test_the_centre_hands_over_a_sealed_appeal(world: World) -> None:
    """The case keeps the id of the envelope; a repeat brings the same answer."""
    case = str(new_id())
    document = _sealed_appeal(case)
    first, again = _hand_over(world, document), _hand_over(world, document)
    assert first.status_code == 202, first.text
    assert first.json()["case_id"] == case
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(world.store.deliveries(CaseId(uuid.UUID(case)))) == 1


def test_a_case_id_is_not_taken_over(world: World) -> None:
    """A second appeal envelope with the case id of another is refused."""
    case, _ = _case(world)
    problem(_hand_over(world, _sealed_appeal(case)), 409, "case.exists")


def test_the_centre_must_seal_and_send_appeals(world: World) -> None:
    """Without a seal, under another's name, or with another kind, nothing is taken."""
    case = str(new_id())
    bare = world.call("POST", "/v1/envelopes", json=_sealed_appeal(case))
    problem(bare, 422, "seal.missing")
    problem(_hand_over(world, _sealed_appeal(case, sender={"code": PLAIN})), 403, "seal.party")
    withdrawal = envelope("withdrawal", {"at": "2026-03-02T09:00:00Z"}, sender=NCC, case=case, reply_to=None)
    problem(_hand_over(world, withdrawal), 422, "envelope.kind")
    assert world.store.case(CaseId(uuid.UUID(case))) is None


def test_the_inbox_offers_exact_bytes(world: World) -> None:
    """An authority that pulls lists, fetches the same bytes twice, and receipts; then the message is gone."""
    case, message = _case(world, "water")
    world.offer(case, b'{"exact":"bytes"}')
    listed = world.call("GET", "/v1/inbox?limit=200", "puller").json()["messages"]
    assert message in {entry["message_id"] for entry in listed}
    fetched = [world.call("GET", f"/v1/inbox/{message}", "puller") for _ in range(2)]
    assert [f.content for f in fetched] == [b'{"exact":"bytes"}'] * 2
    assert fetched[0].headers["Content-Type"] == "application/json"
    receipt = _push(world, registered(PULLER, case, message), "puller", f"/v1/inbox/{message}/receipt")
    assert receipt.status_code == 202, receipt.text
    listed = world.call("GET", "/v1/inbox?limit=200", "puller").json()["messages"]
    assert message not in {entry["message_id"] for entry in listed}


@pytest.mark.parametrize("known", [True, False])
def test_what_is_fetched_was_sent_when_it_was_offered(world: World, known: bool) -> None:
    """Sent is dated by the offer, by the first fetch where the offer's time is not known; before it nothing is sent."""
    case, message = _case(world, "water")
    delivery = world.offer(case, b"{}")
    offered = datetime.now(UTC).replace(microsecond=0)
    if known:
        _note_offer(world, delivery, offered)

    def sent() -> list[datetime]:
        return [f.at for f in world.store.facts(CaseId(uuid.UUID(case))) if f.kind is FactKind.SENT]

    assert sent() == []
    world.call("GET", f"/v1/inbox/{message}", "puller")
    (first,) = sent()
    assert first == offered if known else offered <= first <= datetime.now(UTC)
    world.call("GET", f"/v1/inbox/{message}", "puller")
    assert sent() == [first]


def _note_offer(world: World, delivery: Delivery, at: datetime) -> None:
    attempt = Attempt(
        id=AttemptId(new_id()),
        delivery_id=delivery.id,
        number=1,
        channel_id=delivery.channel_id,
        message_id=delivery.message_id,
        sha256="0" * 64,
        size=2,
        started_at=at,
        registry_version="1",
    )
    end = AttemptEnd(id=attempt.id, finished_at=at, outcome=OutcomeKind.OFFERED)
    world.store.apply(Change(attempts=(attempt,), attempt_ends=(end,)))


def test_what_went_out_as_a_notice_is_fetched_sealed(world: World) -> None:
    """A message sent as a mail without personal data: its link gives the sealed envelope to the addressee only."""
    case, message = _case(world, "water")
    delivery = world.delivery(case)
    update = DeliveryUpdate(
        id=delivery.id, state=TransportState.DELIVERED, payload=b"Subject: notice", payload_type="message/rfc822"
    )
    world.store.apply(Change(updates=(update,)))
    fetched = world.call("GET", f"/v1/inbox/{message}", "puller")
    assert fetched.headers["Content-Type"] == "application/json"
    document = fetched.json()
    assert document["envelope"]["header"]["message_id"] == message
    assert document["seal"].count(".") == 2
    problem(world.call("GET", f"/v1/inbox/{message}", "sealer"), 404, "inbox.unknown")


def test_the_inbox_pages(world: World) -> None:
    """The cursor leads through the whole inbox, each message once."""
    for _ in range(3):
        world.offer(_case(world, "water")[0])
    seen: list[str] = []
    after = ""
    while True:
        page = world.call("GET", f"/v1/inbox?limit=2{after}", "puller").json()
        seen += [entry["id"] for entry in page["messages"]]
        if page["cursor"] is None:
            break
        after = f"&after={page['cursor']}"
    assert len(seen) == len(set(seen)) >= 3


def test_a_receipt_must_reply_to_the_address(world: World) -> None:
    """A receipt for another message than the one in the path is refused."""
    (case, message), (_, other) = _case(world, "water"), _case(world, "water")
    response = _push(world, registered(PULLER, case, message), "puller", f"/v1/inbox/{other}/receipt")
    problem(response, 422, "inbox.reply")


@pytest.mark.parametrize("wanted", ["nonsense", str(uuid.UUID(int=5)), "foreign"])
def test_foreign_and_unknown_messages_look_alike(world: World, wanted: str) -> None:
    """No id, an unknown id and another body's message give one and the same answer."""
    if wanted == "foreign":
        case, wanted = _case(world, "water")
        world.offer(case)
    problem(world.call("GET", f"/v1/inbox/{wanted}", "plain"), 404, "inbox.unknown")
    response = _push(world, registered(PLAIN, str(new_id()), str(new_id())), "plain", f"/v1/inbox/{wanted}/receipt")
    problem(response, 404, "inbox.unknown")


def test_a_broken_callback_is_journalled(world: World) -> None:
    """Even what cannot be read leaves a line in the journal."""
    before = len(world.store.inbound(InboundFilter(channel_id=f"{PLAIN}.rest"), limit=1_000))
    response = world.call("POST", CALLBACK, "plain", data=b"{", headers={"Content-Type": "application/json"})
    problem(response, 400, "input.invalid")
    assert len(world.store.inbound(InboundFilter(channel_id=f"{PLAIN}.rest"), limit=1_000)) == before + 1
    assert json.loads(response.content)["faults"][0]["code"] == "json.syntax"
