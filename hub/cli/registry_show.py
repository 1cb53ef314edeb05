"""``hub registry show``: every entry of the registry as the hub reads it, and the file and line where it stands."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import click

from hub import adapters
from hub.cli.output import emit, json_option, table
from hub.cli.registry_folder import chosen_folder, registry_option
from registry.loader import Loaded, judge, read
from registry.showing import SECTIONS, Entry, entry

_CUT: Final = 100
"""Longer values are cut in tables; ``--json`` shows them whole."""


@click.command("show")
@click.argument("code", required=False)
@click.option(
    "--list", "section", type=click.Choice(list(SECTIONS)), help="List these; CODE is then a pattern of codes."
)
@registry_option
@json_option
def show(code: str | None, section: str | None, folder: Path | None, as_json: bool) -> None:
    """Show one authority, channel, topic or territory by its CODE, with its defaults, and where each value stands.

    Without CODE, list the authorities; --list lists channels, lanes, competences and so on. Secrets are shown as the
    references that the files hold.
    """
    where = chosen_folder(folder)
    known = adapters.table()
    loaded = judge(where, read(where), known)
    if code is None or section is not None:
        _list(loaded, section or "authorities", code or "*", as_json=as_json)
    else:
        _one(entry(loaded, code, known), as_json=as_json)


def _list(loaded: Loaded, section: str, pattern: str, *, as_json: bool) -> None:
    rows = [row for row in SECTIONS[section](loaded) if fnmatchcase(row["code"], pattern)]
    head = list(rows[0]) if rows else ["code", "at"]
    lines = table(head, [[_short(row[name]) for name in head] for row in rows])
    emit({"version": loaded.directory.version, section: rows}, as_json=as_json, lines=lines)


def _one(found: Entry, *, as_json: bool) -> None:
    default = "default" if found.places else "table of territories"
    rows: list[tuple[str, str | None, str]] = [("", found.what, found.places.get((), default))]
    for path, value, spot in found.rows():
        if value is not None or spot is not None:
            rows.append((".".join(map(str, path)), _short(value), spot or default))
    emit(found.as_json(), as_json=as_json, lines=table(("path", "value", "stands at"), rows))


def _short(value: Any) -> str | None:
    """A value on one line."""
    if value is None or isinstance(value, str):
        told = value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        told = ", ".join(value) or "[]"
    else:
        told = json.dumps(value, ensure_ascii=False)
    if told is not None:
        told = " ".join(told.split())
    return told if told is None or len(told) <= _CUT else f"{told[: _CUT - 1]}…"
