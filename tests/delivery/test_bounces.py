"""What comes back undelivered: an operator's matter, once, and never an answer or a refusal of the authority."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.cases.submission import Accepted
from hub.delivery.fallback import fall_back
from hub.delivery.journal import Journal
from hub.errors import NotFound
from hub.inbound.bounces import undelivered
from hub.inbound.sink import ChannelSink
from hub.ports import InboundFilter, RawInbound, ReportedStatus, Returned
from hub.schemas.delivery import Change, Fact, FactKind, OutcomeKind, TransportState
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import ReceiptBody
from hub.schemas.ids import MessageId, new_id
from hub.schemas.journal import Door
from hub.schemas.terms import ReceiptStatus
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, DELIVERED, World

RAW = RawInbound(content_type="message/rfc822", body=b"bounce")


def sink(world: World, party: str | None = None) -> ChannelSink:
    return ChannelSink(
        store=world.store,
        receiver=world.receiver,
        attachments=None,
        clock=world.clock,
        origin=origin(CHANNEL, party, Door.COLLECT),
    )


def bounce(world: World, accepted: Accepted, *, permanent: bool = True) -> Returned:
    return Returned(
        raw=RAW,
        about=accepted.message_id,
        at=world.clock.now(),
        permanent=permanent,
        code="mail.returned_userunknown",
        detail="550 user unknown",
    )


def sent(kind: OutcomeKind = OutcomeKind.DELIVERED) -> tuple[World, Accepted]:
    world = World()
    world.adapter.script = [replace(DELIVERED, kind=kind)]
    (accepted,) = world.submit()
    world.run()
    return world, accepted


@pytest.mark.parametrize(("permanent", "reason"), [(True, "returned.permanent"), (False, "returned.temporary")])
def test_a_bounce_calls_an_operator_once(permanent: bool, reason: str) -> None:
    """One item and one fact however often the bounce comes; the case's state does not move."""
    world, accepted = sent()
    before = world.state(accepted)
    for _ in range(3):
        world.clock.go(1)
        sink(world).undelivered(bounce(world, accepted, permanent=permanent))
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.detail) == (reason, "mail.returned_userunknown: 550 user unknown")
    assert world.state(accepted) == before
    kinds = [fact.kind for fact in world.store.facts(accepted.case_id)]
    assert kinds.count(FactKind.ESCALATED) == 1
    assert not {FactKind.REFUSED, FactKind.ANSWERED} & set(kinds)
    (entry,) = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert (entry.verdict, entry.count) == ("mail.returned_userunknown", 3)


def test_what_is_there_is_there() -> None:
    """After the addressee registered it, a late bounce is journalled and moves nobody."""
    world, accepted = sent()
    world.calls(receipt(accepted, ReceiptStatus.REGISTERED))
    sink(world).undelivered(bounce(world, accepted))
    assert not world.store.items(open_only=True, after=None, limit=9)
    verdicts = {record.verdict for record in world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)}
    assert verdicts == {"accepted", "mail.returned_userunknown"}


def test_an_open_delivery_ends_with_a_hard_bounce() -> None:
    """While the outcome is unknown, a hard bounce is the answer: no further try; a soft one leaves the schedule."""
    for permanent, state in ((True, TransportState.DEAD), (False, TransportState.UNKNOWN)):
        world, accepted = sent(OutcomeKind.UNKNOWN)
        sink(world).undelivered(bounce(world, accepted, permanent=permanent))
        assert world.delivery(accepted).state is state


def test_a_dead_address_hands_over_once() -> None:
    """With a next channel a hard bounce makes one copy there, and a second bounce none; a soft one makes none."""
    world, accepted = sent()
    delivery = world.delivery(accepted)
    onto = Channel(id="00032106.next", adapter="scripted")
    facts = world.store.facts(accepted.case_id)

    def change(returned: Returned, known: tuple[Fact, ...]) -> Change:
        journal = Journal(world.clock)
        record = journal.noted(returned.raw, origin(CHANNEL, BODY, Door.COLLECT), verdict=returned.code)
        return undelivered(returned, delivery, known, record=record, fallback=onto, now=world.clock.now())

    first = change(bounce(world, accepted), facts)
    (copy,) = first.deliveries
    assert (copy.channel_id, copy.message_id, copy.state) == (onto.id, accepted.message_id, TransportState.WAITING)
    assert [fact.kind for fact in first.facts] == [FactKind.HANDED_OVER]
    assert not first.items
    second = change(bounce(world, accepted), (*facts, *first.facts))
    assert (second.deliveries, second.facts, len(second.inbound)) == ((), (), 1)
    soft = change(bounce(world, accepted, permanent=False), facts)
    assert (soft.deliveries, [item.reason for item in soft.items]) == ((), ["returned.temporary"])


def test_the_copy_that_took_over_carries_the_message() -> None:
    """Handed on twelve times while the clock stands still or steps back, a message is always in its youngest copy."""
    world, accepted = sent()
    for number in range(12):
        at = world.clock.now() - timedelta(seconds=number // 6)
        onto = Channel(id=f"00032106.next{number}", adapter="scripted")
        onward = fall_back(world.delivery(accepted), onto, why="test", now=at)
        world.store.apply(Change(facts=onward.facts, deliveries=onward.deliveries, updates=onward.updates))
        assert world.delivery(accepted).channel_id == onto.id
    tried = [delivery.channel_id for delivery in world.store.deliveries(accepted.case_id)]
    assert tried == [CHANNEL, *(f"00032106.next{number}" for number in range(12))]


def test_foreign_bounces_are_refused() -> None:
    """Of a message that nobody knows, or over another authority's channel: refused and journalled."""
    world, accepted = sent()
    with pytest.raises(NotFound):
        sink(world).undelivered(replace(bounce(world, accepted), about=MessageId(new_id())))
    with pytest.raises(NotFound):
        sink(world, party="00032684").undelivered(bounce(world, accepted))
    sink(world, party=BODY).undelivered(bounce(world, accepted))
    verdicts = [record.verdict for record in world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)]
    assert sorted(verdicts) == ["inbound.unknown_case"] * 2 + ["mail.returned_userunknown"]


def test_notes_are_journalled() -> None:
    """What says nothing about a case leaves a line in the journal, with the case where it is known."""
    world, accepted = sent()
    sink(world).noted(RAW, verdict="mail.automatic", about=accepted.message_id)
    sink(world).noted(RAW, verdict="mail.no_token")
    records = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert {(record.verdict, record.authority, record.case_id) for record in records} == {
        ("mail.automatic", BODY, accepted.case_id),
        ("mail.no_token", "-", None),
    }


def reported_delivered(accepted: Accepted, world: World) -> ReportedStatus:
    """A report by mail that the addressee's box has it."""
    return ReportedStatus(
        raw=RAW,
        body=ReceiptBody(status=ReceiptStatus.DELIVERED, at=world.clock.now()),
        at=world.clock.now(),
        said_id="report-1",
        in_reply_to=accepted.message_id,
        reaches=LegalClass.DELIVERED,
    )


def test_after_a_report_of_delivery_a_bounce_is_about_somebody_else() -> None:
    """A member of the authority's list whose box is dead brings no operator and no second copy; the word of the server
    that took it over is no such report.
    """
    for reported in (True, False):
        world, accepted = sent()
        if reported:
            sink(world).reported(reported_delivered(accepted, world))
        sink(world).undelivered(bounce(world, accepted))
        assert len(world.store.items(open_only=True, after=None, limit=9)) == (0 if reported else 1)


def test_the_sink_knows_our_message_and_its_channel() -> None:
    """The envelope as it went out, and the channel of the copy; nothing of others and of what is unknown."""
    world, accepted = sent()
    original = sink(world).original(accepted.message_id)
    assert original is not None
    assert original.envelope.header.message_id == accepted.message_id
    assert original.channel is not None
    assert original.channel.id == CHANNEL
    assert sink(world, party="00000000").original(accepted.message_id) is None
    assert sink(world).original(MessageId(new_id())) is None
