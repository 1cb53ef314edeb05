"""Runs of the floor and of the plain pipeline, on databases and queues of the same servers as the hub's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks import floor, plain
from benchmarks.processes import BenchmarkError, Crew, Process, Receiver

WAIT_SECS = 90.0


def prepare(database_url: str) -> None:
    """Make the tables of both."""
    with psycopg.connect(database_url) as database:
        database.execute(floor.TABLE)
        database.execute(plain.TABLE)


def run_floor(crew: Crew, receiver: Receiver, database_url: str, count: int, authorities: int, turn: int) -> float:
    """Messages a second of the bare loop."""
    receiver.forget()
    each = count // floor.PROCESSES
    processes = [
        crew.start(
            "benchmarks.floor",
            database_url,
            str(receiver.process.port),
            str(each),
            str((turn * floor.PROCESSES + number) * each),
            str(authorities),
        )
        for number in range(floor.PROCESSES)
    ]
    for process in processes:
        process.go()
    spans = [process.wait_for_result() for process in processes]
    for process in processes:
        crew.end(process)
    if receiver.counts()["received"] != each * floor.PROCESSES:
        raise BenchmarkError("The floor lost messages.")
    secs: float = max(span["ended"] for span in spans) - min(span["began"] for span in spans)
    return each * floor.PROCESSES / secs


@contextmanager
def plain_worker(crew: Crew, receiver: Receiver, database_url: str, broker_url: str) -> Iterator[Process]:
    """The plain pipeline's worker, ready."""
    env = {"BENCH_DATABASE_URL": database_url, "BENCH_BROKER_URL": broker_url, "BENCH_RECEIVER": receiver.url}
    worker = crew.start("benchmarks.plain", "worker", env=env)
    try:
        yield worker
    finally:
        crew.end(worker)


def run_plain(
    crew: Crew, receiver: Receiver, database_url: str, broker_url: str, count: int, authorities: int, turn: int
) -> float:
    """Messages a second of the plain pipeline, from the first row until the last is delivered."""
    receiver.forget()
    env = {"BENCH_DATABASE_URL": database_url, "BENCH_BROKER_URL": broker_url}
    with plain_worker(crew, receiver, database_url, broker_url):
        producer = crew.start("benchmarks.plain", str(count), str(turn * count), str(authorities), env=env)
        producer.go()
        began: float = producer.wait_for_result()["began"]
        crew.end(producer)
        deadline = time.time() + WAIT_SECS
        while receiver.counts()["received"] < count:
            if time.time() > deadline:
                raise BenchmarkError("The plain pipeline did not finish.")
            time.sleep(0.05)
        ended = time.time()
    return count / (ended - began)
