"""What each outcome of an attempt writes: state, next moment, the attempt's end, facts, a person's item, a new copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.outbound.settle import Settlement, Settler, attempt_id
from hub.ports import Outcome
from hub.schemas.delivery import (
    AttemptEnd,
    Delivery,
    DeliveryUpdate,
    FactKind,
    OutcomeKind,
    Source,
    TransportState,
)
from hub.schemas.directory import Channel, LaneSettings, LegalClass
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.terms import Role

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LANE = LaneSettings(retry_secs=(10, 20), give_up_secs=100)
DELIVERY = Delivery(
    id=DeliveryId(new_id()),
    case_id=CaseId(new_id()),
    message_id=MessageId(new_id()),
    authority="00032106",
    channel_id="00032106.test",
    role=Role.MAIN,
    priority=0,
    state=TransportState.SENDING,
    created_at=NOW - timedelta(seconds=9),
    next_at=NOW - timedelta(seconds=9),
    attempts=2,
    first_attempt_at=NOW - timedelta(seconds=5),
)
SHADOW = replace(DELIVERY, shadow=True)
NEXT = Channel(id="00032106.next", adapter="scripted")
LEFT = {"channel": "00032106.test"}


def settled(outcome: Outcome, delivery: Delivery = DELIVERY, **more: Any) -> Settlement:
    """Settled by a lane whose dice fall in the middle."""
    settings: dict[str, Any] = {"legal_class": LegalClass.REGISTERED, "polls": False} | more
    return Settler(owner="worker", lane=LANE, **settings).settle(delivery, outcome, NOW, 0.5)


def facts(settlement: Settlement) -> list[tuple[FactKind, Source, dict[str, str]]]:
    """Kind, source and data of the facts, all of which are of this delivery and of now."""
    assert {(fact.case_id, fact.delivery_id, fact.at) for fact in settlement.facts} <= {
        (DELIVERY.case_id, DELIVERY.id, NOW)
    }
    return [(fact.kind, fact.source, dict(fact.data)) for fact in settlement.facts]


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_an_attempt_ends_with_all_that_its_outcome_said(kind: OutcomeKind) -> None:
    """Code, HTTP status, the first 2,000 characters of the detail and the answer are kept with the attempt itself."""
    outcome = Outcome(kind=kind, code="their.code", http_status=418, detail="д" * 2_001, answer=b"HTTP/1.1 418")
    assert settled(outcome).end == AttemptEnd(
        id=attempt_id(DELIVERY.id, 2),
        finished_at=NOW,
        outcome=kind,
        code="their.code",
        http_status=418,
        detail="д" * 2_000,
        answer=b"HTTP/1.1 418",
    )
    bare = settled(Outcome(kind=kind))
    assert bare.end == AttemptEnd(id=attempt_id(DELIVERY.id, 2), finished_at=NOW, outcome=kind)
    assert bare.update.last_code == kind.value


STATES = {
    OutcomeKind.DELIVERED: TransportState.DELIVERED,
    OutcomeKind.DUPLICATE: TransportState.DELIVERED,
    OutcomeKind.OFFERED: TransportState.OFFERED,
    OutcomeKind.TEMPORARY: TransportState.WAITING,
    OutcomeKind.UNKNOWN: TransportState.UNKNOWN,
    OutcomeKind.REFUSED: TransportState.REFUSED,
    OutcomeKind.PERMANENT: TransportState.DEAD,
}


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_where_a_delivery_stands_after_each_outcome(kind: OutcomeKind) -> None:
    """State, their id and code; a next try only where one may help, after the schedule's second wait."""
    again = kind in (OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN)
    taken = STATES[kind] is TransportState.DELIVERED
    assert settled(Outcome(kind=kind, external_id="E-1", code="c"), polls=True).update == DeliveryUpdate(
        id=DELIVERY.id,
        state=STATES[kind],
        owner="worker",
        external_id="E-1",
        last_code="c",
        next_at=NOW + timedelta(seconds=20) if again else None,
        poll_at=NOW + timedelta(seconds=1) if taken else None,
        delivered_at=NOW if taken else None,
    )


@pytest.mark.parametrize(
    ("legal_class", "proves", "expected"),
    [
        ("registered", None, ["sent", "delivered"]),
        ("delivered", None, ["sent", "delivered"]),
        ("sent", None, ["sent, no notice"]),
        ("registered", "sent", ["sent"]),
        ("registered", "delivered", ["sent", "delivered"]),
        ("sent", "delivered", ["sent, no notice", "delivered"]),
    ],
)
@pytest.mark.parametrize("kind", [OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE])
def test_what_a_success_proves(kind: OutcomeKind, legal_class: str, proves: str | None, expected: list[str]) -> None:
    """No more than the outcome or its channel can show; a channel that brings no notice says so, so none is awaited."""
    outcome = Outcome(kind=kind, proves=LegalClass(proves) if proves else None)
    said = {
        "sent": (FactKind.SENT, Source.HUB, LEFT),
        "sent, no notice": (FactKind.SENT, Source.HUB, LEFT | {"notice": "none"}),
        "delivered": (FactKind.DELIVERED, Source.AUTHORITY, LEFT),
    }
    assert facts(settled(outcome, legal_class=LegalClass(legal_class))) == [said[each] for each in expected]


@pytest.mark.parametrize(
    ("ground", "state", "kinds"),
    [
        ("form", TransportState.REFUSED, [FactKind.REFUSED]),
        (None, TransportState.REFUSED, [FactKind.REFUSED]),
        ("received_twice", TransportState.DELIVERED, [FactKind.SENT, FactKind.DELIVERED]),
    ],
)
def test_a_refusal_is_their_fact(ground: str | None, state: TransportState, kinds: list[FactKind]) -> None:
    """The ground is kept, "other" if they name none; received twice (CMU 55/2018 item 21) means that they have it."""
    settlement = settled(Outcome(kind=OutcomeKind.REFUSED, ground=ground))
    assert (settlement.update.state, [fact.kind for fact in settlement.facts]) == (state, kinds)
    if state is TransportState.REFUSED:
        assert facts(settlement) == [(FactKind.REFUSED, Source.AUTHORITY, {"ground": ground or "other"})]


@pytest.mark.parametrize(
    ("outcome", "reason", "detail"),
    [
        (Outcome(kind=OutcomeKind.PERMANENT, code="http.gone", detail="410 Gone"), "http.gone", "410 Gone"),
        (Outcome(kind=OutcomeKind.PERMANENT), "delivery.permanent", "No attempt is left."),
        (Outcome(kind=OutcomeKind.TEMPORARY, code="http.busy", detail="503"), "delivery.exhausted", "503"),
        (Outcome(kind=OutcomeKind.UNKNOWN), "delivery.exhausted", "No attempt is left."),
    ],
)
def test_what_is_given_up_goes_by_the_next_channel_or_to_a_person(outcome: Outcome, reason: str, detail: str) -> None:
    """Dead over its channel: a copy on the body's next one, or an operators' item that says why. Never neither."""
    late = replace(DELIVERY, first_attempt_at=NOW - timedelta(seconds=81))  # the next wait of 20 s would end at 101
    alone = settled(outcome, late)
    assert alone.update.state is TransportState.DEAD
    assert facts(alone) == [(FactKind.ESCALATED, Source.HUB, {"reason": reason})]
    assert [(item.reason, item.detail) for item in alone.items] == [(reason, detail)]
    onto = settled(outcome, late, fallback=NEXT)
    assert (onto.update.state, onto.items) == (TransportState.DEAD, ())
    assert [(fact.kind, fact.data["why"]) for fact in onto.facts] == [(FactKind.HANDED_OVER, reason)]
    assert [(copy.channel_id, copy.state, copy.next_at) for copy in onto.deliveries] == [
        (NEXT.id, TransportState.WAITING, NOW)
    ]


@pytest.mark.parametrize("first", [NOW - timedelta(seconds=80), None])
def test_the_schedule_ends_where_its_next_wait_would(first: datetime | None) -> None:
    """A wait that ends exactly with the schedule is still made; before its first attempt a schedule has not begun."""
    settlement = settled(Outcome(kind=OutcomeKind.TEMPORARY), replace(DELIVERY, first_attempt_at=first, attempts=0))
    assert settlement.update.state is TransportState.WAITING
    assert settlement.update.next_at == NOW + timedelta(seconds=10)
    second = settled(Outcome(kind=OutcomeKind.TEMPORARY), replace(DELIVERY, first_attempt_at=first))
    assert second.update.next_at == NOW + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("code", "said", "reason", "detail"),
    [("ssh.other_key", "SHA256:x", "ssh.other_key", "SHA256:x"), (None, None, "peer.changed", "")],
)
def test_a_lane_that_stops_calls_a_person_now(code: str | None, said: str | None, reason: str, detail: str) -> None:
    """The delivery waits as after any failure; beside it stands an operators' item with the reason."""
    outcome = Outcome(kind=OutcomeKind.TEMPORARY, code=code, detail=said, stops_lane=True)
    settlement = settled(outcome)
    assert settlement.update.state is TransportState.WAITING
    assert facts(settlement) == [(FactKind.ESCALATED, Source.HUB, {"reason": reason})]
    assert [(item.reason, item.detail) for item in settlement.items] == [(reason, detail)]
    assert settled(replace(outcome, stops_lane=False)).items == ()


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_a_shadow_leaves_one_fact_at_its_end(kind: OutcomeKind) -> None:
    """What is only tried states nothing about the case, calls nobody and makes no copy: one note of how it ended."""
    settlement = settled(Outcome(kind=kind, stops_lane=True), SHADOW, fallback=NEXT)
    note = {"outcome": STATES[kind].value, "code": kind.value} | LEFT
    ended = settlement.update.next_at is None
    assert ended is (kind not in (OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN))
    assert facts(settlement) == ([(FactKind.SHADOWED, Source.HUB, note)] if ended else [])
    assert (settlement.items, settlement.deliveries, settlement.update.state) == ((), (), STATES[kind])


def test_attempts_have_names_of_their_own() -> None:
    """The same delivery and number give the same id, others give others: a lost attempt is named without a look-up."""
    other = DeliveryId(new_id())
    ids = {attempt_id(delivery, number) for delivery in (DELIVERY.id, other) for number in range(1, 6)}
    assert len(ids) == 10
    assert attempt_id(DELIVERY.id, 3) in ids


@pytest.mark.parametrize("kind", [OutcomeKind.PERMANENT, OutcomeKind.UNKNOWN])
def test_what_they_have_a_part_of_goes_to_no_other_channel(kind: OutcomeKind) -> None:
    """A message whose document they took, and whose later call failed for good, waits for an operator."""
    begun = Outcome(kind=kind, code="answer.http_422", begun=True)
    late = replace(DELIVERY, attempts=9, first_attempt_at=NOW - timedelta(days=9))
    settlement = settled(begun, late, fallback=NEXT)
    assert settlement.update.state is TransportState.DEAD
    assert (settlement.deliveries, [item.reason for item in settlement.items] != []) == ((), True)
