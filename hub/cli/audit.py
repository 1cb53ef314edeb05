"""``hub audit``: what people did and saw."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from hub.cli.auditing import keep, trail_of
from hub.cli.output import emit, home_option, json_option, table
from hub.ports import AuditFilter
from hub.schemas.visible import visible
from hub.settings import load


@click.command("audit")
@click.option("--actor", help="By this key or account, as key:… or terminal:….")
@click.option("--act", help="This door or command.")
@click.option("--subject", help="About this id.")
@click.option("--days", type=click.IntRange(1, 3_650), help="Of so many days back.")
@click.option("--limit", default=50, type=click.IntRange(1, 1000), show_default=True)
@home_option
@json_option
def audit(
    actor: str | None,
    act: str | None,
    subject: str | None,
    days: int | None,
    limit: int,
    home: str | None,
    as_json: bool,
) -> None:
    """List the audit trail, the newest first: each act of people, and each view of personal data."""
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    where = AuditFilter(actor=actor, act=act, subject=subject, at_from=since)
    with trail_of(load(home=home)) as trail:
        found = trail.entries(where, limit=limit)
        keep(trail, "hub audit", subject)
    head = ("at", "actor", "holder", "act", "subject", "status", "why")
    rows = [
        (f"{e.at:%Y-%m-%d %H:%M:%S}Z", e.actor, _said(e.holder), e.act, e.subject, e.status, _said(e.why))
        for e in found
    ]
    emit([asdict(entry) for entry in found], as_json=as_json, lines=table(head, rows))


def _said(text: str | None) -> str | None:
    return None if text is None else visible(text)
