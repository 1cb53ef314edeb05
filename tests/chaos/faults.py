"""Faults that are no kill at a point: broker wiped, database gone, statements that fail, poison, random kills."""

from __future__ import annotations

import json
import pickle
import random
import sqlite3
import threading
import time
import uuid
from functools import partial

import psycopg

from hub.outbound.circuit_breaker import NOT_BEGUN
from tests.chaos.bench import Bench, Result, result
from tests.chaos.world import HEALTH, ROADS, TOPIC_OF, World

TABLES = ("cases", "messages", "deliveries", "payloads", "attempts", "facts", "inbound", "answers", "lanes")
QUEUES = ("hub.lanes", "hub.lanes.suspect")


def broker_wiped(bench: Bench) -> Result:
    """F6: the broker dies with its disk in the middle of traffic, and comes back empty."""
    assert bench.backing is not None
    broker = bench.backing.rabbitmq
    with bench.world() as world:
        world.submitter.add(bench.messages // 2)
        world.wait(lambda: len(world.receivers.arrivals) > 3, 30, "traffic")
        broker.kill()
        broker.wipe()
        broker.start()
        world.prepare_broker()
        world.submitter.add(bench.messages // 2)
        return result(world, bench)


def broker_down(bench: Bench) -> Result:
    """F7: intake goes on into the database while the broker is away; it all goes out later."""
    assert bench.backing is not None
    broker = bench.backing.rabbitmq
    with bench.world() as world:
        broker.kill()
        try:
            world.submitter.add(bench.messages)
            world.wait(lambda: not world.submitter.open(), 30, "acceptance without a broker")
        finally:
            broker.start()
        return result(world, bench)


def database_gone(bench: Bench) -> Result:
    """F3: 503 with Retry-After and no 202 while the database is away; no attempt is burnt on it."""
    assert bench.backing is not None
    database = bench.backing.postgres
    with bench.world(placements=(HEALTH, ROADS)) as world:
        world.submitter.add(bench.messages)
        world.until_quiet(bench.patience_secs)
        before = world.submitter.statuses[202]
        database.kill()
        try:
            world.submitter.add(bench.messages)
            world.wait(lambda: world.submitter.statuses[503] > 0, 30, "a 503")
            threading.Event().wait(bench.stop_secs)
            if world.submitter.statuses[202] != before:
                world.faults.append("202 was said while the database was away")
        finally:
            database.start()
        done = result(world, bench)
        _no_attempt_burnt(world)
        return done


def _no_attempt_burnt(world: World) -> None:
    """Each delivery to an authority that never fails took one attempt; one that was put back unsent is none."""
    for case_id in list(world.submitter.acknowledged.values()):
        entries = world.operator.get(f"/v1/cases/{case_id}/timeline")["entries"]
        made = [e["text"] for e in entries if e["what"] == "attempt" and NOT_BEGUN not in e["text"]]
        if len(made) != 1:
            world.faults.append(f"a delivery took {len(made)} attempts, not 1: {' '.join(made)}")


def statement_fails(bench: Bench) -> Result:
    """F2: every table in turn refuses writes for a moment, under traffic; no half state is left."""
    with bench.world() as world:
        for table in TABLES:
            _forbid(world, table)
            references = world.submitter.add(max(bench.messages // len(TABLES), 2))
            world.wait(partial(_tried, world, references), 20, "a try")
            threading.Event().wait(0.7)
            _allow(world, table)
            world.wait(lambda: world.submitter.open() == 0, 30, f"acceptance after {table} is well again")
        return result(world, bench)


def _tried(world: World, references: list[str]) -> bool:
    s = world.submitter
    return all(r in s.uncertain or r in s.refused or r in s.acknowledged for r in references)


def _forbid(world: World, table: str) -> None:
    if world.database_url is None:
        # A trigger that cannot run, not one that refuses: SQLite calls the latter a broken constraint.
        with sqlite3.connect(world.arrangement.home / "hub.sqlite", timeout=10) as connection:
            for verb in ("INSERT", "UPDATE"):
                connection.execute(
                    f"CREATE TRIGGER chaos_{verb} BEFORE {verb} ON {table} BEGIN INSERT INTO chaos VALUES (1); END"
                )
        connection.close()
        return
    with psycopg.connect(world.database_url, autocommit=True) as postgres:
        postgres.execute(
            "CREATE OR REPLACE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'chaos'; END $$"
        )
        postgres.execute(
            f"CREATE TRIGGER chaos BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION chaos()".encode()
        )


def _allow(world: World, table: str) -> None:
    if world.database_url is None:
        with sqlite3.connect(world.arrangement.home / "hub.sqlite", timeout=10) as connection:
            for verb in ("INSERT", "UPDATE"):
                connection.execute(f"DROP TRIGGER chaos_{verb}")
        connection.close()
        return
    with psycopg.connect(world.database_url, autocommit=True) as postgres:
        postgres.execute(f"DROP TRIGGER chaos ON {table}".encode())


def one_authority_cannot_be_written(bench: Bench) -> Result:
    """F2 with a neighbour: outcomes of one lane cannot be written for long; the other lanes' outcomes are."""
    assert bench.backing is not None
    with bench.world(placements=(HEALTH, ROADS)) as world:
        assert world.database_url is not None
        with psycopg.connect(world.database_url, autocommit=True) as postgres:
            postgres.execute(
                "CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'chaos'; END $$"
            )
            postgres.execute(
                "CREATE TRIGGER chaos BEFORE UPDATE ON deliveries FOR EACH ROW WHEN "
                f"(new.authority = '{ROADS.code}' AND new.state NOT IN ('sending', 'unknown', 'waiting')) "
                "EXECUTE FUNCTION chaos()".encode()
            )
            world.submitter.add(bench.messages, TOPIC_OF[ROADS.code])
            healthy = world.submitter.add(bench.messages, TOPIC_OF[HEALTH.code])
            world.wait(lambda: _ended(world, healthy), 30, "the end of the healthy neighbour's cases")
            postgres.execute("DROP TRIGGER chaos ON deliveries")
        return result(world, bench)


def _ended(world: World, references: list[str]) -> bool:
    s = world.submitter
    return all("answered" in world.follower.kinds.get(s.acknowledged.get(r, ""), ()) for r in references)


def _task(*args: object, name: str = "hub.run_lanes") -> tuple[bytes, dict[str, object]]:
    """A message after Celery's protocol 2."""
    body = json.dumps([list(args), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
    number = str(uuid.uuid4())
    return body, {"lang": "py", "task": name, "id": number, "root_id": number, "parent_id": None, "group": None}


class _Bomb:
    """Unpickled, it would leave a mark."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (self._mark, "w"))


def poison(bench: Bench) -> Result:
    """F10, A29: bodies in the queue that are not ours kill nobody, run nothing, and do not stay."""
    assert bench.backing is not None
    broker = bench.backing.rabbitmq
    with bench.world() as world:
        mark = world.arrangement.home / "unpickled"
        good_headers = _task()[1]
        for queue in QUEUES:
            bomb = pickle.dumps([[_Bomb(str(mark))], {}, {}])
            broker.publish(queue, bomb, "application/x-python-serialize", "binary", **good_headers)
            broker.publish(queue, b"{", "application/json", "utf-8", **good_headers)
            broker.publish(queue, b"\xff\xfe\x00", "application/json", "utf-8", **good_headers)
            broker.publish(queue, b"", "application/octet-stream", "binary")
            for body, headers in (
                _task(["no.such.lane"]),
                _task(["x" * 10_000]),
                _task({"a": 1}),
                _task([[["a"]]] * 1_000),
                _task(),
                _task("one", "two", "three"),
                _task(["a\x00b", "'; DROP TABLE cases; --"]),
                _task([], name="os.system"),
                _task([], name="celery.backend_cleanup"),
            ):
                broker.publish(queue, body, "application/json", "utf-8", **headers)
        world.submitter.add(bench.messages)
        done = result(world, bench)
        world.wait(lambda: not any(broker.depth(queue) for queue in QUEUES), 20, "the end of the poison")
        if mark.exists():
            world.faults.append("a pickle from the queue was opened")
        if world.strikes:
            world.faults.append("a process died of poison")
        return done


def soak(bench: Bench) -> Result:
    """Twenty messages a second, one kill every 1 to 5 seconds; in production sometimes of broker or database."""
    throw = random.Random(20_151_202)
    with bench.world() as world:
        end = time.monotonic() + bench.soak_secs
        next_kill = time.monotonic() + 1
        server_kills = 0
        while time.monotonic() < end:
            if world.submitter.open() < 200:
                world.submitter.add(2)
            if time.monotonic() > next_kill:
                next_kill = time.monotonic() + throw.uniform(1, 5)
                server_kills += _random_kill(world, bench, throw)
            threading.Event().wait(0.1)
        verdict, strikes, faults = result(world, bench)
        return verdict, strikes + server_kills, faults


def _random_kill(world: World, bench: Bench, throw: random.Random) -> int:
    if bench.backing is not None and throw.random() < 0.15:
        server = throw.choice((bench.backing.postgres, bench.backing.rabbitmq))
        server.kill()
        server.start()
        return 1
    unit = throw.choice([unit for unit in world.units.values() if unit.state() == "running"] or [None])
    if unit is not None:
        world.kill(unit)
    return 0
