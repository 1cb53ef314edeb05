"""The journal of what came in: kept once, listed, counted, decided once; the same on every store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hub.errors import Conflict, InvalidInput
from hub.ports import InboundFilter, Store
from hub.schemas.delivery import AttemptEnd, Change, OutcomeKind
from hub.schemas.journal import Custody, Door, InboundDecision, InboundRecord
from tests.storage.making import CHANNEL, accepted, attempt, later, put, record


def _held(seconds: float, body: bytes, **changes: Any) -> InboundRecord:
    made = replace(
        record(seconds),
        custody=Custody.HELD,
        verdict="mail.no_token",
        door=Door.COLLECT,
        kept_sha256=hashlib.sha256(body).hexdigest(),
        kept=len(body),
        body=body,
    )
    return replace(made, **changes)


def test_bytes_are_kept_once_by_content(store: Store) -> None:
    """Two entries of the same bytes share them, and each gives them back; the entry itself does not carry them."""
    one, two = _held(1, b"<answer/>"), _held(2, b"<answer/>")
    store.apply(Change(inbound=(one, two)))
    listed = store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert listed == (replace(two, body=None), replace(one, body=None))
    assert [store.inbound_body(each) for each in listed] == [b"<answer/>"] * 2
    assert store.inbound_record(one.id) == replace(one, body=None)
    assert store.inbound_record("01920000-0000-7000-8000-000000000000") is None
    assert store.inbound_body(record(3)) is None


def test_what_stands_with_a_message_gives_its_bytes(store: Store) -> None:
    """An attached entry keeps no bytes of its own: they are those of the message."""
    change = accepted()
    store.apply(change)
    message = change.messages[0]
    entry = replace(record(1), custody=Custody.ATTACHED, case_id=message.case_id, message_id=message.id)
    store.apply(Change(inbound=(entry,)))
    assert store.inbound_body(entry) == (message.raw or message.body)


def test_the_same_again_is_counted(store: Store) -> None:
    """Later ones add to the count, in the same change too; the same entry written twice does not."""
    first = _held(1, b"x", last_at=later(1))
    again = replace(first, last_at=later(5))
    store.apply(Change(inbound=(first,)))
    store.apply(Change(inbound=(again,)))
    store.apply(Change(inbound=(again,)))
    found = store.inbound_record(first.id)
    assert found is not None
    assert (found.count, found.last_at, found.received_at) == (2, later(5), later(1))
    store.apply(Change(inbound=(replace(first, last_at=later(7)), replace(first, last_at=later(9)))))
    found = store.inbound_record(first.id)
    assert found is not None
    assert (found.count, found.last_at) == (4, later(9))


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (InboundFilter(), [3, 2, 1, 0]),
        (InboundFilter(channel_id="other.rest"), [3]),
        (InboundFilter(authority="00032684"), [2]),
        (InboundFilter(custody=Custody.HELD), [1]),
        (InboundFilter(door=Door.COLLECT), [1]),
        (InboundFilter(code="no_token"), [1]),
        (InboundFilter(code="%"), []),
        (InboundFilter(sha256="ef" * 32), [2]),
        (InboundFilter(received_from=later(1), received_to=later(3)), [2, 1]),
    ],
)
def test_filters_of_the_journal(store: Store, where: InboundFilter, wanted: list[int]) -> None:
    """Each filter bounds what is listed, the newest first."""
    entries = [
        record(0),
        _held(1, b"x"),
        replace(record(2), authority="00032684", sha256="ef" * 32),
        record(3, "other.rest"),
    ]
    store.apply(Change(inbound=tuple(entries)))
    found = [each.id for each in store.inbound(where, limit=9)]
    assert found == [entries[index].id for index in wanted]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (InboundFilter(code="mail."), {0, 1, 4, 5, 8, 9}),
        (InboundFilter(code="l_x"), {1, 5, 9}),
        (InboundFilter(door=Door.COLLECT), {0, 3, 6, 9}),
        (InboundFilter(door=Door.COLLECT, code="mail."), {0, 9}),
        (InboundFilter(custody=Custody.HELD, code="mail."), {0, 4, 8}),
        (InboundFilter(custody=Custody.DECIDED), set()),
        (InboundFilter(door=Door.COLLECT, received_from=later(4)), {6, 9}),
    ],
)
def test_pages_of_kinds_are_in_order_of_arrival(store: Store, where: InboundFilter, wanted: set[int]) -> None:
    """Custody, door and verdict, alone and together: each page goes on where the one before ended, the newest first."""
    verdicts = ("mail.no_token", "mail.l_x", "accepted", "seal.party")
    entries = [
        replace(
            record(number),
            verdict=verdicts[number % 4],
            door=Door.COLLECT if number % 3 == 0 else Door.CALLBACK,
            custody=Custody.HELD if number % 2 == 0 else Custody.NOTED,
        )
        for number in range(10)
    ]
    store.apply(Change(inbound=tuple(entries)))
    seen: list[str] = []
    after: str | None = None
    while page := store.inbound(where, limit=2, after=after):
        seen += [each.id for each in page]
        after = page[-1].cursor
    assert seen == [entries[number].id for number in sorted(wanted, reverse=True)]


def test_pages_lead_through_the_whole_journal(store: Store) -> None:
    """Each entry is on one page, also where several came in the same millisecond; a cursor of others is refused."""
    entries = [record(n // 3) for n in range(10)]
    store.apply(Change(inbound=tuple(entries)))
    seen: list[str] = []
    after: str | None = None
    while page := store.inbound(InboundFilter(), limit=3, after=after):
        seen += [each.id for each in page]
        after = page[-1].cursor
    assert sorted(seen) == sorted(each.id for each in entries)
    with pytest.raises(InvalidInput):
        store.inbound(InboundFilter(), limit=3, after="x")


def _decision(seen: InboundRecord, at: datetime, by: str = "operator.1") -> InboundDecision:
    return InboundDecision(seen=seen, custody=Custody.DISMISSED, at=at, by=by, words="an advertisement")


def test_one_person_decides(store: Store) -> None:
    """Who saw the entry as it stands decides; who saw it as it was is refused, and nothing is written."""
    case_id = put(store).case_id
    entry = _held(1, b"x")
    store.apply(Change(inbound=(entry,)))
    store.apply(Change(decisions=(_decision(entry, later(2)),)))
    found = store.inbound_record(entry.id)
    assert found is not None
    assert (found.custody, found.decided_by, found.decision) == (
        Custody.DISMISSED,
        "operator.1",
        "an advertisement",
    )
    other = record(4)
    with pytest.raises(Conflict) as refused:
        store.apply(Change(inbound=(other,), decisions=(_decision(entry, later(3), "operator.2"),)))
    assert refused.value.stable_code == "inbound.decided"
    assert store.inbound_record(other.id) is None
    store.apply(Change(decisions=(replace(_decision(found, later(5)), case_id=case_id),)))
    found = store.inbound_record(entry.id)
    assert found is not None
    assert (found.case_id, found.decided_at) == (case_id, later(5))


def test_an_attempt_keeps_the_answer_that_ended_it(store: Store) -> None:
    """The answer of each attempt comes back under its number; an attempt that ended without one has none."""
    delivery = put(store)
    first, second = attempt(delivery, 1), attempt(delivery, 2)
    ends = (
        AttemptEnd(id=first.id, finished_at=later(1), outcome=OutcomeKind.UNKNOWN, answer=b"HTTP 500\r\n\r\noops"),
        AttemptEnd(id=second.id, finished_at=later(2), outcome=OutcomeKind.TEMPORARY),
    )
    store.apply(Change(attempts=(first, second)))
    store.apply(Change(attempt_ends=ends))
    store.apply(Change(attempt_ends=(replace(ends[0], answer=b"later"),)))
    assert store.attempt_answers(delivery.id) == {1: b"HTTP 500\r\n\r\noops"}
    assert [a.outcome for a in store.attempts(delivery.id)] == [OutcomeKind.UNKNOWN, OutcomeKind.TEMPORARY]
