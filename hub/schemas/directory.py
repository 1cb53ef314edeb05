"""The world as the registry describes it: authorities, competences, channels, territories, stages of the roll-out.

These are the models of the registry's YAML files and, at the same time, the values that the port ``Directory`` returns.
Codes are text. Entries have validity in time: ``valid_from`` inclusive, ``valid_to`` exclusive, Kyiv days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code, Day, Frozen, Line, Text
from hub.schemas.ids import AuthorityCode, ChannelId, TerritoryCode, TopicCode
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import AppealChannel, AppealKind

WHOLE_COUNTRY = "UA"
"""Territory of a competence that holds everywhere."""
ANY_TOPIC = "*"
"""Topic of a competence that holds for every topic."""


class AuthorityKind(StrEnum):
    """Kinds of bodies that the Concept no. 1269-r names, and who else takes appeals."""

    PRESIDENT = "president"
    PARLIAMENT = "parliament"
    CABINET = "cabinet"
    CENTRAL = "central"
    TERRITORIAL = "territorial"
    LOCAL_ADMINISTRATION = "local_administration"
    LOCAL_SELF_GOVERNMENT = "local_self_government"
    LAW_ENFORCEMENT = "law_enforcement"
    PROSECUTION = "prosecution"
    COURT = "court"
    NATIONAL_BANK = "national_bank"
    COLLEGIAL = "collegial"
    STATE_ENTERPRISE = "state_enterprise"
    SERVICE_CENTRE = "service_centre"
    CONTACT_CENTRE = "contact_centre"
    OTHER = "other"


class LegalClass(StrEnum):
    """The strongest receipt that a channel can bring (CMU 55/2018 items 18, 24, 28, 32)."""

    SENT = "sent"
    DELIVERED = "delivered"
    REGISTERED = "registered"


class Valid(Frozen):
    """Something that holds from a day on, until the day before ``valid_to``."""

    valid_from: Day | None = None
    valid_to: Day | None = None

    @model_validator(mode="after")
    def _span(self) -> Valid:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise PydanticCustomError("validity", "valid_to must be later than valid_from")
        return self

    def holds_on(self, day: date) -> bool:
        """True if it holds on ``day``."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


class Competence(Valid):
    """Topic x territory x kind of addressee for which an authority decides (компетенція).

    ``topics``: codes, or ``["*"]``. ``territories``: KATOTTG codes, or ``["UA"]`` for the whole country; empty = the
    authority's own territory. ``kinds``: only appeals of these kinds; empty = all. ``on_request``: counts only
    where the applicant asks for this body (matters of its own work); nobody is led to it otherwise. ``subtopics``:
    whether topics below those named are covered too.
    """

    topics: Annotated[tuple[TopicCode | Annotated[str, Code(r"\*")], ...], Field(min_length=1)]
    territories: tuple[TerritoryCode | Annotated[str, Code("UA")], ...] = ()
    kinds: tuple[AppealKind, ...] = ()
    on_request: bool = False
    subtopics: bool = True


class LaneSettings(Frozen):
    """How hard a lane may push one channel. Times in seconds.

    ``concurrency``: messages that are on their way at once, each over a session of its own; one, unless the other
    system is known to bear more. ``collect_secs``: how often messages are fetched, where they are.
    ``retry_secs``: waits between attempts; the last one repeats until ``give_up_secs`` after the first attempt.
    ``unheard_after``: questions or collections that failed in a row, from which on a person hears of it.
    ``answer_kb``: so much of each answer is kept with its attempt, in KiB.
    """

    concurrency: int = Field(default=1, ge=1, le=64)
    rate_per_sec: int = Field(default=50, ge=1, le=10_000)
    batch: int = Field(default=50, ge=1, le=1_000)
    slice_secs: int = Field(default=10, ge=1, le=300)
    deadline_secs: int = Field(default=30, ge=1, le=600)
    retry_secs: Annotated[tuple[Annotated[int, Field(ge=1, le=86_400)], ...], Field(min_length=1, max_length=32)] = (
        5,
        30,
        120,
        600,
        1_800,
        3_600,
        7_200,
        14_400,
    )
    give_up_secs: int = Field(default=259_200, ge=1, le=2_592_000)
    breaker_failures: int = Field(default=5, ge=1, le=1_000)
    breaker_open_secs: int = Field(default=30, ge=1, le=86_400)
    collect_secs: int = Field(default=60, ge=1, le=86_400)
    unheard_after: int = Field(default=5, ge=1, le=1_000)
    answer_kb: int = Field(default=64, ge=0, le=1_024)


class Channel(Valid):
    """One way to one authority: an adapter, a dialect, and settings that the adapter's own model checks.

    ``shadow``: only tried beside the channels that count: what goes out over them goes out over it too, and what it
    brings is compared, never believed.
    """

    id: ChannelId
    adapter: Annotated[str, Code(r"[a-z][a-z0-9_]{0,31}")]
    dialect: Annotated[str, Code(r"[a-z][a-z0-9_]{0,31}")] = "envelope"
    legal_class: LegalClass = LegalClass.REGISTERED
    settings: dict[str, Any] = Field(default_factory=dict)
    lane: LaneSettings = LaneSettings()
    shadow: bool = False


class Authority(Valid):
    """A body that appeals are addressed to (орган, якому адресовано звернення)."""

    code: AuthorityCode
    name: Annotated[str, Line(1_000)]
    short_name: Annotated[str, Line(300)] | None = None
    kind: AuthorityKind
    superior: AuthorityCode | None = None
    territory: TerritoryCode | Annotated[str, Code("UA")] | None = None
    competences: tuple[Competence, ...] = ()
    channels: tuple[Channel, ...] = ()
    keys: tuple[VerificationKey, ...] = ()
    successor: AuthorityCode | None = None
    note: Annotated[str, Text(2_000)] | None = None

    def ways(self, day: date) -> tuple[Channel, ...]:
        """Channels that count on this day, in the order in which they are tried."""
        return tuple(channel for channel in self.channels if channel.holds_on(day) and not channel.shadow)

    def shadows(self, day: date) -> tuple[Channel, ...]:
        """Channels that are only tried on this day."""
        return tuple(channel for channel in self.channels if channel.holds_on(day) and channel.shadow)


class AwaitedBody(Valid):
    """A body that must exist and whose code is not known yet: the council of a community that no list names.

    It is found as competent like an ``Authority``, but nothing is ever sent to it: it has no code, no channel and no
    key, and stands in no envelope. Of each kind there is one for a territory, or one of each ``branch``. Once the code
    comes, an ``Authority`` of the same kind and territory takes its place.
    """

    kind: AuthorityKind
    branch: Annotated[str, Code(r"[a-z][a-z-]{0,31}")] | None = None
    territory: TerritoryCode
    name: Annotated[str, Line(1_000)]
    superior: AuthorityCode | None = None
    competences: tuple[Competence, ...] = ()
    note: Annotated[str, Text(2_000)] | None = None

    @property
    def code(self) -> str:
        """Its name until its code comes: ``local_self_government@UA46…``, ``territorial.land@UA46…``. Never a code."""
        branch = f".{self.branch}" if self.branch is not None else ""
        return f"{self.kind.value}{branch}@{self.territory}"


Competent: TypeAlias = Authority | AwaitedBody
"""A body that a competence may name."""


class TerritoryLevel(StrEnum):
    """Categories of the codifier КАТОТТГ, by their Latin letter."""

    OBLAST = "O"
    SPECIAL_CITY = "K"
    DISTRICT = "P"
    COMMUNITY = "H"
    CITY = "M"
    SETTLEMENT = "X"
    VILLAGE = "C"
    CITY_DISTRICT = "B"


class Territory(Frozen):
    """One unit of the codifier. ``parent`` is absent for oblasts and cities with special status."""

    code: TerritoryCode
    level: TerritoryLevel
    name: Annotated[str, Line(200)]
    parent: TerritoryCode | None = None


class Topic(Frozen):
    """A topic of appeals (тематика) and where it stands in classifier 858, part II."""

    code: TopicCode
    name: Annotated[str, Line(300)]
    parent: TopicCode | None = None


class Stage(Frozen):
    """Part of a stage of the Concept's roll-out: what one group of channels of appeal gains from a day on.

    ``addressed``: kinds of bodies to which appeals may be addressed; ``routed``: kinds to which they are routed by
    competence. What an earlier part opened stays open; a stage may have a part for each group of channels.
    """

    stage: int = Field(ge=1, le=9)
    from_day: Day
    channels: Annotated[tuple[AppealChannel, ...], Field(min_length=1)]
    addressed: tuple[AuthorityKind, ...] = ()
    routed: tuple[AuthorityKind, ...] = ()

    @model_validator(mode="after")
    def _opens(self) -> Stage:
        if not self.addressed and not self.routed:
            raise PydanticCustomError("opens_nothing", "must name kinds of bodies under addressed, routed or both")
        return self

    def open_for(self, channel: AppealChannel, day: date) -> bool:
        """True if this part has begun on ``day`` for appeals that came by ``channel``."""
        return self.from_day <= day and channel in self.channels


def routed_to(stages: Iterable[Stage], kind: AuthorityKind, channel: AppealChannel, day: date) -> bool:
    """True if bodies of this kind get appeals that came by ``channel``: no stages, or a part that is open says so."""
    named = True
    for stage in stages:
        named = False
        if kind in stage.routed and stage.open_for(channel, day):
            return True
    return named


def addressed_to(stages: Iterable[Stage], kind: AuthorityKind, channel: AppealChannel, day: date) -> bool:
    """True if appeals that came by ``channel`` may be addressed to bodies of this kind; as ``routed_to``."""
    named = True
    for stage in stages:
        named = False
        if kind in stage.addressed and stage.open_for(channel, day):
            return True
    return named
