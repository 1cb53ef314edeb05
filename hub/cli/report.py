"""``hub report``: volumes, terms kept, redirects, formal answers and surges, on a terminal."""

from __future__ import annotations

from datetime import date, timedelta

import click

from hub.api.reports import name_of, oblast_name
from hub.bootstrap import Hub, build
from hub.cli.output import emit, home_option, json_option, table
from hub.following.follower import NAME
from hub.following.reports import Report, report, surges
from hub.following.values import ReportBy, ReportFilter
from hub.schemas.kyiv import KYIV, kyiv_day
from hub.settings import load

_SURGES = "surges"
_DAY = click.DateTime(["%Y-%m-%d"])


def _note(hub: Hub) -> list[str]:
    """A word if the figures lag behind."""
    since = hub.following.pruning.behind(NAME)
    return [f"The figures lag behind since {since.astimezone(KYIV):%d.%m.%Y %H:%M:%S}."] if since else []


def _report(hub: Hub, kind: Report, by: ReportBy, where: ReportFilter, *, as_json: bool) -> None:
    lines = report(hub.following.insights, kind, by, where, hub.clock.now())
    directory = hub.registry.current()
    named = [(one, name_of(directory, by, one.key)) for one in lines]
    columns = list(lines[0].values) if lines else []
    rows = [(one.key or "—", name, *(one.values[column] for column in columns)) for one, name in named]
    document = [{"key": one.key, "name": name, **one.values} for one, name in named]
    emit(document, as_json=as_json, lines=[*table((by.value, "name", *columns), rows), *_note(hub)])


def _surges(hub: Hub, on: date, where: ReportFilter, *, as_json: bool) -> None:
    directory = hub.registry.current()
    found = surges(hub.following.insights, where, on, hub.law.calendar.is_off)
    document = [
        {
            "topic": surge.topic or None,
            "territory": surge.territory or None,
            "name": oblast_name(directory, surge.territory),
            "count": surge.signal.count,
            "expected": f"{surge.signal.expected:.1f}",
            "excess": f"{surge.signal.excess:.1f}",
            "c2": f"{surge.signal.c2:.1f}",
            "c3": f"{surge.signal.c3:.1f}",
        }
        for surge in found
    ]
    head = ("topic", "territory", "name", "count", "expected", "excess", "c2", "c3")
    rows = [[row[column] for column in head] for row in document]
    quiet = [f"Nothing rose on {on:%d.%m.%Y}."]
    emit(document, as_json=as_json, lines=[*(table(head, rows) if rows else quiet), *_note(hub)])


@click.command("report")
@click.argument("kind", type=click.Choice([*(one.value for one in Report), _SURGES]))
@click.option(
    "--by", type=click.Choice([one.value for one in ReportBy]), default=ReportBy.AUTHORITY.value, show_default=True
)
@click.option("--from", "first", type=_DAY, help="First Kyiv day of arrival.")
@click.option("--to", "last", type=_DAY, help="Last Kyiv day of arrival.")
@click.option("--on", type=_DAY, help="Kyiv day of the surges [yesterday].")
@click.option("--authority", help="Only cases of this body.")
@click.option("--topic", help="Only cases with this first topic.")
@click.option("--territory", help="Only cases of this unit of the codifier and below it.")
@home_option
@json_option
def report_command(
    kind: str,
    by: str,
    first: date | None,
    last: date | None,
    on: date | None,
    authority: str | None,
    topic: str | None,
    territory: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Count cases for spotting problems: who keeps terms, who sends on, whose answers look formal, what rose."""
    hub = build(load(home=home))
    try:
        where = ReportFilter(
            day_from=f"{first:%Y-%m-%d}" if first else None,
            day_to=f"{last:%Y-%m-%d}" if last else None,
            authority=authority,
            topic=topic,
            territory=territory,
        )
        if kind == _SURGES:
            wanted = date(on.year, on.month, on.day) if on else kyiv_day(hub.clock.now()) - timedelta(days=1)
            _surges(hub, wanted, where, as_json=as_json)
        else:
            _report(hub, Report(kind), ReportBy(by), where, as_json=as_json)
    finally:
        hub.close()
