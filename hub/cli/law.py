"""``hub law``: the terms that the hub counts by, and where they end that begin on a day."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import click

from hub.cli.output import emit, home_option, json_option, table
from hub.errors import Fault, InvalidInput
from hub.schemas.kyiv import KYIV, kyiv_day
from hub.settings import load
from hub.tracking import law


def _law(folder: Path | None, home: str | None) -> law.Law:
    """Law of a folder, or the law that a hub in this home would count by."""
    chosen = folder or load(home=home).law
    return law.read(chosen)


folder_argument = click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))


@click.group()
def law_group() -> None:
    """Terms of the law: show, check, count."""


@law_group.command("show")
@folder_argument
@home_option
@json_option
def show(folder: Path | None, home: str | None, as_json: bool) -> None:
    """Show (and so check) the terms in force, or those of a FOLDER with terms.yaml and calendar.yaml."""
    rows = [
        {
            "term": rule.code,
            "length": " ".join(f"{n} {unit}" for unit, n in rule.length.model_dump(exclude_none=True).items()),
            "from": ", ".join(rule.starts),
            "binding": rule.binding,
            "overdue": rule.overdue,
            "law": rule.law,
            "knowledge": rule.knowledge,
        }
        for rule in _law(folder, home).rules.values()
    ]
    emit(rows, as_json=as_json, lines=table(list(rows[0]), [list(row.values()) for row in rows]))


@law_group.command("due")
@click.argument("day")
@click.option("--at", "clock", default="10:00", show_default=True, help="Kyiv time of the receipt.")
@home_option
@json_option
def due(day: str, clock: str, home: str | None, as_json: bool) -> None:
    """Where each term ends that begins on DAY (YYYY-MM-DD), by the calendar in force."""
    try:
        start = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), KYIV)
    except ValueError:
        fault = Fault(pointer="DAY", code="law.day", message="must be YYYY-MM-DD, and --at HH:MM")
        raise InvalidInput("This is no day.", code="law.day", faults=[fault]) from None
    counted = _law(None, home)
    rows = []
    for rule in counted.rules.values():
        end = counted.end_of(rule, start)
        local = end.at.astimezone(KYIV)
        rows.append(
            {
                "term": rule.code,
                "ends": f"{local:%Y-%m-%d %H:%M}",
                "days": (kyiv_day(end.at) - start.date()).days,
                "provisional": end.provisional,
                "law": rule.law,
            }
        )
    emit(rows, as_json=as_json, lines=table(list(rows[0]), [list(row.values()) for row in rows]))
