"""The engine: sends beside each other, writes in batches, waits for the database, frees the places of the slow."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NoReturn

import pytest

from hub.bootstrap import SilentDoorbell
from hub.cases import group_commit as groups
from hub.cases.group_commit import GroupCommit
from hub.cases.submission import Accepted
from hub.errors import ConfigurationError, Conflict, InvalidInput, Unavailable
from hub.logs import JsonFormatter
from hub.outbound.sender import Ended
from hub.schemas.delivery import Change, TransportState
from hub.worker import app as broker
from hub.worker import engine as engines
from hub.worker.engine import Engine
from tests.acceptance.processes import until
from tests.delivery.world import CHANNEL, START, World


def _engine(world: World, **more: int) -> Engine:
    sizes = {"slots": 2, "threads": 8} | more
    return Engine(world.dispatcher, world.retriever, SilentDoorbell(), world.clock, owner="test", **sizes)


class OwnBell:
    """The engine's own ring for a lane that it is to look at again comes back to it, as over the broker."""

    engine: Engine

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        self.engine.wake([channel_id])


def test_a_woken_lane_is_sent_and_written() -> None:
    """Waking a lane claims, sends and commits its deliveries; waking an unknown or empty lane does nothing."""
    world = World()
    accepted = world.submit(3)
    engine = _engine(world)
    engine.wake([CHANNEL, "no.such"])
    until(lambda: all(world.delivery(a).state is TransportState.DELIVERED for a in accepted))
    engine.wake([CHANNEL])
    engine.close()
    assert len(world.adapter.got) == 3


def test_outcomes_wait_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is away outcomes are kept, and written when it is back; nothing is sent twice meanwhile."""
    monkeypatch.setattr(engines, "RETRY_SECS", 0.02)
    world = World()
    (accepted,) = world.submit()
    real, failures = world.store.apply, [0]

    def flaky(change: Change) -> object:
        if change.attempt_ends and failures[0] < 3:
            failures[0] += 1
            raise Unavailable("gone for a moment")
        return real(change)

    def gone() -> None:
        raise Unavailable("gone for a moment")

    monkeypatch.setattr(world.store, "apply", flaky)
    monkeypatch.setattr(world.store, "ping", gone)
    engine = _engine(world)
    engine.wake([CHANNEL])
    until(lambda: world.delivery(accepted).state is TransportState.DELIVERED)
    engine.close()
    assert (failures[0], len(world.adapter.got)) == (3, 1)


def test_one_outcome_that_cannot_be_written_does_not_hold_up_the_others() -> None:
    """A batch that is refused is written one by one."""
    written: list[Ended] = []
    world = World()
    world.submit(3)
    ended: list[Ended] = []
    for load in world.dispatcher.claim([CHANNEL], "x"):
        world.dispatcher.send(load, ended.append)

    def write(batch: Sequence[Ended]) -> None:
        if any(each is ended[1] for each in batch):
            raise InvalidInput("this one is broken")
        written.extend(batch)

    writer = engines.OutcomeWriter(write, lambda: None, world.dispatcher.write_bare)
    for each in ended:
        writer.put(each)
    writer.close()
    assert written == [ended[0], ended[2]]


def test_a_lane_that_hangs_gives_its_place_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one place, a call that hangs does not keep the next one from being made."""
    monkeypatch.setattr(engines, "FAST_SECS", 0.1)
    world = World()
    world.submit()
    go, inside = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        go.wait(120)

    world.adapter.during = [hang]
    engine = _engine(world, slots=1)
    engine.wake([CHANNEL])
    assert inside.wait(60)
    until(lambda: engine._slots.free == 1, what="the place of the one that hangs")
    go.set()
    engine.close()


def test_a_lane_at_work_is_not_claimed_twice_but_looked_at_again() -> None:
    """A ring for a lane that is sending does not start it a second time; it is rung for once it is done."""
    world = World(batch=1)
    world.submit(2)
    rung: list[str] = []

    class Bell:
        def ring(self, channel_id: str, *, suspect: bool) -> None:
            rung.append(channel_id)

    go, inside = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        go.wait(120)

    world.adapter.during = [hang]
    engine = Engine(world.dispatcher, world.retriever, Bell(), world.clock, owner="test", slots=2, threads=8)
    engine.wake([CHANNEL])
    assert inside.wait(60)
    engine.wake([CHANNEL])
    assert (len(world.adapter.got), rung) == (1, [])
    go.set()
    until(lambda: rung == [CHANNEL], what="the ring afterwards")
    engine.close()


SAID = "Канаркенко"
"""A word of an applicant's that a broken adapter takes into its own error."""
PLACES = ["rendering", "prepare", "pulled", "session", "send", "polls", "poll", "collects", "collect"]


def _shown(caplog: pytest.LogCaptureFixture) -> str:
    """All that a log could show: the lines as the hub writes them, as others format them, and every field."""
    lines = [JsonFormatter().format(record) for record in caplog.records]
    return "\n".join([caplog.text, *lines, *(repr(record.__dict__) for record in caplog.records)])


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_an_adapter_that_breaks_tells_nothing_and_stops_nobody(
    place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever an adapter breaks with an applicant's words in its error, no log record has them, the break is told by
    its kind, and the lane goes on when the adapter is whole again.
    """
    caplog.set_level("DEBUG")
    world = World(give_up_secs=86_400)
    world.adapter.is_polled, world.adapter.waiting = True, []
    accepted = world.submit()
    engine = _engine(world)

    def broken(*_: object, **__: object) -> NoReturn:
        raise KeyError(SAID)

    with monkeypatch.context() as patch:
        patch.setattr(world.adapter, place, broken)
        until(lambda: _later(world, engine) and _broke_off(caplog), what="the word of it")
    assert SAID not in _shown(caplog)
    told = [record.__dict__ for record in _broke_off(caplog)]
    assert {each["code"] for each in told} == {"KeyError"}
    assert all(each.get("channel", CHANNEL) == CHANNEL for each in told)
    accepted += world.submit()
    world.clock.go(600)
    until(lambda: _sent(world, engine, accepted), what="the messages, sent after all")
    engine.close()


def _later(world: World, engine: Engine) -> bool:
    """A second passes, and somebody rings."""
    world.clock.go(1)
    engine.wake([CHANNEL])
    return True


def _broke_off(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [
        record for record in caplog.records if record.getMessage() in ("an adapter broke off", "one item broke off")
    ]


def _sent(world: World, engine: Engine, accepted: Sequence[Accepted]) -> bool:
    engine.wake([CHANNEL])
    return all(world.delivery(each).state is TransportState.DELIVERED for each in accepted)


@pytest.mark.parametrize("place", ["polls", "collects"])
def test_a_channel_of_wrong_settings_does_not_end_the_writer(
    place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that cannot say whether it is asked or collected from fails alone; outcomes are written as before."""
    world = World(give_up_secs=86_400)
    accepted = world.submit()
    engine = _engine(world)

    def wrong(*_: object) -> NoReturn:
        raise ConfigurationError("A setting is wrong.")

    with monkeypatch.context() as patch:
        patch.setattr(world.adapter, place, wrong)
        engine.wake([CHANNEL])
        until(lambda: any(record.message == "asking failed" for record in caplog.records), what="the word of it")
    accepted += world.submit()
    world.clock.go(600)
    until(lambda: _sent(world, engine, accepted), what="the messages, sent after all")
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("polled", [False, True])
def test_a_lane_that_rests_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch, polled: bool) -> None:
    """What the rate held back goes out when the rest is over, though nobody rings again, and not before; also over a
    channel that is asked for receipts in between.
    """
    world = World(rate_per_sec=4)
    world.adapter.is_polled = polled
    accepted = world.submit(9)
    begun = time.monotonic()
    monkeypatch.setattr(world.clock, "now", lambda: START + timedelta(seconds=time.monotonic() - begun))
    bell = OwnBell()
    engine = bell.engine = Engine(
        world.dispatcher, world.retriever, bell, world.clock, owner="test", slots=2, threads=8
    )
    engine.wake([CHANNEL])
    until(lambda: all(world.delivery(a).state is TransportState.DELIVERED for a in accepted))
    took = time.monotonic() - begun
    engine.close()
    assert len(world.adapter.got) == 9
    assert took >= 2  # runs of four: at once, after one second, after two


def test_a_ring_that_comes_while_a_lane_rests_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that comes in while its lane has had what its rate allows goes out after it, without a sweeper."""
    world = World(rate_per_sec=4)
    begun = time.monotonic()
    monkeypatch.setattr(world.clock, "now", lambda: START + timedelta(seconds=time.monotonic() - begun))
    (first,) = world.submit()
    engine = _engine(world)
    engine.wake([CHANNEL])
    until(lambda: not engine._lanes.working(CHANNEL), what="the lane through")
    assert world.delivery(first).state is TransportState.DELIVERED
    (second,) = world.submit()
    engine.wake([CHANNEL])
    until(lambda: world.delivery(second).state is TransportState.DELIVERED)
    engine.close()


def test_callers_share_a_transaction_and_pay_for_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that come together run together; one that is refused is refused alone."""
    monkeypatch.setattr(groups, "WRITERS", 1)
    sizes: list[int] = []
    gate, first = threading.Event(), threading.Event()

    def together(numbers: Sequence[int]) -> Sequence[int]:
        first.set()
        gate.wait(120)
        sizes.append(len(numbers))
        if 7 in numbers:
            raise Conflict("seven")
        return [number * 2 for number in numbers]

    group: GroupCommit[int, int] = GroupCommit("test", together)
    with ThreadPoolExecutor(20) as pool:
        calls = {0: pool.submit(group.call, 0)}
        assert first.wait(60)
        calls |= {number: pool.submit(group.call, number) for number in range(1, 20)}
        until(lambda: group._queue.qsize() == 19)
        gate.set()
        for number, call in calls.items():
            if number == 7:
                with pytest.raises(Conflict):
                    call.result(10)
            else:
                assert call.result(10) == number * 2
    assert max(sizes) == 19


@pytest.mark.parametrize("body", [None, 5, "name", [1], [""], ["x" * 101], [["a"]], {"a": 1}])
def test_a_task_that_is_not_ours_does_nothing(body: object) -> None:
    """Whatever else stands in the queue is dropped with a word and wakes no lane."""
    assert broker._lane_names(body) == []


def test_the_broker_is_told_to_refuse_rather_than_drop() -> None:
    """The queues are quorum queues with a delivery limit, a length limit that refuses, dead-lettering; JSON only."""
    app = broker.make_app("amqp://guest:guest@127.0.0.1:5672/none")
    for queue in app.conf.task_queues:
        arguments = queue.queue_arguments
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-delivery-limit"] > 0
        assert arguments["x-overflow"] == "reject-publish"
        assert arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.exchange.type == "topic"
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_backend is None
    assert (app.conf.task_acks_late, app.conf.task_reject_on_worker_lost) == (True, True)


def test_rings_are_gathered_and_held() -> None:
    """Many rings for one lane in a moment are one task; rings for several lanes go in one."""
    sent: list[list[str]] = []

    class App:
        def send_task(self, name: str, args: tuple[list[str]], routing_key: str) -> None:
            sent.append(sorted(args[0]))

    bell = broker.CeleryDoorbell(App(), hold_secs=0.05)
    for _ in range(50):
        bell.ring("a", suspect=False)
        bell.ring("b", suspect=False)
    until(lambda: sent, what="the first task")
    bell.ring("a", suspect=False)
    until(lambda: len(sent) > 1, what="the ring that was held")
    bell.close()
    assert sent[0] == ["a", "b"]
    assert sent[1] == ["a"]
