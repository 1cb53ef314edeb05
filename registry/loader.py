"""Loads a registry folder into a directory, or refuses it as a whole with every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hub.errors import Fault, RegistryRefused
from hub.ports import Adapter
from hub.schemas.directory import Authority, Channel
from hub.schemas.keys import VerificationKey
from registry import territories
from registry.checks import check
from registry.directory import LoadedDirectory
from registry.draft import Draft
from registry.faults import pointer
from registry.source import MAX_FILE_BYTES, MAX_FILES, FileFault, Place, YamlFile, territory_file, yaml_files
from registry.territories import TerritoryTable
from registry.yamlfile import Parsed, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A directory and the draft that it was made of, which knows where each entry stands."""

    directory: LoadedDirectory
    draft: Draft


Seen: TypeAlias = dict[str, Parsed]
"""Texts that were parsed before: two versions of a registry have most files in common."""


def load(folder: Path, adapters: Mapping[str, Adapter], *, seen: Seen | None = None) -> LoadedDirectory:
    """The directory that the folder's files describe. Raises ``RegistryRefused`` naming every fault by file and line.

    Reads all ``*.yaml`` and ``*.yml`` below the folder, and ``territories.csv`` or ``territories.csv.gz`` in it;
    without the latter the shipped table serves. ``adapters``: by name; their models check the channels'
    settings. ``seen``: kept by a caller that loads more than one version.
    """
    return judge(folder, read(folder, seen=seen), adapters).directory


def read(folder: Path, instead: Mapping[str, str] | None = None, *, seen: Seen | None = None) -> Draft:
    """The entries of all files, not yet checked against one another. ``instead``: texts that count for files of these
    names, whatever stands in them.
    """
    draft = Draft()
    for path, source in _files(folder, draft):
        source.text = (instead or {}).get(source.name, "")
        _read_one(path, source, draft, seen)
    draft.take_listed()
    return draft


def judge(folder: Path, draft: Draft, adapters: Mapping[str, Adapter]) -> Loaded:
    """Check a draft that was read of the folder, once. Raises ``RegistryRefused``."""
    table, table_faults = _table(folder)
    check(draft, table, adapters)
    if draft.faults or table_faults:
        told = tuple(_tell(item) for item in sorted(draft.faults, key=_order))
        raise RegistryRefused("the registry's files are broken and were refused as a whole", faults=table_faults + told)
    directory = LoadedDirectory(
        authorities=_merged(draft),
        awaited=[body for body, _ in draft.awaited.values()],
        topics=[topic for topic, _ in draft.topics.values()],
        stages=[stage for stage, _ in draft.stages],
        territories=table,
    )
    return Loaded(directory=directory, draft=draft)


def _table(folder: Path) -> tuple[TerritoryTable, tuple[Fault, ...]]:
    """The table in force; if the folder's own is broken the shipped one, so that the other checks can be made."""
    try:
        own = territory_file(folder)
        return (territories.read(own) if own is not None else territories.shipped()), ()
    except RegistryRefused as refused:
        return territories.shipped(), refused.faults
    except OSError as error:
        message = f"the folder cannot be read: {error.strerror}"
        return territories.shipped(), (Fault(pointer=".", code="registry.folder.unreadable", message=message),)


def _files(folder: Path, draft: Draft) -> Sequence[tuple[Path, YamlFile]]:
    whole = Place(YamlFile("."), ())
    try:
        paths = list(yaml_files(folder))
    except OSError as error:
        draft.note(whole, "registry.folder.unreadable", f"the folder cannot be read: {error.strerror}")
        return ()
    if not paths:
        draft.note(whole, "registry.folder.empty", "the folder holds no *.yaml file")
    if len(paths) > MAX_FILES:
        draft.note(whole, "registry.folder.too_many", f"the folder holds more than {MAX_FILES} files")
        return ()
    return [(path, YamlFile(path.relative_to(folder).as_posix())) for path in paths]


def _read_one(path: Path, source: YamlFile, draft: Draft, seen: Seen | None) -> None:
    """One file; a ``source`` that has its text already is not read."""
    top = Place(source, ())
    try:
        if len(source.text) > MAX_FILE_BYTES or path.stat().st_size > MAX_FILE_BYTES:
            draft.note(top, "registry.file.too_large", f"over {MAX_FILE_BYTES} bytes: split it")
            return
        source.text = source.text or path.read_text(encoding="utf-8-sig")
    except OSError as error:
        draft.note(top, "registry.file.unreadable", f"cannot be read: {error.strerror}")
        return
    except UnicodeDecodeError:
        draft.note(top, "registry.file.encoding", "is not UTF-8")
        return
    parsed = _parsed(source.text, seen)
    draft.faults.extend(FileFault(Place(source, p.path), p.code, p.message, p.line) for p in parsed.problems)
    draft.add(source, parsed.data)


def _parsed(text: str, seen: Seen | None) -> Parsed:
    if seen is None:
        return parse(text)
    if text not in seen:
        seen[text] = parse(text)
    return seen[text]


def _merged(draft: Draft) -> list[Authority]:
    """Authorities with the channels and keys that stand apart added after their own, in order of file and place."""
    if not draft.overlays:
        return [authority for authority, _ in draft.authorities.values()]
    channels: dict[str, list[Channel]] = {}
    keys: dict[str, list[VerificationKey]] = {}
    for code, channel, _ in draft.channels:
        channels.setdefault(code, []).append(channel)
    for code, key, _ in draft.keys:
        keys.setdefault(code, []).append(key)
    changed = {code for code, _ in draft.overlays}
    return [
        authority.model_copy(update={"channels": tuple(channels.get(code, ())), "keys": tuple(keys.get(code, ()))})
        if code in changed
        else authority
        for code, (authority, _) in draft.authorities.items()
    ]


def _order(item: FileFault) -> tuple[str, int, str]:
    return item.place.source.name, item.where(), str(item.place.path)


def _tell(item: FileFault) -> Fault:
    where = pointer(item.place.source.name, item.where(), item.place.path)
    return Fault(pointer=where, code=item.code, message=item.message)
