"""What an authority's word writes: its fact, its message, the state of its delivery, and what a person hears of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.cases.submission import Accepted
from hub.delivery.fallback import fall_back
from hub.errors import Conflict, HubError, InvalidInput, NotFound, SealRefused
from hub.inbound.statement import Received, Statement, stated
from hub.ports import InboundFilter, Outcome, RawInbound
from hub.schemas import json_rendering
from hub.schemas.base import format_datetime
from hub.schemas.delivery import (
    Change,
    DeliveryUpdate,
    Direction,
    Fact,
    FactKind,
    Grant,
    Message,
    OutcomeKind,
    Source,
    StoredAttachment,
    TransportState,
)
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.ids import DeliveryId, MessageId, new_id
from hub.schemas.journal import Custody, Door
from hub.schemas.terms import Kind
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.lanes import run_lane

NUMBERED = {"number": "17", "date": "2026-11-24"}
AT = "2026-11-24T08:00:00Z"
REPORT = b"files of the report"
SHA = hashlib.sha256(REPORT).hexdigest()


def raw(envelope: AnyEnvelope) -> RawInbound:
    """As it comes over HTTP."""
    return RawInbound(content_type="application/json", body=json_rendering.to_json(envelope))


def changed(envelope: AnyEnvelope, **changes: Any) -> AnyEnvelope:
    """The envelope with other members: ``header`` and ``body`` are merged, the rest is replaced."""
    tree: dict[str, Any] = json.loads(json_rendering.to_json(envelope))
    for part in ("header", "body"):
        tree[part] |= changes.pop(part, {})
    tree |= changes
    return json_rendering.from_json(json.dumps(tree).encode())


def as_kind(accepted: Accepted, kind: str, body: dict[str, Any]) -> AnyEnvelope:
    """An envelope of the body that is of another kind."""
    tree = json.loads(json_rendering.to_json(receipt(accepted, "delivered")))
    return json_rendering.from_json(json.dumps({**tree, "kind": kind, "body": body}).encode())


def sent(outcome: OutcomeKind = OutcomeKind.DELIVERED, **lane: Any) -> tuple[World, Accepted]:
    """A world with one appeal that was sent, with this outcome."""
    world = World(**lane)
    world.adapter.script = [Outcome(kind=outcome)]
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    return world, accepted


def new_facts(world: World, accepted: Accepted, before: tuple[Fact, ...]) -> list[Fact]:
    """Facts that were not there before, and not what the hub makes of them."""
    known = {fact.key for fact in before}
    facts = [fact for fact in world.store.facts(accepted.case_id) if fact.key not in known]
    return [fact for fact in facts if fact.kind is not FactKind.ESCALATED]


STATED = [
    ("receipt", {"status": "delivered", "at": AT}, FactKind.DELIVERED, {}),
    ("receipt", {"status": "accepted", "at": AT, "number": "17"}, FactKind.ACCEPTED, {"number": "17"}),
    ("receipt", {"status": "registered", "at": AT, **NUMBERED}, FactKind.REGISTERED, NUMBERED),
    ("receipt", {"status": "refused", "at": AT, "ground": "form"}, FactKind.REFUSED, {"ground": "form"}),
    (
        "answer",
        {"stage": "final", "result": "explained", "at": AT, "text": "Так", **NUMBERED},
        FactKind.ANSWERED,
        {"stage": "final", "result": "explained", **NUMBERED},
    ),
    (
        "answer",
        {"stage": "interim", "result": "satisfied", "at": AT, "text": "Так", **NUMBERED},
        FactKind.ANSWERED,
        {"stage": "interim", "result": "satisfied", **NUMBERED},
    ),
    ("redirect", {"at": AT, "reason": "Не наше", "to": "00032684"}, FactKind.REDIRECTED, {"to": "00032684"}),
    ("redirect", {"at": AT, "reason": "Не наше"}, FactKind.REDIRECTED, {}),
    ("extension", {"at": AT, "until": "2027-01-08", "reason": "Ні"}, FactKind.EXTENDED, {"until": "2027-01-08"}),
    ("clarification", {"step": "question", "at": AT, "text": "Де?"}, FactKind.CLARIFICATION_ASKED, {}),
    (
        "clarification",
        {"step": "question", "at": AT, "text": "Де?", "until": "2026-12-01"},
        FactKind.CLARIFICATION_ASKED,
        {"until": "2026-12-01"},
    ),
    ("publication", {"at": AT, "title": "Так", "text": "Так"}, FactKind.PUBLISHED, {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "body", "fact", "data"), STATED)
def test_each_kind_of_word_is_its_fact(kind: str, body: dict[str, Any], fact: FactKind, data: dict[str, str]) -> None:
    """Kind, moment and data as the body said them; marked as not sealed; message and fact are the body's own."""
    world, accepted = sent()
    before = world.store.facts(accepted.case_id)
    envelope = as_kind(accepted, kind, body)
    assert stated(envelope) == (fact, START, data)
    world.receiver.receive(raw(envelope), origin(CHANNEL, BODY))
    (stands,) = new_facts(world, accepted, before)
    assert (stands.kind, stands.at, stands.source, stands.authority) == (fact, START, Source.AUTHORITY, BODY)
    assert dict(stands.data) == data | {"sealed": "no", "heard_at": format_datetime(START)}
    assert (stands.delivery_id, stands.message_id) == (world.delivery(accepted).id, envelope.header.message_id)


@pytest.mark.parametrize("kind", ["withdrawal", "supplement", "clarification", "return"])
def test_a_word_that_only_the_centre_has_is_refused(kind: str) -> None:
    """An authority does not withdraw, supplement, clarify or return: refused with the place, and nothing changes."""
    world, accepted = sent()
    bodies = {
        "withdrawal": {"at": AT},
        "supplement": {"at": AT, "text": "Ще"},
        "clarification": {"step": "reply", "at": AT, "text": "Тут"},
        "return": {"at": AT, "reason": "Ні"},
    }
    before = world.store.facts(accepted.case_id)
    with pytest.raises(InvalidInput) as refused:
        world.receiver.receive(raw(as_kind(accepted, kind, bodies[kind])), origin(CHANNEL, BODY))
    assert refused.value.stable_code == "inbound.kind"
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/kind", "inbound.kind")]
    assert world.store.facts(accepted.case_id) == before


def test_a_word_is_kept_as_it_was_meant_and_as_it_came() -> None:
    """The message says who, to whom, about what, with the RFC 8785 bytes, their digest, and the bytes of the wire."""
    world, accepted = sent()
    envelope = receipt(accepted, "answer")
    spaced = RawInbound(content_type="application/json; x=" + "y" * 200, body=raw(envelope).body + b"\n")
    received = world.receiver.receive(spaced, origin(CHANNEL, BODY))
    canonical = json_rendering.to_json(envelope)
    message_id = MessageId(envelope.header.message_id)
    assert received == Received(message_id=message_id, case_id=accepted.case_id, repeat=False)
    assert world.store.message(message_id) == Message(
        id=message_id,
        case_id=accepted.case_id,
        kind=Kind.ANSWER,
        direction=Direction.IN,
        sender=BODY,
        recipient=HUB.code,
        in_reply_to=accepted.message_id,
        created_at=START,
        body=canonical,
        sha256=hashlib.sha256(canonical).hexdigest(),
        raw=spaced.body,
        raw_type=spaced.content_type[:200],
    )
    (entry,) = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert (entry.custody, entry.verdict, entry.door, entry.authority) == (
        Custody.ATTACHED,
        "accepted",
        Door.CALLBACK,
        BODY,
    )
    assert (entry.case_id, entry.message_id) == (accepted.case_id, message_id)


OPEN = [OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN, OutcomeKind.PERMANENT, OutcomeKind.OFFERED]


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OPEN)
@pytest.mark.parametrize("what", ["delivered", "accepted", "answer", "refused"])
def test_whoever_speaks_about_it_has_it(outcome: OutcomeKind, what: str) -> None:
    """However the sending ended, word from the body settles it: one fact says that it arrived, none if it refused."""
    world, accepted = sent(outcome)
    before = world.store.facts(accepted.case_id)
    world.clock.go(5)
    world.calls(receipt(accepted, what))
    delivery = world.delivery(accepted)
    kinds = [fact.kind for fact in new_facts(world, accepted, before)]
    refused = what == "refused"
    assert kinds.count(FactKind.DELIVERED) == (0 if refused else 1)
    assert delivery.state is (TransportState.REFUSED if refused else TransportState.DELIVERED)
    assert delivery.delivered_at == (None if refused else START + timedelta(seconds=5))
    assert (delivery.next_at, delivery.lease_owner) == (None, None)
    arrived = [fact for fact in new_facts(world, accepted, before) if fact.kind is FactKind.DELIVERED]
    if what in ("accepted", "answer"):
        assert [(fact.at, fact.source, fact.data["channel"]) for fact in arrived] == [
            (START, Source.AUTHORITY, CHANNEL)
        ]


def test_of_what_had_arrived_nothing_is_said_again() -> None:
    """A registration of what was delivered is one fact more, and its time of delivery stays."""
    world, accepted = sent()
    before = world.store.facts(accepted.case_id)
    world.clock.go(5)
    world.calls(receipt(accepted, "registered"))
    assert [fact.kind for fact in new_facts(world, accepted, before)] == [FactKind.REGISTERED]
    assert world.delivery(accepted).delivered_at == START


SETTLED = [
    ("waiting", FactKind.ACCEPTED, {}, ("delivered", True, True)),
    ("dead", FactKind.ANSWERED, {"stage": "final"}, ("delivered", False, True)),
    ("unknown", FactKind.ANSWERED, {"stage": "interim"}, ("delivered", True, True)),
    ("offered", FactKind.REFUSED, {"ground": "form"}, ("refused", False, False)),
    ("sending", FactKind.REFUSED, {"ground": "received_twice"}, ("delivered", True, True)),
    ("delivered", FactKind.REGISTERED, {}, None),
    ("delivered", FactKind.ANSWERED, {"stage": "interim"}, None),
    ("delivered", FactKind.ANSWERED, {"stage": "final"}, ("delivered", False, False)),
    ("delivered", FactKind.REFUSED, {"ground": "form"}, ("delivered", False, False)),
    ("cancelled", FactKind.ACCEPTED, {}, None),
    ("refused", FactKind.ACCEPTED, {}, None),
]


@pytest.mark.parametrize(("state", "kind", "data", "expected"), SETTLED)
def test_what_a_word_makes_of_its_delivery(
    state: str, kind: FactKind, data: dict[str, str], expected: tuple[str, bool, bool] | None
) -> None:
    """An open one is settled; a final answer or a refusal ends the asking; of a settled one nothing else changes."""
    world, accepted = sent()
    asked = START + timedelta(hours=1)
    delivery = replace(world.delivery(accepted), state=TransportState(state), poll_at=asked)
    fact = Fact(kind=kind, case_id=delivery.case_id, at=START, source=Source.AUTHORITY, data=data)
    received = Received(message_id=delivery.message_id, case_id=delivery.case_id, repeat=False)
    statement = Statement(received=received, change=Change(), delivery=delivery, fact=fact)
    updates = statement.settles(delivery, START)
    if expected is None:
        assert updates == ()
        return
    becomes, goes_on, arrives = expected
    assert updates == (
        DeliveryUpdate(
            id=delivery.id,
            state=TransportState(becomes),
            poll_at=asked if goes_on else None,
            delivered_at=START if arrives else None,
        ),
    )
    assert replace(statement, fact=None).settles(delivery, START) == ()


@pytest.mark.parametrize("what", ["refused", "redirect", "accepted", "answer", "extension"])
def test_only_a_refusal_and_a_redirect_ask_for_an_act(what: str) -> None:
    """Where the hub must do something it does it at once; the rest is only told."""
    world, accepted = sent()
    statement = world.receiver.evaluator.envelope(raw(receipt(accepted, what)), origin(CHANNEL, BODY))
    assert statement.asks is (what in ("refused", "redirect"))
    world.calls(receipt(accepted, what))
    asked = world.store.items(open_only=True, after=None, limit=9)
    assert bool(asked) is (what in ("refused", "redirect"))


@pytest.mark.parametrize(("early", "silent"), [(timedelta(hours=24), True), (timedelta(hours=24, seconds=1), False)])
def test_a_word_from_long_before_the_sending_counts_from_when_it_came(early: timedelta, silent: bool) -> None:
    """It is marked; of what lies more than a day before a person hears, with the day that it named."""
    world, accepted = sent()
    world.clock.go(60)
    world.calls(receipt(accepted, "registered", at=START - early))
    (fact,) = [each for each in world.store.facts(accepted.case_id) if each.kind is FactKind.REGISTERED]
    assert (fact.at, fact.data["clock"]) == (START + timedelta(seconds=60), "before_routing")
    items = world.store.items(open_only=True, after=None, limit=9)
    told = "The statement dates itself 2026-11-23, before the appeal was sent; it counts from when it came."
    assert [(item.reason, item.detail) for item in items] == ([] if silent else [("inbound.unclear", told)])


def with_file(world: World, *, size: int = len(REPORT), party: str = BODY) -> None:
    """A file that was uploaded."""
    stored = StoredAttachment(sha256=SHA, size=size, media_type="text/plain", created_at=START)
    world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=SHA, party=party),)))


MANIFEST = [{"sha256": SHA, "size": len(REPORT), "media_type": "text/plain", "name": "звіт.txt"}]


def test_files_of_an_answer_are_for_the_centre() -> None:
    """Whoever took the appeal in may read them from then on, and nobody else."""
    world, accepted = sent()
    with_file(world)
    world.calls(changed(receipt(accepted, "answer"), attachments=MANIFEST))
    assert world.store.may_read(SHA, HUB.code)
    assert not world.store.may_read(SHA, "00032684")


@pytest.mark.parametrize("missing", ["not there", "other size", "another's"])
def test_an_answer_names_only_files_that_its_body_brought(missing: str) -> None:
    """One that is not there, of another size, or brought by another: refused with its place, and nothing is kept."""
    world, accepted = sent()
    if missing != "not there":
        with_file(
            world, size=1 if missing == "other size" else len(REPORT), party="1" if missing == "another's" else BODY
        )
    envelope = changed(receipt(accepted, "answer"), attachments=MANIFEST)
    with pytest.raises(InvalidInput) as refused:
        world.calls(envelope)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/attachments/0", "attachment.unknown")]
    assert world.store.message(MessageId(envelope.header.message_id)) is None


def test_an_id_belongs_to_who_used_it_first() -> None:
    """The id of a message that we sent, or the same id with other words, is a conflict; the same words are a repeat."""
    world, accepted = sent()
    mine = receipt(accepted, "registered")
    world.calls(mine)
    again = world.receiver.receive(raw(mine), origin(CHANNEL, BODY))
    assert again == Received(message_id=MessageId(mine.header.message_id), case_id=accepted.case_id, repeat=True)
    ours = changed(mine, header={"message_id": str(accepted.message_id)})
    other = changed(mine, body={"number": "18"})
    for wrong in (ours, other):
        with pytest.raises(Conflict) as refused:
            world.receiver.receive(raw(wrong), origin(CHANNEL, BODY))
        assert refused.value.stable_code == "inbound.id_reused"


MAIL = {"sha256": "a" * 64, "size": 9, "media_type": "message/rfc822", "name": "mail.eml"}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"attachments": [MAIL | {"sha256": "b" * 64}, *MANIFEST]}, True),
        ({"attachments": [MAIL | {"sha256": "b" * 64}]}, False),
        ({"attachments": [MAIL | {"sha256": "b" * 64}, *MANIFEST], "body": {"text": "Інше"}}, False),
    ],
)
def test_one_mail_that_came_to_two_addresses_is_one(change: dict[str, Any], same: bool) -> None:
    """The lines of its way differ, so the mail's own bytes do: the same words and files are a repeat."""
    world, accepted = sent()
    with_file(world)
    for each in ("a" * 64, "b" * 64):
        stored = StoredAttachment(sha256=each, size=9, media_type="message/rfc822", created_at=START)
        world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=each, party=BODY),)))
    first = changed(receipt(accepted, "answer"), attachments=[MAIL, *MANIFEST])
    world.calls(first)
    second = raw(changed(first, **change))
    if same:
        assert world.receiver.receive(second, origin(CHANNEL, BODY)).repeat
        return
    with pytest.raises(Conflict):
        world.receiver.receive(second, origin(CHANNEL, BODY))


def test_only_a_mail_may_come_twice_in_other_words_of_its_way() -> None:
    """What is no mail and says the same with another moment in its head is another message under a used id."""
    world, accepted = sent()
    with_file(world)
    first = changed(receipt(accepted, "answer"), attachments=MANIFEST)
    world.calls(first)
    with pytest.raises(Conflict):
        world.calls(changed(first, header={"created_at": "2026-11-24T09:00:00Z"}))


def test_word_of_a_copy_that_was_given_up_stops_the_others() -> None:
    """The body answers over the channel that had failed: what waits on its next channel is not sent any more."""
    world, accepted = sent(OutcomeKind.PERMANENT)
    first = world.delivery(accepted)
    onward = fall_back(first, Channel(id=f"{BODY}.next", adapter="scripted"), why="test", now=START)
    world.store.apply(Change(facts=onward.facts, deliveries=onward.deliveries))
    shadow = replace(onward.deliveries[0], id=DeliveryId(new_id()), shadow=True, channel_id=f"{BODY}.shadow")
    world.store.apply(Change(deliveries=(shadow,)))
    world.calls(receipt(accepted, "registered"))
    states = {each.channel_id: (each.state, each.last_code) for each in world.store.deliveries(accepted.case_id)}
    assert states[CHANNEL][0] is TransportState.DELIVERED
    assert states[f"{BODY}.next"] == (TransportState.CANCELLED, "received_elsewhere")
    assert states[f"{BODY}.shadow"] == (TransportState.WAITING, None)


def test_word_over_the_next_channel_settles_that_copy() -> None:
    """Of a message that went over two channels, the copy that speaks is the one that arrived."""
    world, accepted = sent(OutcomeKind.PERMANENT)
    onward = fall_back(world.delivery(accepted), Channel(id=f"{BODY}.next", adapter="scripted"), why="t", now=START)
    world.store.apply(Change(facts=onward.facts, deliveries=onward.deliveries))
    world.receiver.receive(raw(receipt(accepted, "accepted")), origin(f"{BODY}.next", BODY))
    states = {each.channel_id: each.state for each in world.store.deliveries(accepted.case_id)}
    assert states == {CHANNEL: TransportState.DEAD, f"{BODY}.next": TransportState.DELIVERED}


def test_what_followed_the_appeal_is_not_taken_for_it() -> None:
    """A withdrawal went over the channel that speaks, the appeal over another: word of the appeal is the appeal's."""
    world, accepted = sent()
    appeal = world.delivery(accepted)
    message = world.store.message(accepted.message_id)
    assert message is not None
    later = replace(message, id=MessageId(new_id()))
    onto = replace(appeal, id=DeliveryId(new_id()), message_id=later.id, channel_id=f"{BODY}.next")
    world.store.apply(Change(messages=(later,), deliveries=(onto,)))
    statement = world.receiver.evaluator.envelope(raw(receipt(accepted, "accepted")), origin(f"{BODY}.next", BODY))
    assert statement.delivery is not None
    assert statement.delivery.id == appeal.id


def test_a_shadows_word_is_noted_and_states_nothing() -> None:
    """It is kept with its message and journalled; the one fact says what it would have been."""
    world, accepted = sent()
    shadow = replace(
        world.delivery(accepted), id=DeliveryId(new_id()), channel_id=f"{BODY}.shadow", shadow=True, delivered_at=None
    )
    world.store.apply(Change(deliveries=(shadow,)))
    before = world.store.facts(accepted.case_id)
    envelope = receipt(accepted, "registered")
    received = world.receiver.receive(raw(envelope), origin(f"{BODY}.shadow", BODY))
    assert received == Received(
        message_id=MessageId(envelope.header.message_id), case_id=accepted.case_id, repeat=False
    )
    (noted,) = new_facts(world, accepted, before)
    assert (noted.kind, dict(noted.data)) == (
        FactKind.SHADOWED,
        {"channel": f"{BODY}.shadow", "outcome": "registered"},
    )
    assert world.store.message(received.message_id) is not None
    (entry,) = world.store.inbound(InboundFilter(channel_id=f"{BODY}.shadow"), limit=9)
    assert (entry.verdict, entry.custody) == ("shadow", Custody.ATTACHED)


def test_a_word_without_the_message_it_answers_is_about_the_last_one() -> None:
    """A question or a publication may name its case alone: then it is about what was sent to that body last."""
    world, accepted = sent()
    first = world.delivery(accepted)
    onward = fall_back(first, Channel(id=f"{BODY}.next", adapter="scripted"), why="t", now=START)
    world.store.apply(Change(facts=onward.facts, deliveries=onward.deliveries))
    question = as_kind(accepted, "clarification", {"step": "question", "at": AT, "text": "Де?"})
    bare = json.loads(json_rendering.to_json(question))
    del bare["header"]["in_reply_to"]
    body = json.dumps(bare).encode()
    asked = world.receiver.evaluator.envelope(
        RawInbound(content_type="application/json", body=body), origin("envelopes", BODY)
    )
    assert asked.delivery is not None
    assert asked.delivery.channel_id == f"{BODY}.next"
    bare["header"]["case_id"] = str(new_id())
    with pytest.raises(NotFound) as unknown:
        world.receiver.receive(
            RawInbound(content_type="application/json", body=json.dumps(bare).encode()), origin(CHANNEL, BODY)
        )
    assert unknown.value.stable_code == "inbound.unknown_case"


def test_a_receipt_must_answer_the_message_of_its_address() -> None:
    """Handed over at the address of one message it may not speak of another: refused with the place."""
    world, accepted = sent()
    envelope = receipt(accepted, "registered")
    with pytest.raises(InvalidInput) as refused:
        world.receiver.receive(raw(envelope), origin(CHANNEL, BODY), answers=MessageId(new_id()))
    assert (refused.value.stable_code, refused.value.faults[0].pointer) == ("inbox.reply", "/header/in_reply_to")
    assert world.receiver.receive(raw(envelope), origin(CHANNEL, BODY), answers=accepted.message_id).repeat is False


@pytest.mark.parametrize("sealed", [False, True])
def test_a_way_that_brings_for_all_believes_only_a_seal(sealed: bool) -> None:
    """Nobody's credential: the sender that the envelope names must have a key, and its seal must hold."""
    world = World(sealed=sealed)
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    envelope = receipt(accepted, "registered")
    canonical = json_rendering.to_json(envelope)
    token = world.body_seal.seal_json(canonical)
    head, _, tail = token.split(b".")
    body = b'{"envelope":' + canonical + b',"seal":"' + head + b".." + tail + b'"}'
    document = RawInbound(content_type="application/json", body=body)
    if not sealed:
        with pytest.raises(SealRefused):
            world.receiver.receive(document, origin("sev", None))
        return
    world.receiver.receive(document, origin("sev", None))
    (fact,) = [each for each in world.store.facts(accepted.case_id) if each.kind is FactKind.REGISTERED]
    assert (fact.authority, "sealed" in fact.data) == (BODY, False)


def test_a_refusal_is_held_once() -> None:
    """What is refused is held once under its code, with the party and the way it came by."""
    world, accepted = sent()
    stranger = changed(receipt(accepted, "registered"), header={"case_id": str(new_id())})
    for _ in range(2):
        with pytest.raises(HubError) as refused:
            world.receiver.receive(raw(stranger), origin(CHANNEL, BODY, Door.SOAP))
        assert refused.value.journalled
        world.clock.go(1)
    (entry,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=9)
    assert (entry.verdict, entry.authority, entry.door, entry.count) == (
        "inbound.unknown_case",
        BODY,
        Door.SOAP,
        2,
    )
