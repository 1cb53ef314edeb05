"""Events of an envelope on its way: deliveries, attempts, outcomes, facts, and what is journalled.

Transport state (of a delivery), attempts and business state (of a case) are three different things. The values here are
plain frozen dataclasses: they are made by the hub itself, by the thousand, and never from outside input.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.schemas.base import format_datetime
from hub.schemas.ids import AttemptId, CaseId, DeliveryId, MessageId, NoteId
from hub.schemas.journal import InboundDecision, InboundRecord
from hub.schemas.terms import Kind, Role


class TransportState(StrEnum):
    """Where a delivery stands. Due for a lane: ``waiting`` and ``unknown`` once ``next_at`` has come."""

    WAITING = "waiting"
    SENDING = "sending"
    UNKNOWN = "unknown"
    OFFERED = "offered"
    DELIVERED = "delivered"
    REFUSED = "refused"
    DEAD = "dead"
    CANCELLED = "cancelled"


ARRIVED = frozenset({TransportState.OFFERED, TransportState.DELIVERED, TransportState.REFUSED})
"""States of a delivery whose addressee has, or can fetch, what it carries."""


class OutcomeKind(StrEnum):
    """How an attempt ended. ``duplicate``: the other side had it already, which is success of an earlier try."""

    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    OFFERED = "offered"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    PERMANENT = "permanent"


class FactKind(StrEnum):
    """Dated, sourced, idempotent statements about a case; its state is derived from the set of them."""

    ACCEPTED_BY_HUB = "accepted_by_hub"
    ROUTED = "routed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    SENT = "sent"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REGISTERED = "registered"
    REFUSED = "refused"
    ANSWERED = "answered"
    REDIRECTED = "redirected"
    EXTENDED = "extended"
    CLARIFICATION_ASKED = "clarification_asked"
    CLARIFIED = "clarified"
    WITHDRAWN = "withdrawn"
    CONCLUDED = "concluded"
    CORRECTED = "corrected"
    RETURNED_FOR_WORK = "returned_for_work"
    PUBLISHED = "published"
    SUPPLEMENTED = "supplemented"
    NOTED = "noted"
    LINKED = "linked"
    FORMAL_FLAGGED = "formal_flagged"
    # What the hub itself does and sees while it watches over a case.
    HANDED_OVER = "handed_over"
    PASSED_ON = "passed_on"
    NOT_RECEIVED = "not_received"
    TERM_WARNED = "term_warned"
    TERM_OVERDUE = "term_overdue"
    TERM_CORRECTED = "term_corrected"
    BREACH = "breach"
    SHADOWED = "shadowed"


class Source(StrEnum):
    """Party that states a fact."""

    HUB = "hub"
    AUTHORITY = "authority"
    NCC = "ncc"
    OPERATOR = "operator"


class Direction(StrEnum):
    """Which way a message goes, seen from the hub."""

    IN = "in"
    OUT = "out"


class ClockMark(StrEnum):
    """Mark of a statement whose moment is not the one that it names. ``none``: it names none; ``day``: only a day;
    ``future``: one after it was heard; ``before_routing``: one before its addressee was given the message.
    """

    NONE = "none"
    DAY = "day"
    FUTURE = "future"
    BEFORE_ROUTING = "before_routing"


CLOCK_MEMBERS: Final = frozenset({"heard_at", "says_at", "unseen_at", "clock"})
"""Members of a fact's data that tell when it was heard, what moment it claims where another counts, when the hub looked
last and did not see it, and why another moment counts (``ClockMark``). They are no part of what was said.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement. Two facts with the same ``key`` are one fact, however often and in whatever order they come."""

    kind: FactKind
    case_id: CaseId
    at: datetime
    source: Source
    authority: str | None = None
    delivery_id: DeliveryId | None = None
    message_id: MessageId | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    _key: str | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def key(self) -> str:
        """SHA-256 over all that makes this fact this fact; ``message_id`` only says who brought it and is left out, and
        so is when it was heard. Where ``at`` is not the sender's own moment, the message stands in its place.
        """
        if self._key is None:  # asked for many times on the way of an appeal, and it never changes
            object.__setattr__(self, "_key", self._digest())
        assert self._key is not None
        return self._key

    def _digest(self) -> str:
        data: Iterable[tuple[str, str]] = self.data.items()
        if not CLOCK_MEMBERS.isdisjoint(self.data):
            data = (each for each in data if each[0] not in CLOCK_MEMBERS)
        parts = [
            self.kind,
            str(self.case_id),
            str(self.message_id) if "clock" in self.data else format_datetime(self.at),
            self.source,
            self.authority,
            str(self.delivery_id),
            sorted(data),
        ]
        return hashlib.sha256(_encode(parts).encode()).hexdigest()


_encode = json.JSONEncoder(ensure_ascii=True).encode
"""``json.dumps``, made once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A case at its birth. ``reference`` is the NCC's own number; ``owner`` the party that submitted it.

    ``case_number``: by which people call it, unique for the owner; absent where an older hub took the appeal in.
    """

    id: CaseId
    created_at: datetime
    owner: str
    reference: str | None
    channel: str
    kind: str
    topics: tuple[str, ...]
    place: str | None
    priority: int
    answer_due: str | None
    case_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An envelope as kept: its RFC 8785 bytes, and the very bytes that came in (``raw``) where it came from outside."""

    id: MessageId
    case_id: CaseId
    kind: Kind
    direction: Direction
    sender: str
    recipient: str | None
    in_reply_to: MessageId | None
    created_at: datetime
    body: bytes
    sha256: str
    raw: bytes | None = None
    raw_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note of the contact centre's people about a case: never leaves the hub. ``by``: id of the principal."""

    id: NoteId
    case_id: CaseId
    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One envelope on its way to one addressee. ``priority``: 0 normal, 1 urgent, 2 threat to life.

    ``looked_at``: when the hub last asked about it and got an answer that it could read and take in whole.
    ``shadow``: only tries a channel beside the one that counts; nothing it brings is a fact of the case.
    ``progress``: how far a delivery of several calls has come, in its adapter's own words.
    """

    id: DeliveryId
    case_id: CaseId
    message_id: MessageId
    authority: str
    channel_id: str
    role: Role
    priority: int
    state: TransportState
    created_at: datetime
    next_at: datetime | None
    attempts: int = 0
    first_attempt_at: datetime | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None
    payload: bytes | None = None
    payload_type: str | None = None
    external_id: str | None = None
    poll_at: datetime | None = None
    last_code: str | None = None
    delivered_at: datetime | None = None
    shadow: bool = False
    looked_at: datetime | None = None
    progress: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that a lane holds for the time of its lease, with the RFC 8785 bytes of its envelope."""

    delivery: Delivery
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try, written before the first byte goes out. ``sha256`` is that of the exact bytes."""

    id: AttemptId
    delivery_id: DeliveryId
    number: int
    channel_id: str
    message_id: MessageId
    sha256: str
    size: int
    started_at: datetime
    registry_version: str
    finished_at: datetime | None = None
    outcome: OutcomeKind | None = None
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended. ``detail``: at most 2,000 characters for an operator, without personal data of our own.
    ``answer``: the other side's answer, head and body, without credentials, up to the channel's cap.
    """

    id: AttemptId
    finished_at: datetime
    outcome: OutcomeKind
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None
    answer: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUpdate:
    """New transport state of a delivery.

    ``owner``: applied only while that owner still holds the lease (None: whoever holds it); what is ``None`` stays as
    it is, except ``next_at`` and ``poll_at``, which are always set. ``lease_until``: the owner takes the lease until
    then, whoever had it; otherwise the lease ends. States never fall back from ``delivered``: the
    store refuses to lower it.
    """

    id: DeliveryId
    state: TransportState
    next_at: datetime | None = None
    poll_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    attempts: int | None = None
    first_attempt_at: datetime | None = None
    payload: bytes | None = None
    payload_type: str | None = None
    external_id: str | None = None
    last_code: str | None = None
    delivered_at: datetime | None = None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorItem:
    """Something that needs a person. At most one is open per (case, delivery, reason)."""

    id: str
    case_id: CaseId
    reason: str
    detail: str
    opened_at: datetime
    delivery_id: DeliveryId | None = None
    authority: str | None = None
    channel_id: str | None = None
    closed_at: datetime | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """The answer once given to an idempotency key of one principal."""

    principal: str
    key: str
    request_sha256: str
    status: int
    body: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttachment:
    """A file that is safely on disk under its SHA-256."""

    sha256: str
    size: int
    media_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A party that may read an attachment: who brought it, and whom it was sent to."""

    sha256: str
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """State of a lane, shared by all workers: its health, and until when its rate throttles it (``rest_until``)."""

    channel_id: str
    failures: int = 0
    open_until: datetime | None = None
    paused: bool = False
    suspect: bool = False
    rest_until: datetime | None = None

    def may_run(self, now: datetime) -> bool:
        """True if the lane may send now: not paused, breaker not open, its rate not used up."""
        open_again = self.open_until is None or self.open_until <= now
        return not self.paused and open_again and (self.rest_until is None or self.rest_until <= now)

    def is_well(self, now: datetime) -> bool:
        """True if the lane may send and its last try did not fail."""
        return self.may_run(now) and not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A channel over which nothing can be heard now: so many questions or collections failed in a row, ``since`` the
    first of them, the last with ``code``.
    """

    channel_id: str
    failures: int
    since: datetime
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneThrottle:
    """A lane has had what its rate allows until then, whichever worker gave it."""

    channel_id: str
    rest_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDue:
    """A lane that has work now."""

    channel_id: str
    sends: int
    polls: int
    suspect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many deliveries ended so over a shadow channel and so over the channel that counted."""

    shadow: str
    shadow_state: TransportState
    channel_id: str
    state: TransportState
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """News that the NCC hears: one per new fact, in the order of commit. ``cursor`` is opaque and sorts as text."""

    cursor: str
    type: str
    case_id: CaseId
    at: datetime
    recorded_at: datetime
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case with its derived state, as lists and filters show it.

    ``due_at``: end of the nearest running term of the law, none once the case is finished; in the past = overdue.
    ``watch_at``: when the hub must look at the case again by itself.
    """

    case: NewCase
    state: str
    authority: str | None
    number: str | None
    needs_operator: bool
    updated_at: datetime
    due_at: datetime | None = None
    watch_at: datetime | None = None

    @property
    def cursor(self) -> str:
        """Place in lists, which are in order of arrival: milliseconds since 1970 and the id."""
        return f"{int(self.case.created_at.timestamp() * 1000):015d}.{self.case.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Everything one step wants to write: all of it, in one transaction, or nothing."""

    cases: tuple[NewCase, ...] = ()
    messages: tuple[Message, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    updates: tuple[DeliveryUpdate, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    attempt_ends: tuple[AttemptEnd, ...] = ()
    facts: tuple[Fact, ...] = ()
    items: tuple[OperatorItem, ...] = ()
    inbound: tuple[InboundRecord, ...] = ()
    decisions: tuple[InboundDecision, ...] = ()
    answers: tuple[StoredAnswer, ...] = ()
    attachments: tuple[StoredAttachment, ...] = ()
    grants: tuple[Grant, ...] = ()
    throttles: tuple[LaneThrottle, ...] = ()
    notes: tuple[Note, ...] = ()


def joined(changes: Iterable[Change]) -> Change:
    """Several changes as one."""
    kept = tuple(changes)
    names = [each.name for each in fields(Change)]
    return Change(**{name: tuple(x for change in kept for x in getattr(change, name)) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Result of a change: facts that were new, and the deliveries whose update was not applied (lease lost)."""

    new_facts: tuple[Fact, ...] = ()
    lost: tuple[DeliveryId, ...] = ()
