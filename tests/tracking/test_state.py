"""State of a case from its facts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.ids import CaseId, DeliveryId
from hub.tracking.state import State
from tests.states import derive

CASE = CaseId(uuid.UUID("01930000-0000-7000-8000-000000000001"))
T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def fact(kind: FactKind, minutes: int = 0, authority: str | None = "00032106", **data: str) -> Fact:
    """A fact about the case of these tests."""
    return Fact(
        kind=kind,
        case_id=CASE,
        at=T0 + timedelta(minutes=minutes),
        source=Source.AUTHORITY,
        authority=authority,
        delivery_id=DeliveryId(CASE),
        data=data,
    )


FACTS = st.builds(
    fact,
    st.sampled_from(list(FactKind)),
    st.integers(0, 100),
    st.sampled_from([None, "00032106", "00032684"]),
    number=st.sampled_from(["1", "2"]),
    stage=st.sampled_from(["interim", "final"]),
    ground=st.sampled_from(["form", "received_twice"]),
)


@given(facts=st.lists(FACTS, max_size=12), data=st.data())
def test_order_and_repetition_do_not_matter(facts: list[Fact], data: st.DataObject) -> None:
    """Every permutation of the facts, with any of them repeated, gives the same state."""
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=6)) if facts else facts
    shuffled = data.draw(st.permutations(repeated))
    assert derive(shuffled) == derive(facts)


@given(facts=st.lists(FACTS, max_size=10))
def test_a_registered_number_is_never_lost(facts: list[Fact]) -> None:
    """Once an authority gave its number, no other fact takes the case below registered or hides the number."""
    state = derive([*facts, fact(FactKind.REGISTERED, number="З-17", date="2026-11-24")])
    executor = next(e for e in state.executors if e.authority == "00032106")
    assert executor.number is not None
    assert list(State).index(executor.state) >= list(State).index(State.REGISTERED)


def test_a_number_with_a_weaker_receipt_is_shown() -> None:
    """What they gave without a date is their number, without a day of registration; a registration's own goes first."""
    weaker = fact(FactKind.ACCEPTED, number="17-X")
    (one,) = derive([fact(FactKind.ROUTED), weaker]).executors
    assert (one.state, one.number, one.registered_on) == (State.RECEIVED, "17-X", None)
    (one,) = derive([weaker, fact(FactKind.REGISTERED, 5, number="18-Y", date="2026-11-24")]).executors
    assert (one.state, one.number, one.registered_on) == (State.REGISTERED, "18-Y", "2026-11-24")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], State.ACCEPTED),
        ([FactKind.ACCEPTED_BY_HUB, FactKind.ROUTED], State.ROUTED),
        ([FactKind.ANSWERED, FactKind.SENT], State.ANSWERED),
        ([FactKind.DELIVERED, FactKind.SENT], State.DELIVERED),
        ([FactKind.REFUSED, FactKind.DELIVERED], State.REFUSED),
        ([FactKind.REFUSED, FactKind.REGISTERED], State.REGISTERED),
        ([FactKind.REDIRECTED, FactKind.REGISTERED], State.REDIRECTED),
    ],
)
def test_the_furthest_fact_decides(kinds: list[FactKind], expected: State) -> None:
    """The state is that of the highest rank, whatever came first."""
    assert derive([fact(kind, n) for n, kind in enumerate(kinds)]).state is expected


def test_received_twice_means_it_is_there() -> None:
    """A refusal because it came a second time (CMU 55/2018 item 21 ground 3) counts as delivered, not refused."""
    state = derive([fact(FactKind.SENT), fact(FactKind.REFUSED, 1, ground="received_twice")])
    assert (state.state, state.needs_operator) == (State.DELIVERED, False)


def test_an_interim_answer_does_not_end_the_case() -> None:
    """An interim answer stands below a final one."""
    interim = derive([fact(FactKind.ANSWERED, stage="interim")])
    final = derive([fact(FactKind.ANSWERED, stage="interim"), fact(FactKind.ANSWERED, 5, stage="final")])
    assert (interim.state, final.state) == (State.ANSWERED_INTERIM, State.ANSWERED)


def test_two_numbers_are_shown_to_an_operator() -> None:
    """An authority that gives two registration numbers contradicts itself; the earliest is kept, a person looks."""
    state = derive(
        [
            fact(FactKind.REGISTERED, 5, number="2", date="2026-11-24"),
            fact(FactKind.REGISTERED, 1, number="1", date="2026-11-24"),
        ]
    )
    assert (state.number, state.needs_operator) == ("1", True)


def test_an_escalation_is_open_until_someone_acts_after_it() -> None:
    """A case waits for an operator from an escalation until a later resolution."""
    escalated = fact(FactKind.ESCALATED, 10)
    assert derive([escalated]).needs_operator
    assert derive([escalated, fact(FactKind.RESOLVED, 5)]).needs_operator
    assert not derive([escalated, fact(FactKind.RESOLVED, 11)]).needs_operator
