"""The entries of all files, each checked by its own model but not yet against one another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from hub.schemas.base import Frozen
from hub.schemas.directory import Authority, AwaitedBody, Channel, Stage, Topic
from hub.schemas.ids import AuthorityCode
from hub.schemas.keys import VerificationKey
from registry.faults import found
from registry.source import FileFault, Place, YamlFile


class ChannelEntry(Frozen):
    """A channel that stands apart from its authority: integration engineers keep it out of the reviewed list."""

    authority: AuthorityCode
    channel: Channel


class KeyEntry(Frozen):
    """A key that stands apart from its authority."""

    authority: AuthorityCode
    key: VerificationKey


@dataclass(slots=True)
class Draft:
    """Content that was read. ``spoiled``: codes of entries that are broken themselves, so that nobody is told twice.

    ``listed``: bodies as an official list has them; an entry under ``authorities`` with the same code goes before.
    """

    authorities: dict[str, tuple[Authority, Place]] = field(default_factory=dict)
    listed: dict[str, tuple[Authority, Place]] = field(default_factory=dict)
    awaited: dict[str, tuple[AwaitedBody, Place]] = field(default_factory=dict)
    topics: dict[str, tuple[Topic, Place]] = field(default_factory=dict)
    stages: list[tuple[Stage, Place]] = field(default_factory=list)
    channels: list[tuple[str, Channel, Place]] = field(default_factory=list)
    keys: list[tuple[str, VerificationKey, Place]] = field(default_factory=list)
    overlays: list[tuple[str, Place]] = field(default_factory=list)
    spoiled: set[str] = field(default_factory=set)
    faults: list[FileFault] = field(default_factory=list)

    def note(self, place: Place, code: str, message: str) -> None:
        """Write a fault down."""
        self.faults.append(FileFault(place, code, message))

    def add(self, source: YamlFile, data: Any) -> None:
        """Take in one file's content."""
        top = Place(source, ())
        if data is None:
            return
        if not isinstance(data, dict):
            self.note(top, "registry.file.shape", f"a registry file is a mapping with the keys {', '.join(_SECTIONS)}")
            return
        for section, entries in data.items():
            place = top.inner(section)
            if section not in _SECTIONS:
                self.note(place, "registry.unknown_key", f"there is no such section; there are: {', '.join(_SECTIONS)}")
            elif isinstance(entries, list):
                for index, entry in enumerate(entries):
                    self._entry(section, entry, place.inner(index))
            elif entries is not None:
                self.note(place, "registry.list_type", "must be a list")

    def _entry(self, section: str, entry: Any, place: Place) -> None:
        model, kind, take = _SECTIONS[section]
        try:
            # By way of JSON: there strict means that text is text, while lists become tuples and words enum members.
            value = model.validate_json(json.dumps(entry))
        except ValidationError as error:
            for path, code, message in found(error, place.path, entry, kind):
                self.note(Place(place.source, path), code, message)
            if isinstance(entry, dict) and isinstance(entry.get("code"), str):
                self.spoiled.add(entry["code"])
        else:
            take(self, value, place)

    def _authority(self, value: Authority, place: Place) -> None:
        if value.code in self.authorities:
            self._twice(place.inner("code"), "authority", self.authorities[value.code][1])
            return
        self.authorities[value.code] = (value, place)
        for index, channel in enumerate(value.channels):
            self.channels.append((value.code, channel, place.inner("channels", index)))
        for index, key in enumerate(value.keys):
            self.keys.append((value.code, key, place.inner("keys", index)))

    def _listed(self, value: Authority, place: Place) -> None:
        if value.code in self.listed:
            self._twice(place.inner("code"), "authority", self.listed[value.code][1])
            return
        self.listed[value.code] = (value, place)

    def take_listed(self) -> None:
        """Bring in the listed bodies that no reviewed entry describes. Call it once all files are read."""
        for value, place in self.listed.values():
            if value.code not in self.authorities and value.code not in self.spoiled:
                self._authority(value, place)

    def _await(self, value: AwaitedBody, place: Place) -> None:
        if value.code in self.awaited:
            self._twice(place.inner("territory"), "awaited", self.awaited[value.code][1])
            return
        self.awaited[value.code] = (value, place)

    def _topic(self, value: Topic, place: Place) -> None:
        if value.code in self.topics:
            self._twice(place.inner("code"), "topic", self.topics[value.code][1])
            return
        self.topics[value.code] = (value, place)

    def _stage(self, value: Stage, place: Place) -> None:
        self.stages.append((value, place))

    def _channel(self, value: ChannelEntry, place: Place) -> None:
        self.overlays.append((value.authority, place.inner("authority")))
        self.channels.append((value.authority, value.channel, place.inner("channel")))

    def _key(self, value: KeyEntry, place: Place) -> None:
        self.overlays.append((value.authority, place.inner("authority")))
        self.keys.append((value.authority, value.key, place.inner("key")))

    def _twice(self, place: Place, what: str, first: Place) -> None:
        message = f"this {what} stands at {first.spot} already"
        self.note(place, f"registry.{what}.duplicate", message)


_Take = Callable[[Draft, Any, Place], None]
_SECTIONS: Final[dict[str, tuple[TypeAdapter[Any], type[Frozen], _Take]]] = {
    "authorities": (TypeAdapter(Authority), Authority, Draft._authority),
    "awaited": (TypeAdapter(AwaitedBody), AwaitedBody, Draft._await),
    "channels": (TypeAdapter(ChannelEntry), ChannelEntry, Draft._channel),
    "keys": (TypeAdapter(KeyEntry), KeyEntry, Draft._key),
    "listed": (TypeAdapter(Authority), Authority, Draft._listed),
    "stages": (TypeAdapter(Stage), Stage, Draft._stage),
    "topics": (TypeAdapter(Topic), Topic, Draft._topic),
}
