"""Values of the room: cases as they are counted and compared, groups, endpoints, what is filtered by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.schemas.delivery import StoredAttachment
from hub.schemas.ids import CaseId, MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Likeness of an appeal. ``sign``: classifier 858, list 2; ``of_case``: the earlier one; ``percent``: how much.

    ``group_id``: the first appeal of the group of like texts that it belongs to, itself included.
    """

    case_id: CaseId
    owner: str
    at: datetime
    sign: str
    of_case: CaseId | None = None
    group_id: CaseId | None = None
    percent: int | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier appeal of the same applicant."""

    case_id: CaseId
    at: datetime
    topic: str
    place: str | None
    signature: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """A keyed hash under which a case is found."""

    token: str
    case_id: CaseId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownApplicant:
    """A keyed hash by which an applicant is known, and one of the applicant's cases."""

    token: str
    case_id: CaseId
    at: datetime
    topic: str
    place: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One band of a signature. ``space``: texts are compared within one space only."""

    space: str
    band: int
    ref: CaseId | MessageId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A group of like appeals of different applicants (масове звернення), named after its first one."""

    id: CaseId
    owner: str
    topic: str
    oblast: str | None
    size: int
    started_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerScore:
    """How formal an answer looks; see ``hub.following.formal``."""

    message_id: MessageId
    case_id: CaseId
    authority: str
    at: datetime
    score: int
    flagged: bool
    reasons: tuple[str, ...]
    signature: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """Figures of one case for reports. ``day`` and ``week`` (its Monday) are of the arrival, in Kyiv, as YYYY-MM-DD.

    ``answered_at``: when a body answered finally, or the centre itself did (then ``state`` is ``concluded``).
    ``kept``: whether a body's answer came within its terms; None while there is none. ``oblast``: first four characters
    of the place. ``redirects``: hops of the chain; ``missed``: terms that ended without what they wait for; ``again``:
    repeated, duplicate or many times; ``mass``: member of a campaign.
    """

    case_id: CaseId
    owner: str
    day: str
    week: str
    authority: str | None
    topic: str
    place: str | None
    oblast: str | None
    priority: int
    state: str
    created_at: datetime
    answered_at: datetime | None
    due_at: datetime | None
    kept: bool | None
    redirects: int
    refusals: int
    escalations: int
    returns: int
    missed: int
    breaches: int
    extended: bool
    formal: bool
    again: bool
    mass: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """All that one step of the follower learned; written as a whole, with the place in the feed. ``shares``: figures of
    each body's own part.
    """

    digests: tuple[CaseFigures, ...] = ()
    shares: tuple[CaseFigures, ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    bands: tuple[Band, ...] = ()
    applicants: tuple[KnownApplicant, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    scores: tuple[AnswerScore, ...] = ()
    uses: tuple[tuple[str, CaseId], ...] = ()


class ReportBy(StrEnum):
    """Columns that reports are split by. ``territory``: oblast or city with special status; ``week``: its Monday."""

    AUTHORITY = "authority"
    TOPIC = "topic"
    TERRITORY = "territory"
    WEEK = "week"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """Which cases a report counts. Days are Kyiv days of arrival, both inclusive.

    ``share_of``: only the own parts of this body, by the day on which each was sent to it.
    """

    owner: str | None = None
    share_of: str | None = None
    day_from: str | None = None
    day_to: str | None = None
    authority: str | None = None
    topic: str | None = None
    territory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Counts of one line of a report. ``answered``: by bodies, ``by_centre``: by the contact centre itself.
    ``answer_hours``: sum over those that bodies answered, from arrival to final answer.
    """

    key: str
    cases: int
    urgent: int
    answered: int
    by_centre: int
    kept: int
    late: int
    overdue: int
    missed: int
    breaches: int
    extended: int
    returned: int
    redirected: int
    hops: int
    refused: int
    escalated: int
    formal: int
    again: int
    mass: int
    answer_hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """Cases of one day, topic and oblast."""

    day: str
    topic: str
    oblast: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """Where a webhook endpoint stands. ``cursor``: up to which event its queue is filled."""

    id: str
    cursor: str | None = None
    failures: int = 0
    open_until: datetime | None = None
    disabled_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An event that waits for an endpoint. ``next_at``: None for one that was given up."""

    endpoint: str
    cursor: str
    case_id: CaseId
    type: str
    body: bytes
    attempts: int = 0
    first_at: datetime | None = None
    next_at: datetime | None = None
    last_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An upload that may not be named any more."""

    stored: StoredAttachment
    parties: tuple[str, ...]
    revoked_at: datetime
