"""Sharing of a group of topics between a nearer body and those that are named for single topics of it.

A rule may give a group of topics to the councils. The nearest named body goes first, so a council that held the
whole group would take what the law gives to another body. Here the group becomes the topics that are left to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hub.schemas.directory import ANY_TOPIC, WHOLE_COUNTRY
from registry.drafting.bodies import Drafted
from registry.drafting.country import Country
from registry.drafting.plan import CompetenceRule, Level


class Sharing:
    """Rules of each body, groups shared out. ``parents``: the topics, each with its parent or none."""

    def __init__(
        self,
        rules: Sequence[CompetenceRule],
        bodies: Iterable[Drafted],
        parents: Mapping[str, str | None],
        country: Country,
    ) -> None:
        self._rules = rules
        self._below: dict[str, list[str]] = {}
        for topic in parents:
            for group in _upward(topic, parents):
                self._below.setdefault(group, []).append(topic)
        self._country = country
        self._named: dict[str, dict[str, set[int]]] = {}
        for body in bodies:
            if body.rules and body.valid_to is None:
                self._note(body)

    def _note(self, body: Drafted) -> None:
        for number, rule in self._own(body):
            if rule.on_request:
                continue
            for topic in rule.topics:
                by_place = self._named.setdefault(topic, {})
                for place in body.territories:
                    by_place.setdefault(place, set()).add(number)

    def _own(self, body: Drafted) -> list[tuple[int, CompetenceRule]]:
        covered = (body.code, body.kind, body.levels, body.network)
        return [(number, rule) for number, rule in enumerate(self._rules) if body.rules and rule.covers(*covered)]

    def of(self, body: Drafted) -> list[CompetenceRule]:
        """The rules that apply to a body; for the whole country groups stay what they are, for nobody is farther."""
        own = self._own(body)
        if body.level is Level.COUNTRY:
            return [rule for _, rule in own]
        return [self._shared(rule, {number for number, _ in own}, body) for _, rule in own]

    def _shared(self, rule: CompetenceRule, own: set[int], body: Drafted) -> CompetenceRule:
        groups = [topic for topic in rule.topics if topic in self._below]
        if not groups or rule.on_request:
            return rule
        left = [t for group in groups for t in self._below[group] if not self._is_another_s(t, own, body)]
        topics = tuple(dict.fromkeys((*rule.topics, *left)))
        return rule.model_copy(update={"topics": topics, "subtopics": False})

    def _is_another_s(self, topic: str, own: set[int], body: Drafted) -> bool:
        by_place = self._named.get(topic, {})
        places = {place for territory in body.territories for place in self._places(territory)}
        return any(by_place.get(place, set()) - own for place in places)

    def _places(self, territory: str) -> Iterator[str]:
        """The territory and all that it lies in."""
        at: str | None = territory
        while at is not None and at in self._country.units:
            yield at
            at = self._country.units[at].parent
        yield WHOLE_COUNTRY


def _upward(topic: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    at = parents.get(topic)
    while at is not None and at != ANY_TOPIC:
        yield at
        at = parents.get(at)
