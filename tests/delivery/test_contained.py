"""A fault of the hub's own, or of an adapter's, costs the one thing in which it was met, and comes to a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.cases.submission import Accepted
from hub.errors import ItemFailed
from hub.inbound.evaluation import Evaluator
from hub.ports import InboundFilter, Outcome, RawInbound
from hub.schemas.delivery import Delivery, FactKind, OutcomeKind
from hub.schemas.ids import MessageId
from hub.schemas.journal import Custody, Door
from hub.schemas.json_rendering import to_json
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, World

UNREAD = RawInbound(content_type="application/json", body='{"стан": "?"}'.encode())
POLL_SECS = 3_600.0


def polled(count: int = 3) -> tuple[World, tuple[Accepted, ...]]:
    """A world whose channel is asked, with delivered appeals."""
    world = World(sealed=False)
    world.adapter.is_polled = True
    accepted = world.submit(count)
    world.run()
    world.clock.go(POLL_SECS)
    return world, accepted


def held(world: World) -> list[tuple[str, int]]:
    """Entries that wait for a person: verdict, and how often."""
    where = InboundFilter(channel_id=CHANNEL, custody=Custody.HELD)
    return [(entry.verdict, entry.count) for entry in world.store.inbound(where, limit=20)]


def reasons(world: World, accepted: Accepted) -> list[str]:
    """Open items of a case."""
    return [item.reason for item in world.store.open_items([accepted.case_id]).get(accepted.case_id, ())]


def test_a_poll_that_breaks_costs_that_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are asked in the same visit; the broken one is held, and is asked again by the schedule."""
    world, accepted = polled()
    struck = accepted[1]
    asked: list[MessageId] = []

    def poll(delivery: Delivery, _secs: float) -> Outcome:
        asked.append(delivery.message_id)
        if delivery.message_id == struck.message_id:
            raise KeyError("Іваненко")
        return Outcome(kind=OutcomeKind.DELIVERED)

    monkeypatch.setattr(world.adapter, "poll", poll)
    world.run()
    assert set(asked) == {each.message_id for each in accepted}
    assert held(world) == [("item.failed", 1)]
    (entry,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=2)
    assert (entry.door, entry.authority, entry.case_id) == (Door.POLL, BODY, struck.case_id)
    assert [reasons(world, each) for each in accepted] == [[], ["inbound.held"], []]
    world.clock.go(2 * POLL_SECS)
    world.run()
    assert asked.count(struck.message_id) == 2
    assert held(world) == [("item.failed", 2)]
    assert reasons(world, struck) == ["inbound.held"]


def test_an_answer_that_cannot_be_read_is_held_with_its_bytes() -> None:
    """At the first time, at its case; as long as that is open, more of the kind is only noted, with its bytes."""
    world, (accepted,) = polled(1)
    world.adapter.script = [Outcome(kind=OutcomeKind.TEMPORARY, code="poll.unreadable", unread=(UNREAD,))]
    world.run()
    other = replace(UNREAD, body=b"{}")
    world.adapter.script = [Outcome(kind=OutcomeKind.TEMPORARY, code="poll.unreadable", unread=(other,))]
    world.clock.go(2 * POLL_SECS)
    world.run()
    assert (held(world), reasons(world, accepted)) == ([("poll.unreadable", 1)], ["inbound.held"])
    (entry,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=2)
    assert (entry.door, entry.authority, entry.case_id) == (Door.POLL, BODY, accepted.case_id)
    assert world.store.inbound_body(entry) == UNREAD.body
    (noted,) = world.store.inbound(InboundFilter(custody=Custody.NOTED), limit=2)
    assert (noted.verdict, world.store.inbound_body(noted)) == ("poll.unreadable", b"{}")


def test_a_page_that_says_nothing_is_one_entry_for_the_channel() -> None:
    """However many cases are asked about, and however often: counted, with its bytes, and nobody is bothered."""
    world, accepted = polled(3)
    page = RawInbound(content_type="text/html", body=b"<html>Maintenance</html>")
    world.adapter.script = [Outcome(kind=OutcomeKind.TEMPORARY, code="poll.http_503", noise=(page,))]
    for _ in range(2):
        world.run()
        world.clock.go(2 * POLL_SECS)
    (noted,) = world.store.inbound(InboundFilter(custody=Custody.NOTED, code="poll."), limit=9)
    assert (noted.verdict, noted.channel_id, noted.case_id) == ("poll.http_503", CHANNEL, None)
    assert world.store.inbound_body(noted) == page.body
    assert (held(world), [reasons(world, each) for each in accepted]) == ([], [[], [], []])


def test_the_good_beside_the_unread_is_heard() -> None:
    """A receipt and a document that is none in one answer: the case is registered, and a person has the other."""
    world, (accepted,) = polled(1)
    good = RawInbound(content_type="application/json", body=to_json(receipt(accepted, "registered")))
    world.adapter.script = [
        Outcome(kind=OutcomeKind.DELIVERED, code="poll.unreadable", receipts=(good,), unread=(UNREAD,))
    ]
    world.run()
    assert FactKind.REGISTERED in [fact.kind for fact in world.store.facts(accepted.case_id)]
    assert held(world) == [("poll.unreadable", 1)]


def test_a_statement_over_which_we_break_is_journalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever door it came: its bytes are held, and the error says nothing of them."""
    world, (accepted,) = polled(1)

    def breaks(*_: Any, **__: Any) -> None:
        raise TypeError("Іваненко")

    monkeypatch.setattr(Evaluator, "_statement", breaks)
    raw = RawInbound(content_type="application/json", body=to_json(receipt(accepted, "registered")))
    with pytest.raises(ItemFailed) as caught:
        world.cases.receiver.receive(raw, origin(CHANNEL, BODY))
    assert caught.value.journalled
    assert "Іваненко" not in caught.value.message
    assert held(world) == [("item.failed", 1)]


def test_a_statement_from_before_the_sending_counts_from_when_it_came() -> None:
    """A receipt of 1900 starts no term in 1900: it is kept as it came, and a person hears of it."""
    world, (accepted,) = polled(1)
    early = world.clock.now().replace(year=1900)
    raw = RawInbound(content_type="application/json", body=to_json(receipt(accepted, "registered", at=early)))
    world.cases.receiver.receive(raw, origin(CHANNEL, BODY))
    (fact,) = [each for each in world.store.facts(accepted.case_id) if each.kind is FactKind.REGISTERED]
    assert fact.at == world.clock.now()
    assert reasons(world, accepted) == ["inbound.unclear"]
