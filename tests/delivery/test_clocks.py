"""Two clocks: whatever moment a statement claims, it is kept, counts from a moment that can be, and says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.cases.submission import Accepted
from hub.cases.timeline import TimelineEntry, timeline
from hub.inbound.clocks import SKEW, Hearing, SaidMoment, counted
from hub.ports import Dating, InboundFilter, Outcome, RawInbound, ReportedStatus
from hub.schemas.base import format_datetime
from hub.schemas.delivery import CLOCK_MEMBERS, ClockMark, Event, Fact, FactKind, OutcomeKind, Source
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import ReceiptBody
from hub.schemas.ids import CaseId, new_id
from hub.schemas.terms import ReceiptStatus
from hub.tracking.clocks import earliest, heard_at
from hub.tracking.law import shipped
from hub.tracking.share import own_event
from hub.tracking.story import read
from hub.tracking.terms import case_facts, terms
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, START, World
from tests.forms import examples

_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
_FAR = st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-12))),
        datetime(2062, 11, 24, tzinfo=UTC),
    ]
)
_NEAR = st.integers(-100, 100).map(lambda hours: START + timedelta(hours=hours))
MOMENTS = st.one_of(st.none(), _FAR, _NEAR, st.datetimes(timezones=_ZONES))
"""Moments that a statement may claim: none, far ones, near ones, any that Python knows."""


@st.composite
def hearings(draw: st.DrawFn) -> Hearing:
    """Moments of the hub's own clock, in their order."""
    routed, unseen, heard = (START + timedelta(minutes=each) for each in sorted(draw(_MINUTES)))
    return Hearing(routed=routed, heard=heard, unseen=draw(st.sampled_from([None, unseen])))


_MINUTES = st.tuples(*[st.integers(0, 9_000)] * 3)


@settings(max_examples=examples(300))
@given(at=MOMENTS, by_day=st.booleans(), hearing=hearings())
def test_whatever_is_claimed_counts_from_a_moment_that_can_be(
    at: datetime | None, by_day: bool, hearing: Hearing
) -> None:
    """It lies between the routing and the hearing, is marked where it is not the claimed one, and loses no claim."""
    moment = counted(SaidMoment(at=at, by_day=by_day), hearing)
    assert hearing.routed <= moment.at <= hearing.heard
    assert moment.data["heard_at"] == format_datetime(hearing.heard)
    assert ("clock" in moment.data) == (by_day or moment.at != at)
    assert ("says_at" in moment.data) == ("clock" in moment.data and at is not None)
    if moment.doubt is not None:
        assert at is not None
        assert moment.data["clock"] in (ClockMark.FUTURE, ClockMark.BEFORE_ROUTING)
        assert moment.at == hearing.heard


@pytest.mark.parametrize(
    ("claim", "mark", "after"),
    [
        (SaidMoment(at=None), "none", 240),
        (SaidMoment(at=START + timedelta(minutes=90)), None, 90),
        (SaidMoment(at=START), None, 0),
        (SaidMoment(at=START + timedelta(minutes=240)), None, 240),
        (SaidMoment(at=START + timedelta(minutes=241)), "future", 240),
        (SaidMoment(at=START - timedelta(minutes=1)), "before_routing", 240),
        (SaidMoment(at=START - timedelta(seconds=1)), "before_routing", 240),
        (SaidMoment(at=datetime(2026, 11, 23, 22, tzinfo=UTC), by_day=True), "day", 60),
        (SaidMoment(at=datetime(2026, 11, 22, 22, tzinfo=UTC), by_day=True), "before_routing", 240),
        (SaidMoment(at=datetime(2026, 11, 24, 22, tzinfo=UTC), by_day=True), "future", 240),
    ],
)
def test_a_claim_is_taken_as_far_as_it_can_be(claim: SaidMoment, mark: str | None, after: int) -> None:
    """Between routing (8:00) and hearing (12:00) it counts itself; a day counts from its earliest possible moment, here
    that of the last look (9:00); what cannot be counts from the hearing.
    """
    hearing = Hearing(routed=START, unseen=START + timedelta(hours=1), heard=START + timedelta(hours=4))
    moment = counted(claim, hearing)
    assert (moment.data.get("clock"), moment.at) == (mark, START + timedelta(minutes=after))
    assert moment.doubt is None


def test_whole_seconds_name_a_second() -> None:
    """A receipt of the very second of the routing is none from before it; one with a smaller part is."""
    hearing = Hearing(routed=START + timedelta(milliseconds=400), heard=START + timedelta(seconds=2))
    assert counted(SaidMoment(at=START), hearing) == counted(SaidMoment(at=hearing.routed), hearing)
    early = counted(SaidMoment(at=START + timedelta(milliseconds=399)), hearing)
    assert (early.at, early.data["clock"]) == (hearing.heard, ClockMark.BEFORE_ROUTING)


def test_a_person_hears_of_a_clock_that_is_wrong_by_more_than_a_day() -> None:
    """A day is the difference that is only marked; a millisecond more is told."""
    hearing = Hearing(routed=START, heard=START + timedelta(hours=4))
    late, early = hearing.heard + SKEW, START - SKEW
    step = timedelta(milliseconds=1)
    assert counted(SaidMoment(at=late), hearing).doubt is counted(SaidMoment(at=early), hearing).doubt is None
    assert "after the hub heard it" in (counted(SaidMoment(at=late + step), hearing).doubt or "")
    assert "before the appeal was sent" in (counted(SaidMoment(at=early - step), hearing).doubt or "")


def words(accepted: Accepted, at: datetime | None, dated: Dating = Dating.MOMENT) -> ReportedStatus:
    """A registration in another system's words; one whose moment no envelope can hold is undated, with its claim."""
    fits = at is not None and 1900 < at.year < 2199
    body = ReceiptBody(
        status=ReceiptStatus.REGISTERED,
        at=at if at is not None and fits else START,
        number="17",
        date=START.date(),
    )
    return ReportedStatus(
        raw=RawInbound(content_type="text/plain", body=b"17"),
        said_id="their-1",
        body=body,
        at=body.at,
        in_reply_to=accepted.message_id,
        dated=dated if fits else Dating.NONE,
        claims=None if fits else at,
    )


def stated(world: World, accepted: Accepted, kind: FactKind = FactKind.REGISTERED) -> list[Fact]:
    """Facts of a kind."""
    return [fact for fact in world.store.facts(accepted.case_id) if fact.kind is kind]


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(at=MOMENTS, wait=st.integers(0, 80 * 3_600))
def test_nothing_that_was_said_is_lost_over_a_wrong_clock(at: datetime | None, wait: int) -> None:
    """For every claimed moment: one message with its bytes, one entry, one fact between routing and hearing, marked if
    it was bounded; said again it is the same fact; no term ends before it began or is due before it.
    """
    world = World()
    (accepted,) = world.submit()
    world.run()
    world.clock.go(wait)
    for _ in range(2):
        world.receiver.receive_reported(words(accepted, at), origin(CHANNEL, BODY))
        world.clock.go(60)
    (fact,) = stated(world, accepted)
    heard = START + timedelta(seconds=wait)
    assert START <= fact.at <= heard == heard_at(fact)
    assert ("clock" in fact.data) == (fact.at != at)
    assert fact.data["number"] == "17"
    (kept,) = [message for message in world.store.messages(accepted.case_id) if message.raw == b"17"]
    assert fact.message_id == kept.id
    entries = world.store.inbound(InboundFilter(case_id=accepted.case_id), limit=10)
    assert [entry.verdict for entry in entries if entry.message_id == kept.id] == ["accepted"]
    case = case_facts("web", read(world.store.facts(accepted.case_id)), shipped())
    for term in terms(case, shipped()):
        assert term.due_at >= term.started_at
        assert term.ended_at is None or term.ended_at >= term.started_at


@pytest.mark.parametrize(
    ("at", "open_items"),
    [(START + timedelta(days=300), ["inbound.unclear"]), (datetime(1900, 1, 2, tzinfo=UTC), ["inbound.unclear"])],
)
def test_an_envelope_from_another_time_is_believed_and_a_person_hears(at: datetime, open_items: list[str]) -> None:
    """An answer that dates itself next year or 1900 answers the case from when it was heard; once, whatever comes."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    world.clock.go(3_600)
    envelope = receipt(accepted, "answer", at)
    for _ in range(2):
        world.calls(envelope)
        world.clock.go(60)
    (fact,) = stated(world, accepted, FactKind.ANSWERED)
    assert (fact.at, fact.data["says_at"]) == (START + timedelta(hours=1), format_datetime(at))
    assert world.state(accepted) == "answered"
    items = world.store.open_items([accepted.case_id])[accepted.case_id]
    assert [item.reason for item in items] == open_items
    assert [item.opened_at for item in items] == [START + timedelta(hours=1)]
    assert at.date().isoformat() in items[0].detail


def test_two_statements_with_the_same_wrong_moment_are_two_facts() -> None:
    """A sender whose clock always says 1900 loses nothing: each message is a fact of its own."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    for _ in range(2):
        world.clock.go(60)
        world.calls(receipt(accepted, "interim", datetime(1900, 1, 2, tzinfo=UTC)))
    assert len(stated(world, accepted, FactKind.ANSWERED)) == 2


@pytest.mark.parametrize("at", [None, START + timedelta(days=300), START])
def test_a_statement_taken_in_by_two_at_once_is_one_fact(at: datetime | None) -> None:
    """Two workers that evaluate the same message at different moments make the same facts."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    made = []
    for _ in range(2):
        world.clock.go(60)
        made.append(world.receiver.evaluator.reported(words(accepted, at), origin(CHANNEL, BODY)))
    first, second = (statement.fact for statement in made)
    assert first is not None
    assert second is not None
    assert first.key == second.key
    assert first.data["heard_at"] != second.data["heard_at"]
    for statement in made:
        world.store.apply(statement.change)
    assert len(stated(world, accepted)) == 1


def test_of_one_fact_heard_twice_the_first_hearing_counts() -> None:
    """Two workers heard the same message: however the facts are given, the case is read the same."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    made = []
    for _ in range(2):
        world.clock.go(60)
        statement = world.receiver.evaluator.reported(words(accepted, None), origin(CHANNEL, BODY))
        made.append(statement.fact)
    first, second = made
    assert first is not None
    assert second is not None
    assert read([first, second]).facts == read([second, first, second]).facts == (first,)


def test_a_word_over_one_copy_may_be_older_than_the_next_copy() -> None:
    """What is said of a message counts from its first copy on, not only from the one that was made last."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    delivery = world.delivery(accepted)
    world.clock.go(7_200)
    newer = replace(delivery, created_at=START + timedelta(hours=1))
    statement = world.receiver.evaluator.reported(
        words(accepted, START + timedelta(minutes=30)), origin(CHANNEL, BODY), newer
    )
    assert statement.fact is not None
    assert (statement.fact.at, "clock" in statement.fact.data) == (START + timedelta(minutes=30), False)


def test_older_facts_read_as_before() -> None:
    """A fact without the new members has one clock and the key it always had; they never make another fact of it."""
    fact = Fact(
        kind=FactKind.REGISTERED,
        case_id=CaseId(UUID("019ab3c0-0000-7000-8000-000000000001")),
        at=START,
        source=Source.AUTHORITY,
        authority=BODY,
        data={"number": "17"},
    )
    assert fact.key == "fc3237ac23249b57d7a627fde33279db458fe7d277e4b57794e370035bebd7fc"
    assert heard_at(fact) == earliest(fact) == START
    later = replace(fact, data={**fact.data, "heard_at": "2026-11-25T08:00:00.000Z", "unseen_at": "x"})
    assert later.key == fact.key
    assert earliest(later) == START


# Looking


def polled(*script: Outcome) -> tuple[World, Accepted]:
    """A world whose authority is asked: sent now, then each outcome an hour after the other."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_polled = True
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, external_id="E-1", proves=LegalClass.SENT), *script]
    world.run()
    for _ in script:
        world.clock.go(3_600)
        world.run()
    return world, accepted


NOTHING = Outcome(kind=OutcomeKind.DELIVERED)
_HOUR = timedelta(hours=1)


def _shown(accepted: Accepted, dated: Dating) -> Outcome:
    return Outcome(kind=OutcomeKind.DELIVERED, reported=(replace(words(accepted, START), dated=dated),))


def _asked_again(world: World, accepted: Accepted, outcome: Outcome) -> Fact:
    """The registration that a look an hour later shows."""
    world.adapter.script = [outcome]
    world.clock.go(3_600)
    world.run()
    world.clock.go(3_600)
    world.run()  # shown again
    (fact,) = stated(world, accepted)
    return fact


def test_what_a_look_shows_lies_after_the_last_that_did_not() -> None:
    """Undated, it counts from the look that shows it and keeps the one that did not; a repeat changes nothing."""
    world, accepted = polled(NOTHING, NOTHING)
    fact = _asked_again(world, accepted, _shown(accepted, Dating.NONE))
    assert (fact.at, heard_at(fact), earliest(fact)) == (START + 3 * _HOUR, START + 3 * _HOUR, START + 2 * _HOUR)
    assert fact.data["clock"] == "none"
    (entry,) = _told(world, accepted, "registered")
    assert (entry.clock, entry.unseen_at) == ("none", format_datetime(START + 2 * _HOUR))


def test_the_first_look_reaches_back_to_the_routing() -> None:
    """Before any look it cannot have happened before the body was given the message."""
    world, accepted = polled()
    fact = _asked_again(world, accepted, _shown(accepted, Dating.NONE))
    assert (fact.at, earliest(fact)) == (START + _HOUR, START)


@pytest.mark.parametrize(
    "blind",
    [
        Outcome(kind=OutcomeKind.TEMPORARY, code="http.503"),
        Outcome(kind=OutcomeKind.DELIVERED, unread=(RawInbound(content_type="text/html", body=b"<p>"),)),
        Outcome(kind=OutcomeKind.DELIVERED, receipts=(RawInbound(content_type="application/json", body=b"{"),)),
    ],
)
def test_a_look_that_saw_nothing_is_none(blind: Outcome) -> None:
    """A look that failed, that could not be read or whose statement was refused bounds nothing."""
    world, accepted = polled(NOTHING, blind)
    assert world.delivery(accepted).looked_at == START + _HOUR
    fact = _asked_again(world, accepted, _shown(accepted, Dating.NONE))
    assert (fact.at, earliest(fact)) == (START + 3 * _HOUR, START + _HOUR)


def test_of_a_day_the_last_look_leaves_the_rest() -> None:
    """A registration that names only its day counts from the last look of that day that did not show it."""
    world, accepted = polled(NOTHING)
    fact = _asked_again(world, accepted, _shown(accepted, Dating.DAY))
    assert (fact.at, earliest(fact), fact.data["clock"]) == (START + _HOUR, START + _HOUR, "day")


def test_what_a_system_in_between_says_has_both_bounds() -> None:
    """SEV shows that its addressee has fetched it: between the two looks, once."""
    world, accepted = polled(NOTHING)
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, proves=LegalClass.DELIVERED)]
    world.clock.go(3_600)
    world.run()
    (fact,) = stated(world, accepted, FactKind.DELIVERED)
    assert (fact.at, earliest(fact)) == (START + 2 * _HOUR, START + _HOUR)


# Shown


def _told(world: World, accepted: Accepted, code: str) -> list[TimelineEntry]:
    entries = timeline(world.store, world.registry.current(), accepted.case_id)
    assert [a.at <= b.at for a, b in pairwise(entries)] == [True] * (len(entries) - 1)
    return [entry for entry in entries if entry.code == code]


def test_the_timeline_tells_both_clocks() -> None:
    """A line of a statement has the moment that counts, the hearing and the claim; its envelope stands beside it."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    world.clock.go(3_600)
    far = START + timedelta(days=40_000)
    world.calls(receipt(accepted, "answer", far))
    (fact,), (message,) = _told(world, accepted, "answered"), _told(world, accepted, "answer")
    heard = format_datetime(START + _HOUR)
    assert (fact.at, fact.heard_at, fact.says_at, fact.clock) == (START + _HOUR, heard, format_datetime(far), "future")
    assert (message.at, message.heard_at, message.says_at) == (fact.at, heard, fact.says_at)
    (sent,) = _told(world, accepted, "sent")
    assert (sent.heard_at, sent.says_at, sent.unseen_at, sent.clock) == (None,) * 4


def test_members_of_both_clocks_are_shown_to_the_body_that_spoke() -> None:
    """A body's own events tell it when it was heard."""
    data = dict.fromkeys(CLOCK_MEMBERS, "x") | {"authority": BODY, "because": "secret"}
    case = CaseId(new_id())
    event = Event(cursor="1", type="case.registered", case_id=case, at=START, recorded_at=START, data=data)
    own = own_event(event, BODY)
    assert own is not None
    assert set(own.data) == CLOCK_MEMBERS | {"authority"}
