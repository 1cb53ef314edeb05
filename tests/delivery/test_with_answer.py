"""What an authority states in its very answer to a sending: written with the outcome, believed as if it had called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.cases.submission import Accepted
from hub.errors import InvalidInput
from hub.outbound.sender import Ended
from hub.ports import Outcome, RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Applied, Change, FactKind, OutcomeKind, TransportState
from hub.worker.engine import OutcomeWriter
from tests.acceptance.processes import until
from tests.delivery.making import receipt
from tests.delivery.world import CHANNEL, World
from tests.lanes import run_lane


def _raw(accepted: Accepted, what: str) -> RawInbound:
    body = json_rendering.to_json(receipt(accepted, what))
    return RawInbound(content_type="application/json", body=body)


def _with(accepted: Accepted, *whats: str, kind: OutcomeKind = OutcomeKind.DELIVERED) -> Outcome:
    return Outcome(kind=kind, receipts=tuple(_raw(accepted, what) for what in whats), external_id="E-9")


def _kinds(world: World, accepted: Accepted) -> list[FactKind]:
    return [fact.kind for fact in world.store.facts(accepted.case_id)]


def test_receipts_are_written_with_the_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three answers with receipts are three registered cases after one write."""
    world = World()
    accepted = world.submit(3)
    (load,) = world.dispatcher.claim([CHANNEL], "tester")
    by_id = {a.message_id: a for a in accepted}
    world.adapter.script = [_with(by_id[each.delivery.message_id], "registered") for each in load.messages]
    real, writes = world.store.apply, list[Change]()

    def counting(change: Change) -> Applied:
        writes.append(change)
        return real(change)

    monkeypatch.setattr(world.store, "apply", counting)
    ended = list[Ended]()
    world.dispatcher.send(load, ended.append)
    assert writes == []
    world.dispatcher.write(ended)
    assert len(writes) == 1
    assert {world.state(a) for a in accepted} == {"registered"}
    assert {world.delivery(a).external_id for a in accepted} == {"E-9"}
    assert all(world.delivery(a).lease_owner is None for a in accepted)


def test_after_a_receipt_in_the_answer_asking_goes_on() -> None:
    """A polled channel that registered at once is still asked, for the answer to the appeal is not there yet."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_polled = True
    world.adapter.script = [_with(accepted, "registered"), Outcome(kind=OutcomeKind.DELIVERED)]
    world.run()
    assert (world.state(accepted), world.delivery(accepted).state) == ("registered", TransportState.DELIVERED)
    world.clock.go(60)
    world.run()
    assert len(world.adapter.polled) == 1


@pytest.mark.parametrize("whats", [("answer",), ("answer", "registered"), ("registered", "answer")])
def test_a_final_answer_in_the_answer_ends_the_asking(whats: tuple[str, ...]) -> None:
    """Nothing is asked about a case that was answered in the very answer to its sending, whatever else that says."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_polled = True
    world.adapter.script = [_with(accepted, *whats)]
    for _ in range(5):
        world.run()
        world.clock.go(3_600)
    assert world.adapter.polled == []
    assert world.state(accepted) == "answered"


def test_two_receipts_in_one_answer_both_count() -> None:
    """Accepted and registered in one answer: both facts, and one that says it arrived by their word."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [_with(accepted, "accepted", "registered")]
    world.run()
    kinds = _kinds(world, accepted)
    assert kinds.count(FactKind.ACCEPTED) == kinds.count(FactKind.REGISTERED) == 1
    assert world.state(accepted) == "registered"


def test_a_repeated_receipt_changes_nothing() -> None:
    """The same receipt in the answers to two tries is one message and one fact, journalled once."""
    world = World()
    (accepted,) = world.submit()
    busy = _with(accepted, "accepted", kind=OutcomeKind.DELIVERED)
    world.adapter.script = [busy]
    world.run()
    before = _kinds(world, accepted)
    held, refusals = world.receiver.evaluate_outcome(world.delivery(accepted), busy)
    assert ([statement.received.repeat for statement in held], refusals) == ([True], [])
    assert held[0].change == Change()
    assert _kinds(world, accepted) == before


def test_whoever_answers_has_it_though_the_lease_ran_out() -> None:
    """The answer comes when another worker has taken the message already: its receipt settles the delivery."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [_with(accepted, "registered")]
    (load,) = world.dispatcher.claim([CHANNEL], "slow")

    def be_late() -> None:
        world.clock.go(3_600)
        assert world.dispatcher.claim([CHANNEL], "quick")

    world.adapter.during = [be_late]
    ended = list[Ended]()
    world.dispatcher.send(load, ended.append)
    world.dispatcher.write(ended)
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.external_id, delivery.lease_owner) == (TransportState.DELIVERED, "E-9", None)
    assert world.state(accepted) == "registered"


def test_a_failed_try_whose_receipt_holds_is_not_made_again() -> None:
    """An answer that says «later» and brings a valid receipt: they have it, nothing goes out twice."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [_with(accepted, "accepted", kind=OutcomeKind.TEMPORARY)]
    world.run()
    world.clock.go(3_600)
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED
    assert len(world.adapter.got) == 1


def test_a_refusal_in_the_answer_asks_for_an_act_at_once() -> None:
    """The authority refuses on the spot: the delivery is refused and the duty that follows is looked at."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [_with(accepted, "refused")]
    run_lane(world.cases, CHANNEL)
    assert world.delivery(accepted).state is TransportState.REFUSED
    assert world.store.items(open_only=True, after=None, limit=10)


@pytest.mark.parametrize("ground", ["form", "wrong_addressee"])
def test_one_refusal_told_twice_is_one_fact(ground: str) -> None:
    """A status that refuses and a receipt that says the same are one refusal: one duty, not two bodies asked."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [replace(_with(accepted, "refused", kind=OutcomeKind.REFUSED), ground=ground)]
    run_lane(world.cases, CHANNEL)
    refused = [fact for fact in world.store.facts(accepted.case_id) if fact.kind is FactKind.REFUSED]
    assert [fact.data["ground"] for fact in refused] == ["form"]
    assert world.delivery(accepted).state is TransportState.REFUSED
    assert len(world.store.items(open_only=True, after=None, limit=10)) == 1


def test_a_refusal_beside_another_word_stands() -> None:
    """A status that refuses and a receipt that accepts: both were said, and a person hears of the refusal."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [replace(_with(accepted, "accepted", kind=OutcomeKind.REFUSED), ground="form")]
    world.run()
    assert {FactKind.ACCEPTED, FactKind.REFUSED} <= set(_kinds(world, accepted))
    assert [item.reason for item in world.store.items(open_only=True, after=None, limit=10)] == ["refused.form"]


@pytest.mark.parametrize("what", ["registered", "refused"])
def test_a_receipt_that_cannot_be_kept_does_not_take_the_outcome_with_it(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The store refuses the receipt: the outcome is written as it is without it, and the journal says why."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [_with(accepted, what)]
    real, journal = world.store.apply, list[str]()

    def picky(change: Change) -> Applied:
        if any(record.verdict == "accepted" for record in change.inbound):
            raise InvalidInput("not this one", code="store.refused")
        journal.extend(f"{record.custody}: {record.verdict}" for record in change.inbound)
        return real(change)

    monkeypatch.setattr(world.store, "apply", picky)
    (load,) = world.dispatcher.claim([CHANNEL], "tester")
    writer = OutcomeWriter(world.dispatcher.write, world.dispatcher.ping, world.dispatcher.write_bare)
    world.dispatcher.send(load, writer.put)
    until(lambda: world.delivery(accepted).state is TransportState.DELIVERED)
    writer.close()
    assert journal == ["held: store.refused"]
    assert not {FactKind.REGISTERED, FactKind.REFUSED} & set(_kinds(world, accepted))
