"""``hub trace``: what happened to a case, in words."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import datetime

import click

from hub.bootstrap import build
from hub.cases.timeline import TimelineEntry, timeline
from hub.cli.finding import CaseReference, find_case
from hub.cli.output import emit, home_option, json_option, waiting
from hub.schemas.delivery import ClockMark
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
        items = hub.store.open_items([case_id]).get(case_id, ())
    finally:
        hub.close()
    number = f" (no. {row.case.case_number})" if row.case.case_number else ""
    head = f"Case {case_id}{number}: {row.state}" + (", waits for an operator" if row.needs_operator else "")
    lines = [head, *(f"  {_clock(e.at)}  {e.text}{_heard(e)}" for e in entries), *waiting(items)]
    document = {
        "case_id": case_id,
        "case_number": row.case.case_number,
        "state": row.state,
        "entries": [asdict(e) for e in entries],
        "waiting": [asdict(item) for item in items],
    }
    emit(document, as_json=as_json, lines=lines)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(KYIV):%d.%m.%Y %H:%M:%S.%f}"[:-3]


def _heard(entry: TimelineEntry) -> str:
    """The other clock of a statement: when it was heard, and what it claims where that does not count."""
    if entry.heard_at is None or entry.what != "fact":
        return ""
    words = [f"heard {_clock(datetime.fromisoformat(entry.heard_at))}"]
    if entry.unseen_at is not None:
        words.append(f"not there at {_clock(datetime.fromisoformat(entry.unseen_at))}")
    if entry.clock is not None:
        words.append(_MARKS[ClockMark(entry.clock)].format(says=entry.says_at or ""))
    return f" [{'; '.join(words)}]"


_MARKS = {
    ClockMark.NONE: "it does not say when",
    ClockMark.DAY: "it names only a day",
    ClockMark.FUTURE: "it claims {says}, after it was heard",
    ClockMark.BEFORE_ROUTING: "it claims {says}, before it was sent",
}
