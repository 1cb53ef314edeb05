"""``hub trace``: what happened to a case, in words."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import click

from hub.bootstrap import build
from hub.cases.timeline import timeline
from hub.cli.finding import CaseReference, find_case
from hub.cli.output import emit, home_option, json_option
from hub.schemas.kyiv import KYIV
from hub.settings import load


@click.command()
@click.argument("said", metavar="CASE", type=CaseReference())
@home_option
@json_option
def trace(said: uuid.UUID | str, home: str | None, as_json: bool) -> None:
    """Tell the way of one case. CASE: its number, its id, or the id of one of its messages."""
    hub = build(load(home=home))
    try:
        row = find_case(hub.store, said)
        case_id = row.case.id
        entries = timeline(hub.store, hub.registry.current(), case_id)
    finally:
        hub.close()
    number = f" (no. {row.case.case_number})" if row.case.case_number else ""
    head = f"Case {case_id}{number}: {row.state}" + (", waits for an operator" if row.needs_operator else "")
    lines = [head, *(f"  {e.at.astimezone(KYIV):%d.%m.%Y %H:%M:%S.%f}"[:-3] + f"  {e.text}" for e in entries)]
    document = {
        "case_id": case_id,
        "case_number": row.case.case_number,
        "state": row.state,
        "entries": [asdict(e) for e in entries],
    }
    emit(document, as_json=as_json, lines=lines)
