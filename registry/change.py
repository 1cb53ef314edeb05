"""One change of many channels: which files become what, and whether the registry would be sound. Nothing is written.

A change is a pattern of channel ids and assignments to settings of a channel (``lane.rate_per_sec``). It is made in the
files' own texts (``registry.edit``), read again, and checked with the whole registry; a version that is refused exists
in memory only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from hub.errors import Fault, RegistryRefused
from hub.ports import Adapter
from hub.schemas.directory import Channel
from registry.assignments import NewValue, refused
from registry.directory import LoadedDirectory
from registry.draft import Draft
from registry.file_change import FileChange, change_file
from registry.loader import Loaded, Seen, judge, read
from registry.source import Place, YamlFile

_UNKNOWN: Final = "registry.unknown_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change that may be made. ``matched``: channels that the pattern names, as they are; ``changed``: ids of those
    that had other values; ``draft``: the registry as it is, not checked yet; ``after``: as it would be.
    """

    matched: tuple[Channel, ...]
    changed: tuple[str, ...]
    files: tuple[FileChange, ...]
    draft: Draft
    after: Loaded

    def before(self, folder: Path, adapters: Mapping[str, Adapter]) -> LoadedDirectory:
        """The registry as it is; ask once. Raises ``RegistryRefused`` where only the change makes it sound."""
        return (judge(folder, self.draft, adapters) if self.files else self.after).directory


def plan(folder: Path, adapters: Mapping[str, Adapter], pattern: str, assignments: Sequence[NewValue]) -> Plan:
    """The change of all channels whose id fits ``pattern`` (``*``, ``?``, ``[…]``).

    Raises ``RegistryRefused`` with every fault of the registry as it would be, ``InvalidInput`` for a pattern that no
    channel fits or a place that cannot be edited, ``Conflict`` for a file that somebody writes meanwhile.
    """
    seen: Seen = {}
    draft = read(folder, seen=seen)
    matched = [(channel, place) for _, channel, place in draft.channels if fnmatchcase(channel.id, pattern)]
    if not matched:
        raise refused(pattern, "registry.set.no_channel", "no channel that can be read has an id like this")
    made = (change_file(folder, name, found, assignments) for name, found in _by_file(matched).items())
    files = [change for change in made if change.channels]
    return Plan(
        matched=tuple(channel for channel, _ in sorted(matched, key=lambda each: each[0].id)),
        changed=tuple(sorted(each.channel_id for change in files for each in change.channels)),
        files=tuple(files),
        draft=draft,
        after=_judged(folder, draft, adapters, files, seen),
    )


def _by_file(matched: Iterable[tuple[Channel, Place]]) -> dict[str, list[tuple[str, Place]]]:
    grouped: dict[str, list[tuple[str, Place]]] = {}
    for channel, place in matched:
        grouped.setdefault(place.source.name, []).append((channel.id, place))
    return grouped


def _judged(
    folder: Path, draft: Draft, adapters: Mapping[str, Adapter], files: Sequence[FileChange], seen: Seen
) -> Loaded:
    """The registry as it would be. ``RegistryRefused`` with lines of the files as they are."""
    if files:
        draft = read(folder, {each.name: each.after.decode("utf-8-sig") for each in files}, seen=seen)
    try:
        return judge(folder, draft, adapters)
    except RegistryRefused as broken:
        old = {each.name: YamlFile(each.name, each.before.decode("utf-8-sig")) for each in files}
        raise RegistryRefused(
            "the registry would not be sound with this, so nothing was written",
            faults=(_with_hint(_where_it_is(fault, old)) for fault in broken.faults),
            action="Mend the assignments; `hub registry check` tells what was wrong before.",
        ) from None


def _where_it_is(fault: Fault, old: Mapping[str, YamlFile]) -> Fault:
    """A fault with its line in the file as it stands; of what would be new, the line of what is around it."""
    at, hash_sign, inside = fault.pointer.partition("#")
    name = at.rpartition(":")[0]
    if name not in old or not hash_sign:
        return fault
    parts = (part.replace("~1", "/").replace("~0", "~") for part in inside.split("/")[1:])
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    return replace(fault, pointer=f"{name}:{old[name].where(path)}#{inside}")


def _with_hint(fault: Fault) -> Fault:
    """A fault that says where a setting of the channel itself belongs, if it was put among the adapter's."""
    *_, above, name = ("", "", *fault.pointer.split("/"))
    if fault.code != _UNKNOWN or above != "settings" or name not in Channel.model_fields:
        return fault
    return replace(fault, message=f"{fault.message}; {name} stands beside settings: leave `settings.` out of its path")
