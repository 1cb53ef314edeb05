"""Many at once: nobody gets what another has, nothing is lost, nobody waits for ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Conflict
from hub.ports import Store
from hub.schemas.delivery import Change, Claim, DeliveryUpdate, FactKind, LaneState, TransportState
from hub.storage import SqlStore
from hub.storage.engine import open_engine
from tests.storage.making import CHANNEL, NOW, accepted, answer, claim_one, events, fact, item, joined, later

WORKERS = 6


def together(work: Callable[[int], list[object]]) -> list[list[object]]:
    """Run the same work in several threads that start at the same moment."""
    gate = threading.Barrier(WORKERS)

    def run(number: int) -> list[object]:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def test_two_claimers_never_get_the_same(store: Store) -> None:
    """Six claimers empty one lane; every delivery is given out exactly once."""
    store.apply(joined(*(accepted(priority=number % 3) for number in range(200))))

    def claim(number: int) -> list[object]:
        taken: list[object] = []
        while claims := claim_one(store, CHANNEL, owner=f"w{number}", now=NOW, lease_until=later(30), limit=7):
            taken += [c.delivery.id for c in claims]
        return taken

    found = Counter(key for taken in together(claim) for key in taken)
    assert len(found) == 200
    assert set(found.values()) == {1}


def test_two_pollers_never_get_the_same(store: Store) -> None:
    """Six pollers share one lane; every delivery is asked about exactly once."""
    store.apply(joined(*(accepted(state=TransportState.DELIVERED, poll_at=NOW) for _ in range(60))))

    def poll(number: int) -> list[object]:
        taken: list[object] = []
        while due := store.claim_polls(CHANNEL, now=NOW, next_at=later(99), limit=7):
            taken += [d.id for d in due]
        return taken

    found = Counter(key for taken in together(poll) for key in taken)
    assert len(found) == 60
    assert set(found.values()) == {1}


def test_one_acceptance_many_times_at_once(store: Store) -> None:
    """The same acceptance from six threads is written once: one set of facts, one event each."""
    change = accepted()
    new = together(lambda _: list(store.apply(change).new_facts))
    assert sum(map(len, new)) == 2
    assert len(events(store, 2)) == 2


def test_one_key_many_times_at_once(store: Store) -> None:
    """Of six different requests with one idempotency key exactly one is taken in."""

    def submit(number: int) -> list[object]:
        change = replace(accepted(), answers=(answer("k", body=str(number).encode()),))
        try:
            store.apply(change)
        except Conflict as conflict:
            return [conflict.stable_code]
        return []

    assert sorted(map(tuple, together(submit))) == [()] + [("idempotency.repeat",)] * (WORKERS - 1)


def test_facts_of_one_case_from_all_sides(store: Store) -> None:
    """Facts that reach one case from six threads at once all count: the state is that of the whole set."""
    change = accepted()
    store.apply(change)
    key = change.cases[0].id
    kinds = (
        FactKind.SENT,
        FactKind.DELIVERED,
        FactKind.REGISTERED,
        FactKind.ANSWERED,
        FactKind.ACCEPTED,
        FactKind.SENT,
    )

    def state(number: int) -> list[object]:
        stated = [fact(key, kinds[number], later(n), number="7", date="2026-11-24", stage="final") for n in range(3)]
        return [store.apply(Change(facts=(one,))) for one in stated]

    together(state)
    row = store.case(key)
    assert row is not None
    assert (row.state, row.number, row.updated_at) == ("answered", "7", later(2))
    assert len(store.facts(key)) == 2 + 15
    assert len(events(store, 2 + 15)) == 2 + 15


def test_changes_that_cross_do_not_deadlock(store: Store) -> None:
    """Changes over the same cases and deliveries in opposite order all come through."""
    changes = [accepted() for _ in range(12)]
    store.apply(joined(*changes))

    def cross(number: int) -> list[object]:
        mine = changes if number % 2 else changes[::-1]
        facts = tuple(fact(c.cases[0].id, FactKind.SENT, later(number)) for c in mine)
        updates = tuple(DeliveryUpdate(id=c.deliveries[0].id, state=TransportState.WAITING, next_at=NOW) for c in mine)
        items = tuple(item(c.deliveries[0]) for c in mine)
        return [store.apply(Change(facts=facts, updates=updates, items=items))]

    together(cross)
    assert len(store.items(open_only=True, after=None, limit=99)) == 12
    assert len(events(store, 24 + 12 * WORKERS)) == 24 + 12 * WORKERS


@pytest.mark.postgres
def test_two_processes_of_connections_share_one_lane(postgres_url: str) -> None:
    """A row that another transaction holds is skipped, not waited for."""
    first, second = SqlStore(open_engine(postgres_url)), SqlStore(open_engine(postgres_url))
    kept, free = accepted(), accepted()
    first.apply(joined(kept, free))
    with first.database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT 1 FROM deliveries WHERE id = %s FOR UPDATE", (kept.deliveries[0].id,))
        (claim,) = claim_one(second, CHANNEL, owner="w", now=NOW, lease_until=later(9), limit=9)
    assert claim.delivery.id == free.deliveries[0].id
    first.close()
    second.close()


def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    """While a transaction writes, others read what was committed before it."""
    store = SqlStore(open_engine(sqlite_url))
    known, coming = accepted(), accepted()
    store.apply(known)

    def look_meanwhile(connection: object) -> None:
        assert store.case(known.cases[0].id) is not None
        assert store.case(coming.cases[0].id) is None

    store.database.write(look_meanwhile)
    store.close()


def test_a_lane_is_taken_from_by_one_worker_at_a_time(postgres_url: str) -> None:
    """While one worker takes from a lane, another gets nothing of it and does not wait; other lanes are free."""
    first, second = (SqlStore(open_engine(postgres_url)) for _ in range(2))
    first.apply(joined(*(accepted() for _ in range(4))))
    lease: dict[str, Any] = {"now": NOW, "lease_until": later(9), "limit": 2}
    inner: list[int] = []

    def begin(claims: Sequence[Claim], _: Mapping[str, LaneState]) -> Change:
        inner.append(len(claim_one(second, CHANNEL, owner="w2", **lease)))
        return Change()

    first.claim({CHANNEL: 2}, now=NOW, begin=begin)
    assert inner == [0]
    assert len(claim_one(second, CHANNEL, owner="w2", **lease)) == 2
    first.close()
    second.close()
