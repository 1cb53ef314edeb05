"""The contracts between the use cases and the world. More contract than code; nothing here does anything.

Who calls what: ``hub.delivery`` and ``hub.router`` call these; ``hub.storage``, ``hub.seals``, ``hub.adapters``,
``registry`` and the doors implement them; ``hub.bootstrap`` puts them together. All methods may be called from several
threads at once unless a docstring says otherwise. An implementation raises errors of ``hub.errors`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import BinaryIO, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from hub.errors import HubError, Retry
from hub.schemas.delivery import (
    Applied,
    Attempt,
    CaseRow,
    Change,
    Claim,
    Comparison,
    Delivery,
    Event,
    Fact,
    InboundRecord,
    LaneDue,
    LaneState,
    Message,
    OperatorItem,
    OutcomeKind,
    StoredAnswer,
    StoredAttachment,
)
from hub.schemas.directory import Authority, Channel, LegalClass, Stage, Territory, Topic
from hub.schemas.envelope import AnyEnvelope, Attachment, AuthorityBody, Party
from hub.schemas.ids import CaseId, DeliveryId, MessageId
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import AppealKind, Role


class Clock(Protocol):
    """Time. Tests bring their own."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC, cut to milliseconds."""
        ...


class Directory(Protocol):
    """One loaded version of the registry: immutable, answers from memory, never blocks."""

    @property
    def version(self) -> str:
        """Hash of the content, 16 hexadecimal digits; written on each routing and attempt."""
        ...

    def authority(self, code: str) -> Authority | None:
        """The authority with this code, valid or not."""
        ...

    def channel(self, channel_id: str) -> tuple[Authority, Channel] | None:
        """The channel with this id and whose it is."""
        ...

    def channels(self) -> Iterable[tuple[Authority, Channel]]:
        """All channels, valid or not, and whose they are."""
        ...

    def territory(self, code: str) -> Territory | None:
        """The unit with this code; a settlement below the table's level resolves to its community."""
        ...

    def oblast(self, prefix: str) -> Territory | None:
        """The oblast or city with special status whose codes begin with these four characters."""
        ...

    def ancestry(self, code: str) -> tuple[str, ...]:
        """Codes from the unit itself upward, ending with ``UA``; empty if the code is not known."""
        ...

    def competent(self, topic: str, territory: str, kind: AppealKind, day: date) -> tuple[Authority, ...]:
        """Authorities that name exactly this topic (or ``*``) and this territory (or ``UA``), in order of code."""
        ...

    def topic(self, code: str) -> Topic | None:
        """The topic with this code."""
        ...

    def stages(self) -> tuple[Stage, ...]:
        """Stages of the roll-out; empty = no limit."""
        ...

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """Public keys of a party, expired ones included."""
        ...


class Registry(Protocol):
    """Holds the directory in force and replaces it as a whole."""

    def current(self) -> Directory:
        """The directory in force; cheap, call it once per decision."""
        ...


class Seal(Protocol):
    """Signs for the hub and verifies for the registry's parties. Raises ``SealRefused``."""

    def seal_json(self, payload: bytes) -> bytes:
        """Compact JWS (RFC 7515) over RFC 8785 bytes."""
        ...

    def seal_xml(self, document: bytes) -> bytes:
        """The document with an enveloped XAdES-B signature."""
        ...

    def verify_json(self, token: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The payload, if one of the keys valid at ``at`` made the seal."""
        ...

    def verify_xml(self, document: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The verified bytes, the only ones that may be read on."""
        ...


class Attachments(Protocol):
    """Files by content. Written, fsynced and renamed before anyone may name them."""

    def put(self, source: BinaryIO | Iterator[bytes], *, limit: int) -> tuple[str, int]:
        """Store a stream; SHA-256 and size. ``TooLarge`` beyond ``limit`` bytes, ``Unavailable`` if the disk fails."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The file for reading; ``NotFound`` if there is none."""
        ...

    def size(self, sha256: str) -> int:
        """Size in bytes; ``NotFound`` if there is none."""
        ...


class Rendering(StrEnum):
    """In which form an adapter wants the envelope. ``json``: ``{"envelope":…,"seal":…}`` with a detached JWS.

    ``both``: the JSON form and the XML form side by side, each with its own seal; both carry the same SHA-256.
    """

    JWS = "jws"
    JSON = "json"
    XML = "xml"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Who has to do what an appeal asks: main executor (головний виконавець), co-executor, or for information."""

    party: Party
    role: Role


class Parcel:
    """What an adapter makes bytes of: the envelope and its sealed rendering in the form the adapter asked for.

    ``envelope`` may be given as a function that reads it: most dialects need the sealed bytes and the manifest only.
    Of ``Rendering.BOTH`` the JSON form is ``sealed`` and the XML form ``sealed_xml``; else ``sealed_xml`` is absent.
    ``executors``, given as a function too: all who work on the case, so that each sees who leads; none = not known.
    """

    __slots__ = ("_attachments", "_envelope", "_executors", "message_id", "reply_url", "sealed", "sealed_xml")

    def __init__(
        self,
        *,
        message_id: MessageId,
        envelope: AnyEnvelope | Callable[[], AnyEnvelope],
        sealed: bytes,
        reply_url: str | None,
        sealed_xml: bytes | None = None,
        attachments: tuple[Attachment, ...] | None = None,
        executors: Callable[[], tuple[Executor, ...]] | None = None,
    ) -> None:
        self._executors = executors
        self.message_id = message_id
        self.sealed = sealed
        self.sealed_xml = sealed_xml
        self.reply_url = reply_url
        self._envelope = envelope
        self._attachments = attachments

    @property
    def envelope(self) -> AnyEnvelope:
        """The message itself."""
        if callable(self._envelope):
            self._envelope = self._envelope()
        return self._envelope

    @property
    def executors(self) -> tuple[Executor, ...]:
        """All who work on the case, at most one of them the main executor; empty if that is not known."""
        return () if self._executors is None else self._executors()

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The manifest."""
        return self.envelope.attachments if self._attachments is None else self._attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Exact bytes to go out; the same again at each attempt. ``files``: attachments that travel beside ``body``."""

    message_id: MessageId
    content_type: str
    body: bytes
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a send or poll ended. ``receipts``: raw documents of the other side, to be taken in as if it had called us;
    ``spoken``: what it said in its own words about the message that was sent or asked about.

    ``proves``: the strongest receipt that this very outcome shows, where it is less than the channel can bring: a
    system in between took it (``sent``), its addressee has it (``delivered``). Absent: as the channel's legal class.

    ``detail``: for an operator, at most 2,000 characters. ``retry_after``: seconds, as the other side asked.
    ``stops_lane``: nothing more may go there until a person has looked (``PeerChanged``): the lane is paused.
    """

    DETAIL_MAX_CHARS: ClassVar[int] = 2_000
    KINDS: ClassVar[Mapping[Retry, OutcomeKind]] = {
        Retry.NEVER: OutcomeKind.PERMANENT,
        Retry.OPERATOR: OutcomeKind.PERMANENT,
        Retry.LATER: OutcomeKind.TEMPORARY,
        # A wrong setting of the channel is no fault of the message: it waits until the channel is mended.
        Retry.MENDED: OutcomeKind.TEMPORARY,
        Retry.REPEAT: OutcomeKind.UNKNOWN,
    }

    kind: OutcomeKind
    external_id: str | None = None
    receipts: tuple[RawInbound, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None
    retry_after: float | None = None
    ground: str | None = None
    proves: LegalClass | None = None
    stops_lane: bool = False

    @classmethod
    def of(cls, failure: HubError) -> Outcome:
        """How an error ends an attempt, by what it knows of itself. The only way from an error to an outcome."""
        return cls(
            kind=cls.KINDS[failure.retry],
            code=failure.stable_code,
            http_status=failure.http_status,
            detail=(failure.detail or failure.message)[: cls.DETAIL_MAX_CHARS],
            retry_after=failure.retry_after,
            stops_lane=failure.stops_lane,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInbound:
    """Bytes that came from an authority, not yet believed."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What another system said in its own words, read by an adapter; not yet believed, not yet correlated.

    ``raw``: the exact bytes, kept. ``said_id``: that system's stable id of this very message; a repeat has the same.
    ``party``: who said it, as the adapter authenticated it; absent = the addressee of the delivery that it answers.
    The delivery is named by ``in_reply_to`` (our message id), ``external_id`` (that system's id of our message) or, if
    nothing better came, ``reference``: the contact centre's own number, if only one case sent to that party has it.
    ``reaches``: the strongest receipt that this way of speaking can prove (CMU 55/2018): ``registered`` said over a
    way that cannot prove it is kept as ``accepted``, with its number and date. ``unclear``: what a person has to look
    at, because the words do not say it; it comes to the operators together with the statement.
    """

    raw: RawInbound
    said_id: str
    body: AuthorityBody
    at: datetime
    party: str | None = None
    in_reply_to: MessageId | None = None
    external_id: str | None = None
    reference: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reaches: LegalClass = LegalClass.REGISTERED
    unclear: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A system on the way says that it could not hand over what it had taken (a bounce, a returned file).

    ``permanent``: the same will fail again at this address; otherwise it may work later. ``code``: stable, for people
    and metrics. ``detail``: their words, at most 2,000 characters.
    """

    raw: RawInbound
    about: MessageId
    at: datetime
    permanent: bool
    code: str
    detail: str


class Desk(Protocol):
    """Where an adapter hands over what it collected. Made for one channel; used by one thread.

    When a method returns, what it was given is durable, and may be acknowledged to the other side. ``Unavailable``:
    leave it there and come back. Any other ``HubError``: it is journalled as refused; move it aside with the reason.
    """

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        """An envelope of our own kind. ``party``: whose credential brought it; absent = the channel's authority, or,
        on a channel that collects for all, whoever the seal proves.
        """
        ...

    def said(self, spoken: Spoken) -> None:
        """A statement in the other system's words."""
        ...

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        """The delivery that carries our message, or that the other system knows by ``external_id``, or the first of a
        case to an ``authority``; only one that this channel may speak about.
        """
        ...

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        """Store a file that came with a message of ``party``. ``TooLarge`` over the hub's limit."""
        ...


@runtime_checkable
class PostDesk(Desk, Protocol):
    """A desk for ways on which machines speak too, and people sign in other ways than by our seals: the post."""

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """The registry's keys of a party, to verify what is signed in another way than our seals."""
        ...

    def undelivered(self, returned: Returned) -> None:
        """What we sent came back after it had been taken over. A dead address hands over to the authority's next
        channel or to an operator, what may work later to an operator; unless the addressee has shown that it has it.
        """
        ...

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        """Journal what says nothing about a case: an automatic reply, a notice of delay. ``verdict``: a stable code."""
        ...


class Session(Protocol):
    """An open conversation with one system. Used by one thread only."""

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt. Never raises for what the other side does: that is an outcome. ``deadline_secs`` is total."""
        ...

    def probe(self, deadline_secs: float) -> None:
        """Connect without sending a message. Raises ``DeliveryError`` or ``ConfigurationError``."""
        ...

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask what became of a delivery; only if ``polls`` is true. ``DELIVERED`` with or without ``receipts`` (with
        ``proves``: the addressee has it, and there is nothing more to ask); ``PERMANENT`` with ``proves``: a system
        in between had taken it and gave up.
        """
        ...

    def collect(self, desk: Desk, deadline_secs: float) -> int:
        """Fetch what waits at the other side and hand each piece to the desk, acknowledging it there only after the
        desk returned; only if ``collects`` is true. Returns how many were handed over; stops at the deadline. Raises
        ``DeliveryError``, ``ConfigurationError``, ``Unavailable``.
        """
        ...


class Adapter(Protocol):
    """How to talk to one kind of existing system."""

    @property
    def name(self) -> str:
        """Name in channel entries."""
        ...

    @property
    def dialects(self) -> frozenset[str]:
        """Dialects it can say."""
        ...

    @property
    def settings_model(self) -> type[BaseModel]:
        """Model that checks a channel's ``settings``."""
        ...

    def rendering(self, channel: Channel) -> Rendering:
        """The form in which it wants the envelope for this channel."""
        ...

    def polls(self, channel: Channel) -> bool:
        """Whether receipts of this channel are asked for."""
        ...

    def collects(self, channel: Channel) -> bool:
        """Whether messages are fetched over this channel. A channel of the contact centre's own entry in the registry
        collects for all authorities (one mailbox, one SEV queue) and is never sent over.
        """
        ...

    def pulled(self, channel: Channel) -> bool:
        """Whether the authority fetches by itself: nothing is sent, the delivery is offered in the inbox."""
        ...

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """Pure. The exact bytes; ``UnsupportedFeature`` for what the channel cannot express."""
        ...

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """Open a conversation. ``TemporaryFailure`` if it cannot be opened: then nothing went out.

        ``PeerChanged`` if the other side is not who it should be: the lane is paused and an operator is called.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """An adapter over a way that proves less than registration; the registry holds its channels to it."""

    def strongest(self, channel: Channel) -> LegalClass:
        """The strongest receipt that this channel can bring (CMU 55/2018 items 28, 32)."""
        ...


@runtime_checkable
class Outlined(Protocol):
    """An adapter that can say what goes out around the bytes, for people who set a channel up."""

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """Lines that go before the bytes (an HTTP request's line and headers); of credentials only their kind."""
        ...


class Doorbell(Protocol):
    """Wakes a lane. A lost ring is harmless: the sweeper rings again."""

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Ask some worker to run the lane soon. Never raises: a broker that is down is logged and swept later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; all that is given must hold. ``owner`` / ``authority`` bound what the caller may see.

    ``authority``: cases that were sent to it; ``held_by``: cases that it has now. ``topic``: the first one that the
    appeal names. ``territory``: a code of the codifier, with all that lies below it. ``created_from`` is inclusive,
    ``created_to`` exclusive. ``overdue_at``: a term of the law had run out at that moment. ``group``: members of a
    group of like appeals.
    """

    owner: str | None = None
    authority: str | None = None
    held_by: str | None = None
    state: str | None = None
    needs_operator: bool | None = None
    reference: str | None = None
    topic: str | None = None
    territory: str | None = None
    kind: str | None = None
    channel: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    overdue_at: datetime | None = None
    group: CaseId | None = None


class CaseGrouping(StrEnum):
    """What cases may be counted by. ``territory``: oblasts and cities with special status (first four characters)."""

    STATE = "state"
    AUTHORITY = "authority"
    TOPIC = "topic"
    TERRITORY = "territory"
    KIND = "kind"
    CHANNEL = "channel"


class Store(Protocol):
    """The durable memory. ``apply`` is the only way to write business data; each call is one transaction.

    Rules that every implementation keeps (one contract suite): rows with a known primary key are not written twice and
    not changed (``messages``, ``deliveries``, ``attempts``, ``attachments``, ``grants``, ``inbound``,
    ``items``); facts are idempotent by ``key``; each new fact makes one event and re-derives its case's state; a
    delivery that is ``delivered`` keeps that state; an update with an ``owner`` that lost its lease is not applied and
    is named in ``Applied.lost`` (its attempt ends and facts are written all the same). Raises ``Conflict`` if a case
    id, a message id or an idempotency key comes again with other content, ``Unavailable`` if nothing could be kept.
    """

    def apply(self, change: Change) -> Applied:
        """Write all of it durably, or nothing. Raises ``Conflict``, ``Unavailable``."""
        ...

    def take(
        self,
        limits: Mapping[str, int],
        *,
        now: datetime,
        begin: Callable[[Sequence[Claim], Mapping[str, LaneState]], Change],
    ) -> Applied:
        """Look at what is due (``waiting``, ``unknown``, ``sending`` with an expired lease) in these lanes, at most so
        many of each, highest priority first, and write what ``begin`` makes of it and of the lanes' states as they are
        now, in one transaction.

        Nobody else takes from these lanes meanwhile (a lane that another takes from gives nothing); what ``begin`` does
        not change stays due. ``begin`` may be called
        again if the transaction has to be tried again; it may read the store, and must not write.
        """
        ...

    def claim_polls(self, channel_id: str, *, now: datetime, next_at: datetime, limit: int) -> tuple[Delivery, ...]:
        """Deliveries whose ``poll_at`` has come; it is moved to ``next_at`` so that no one else asks meanwhile."""
        ...

    def claim_collect(self, channel_id: str, *, now: datetime, until: datetime) -> bool:
        """Whether the caller may collect over this channel now; nobody else may before ``until``, or before a time
        that ``plan_collect`` sets.
        """
        ...

    def plan_collect(self, channel_id: str, at: datetime) -> None:
        """When to collect over this channel next."""
        ...

    def resting_collects(self, now: datetime) -> frozenset[str]:
        """Channels over which it is not yet time to collect."""
        ...

    def due_lanes(self, now: datetime, limit: int = 10_000) -> tuple[LaneDue, ...]:
        """Lanes with work now; paused lanes and lanes with an open breaker are left out."""
        ...

    def waiting(self) -> Mapping[str, int]:
        """Deliveries that are still to go out, by channel: due now or later, or on their way."""
        ...

    def lane(self, channel_id: str) -> LaneState:
        """State of a lane; a fresh one if nothing is known."""
        ...

    def lane_states(self, channel_ids: Sequence[str]) -> Mapping[str, LaneState]:
        """States of those lanes that have one."""
        ...

    def save_lane(self, state: LaneState) -> None:
        """Keep a lane's health; ``paused`` is the operators' and ``rest_until`` the claims': both stay as they are."""
        ...

    def pause_lane(self, channel_id: str, *, paused: bool) -> LaneState:
        """Pause a lane, or let it run again with a closed breaker; the state afterwards."""
        ...

    def lanes(self) -> tuple[LaneState, ...]:
        """All lanes with a known state, by channel id."""
        ...

    def release(self, owner_prefix: str) -> int:
        """End the leases of owners that are surely gone (embedded start): their deliveries become ``unknown``, due."""
        ...

    def case(self, case_id: CaseId) -> CaseRow | None:
        """One case."""
        ...

    def cases(self, where: CaseFilter, *, after: str | None, limit: int, newest: bool = False) -> tuple[CaseRow, ...]:
        """Cases in order of arrival, or the newest first; ``after``: ``CaseRow.cursor`` of the last one seen."""
        ...

    def count_cases(self, where: CaseFilter, by: CaseGrouping = CaseGrouping.STATE) -> Mapping[str, int]:
        """Number of cases by one of their columns; cases without a value count under the empty text."""
        ...

    def claim_watched(
        self, *, now: datetime, until: datetime, limit: int, case_id: CaseId | None = None
    ) -> tuple[CaseRow, ...]:
        """Cases whose ``watch_at`` has come, those first that waited longest; it is moved to ``until`` so that no one
        else looks meanwhile, and is derived again with the next fact. ``case_id``: only this one, if it is due.
        """
        ...

    def facts_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Facts of several cases, by time, then key."""
        ...

    def compared(self) -> tuple[Comparison, ...]:
        """How deliveries over shadow channels ended, beside those that counted."""
        ...

    def facts(self, case_id: CaseId) -> tuple[Fact, ...]:
        """Facts of a case, by time, then key."""
        ...

    def message(self, message_id: MessageId) -> Message | None:
        """One message."""
        ...

    def messages(self, case_id: CaseId) -> tuple[Message, ...]:
        """Messages of a case, by time, then id."""
        ...

    def delivery(self, delivery_id: DeliveryId) -> Delivery | None:
        """One delivery."""
        ...

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        """Deliveries of a case, by time, then id."""
        ...

    def delivery_of(self, message_id: MessageId) -> Delivery | None:
        """The delivery that carries this message."""
        ...

    def delivery_known_as(self, external_id: str, *, authority: str | None) -> Delivery | None:
        """The newest delivery that the other system knows by this id; of this authority, if one is given."""
        ...

    def offered(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that wait in an authority's inbox, by id; ``after``: the last delivery id seen."""
        ...

    def attempts(self, delivery_id: DeliveryId) -> tuple[Attempt, ...]:
        """Attempts of a delivery, by number."""
        ...

    def dead(self, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries in state ``dead``, by id."""
        ...

    def items(self, *, open_only: bool, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """The operators' queue, by id."""
        ...

    def close_items(self, delivery_id: DeliveryId | None, case_id: CaseId, at: datetime, resolution: str) -> int:
        """Close the open items of a case, or of one delivery of it; returns how many."""
        ...

    def events(self, *, after: str | None, limit: int) -> tuple[Event, ...]:
        """Events after a cursor, in order of commit; an event that is returned is never followed by an earlier one."""
        ...

    def inbound(self, channel_id: str, *, limit: int) -> tuple[InboundRecord, ...]:
        """The newest entries of a channel's inbound journal."""
        ...

    def answer(self, principal: str, key: str) -> StoredAnswer | None:
        """What was answered to this idempotency key before."""
        ...

    def attachment(self, sha256: str) -> StoredAttachment | None:
        """An attachment that is known."""
        ...

    def may_read(self, sha256: str, party: str) -> bool:
        """Whether this party was granted the attachment."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Deliveries by state as ``delivery.<state>``, open items as ``items.open``, and so on: for metrics."""
        ...

    def ping(self) -> None:
        """Raises ``Unavailable`` if the store cannot be written now."""
        ...
