"""Coverage: which kind of body a registry finds for each topic in each community, connected or not.

By the router's own order (``hub.router.order``). Crimea and Sevastopol (UA01, UA85) are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.router import in_order, topic_chain
from hub.schemas.directory import ANY_TOPIC, AuthorityKind, Competent
from hub.schemas.terms import AppealKind
from registry.directory import LoadedDirectory

LEFT_OUT: Final = ("UA01", "UA85")
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCoverage:
    """One topic: communities by the kind of body found first. ``own``: those whose own council it is; ``awaited``: of
    these, those whose council waits for its code.
    """

    topic: str
    kinds: Mapping[str, int]
    own: int
    awaited: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """All topics of a registry in all its communities."""

    communities: int
    topics: Sequence[TopicCoverage]

    @property
    def kinds(self) -> dict[str, float]:
        """Share of each kind of body in per cent over all topics and communities, the largest first."""
        total = Counter[str]()
        for topic in self.topics:
            total.update(topic.kinds)
        every = max(1, total.total())
        return {kind: round(100 * count / every, 1) for kind, count in total.most_common()}

    def as_json(self) -> dict[str, Any]:
        """For ``--json``; ``own``: per cent of communities whose own council is found."""
        return {
            "communities": self.communities,
            "kinds": self.kinds,
            "topics": {
                one.topic: {"own": self.own(one), "awaited": one.awaited, "kinds": dict(one.kinds)}
                for one in self.topics
            },
        }

    def own(self, topic: TopicCoverage) -> float:
        """Per cent of communities whose own council is found for the topic."""
        return round(100 * topic.own / max(1, self.communities), 1)


def cover(directory: LoadedDirectory, day: date) -> Coverage:
    """Look for everybody, for an application on this day."""
    places = [u.code for u in directory.territories.units() if u.level == "H" and not u.code.startswith(LEFT_OUT)]
    ways = {place: directory.ancestry(place) for place in places}
    return Coverage(
        communities=len(places),
        topics=[_topic(directory, topic.code, ways, day) for topic in directory.topics()],
    )


def _topic(directory: LoadedDirectory, code: str, ways: Mapping[str, tuple[str, ...]], day: date) -> TopicCoverage:
    chain = topic_chain(directory, code)
    kinds: Counter[str] = Counter()
    own = awaited = 0
    for place, way in ways.items():
        body = _first(directory, chain, way, day)
        kinds[body.kind.value if body is not None else NOBODY] += 1
        if body is not None and body.kind is AuthorityKind.LOCAL_SELF_GOVERNMENT and body.territory == place:
            own += 1
            awaited += directory.authority(body.code) is None
    return TopicCoverage(topic=code, kinds=dict(kinds.most_common()), own=own, awaited=awaited)


def _first(directory: LoadedDirectory, chain: Sequence[str], way: Sequence[str], day: date) -> Competent | None:
    """The body found first, as the router finds it; any topic counts where nobody is named for this one."""
    for topics in (chain, (ANY_TOPIC,)):
        for _, _, found in in_order(directory, topics, way, AppealKind.APPLICATION, day):
            return found[0]
    return None
