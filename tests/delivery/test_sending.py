"""Sending: what goes back unsent, what a broken session costs, what is counted; which lanes the sweeper rings for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.cases.submission import Accepted
from hub.errors import ConfigurationError, SealRefused
from hub.inbound.receiver import Receiver
from hub.outbound.dispatcher import Dispatcher
from hub.outbound.sender import Ended
from hub.outbound.sweeper import Sweeper
from hub.ports import Outcome, RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Attempt, Change, DeliveryUpdate, LaneDue, LaneState, OutcomeKind, TransportState
from hub.schemas.directory import Channel
from hub.seals import HubSeal
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.world import BODY, CHANNEL, DELIVERED, START, World, keys
from tests.lanes import run_lane

TEMPORARY = Outcome(kind=OutcomeKind.TEMPORARY, code="http.busy")
COLLECTED = "00032684.test"


def attempts(world: World, accepted: Accepted) -> tuple[Attempt, ...]:
    """Attempts of an appeal."""
    return world.store.attempts(world.delivery(accepted).id)


def test_a_stopped_lane_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Which channel, and by which code the other side is not who it should be."""
    world = World()
    world.submit(2)
    world.adapter.script = [replace(TEMPORARY, code="ssh.other_key", stops_lane=True)]
    run_lane(world.cases, CHANNEL)
    (record,) = [each for each in caplog.records if each.message == "lane stopped"]
    assert (record.levelno, record.__dict__["channel"], record.__dict__["code"]) == (
        logging.ERROR,
        CHANNEL,
        "ssh.other_key",
    )
    assert len(world.adapter.got) == 1


def test_what_an_opened_breaker_holds_back_is_as_if_it_had_not_begun() -> None:
    """Due at once and nobody's, with its attempt ended as never begun, at that moment."""
    world = World(breaker_failures=1, breaker_open_secs=60)
    first, second = world.submit(2)
    world.adapter.script = [TEMPORARY]
    world.adapter.during = [lambda: world.clock.go(3)]
    run_lane(world.cases, CHANNEL)
    delivery = world.delivery(second)
    assert (delivery.state, delivery.last_code) == (TransportState.WAITING, "attempt.not_begun")
    assert (delivery.next_at, delivery.lease_owner, delivery.poll_at) == (START + timedelta(seconds=3), None, None)
    (attempt,) = attempts(world, second)
    assert (attempt.outcome, attempt.code) == (OutcomeKind.TEMPORARY, "attempt.not_begun")
    assert attempt.finished_at == START + timedelta(seconds=3)
    assert [each.code for each in attempts(world, first)] == ["http.busy"]


def test_a_lane_sends_no_longer_than_its_slice() -> None:
    """After ten seconds it gives its place away; what is left waits, due at once, and goes with the next run."""
    world = World(slice_secs=10)
    accepted = world.submit(5)
    world.adapter.during = [lambda: world.clock.go(5)]
    run_lane(world.cases, CHANNEL)
    assert len(world.adapter.got) == 2
    run_lane(world.cases, CHANNEL)
    assert len(world.adapter.got) == 4
    run_lane(world.cases, CHANNEL)
    assert {world.delivery(each).state for each in accepted} == {TransportState.DELIVERED}
    assert len(world.adapter.got) == 5


def test_a_session_that_breaks_off_costs_the_message_it_was_at(caplog: pytest.LogCaptureFixture) -> None:
    """Its attempt stays open until its lease ends, for nobody knows whether it arrived; the others go back unsent."""
    world = World()
    first, second = world.submit(2)

    def broken() -> None:
        raise SealRefused("Not in the contract.", code="session.broken")

    world.adapter.during = [broken]
    run_lane(world.cases, CHANNEL)
    assert [(each.outcome, each.code) for each in attempts(world, first)] == [(None, None)]
    assert (world.delivery(first).state, world.delivery(first).lease_owner) == (TransportState.SENDING, "tester")
    assert world.delivery(second).last_code == "attempt.not_begun"
    (record,) = [each for each in caplog.records if each.message == "a session broke off"]
    assert (record.levelno, record.__dict__["channel"], record.__dict__["code"]) == (
        logging.WARNING,
        CHANNEL,
        "session.broken",
    )
    world.adapter.during = []
    run_lane(world.cases, CHANNEL)
    assert world.delivery(second).state is TransportState.DELIVERED


def test_a_channel_that_is_locked_shows_why_at_every_message() -> None:
    """Each waits by its schedule, with the code and the words of the setting that is wrong; none is lost."""
    world = World()
    accepted = world.submit(3)
    world.adapter.locked = ConfigurationError("The channel has no credential.", code="channel.credential")
    run_lane(world.cases, CHANNEL)
    ends = [(end.outcome, end.code, end.detail) for each in accepted for end in attempts(world, each)]
    assert ends == [(OutcomeKind.TEMPORARY, "channel.credential", "The channel has no credential.")] * 3
    waits = [(world.delivery(each).next_at or START) - START for each in accepted]
    assert all(timedelta(seconds=8) <= wait <= timedelta(seconds=12) for wait in waits)
    assert world.store.lane(CHANNEL).failures == 3


@pytest.mark.parametrize("outcome", [Outcome(kind=OutcomeKind.PERMANENT, code="http.gone"), TEMPORARY])
def test_what_failed_for_good_goes_by_the_next_channel(outcome: Outcome) -> None:
    """Refused by the other side's system, or out of tries: the body's next channel takes it, and nobody is called."""
    world = World(give_up_secs=5)
    (accepted,) = world.submit()
    body = world.registry.current().authority(BODY)
    assert body is not None
    channels = (*body.channels, Channel(id=f"{BODY}.next", adapter="scripted"))
    body = body.model_copy(update={"channels": channels})
    world.registry._directory = LoadedDirectory(authorities=(body,), territories=shipped())
    world.adapter.script = [outcome]
    run_lane(world.cases, CHANNEL)
    states = [(copy.channel_id, copy.state) for copy in world.store.deliveries(accepted.case_id)]
    assert states == [(CHANNEL, TransportState.DEAD), (f"{BODY}.next", TransportState.WAITING)]
    assert world.store.items(open_only=True, after=None, limit=9) == ()


def test_each_sending_is_counted_with_its_channel_and_outcome() -> None:
    """For the metrics: one call a message, with the seconds that it took."""
    world = World()
    world.submit(2)
    counted: list[tuple[str, OutcomeKind]] = []
    seconds: list[float] = []

    def sent(channel: str, outcome: OutcomeKind, secs: float) -> None:
        counted.append((channel, outcome))
        seconds.append(secs)

    dispatcher = _dispatcher(world, world.receiver, sent)
    world.adapter.script = [DELIVERED, TEMPORARY]
    (batch,) = dispatcher.claim([CHANNEL], "worker")
    assert dispatcher.send(batch, lambda _ended: None)
    assert counted == [(CHANNEL, OutcomeKind.DELIVERED), (CHANNEL, OutcomeKind.TEMPORARY)]
    assert all(0 <= each < 60 for each in seconds)


def _dispatcher(world: World, receiver: Receiver, sent: object = None) -> Dispatcher:
    """A dispatcher that calls back at an address."""
    more = {} if sent is None else {"sent": sent}
    return Dispatcher(
        store=world.store,
        registry=world.registry,
        seal=HubSeal(keys()[0]),
        adapters={"scripted": world.adapter},
        clock=world.clock,
        receiver=receiver,
        reply_url="https://hub.example/v1/callbacks",
        **more,  # type: ignore[arg-type]
    )


def test_a_parcel_tells_where_to_call_back() -> None:
    """The address of the hub's own door, as set, is what an adapter may put into what it sends."""
    world = World()
    (accepted,) = world.submit()
    _dispatcher(world, world.receiver).claim([CHANNEL], "worker")
    (parcel,) = world.adapter.parcels
    assert (parcel.reply_url, parcel.message_id) == ("https://hub.example/v1/callbacks", accepted.message_id)


def test_an_answer_that_does_not_hold_is_kept_with_the_reason() -> None:
    """Its status and bytes stay with the attempt, as far as the channel keeps them; the last refusal says why."""
    world = World(sealed=True, answer_kb=1)
    (accepted,) = world.submit()
    forged = RawInbound(content_type="application/json", body=b'{"kind":"receipt"}')
    answer = b"HTTP/1.1 200\r\n\r\n" + b"a" * 2_000
    world.adapter.script = [
        Outcome(kind=OutcomeKind.DELIVERED, receipts=(forged,), http_status=200, code="ok", answer=answer)
    ]
    run_lane(world.cases, CHANNEL)
    (attempt,) = attempts(world, accepted)
    assert (attempt.outcome, attempt.code, attempt.http_status) == (OutcomeKind.UNKNOWN, "seal.missing", 200)
    assert attempt.detail is not None
    assert attempt.detail.startswith("The receipt in the response does not hold: ")
    assert len(attempt.detail) > len("The receipt in the response does not hold: ")
    assert world.store.attempt_answers(world.delivery(accepted).id) == {1: answer[:1_024]}


def test_a_worker_that_comes_too_late_moves_nothing() -> None:
    """Its lease ran out and another has the message: what became of the late try is kept, and changes no delivery."""
    world = World()
    (accepted,) = world.submit()
    (slow,) = world.dispatcher.claim([CHANNEL], "slow")
    world.adapter.script = [TEMPORARY]
    ended: list[Ended] = []
    world.dispatcher.send(slow, ended.append)
    world.clock.go(3_600)
    assert world.dispatcher.claim([CHANNEL], "quick")
    world.dispatcher.write(ended)
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.lease_owner, delivery.attempts) == (TransportState.SENDING, "quick", 2)
    assert [each.code for each in attempts(world, accepted)] in (["http.busy", None], ["attempt.lost", None])


@pytest.mark.parametrize("polls", [False, True])
def test_only_a_channel_that_is_asked_is_asked_later(polls: bool) -> None:
    """After a success the first question comes a second later, where the channel is asked; else never."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_polled = polls
    run_lane(world.cases, CHANNEL)
    assert world.delivery(accepted).poll_at == (START + timedelta(seconds=1) if polls else None)


def test_an_answer_about_another_copy_settles_that_one_too() -> None:
    """A receipt that comes with the answer to one message and is about another: both stand as they are."""
    world = World()
    early, late = world.submit(2)
    world.adapter.script = [TEMPORARY]
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    about_early = RawInbound(content_type="application/json", body=json_rendering.to_json(receipt(early, "registered")))
    world.adapter.script = [
        replace(TEMPORARY, external_id="E-1"),
        Outcome(kind=OutcomeKind.DELIVERED, external_id="E-2", receipts=(about_early,)),
    ]
    ended: list[Ended] = []
    world.dispatcher.send(batch, ended.append)
    world.dispatcher.write(ended)
    seen = [(world.delivery(each).state, world.delivery(each).external_id) for each in (early, late)]
    assert seen == [(TransportState.DELIVERED, "E-1"), (TransportState.DELIVERED, "E-2")]
    assert (world.state(early), world.state(late)) == ("registered", "delivered")


def test_a_lane_that_fails_is_worked_by_one_hand() -> None:
    """However many it may have: what may hang holds no more than one; and never more hands than messages."""
    world = World(concurrency=4, retry_secs=(1,), give_up_secs=1_000, batch=9)
    world.submit(3)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    assert batch.concurrency == 3
    batch.state = replace(batch.state, suspect=True)
    assert batch.concurrency == 1


def test_a_healthy_lane_costs_no_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state is kept when it changed, once."""
    world = World()
    world.submit()
    saved: list[LaneState] = []
    monkeypatch.setattr(world.store, "save_lane", saved.append)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    world.dispatcher.save_lane(batch)
    assert saved == []
    batch.state = replace(batch.state, failures=1)
    world.dispatcher.save_lane(batch)
    world.dispatcher.save_lane(batch)
    assert saved == [LaneState(channel_id=CHANNEL, failures=1)]


class Bell:
    """Keeps what was rung for."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, bool]] = []

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        self.rung.append((channel_id, suspect))


def swept(world: World, *collecting: str) -> tuple[int, list[tuple[str, bool]], list[str], int]:
    """One sweep: its number, rings, due lanes that were told, and how often cases were looked at."""
    bell, told, looked = Bell(), list[str](), list[int]()

    def found(due: Sequence[LaneDue]) -> None:
        told.extend(lane.channel_id for lane in due)

    def watch() -> int:
        looked.append(1)
        return 1

    sweeper = Sweeper(
        store=world.store, doorbell=bell, clock=world.clock, found=found, collecting=lambda: collecting, watch=watch
    )
    return sweeper.sweep(), bell.rung, told, len(looked)


def test_the_sweeper_rings_for_what_is_due_and_for_what_is_collected() -> None:
    """Each lane once, with whether it is suspect; one that rests or is paused, or was collected just now, is left."""
    world = World()
    assert swept(world) == (0, [], [], 1)
    world.submit()
    assert swept(world) == (1, [(CHANNEL, False)], [CHANNEL], 1)
    assert swept(world, CHANNEL, COLLECTED) == (2, [(CHANNEL, False), (COLLECTED, False)], [CHANNEL], 1)
    assert swept(world, COLLECTED, "third")[0] == 3
    world.store.save_lane(LaneState(channel_id=COLLECTED, failures=3, suspect=True))
    assert swept(world, COLLECTED)[1] == [(CHANNEL, False), (COLLECTED, True)]
    opens = START + timedelta(seconds=9)
    world.store.save_lane(LaneState(channel_id=COLLECTED, failures=3, suspect=True, open_until=opens))
    assert swept(world, COLLECTED)[1] == [(CHANNEL, False)]
    world.store.pause_lane(COLLECTED, paused=True)
    assert swept(world, COLLECTED, "third") == (2, [(CHANNEL, False), ("third", False)], [CHANNEL], 1)
    world.store.plan_collect("third", START + timedelta(seconds=60))
    assert swept(world, "third") == (1, [(CHANNEL, False)], [CHANNEL], 1)
    world.clock.go(60)
    assert swept(world, "third")[0] == 2


def test_a_message_of_several_calls_goes_on_where_it_was() -> None:
    """Progress is durable while an attempt goes on, without the hub's secrets, and comes back with the next attempt."""
    world = World()
    (accepted,) = world.submit(1)
    seen: list[str | None] = []

    def keeps() -> None:
        assert world.adapter.keep("step 1")
        seen.append(world.delivery(accepted).progress)

    world.adapter.during = [keeps]
    world.adapter.script = [TEMPORARY, DELIVERED]
    run_lane(world.cases, CHANNEL)
    world.clock.go(60)
    run_lane(world.cases, CHANNEL)
    assert (world.adapter.resumed, seen) == ([None, "step 1"], ["step 1", "step 1"])


@pytest.mark.slow
def test_progress_of_a_message_that_another_holds_is_refused() -> None:
    """A worker whose lease was taken over is told so before its next call."""
    world = World()
    (accepted,) = world.submit(1)
    kept: list[bool] = []

    def overtaken() -> None:
        until = world.clock.now() + timedelta(seconds=60)
        taken = DeliveryUpdate(
            id=world.delivery(accepted).id, state=TransportState.SENDING, owner="other", lease_until=until
        )
        world.store.apply(Change(updates=(taken,)))
        kept.append(world.adapter.keep("step 1"))

    world.adapter.during = [overtaken]
    run_lane(world.cases, CHANNEL)
    assert (kept, world.delivery(accepted).progress) == ([False], None)
