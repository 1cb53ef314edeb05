"""``hub registry set``: one change of many channels in the registry's own files, checked before it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from hub import adapters
from hub.cli.output import emit, json_option
from hub.cli.registry_diff import cases_options, reroute_stored, told
from hub.cli.registry_folder import chosen_folder, registry_option, unusable_channels
from hub.errors import Fault, RegistryRefused
from hub.schemas.directory import Channel
from registry.assignments import ACTION, assignment, unset
from registry.change import Plan, plan
from registry.checks import settings_of
from registry.replacing import replace_all

_NAMED: Final = 5


@click.command("set")
@click.argument("glob")
@click.argument("assignments", nargs=-1, metavar="[PATH=VALUE]...")
@click.option("--unset", "gone", multiple=True, metavar="PATH", help="Take this setting out. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Show and check the change; write nothing.")
@cases_options
@registry_option
@json_option
def set_channels(
    glob: str,
    assignments: tuple[str, ...],
    gone: tuple[str, ...],
    dry_run: bool,
    cases: int | None,
    day: datetime | None,
    home: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Set PATH (lane.rate_per_sec, settings.url) to VALUE in all channels whose id fits GLOB; PATH= takes it out.

    The files keep their comments and layout. The whole registry is checked with the change before anything is written;
    all files are written, or none. Exit code 1 if it is refused.
    """
    if not assignments and not gone:
        raise click.UsageError("Say at least one PATH=VALUE, or --unset PATH.")
    changes = [*map(assignment, assignments), *map(unset, gone)]
    where, known = chosen_folder(folder, home), adapters.table()
    found = plan(where, known, glob, changes)
    document, lines = {**_document(found), "notes": _noted(found)}, [*_diffs(found), *_summary(found)]
    lines += [f"note: {note['channel']}: {note['message']}" for note in document["notes"]]
    if cases is not None:
        before, after = found.before(where, known), found.after.directory
        rerouted = reroute_stored(before, after, cases, day, home)
        document["cases"] = rerouted.as_json()
        lines += told(rerouted, before, after)
    if not dry_run:
        replace_all(where, found.files)
    document["written"] = bool(found.files) and not dry_run
    lines += ["Nothing was written (--dry-run)."] if dry_run and found.files else []
    emit(document, as_json=as_json, lines=lines)


def _noted(found: Plan) -> list[dict[str, str]]:
    """Changed channels that cannot be used on this machine, and could not before. If the change is why, it is refused:
    a WSDL that is missing, or does not fit the mapping.
    """
    after = (channel for _, channel in found.after.directory.channels() if channel.id in found.changed)
    new = unusable_channels(after)
    named = {each["pointer"] for each in new}
    old = unusable_channels(filter(_is_sound, (channel for channel in found.matched if channel.id in named)))
    spots = {each.channel_id: f"{file.name}:{each.line}" for file in found.files for each in file.channels}
    faults = [Fault(**{**each, "pointer": spots[each["pointer"]]}) for each in new if each not in old]
    if faults:
        message = "channels could not be used here with this, so nothing was written"
        raise RegistryRefused(message, faults=faults, action=ACTION)
    return [{"channel": each["pointer"], "message": f"{each['message']} ({each['code']})"} for each in new]


def _is_sound(channel: Channel) -> bool:
    """True if its settings are well made: a channel as it was need not be."""
    adapter = adapters.table().get(channel.adapter)
    try:
        return adapter is not None and bool(settings_of(adapter, channel))
    except ValidationError:
        return False


def _document(found: Plan) -> dict[str, Any]:
    return {
        "ok": True,
        "version": found.after.directory.version,
        "matched": [channel.id for channel in found.matched],
        "changed": list(found.changed),
        "files": [{"file": each.name, "diff": each.diff()} for each in found.files],
    }


def _diffs(found: Plan) -> Iterator[str]:
    for each in found.files:
        yield from each.diff()


def _summary(found: Plan) -> Sequence[str]:
    count, matched = len(found.changed), len(found.matched)
    if not found.files:
        return [f"{matched} channels fit, and all have these values already: nothing to change."]
    version = found.after.directory.version
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    files = "1 file" if len(found.files) == 1 else f"{len(found.files)} files"
    return [
        f"{count} of {matched} channels that fit change, in {files}: {', '.join(found.changed[:_NAMED])}{more}.",
        f"Registry {version} is sound.",
    ]
