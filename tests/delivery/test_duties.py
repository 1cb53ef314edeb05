"""Watching: duties are done once, whoever does them and however often he dies in between."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.errors import Unavailable
from hub.schemas.delivery import Applied, Change, Fact, FactKind, Source
from tests.delivery.making import receipt
from tests.delivery.world import BODY, CHANNEL, START, World
from tests.lanes import run_lane
from tests.stores import all_cases


def _overdue(count: int = 1) -> World:
    """Cases that were delivered and never answered, seen after the end of their term."""
    world = World()
    world.submit(count)
    for _ in range(0, count, 50):
        run_lane(world.cases, CHANNEL)
        world.clock.go(1)  # a lane's rate
    world.clock.time = START + timedelta(days=40)
    return world


def _kinds(world: World) -> dict[FactKind, int]:
    facts = [fact for row in all_cases(world.store) for fact in world.store.facts(row.case.id)]
    return {kind: sum(fact.kind is kind for fact in facts) for kind in FactKind}


def _missed(world: World) -> int:
    """How often it was noted that a body did not answer in time."""
    facts = [fact for row in all_cases(world.store) for fact in world.store.facts(row.case.id)]
    return sum(fact.kind is FactKind.TERM_OVERDUE and fact.data["term"] == "answer" for fact in facts)


def test_a_missed_term_is_noted_once() -> None:
    """However often the watcher sweeps, one fact says that the term was missed, and one item waits for an operator."""
    world = _overdue()
    for _ in range(4):
        world.duty_runner.sweep()
        world.clock.go(3_600)
    assert _missed(world) == 1
    assert [item.reason for item in world.store.items(open_only=True, after=None, limit=9)] == ["overdue.answer"]


def test_watchers_at_once_do_no_harm() -> None:
    """Four watchers over a hundred overdue cases leave one fact and one item a case."""
    world = _overdue(100)
    threads = [threading.Thread(target=world.duty_runner.sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _missed(world) == 100
    assert len(world.store.items(open_only=True, after=None, limit=500)) == 100
    assert world.duty_runner.sweep() == 0


def test_what_could_not_be_kept_is_done_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails in the middle loses nothing: after the lease the duty is done."""
    world = _overdue()
    kind = type(world.store)
    real = kind.apply

    def broken(store: Any, change: Change) -> Applied:
        raise Unavailable("no disk")

    monkeypatch.setattr(kind, "apply", broken)
    world.duty_runner.sweep()
    assert _missed(world) == 0
    monkeypatch.setattr(kind, "apply", real)
    assert world.duty_runner.sweep() == 0
    world.clock.go(61)
    world.duty_runner.sweep()
    assert _missed(world) == 1


def test_one_bad_case_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one case stops the common transaction, each goes alone and the others are done."""
    world = _overdue(5)
    bad = all_cases(world.store)[0].case.id
    kind = type(world.store)
    real = kind.apply

    def picky(store: Any, change: Change) -> Applied:
        if any(fact.case_id == bad for fact in change.facts):
            raise Unavailable("this one not")
        return real(store, change)

    monkeypatch.setattr(kind, "apply", picky)
    world.duty_runner.sweep()
    assert _missed(world) == 4


@pytest.mark.slow
def test_a_sweep_takes_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """More cases than one batch holds are all looked at in one sweep."""
    monkeypatch.setattr("hub.cases.duties.BATCH", 20)
    world = _overdue(45)
    assert world.duty_runner.sweep() == 45
    assert _missed(world) == 45


def test_a_redirect_that_the_call_could_not_follow_is_followed_by_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement is kept though the act failed; the sweep does it."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    monkeypatch.setattr(
        type(world.store), "claim_watched", lambda *_, **__: (_ for _ in ()).throw(Unavailable("not now"))
    )
    world.calls(receipt(accepted, "redirect"))
    assert _kinds(world)[FactKind.ESCALATED] == 0
    monkeypatch.undo()
    world.duty_runner.sweep()
    assert _kinds(world)[FactKind.ESCALATED] == 1


def test_the_superior_is_told_or_an_operator() -> None:
    """A body without a superior: its missed term is an operator's matter, in words with the law."""
    world = _overdue()
    world.duty_runner.sweep()
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.authority, "Law 393/96, article 20" in item.detail) == (BODY, True)


def test_a_fact_of_old_code_without_a_role_counts_as_main() -> None:
    """Facts that were written before roles were known give the same executor."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    facts = world.store.facts(accepted.case_id)
    routed = next(fact for fact in facts if fact.kind is FactKind.ROUTED)
    assert "role" not in routed.data
    assert replace(routed, source=Source.OPERATOR).key != routed.key
    assert isinstance(routed, Fact)
