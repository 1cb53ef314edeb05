"""Events: one per new fact, in the order of commit, none ever passed over."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.ports import Store
from hub.schemas.delivery import Change, Event, FactKind
from hub.storage import SqlStore
from hub.storage.engine import open_engine
from hub.storage.writing import Writer
from hub.tracking.law import shipped
from tests.storage.making import AUTHORITY, NOW, accepted, events, fact, later


def test_one_event_for_each_new_fact(store: Store) -> None:
    """An event tells kind, case, moment, the fact's data, who said it, and the case's state after it."""
    change = accepted()
    store.apply(change)
    registered = fact(change.cases[0].id, FactKind.REGISTERED, later(5), number="К-7", date="2026-11-24")
    store.apply(Change(facts=(registered, registered, change.facts[0])))
    found = events(store, 3)
    assert [event.type for event in found] == ["case.accepted_by_hub", "case.routed", "case.registered"]
    assert {event.case_id for event in found} == {change.cases[0].id}
    assert found[2].at == later(5)
    assert found[2].recorded_at.utcoffset() == NOW.utcoffset()
    assert found[2].data == {
        "number": "К-7",
        "date": "2026-11-24",
        "authority": AUTHORITY,
        "source": "authority",
        "state": "registered",
    }
    assert found[1].data["delivery_id"] == str(change.deliveries[0].id)
    assert found[0].data == {"source": "hub", "state": "routed"}


def test_cursors_go_on_where_the_last_page_ended(store: Store) -> None:
    """Pages of any size give the same events once each; cursors sort as text."""
    for _ in range(5):
        store.apply(accepted())
    whole = events(store, 10)
    pages: list[Event] = []
    after = None
    while page := store.events(after=after, limit=3):
        pages += page
        after = page[-1].cursor
    assert tuple(pages) == whole
    cursors = [event.cursor for event in whole]
    assert cursors == sorted(set(cursors))
    assert len(whole) == 10
    assert store.events(after=cursors[-1], limit=9) == ()


def test_events_about_one_body(store: Store) -> None:
    """A body's own come in the order and under the cursors of the whole feed; the newest of all tells its end."""
    assert store.newest_event() is None
    changes = [accepted() for _ in range(3)]
    for change in changes:
        store.apply(change)
        store.apply(
            Change(facts=(fact(change.cases[0].id, FactKind.REGISTERED, later(5), number="1", date="2026-11-24"),))
        )
    whole = events(store, 9)
    about = tuple(event for event in whole if event.data.get("authority") == AUTHORITY)
    assert len(about) == 6
    assert store.events(after=None, limit=99, authority=AUTHORITY) == about
    assert store.events(after=about[1].cursor, limit=2, authority=AUTHORITY) == about[2:4]
    assert store.events(after=None, limit=99, authority="00000000") == ()
    assert store.newest_event() == whole[-1].cursor


@pytest.mark.postgres
def test_an_event_committed_later_never_stands_before_a_cursor(postgres_url: str) -> None:
    """A slow transaction that took its numbers first holds later ones back until it is done: no reader passes it."""
    store = SqlStore(open_engine(postgres_url))
    slow, fast = accepted(), accepted()
    with store.database.engine.connect() as connection, connection.begin():
        Writer(connection, slow, now=NOW, txid_offset=0, law=shipped()).run()
        store.apply(fast)
        assert store.events(after=None, limit=9) == ()
    found = events(store, 4)
    store.close()
    assert [event.case_id for event in found] == [slow.cases[0].id] * 2 + [fast.cases[0].id] * 2


@pytest.mark.slow
@pytest.mark.postgres
def test_readers_miss_nothing_while_writers_race(postgres_url: str) -> None:
    """Four writers at once, one reader that pages behind its cursor: every event is seen once, in order."""
    store = SqlStore(open_engine(postgres_url))
    changes = [[accepted() for _ in range(15)] for _ in range(4)]
    threads = [threading.Thread(target=lambda mine=mine: [store.apply(c) for c in mine]) for mine in changes]
    seen: list[str] = []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(seen) < 120:
        seen += [event.cursor for event in store.events(after=seen[-1] if seen else None, limit=7)]
    whole = [event.cursor for event in store.events(after=None, limit=999)]
    store.close()
    assert seen == whole == sorted(set(whole))
    assert len(whole) == 120


@pytest.mark.postgres
def test_after_a_restore_into_a_younger_cluster_events_go_on(postgres_url: str) -> None:
    """Rows whose transaction ids are ahead of the cluster's stay visible, and new events stand after them."""
    store = SqlStore(open_engine(postgres_url))
    old, new = accepted(), accepted()
    store.apply(old)
    with store.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE facts SET txid = txid + 1000000000000"))
    store.close()
    restored, neighbour = (SqlStore(open_engine(postgres_url)) for _ in range(2))
    seen = events(restored, 2)
    assert [event.case_id for event in seen] == [old.cases[0].id] * 2
    neighbour.apply(new)
    assert [event.case_id for event in events(restored, 2, seen[-1].cursor)] == [new.cases[0].id] * 2
    restored.ping()
    restored.close()
    neighbour.close()
    third = SqlStore(open_engine(postgres_url))
    assert len(events(third, 4)) == 4
    third.close()


def test_a_fact_known_under_another_message_makes_no_event(store: Store) -> None:
    """Who brought a fact does not make it another fact."""
    change = accepted()
    store.apply(change)
    again = replace(change.facts[1], message_id=change.messages[0].id)
    assert store.apply(Change(facts=(again,))).new_facts == ()
    assert len(events(store, 2)) == 2
