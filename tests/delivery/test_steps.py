"""One act on many by itself: what is previewed and ordered, done to each thing, noted, counted and called ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hub.cases.bulk import STEP, Bulk, Preview
from hub.errors import Conflict, InvalidInput, Unavailable
from hub.ports import Outcome, RawInbound
from hub.schemas.acts import ActKind, ActState, ActThing, BulkAct, Selection
from hub.schemas.delivery import Delivery, FactKind, OperatorItem, OutcomeKind
from tests.delivery.origins import origin
from tests.delivery.test_bulk import ALL, WRONG
from tests.delivery.test_operators import Desk
from tests.delivery.world import BODY, CHANNEL, World


class Kept:
    """Acts kept in memory, and the things that they are about."""

    def __init__(
        self, dead: Sequence[Delivery] = (), items: Sequence[OperatorItem] = (), total: int | None = None
    ) -> None:
        self.dead, self.items = list(dead), list(items)
        self.total = total
        self.asked: list[tuple[Selection, datetime, str | None, int]] = []
        self.act_: BulkAct | None = None
        self.leases: list[tuple[str, datetime, datetime]] = []
        self.noted: list[ActThing] = []

    def count_dead(self, where: Selection) -> int:
        return len(self.dead) if self.total is None else self.total

    def count_items(self, where: Selection) -> int:
        return len(self.items) if self.total is None else self.total

    def dead_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[Delivery, ...]:
        self.asked.append((where, until, after, limit))
        return tuple(self.dead[:limit])

    def items_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        self.asked.append((where, until, after, limit))
        return tuple(self.items[:limit])

    def order(self, act: BulkAct) -> None:
        self.act_ = act

    def acquire_act(self, *, owner: str, now: datetime, lease_until: datetime) -> BulkAct | None:
        self.leases.append((owner, now, lease_until))
        return self.act_

    def note_things(self, things: Sequence[ActThing]) -> None:
        self.noted.extend(things)

    def save_act(self, act: BulkAct, *, owner: str) -> bool:
        self.leases.append((owner, act.created_at, act.created_at))
        self.act_ = act
        return True


def _dead(count: int, outcome: Outcome = WRONG) -> tuple[World, list[Delivery]]:
    """A world in memory with dead letters, and a second channel and body."""
    desk = Desk(outcome, count=count)
    return desk.world, [desk.world.delivery(each) for each in desk.all]


def _over(world: World, kept: Kept) -> Bulk:
    return Bulk(
        acts=kept,  # type: ignore[arg-type]
        operators=world.operators,
        forwarding=world.forwarding,
        clock=world.clock,
        owner="one",
    )


@pytest.mark.parametrize("kind", [ActKind.REPLAY, ActKind.CLOSE])
def test_a_preview_counts_and_shows_a_few(kind: ActKind) -> None:
    """How many now, and the ids of five."""
    world, dead = _dead(6)
    items = world.store.items(open_only=True, after=None, limit=9)
    kept = Kept(dead, items, total=77)
    preview = _over(world, kept).preview(kind, ALL)
    shown = items if kind is ActKind.CLOSE else dead
    assert preview == Preview(total=77, examples=tuple(str(each.id) for each in shown[:5]))
    assert kept.asked == [(ALL, world.clock.now(), None, 5)]


def test_an_order_is_kept_with_who_and_why() -> None:
    """Kind, selection, target, author, at most 500 characters of the reason, and how many it is about."""
    world, _ = _dead(1)
    kept = Kept(total=7)
    why = "причина " + "х" * 600
    act = _over(world, kept).order(ActKind.CHANNEL, ALL, target="x.y", by="olena", why=why, expected=7)
    assert act == kept.act_
    assert (act.kind, act.where, act.target, act.by, act.why) == (ActKind.CHANNEL, ALL, "x.y", "olena", why[:500])
    assert (act.created_at, act.total, act.state, act.done) == (world.clock.now(), 7, ActState.RUNNING, 0)


@pytest.mark.parametrize(
    ("total", "expected", "code"),
    [
        (50_000, 50_000, None),
        (50_001, 50_001, "act.too_many"),
        (30, 20, None),
        (31, 20, "act.changed"),
        (220, 200, None),
        (221, 200, "act.changed"),
        (1, 200, None),
    ],
)
def test_an_order_is_about_what_was_previewed(total: int, expected: int, code: str | None) -> None:
    """Ten or a tenth more than was previewed is the same crowd; fifty thousand is the most."""
    world, _ = _dead(1)
    bulk = _over(world, Kept(total=total))
    if code is None:
        assert bulk.order(ActKind.REPLAY, ALL, target=None, by="x", why="y", expected=expected).total == total
        return
    with pytest.raises(Conflict) as refused:
        bulk.order(ActKind.REPLAY, ALL, target=None, by="x", why="y", expected=expected)
    assert refused.value.stable_code == code


@pytest.mark.parametrize(
    ("kind", "target", "where", "pointer"),
    [
        (ActKind.ASSIGN, None, ALL, "/target"),
        (ActKind.CHANNEL, None, ALL, "/target"),
        (ActKind.CLOSE, "x", ALL, "/target"),
        (ActKind.REPLAY, None, Selection(), "/where"),
    ],
)
def test_faults_of_an_order_are_named(kind: ActKind, target: str | None, where: Selection, pointer: str) -> None:
    """With the place, before anything is counted."""
    world, _ = _dead(1)
    with pytest.raises(InvalidInput) as refused:
        _over(world, Kept()).order(kind, where, target=target, by="x", why="y", expected=1)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert refused.value.faults[0].code == refused.value.stable_code


@pytest.mark.parametrize(
    ("kind", "target", "done"),
    [
        (ActKind.REPLAY, None, "replayed"),
        (ActKind.REBUILD, None, "rebuilt"),
        (ActKind.CHANNEL, f"{BODY}.next", f"handed over to {BODY}.next"),
        (ActKind.ASSIGN, "00032684", "given to 00032684 as main"),
    ],
)
def test_each_kind_of_act_is_done_by_whoever_ordered_it(kind: ActKind, target: str | None, done: str) -> None:
    """To each thing, as if that person had done it by hand; the act says how far it came, and ends."""
    world, dead = _dead(2)
    kept = Kept(dead)
    bulk = _over(world, kept)
    bulk.order(kind, ALL, target=target, by="olena", why="полагоджено", expected=2)
    ordered = world.clock.now()
    world.clock.go(5)
    assert bulk.step() == 2
    for each in dead:
        (fact,) = [fact for fact in world.store.facts(each.case_id) if fact.kind is FactKind.RESOLVED]
        assert (fact.data["by"], fact.data["how"]) == ("olena", done)
    act = kept.act_
    assert act is not None
    assert (act.done, act.failed, act.cursor, act.state) == (2, 0, str(dead[-1].id), ActState.ENDED)
    assert kept.asked[-1] == (ALL, ordered, None, STEP)
    assert kept.noted == [
        ActThing(act_id=act.id, thing=str(each.id), code="answer.http_415", attempts=1) for each in dead
    ]
    assert kept.leases[0] == ("one", world.clock.now(), world.clock.now() + timedelta(seconds=120))
    assert kept.leases[1][0] == "one"
    if kind is ActKind.ASSIGN:
        (routed,) = [
            fact
            for fact in world.store.facts(dead[0].case_id)
            if fact.kind is FactKind.ROUTED and fact.authority == "00032684"
        ]
        assert routed.data["why"] == "полагоджено"


def test_what_fails_is_counted_by_its_code(caplog: pytest.LogCaptureFixture) -> None:
    """Beside what is done; counts of earlier steps are kept; the log names the act and the code."""
    world, dead = _dead(2)
    world.operators.replay(dead[0].id, by="somebody")
    kept = Kept(dead)
    bulk = _over(world, kept)
    act = bulk.order(ActKind.REPLAY, ALL, target=None, by="olena", why="y", expected=2)
    kept.act_ = replace(act, done=10, failed=4, codes={"replay.not_dead": "3", "x": "1"}, cursor="before")
    bulk.step()
    after = kept.act_
    assert after is not None
    assert (after.done, after.failed, dict(after.codes)) == (11, 5, {"replay.not_dead": "4", "x": "1"})
    assert kept.asked[-1][2] == "before"
    (record,) = [each for each in caplog.records if each.message == "an act failed for one"]
    assert (record.__dict__["act"], record.__dict__["code"]) == (str(act.id), "replay.not_dead")


def test_an_act_goes_on_while_its_steps_are_full() -> None:
    """A full step may not be the last; one with nothing in it ends the act where it was."""
    world, dead = _dead(1)
    kept = Kept([dead[0]] * STEP)
    bulk = _over(world, kept)
    bulk.order(ActKind.REPLAY, ALL, target=None, by="x", why="y", expected=STEP)
    assert bulk.step() == STEP
    assert kept.act_ is not None
    assert kept.act_.state is ActState.RUNNING
    cursor, kept.dead = kept.act_.cursor, []
    assert bulk.step() == 0
    assert (kept.act_.state, kept.act_.cursor) == (ActState.ENDED, cursor)
    kept.act_ = None
    assert bulk.step() == 0


def test_items_close_with_the_reason_of_the_act() -> None:
    """Where a body has the case: by whoever ordered it, with why."""
    world, dead = _dead(1, Outcome(kind=OutcomeKind.DELIVERED))
    raw = RawInbound(content_type="text/plain", body=b"x")
    world.receiver.hold(raw, origin(CHANNEL, BODY), verdict="mail.unclear", about=dead[0])
    kept = Kept(items=world.store.items(open_only=True, after=None, limit=9))
    bulk = _over(world, kept)
    bulk.order(ActKind.CLOSE, ALL, target=None, by="olena", why="прочитано", expected=1)
    assert bulk.step() == 1
    (item,) = world.store.items(open_only=False, after=None, limit=9)
    assert item.resolution == "olena: прочитано"


def test_while_the_store_is_away_a_step_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease ends and the step is done again: nothing is called failed that was not tried."""
    world, dead = _dead(1)
    kept = Kept(dead)
    bulk = _over(world, kept)
    act = bulk.order(ActKind.REPLAY, ALL, target=None, by="x", why="y", expected=1)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(world.operators, "replay", away)
    with pytest.raises(Unavailable):
        bulk.step()
    assert kept.act_ == act
