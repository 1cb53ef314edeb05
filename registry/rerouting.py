"""Appeals of the past that would go elsewhere with another version of the registry, grouped by why.

Both versions are asked the same question on the same day. Of an appeal only its number is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from hub.cases.coexecutors import further
from hub.cases.stored import StoredAppeal
from hub.router import Decision, Reason, Routable, RoutingRequest, StepCode, decide, topic_chain
from registry.diff import Difference, compare
from registry.directory import LoadedDirectory

EXAMPLES: Final = 5
OPERATORS: Final = "operators"
"""Stands where there is no authority."""

_ROUTED_BY: Final = frozenset(
    {"kind", "superior", "territory", "competences", "channels", "successor", "valid_from", "valid_to", "parent"}
)
"""Fields of entries that the router reads."""
_OF_STAGES: Final = frozenset({StepCode.NOT_IN_STAGE, StepCode.KIND_NOT_ADDRESSED, StepCode.REQUESTED_NOT_ADDRESSED})
_DECIDING: Final[Mapping[str, tuple[StepCode, ...]]] = {
    Reason.REQUESTED: (StepCode.REQUESTED_COMPETENT, StepCode.REQUESTED_UNLISTED),
    Reason.REQUESTED_SUCCESSOR: (StepCode.SUCCESSOR_FOLLOWED,),
    Reason.COMPETENCE: (StepCode.KIND_NAMED, StepCode.SUPERIOR_OF_ALL, StepCode.CANDIDATES),
    Reason.SUPERIOR: (StepCode.STANDS_IN,),
    Reason.SUPERIOR_OF_ACCUSED: (StepCode.STANDS_IN,),
    Reason.AMBIGUOUS: (StepCode.TIE,),
    Reason.ONLY_ACCUSED: (StepCode.ACCUSED,),
    Reason.ALL_DECLINED: (StepCode.DECLINED,),
    Reason.NOT_CONNECTED: (StepCode.NOT_CONNECTED, StepCode.AWAITED),
    Reason.NOT_IN_STAGE: (StepCode.NOT_IN_STAGE,),
    Reason.PLACE_NEEDED: (StepCode.PLACE_ABSENT,),
    Reason.PLACE_UNKNOWN: (StepCode.PLACE_UNKNOWN,),
    Reason.NO_COMPETENT_OF_KIND: (StepCode.NONE_OF_KIND,),
    Reason.NO_COMPETENT: (StepCode.NONE_FOR_TOPIC,),
}
"""The steps that decide, for each reason; of several that were met the last counts."""


class RouteChange(StrEnum):
    """Kinds of change for an appeal. Stable."""

    TO_OPERATORS = "to_operators"
    FROM_OPERATORS = "from_operators"
    OTHER_AUTHORITY = "other_authority"
    OTHER_CHANNEL = "other_channel"
    CO_EXECUTORS = "co_executors"


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule that decided: the router's reason, and its step."""

    reason: str
    step: str

    def __str__(self) -> str:
        return self.reason if self.reason == self.step else f"{self.reason} ({self.step})"


@dataclass(frozen=True, slots=True)
class _Way:
    main: Decision
    others: tuple[str, ...]

    @property
    def rule(self) -> Rule:
        deciding = _DECIDING.get(str(self.main.reason), ())
        met = [step.code for step in self.main.steps if step.code in deciding]
        return Rule(str(self.main.reason), met[-1].value if met else self.main.steps[-1].code.value)

    def label(self, change: RouteChange) -> str:
        """Name of where it goes, as far as this change is about it."""
        if change is RouteChange.OTHER_CHANNEL:
            return self.main.channel_ids[0]
        if change is RouteChange.CO_EXECUTORS:
            return ", ".join(self.others) or "nobody"
        return self.main.authority or OPERATORS


@dataclass(slots=True)
class Cause:
    """Appeals for which the same rules decide before and after. ``because``: entries of the registry that changed and
    that only one of the two decisions names; ``examples``: numbers of cases, the newest first.
    """

    change: RouteChange
    old: Rule
    new: Rule
    count: int = 0
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    because: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "change": self.change.value,
            "old": {"reason": self.old.reason, "step": self.old.step},
            "new": {"reason": self.new.reason, "step": self.new.step},
            "count": self.count,
            "ways": [{"old": old, "new": new, "count": n} for (old, new), n in self.ways.most_common()],
            "topics": dict(self.topics.most_common()),
            "because": dict(self.because.most_common()),
            "examples": self.examples,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted:
    """Result: how many appeals were asked about, and the causes for which some go elsewhere, the largest first."""

    day: date
    asked: int
    moved: int
    causes: tuple[Cause, ...]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        causes = [cause.as_json() for cause in self.causes]
        return {"day": self.day.isoformat(), "asked": self.asked, "elsewhere": self.moved, "causes": causes}


def reroute(old: LoadedDirectory, new: LoadedDirectory, appeals: Iterable[StoredAppeal], day: date) -> Rerouted:
    """Ask both versions who answers each appeal, as if it came on this Kyiv day. Nothing of a case changes."""
    causes: dict[tuple[RouteChange, Rule, Rule], Cause] = {}
    reasons = _Reasons(old, new)
    asked = 0
    for appeal in appeals:
        asked += 1
        was, would = _way(appeal.asked, old, day), _way(appeal.asked, new, day)
        change = _change(was, would)
        if change is not None:
            key = (change, was.rule, would.rule)
            _count(causes.setdefault(key, Cause(*key)), appeal, was, would, reasons)
    found = sorted(causes.values(), key=lambda cause: -cause.count)
    return Rerouted(day=day, asked=asked, moved=sum(cause.count for cause in found), causes=tuple(found))


def _way(asked: Routable, directory: LoadedDirectory, day: date) -> _Way:
    main = decide(RoutingRequest.of(asked), directory, day)
    others = further(asked, main, directory, day) if len(asked.topics) > 1 else ()
    return _Way(main, tuple(other.authority or OPERATORS for other in others))


def _change(was: _Way, would: _Way) -> RouteChange | None:
    if was.main.authority != would.main.authority:
        if would.main.authority is None:
            return RouteChange.TO_OPERATORS
        return RouteChange.OTHER_AUTHORITY if was.main.authority is not None else RouteChange.FROM_OPERATORS
    if was.main.channel_ids[:1] != would.main.channel_ids[:1]:
        return RouteChange.OTHER_CHANNEL
    return RouteChange.CO_EXECUTORS if set(was.others) != set(would.others) else None


def _count(cause: Cause, appeal: StoredAppeal, was: _Way, would: _Way, reasons: _Reasons) -> None:
    cause.count += 1
    cause.ways[was.label(cause.change), would.label(cause.change)] += 1
    cause.topics[appeal.asked.topics[0]] += 1
    cause.because.update(reasons.of(appeal.asked, was, would))
    if len(cause.examples) < EXAMPLES:
        cause.examples.append(appeal.number)


class _Reasons:
    """Changed entries of the registry, by the codes under which a decision may name them."""

    def __init__(self, old: LoadedDirectory, new: LoadedDirectory) -> None:
        self._both = (old, new)
        self._by_code: dict[str, str] = {}
        self._stages: list[str] = []
        for each in compare(old, new):
            if each.section == "stages":
                self._stages.append(_told(each))
            elif each.change != "changed" or not _ROUTED_BY.isdisjoint(each.fields):
                self._by_code[each.code] = _told(each)

    def of(self, asked: Routable, was: _Way, would: _Way) -> Iterator[str]:
        """Changed entries that only one of the two decisions names, or that the question passes by."""
        apart = set(was.main.steps) ^ set(would.main.steps)
        codes = {code for step in apart for value in step.values for code in value.split(", ")}
        codes.update(set(was.others) ^ set(would.others))
        for directory in self._both:
            codes.update(code for topic in asked.topics for code in topic_chain(directory, topic))
            codes.update(directory.ancestry(asked.place) if asked.place is not None else ())
        yield from (self._by_code[code] for code in sorted(codes & self._by_code.keys()))
        if any(step.code in _OF_STAGES for step in apart):
            yield from self._stages


def _told(each: Difference) -> str:
    what = ", ".join(each.fields) if each.fields else each.change
    return f"{each.section} {each.code}: {what}"
