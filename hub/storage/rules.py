"""Rules of the store that do not depend on where rows are kept. Pure; the SQL store and its twin share them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hub.errors import Conflict, Fault, InvalidInput, Unavailable
from hub.ports import NUMBER_TAKEN
from hub.schemas.delivery import (
    CaseRow,
    Delivery,
    DeliveryUpdate,
    Event,
    Fact,
    Message,
    NewCase,
    OperatorItem,
    StoredAnswer,
    TransportState,
)
from hub.schemas.ids import CaseId, DeliveryId
from hub.schemas.journal import InboundRecord
from hub.tracking.duties import outlook
from hub.tracking.law import Law
from hub.tracking.state import derive_story
from hub.tracking.story import read
from hub.tracking.terms import CaseFacts

T = TypeVar("T")

PRIORITIES = (2, 1, 0)
"""Most urgent first (``Delivery.priority``)."""
_DUE = frozenset({TransportState.WAITING, TransportState.UNKNOWN})
_CURSOR = re.compile(r"(\d{19})\.(\d{19})", re.ASCII)
_LARGEST = 2**63 - 1
_CASE_CURSOR = re.compile(r"(0\d{14})\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cut(value: datetime) -> datetime:
    """The moment without its microseconds below a millisecond."""
    if value.microsecond % 1000 == 0:
        return value
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def utc_now() -> datetime:
    """The machine's clock, in UTC, cut to milliseconds."""
    return cut(datetime.now(UTC))


def urgency(delivery: Delivery) -> tuple[int, datetime, uuid.UUID]:
    """Order within a claim: highest priority, then longest due, then oldest id."""
    return (-delivery.priority, delivery.next_at or delivery.created_at, delivery.id)


def due_at(delivery: Delivery) -> datetime | None:
    """When a lane may take it: ``next_at``, or the end of a lease that ran out; None = nothing is to be sent."""
    if delivery.state in _DUE:
        return delivery.next_at
    if delivery.state is TransportState.SENDING:
        return delivery.lease_until or delivery.next_at
    return None


def holds_lease(current: Delivery, update: DeliveryUpdate) -> bool:
    """True if the update may be applied: it sets a lease, names no owner, or names the one that holds the lease."""
    return update.owner is None or update.lease_until is not None or update.owner == current.lease_owner


def _or(new: T | None, old: T) -> T:
    return old if new is None else new


def updated(current: Delivery, update: DeliveryUpdate) -> Delivery:
    """The delivery after an update that may be applied. ``delivered`` is never lowered, and then nothing is due."""
    kept = current.state is TransportState.DELIVERED
    return replace(
        current,
        state=TransportState.DELIVERED if kept else update.state,
        next_at=None if kept else update.next_at,
        poll_at=update.poll_at,
        lease_owner=update.owner if update.lease_until is not None else None,
        lease_until=update.lease_until,
        attempts=_or(update.attempts, current.attempts),
        first_attempt_at=_or(update.first_attempt_at, current.first_attempt_at),
        payload=_or(update.payload, current.payload),
        payload_type=current.payload_type if update.payload is None else _or(update.payload_type, current.payload_type),
        external_id=_or(update.external_id, current.external_id),
        last_code=_or(update.last_code, current.last_code),
        delivered_at=_or(update.delivered_at, current.delivered_at),
        looked_at=_or(update.looked_at, current.looked_at),
    )


def merged(
    current: Mapping[DeliveryId, Delivery], updates: Iterable[DeliveryUpdate]
) -> tuple[dict[DeliveryId, Delivery], tuple[DeliveryId, ...]]:
    """Updates applied one after another: deliveries that changed, and ids of updates that may not be applied."""
    after: dict[DeliveryId, Delivery] = {}
    lost: list[DeliveryId] = []
    for update in updates:
        before = after.get(update.id) or current.get(update.id)
        if before is None or not holds_lease(before, update):
            lost.append(update.id)
        else:
            after[update.id] = updated(before, update)
    return after, tuple(lost)


def case_row(case: NewCase, facts: Iterable[Fact], law: Law) -> CaseRow:
    """A case with the state its facts give; ``updated_at`` is the moment of the latest one: order does not matter."""
    story = read(facts)
    state = derive_story(story, all_must_answer=law.all_must_answer)
    ahead = outlook(CaseFacts(channel=case.channel, story=story, state=state.state), law)
    return CaseRow(
        case=case,
        state=state.state.value,
        authority=state.authority,
        number=state.number,
        needs_operator=state.needs_operator,
        updated_at=max((case.created_at, *(fact.at for fact in story.facts))),
        due_at=ahead.due_at,
        watch_at=ahead.watch_at,
    )


def event(fact: Fact, *, state: str, recorded_at: datetime, cursor: str) -> Event:
    """Event of a fact, as the NCC hears it. ``state``: of the case after the transaction that brought the fact."""
    data = dict(fact.data) | {"source": str(fact.source), "state": state}
    if fact.authority is not None:
        data["authority"] = fact.authority
    if fact.delivery_id is not None:
        data["delivery_id"] = str(fact.delivery_id)
    return Event(
        cursor=cursor,
        type=f"case.{fact.kind}",
        case_id=fact.case_id,
        at=fact.at,
        recorded_at=recorded_at,
        data=data,
    )


def cursor_text(txid: int, seq: int) -> str:
    """Place of an event in the feed; sorts as text."""
    return f"{txid:019d}.{seq:019d}"


def cursor_place(cursor: str | None) -> tuple[int, int]:
    """Place that a cursor names; before the first event for None. ``InvalidInput`` if it is not one of ours."""
    if cursor is None:
        return (-1, -1)
    found = _CURSOR.fullmatch(cursor)
    place = (int(found[1]), int(found[2])) if found else (_LARGEST + 1, 0)
    if max(place) > _LARGEST:
        raise _bad_cursor()
    return place


def case_place(after: str | None) -> tuple[datetime, uuid.UUID] | None:
    """Place in a list of cases that a ``CaseRow.cursor`` names; ``InvalidInput`` if it is not one of ours."""
    if after is None:
        return None
    found = _CASE_CURSOR.fullmatch(after)
    if found is None:
        raise _bad_cursor()
    return (_EPOCH + int(found[1]) * timedelta(milliseconds=1), uuid.UUID(found[2]))


def inbound_place(after: str | None) -> tuple[datetime, str] | None:
    """Place in the journal that an ``InboundRecord.cursor`` names; ``InvalidInput`` if it is not one of ours."""
    place = case_place(after)
    return None if place is None else (place[0], str(place[1]))


def decided_meanwhile() -> Conflict:
    """The error for a decision about an entry that does not stand as it was seen."""
    return Conflict(
        "Somebody decided about this entry meanwhile.",
        code="inbound.decided",
        action="Read it again: GET /v1/ops/inbound/{id} says who decided what.",
    )


def once(records: Iterable[InboundRecord]) -> list[InboundRecord]:
    """Entries by id, each once: what came again in one change is counted."""
    found: dict[str, InboundRecord] = {}
    for record in records:
        known = found.get(record.id)
        if known is None:
            found[record.id] = record
        elif record.last_at is not None and record.last_at > (known.last_at or known.received_at):
            found[record.id] = replace(known, count=known.count + record.count, last_at=record.last_at)
    return [found[key] for key in sorted(found)]


def id_after(after: str | None) -> uuid.UUID:
    """The last id seen; the lowest of all for None. ``InvalidInput`` if it is not an id."""
    if after is None:
        return uuid.UUID(int=0)
    try:
        return uuid.UUID(after)
    except ValueError:
        raise _bad_cursor() from None


def _bad_cursor() -> InvalidInput:
    return InvalidInput(
        "This is not a cursor that the hub gave out.",
        code="cursor.invalid",
        faults=[Fault(pointer="/after", code="cursor.invalid", message="must be the cursor of an earlier answer")],
        action="Begin without a cursor, then pass on the one of each answer.",
    )


def check_same_message(stored_sha256: str, message: Message) -> None:
    """Raise ``Conflict`` if a message id comes again with other content."""
    if stored_sha256 != message.sha256:
        raise Conflict("This message id was used before for other content.", code="message.id_reused")


def check_same_case(stored: NewCase, born: NewCase) -> None:
    """Raise ``Conflict`` if a case is born a second time as another one; the very same again is a repeat."""
    if stored != born:
        raise Conflict("This case id stands for another appeal already.", code="case.id_reused")


def number_taken() -> Unavailable:
    """The error for a new case whose number another case of the owner has: the counter was set back meanwhile."""
    return Unavailable("The number for this case stands for another one.", code=NUMBER_TAKEN, retry_after=1)


def check_same_answer(stored: StoredAnswer, answer: StoredAnswer) -> None:
    """Raise ``Conflict`` for a key that was answered before.

    ``idempotency.conflict``: another request had this key. ``idempotency.repeat``: the same request was answered
    already; the caller reads that answer. The very same row again is a repeat of this write, and is let through.
    """
    if stored.request_sha256 != answer.request_sha256:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency.conflict")
    if stored.body != answer.body:
        raise Conflict("This Idempotency-Key was answered before.", code="idempotency.repeat")


def check_answers(answers: Iterable[StoredAnswer]) -> None:
    """Raise ``Conflict`` if one change answers one key twice: which answer would stand is not for us to choose."""
    seen: dict[tuple[str, str], StoredAnswer] = {}
    for answer in answers:
        first = seen.setdefault((answer.principal, answer.key), answer)
        if first != answer:
            raise Conflict("One Idempotency-Key stands twice in one call.", code="idempotency.twice")


def facts_by_case(facts: Iterable[Fact]) -> Mapping[CaseId, dict[str, Fact]]:
    """Facts of a change by case and key, in the order given; the first of equals stays."""
    grouped: dict[CaseId, dict[str, Fact]] = {}
    for fact in facts:
        grouped.setdefault(fact.case_id, {}).setdefault(fact.key, fact)
    return grouped


def item_subject(item: OperatorItem) -> tuple[CaseId, uuid.UUID | None, str]:
    """At most one item is open per subject."""
    return (item.case_id, item.delivery_id, item.reason)
