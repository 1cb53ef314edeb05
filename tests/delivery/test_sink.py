"""What adapters hand over: whose word it is, which copy it is about, what is kept, and what a person gets."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.cases.submission import Accepted, Submission
from hub.delivery.fallback import fall_back
from hub.errors import ItemFailed, NotFound, SealRefused
from hub.inbound.bounces import undelivered
from hub.inbound.sink import ChannelSink
from hub.inbound.wording import provable
from hub.ports import InboundFilter, Outcome, RawInbound, ReportedStatus, Returned
from hub.schemas import json_rendering
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, OutcomeKind, Source, TransportState
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AnswerBody, ReceiptBody, ReceiptEnvelope
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.journal import Custody, Door
from hub.schemas.terms import ReceiptStatus
from hub.storage.attachments import FileAttachments
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.test_asking import with_channels
from tests.delivery.test_bounces import bounce
from tests.delivery.test_claim import own
from tests.delivery.test_collector import ANSWER, REGISTERED, spoken
from tests.delivery.test_statements import raw
from tests.delivery.world import BODY, CHANNEL, HUB, START, World, sha256
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

OTHER = "00032684"
NEXT = f"{BODY}.next"


def sink(world: World, party: str | None = None, *, channel: str = CHANNEL, folder: Path | None = None) -> ChannelSink:
    """A sink for one party, or for all."""
    return ChannelSink(
        store=world.store,
        receiver=world.receiver,
        attachments=None if folder is None else FileAttachments(folder),
        clock=world.clock,
        origin=origin(channel, party, Door.COLLECT),
    )


def sent(outcome: OutcomeKind = OutcomeKind.DELIVERED, **lane: Any) -> tuple[World, Accepted]:
    """One appeal that was sent, with an id of theirs."""
    world = World(**lane)
    world.adapter.script = [Outcome(kind=outcome, external_id="E-1")]
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    world.clock.go(60)
    return world, accepted


def of_kind(world: World, accepted: Accepted, kind: FactKind) -> list[Fact]:
    """Facts of a case."""
    return [fact for fact in world.store.facts(accepted.case_id) if fact.kind is kind]


def entries(world: World, channel: str = CHANNEL) -> list[tuple[str, str, str, CaseId | None, str | None]]:
    """Entries of the journal: custody, verdict, whose, which case, and the words."""
    found = world.store.inbound(InboundFilter(channel_id=channel), limit=99)
    return sorted((e.custody.value, e.verdict, e.authority, e.case_id, e.detail) for e in found)


# Finding


def test_a_delivery_is_found_by_what_names_it_best() -> None:
    """By our id before theirs, by theirs before the case; over another's channel nothing is found."""
    world, accepted = sent()
    mine = world.delivery(accepted)
    assert sink(world, BODY).find(message_id=accepted.message_id, external_id="x") == mine
    assert sink(world, BODY).find(message_id=MessageId(new_id()), case_id=accepted.case_id) is None
    for party in (BODY, None):
        assert sink(world, party).find(external_id="E-1", case_id=CaseId(new_id())) == mine
        assert sink(world, party).find(external_id="E-2", case_id=accepted.case_id) is None
    for named in ({"message_id": accepted.message_id}, {"external_id": "E-1"}, {"case_id": accepted.case_id}):
        assert sink(world, OTHER).find(**named) is None
    assert sink(world, BODY).find() is None


def test_their_number_counts_only_for_the_case_that_has_it() -> None:
    """The centre's number, or the hub's where the centre gave none, if one case of that body has it."""
    world = World()
    form = form_from_json(MINIMAL).model_copy(update={"reference": "НКЦ-1"})
    (numbered,) = world.intake.submit_all([Submission(form=form, owner=HUB.code)])
    (bare,) = world.submit()
    row = world.store.case(bare.case_id)
    assert row is not None
    assert row.case.case_number is not None
    for accepted, number in ((numbered, "НКЦ-1"), (bare, row.case.case_number)):
        assert sink(world, BODY).numbered(number) == world.delivery(accepted)
        assert (sink(world, OTHER).numbered(number), sink(world).numbered(number)) == (None, None)
        said = replace(spoken(accepted, said_id=number), in_reply_to=None, reference=number)
        sink(world, BODY).reported(said)
        assert len(of_kind(world, accepted, FactKind.REGISTERED)) == 1
        with pytest.raises(NotFound) as unknown:
            sink(world, OTHER).reported(replace(said, said_id=f"{number}-2"))
        assert unknown.value.stable_code == "inbound.unknown_case"


def test_two_bodies_may_use_one_number() -> None:
    """Their id of our message, and the centre's number, are looked up among what was sent to whoever speaks."""
    world = World()
    first, second = world.intake.submit_all(
        [Submission(form=form_from_json(MINIMAL).model_copy(update={"reference": "НКЦ-1"}), owner=HUB.code)] * 2
    )
    with_channels(world, own(world))
    world.forwarding.assign(second.case_id, OTHER, by="op")
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, external_id="E-1")]
    run_lane(world.cases, CHANNEL)
    run_lane(world.cases, f"{OTHER}.test")
    others = next(each for each in world.store.deliveries(second.case_id) if each.authority == OTHER)
    assert sink(world, OTHER, channel=f"{OTHER}.test").find(external_id="E-1") == others
    said = replace(spoken(first), in_reply_to=None)
    sink(world, OTHER, channel=f"{OTHER}.test").reported(replace(said, external_id="E-1"))
    sink(world, OTHER, channel=f"{OTHER}.test").reported(replace(said, reference="НКЦ-1", said_id="2"))
    assert {fact.authority for fact in of_kind(world, second, FactKind.REGISTERED)} == {OTHER}
    assert of_kind(world, first, FactKind.REGISTERED) == []
    sink(world, BODY).reported(replace(said, external_id="E-1", said_id="3"))
    assert {fact.authority for fact in of_kind(world, first, FactKind.REGISTERED)} == {BODY}


def known_over(world: World, accepted: Accepted, channel: str, external_id: str | None) -> Delivery:
    """A copy of the message that went over another channel, known there by this id; the copy."""
    copy = replace(
        world.delivery(accepted), id=DeliveryId(new_id()), channel_id=channel, external_id=external_id, shadow=False
    )
    world.store.apply(Change(deliveries=(copy,)))
    return copy


def test_two_systems_of_one_body_may_use_one_number() -> None:
    """Each means what went over its own channel; what only the other knows by that number is nothing of its own."""
    world, mine = sent()
    (theirs,) = world.submit()
    over_next = known_over(world, theirs, NEXT, "E-1")
    said = replace(spoken(mine), in_reply_to=None, external_id="E-1")
    assert sink(world, BODY).find(external_id="E-1") == world.delivery(mine)
    assert sink(world, BODY, channel=NEXT).find(external_id="E-1") == over_next
    sink(world, BODY).reported(said)
    assert [len(of_kind(world, each, FactKind.REGISTERED)) for each in (mine, theirs)] == [1, 0]
    known_over(world, theirs, NEXT, "E-2")
    assert sink(world, BODY).find(external_id="E-2") is None
    with pytest.raises(NotFound):
        sink(world, BODY).reported(replace(said, external_id="E-2", said_id="2"))
    assert ("held", "inbound.unknown_case", BODY, None, None) in entries(world)


def test_a_channel_that_was_given_a_copy_may_name_it_by_the_other_channels_number() -> None:
    """If its own system gave it none; if that gave another number, it means something else."""
    world, accepted = sent()
    for channel, own_id, finds in ((NEXT, None, True), (f"{BODY}.last", "17", False)):
        known_over(world, accepted, channel, own_id)
        assert (sink(world, BODY, channel=channel).find(external_id="E-1") is not None) is finds
    assert sink(world, BODY, channel=f"{BODY}.other").find(external_id="E-1") is None
    assert sink(world, channel="centre.box").find(external_id="E-1") is not None


@pytest.mark.parametrize("for_all", [False, True])
def test_of_two_cases_with_one_number_none_is_guessed(for_all: bool) -> None:
    """Over its own channel, and in a mailbox for all: a person decides, and neither case has a fact of it."""
    world, first = sent()
    (second,) = world.submit()
    channel = "centre.box" if for_all else CHANNEL
    known_over(world, second, NEXT if for_all else CHANNEL, "E-1")
    over = sink(world, None if for_all else BODY, channel=channel)
    said = replace(spoken(first), in_reply_to=None, external_id="E-1")
    with pytest.raises(ItemFailed) as ambiguous:
        over.find(external_id="E-1")
    assert ambiguous.value.stable_code == "inbound.ambiguous"
    with pytest.raises(ItemFailed):
        over.reported(said)
    ((custody, verdict, *_),) = entries(world, channel)
    assert (custody, verdict) == ("held", "inbound.ambiguous")
    assert [len(of_kind(world, each, FactKind.REGISTERED)) for each in (first, second)] == [0, 0]


def test_two_centres_may_give_one_number() -> None:
    """Each centre counts its own cases: a body means the one that was sent to it."""
    world = World()
    (mine,) = world.submit()
    (foreign,) = world.intake.submit_all([Submission(form=form_from_json(MINIMAL), owner="00000099")])
    with_channels(world, own(world))
    world.forwarding.assign(foreign.case_id, OTHER, by="op")
    run_lane(world.cases, CHANNEL)
    run_lane(world.cases, f"{OTHER}.test")
    rows = [world.store.case(each.case_id) for each in (mine, foreign)]
    (number,) = {row.case.case_number for row in rows if row is not None}
    said = replace(spoken(mine), in_reply_to=None, reference=number)
    sink(world, OTHER, channel=f"{OTHER}.test").reported(said)
    assert [len(of_kind(world, each, FactKind.REGISTERED)) for each in (mine, foreign)] == [0, 1]


# Words of other systems


def test_their_words_become_an_envelope_of_the_hubs_own() -> None:
    """From the body, by the name that we wrote to, to the centre, about our message, dated by them; as of their id."""
    world, accepted = sent()
    sink(world, BODY).reported(spoken(accepted))
    (fact,) = of_kind(world, accepted, FactKind.REGISTERED)
    assert fact.message_id is not None
    message = world.store.message(fact.message_id)
    assert message is not None
    envelope = json_rendering.from_json(message.body)
    header = envelope.header
    assert (header.sender.code, header.sender.name, header.recipient.code) == (BODY, "Національний банк", HUB.code)
    assert (header.case_id, header.in_reply_to) == (accepted.case_id, accepted.message_id)
    assert (header.created_at, envelope.body) == (START, REGISTERED)
    assert (message.raw, message.raw_type) == (spoken(accepted).raw.body, "text/plain")
    assert entries(world) == [("attached", "accepted", BODY, accepted.case_id, None)]
    sink(world, BODY, channel=NEXT).reported(spoken(accepted, said_id="their-1"))
    assert len({each.message_id for each in of_kind(world, accepted, FactKind.REGISTERED)}) == 1
    assert len(world.store.messages(accepted.case_id)) == 3  # two channels may use one id for two messages


@pytest.mark.parametrize(
    ("status", "reaches", "believed"),
    [
        ("registered", "registered", "registered"),
        ("registered", "delivered", "accepted"),
        ("registered", "sent", "accepted"),
        ("accepted", "delivered", "accepted"),
        ("refused", "sent", "refused"),
    ],
)
def test_no_more_is_believed_than_the_way_can_prove(status: str, reaches: str, believed: str) -> None:
    """A registration over a way that cannot prove one is an acceptance, with its number and date (CMU 55/2018)."""
    fields: dict[str, Any] = {"number": "17", "date": date(2026, 11, 24)}
    body = ReceiptBody.model_construct(status=ReceiptStatus(status), at=START, **fields)
    told = provable(body, LegalClass(reaches))
    assert isinstance(told, ReceiptBody)
    assert (told.status.value, told.number, told.date) == (believed, "17", date(2026, 11, 24))
    assert provable(ANSWER, LegalClass.SENT) is ANSWER


@pytest.mark.parametrize(
    ("channel_of", "said_by", "speaks"),
    [(BODY, None, BODY), (BODY, BODY, BODY), (None, BODY, BODY), (None, None, BODY), (BODY, OTHER, None)],
)
def test_who_spoke_is_the_channels_body_or_whom_the_proof_names(
    channel_of: str | None, said_by: str | None, speaks: str | None
) -> None:
    """Over a body's own channel only that body speaks; in a mailbox for all, the addressee of what is answered."""
    world, accepted = sent()
    said = replace(spoken(accepted), party=said_by)
    if speaks is None:
        with pytest.raises(SealRefused) as refused:
            sink(world, channel_of).reported(said)
        assert refused.value.stable_code == "seal.party"
        assert entries(world) == [("held", "seal.party", BODY, None, None)]
        return
    sink(world, channel_of).reported(said)
    (fact,) = of_kind(world, accepted, FactKind.REGISTERED)
    assert (fact.authority, fact.source) == (speaks, Source.AUTHORITY)


def test_the_same_words_over_a_visited_channel_are_a_repeat_that_is_noted() -> None:
    """Once a fact; the second time a note in the journal at the case; asked for again and again, not even that."""
    world, accepted = sent()
    for _ in range(2):
        sink(world, BODY).reported(spoken(accepted))
    assert sorted((custody, verdict) for custody, verdict, *_ in entries(world)) == [
        ("attached", "accepted"),
        ("noted", "repeat"),
    ]
    outcome = Outcome(kind=OutcomeKind.DELIVERED, reported=(spoken(accepted),))
    assert world.receiver.receive_outcome(world.delivery(accepted), outcome) == []
    assert len(entries(world)) == 2


def test_what_is_unclear_in_good_words_reaches_a_person(caplog: pytest.LogCaptureFixture) -> None:
    """The statement counts, and beside it stands an item with the question; of an early date, both sentences."""
    world, accepted = sent()
    early = START - timedelta(days=30)
    said = replace(spoken(accepted), body=REGISTERED.model_copy(update={"at": early}), unclear="Чиє рішення?")
    sink(world, BODY).reported(said)
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert item.reason == "inbound.unclear"
    assert item.detail.startswith("Чиє рішення? The statement dates itself 2026-10-25")
    assert [fact.at for fact in of_kind(world, accepted, FactKind.REGISTERED)] == [world.clock.now()]


def test_good_words_beside_refused_ones_count_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Of two statements in one answer one is about nothing of ours: it is held and logged, the other is a fact."""
    world, accepted = sent()
    stranger = replace(spoken(accepted, "their-2"), in_reply_to=None, external_id="nobody")
    delivery = world.delivery(accepted)
    outcome = Outcome(kind=OutcomeKind.DELIVERED, reported=(stranger, spoken(accepted)))
    refusals = world.receiver.receive_outcome(delivery, outcome)
    assert [each.stable_code for each in refusals] == ["inbound.unknown_case"]
    assert len(of_kind(world, accepted, FactKind.REGISTERED)) == 1
    (record,) = [each for each in caplog.records if each.message == "a statement was not taken in"]
    extra = record.__dict__
    assert (extra["channel"], extra["case"], extra["code"]) == (
        CHANNEL,
        str(accepted.case_id),
        "inbound.unknown_case",
    )
    (held,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=9)
    assert (held.door, held.authority, held.channel_id) == (Door.POLL, BODY, CHANNEL)


def test_what_comes_with_an_answer_is_journalled_as_such() -> None:
    """Of two receipts in a response the first makes it delivered, the second finds it so; a refused one is held."""
    world = World()
    (accepted,) = world.submit()
    delivery = world.delivery(accepted)
    stranger = raw(receipt(accepted, "delivered").model_copy(update={"header": _header(accepted, CaseId(new_id()))}))
    whats = ("accepted", "registered")
    outcome = Outcome(
        kind=OutcomeKind.DELIVERED, receipts=(*(raw(receipt(accepted, what)) for what in whats), stranger)
    )
    held, refusals = world.receiver.evaluate_outcome(delivery, outcome)
    assert [each.stable_code for each in refusals] == ["inbound.unknown_case"]
    kinds = [[fact.kind for fact in statement.change.facts] for statement in held]
    assert kinds == [[FactKind.ACCEPTED, FactKind.DELIVERED], [FactKind.REGISTERED]]
    (record,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=9)
    assert (record.door, record.channel_id, record.authority) == (Door.RESPONSE, CHANNEL, BODY)
    assert {statement.change.inbound[0].door for statement in held} == {Door.RESPONSE}
    assert {statement.change.inbound[0].channel_id for statement in held} == {CHANNEL}


def _header(accepted: Accepted, case_id: CaseId) -> Any:
    envelope = receipt(accepted, "delivered")
    assert isinstance(envelope, ReceiptEnvelope)
    return envelope.header.model_copy(update={"case_id": case_id})


# Files, keys


def test_a_file_is_kept_under_its_digest_for_its_sender(tmp_path: Path) -> None:
    """Stored before a statement names it, readable for who sent it; a process without a store for files says so."""
    world, _ = sent()
    kept = sink(world, BODY, folder=tmp_path).keep(
        io.BytesIO(b"scan"), media_type="application/pdf", name="скан.pdf", party=BODY
    )
    assert (kept.sha256, kept.size, kept.media_type, kept.name) == (sha256(b"scan"), 4, "application/pdf", "скан.pdf")
    stored = world.store.attachment(kept.sha256)
    assert stored is not None
    assert (stored.size, stored.media_type, stored.created_at) == (4, "application/pdf", world.clock.now())
    assert world.store.may_read(kept.sha256, BODY)
    assert not world.store.may_read(kept.sha256, OTHER)
    with pytest.raises(NotFound) as none:
        sink(world, BODY).keep(io.BytesIO(b"scan"), media_type="application/pdf", name="скан.pdf", party=BODY)
    assert none.value.stable_code == "attachment.no_store"


def test_the_keys_of_a_party_are_those_of_the_registry() -> None:
    """An adapter that checks signatures asks the sink, which asks the registry in force."""
    world, _ = sent()
    assert len(sink(World(sealed=True)).keys(BODY)) == 1
    assert sink(world).keys(BODY) == ()
    assert sink(World(sealed=True)).keys(OTHER) == ()


# What is held or noted


@pytest.mark.parametrize("about", [False, True])
@pytest.mark.parametrize("party", [None, BODY])
def test_what_may_be_a_bodys_word_is_held_for_a_person(about: bool, party: str | None) -> None:
    """With the sender, if it is known by the channel, by the message or by the adapter's proof; at its case."""
    world, accepted = sent()
    came = RawInbound(content_type="message/rfc822", body=b"mail")
    named = accepted.message_id if about else None
    sink(world, party).held(came, verdict="mail.no_token", about=named, party=OTHER, detail="Відповідь")
    (entry,) = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert (entry.custody, entry.verdict, entry.door) == (Custody.HELD, "mail.no_token", Door.COLLECT)
    assert entry.authority == (BODY if about or party else OTHER)
    assert (entry.case_id, entry.detail) == (accepted.case_id if about else None, "Відповідь")
    items = world.store.items(open_only=True, after=None, limit=9)
    words = f"mail.no_token: Відповідь (journal {entry.id})"
    assert [(item.reason, item.detail, item.opened_at) for item in items] == (
        [("inbound.held", words, world.clock.now())] if about else []
    )
    sink(world, party).held(came, verdict="mail.no_token", about=named, party=OTHER, detail="Відповідь")
    assert len(world.store.items(open_only=True, after=None, limit=9)) == len(items)


def test_what_is_held_without_words_says_so() -> None:
    """The item names the verdict, and that it could not be taken in."""
    world, accepted = sent()
    sink(world).held(RawInbound(content_type="text/plain", body=b"x"), verdict="v.x", about=accepted.message_id)
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert item.detail.startswith("v.x: it could not be taken in (journal ")


# Bounces


def test_a_bounce_is_journalled_at_its_case_with_its_words() -> None:
    """Whose message it was, which case, the code and the words; the item says both."""
    world, accepted = sent()
    sink(world).undelivered(bounce(world, accepted))
    assert entries(world) == [
        ("noted", "mail.returned_userunknown", BODY, accepted.case_id, "550 user unknown"),
    ]
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.detail, item.opened_at) == (
        "returned.permanent",
        "mail.returned_userunknown: 550 user unknown",
        world.clock.now(),
    )


def test_a_bounce_of_nothing_of_ours_is_held() -> None:
    """A person sees the words of the machine that could not hand over what we do not know."""
    world, accepted = sent()
    with pytest.raises(NotFound) as unknown:
        sink(world).undelivered(replace(bounce(world, accepted), about=MessageId(new_id())))
    assert unknown.value.stable_code == "inbound.unknown_case"
    assert entries(world) == [("held", "inbound.unknown_case", "-", None, "550 user unknown")]


@pytest.mark.parametrize("state", [OutcomeKind.UNKNOWN, OutcomeKind.DELIVERED])
def test_a_dead_address_goes_by_the_next_channel(state: OutcomeKind) -> None:
    """A copy over the body's next channel and no person; where the outcome was open, the delivery is dead there."""
    world, accepted = sent(state)
    with_channels(world, own(world), Channel(id=NEXT, adapter="scripted"))
    sink(world, BODY).undelivered(bounce(world, accepted))
    first, copy = world.store.deliveries(accepted.case_id)
    expected = (TransportState.DEAD, "mail.returned_userunknown")
    assert (first.state, first.last_code) == (
        expected if state is OutcomeKind.UNKNOWN else (TransportState.DELIVERED, OutcomeKind.DELIVERED.value)
    )
    assert (copy.channel_id, copy.state) == (NEXT, TransportState.WAITING)
    assert world.store.items(open_only=True, after=None, limit=9) == ()


def test_a_bounce_is_about_the_copy_of_its_own_kind_of_channel() -> None:
    """Two mail channels and one of another kind: the bounce in the mailbox is about the newest that went by mail."""
    world, accepted = sent(OutcomeKind.PERMANENT)
    first = world.delivery(accepted)
    channels = (own(world), Channel(id=NEXT, adapter="scripted"), Channel(id=f"{BODY}.soap", adapter="soap"))
    with_channels(world, *channels)
    at, copies = world.clock.now(), [first]
    for channel in channels[1:]:
        onward = fall_back(copies[-1], channel, why="test", now=at)
        world.store.apply(Change(deliveries=onward.deliveries))
        copies += onward.deliveries
    update = DeliveryUpdate(id=copies[1].id, state=TransportState.UNKNOWN)
    world.store.apply(Change(updates=(update,)))
    sink(world).undelivered(bounce(world, accepted))
    states = [each.state for each in world.store.deliveries(accepted.case_id)[:3]]
    assert states == [TransportState.DEAD, TransportState.DEAD, TransportState.WAITING]


def moot(world: World, accepted: Accepted, facts: list[Fact], *, permanent: bool = True, **change: Any) -> bool:
    """True if a bounce changes nothing but the journal."""
    delivery: Delivery = replace(world.delivery(accepted), **change)
    returned: Returned = bounce(world, accepted, permanent=permanent)
    record = world.receiver.journal.noted(returned.raw, origin(CHANNEL, BODY), verdict=returned.code)
    made = undelivered(returned, delivery, facts, record=record, fallback=None, now=START)
    assert made.inbound == (record,)
    return made == Change(inbound=(record,))


@pytest.mark.parametrize("kind", list(FactKind))
def test_a_bounce_is_old_news_once_the_addressee_spoke(kind: FactKind) -> None:
    """Accepted, registered, refused, answered, sent on or extended by that very delivery: it has the message."""
    world, accepted = sent()
    spoke = {"accepted", "registered", "refused", "answered", "redirected", "extended"}
    fact = Fact(
        kind=kind,
        case_id=accepted.case_id,
        at=START,
        source=Source.AUTHORITY,
        delivery_id=world.delivery(accepted).id,
        data={"reason": "other", "of": str(new_id())},
    )
    assert moot(world, accepted, [fact]) is (kind.value in spoke)
    assert moot(world, accepted, [replace(fact, delivery_id=DeliveryId(new_id()))]) is False


def test_a_bounce_is_old_news_if_the_same_was_done_before() -> None:
    """Handed over from this delivery, escalated for this reason, or only tried: a line in the journal and no more."""
    world, accepted = sent()
    delivery = world.delivery(accepted)
    handed = Fact(
        kind=FactKind.HANDED_OVER,
        case_id=accepted.case_id,
        at=START,
        source=Source.HUB,
        delivery_id=DeliveryId(new_id()),
        data={"of": str(delivery.id)},
    )
    told = replace(handed, kind=FactKind.ESCALATED, delivery_id=delivery.id, data={"reason": "returned.permanent"})
    assert moot(world, accepted, [handed])
    assert not moot(world, accepted, [replace(handed, data={"of": str(new_id())}, delivery_id=delivery.id)])
    assert moot(world, accepted, [told])
    assert not moot(world, accepted, [told], permanent=False)
    assert moot(world, accepted, [replace(told, data={"reason": "returned.temporary"})], permanent=False)
    assert moot(world, accepted, [], shadow=True)
    assert not moot(world, accepted, [])


def test_a_soft_bounce_leaves_the_schedule_as_it_is() -> None:
    """It may work later: a person hears of it, and the delivery stands as it stood."""
    world, accepted = sent(OutcomeKind.UNKNOWN)
    before = world.delivery(accepted)
    sink(world).undelivered(bounce(world, accepted, permanent=False))
    assert world.delivery(accepted) == before
    assert [item.reason for item in world.store.items(open_only=True, after=None, limit=9)] == ["returned.temporary"]


def said(world: World, body: AnswerBody | ReceiptBody) -> ReportedStatus:
    """Words about nothing in particular."""
    return ReportedStatus(raw=RawInbound(content_type="text/plain", body=b"x"), said_id="1", body=body, at=START)


def test_words_that_name_nothing_are_nobodys() -> None:
    """Neither our id, nor theirs, nor a number: refused, whoever speaks."""
    world, _ = sent()
    for party in (BODY, None):
        with pytest.raises(NotFound):
            sink(world, party).reported(said(world, REGISTERED))


def test_a_bookmark_is_kept_without_secrets() -> None:
    """Where a list was left is kept for its channel; a page's address that repeats a credential is not."""
    world = World()
    desk = sink(world)
    assert world.store.claim_collect(CHANNEL, now=START, until=START + timedelta(seconds=60))
    desk.save_bookmark('{"seen":"17"}')
    desk.save_bookmark('{"at":"https://e.example.org/?access_token=abcdefghij0123456789"}')
    assert desk.bookmark() == '{"seen":"17"}'
