"""Changes between two directories, entry by entry and field by field: for the person who reviews a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.schemas.base import Frozen
from registry.directory import LoadedDirectory
from registry.territories import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One value, by its path in the entry (``channels[ID].lane.rate_per_sec``); None: it was not there, or is gone.
    Secrets are the references that the files hold.
    """

    path: str
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"path": self.path, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One entry that was ``added``, ``removed`` or ``changed``. ``fields``: what changed, by name; ``values``: each
    value of them that did.
    """

    section: str
    code: str
    change: str
    fields: tuple[str, ...] = ()
    values: tuple[Changed, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        told = {"section": self.section, "code": self.code, "change": self.change, "fields": list(self.fields)}
        return told | {"values": [each.as_json() for each in self.values]}


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
            before, after = old[code].model_dump(mode="json"), new[code].model_dump(mode="json")
            values = tuple(_changed(before, after, ""))
            yield Difference(
                section=section, code=code, change="changed", fields=_fields(old[code], new[code]), values=values
            )


def _fields(old: Frozen, new: Frozen) -> tuple[str, ...]:
    return tuple(name for name in type(old).model_fields if getattr(old, name) != getattr(new, name))


def _changed(old: Any, new: Any, path: str) -> Iterator[Changed]:
    """Values that differ; what has an ``id`` or a ``kid`` is compared with what has the same."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _changed(old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
    elif (rows := _rows(old)) is not None and (fresh := _rows(new)) is not None:
        for name in [*rows, *(name for name in fresh if name not in rows)]:
            yield from _changed(rows.get(name), fresh.get(name), f"{path}[{name}]")
    else:
        yield Changed(path=path, old=old, new=new)


def _rows(value: Any) -> dict[str, Any] | None:
    """Items of a list of mappings by their names, or by their numbers; None for any other value."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return {str(each.get("id") or each.get("kid") or number): each for number, each in enumerate(value)}


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
