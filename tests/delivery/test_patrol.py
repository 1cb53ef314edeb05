"""The patrol: which unfinished cases it finds, when, and what it leaves; which duties a look at a case does."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from hub.cases.contact_centre import CaseMessage
from hub.cases.patrol import NOBODY, Patrol
from hub.errors import NotFound
from hub.ports import CaseFilter, Outcome
from hub.schemas.delivery import Change, DeliveryUpdate, FactKind, OutcomeKind, Source, TransportState
from hub.tracking.law import shipped as shipped_law
from tests.delivery.making import receipt
from tests.delivery.test_centre_words import WITHDRAWAL
from tests.delivery.test_deeds import Country
from tests.delivery.world import BODY, HUB, START


def lost(outcome: OutcomeKind = OutcomeKind.UNKNOWN) -> Country:
    """A case whose only copy a hand cancelled in the database, and of which nothing waits."""
    desk = Country(Outcome(kind=outcome))
    update = DeliveryUpdate(id=desk.delivery.id, state=TransportState.CANCELLED)
    desk.world.store.apply(Change(updates=(update,)))
    return desk


def patrol(desk: Country) -> tuple[Patrol, list[int]]:
    """A patrol, and what it tells to have found."""
    found: list[int] = []
    walker = Patrol(store=desk.world.store, clock=desk.world.clock, law=shipped_law(), found=found.append)
    return walker, found


def test_what_nobody_has_is_brought_to_a_person(caplog: pytest.LogCaptureFixture) -> None:
    """One item with what to do, one fact with the reason, counted and told in the log; the next round finds nothing."""
    desk = lost()
    walker, found = patrol(desk)
    assert walker.round() == 1
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.case_id, item.opened_at) == (NOBODY, desk.case, desk.now)
    assert item.detail == (
        "No body has this case, and nothing of it waited for a person. Assign it, or conclude it with a reason."
    )
    (told,) = desk.facts(FactKind.ESCALATED)
    assert (told.source, told.at, dict(told.data)) == (Source.HUB, desk.now, {"reason": NOBODY})
    (record,) = [each for each in caplog.records if each.message == "cases that nobody had were found"]
    assert (record.levelno, record.__dict__["count"], record.__dict__["case"]) == (logging.ERROR, 1, str(desk.case))
    assert found == [1]
    assert walker.round() == 0
    assert found == [1]


@pytest.mark.parametrize("how", ["on its way", "heard", "answered", "withdrawn", "waits for a person"])
def test_what_somebody_has_is_left_alone(how: str) -> None:
    """A copy is on its way, the body spoke though its copy is lost, the case is over, or an item is open."""
    desk = Country(Outcome(kind=OutcomeKind.UNKNOWN)) if how == "on its way" else lost()
    if how == "heard":
        desk.world.calls(receipt(desk.accepted, "accepted"))
    if how == "answered":
        desk.world.calls(receipt(desk.accepted, "answer"))
    if how == "withdrawn":
        desk.world.cases.contact_centre.say(CaseMessage(case_id=desk.case, owner=HUB.code, body=WITHDRAWAL))
    if how == "waits for a person":
        assert patrol(desk)[0].round() == 1
    assert patrol(desk)[0].round() == 0


def test_a_patrol_goes_round_all_pages() -> None:
    """More unfinished cases than a page holds, in several states: each lost one is found, once."""
    desk = lost()
    accepted = desk.world.submit(120)
    for each in accepted[::10]:
        update = DeliveryUpdate(id=desk.world.delivery(each).id, state=TransportState.CANCELLED)
        desk.world.store.apply(Change(updates=(update,)))
    walker, found = patrol(desk)
    assert walker.round() == 13
    assert sum(found) == 13
    assert walker.round() == 0


def test_a_case_counts_as_lost_after_two_minutes() -> None:
    """A page every ten seconds; a case that looks like nobody's is looked at again before it counts."""
    desk = lost()
    walker, found = patrol(desk)
    start = desk.world.clock.now()
    assert walker.step() == 0
    seen = []
    for seconds in range(1, 131):
        desk.world.clock.time = start + timedelta(seconds=seconds)
        if walker.step():
            seen.append(seconds)
    assert (seen, found) == ([120], [1])


@pytest.mark.slow
def test_each_step_goes_on_where_the_last_one_ended() -> None:
    """A lost case on a later page is found though an earlier page is full of cases that are well."""
    desk = Country(Outcome(kind=OutcomeKind.OFFERED))
    desk.world.cases.inbox.fetch(BODY, desk.accepted.message_id)
    update = DeliveryUpdate(id=desk.delivery.id, state=TransportState.CANCELLED)
    desk.world.store.apply(Change(updates=(update,)))
    desk.world.submit(1)
    assert {row.state for row in desk.world.store.cases(CaseFilter(), after=None, limit=9)} == {"routed", "sent"}
    walker, found = patrol(desk)
    for _ in range(20):
        walker.step()
        desk.world.clock.go(10)
    assert found == [1]


def test_what_is_mended_meanwhile_does_not_count() -> None:
    """The case is given to a body before the second look: nothing is brought to anybody."""
    desk = lost()
    walker, found = patrol(desk)
    walker.step()
    desk.forwarding.assign(desk.case, "00032684", by="op")
    for _ in range(20):
        desk.world.clock.go(10)
        assert walker.step() == 0
    assert (found, desk.items()) == ([], [])


def test_a_clock_that_was_set_back_holds_up_no_finding() -> None:
    """Neither the next page nor the second look waits for a moment that is an hour away again."""
    desk = lost()
    walker, found = patrol(desk)
    walker.step()
    desk.world.clock.go(-3_600)
    for _ in range(14):
        walker.step()
        desk.world.clock.go(10)
    assert found == [1]


# Looking at one case


def test_a_warning_is_void_once_the_term_is_over() -> None:
    """Seen first after its end, a term is overdue and no longer warned of."""
    desk = Country()
    desk.days(33)
    warned = [fact.data["because"] for fact in desk.facts(FactKind.TERM_WARNED) if fact.data["term"] == "answer"]
    assert warned == []
    assert len([fact for fact in desk.facts(FactKind.TERM_OVERDUE) if fact.data["term"] == "answer"]) == 1


def test_a_case_is_looked_at_only_when_its_moment_has_come() -> None:
    """The sweep tells how many were due; one that is not is left alone, by the sweep and by a look."""
    desk = Country()
    desk.world.duty_runner.sweep()
    assert desk.world.duty_runner.sweep() == 0
    before = desk.world.store.facts(desk.case)
    desk.world.duty_runner.look(desk.case)
    assert desk.world.store.facts(desk.case) == before
    desk.world.clock.time = START + timedelta(days=28)
    desk.world.duty_runner.look(desk.case)
    assert desk.facts(FactKind.TERM_WARNED)


def test_a_duty_that_cannot_be_done_waits_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others of the case are done; this one stays due, with its case, act and code in the log."""
    desk = Country()

    def broken(*_: object, **__: object) -> None:
        raise NotFound("gone", code="case.unknown")

    monkeypatch.setattr("hub.cases.deeds.original_of", broken)
    desk.days(33)
    told = [record.__dict__ for record in caplog.records if record.message == "a duty was not done"]
    assert {(each["case"], each["duty"], each["code"]) for each in told} == {
        (str(desk.case), "overdue", "case.unknown")
    }
    assert desk.of_term(FactKind.TERM_OVERDUE, "answer") == []
    assert len(desk.of_term(FactKind.TERM_OVERDUE, "centre_answer")) == 1
    monkeypatch.undo()
    desk.days(34)
    assert len(desk.of_term(FactKind.TERM_OVERDUE, "answer")) == 1
