"""The copies of one appeal over several channels: one of them counts, and no more than one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.ids import CaseId, DeliveryId
from hub.tracking.copies import Copy, copies
from hub.tracking.story import read

CASE = CaseId(uuid.UUID(int=1))
BODY = "00032106"
T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
COPIES = [DeliveryId(uuid.UUID(int=number)) for number in (11, 12, 13)]
WEAKEST_FIRST = [FactKind.DELIVERED, FactKind.ACCEPTED, FactKind.REGISTERED]
Receipt = tuple[int, FactKind, int]
"""Number of the copy, what was stated, and after how many minutes."""


def _fact(kind: FactKind, copy: int, minutes: int, **data: str) -> Fact:
    return Fact(
        kind=kind,
        case_id=CASE,
        at=T0 + timedelta(minutes=minutes),
        source=Source.AUTHORITY,
        authority=BODY,
        delivery_id=COPIES[copy],
        data=data,
    )


def _copies(receipts: list[Receipt]) -> tuple[Copy, ...]:
    """One appeal that went over three channels, one after another, with these receipts."""
    root = str(COPIES[0])
    facts = [_fact(FactKind.ROUTED, 0, 0, role="main")]
    facts += [_fact(FactKind.HANDED_OVER, number, number, of=root) for number in (1, 2)]
    facts += [_fact(FactKind.SENT, number, number) for number in range(3)]
    facts += [_fact(kind, number, minutes, number="7") for number, kind, minutes in receipts]
    story = read(facts)
    (executor,) = story.executors
    return copies(story, executor)


def _counting(receipts: list[Receipt]) -> list[int]:
    return [number for number, copy in enumerate(_copies(receipts)) if copy.counts]


@pytest.mark.parametrize(
    ("receipts", "counting"),
    [
        ([], []),
        ([(1, FactKind.DELIVERED, 20)], [1]),
        ([(0, FactKind.DELIVERED, 20), (1, FactKind.DELIVERED, 10)], [1]),
        ([(0, FactKind.DELIVERED, 10), (1, FactKind.ACCEPTED, 20), (2, FactKind.REGISTERED, 30)], [2]),
        ([(0, FactKind.REGISTERED, 30), (1, FactKind.REGISTERED, 20), (2, FactKind.ACCEPTED, 10)], [1]),
    ],
)
def test_the_copy_with_the_strongest_receipt_counts(receipts: list[Receipt], counting: list[int]) -> None:
    """Registered before accepted before delivered, of equal ones the earliest; without a receipt none counts."""
    assert _counting(receipts) == counting


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(WEAKEST_FIRST), st.integers(10, 500)),
        unique_by=lambda receipt: receipt[2],
        max_size=8,
    )
)
def test_only_one_copy_counts(receipts: list[Receipt]) -> None:
    """Whatever came over whichever copy, one counts as soon as there is a receipt, and its receipt is the best one."""
    best = max(receipts, key=lambda r: (WEAKEST_FIRST.index(r[1]), -r[2]), default=None)
    assert _counting(receipts) == ([best[0]] if best else [])
    for number, copy in enumerate(_copies(receipts)):
        own = [receipt for receipt in receipts if receipt[0] == number]
        strongest = max(own, key=lambda r: (WEAKEST_FIRST.index(r[1]), -r[2]), default=None)
        assert (copy.receipt.kind if copy.receipt else None) == (strongest[1] if strongest else None)
