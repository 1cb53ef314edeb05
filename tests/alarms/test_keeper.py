"""Somebody is told: once, by one of several processes, again if away, and never one for each message."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alarms.keeper import LEASE, SCHEDULE_SECS
from hub.alarms.ports import AlarmBook
from hub.alarms.rules import Watched
from hub.alarms.values import MessageKind, Reading
from hub.errors import Unavailable
from hub.storage import SqlStore
from hub.storage.alarms import SqlAlarms
from tests.alarms.world import START, Desk, World, rule
from tests.forms import UNHURRIED, examples

BOOK = AlarmBook(rules=(rule(),), receivers=("duty",), digest_at=time(23, 59))


@pytest.fixture
def world(sql_store: SqlStore) -> World:
    """A keeper with one rule and one receiver."""
    return World(sql_store, BOOK)


@pytest.mark.slow
def test_one_message_when_it_opens_and_one_when_it_closes(world: World) -> None:
    """However often it is looked at, the receiver hears of an alarm twice."""
    world.fails("a.rest")
    for _ in range(30):
        world.after(minutes=2)
    world.fails()
    for _ in range(60):
        world.after(minutes=2)
    assert world.desk.lists() == [{"opened": ["lanes.failing a.rest"]}, {"closed": ["lanes.failing a.rest"]}]
    assert [alarm.subject for alarm in world.memory.recent(10)] == ["a.rest"]
    assert world.memory.standing() == ()


def test_many_that_open_together_are_one_message(world: World) -> None:
    """Three hundred lanes that fail at once are one message, which names a hundred and counts all."""
    world.fails(*(f"{n:03}.rest" for n in range(300)))
    world.after(minutes=1)
    (told,) = world.desk.got
    document = json.loads(told[1].body)
    assert (document["counts"], len(document["opened"])) == ({"opened": 300}, 100)


@pytest.mark.slow
def test_a_storm_is_one_message_in_the_time_of_gathering(world: World) -> None:
    """Lanes that fail one after the other, two a minute for an hour, are a message in five minutes, none lost."""
    for minute in range(60):
        world.fails(*(f"{n:03}.rest" for n in range(2 * minute)))
        world.after(minutes=1)
    world.after(minutes=6)
    counted = sum(json.loads(message.body)["counts"]["opened"] for _, message in world.desk.got)
    assert counted == 118
    assert len(world.desk.got) <= 14


def test_of_two_processes_one_tells(world: World) -> None:
    """While one holds the lease the other neither looks nor sends; when the first is gone it goes on, told once."""
    other = world.new_keeper("two")
    world.fails("a.rest")
    assert (world.after(minutes=1), other.step()) == (1, 0)
    for _ in range(10):
        world.at += timedelta(seconds=30)
        world.keeper.step()
        other.step()
    assert len(world.desk.got) == 1
    world.at += LEASE + timedelta(seconds=1)  # the first was killed
    world.fails()
    for _ in range(40):
        world.at += timedelta(minutes=1)
        other.step()
    assert world.desk.lists() == [{"opened": ["lanes.failing a.rest"]}, {"closed": ["lanes.failing a.rest"]}]


def test_processes_that_step_at_the_same_moment_tell_once(world: World) -> None:
    """Six keepers in threads of their own: one message."""
    world.fails("a.rest")
    gate = threading.Barrier(6)
    failures: list[Exception] = []

    def run(owner: str) -> None:
        keeper = world.new_keeper(owner)
        gate.wait()
        try:
            for _ in range(5):
                keeper.step()
        except Unavailable as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(f"process {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(world.desk.got), failures) == (1, [])


def test_one_that_dies_between_telling_and_noting_repeats_the_same_id(world: World) -> None:
    """The only message that may come twice: under the same id, so that the receiver can tell."""

    class Killed(BaseException):
        """The process ends here."""

    world.fails("a.rest")

    def dies(_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.memory, "settle", dies)
        with pytest.raises(Killed):
            world.after(minutes=1)
    other = world.new_keeper("two")
    assert other.step() == 0
    world.at += LEASE
    assert other.step() == 1
    assert len({message.id for _, message in world.desk.got}) == 1
    assert len(world.desk.got) == 2
    assert other.step() == 0


def test_a_step_that_lost_its_lease_keeps_nothing(world: World) -> None:
    """What a process finds after another took over is not written: the other one finds it."""
    world.keeper.step()
    world.at += LEASE
    assert world.followers.acquire("alarms", owner="two", now=world.at, lease_until=world.at + LEASE)
    assert not world.memory.write("one", looked_at=world.at)
    assert world.memory.looked_at() == START


def test_a_receiver_that_is_away_is_tried_by_the_schedule_and_then_given_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Each wait is longer; after the last one the message is given up, and state, log and the next message say so."""
    world.desk.away = {"duty"}
    world.fails("a.rest")
    world.after(minutes=1)
    with caplog.at_level(logging.ERROR, logger="hub.alarms"):
        for secs in SCHEDULE_SECS:
            assert world.after(seconds=secs - 1) == 0
            assert world.after(seconds=1) == 1
    (state,) = world.memory.receivers()
    assert (state.failing, state.waiting, state.given_up, state.last_code) == (True, 0, 1, "smtp.timeout")
    assert "somebody was not told" in caplog.text
    assert world.after(days=1) == 0
    world.desk.away = set()
    world.fails("a.rest", "b.rest")
    world.after(minutes=1)
    (state,) = world.memory.receivers()
    assert (state.failing, state.told_at) == (False, world.at)


def test_a_receiver_counts_as_failing_while_it_is_still_tried(world: World) -> None:
    """Three failures in a row show at once, not only after half a day."""
    world.desk.away = {"duty"}
    world.fails("a.rest")
    world.after(minutes=1)
    assert not world.memory.receivers()[0].failing
    world.after(minutes=1)
    world.after(minutes=5)
    assert world.memory.receivers()[0].failing


def test_one_receivers_fault_keeps_no_other_from_hearing(world: World) -> None:
    """A receiver that is away and one whose telling breaks leave the third its message."""
    world.book = replace(BOOK, receivers=("broken", "away", "duty"))
    world.desk.away, world.desk.broken = {"away"}, {"broken"}
    world.fails("a.rest")
    world.after(minutes=1)
    assert [to for to, _ in world.desk.got] == ["duty"]
    codes = {state.name: state.last_code for state in world.memory.receivers()}
    assert codes == {"away": "smtp.timeout", "broken": "item.failed", "duty": None}


def test_who_hears_is_the_rules_matter(world: World) -> None:
    """A rule that names receivers is told to these; one whose receiver was taken out is given up."""
    world.book = AlarmBook(
        rules=(rule(), rule("pen.waiting", watch=Watched.PEN_HELD, tell=["shift"])), receivers=("duty", "shift")
    )
    world.desk.away = {"shift"}
    world.read["pen.waiting"] = [Reading(subject="x")]
    world.fails("a.rest")
    world.after(minutes=1)
    assert world.desk.lists() == [{"opened": ["lanes.failing a.rest"]}]
    world.book = replace(world.book, receivers=("duty",))
    world.after(minutes=10)
    codes = {state.name: (state.last_code, state.given_up) for state in world.memory.receivers()}
    assert codes["shift"] == ("receiver.gone", 1)


@pytest.mark.slow
def test_one_digest_a_day_of_what_is_open(world: World) -> None:
    """At the hour in Kyiv, once, whoever runs; what opened later waits for the next day; with nothing open none."""
    world.book = replace(BOOK, digests=("duty",), digest_at=time(15, 0))  # 13:00 UTC in November
    world.fails("a.rest")
    world.after(minutes=1)
    for _ in range(200):
        world.after(minutes=1)
    other = world.new_keeper("two")
    world.at += LEASE
    other.step()
    digests = [message for _, message in world.desk.got if message.kind is MessageKind.DIGEST]
    assert [message.made_at for message in digests] == [datetime(2026, 11, 24, 13, 0, tzinfo=UTC)]
    assert world.desk.lists()[-1] == {"open": ["lanes.failing a.rest"]}
    world.fails()
    for _ in range(30):
        world.at += timedelta(hours=1)
        other.step()
    assert [kind for kind in world.desk.lists() if "open" in kind] == [{"open": ["lanes.failing a.rest"]}]


def test_what_cannot_be_read_is_an_alarm_and_hides_no_other(world: World) -> None:
    """A rule whose figure breaks is named by an alarm of its own; the others are looked at."""
    blind = rule("alarms.blind", watch=Watched.BLIND, door="/v1/ops/alarms")
    world.book = replace(BOOK, rules=(rule("disk.low", watch=Watched.DISK_FREE), rule(), blind))
    world.read["disk.low"] = RuntimeError("a fault of ours")
    world.fails("a.rest")
    world.after(minutes=1)
    assert world.desk.lists() == [{"opened": ["lanes.failing a.rest", "alarms.blind disk.low"]}]


def test_what_is_over_is_forgotten_after_its_days(world: World) -> None:
    """Messages that ended and alarms that closed go after 90 days; what stands stays."""
    world.fails("a.rest", "b.rest")
    world.after(minutes=1)
    world.fails("b.rest")
    world.after(minutes=1)
    world.after(hours=1)
    world.after(minutes=10)
    assert len(world.memory.recent(10)) == 1
    world.after(days=91)
    assert world.memory.recent(10) == ()
    assert [alarm.subject for alarm in world.memory.standing()] == ["b.rest"]
    assert world.memory.latest("duty") is None


def test_release_lets_another_go_on_at_once(world: World) -> None:
    """A process that stops gives its lease back."""
    world.fails("a.rest")
    other = world.new_keeper("two")
    world.keeper.step()
    world.keeper.release()
    world.fails("a.rest", "b.rest")
    world.at += timedelta(minutes=6)
    assert other.step() == 1
    assert len(world.desk.got) == 2


@settings(max_examples=examples(12), suppress_health_check=[*UNHURRIED, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 15), st.sets(st.sampled_from("abc"))), max_size=40))
def test_whatever_flaps_the_receiver_hears_pairs(world: World, looks: list[tuple[int, set[str]]]) -> None:
    """For each lane the openings and closings that were told take turns, and openings are the quiet time apart."""
    world.desk = Desk()
    world.keeper._tells = world.desk
    _empty(world.memory)
    opened: dict[str, list[datetime]] = {}
    for minutes, lanes in looks:
        world.fails(*lanes)
        world.after(minutes=minutes)
    world.after(minutes=6)
    story: dict[str, list[str]] = {}
    for lists in world.desk.lists():
        for name in ("opened", "closed"):
            for alarm in lists.get(name, ()):
                story.setdefault(alarm, []).append(name)
    for alarm, told in story.items():
        assert abs(told.count("opened") - told.count("closed")) <= 1, (alarm, told)
    for each in (*world.memory.recent(1_000), *world.memory.standing()):
        if each.opened_at is not None:
            opened.setdefault(each.subject, []).append(each.opened_at)
    for times in opened.values():
        times.sort()
        assert all(b - a >= timedelta(minutes=30) for a, b in itertools.pairwise(times))
    counted = sum(len(times) for times in opened.values())
    assert counted == sum(len(lists.get("opened", ())) for lists in world.desk.lists())


def _empty(memory: SqlAlarms) -> None:
    with memory.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alarms")
        connection.exec_driver_sql("DELETE FROM alarm_messages")
