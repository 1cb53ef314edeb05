"""How commands print: one JSON document, or lines for a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from hub.schemas.delivery import OperatorItem
from hub.schemas.visible import visible

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Adds ``--json``; the command gets ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def home_option(function: F) -> F:
    """Adds ``--home``; the command gets ``home`` (None = HUB_HOME or ./var)."""
    return click.option("--home", type=click.Path(file_okay=False), help="Home folder [env HUB_HOME; ./var].")(function)


def emit(document: object, *, as_json: bool, lines: Iterable[str]) -> None:
    """Print the document as JSON, or the lines."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    else:
        for line in lines:
            click.echo(line)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a plain table, columns as wide as their longest cell."""
    cells = [[str(c) if c is not None else "—" for c in row] for row in rows]
    widths = [max([len(h), *(len(r[i]) for r in cells)]) for i, h in enumerate(head)]

    def render(row: Sequence[str]) -> str:
        return "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()

    return [render(head), render(["─" * w for w in widths]), *(render(r) for r in cells)]


def waiting(items: Iterable[OperatorItem]) -> list[str]:
    """Lines about what waits for a person, and why. Details hold no personal data: they were redacted when made."""
    return [f"  waits for a person: {visible(item.reason)}: {visible(item.detail)}" for item in items]
