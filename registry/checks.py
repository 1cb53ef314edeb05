"""Rules that entries must keep among themselves. Each check reads the whole draft and notes every fault it finds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import combinations

from pydantic import BaseModel, ValidationError

from hub.adapters import Table
from hub.ports import Adapter, Bounded
from hub.schemas.directory import ANY_TOPIC, WHOLE_COUNTRY, Channel, Competence, Competent, LegalClass, routed_to
from registry import keycheck
from registry.draft import Draft
from registry.faults import found
from registry.source import Place
from registry.territories import TerritoryTable

_RANK = {legal_class: rank for rank, legal_class in enumerate(LegalClass)}


def check(draft: Draft, territories: TerritoryTable, adapters: Mapping[str, Adapter]) -> None:
    """Run all checks; faults are noted in the draft."""
    _references(draft)
    _circles(draft)
    _stages(draft)
    for authority, place in draft.authorities.values():
        _territory(draft, authority.territory, place.inner("territory"), territories)
        for index, competence in enumerate(authority.competences):
            _competence(draft, authority, competence, place.inner("competences", index), territories)
    _awaited(draft, territories)
    _channels(draft, adapters)
    _keys(draft)


def _awaited(draft: Draft, territories: TerritoryTable) -> None:
    known = draft.authorities.keys() | draft.spoiled
    come = {(a.kind, a.territory) for a, _ in draft.authorities.values() if a.valid_to is None}
    for body, place in draft.awaited.values():
        if body.superior is not None and body.superior not in known:
            draft.note(
                place.inner("superior"), "registry.superior.unknown", "no authority of the registry has this code"
            )
        if body.branch is None and (body.kind, body.territory) in come:
            message = "an authority of this kind has this territory: give it the competences and take this entry out"
            draft.note(place, "registry.awaited.come", message)
        _territory(draft, body.territory, place.inner("territory"), territories)
        for index, competence in enumerate(body.competences):
            _competence(draft, body, competence, place.inner("competences", index), territories)


def _references(draft: Draft) -> None:
    known = draft.authorities.keys() | draft.spoiled
    for authority, place in draft.authorities.values():
        for name, code in (("superior", authority.superior), ("successor", authority.successor)):
            if code is not None and code not in known:
                draft.note(place.inner(name), f"registry.{name}.unknown", "no authority of the registry has this code")
    for code, place in draft.overlays:
        if code not in known:
            draft.note(place, "registry.authority.unknown", "no authority of the registry has this code")
    topics = draft.topics.keys() | draft.spoiled
    for topic, place in draft.topics.values():
        if topic.parent is not None and topic.parent not in topics:
            draft.note(place.inner("parent"), "registry.topic.unknown", "no topic of the registry has this code")


def _circles(draft: Draft) -> None:
    superiors = {code: authority.superior for code, (authority, _) in draft.authorities.items()}
    successors = {code: authority.successor for code, (authority, _) in draft.authorities.items()}
    parents = {code: topic.parent for code, (topic, _) in draft.topics.items()}
    for code in _on_circles(superiors):
        _circle(draft, draft.authorities[code][1].inner("superior"), "superior")
    for code in _on_circles(successors):
        _circle(draft, draft.authorities[code][1].inner("successor"), "successor")
    for code in _on_circles(parents):
        _circle(draft, draft.topics[code][1].inner("parent"), "parent")


def _stages(draft: Draft) -> None:
    """Check that appeals are routed to whom they may be addressed to: by the same channel, no later."""
    stages = [stage for stage, _ in draft.stages]
    for stage, place in draft.stages:
        for index, kind in enumerate(stage.addressed):
            missing = [c.value for c in stage.channels if not routed_to(stages, kind, c, stage.from_day)]
            if missing:
                message = f"appeals by {', '.join(missing)} are not routed to this kind by then: name it under routed"
                draft.note(place.inner("addressed", index), "registry.stage.addressed", message)


def _circle(draft: Draft, place: Place, name: str) -> None:
    draft.note(place, f"registry.{name}.cycle", f"following {name} from here comes back to here")


def _on_circles(following: Mapping[str, str | None]) -> Iterable[str]:
    """One code of each circle: the first in order. Every code is walked over once."""
    done: set[str] = set()
    for start in sorted(following):
        way: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in done and at not in way:
            way[at] = None
            at = following.get(at)
        if at is not None and at in way:
            codes = list(way)
            yield min(codes[codes.index(at) :])
        done.update(way)


def _territory(draft: Draft, code: str | None, place: Place, territories: TerritoryTable) -> None:
    if code is None or code == WHOLE_COUNTRY or code in territories:
        return
    hint = "" if territories.complete else "; it goes down to communities (import-katottg brings the whole codifier)"
    draft.note(place, "registry.territory.unknown", f"the table of territories does not have this code{hint}")


def _competence(
    draft: Draft, authority: Competent, competence: Competence, place: Place, territories: TerritoryTable
) -> None:
    for index, topic in enumerate(competence.topics):
        if topic != ANY_TOPIC and topic not in draft.topics and topic not in draft.spoiled:
            place_of = place.inner("topics", index)
            draft.note(place_of, "registry.topic.unknown", "no topic of the registry has this code")
    for index, code in enumerate(competence.territories):
        _territory(draft, code, place.inner("territories", index), territories)
    if not competence.territories and authority.territory is None:
        message = "says no territories, and the authority has none of its own"
        draft.note(place, "registry.competence.nowhere", message)


def _channels(draft: Draft, adapters: Mapping[str, Adapter]) -> None:
    first: dict[str, Place] = {}
    by_authority: dict[str, list[tuple[Channel, Place]]] = {}
    for code, channel, place in draft.channels:
        if channel.id in first:
            message = f"this channel stands at {first[channel.id].spot} already"
            draft.note(place.inner("id"), "registry.channel.duplicate", message)
        first.setdefault(channel.id, place)
        by_authority.setdefault(code, []).append((channel, place))
        _adapter(draft, channel, place, adapters)
    for channels in by_authority.values():
        _same_way(draft, channels)


def _adapter(draft: Draft, channel: Channel, place: Place, adapters: Mapping[str, Adapter]) -> None:
    adapter = adapters.get(channel.adapter)
    if adapter is None and isinstance(adapters, Table) and channel.adapter in adapters.absent:
        return  # nobody can check it now; its messages wait (adapter.absent)
    if adapter is None:
        message = f"there is no such adapter; there are: {', '.join(sorted(adapters)) or 'none'}"
        draft.note(place.inner("adapter"), "registry.channel.adapter", message)
        return
    if channel.dialect not in adapter.dialects:
        message = f"this adapter does not say that; it says: {', '.join(sorted(adapter.dialects))}"
        draft.note(place.inner("dialect"), "registry.channel.dialect", message)
    if isinstance(adapter, Bounded) and _RANK[channel.legal_class] > _RANK[adapter.strongest(channel)]:
        message = f"this way proves {adapter.strongest(channel)} at most; say so, or less, as the channel's legal_class"
        draft.note(place.inner("legal_class"), "registry.channel.legal_class", message)
    try:
        settings_of(adapter, channel)
    except ValidationError as error:
        inner = place.inner("settings")
        for path, code, message in found(error, inner.path, channel.settings, adapter.settings_model):
            draft.note(Place(place.source, path), code, message)
    else:
        if channel.shadow and adapter.pulled(channel):
            message = "an authority that pulls would fetch the same message twice: nothing could be compared"
            draft.note(place.inner("shadow"), "registry.channel.shadow", message)


def settings_of(adapter: Adapter, channel: Channel) -> BaseModel:
    """A channel's settings as its adapter's model reads them, defaults filled in. Raises ``ValidationError``."""
    model = adapter.settings_model
    # A model that knows dialects says whether the settings are this one's.
    said = {"dialect": channel.dialect} if "dialect" in model.model_fields else {}
    return model.model_validate_json(json.dumps({**said, **channel.settings}))


def _same_way(draft: Draft, channels: list[tuple[Channel, Place]]) -> None:
    """One authority's channels must differ, or falling back would knock at the same door again.

    Two authorities may share an endpoint: several councils live in one document system.
    """
    for (one, _), (other, place) in combinations(channels, 2):
        same = (one.adapter, one.dialect, one.settings) == (other.adapter, other.dialect, other.settings)
        if same and _overlap(one, other):
            message = "goes the same way as an earlier channel of this authority: there is nothing to fall back to"
            draft.note(place, "registry.channel.same", message)


def _overlap(one: Channel, other: Channel) -> bool:
    starts = [day for day in (one.valid_from, other.valid_from) if day is not None]
    ends = [day for day in (one.valid_to, other.valid_to) if day is not None]
    return not starts or not ends or max(starts) < min(ends)


def _keys(draft: Draft) -> None:
    first: dict[str, Place] = {}
    for _, key, place in draft.keys:
        if key.kid in first:
            message = f"this kid stands at {first[key.kid].spot} already"
            draft.note(place.inner("kid"), "registry.key.duplicate", message)
        first.setdefault(key.kid, place)
        if key.valid_to is not None and key.valid_to <= key.valid_from:
            draft.note(place.inner("valid_to"), "registry.validity", "valid_to must be later than valid_from")
        problem = keycheck.problem(key)
        if problem is not None:
            draft.note(place.inner("pem"), "registry.key.pem", problem)
