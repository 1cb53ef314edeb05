"""A channel that cannot be asked or collected shows in its lane, at its cases and as one thing for a person."""

from __future__ import annotations

import pytest

from hub.cases.submission import Accepted
from hub.cases.timeline import timeline
from hub.errors import TemporaryFailure, Unavailable
from hub.ports import InboundFilter, Outcome
from hub.schemas.delivery import OutcomeKind
from hub.schemas.journal import Custody, InboundRecord
from tests.delivery.world import CHANNEL, DELIVERED, World

HOUR = 3_600.0
BROKEN = b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>Bad Gateway</html>"
NO_ANSWER = Outcome(kind=OutcomeKind.TEMPORARY, code="rest.timeout")


def polled(count: int = 1) -> tuple[World, tuple[Accepted, ...]]:
    """A world whose channel is asked, with delivered appeals."""
    world = World(sealed=False)
    world.adapter.is_polled = True
    accepted = world.submit(count)
    world.run()
    return world, accepted


def ask(world: World, times: int, outcome: Outcome) -> None:
    """Ask so often, with this outcome."""
    world.adapter.script = [outcome]
    for _ in range(times):
        world.clock.go(HOUR)
        world.run()


def entries(world: World) -> list[InboundRecord]:
    """Entries of the journal about the channel that cannot be heard."""
    found = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=50)
    return [entry for entry in found if entry.verdict == "channel.unheard"]


def told(world: World, accepted: Accepted) -> list[str]:
    """Lines of a case's timeline about hearing."""
    lines = timeline(world.store, world.registry.current(), accepted.case_id)
    return [line.text for line in lines if line.what == "listening"]


def test_questions_that_fail_are_one_thing_for_a_person() -> None:
    """Four failures in a row show in the lane and at the case; the fifth makes one entry, the next no other."""
    world, (accepted, _) = polled(2)
    ask(world, 4, NO_ANSWER)
    (lane,) = world.operators.lanes()
    assert lane.unheard is not None
    assert (lane.unheard.failures, lane.unheard.code) == (4, "rest.timeout")
    assert (len(told(world, accepted)), entries(world)) == (1, [])
    ask(world, 3, NO_ANSWER)
    (entry,) = entries(world)
    assert (entry.custody, entry.count) == (Custody.HELD, 1)
    assert "7 failures, rest.timeout" in told(world, accepted)[0]


def test_heard_again_it_closes_by_itself() -> None:
    """One question that goes well ends the row: lane and case are silent, the entry is closed by the hub."""
    world, (accepted,) = polled()
    ask(world, 5, NO_ANSWER)
    ask(world, 1, DELIVERED)
    (entry,) = entries(world)
    assert (entry.custody, entry.decided_by) == (Custody.DISMISSED, "hub")
    assert (world.store.unheard(), told(world, accepted)) == ((), [])
    ask(world, 5, NO_ANSWER)
    assert [entry.custody for entry in entries(world)] == [Custody.HELD, Custody.DISMISSED]


def test_an_answer_that_nobody_could_read_stays_for_a_person() -> None:
    """The bytes that came instead are kept, and the entry stays open when the channel is heard again."""
    world, _ = polled()
    ask(world, 5, Outcome(kind=OutcomeKind.TEMPORARY, code="rest.http_502", answer=BROKEN))
    ask(world, 1, DELIVERED)
    (entry,) = entries(world)
    assert (entry.custody, world.store.inbound_body(entry)) == (Custody.HELD, BROKEN)


def test_one_question_that_goes_well_is_enough() -> None:
    """Of several questions of a visit one answer shows that the channel is heard."""
    world, _ = polled(2)
    for _ in range(6):
        world.adapter.script = [NO_ANSWER, DELIVERED]
        world.clock.go(HOUR)
        world.run()
    assert (world.store.unheard(), entries(world)) == ((), [])


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (TemporaryFailure("No JSON.", code="changes.unreadable"), "changes.unreadable"),
        (KeyError("x"), "adapter.failed"),
    ],
)
def test_what_a_collection_could_not_read_reaches_a_person(failure: Exception, code: str) -> None:
    """The bytes that came instead of a list are one entry after five failures, and it stays open when heard again."""
    world = World(sealed=False)
    world.adapter.waiting, world.adapter.breaks, world.adapter.said = [], failure, BROKEN
    ask(world, 5, DELIVERED)
    world.adapter.breaks = None
    ask(world, 1, DELIVERED)
    (entry,) = entries(world)
    assert (entry.custody, world.store.inbound_body(entry)) == (Custody.HELD, BROKEN)
    assert (entry.detail or "").startswith(f"{code}: 5 times in a row")


@pytest.mark.parametrize("collecting", [False, True])
@pytest.mark.parametrize(
    ("failure", "code"),
    [(Unavailable("The mailbox is away.", code="imap.connect"), "imap.connect"), (KeyError("x"), "adapter.failed")],
)
def test_a_door_that_does_not_open_counts(collecting: bool, failure: Exception, code: str) -> None:
    """Neither polls nor collections begin while no session can be opened: they count as failures too, whatever an
    adapter raises.
    """
    world, (accepted,) = polled()
    if collecting:
        world.adapter.is_polled, world.adapter.waiting = False, []
    world.adapter.locked = failure
    ask(world, 5, DELIVERED)
    (entry,) = entries(world)
    assert (entry.detail or "").startswith(f"{code}: 5 times in a row since 2026-11-24")
    assert len(told(world, accepted)) == 1
