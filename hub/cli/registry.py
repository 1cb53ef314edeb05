"""``hub registry``: check, show, compare and change registry folders; bring in the official lists."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from hub import adapters
from hub.cli.output import emit, json_option, table
from hub.cli.registry_diff import diff
from hub.cli.registry_folder import FOLDER, chosen_folder, load_folder, placed_unusable, registry_option
from hub.cli.registry_set import set_channels
from hub.cli.registry_show import show
from hub.errors import RegistryRefused
from hub.ports import Mapped
from hub.schemas.kyiv import kyiv_day
from hub.workbench import rehearsing
from registry import LoadedDirectory, drafting, editor, import_katottg, import_sev
from registry.coverage import cover
from registry.official import ImportReport

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
F = TypeVar("F", bound=Callable[..., Any])


@click.group("registry")
def registry_group() -> None:
    """Check, show, compare, change and import the registry.

    Exit codes: 0 sound, 1 broken or refused, 2 wrong usage.
    """


for command in (show, diff, set_channels):
    registry_group.add_command(command)


@registry_group.command()
@registry_option
@json_option
def check(folder: Path | None, as_json: bool) -> None:
    """Load the whole registry and name every fault by file and line."""
    try:
        chosen = chosen_folder(folder)
        directory = load_folder(chosen)
    except RegistryRefused as refused:
        faults = [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in refused.faults]
        lines = [*(f"{f.pointer}: {f.message} ({f.code})" for f in refused.faults), f"{len(faults)} faults: refused."]
        emit({"ok": False, "faults": faults}, as_json=as_json, lines=lines)
        sys.exit(1)
    unusable = placed_unusable((channel for _, channel in directory.channels()), chosen)
    if unusable:
        lines = [
            *(f"{u['pointer']}: {u['message']} ({u['code']})\n  Next: {u['next']}" for u in unusable),
            f"{len(unusable)} channels fail.",
        ]
        emit({"ok": False, "faults": unusable}, as_json=as_json, lines=lines)
        sys.exit(1)
    counts, notes = _counts(directory), _notes(directory)
    told = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in counts.items())
    emit(
        {"ok": True, "version": directory.version, **counts, "notes": notes},
        as_json=as_json,
        lines=[
            f"Registry {directory.version} is sound: {told}.",
            *(f"note: {note['channel']}: {note['message']}" for note in notes),
        ],
    )


@registry_group.command()
@click.argument("name", required=False, type=click.Choice([editor.REGISTRY, editor.MAPPING]))
@click.option("--to", type=FOLDER, help="Folder to write all of them into.")
def schema(name: str | None, to: Path | None) -> None:
    """Print a JSON Schema of the registry's files for editors, or write all; without either, their names.

    It holds for the adapters that are installed here, those of outside packages too.
    """
    if to is not None:
        click.echo("\n".join(str(path) for path in editor.write(to, adapters.table())))
        return
    made = editor.documents(adapters.table())
    click.echo(json.dumps(made[name], ensure_ascii=False, indent=2) if name is not None else "\n".join(made))


def _notes(directory: LoadedDirectory) -> list[dict[str, str]]:
    """Notes on channels that are not wrong."""
    known = adapters.table()
    return [
        {"channel": channel.id, "message": message}
        for _, channel in directory.channels()
        if isinstance(adapter := known[channel.adapter], Mapped)
        for message in (*adapter.notes(channel), *rehearsing.notes(adapter, channel))
    ]


def _counts(directory: LoadedDirectory) -> dict[str, int]:
    authorities = list(directory.authorities())
    return {
        "authorities": len(authorities),
        "with_channels": sum(bool(a.channels) for a in authorities),
        "with_competences": sum(bool(a.competences) for a in authorities),
        "awaited": len(list(directory.awaited())),
        "topics": len(list(directory.topics())),
        "stages": len(directory.stages()),
        "territories": len(directory.territories),
    }


def _importer(function: F) -> F:
    function = click.option("--partial", is_flag=True, help="Write the file even if rows were refused.")(function)
    function = click.option("--overwrite", is_flag=True, help="Replace a file that an earlier import made.")(function)
    function = click.option("--out", type=FOLDER, required=True, help="Registry folder to write into.")(function)
    return click.argument("file", type=_FILE)(json_option(function))


@registry_group.command("import-sev")
@_importer
def import_sev_command(file: Path, out: Path, overwrite: bool, partial: bool, as_json: bool) -> None:
    """Bring the official list of SEV participants FILE into authorities/sev-participants.yaml."""
    begun = time.monotonic()
    report = import_sev.run(file, out, overwrite=overwrite, partial=partial)
    _account(report, out / import_sev.OUT_FILE, time.monotonic() - begun, as_json=as_json)


@registry_group.command("import-katottg")
@_importer
def import_katottg_command(file: Path, out: Path, overwrite: bool, partial: bool, as_json: bool) -> None:
    """Bring the codifier of territories FILE into territories.csv.gz."""
    begun = time.monotonic()
    report = import_katottg.run(file, out, overwrite=overwrite, partial=partial)
    _account(report, out / import_katottg.OUT_FILE, time.monotonic() - begun, as_json=as_json)


@registry_group.command("draft")
@click.option("--out", type=FOLDER, required=True, help="Registry folder to write into.")
@click.option("--sev", type=_FILE, help="A newer list of SEV participants than the shipped one.")
@click.option("--overwrite", is_flag=True, help="Replace files that an earlier draft made.")
@json_option
def draft_command(out: Path, sev: Path | None, overwrite: bool, as_json: bool) -> None:
    """Make routing data out of the official lists: administrations, councils, networks, with their competences.

    Bodies that other files of the folder describe are left to them. The report of gaps is draft-report.md.
    """
    begun = time.monotonic()
    report = drafting.draft(out, sev=sev, overwrite=overwrite)
    secs = time.monotonic() - begun
    found = sum(counts["found"] for counts in report.networks.values())
    awaited = sum(counts["awaited"] for counts in report.networks.values())
    gaps = sum(len(counts["gaps"]) for counts in report.networks.values())
    lines = [
        f"{report.central} bodies for the whole country, {found} in {len(report.networks)} networks, {awaited} wait for"
        f" their codes, {report.listed} others of the list; written to {out} in {secs:.1f} s.",
        f"{gaps} gaps, {len(report.ambiguous)} ambiguous names, {len(report.kept)} left to files that were there:"
        f" see {out / drafting.REPORT_FILE}.",
    ]
    emit({**report.as_json(), "written": str(out), "secs": round(secs, 3)}, as_json=as_json, lines=lines)


@registry_group.command("coverage")
@registry_option
@json_option
def coverage_command(folder: Path | None, as_json: bool) -> None:
    """Tell for each topic which kind of body the communities find first, connected or not; Crimea left out."""
    found = cover(load_folder(folder), kyiv_day(datetime.now(UTC)))
    rows = [
        (one.topic, f"{found.own(one):.1f}", one.awaited, ", ".join(f"{kind} {n}" for kind, n in one.kinds.items()))
        for one in found.topics
    ]
    told = ", ".join(f"{kind} {share} %" for kind, share in found.kinds.items())
    lines = [
        *table(("topic", "own council %", "of them awaited", "communities by kind of body"), rows),
        f"{len(rows)} topics in {found.communities} communities: {told}.",
    ]
    emit(found.as_json(), as_json=as_json, lines=lines)


def _account(report: ImportReport, file: Path, secs: float, *, as_json: bool) -> None:
    """Print the account of rows; exit code 1 if any row was refused, and then nothing was written unless asked for."""
    document = {**report.as_json(), "written": str(file) if report.written else None, "secs": round(secs, 3)}
    done = f"{report.imported_rows} written to {file}" if report.written else f"{file} is left as it was"
    lines = [
        f"{report.source}: {report.rows} rows = {report.clean_rows} clean + {report.odd_rows} odd"
        f" + {report.refused_rows} refused; {done} in {secs:.1f} s.",
        *_kinds("odd", document["odd_kinds"]),
        *_kinds("refused", document["refused_kinds"]),
    ]
    if not report.written:
        lines.append("  Mend the rows, or write the others with --partial.")
    emit(document, as_json=as_json, lines=lines)
    if report.refused_rows:
        sys.exit(1)


def _kinds(title: str, kinds: dict[str, Any]) -> list[str]:
    shown = 5
    return [
        f"  {title} {code}: {kind['count']} – {kind['meaning']} (lines {', '.join(map(str, kind['lines'][:shown]))}"
        f"{', …' if kind['count'] > shown else ''})"
        for code, kind in kinds.items()
    ]
