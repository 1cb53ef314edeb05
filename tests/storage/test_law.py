"""Cases that must be looked at, their facts by the hundred, and shadow channels: the same on every store."""

from __future__ import annotations

import threading
from dataclasses import replace

import sqlalchemy as sa

from hub.ports import Store
from hub.schemas.delivery import Change, DeliveryUpdate, Direction, FactKind, TransportState
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.storage import SqlStore
from tests.storage.making import CHANNEL, NOW, accepted, fact, joined, later, put
from tests.storage.test_plans import _plans, _watched

SIX_HOURS = 6 * 3600


def test_a_case_is_looked_at_when_its_moment_has_come(store: Store) -> None:
    """A case is due from its first day; it is looked at after six hours, then leased, and with a receipt waits anew."""
    given = put(store)
    row = store.case(given.case_id)
    assert row is not None
    assert row.watch_at is not None
    assert abs((row.watch_at - later(SIX_HOURS)).total_seconds()) < 1
    assert row.due_at is not None
    assert row.due_at > later(28 * 86_400)
    assert store.claim_watched(now=later(60), until=later(90), limit=9) == ()
    (taken,) = store.claim_watched(now=later(SIX_HOURS + 1), until=later(SIX_HOURS + 60), limit=9)
    assert taken.case.id == given.case_id
    assert store.claim_watched(now=later(SIX_HOURS + 2), until=later(SIX_HOURS + 60), limit=9) == ()
    store.apply(Change(facts=(replace(fact(given.case_id, FactKind.DELIVERED), delivery_id=given.id),)))
    row = store.case(given.case_id)
    assert row is not None
    assert row.due_at is not None
    assert row.watch_at is not None
    assert row.watch_at > later(SIX_HOURS + 60)


def test_a_lease_on_a_case_ends(store: Store) -> None:
    """Who took a case and died holds it no longer than the lease."""
    put(store)
    at = later(SIX_HOURS + 1)
    assert len(store.claim_watched(now=at, until=later(SIX_HOURS + 60), limit=9)) == 1
    assert len(store.claim_watched(now=later(SIX_HOURS + 61), until=later(SIX_HOURS + 120), limit=9)) == 1


def test_one_case_can_be_asked_for(store: Store) -> None:
    """Looking at one case takes that one if it is due, and no other."""
    first, second = put(store), put(store)
    at = later(SIX_HOURS + 1)
    (taken,) = store.claim_watched(now=at, until=later(SIX_HOURS + 60), limit=1, case_id=second.case_id)
    assert taken.case.id == second.case_id
    (other,) = store.claim_watched(now=at, until=later(SIX_HOURS + 60), limit=9)
    assert other.case.id == first.case_id


def test_watchers_at_once_get_different_cases(store: Store) -> None:
    """Four that take at the same moment share the cases between them: none is taken twice, none is forgotten."""
    store.apply(joined(*(accepted() for _ in range(40))))
    taken: list[object] = []
    lock = threading.Lock()

    def take() -> None:
        for _ in range(40):
            rows = store.claim_watched(now=later(SIX_HOURS + 1), until=later(SIX_HOURS + 600), limit=3)
            with lock:
                taken.extend(row.case.id for row in rows)
            if not rows:
                return

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while rows := store.claim_watched(now=later(SIX_HOURS + 1), until=later(SIX_HOURS + 600), limit=9):
        taken.extend(row.case.id for row in rows)
    assert len(taken) == len(set(taken)) == 40


def test_facts_of_many_cases(store: Store) -> None:
    """Facts of several cases come by case, in the same order as of one; a case without facts has none."""
    ids = [put(store).case_id for _ in range(3)]
    found = store.facts_of(ids)
    assert {key: store.facts(key) for key in ids} == dict(found)
    assert store.facts_of([]) == {}


def test_appeals_of_many_cases(store: Store) -> None:
    """The appeal as it first went out comes by case, whatever else was sent or received; no case, no appeal."""
    change = accepted()
    (first,) = change.messages
    again = replace(first, id=MessageId(new_id()), created_at=later(60), body=b"{}")
    before = replace(first, id=MessageId(new_id()), created_at=later(-60), body=b"{}", direction=Direction.IN)
    store.apply(replace(change, messages=(again, before, first)))
    other = put(store)
    unknown = CaseId(new_id())
    found = store.appeals_of([first.case_id, other.case_id, unknown])
    assert {case_id: message.id for case_id, message in found.items()} == {
        first.case_id: first.id,
        other.case_id: other.message_id,
    }
    assert found[first.case_id].body == first.body
    assert store.appeals_of([]) == {}


def test_a_shadow_is_never_the_delivery_of_a_message(store: Store) -> None:
    """What only tries a channel is not found as the delivery that counts, and is compared with it."""
    given = put(store)
    shadow = replace(
        given, id=DeliveryId(new_id()), channel_id="00032106.new", shadow=True, created_at=later(5), next_at=NOW
    )
    store.apply(Change(deliveries=(shadow,)))
    found = store.delivery_of(given.message_id)
    assert found is not None
    assert found.id == given.id
    kept = store.delivery(shadow.id)
    assert kept is not None
    assert kept.shadow
    updates = (
        DeliveryUpdate(id=given.id, state=TransportState.DELIVERED),
        DeliveryUpdate(id=shadow.id, state=TransportState.DEAD),
    )
    store.apply(Change(updates=updates))
    (one,) = store.compared()
    assert (one.shadow, one.shadow_state, one.channel_id, one.state, one.count) == (
        "00032106.new",
        TransportState.DEAD,
        CHANNEL,
        TransportState.DELIVERED,
        1,
    )


def test_a_sweep_reads_only_the_cases_that_wait(sql_store: SqlStore) -> None:
    """Taking cases to look at walks the small index; finished cases, however many, are not read."""
    for _ in range(10):
        done = [accepted() for _ in range(50)]
        answers = [
            replace(fact(c.cases[0].id, FactKind.ANSWERED, stage="final"), delivery_id=c.deliveries[0].id) for c in done
        ]
        sql_store.apply(replace(joined(*done), facts=(*joined(*done).facts, *answers)))
    put(sql_store)
    with sql_store.database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
        waiting = connection.execute(sa.text("SELECT count(*) FROM cases WHERE watch_at IS NOT NULL")).scalar()
    assert waiting == 1
    seen = _watched(sql_store)
    sql_store.claim_watched(now=later(SIX_HOURS + 1), until=later(SIX_HOURS + 60), limit=5)
    assert len(seen) == 1
    plans = _plans(sql_store, seen)
    assert "ix_cases_watch" in plans, plans
