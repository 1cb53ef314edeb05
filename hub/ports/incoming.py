"""Values of the way back: how a sending or a question ended, and what another system said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from hub.errors import HubError, Retry
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import Attachment, AuthorityBody
from hub.schemas.ids import MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInbound:
    """Bytes that came from an authority, not yet believed. ``whole_sha256`` and ``whole_size``: of the whole, where
    ``body`` is its first part only.
    """

    content_type: str
    body: bytes
    whole_sha256: str | None = None
    whole_size: int | None = None


class Dating(StrEnum):
    """How far a statement says itself when it happened: the moment, only the day, nothing."""

    MOMENT = "moment"
    DAY = "day"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedStatus:
    """Status that another system told in its own words, read by an adapter; not yet believed, not yet correlated.

    ``raw``: the exact bytes, kept; ``whole``: all of them, where ``raw`` may be their first part only because the whole
    goes along as a file: the journal keeps it if the statement is refused. ``said_id``: that system's stable id of this
    very message; a repeat has the same. ``party``: who said it, as the adapter authenticated it; absent = the addressee
    of the delivery that it answers. The delivery is named by ``in_reply_to`` (our message id), ``external_id`` (that
    system's id of our message) or, if nothing better came, ``reference``: the contact centre's own number, if only one
    case sent to that party has it. ``reaches``: the strongest receipt that this way of speaking can prove (CMU
    55/2018): ``registered`` said over a way that cannot prove it is kept as ``accepted``, with its number and date.
    ``unclear``: what a person has to look at, because the words do not say it; it comes to the operators together with
    the statement.

    ``at``: when it happened, as they say; where ``dated`` is ``none`` they do not say it, and ``at`` is only a part of
    the id, the same for each repeat. ``claims``: the moment, or the beginning of the day, that they name, where the
    adapter had to put another one into ``at``. ``heard``: when it came to a place of the hub's own, a mailbox; absent =
    now. ``fetched``: those of ``attachments`` that the adapter has put into the hub's store, which nobody may read yet.
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
    fetched: tuple[Attachment, ...] = ()
    reaches: LegalClass = LegalClass.REGISTERED
    unclear: str | None = None
    dated: Dating = Dating.MOMENT
    claims: datetime | None = None
    heard: datetime | None = None
    whole: RawInbound | None = field(default=None, repr=False)

    @property
    def came(self) -> RawInbound:
        """All that came."""
        return self.whole or self.raw


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a send or poll ended. ``receipts``: raw documents of the other side, to be taken in as if it had called us;
    ``reported``: what it said in its own words about the message that was sent or asked about.

    ``unread``: bytes of an answer, or of documents in it, that could not be read: a person gets them. ``noise``: an
    answer that says only that there is none (an error's page, a fault), noted in the journal.

    ``proves``: the strongest receipt that this very outcome shows, where it is less than the channel can bring: a
    system in between took it (``sent``), its addressee has it (``delivered``). Absent: as the channel's legal class.

    ``detail``: for an operator, at most 2,000 characters. ``retry_after``: seconds, as the other side asked.
    ``begun``: the other side has a part of it already, so that no other channel takes it over.
    ``stops_lane``: nothing more may go there until a person has looked (``PeerChanged``): the lane is paused.
    ``answer``: the other side's answer as it came, head and body, kept with the attempt for people. ``next_step`` and
    ``setting``: for a person who tries the channel now: what to do, and which setting it is about; not kept.
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
    reported: tuple[ReportedStatus, ...] = ()
    unread: tuple[RawInbound, ...] = ()
    noise: tuple[RawInbound, ...] = ()
    code: str | None = None
    http_status: int | None = None
    detail: str | None = None
    retry_after: float | None = None
    ground: str | None = None
    proves: LegalClass | None = None
    begun: bool = False
    stops_lane: bool = False
    answer: bytes | None = field(default=None, repr=False)
    next_step: str | None = None
    setting: str | None = None

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
            next_step=failure.at_hand,
            setting=failure.setting,
        )
