"""Changes between two directories, entry by entry and field by field: for the person who reviews a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.schemas.base import Frozen
from registry.directory import LoadedDirectory
from registry.territories import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One entry that was ``added``, ``removed`` or ``changed``. ``fields``: what changed, by name."""

    section: str
    code: str
    change: str
    fields: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"section": self.section, "code": self.code, "change": self.change, "fields": list(self.fields)}


def compare(old: LoadedDirectory, new: LoadedDirectory) -> tuple[Difference, ...]:
    """All differences, by section and code; empty exactly if the two versions are equal."""
    return (
        *_entries("authorities", {a.code: a for a in old.authorities()}, {a.code: a for a in new.authorities()}),
        *_entries("awaited", {a.code: a for a in old.awaited()}, {a.code: a for a in new.awaited()}),
        *_entries("topics", {t.code: t for t in old.topics()}, {t.code: t for t in new.topics()}),
        *_stages(old, new),
        *_units({u.code: u for u in old.territories.units()}, {u.code: u for u in new.territories.units()}),
    )


def _entries(section: str, old: Mapping[str, Frozen], new: Mapping[str, Frozen]) -> Iterable[Difference]:
    for code in sorted(old.keys() | new.keys()):
        if code not in old:
            yield Difference(section=section, code=code, change="added")
        elif code not in new:
            yield Difference(section=section, code=code, change="removed")
        elif old[code] != new[code]:
            yield Difference(section=section, code=code, change="changed", fields=_fields(old[code], new[code]))


def _fields(old: Frozen, new: Frozen) -> tuple[str, ...]:
    return tuple(name for name in type(old).model_fields if getattr(old, name) != getattr(new, name))


def _stages(old: LoadedDirectory, new: LoadedDirectory) -> Iterable[Difference]:
    for gone in old.stages():
        if gone not in new.stages():
            yield Difference(section="stages", code=f"{gone.stage}/{gone.channels[0]}", change="removed")
    for fresh in new.stages():
        if fresh not in old.stages():
            yield Difference(section="stages", code=f"{fresh.stage}/{fresh.channels[0]}", change="added")


def _units(old: Mapping[str, Unit], new: Mapping[str, Unit]) -> Iterable[Difference]:
    for code in sorted(old.keys() | new.keys()):
        if code not in old:
            yield Difference(section="territories", code=code, change="added")
        elif code not in new:
            yield Difference(section="territories", code=code, change="removed")
        elif old[code] != new[code]:
            fields = tuple(n for n in ("level", "name", "parent") if getattr(old[code], n) != getattr(new[code], n))
            yield Difference(section="territories", code=code, change="changed", fields=fields)
