"""Figures that alarms watch are those of the store, the registry and the disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.alarms.values import Reading
from hub.following.values import EndpointState, Queued
from hub.ports import Store
from hub.schemas.delivery import Change, DeliveryUpdate, LaneState, OperatorItem, TransportState
from hub.schemas.ids import new_id
from hub.schemas.journal import Custody, Door, InboundRecord
from hub.storage import SqlStore
from hub.storage.alarm_counts import SqlAlarmCounts
from hub.storage.webhook_queue import SqlWebhookQueue
from hub.tracking import law
from hub.upkeep.looks import overdue_before
from tests.storage.making import CHANNEL, NOW, claim_one, put


@pytest.fixture
def counts(sql_store: SqlStore) -> SqlAlarmCounts:
    """Counts of an empty store."""
    return SqlAlarmCounts(sql_store.database)


def _entry(**more: object) -> InboundRecord:
    values: dict[str, object] = {
        "id": str(new_id()),
        "received_at": NOW,
        "channel_id": CHANNEL,
        "authority": "00032106",
        "sha256": "0" * 64,
        "size": 1,
        "verdict": "accepted",
        **more,
    }
    return InboundRecord(**values)  # type: ignore[arg-type]


def _item(store: Store, opened_at: datetime, reason: str) -> None:
    case = put(store).case_id
    item = OperatorItem(id=str(new_id()), case_id=case, reason=reason, detail="x", opened_at=opened_at)
    store.apply(Change(items=(item,)))


def test_what_is_held_counts_by_its_age(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """Only entries that nobody decided about, and only those old enough."""
    old, fresh = NOW - timedelta(hours=5), NOW - timedelta(hours=1)
    entries = (
        _entry(custody=Custody.HELD, received_at=old),
        _entry(custody=Custody.HELD, received_at=fresh),
        _entry(custody=Custody.ATTACHED, received_at=old),
    )
    sql_store.apply(Change(inbound=entries))
    assert counts.held_before(NOW - timedelta(hours=4)) == 1
    assert counts.held_before(NOW) == 2


def test_items_count_by_age_and_reason(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """All that are open, those from before a moment, those of one reason."""
    _item(sql_store, NOW - timedelta(days=3), "not_connected")
    _item(sql_store, NOW, "case.nobody_has_it")
    assert counts.open_items() == 2
    assert counts.open_items(before=NOW - timedelta(days=1)) == 1
    assert counts.open_items(reason="case.nobody_has_it") == 1


def test_overdue_items_are_those_whose_term_has_run_out() -> None:
    """The moment found by halving parts what the law's file says is overdue from what is not."""
    rules = law.shipped()
    for hour in range(0, 24 * 8, 7):
        now = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(hours=hour)
        before = overdue_before(rules, now)
        assert before is not None
        for minutes in (-2_000, -600, -5, 5, 600):
            opened = before + timedelta(minutes=minutes)
            due = rules.item_due(opened)
            assert due is not None
            assert (due < now) == (minutes < 0) or opened > now, (now, opened, due)


def test_dead_and_late_deliveries(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """A lane that nobody serves is late; one that fails, rests, is paused or is at work is not."""
    before = NOW + timedelta(minutes=15)
    now = NOW + timedelta(minutes=30)
    dead = put(sql_store)
    sql_store.apply(Change(updates=(DeliveryUpdate(id=dead.id, state=TransportState.DEAD),)))
    assert (counts.dead_deliveries(), counts.late_deliveries(before, now)) == (1, ())
    for channel in ("idle", "failing", "open", "paused", "rested", "busy"):
        put(sql_store, channel_id=channel)
    put(sql_store, channel_id="busy")
    claim_one(sql_store, "busy", owner="w", now=NOW, lease_until=now + timedelta(minutes=1), limit=1)
    healthy = LaneState(channel_id="x")
    for state in (
        replace(healthy, channel_id="failing", suspect=True),
        replace(healthy, channel_id="open", open_until=now + timedelta(minutes=1)),
        replace(healthy, channel_id="rested", rest_until=now - timedelta(minutes=1)),
    ):
        sql_store.save_lane(state)
    sql_store.pause_lane("paused", paused=True)
    late = counts.late_deliveries(before, now)
    assert Reading(subject="idle", value=1) in late
    assert {reading.subject for reading in late} <= {"idle", "rested"}
    assert counts.late_deliveries(NOW - timedelta(minutes=1), now) == ()


def test_webhooks_given_up_and_switched_off(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """Events without a next attempt by endpoint, and endpoints that said 410."""
    queue = SqlWebhookQueue(sql_store.database)
    for name in ("front", "other"):
        queue.acquire_endpoint(name, owner="w", now=NOW, lease_until=NOW)
    queue.save_endpoint(EndpointState(id="other", disabled_at=NOW, reason="answer.http_410"))
    cursor = f"{1:019}.{1:019}"
    waiting = Queued(endpoint="front", cursor=cursor, case_id=put(sql_store).case_id, type="t", body=b"", next_at=NOW)
    queue.fill("front", [waiting], before=None, cursor=cursor)
    assert counts.given_up_events() == ()
    queue.settle([], [replace(waiting, next_at=None)])
    assert counts.given_up_events() == (Reading(subject="front", value=1),)
    assert counts.endpoints_off() == (Reading(subject="other", value=1),)


def test_refused_credentials_count_by_the_minute(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """The worst minute of the last ones, over all sources; seals by the authority."""
    minute = NOW.replace(second=0, microsecond=0)
    login = {"door": Door.LOGIN, "verdict": "auth.refused", "channel_id": "-"}
    entries = (
        _entry(**login, received_at=minute, count=40),
        _entry(**login, received_at=minute, count=30),
        _entry(**login, received_at=minute - timedelta(minutes=1), count=50),
        _entry(**login, received_at=minute - timedelta(hours=1), count=500),
        _entry(verdict="seal.signature", custody=Custody.HELD),
        _entry(verdict="sealed"),
    )
    sql_store.apply(Change(inbound=entries))
    assert counts.refused_logins(NOW - timedelta(minutes=5)) == 70
    assert counts.refused_logins(NOW + timedelta(minutes=5)) == 0
    assert counts.refused_seals(NOW - timedelta(hours=1)) == (Reading(subject="00032106", value=1),)


def test_collecting_that_went_well_is_noted(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """A success is remembered over the failures after it; a channel that never could is known too."""
    sql_store.claim_collect("box", now=NOW, until=NOW)
    assert counts.collected() == {"box": None}
    sql_store.plan_collect("box", NOW, heard_at=NOW)
    sql_store.plan_collect("box", NOW + timedelta(minutes=1))
    assert counts.collected() == {"box": NOW}


def test_terms_that_ran_out(sql_store: SqlStore, counts: SqlAlarmCounts) -> None:
    """Cases whose nearest term is in the past, as the list of overdue cases counts them."""
    put(sql_store)
    assert counts.overdue_cases(NOW) == 0
    assert counts.overdue_cases(NOW + timedelta(days=400)) in (0, 1)
