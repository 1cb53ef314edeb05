"""``hub registry diff``: what changed between two folders, and which appeals of the past would go elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

import registry
from hub import adapters
from hub.cases.stored import newest_appeals
from hub.cli.output import emit, home_option, json_option
from hub.cli.registry_folder import FOLDER
from hub.schemas.kyiv import kyiv_day
from hub.schemas.visible import visible
from hub.settings import load
from hub.storage import open_store
from registry import LoadedDirectory
from registry.diff import Difference, compare
from registry.loader import Seen
from registry.rerouting import OPERATORS, Rerouted, RouteChange, reroute

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN: Final = 5
_MOST_CASES: Final = 1_000_000
_CUT: Final = 100
"""Longer values are cut; ``--json`` shows them whole."""


class CaseChoice(click.ParamType[int]):
    """Cases to ask about: ``last:1000``, the newest thousand."""

    name = "last:N"

    def convert(self, value: int | str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Number of cases."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"last:([0-9]{1,7})", value, re.ASCII)
        if found is None or not 1 <= int(found[1]) <= _MOST_CASES:
            self.fail(f"must be last:N, with N from 1 to {_MOST_CASES:,}.", param, ctx)
        return int(found[1])


def cases_options(function: F) -> F:
    """Adds ``--cases``, ``--day`` and ``--home``."""
    day = click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Kyiv day on which they are asked [today].")
    words = "Ask for the newest N cases of the hub who would answer them, before and after."
    return click.option("--cases", type=CaseChoice(), help=words)(day(home_option(function)))


@click.command("diff")
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@cases_options
@click.option("--exit-code", is_flag=True, help="End with 1 if they differ; with --cases, if a case goes elsewhere.")
@json_option
def diff(
    old: Path,
    new: Path,
    cases: int | None,
    day: datetime | None,
    home: str | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell what changed from the registry folder OLD to NEW, and with --cases which real appeals would go elsewhere.

    Only reads. Exit code 0 whether or not they differ, unless --exit-code is given.
    """
    seen: Seen = {}
    before, after = (registry.load(folder, adapters.table(), seen=seen) for folder in (old, new))
    found = compare(before, after)
    lines = [f"{before.version} → {after.version}: {len(found)} differences."]
    lines += [line for each in found for line in _difference(each)]
    document: dict[str, Any] = {
        "old": before.version,
        "new": after.version,
        "differences": [d.as_json() for d in found],
    }
    rerouted = None
    if cases is not None:
        rerouted = reroute_stored(before, after, cases, day, home)
        document["cases"] = rerouted.as_json()
        lines += told(rerouted, before, after)
    emit(document, as_json=as_json, lines=lines)
    if exit_code and (rerouted.moved if rerouted is not None else found):
        sys.exit(1)


def _difference(found: Difference) -> Iterator[str]:
    """An entry, and under it each value that changed."""
    yield f"{found.change:8} {found.section} {found.code}{': ' if found.fields else ''}{', '.join(found.fields)}"
    yield from (f"         {each.path}: {_value(each.old)} → {_value(each.new)}" for each in found.values)


def _value(value: Any) -> str:
    """A value on one line."""
    told = "—" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    told = visible(told)
    return told if len(told) <= _CUT else f"{told[: _CUT - 1]}…"


def reroute_stored(
    before: LoadedDirectory, after: LoadedDirectory, most: int, day: datetime | None, home: str | None
) -> Rerouted:
    """Ask both versions about the newest cases in the hub's database. Raises ``Unavailable``."""
    asked_on = day.date() if day else kyiv_day(datetime.now(UTC))
    with closing(open_store(load(home=home).sqlalchemy_url)) as store:
        return reroute(before, after, newest_appeals(store, most), asked_on)


def told(found: Rerouted, before: LoadedDirectory, after: LoadedDirectory) -> Iterator[str]:
    """The result as lines, cause by cause."""
    yield (
        f"Cases: {found.asked} asked about as on {found.day:%d.%m.%Y}, {found.moved} would go elsewhere,"
        f" {found.asked - found.moved} the same way."
    )
    for cause in found.causes:
        yield from ("", f"{cause.count} × {_SENTENCES[cause.change]}: was {cause.old}, would be {cause.new}")
        yield from _part("because", cause.because, str)
        yield from _part("", cause.ways, lambda way: " → ".join(_named(code, before, after) for code in way))
        yield from _part("topics", cause.topics, str, most=1)
        yield f"  cases: {', '.join(cause.examples)}{', …' if cause.count > len(cause.examples) else ''}"


_SENTENCES: Final = {
    RouteChange.TO_OPERATORS: "to the operators' queue",
    RouteChange.FROM_OPERATORS: "out of the operators' queue",
    RouteChange.OTHER_AUTHORITY: "to another authority",
    RouteChange.OTHER_CHANNEL: "by another channel",
    RouteChange.CO_EXECUTORS: "with other co-executors",
}


def _part(title: str, counted: Counter[Any], say: Callable[[Any], str], *, most: int = _SHOWN) -> Iterable[str]:
    """The most frequent of a count; ``most`` = 1: all on one line."""
    if most == 1:
        told = [f"{say(what)} {count}" for what, count in counted.most_common(_SHOWN)]
        more = len(counted) - len(told)
        yield f"  {title}: {', '.join(told)}{f' and {more} more' if more else ''}"
        return
    lead = f"{title} " if title else ""
    yield from (f"  {count:6} {lead}{say(what)}" for what, count in counted.most_common(most))
    if len(counted) > most:
        yield f"         and {len(counted) - most} more (--json shows all)"


def _named(code: str, before: LoadedDirectory, after: LoadedDirectory) -> str:
    known = after.authority(code) or before.authority(code) if code != OPERATORS else None
    return f"{code} {known.short_name or known.name}" if known is not None else code
