"""``hub trace``: what happened to a case, in words."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import click

from hub.bootstrap import build
from hub.cases.timeline import timeline
from hub.cli.output import emit, home_option, json_option
from hub.errors import NotFound
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.kyiv import KYIV
from hub.settings import load


@click.command()
@click.argument("any_id", metavar="ID", type=click.UUID)
@home_option
@json_option
def trace(any_id: uuid.UUID, home: str | None, as_json: bool) -> None:
    """Tell the way of one case. ID: a case id or a message id."""
    hub = build(load(home=home))
    try:
        message = hub.store.message(MessageId(any_id))
        case_id = message.case_id if message else CaseId(any_id)
        row = hub.store.case(case_id)
        if row is None:
            raise NotFound("Neither a case nor a message has this id.", code="case.unknown")
        entries = timeline(hub.store, hub.registry.current(), case_id)
    finally:
        hub.close()
    head = f"Case {case_id}: {row.state}" + (", waits for an operator" if row.needs_operator else "")
    lines = [head, *(f"  {e.at.astimezone(KYIV):%d.%m.%Y %H:%M:%S.%f}"[:-3] + f"  {e.text}" for e in entries)]
    emit(
        {"case_id": case_id, "state": row.state, "entries": [asdict(e) for e in entries]}, as_json=as_json, lines=lines
    )
