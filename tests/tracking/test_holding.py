"""Who holds a case, by its facts and by the copies that were lost."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.ids import DeliveryId
from hub.tracking.holding import holders, is_held
from hub.tracking.state import State
from hub.tracking.story import read
from tests.states import derive
from tests.tracking.test_state import fact

FIRST, SECOND = (DeliveryId(uuid.UUID(int=number)) for number in (1, 2))
LOST = frozenset({str(FIRST), str(SECOND)})


def about(delivery: DeliveryId, kind: FactKind, minutes: int, **data: str) -> Fact:
    """A fact about an assignment."""
    return replace(fact(kind, minutes, **data), delivery_id=delivery)


def held(*facts: Fact, lost: frozenset[str] = LOST) -> bool:
    """True if somebody holds the case."""
    return is_held(read(facts), lost)


ROUTED = about(FIRST, FactKind.ROUTED, 0)
AGAIN = replace(about(SECOND, FactKind.ROUTED, 20, instead_of=str(FIRST)), authority="00032684")


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ([], False),
        ([(FactKind.SENT, {})], False),
        ([(FactKind.DELIVERED, {})], True),
        ([(FactKind.EXTENDED, {"until": "2027-01-08"})], True),
        ([(FactKind.CLARIFICATION_ASKED, {})], True),
        ([(FactKind.DELIVERED, {}), (FactKind.REFUSED, {"ground": "form"})], False),
        ([(FactKind.REGISTERED, {"number": "1"}), (FactKind.REDIRECTED, {})], False),
        ([(FactKind.REFUSED, {"ground": "form"}), (FactKind.REGISTERED, {"number": "1"})], True),
    ],
)
def test_a_body_whose_copies_are_lost_holds_by_its_word(
    said: list[tuple[FactKind, dict[str, str]]], holds: bool
) -> None:
    """Any word by which it has the appeal counts; giving it back ends that, registering after a refusal begins it."""
    facts = [about(FIRST, kind, minutes, **data) for minutes, (kind, data) in enumerate(said, start=1)]
    assert held(ROUTED, *facts) is holds


def test_a_copy_on_its_way_holds() -> None:
    """Nothing was heard of the body, and one of its copies is not lost."""
    assert held(ROUTED, lost=frozenset())
    assert [executor.authority for executor in holders(read([ROUTED]), frozenset())] == ["00032106"]


def test_what_a_person_sent_again_is_on_its_way_again() -> None:
    """A refusal that was mended and sent again says nothing any more."""
    refused = about(FIRST, FactKind.REFUSED, 1, ground="form")
    again = replace(about(FIRST, FactKind.RESOLVED, 2, how="replayed"), authority=None, source=Source.OPERATOR)
    assert not held(ROUTED, refused, lost=frozenset())
    assert held(ROUTED, refused, again, lost=frozenset())


def test_who_reworks_an_answer_holds_though_the_case_went_on() -> None:
    """It answered though another body has the case, and that one gave it back: the returned answer is its to mend."""
    answered = about(FIRST, FactKind.ANSWERED, 30, stage="final")
    refused = replace(about(SECOND, FactKind.REFUSED, 31, ground="form"), authority="00032684")
    returned = about(FIRST, FactKind.RETURNED_FOR_WORK, 40)
    assert not held(ROUTED, AGAIN, refused)
    assert held(ROUTED, AGAIN, answered, refused, returned)


def test_the_answer_that_a_centre_sent_back_for_ends_the_case() -> None:
    """An operator gave the case to another body, then the centre sent the first one's answer back: its new answer ends
    the case. Sent back before the case went on, it does not, and the first body does not hold the case either.
    """
    by_hand = replace(AGAIN, source=Source.OPERATOR)
    first = about(FIRST, FactKind.ANSWERED, 10, number="1")
    for returned, ends in ((30, True), (15, False)):
        back = about(FIRST, FactKind.RETURNED_FOR_WORK, returned)
        told = [ROUTED, first, by_hand, back]
        assert held(*told) is ends
        assert derive(told).state is not State.ANSWERED
        told.append(about(FIRST, FactKind.ANSWERED, 40, number="2"))
        assert (derive(told).state is State.ANSWERED) is ends
        assert not held(*told)


def test_a_co_executor_does_not_hold_for_the_main_one() -> None:
    """Where there was a main executor, another copy does not keep the case from being nobody's."""
    other = replace(about(SECOND, FactKind.ROUTED, 1, role="co_executor"), authority="00032684")
    has = replace(about(SECOND, FactKind.REGISTERED, 2, number="1"), authority="00032684")
    assert not held(ROUTED, other, has)
    assert held(other, has)
