"""Questions to the router, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hub.schemas.directory import AuthorityKind
from hub.schemas.envelope import RequestedAddressee
from hub.schemas.terms import AddresseeChoice, AppealChannel, AppealKind


class Routable(Protocol):
    """Parts of a form, or of a question about one, that set the way of an appeal."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics, the main one first."""
        ...

    @property
    def place(self) -> str | None:
        """Code of the place in the codifier."""
        ...

    @property
    def addressee(self) -> RequestedAddressee | None:
        """The body, or kind of body, that the appeal is addressed to, and whose choice that is."""
        ...

    @property
    def kind(self) -> AppealKind:
        """Kind of appeal."""
        ...

    @property
    def channel(self) -> AppealChannel:
        """How the citizen reached the contact centre."""
        ...

    @property
    def about(self) -> tuple[str, ...]:
        """Bodies complained of."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """Parts of an appeal that set its way. ``topics``: the main one first. ``addressee``: code of the body asked for.

    ``about``: codes of the bodies that a complaint complains of. ``declined``: bodies that said they are not competent.
    ``forwarded``: the addressee was named by a body that sends the appeal on, not by the applicant; ``preset``: by a
    front end or an operator of the centre.
    """

    topics: tuple[str, ...]
    place: str | None = None
    addressee: str | None = None
    addressee_kind: AuthorityKind | None = None
    kind: AppealKind
    channel: AppealChannel
    about: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()
    forwarded: bool = False
    preset: bool = False

    @classmethod
    def of(cls, asked: Routable, *, declined: tuple[str, ...] = (), named: str | None = None) -> RoutingRequest:
        """The question that a form puts. ``named``: the body that one that declined names instead."""
        wish = asked.addressee
        return cls(
            topics=asked.topics,
            place=asked.place,
            addressee=named or (wish.code if wish else None),
            addressee_kind=wish.kind if wish and named is None else None,
            kind=asked.kind,
            channel=asked.channel,
            about=asked.about,
            declined=declined,
            forwarded=named is not None,
            preset=named is None and wish is not None and wish.chosen_by not in (None, AddresseeChoice.APPLICANT),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules that a lawyer may switch. ``not_to_the_accused``: article 7 of the Law on citizens' appeals."""

    not_to_the_accused: bool = True


class Reason(StrEnum):
    """Why the appeal goes where it goes. Stable; written on the routing fact and on the operators' item."""

    REQUESTED = "requested"
    REQUESTED_SUCCESSOR = "requested_successor"
    COMPETENCE = "competence"
    SUPERIOR = "superior"
    SUPERIOR_OF_ACCUSED = "superior_of_accused"
    # From here on: the operators' queue.
    AMBIGUOUS = "ambiguous"
    ONLY_ACCUSED = "only_accused"
    ALL_DECLINED = "all_declined"
    NOT_CONNECTED = "not_connected"
    NOT_IN_STAGE = "not_in_stage"
    PLACE_NEEDED = "place_needed"
    PLACE_UNKNOWN = "place_unknown"
    NO_COMPETENT_OF_KIND = "no_competent_of_kind"
    NO_COMPETENT = "no_competent"


class StepCode(StrEnum):
    """Findings of the router on its way. Stable."""

    PLACE_ABSENT = "place_absent"
    PLACE_UNKNOWN = "place_unknown"
    TOPIC_UNKNOWN = "topic_unknown"
    REQUESTED_UNKNOWN = "requested_unknown"
    REQUESTED_NOT_IN_FORCE = "requested_not_in_force"
    SUCCESSOR_FOLLOWED = "successor_followed"
    REQUESTED_COMPETENT = "requested_competent"
    REQUESTED_UNLISTED = "requested_unlisted"
    REQUESTED_NOT_COMPETENT = "requested_not_competent"
    REQUESTED_PRESET = "requested_preset"
    REQUESTED_NOT_ADDRESSED = "requested_not_addressed"
    KIND_NOT_ADDRESSED = "kind_not_addressed"
    ACCUSED = "accused"
    DECLINED = "declined"
    NOT_IN_FORCE = "not_in_force"
    NOT_CONNECTED = "not_connected"
    AWAITED = "awaited"
    NOT_IN_STAGE = "not_in_stage"
    NONE_FOR_TOPIC = "none_for_topic"
    NONE_OF_KIND = "none_of_kind"
    CANDIDATES = "candidates"
    KIND_NAMED = "kind_named"
    SUPERIOR_OF_ALL = "superior_of_all"
    TIE = "tie"
    STANDS_IN = "stands_in"
    NO_STAND_IN = "no_stand_in"
    TO_AUTHORITY = "to_authority"
    TO_OPERATORS = "to_operators"


_PASSED_OVER = frozenset(
    {
        StepCode.REQUESTED_UNKNOWN,
        StepCode.REQUESTED_NOT_IN_FORCE,
        StepCode.REQUESTED_NOT_COMPETENT,
        StepCode.REQUESTED_PRESET,
        StepCode.REQUESTED_NOT_ADDRESSED,
        StepCode.ACCUSED,
        StepCode.DECLINED,
        StepCode.NOT_IN_FORCE,
        StepCode.NOT_CONNECTED,
        StepCode.NOT_IN_STAGE,
        StepCode.AWAITED,
    }
)


# Names of a step's values, and its sentence with them.
_SENTENCES: Mapping[StepCode, tuple[tuple[str, ...], str]] = {
    StepCode.PLACE_ABSENT: ((), "No place is given: only competence for the whole country is looked at."),
    StepCode.PLACE_UNKNOWN: (
        ("place",),
        "The place {place} is not in the table of territories: only competence for the whole country is looked at.",
    ),
    StepCode.TOPIC_UNKNOWN: (("topic",), "The topic {topic} is not in the registry."),
    StepCode.REQUESTED_UNKNOWN: (("authority",), "The addressee asked for, {authority}, is not in the registry."),
    StepCode.REQUESTED_NOT_IN_FORCE: (
        ("authority",),
        "The addressee asked for, {authority}, is not in force on this day and has no successor that is.",
    ),
    StepCode.SUCCESSOR_FOLLOWED: (
        ("authority", "successor"),
        "The addressee asked for, {authority}, is not in force on this day; its successor is {successor}.",
    ),
    StepCode.REQUESTED_COMPETENT: (("authority",), "The addressee asked for, {authority}, is competent."),
    StepCode.REQUESTED_UNLISTED: (
        ("authority",),
        "The registry lists no competences of the addressee asked for, {authority}: the applicant's wish decides.",
    ),
    StepCode.REQUESTED_NOT_COMPETENT: (
        ("authority",),
        "The addressee asked for, {authority}, is not competent for these topics at this place.",
    ),
    StepCode.REQUESTED_PRESET: (
        ("authority",),
        "The addressee {authority} was preset, not asked for by the applicant, and the registry lists no competences of"
        " it: the competent body is looked for.",
    ),
    StepCode.REQUESTED_NOT_ADDRESSED: (
        ("authority", "kind", "channel"),
        "The addressee asked for, {authority}: appeals by {channel} are not addressed to bodies of kind {kind} at this"
        " stage of the roll-out; the competent body is looked for.",
    ),
    StepCode.KIND_NOT_ADDRESSED: (
        ("kind", "channel"),
        "Appeals by {channel} are not addressed to bodies of kind {kind}, the kind asked for, at this stage of the"
        " roll-out; the competent body is looked for.",
    ),
    StepCode.ACCUSED: (
        ("authority", "accused"),
        "The complaint is about {accused}: it must not go to {authority} (article 7).",
    ),
    StepCode.DECLINED: (("authority",), "{authority} said that it is not competent."),
    StepCode.NOT_IN_FORCE: (("authority",), "{authority} is not in force on this day."),
    StepCode.NOT_CONNECTED: (("authority",), "{authority} has no channel on this day."),
    StepCode.AWAITED: (
        ("authority", "name"),
        "{name} ({authority}) waits for its code in the registry: nothing can be sent to it.",
    ),
    StepCode.NOT_IN_STAGE: (
        ("authority", "kind", "channel"),
        "{authority}: appeals by {channel} are not routed to bodies of kind {kind} at this stage of the roll-out.",
    ),
    StepCode.NONE_FOR_TOPIC: (("topic", "territory"), "Nobody is competent for {topic} from {territory} upward."),
    StepCode.NONE_OF_KIND: (
        ("topic", "territory", "kind"),
        "Nobody who is competent for {topic} at {territory} is of the kind asked for, {kind}.",
    ),
    StepCode.CANDIDATES: (
        ("topic", "territory", "authorities"),
        "Competent for {topic} at {territory}: {authorities}.",
    ),
    StepCode.KIND_NAMED: (("authority", "kind"), "{authority} is named for appeals of kind {kind} in particular."),
    StepCode.SUPERIOR_OF_ALL: (("authority",), "{authority} is superior to the others."),
    StepCode.TIE: (("authorities",), "Several are equally competent: {authorities}."),
    StepCode.STANDS_IN: (("authority", "for"), "{authority} stands in as superior of {for}."),
    StepCode.NO_STAND_IN: (("authority",), "No superior of {authority} can stand in."),
    StepCode.TO_AUTHORITY: (("authority", "channels"), "It goes to {authority} by {channels}."),
    StepCode.TO_OPERATORS: (("reason",), "It goes to the operators' queue: {reason}."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was found on the way to a decision. The sentence is made when it is read, not when it is found."""

    code: StepCode
    values: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, str]:
        """The values by name."""
        return dict(zip(_SENTENCES[self.code][0], self.values, strict=True))

    @property
    def text(self) -> str:
        """A sentence for a person."""
        return _SENTENCES[self.code][1].format_map(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where an appeal goes. ``authority`` None: the operators' queue, and ``reason`` says why.

    ``channel_ids``: the authority's channels that are valid on the day, in the registry's order; never empty if there
    is an authority. ``reason``: a ``Reason``, or who decided instead of the router.
    """

    authority: str | None
    channel_ids: tuple[str, ...]
    reason: str
    steps: tuple[Step, ...]
    registry_version: str

    @property
    def passed_over(self) -> tuple[tuple[str, StepCode], ...]:
        """Bodies that were looked at and did not get it, each with why; in the order in which they were met."""
        found = ((step.data["authority"], step.code) for step in self.steps if step.code in _PASSED_OVER)
        return tuple(dict.fromkeys(found))

    def data(self) -> dict[str, str]:
        """The decision as the fact that it leaves tells it."""
        told = {"reason": str(self.reason), "registry_version": self.registry_version}
        if self.passed_over:
            told["passed_over"] = ", ".join(f"{code} {why}" for code, why in self.passed_over)[:1_000]
        return told
