"""Entries of a loaded registry for people: values with their defaults, and where each that is written stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import NotFound
from hub.ports import Adapter
from hub.schemas.directory import Channel, Competent, Valid
from registry.checks import settings_of
from registry.loader import Loaded
from registry.source import Place
from registry.yamlfile import Path

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. ``places``: file and line by path, of what is written; all else is a default. Without any, it comes
    from a table and not from YAML.
    """

    what: str
    document: Row
    places: Mapping[Path, str]

    def as_json(self) -> Row:
        """For ``--json``: ``at`` has the places by JSON pointer, the entry's own under the empty one."""
        at = {"".join(f"/{part}" for part in path): spot for path, spot in self.places.items()}
        return {"what": self.what, **self.document, "at": at}

    def rows(self) -> Iterator[tuple[Path, Any, str | None]]:
        """Every value by its path, with its place; None = a default."""
        for path, value in leaves(self.document):
            yield path, value, self.places.get(path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Values that hold no named values, by path; each item of a list of mappings is one."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield from (((*path, index), item) for index, item in enumerate(value))
    else:
        yield path, value


def entry(loaded: Loaded, code: str, adapters: Mapping[str, Adapter]) -> Entry:
    """The authority, awaited body, channel, topic or territory with this code. Raises ``NotFound``."""
    found = _body(loaded, code) or _channel(loaded, code, adapters) or _simple(loaded, code)
    if found is None:
        message = "The registry has no authority, channel, topic or territory with this code."
        raise NotFound(message, code="registry.absent")
    return found


def _body(loaded: Loaded, code: str) -> Entry | None:
    """An authority, with the channels and keys that stand apart."""
    body = loaded.directory.authority(code)
    if body is None:
        return None
    own, place = loaded.draft.authorities[code]
    places = _written(place, own.model_dump(mode="json", exclude_unset=True))
    for name, several in (("channels", loaded.draft.channels), ("keys", loaded.draft.keys)):
        spots = (at.spot for owner, _, at in several if owner == code)
        places |= {(name, index): spot for index, spot in enumerate(spots)}
    return Entry(what="authority", document=body.model_dump(mode="json", exclude_defaults=True), places=places)


def _channel(loaded: Loaded, code: str, adapters: Mapping[str, Adapter]) -> Entry | None:
    for owner, channel, place in loaded.draft.channels:
        if channel.id == code:
            places = _written(place, channel.model_dump(mode="json", exclude_unset=True))
            document = {"authority": owner, **effective(channel, adapters)}
            return Entry(what="channel", document=document, places={("authority",): place.spot} | places)
    return None


def _simple(loaded: Loaded, code: str) -> Entry | None:
    sections = (("awaited", loaded.draft.awaited), ("topic", loaded.draft.topics))
    for what, (value, place) in ((what, found[code]) for what, found in sections if code in found):
        document = value.model_dump(mode="json", exclude_defaults=True)
        return Entry(what=what, document=document, places=_written(place, document))
    unit = loaded.directory.territory(code)
    if unit is None:
        return None
    ancestry = list(loaded.directory.ancestry(code))
    return Entry(what="territory", document={**unit.model_dump(mode="json"), "ancestry": ancestry}, places={})


def effective(channel: Channel, adapters: Mapping[str, Adapter]) -> Row:
    """A channel with the defaults of its adapter filled in; as written where the adapter cannot be loaded now."""
    document = channel.model_dump(mode="json")
    adapter = adapters.get(channel.adapter)
    if adapter is not None:
        settings = settings_of(adapter, channel).model_dump(mode="json", by_alias=True)
        document["settings"] = {k: v for k, v in settings.items() if k != "dialect" or k in channel.settings}
    return document


def _written(place: Place, written: Row) -> dict[Path, str]:
    return {(): place.spot} | {path: place.inner(*path).spot for path, _ in leaves(written)}


def _authorities(loaded: Loaded) -> Iterator[Row]:
    for body in loaded.directory.authorities():
        at = loaded.draft.authorities[body.code][1].spot
        row = {"code": body.code, "kind": body.kind.value, "channels": len(body.channels), "name": body.name, "at": at}
        yield row


def _channels(loaded: Loaded) -> Iterator[Row]:
    for owner, channel, place in loaded.draft.channels:
        named = {"code": channel.id, "authority": owner, "adapter": channel.adapter, "dialect": channel.dialect}
        yield {**named, "legal_class": channel.legal_class.value, "shadow": channel.shadow, **_validity(channel, place)}


def _lanes(loaded: Loaded) -> Iterator[Row]:
    for _, channel, place in loaded.draft.channels:
        lane = channel.lane
        at = place.inner("lane").spot if "lane" in channel.model_fields_set else None
        yield {"code": channel.id, **lane.model_dump(mode="json"), "at": at}


def _competences(loaded: Loaded) -> Iterator[Row]:
    bodies: list[tuple[Competent, Place]] = [*loaded.draft.authorities.values(), *loaded.draft.awaited.values()]
    for body, place in bodies:
        for index, competence in enumerate(body.competences):
            told = competence.model_dump(mode="json", exclude={"valid_from", "valid_to"})
            told["territories"] = told["territories"] or [body.territory]
            yield {"code": body.code, **told, **_validity(competence, place.inner("competences", index))}


def _topics(loaded: Loaded) -> Iterator[Row]:
    for topic, place in loaded.draft.topics.values():
        yield {"code": topic.code, "parent": topic.parent, "name": topic.name, "at": place.spot}


def _territories(loaded: Loaded) -> Iterator[Row]:
    for unit in loaded.directory.territories.units():
        yield {"code": unit.code, "level": unit.level, "parent": unit.parent, "name": unit.name, "at": None}


def _stages(loaded: Loaded) -> Iterator[Row]:
    for stage, place in loaded.draft.stages:
        yield {"code": str(stage.stage), **stage.model_dump(mode="json", exclude={"stage"}), "at": place.spot}


def _keys(loaded: Loaded) -> Iterator[Row]:
    for owner, key, place in loaded.draft.keys:
        told = key.model_dump(mode="json", exclude={"pem", "kid"})
        yield {"code": key.kid, "authority": owner, **told, "at": place.spot}


def _awaited(loaded: Loaded) -> Iterator[Row]:
    for body, place in loaded.draft.awaited.values():
        row = {"code": body.code, "superior": body.superior, "competences": len(body.competences)}
        yield {**row, "name": body.name, "at": place.spot}


def _validity(value: Valid, place: Place) -> Row:
    days = value.model_dump(mode="json", include={"valid_from", "valid_to"})
    return {**days, "at": place.spot}


SECTIONS: Final[Mapping[str, Callable[[Loaded], Iterator[Row]]]] = {
    "authorities": _authorities,
    "channels": _channels,
    "lanes": _lanes,
    "competences": _competences,
    "topics": _topics,
    "territories": _territories,
    "stages": _stages,
    "keys": _keys,
    "awaited": _awaited,
}
"""Lists of everything that a registry holds. Each row has ``code`` and ``at`` (None: nothing is written)."""
