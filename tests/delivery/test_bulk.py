"""Acts on many: one group shows them, one order does them, whoever is killed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.cases.bulk import Bulk
from hub.delivery.records import escalate
from hub.errors import Conflict, InvalidInput
from hub.ports import InboundFilter, Outcome, RawInbound
from hub.schemas.acts import ActKind, ActState, BulkAct, GroupKind, Selection
from hub.schemas.delivery import Change, OutcomeKind, TransportState
from hub.storage import SqlStore, open_store
from hub.storage.acts import SqlActs
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, World
from tests.stores import fresh_store

STEP = 20
COUNT = STEP + 7


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.cases.bulk.STEP", STEP)


WRONG = Outcome(kind=OutcomeKind.PERMANENT, code="answer.http_415", detail="the mapping is wrong")
MENDED = Outcome(kind=OutcomeKind.DELIVERED)
ALL = Selection(code="answer.http_415", channel_id=CHANNEL)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A store of its own."""
    made = fresh_store()
    if isinstance(made, SqlStore):
        yield made
    else:
        own = open_store(f"sqlite:///{tmp_path / 'hub.sqlite'}", migrate=True)
        yield own
        own.close()


def _failed(store: SqlStore, count: int = COUNT) -> World:
    world = World(store=store, rate_per_sec=10_000, batch=1_000)
    world.adapter.script = [WRONG]
    world.submit(count)
    world.run()
    world.adapter.script = [MENDED]
    return world


def _bulk(world: World, store: SqlStore, owner: str = "one") -> Bulk:
    return Bulk(
        acts=SqlActs(store.database),
        operators=world.operators,
        forwarding=world.forwarding,
        clock=world.clock,
        owner=owner,
    )


def _order(world: World, bulk: Bulk, kind: ActKind = ActKind.REPLAY, where: Selection = ALL) -> BulkAct:
    expected = bulk.preview(kind, where).total
    world.clock.go(1)
    return bulk.order(kind, where, target=None, by="operator.1", why="mended", expected=expected)


def _run(bulk: Bulk) -> None:
    while bulk.step():
        pass


def test_one_group_tells_what_failed(store: SqlStore) -> None:
    """All dead letters of one cause are one group with a count and an example; their items are another."""
    world = _failed(store, 5)
    groups = {group.kind: group for group in SqlActs(store.database).groups()}
    dead = groups[GroupKind.DEAD]
    assert (dead.code, dead.authority, dead.channel_id, dead.count) == ("answer.http_415", BODY, CHANNEL, 5)
    assert dead.example in {str(delivery.id) for delivery in store.dead(after=None, limit=9)}
    assert groups[GroupKind.ITEM].count == 5
    assert dead.first_at <= dead.last_at <= world.clock.now()


def test_of_many_groups_the_largest_are_shown(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed most often stands first, of whatever kind; beyond the bound the smallest are left out."""
    world = _failed(store, 3)
    raw = RawInbound(content_type="text/plain", body=b"words")
    for number in range(4):
        came = replace(raw, body=b"words %d" % number)
        world.receiver.hold(came, origin(CHANNEL, BODY), verdict="mail.no_token" if number else "seal.party")
    groups = SqlActs(store.database).groups()
    assert [(group.kind, group.code, group.count) for group in groups] == [
        (GroupKind.DEAD, "answer.http_415", 3),
        (GroupKind.HELD, "mail.no_token", 3),
        (GroupKind.ITEM, "answer.http_415", 3),
        (GroupKind.HELD, "seal.party", 1),
    ]
    assert groups[3].example == store.inbound(InboundFilter(code="seal.party"), limit=1)[0].id
    monkeypatch.setattr("hub.storage.acts._MOST_GROUPS", 2)
    assert SqlActs(store.database).groups() == groups[:2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ActKind.REPLAY, ActKind.REBUILD])
def test_one_order_sends_all_of_them_again(store: SqlStore, kind: ActKind) -> None:
    """Previewed, ordered and done in steps: all arrive, no item is left, nothing is sent twice."""
    world = _failed(store)
    bulk = _bulk(world, store)
    act = _order(world, bulk, kind)
    assert act.total == COUNT
    _run(bulk)
    ended = SqlActs(store.database).act(act.id)
    assert ended is not None
    assert (ended.state, ended.done, ended.failed) == (ActState.ENDED, COUNT, 0)
    world.run()
    assert len(world.adapter.got) == 2 * COUNT
    assert store.items(open_only=True, after=None, limit=9) == ()
    assert SqlActs(store.database).groups() == ()


def test_what_is_rebuilt_keeps_the_bytes_that_failed(store: SqlStore) -> None:
    """A copy of its own under the same message id goes out; the attempt and the bytes that failed stay."""
    world = _failed(store, 1)
    (before,) = store.dead(after=None, limit=9)
    bulk = _bulk(world, store)
    _order(world, bulk, ActKind.REBUILD)
    _run(bulk)
    world.run()
    after = [d for d in store.deliveries(before.case_id) if d.id != before.id]
    assert [(d.message_id, d.channel_id, d.state) for d in after] == [
        (before.message_id, before.channel_id, TransportState.DELIVERED)
    ]
    old = store.delivery(before.id)
    assert old is not None
    assert (old.state, old.payload) == (TransportState.CANCELLED, before.payload)
    assert len(store.attempts(before.id)) == 1


@pytest.mark.slow
def test_who_is_killed_is_followed_by_another(store: SqlStore) -> None:
    """A process that died in the middle of a step: another goes on after its lease, and nothing is done twice."""
    world = _failed(store)
    one, two = _bulk(world, store), _bulk(world, store, "two")
    act = _order(world, one)
    acts = SqlActs(store.database)
    now = world.clock.now()
    assert acts.acquire_act(owner="one", now=now, lease_until=now + timedelta(seconds=120)) is not None
    for delivery in acts.dead_of(ALL, until=now, after=None, limit=12):
        world.operators.replay(delivery.id, by="operator.1")
    assert two.step() == 0
    world.clock.go(121)
    _run(two)
    ended = acts.act(act.id)
    assert ended is not None
    assert (ended.state, ended.done) == (ActState.ENDED, COUNT - 12)
    world.run()
    assert len(world.adapter.got) == 2 * COUNT


@pytest.mark.slow
def test_an_act_is_paused_and_resumed(store: SqlStore) -> None:
    """Paused it does nothing more, resumed it goes on where it was; what does not stand so is a conflict."""
    world = _failed(store)
    bulk = _bulk(world, store)
    act = _order(world, bulk)
    assert bulk.step() == STEP
    paused = bulk.pause(act)
    assert (paused.state, paused.done, bulk.step()) == (ActState.PAUSED, STEP, 0)
    with pytest.raises(Conflict):
        bulk.pause(act)
    assert bulk.resume(act).state is ActState.RUNNING
    _run(bulk)
    with pytest.raises(Conflict) as refused:
        bulk.resume(act)
    assert refused.value.stable_code == "act.state"


def test_what_fails_again_does_not_go_round(store: SqlStore) -> None:
    """What dies anew while the act runs is not taken again, and what cannot be done is counted by its code."""
    world = _failed(store, 3)
    world.adapter.script = [WRONG]
    bulk = _bulk(world, store)
    act = _order(world, bulk, ActKind.REBUILD)
    case = store.dead(after=None, limit=1)[0].case_id
    world.operators.replay(store.dead(after=None, limit=1)[0].id, by="somebody")
    _run(bulk)
    world.run()
    assert bulk.step() == 0
    ended = SqlActs(store.database).act(act.id)
    assert ended is not None
    assert (ended.state, ended.done) == (ActState.ENDED, 2)
    assert len(world.adapter.got) == 6
    assert case is not None


def test_an_act_on_everything_or_on_another_crowd_is_refused(store: SqlStore) -> None:
    """A selection without a word, one that grew since the preview, one without its target."""
    world = _failed(store, 30)
    bulk = _bulk(world, store)
    for kind, where, target, expected, code in (
        (ActKind.REPLAY, Selection(), None, 30, "act.everything"),
        (ActKind.REPLAY, ALL, None, 3, "act.changed"),
        (ActKind.CHANNEL, ALL, None, 30, "act.target"),
        (ActKind.REPLAY, ALL, "x.y", 30, "act.target"),
    ):
        with pytest.raises((Conflict, InvalidInput)) as refused:
            bulk.order(kind, where, target=target, by="x", why="y", expected=expected)
        assert refused.value.stable_code == code
    assert SqlActs(store.database).acts(limit=9) == ()


def test_items_are_closed_only_where_somebody_has_the_case(store: SqlStore) -> None:
    """A case that nobody has keeps its item, and the act says so."""
    world = _failed(store, 4)
    bulk = _bulk(world, store)
    reason = store.items(open_only=True, after=None, limit=1)[0].reason
    act = _order(world, bulk, ActKind.CLOSE, Selection(code=reason))
    _run(bulk)
    ended = SqlActs(store.database).act(act.id)
    assert ended is not None
    assert (ended.done, ended.failed, ended.codes) == (0, 4, {"case.nobody_has_it": "4"})
    assert len(store.items(open_only=True, after=None, limit=9)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ActKind.REPLAY, ActKind.REBUILD])
def test_what_was_not_sent_yet_is_taken_back(store: SqlStore, kind: ActKind) -> None:
    """Undone before anything went out: each is a dead letter with its old code and an open item; nothing is sent."""
    world = _failed(store)
    bulk = _bulk(world, store)
    act = _order(world, bulk, kind)
    _run(bulk)
    undone = bulk.undo(_act(store, act), by="operator.2", why="the wrong group")
    _run(bulk)
    after = _act(store, undone)
    assert (after.kind, after.total, after.done, after.failed) == (ActKind.UNDO, COUNT, COUNT, 0)
    assert SqlActs(store.database).count_dead(ALL) == COUNT
    assert {item.reason for item in store.items(open_only=True, after=None, limit=COUNT + 1)} == {"act.undone"}
    world.run()
    assert len(world.adapter.got) == COUNT


def test_what_was_sent_meanwhile_stays_sent(store: SqlStore) -> None:
    """Undone too late, every one is counted as `act.sent`, and none is called dead."""
    world = _failed(store, 3)
    bulk = _bulk(world, store)
    act = _order(world, bulk)
    _run(bulk)
    world.run()
    undone = bulk.undo(_act(store, act), by="operator.2", why="the wrong group")
    _run(bulk)
    after = _act(store, undone)
    assert (after.done, after.failed, dict(after.codes)) == (0, 3, {"act.sent": "3"})
    assert store.dead(after=None, limit=9) == ()


@pytest.mark.slow
def test_a_half_done_act_is_undone_as_far_as_it_came(store: SqlStore) -> None:
    """A paused act: what it did is taken back, what it had not come to stays as it was; a running one is refused."""
    world = _failed(store)
    bulk = _bulk(world, store)
    act = _order(world, bulk)
    bulk.step()
    with pytest.raises(Conflict, match="runs"):
        bulk.undo(act, by="operator.2", why="wrong")
    undone = bulk.undo(bulk.pause(act), by="operator.2", why="the wrong group")
    assert undone.total == STEP
    _run(bulk)
    assert SqlActs(store.database).count_dead(ALL) == COUNT


@pytest.mark.slow
def test_closed_items_are_opened_again(store: SqlStore) -> None:
    """The same reason and words wait again; an item that is open again already stays one."""
    world = World(store=store)
    for accepted in world.submit(2):
        facts, items = escalate(world.delivery(accepted), reason="test.look", detail="Look.", now=world.clock.now())
        store.apply(Change(facts=facts, items=items))
    world.run()
    bulk = _bulk(world, store)
    act = _order(world, bulk, ActKind.CLOSE, Selection(code="test.look"))
    _run(bulk)
    assert store.items(open_only=True, after=None, limit=9) == ()
    for _ in range(2):
        bulk.undo(_act(store, act), by="operator.2", why="too early")
        _run(bulk)
    again = store.items(open_only=True, after=None, limit=9)
    assert [(item.reason, item.detail) for item in again] == [("test.look", "Look.")] * 2


def test_a_body_that_got_a_case_is_not_undone(store: SqlStore) -> None:
    """`assign` is taken back by another `assign` only."""
    world = _failed(store, 1)
    bulk = _bulk(world, store)
    act = replace(_order(world, bulk), kind=ActKind.ASSIGN, state=ActState.ENDED)
    with pytest.raises(InvalidInput, match="not undone"):
        bulk.undo(act, by="operator.2", why="wrong")


def _act(store: SqlStore, act: BulkAct) -> BulkAct:
    found = SqlActs(store.database).act(act.id)
    assert found is not None
    return found
