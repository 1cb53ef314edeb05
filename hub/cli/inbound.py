"""``hub inbound``: everything that came in, and what people say of it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from hub.bootstrap import Hub, build
from hub.cli.auditing import audited
from hub.cli.output import emit, home_option, json_option, table
from hub.errors import InvalidInput, NotFound
from hub.inbound.decisions import About, Decided, Order
from hub.ports import InboundFilter
from hub.schemas import faults
from hub.schemas.base import format_datetime
from hub.schemas.given import GivenStatement
from hub.schemas.ids import CaseId
from hub.schemas.journal import Custody, InboundRecord
from hub.schemas.visible import visible
from hub.settings import load

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def _hub(home: str | None) -> Iterator[Hub]:
    hub = build(load(home=home))
    try:
        yield hub
    finally:
        hub.close()


@click.group("inbound")
def inbound_group() -> None:
    """Everything that came in: see it, read it, say what it is."""


@inbound_group.command("list")
@click.option("--held", is_flag=True, help="Only what waits for a person.")
@click.option("--channel", help="Came over this channel.")
@click.option("--authority", help="This body's word.")
@click.option("--case", type=click.UUID, help="Went to this case.")
@click.option("--code", help="Stands in the verdict.")
@click.option("--limit", default=50, type=click.IntRange(1, 1000), show_default=True)
@home_option
@json_option
def list_(
    held: bool,
    channel: str | None,
    authority: str | None,
    case: uuid.UUID | None,
    code: str | None,
    limit: int,
    home: str | None,
    as_json: bool,
) -> None:
    """List the journal, the newest first."""
    where = InboundFilter(
        channel_id=channel,
        authority=authority,
        case_id=CaseId(case) if case else None,
        code=code,
        custody=Custody.HELD if held else None,
    )
    with _hub(home) as hub:
        found = hub.store.inbound(where, limit=limit)
    head = ("entry", "received", "door", "channel", "authority", "verdict", "custody", "count", "bytes")
    rows = [
        [
            r.id,
            f"{r.received_at:%Y-%m-%d %H:%M}Z",
            r.door,
            r.channel_id,
            r.authority,
            r.verdict,
            r.custody,
            r.count,
            r.size,
        ]
        for r in found
    ]
    emit([_plain(record) for record in found], as_json=as_json, lines=table(head, rows))


@inbound_group.command()
@click.argument("entry")
@click.option(
    "--raw", type=click.Path(dir_okay=False), help="Write the kept bytes to this file; - for standard output."
)
@home_option
@json_option
def show(entry: str, raw: str | None, home: str | None, as_json: bool) -> None:
    """Show one: what can be read in it, and to which cases it may belong."""
    with _hub(home) as hub:
        record = _record(hub, entry)
        audited(hub, "hub inbound show", entry)
        body = hub.store.inbound_body(record) if raw is not None else None
        excerpt = hub.decisions.excerpt(record)
        guesses = hub.guesser.guess(record, excerpt)
    if raw is not None:
        _save(body, raw)
        return
    lines = [
        f"{record.id}: {record.verdict}, {record.custody}" + (f" by {record.decided_by}" if record.decided_by else ""),
        f"  {record.door} over {record.channel_id}, {format_datetime(record.received_at)}, {record.size} bytes, "
        f"came {record.count} times",
        f"  From: {visible(excerpt.sender)}",
        f"  Subject: {visible(excerpt.subject)}",
        *(f"  File: {visible(file.name)} ({file.media_type}, {len(file.data)} bytes)" for file in excerpt.files),
        *(f"  | {line}" for line in visible(excerpt.text, lines=True).splitlines()[:40]),
        *(f"  Perhaps case {g.case_id} of {g.authority} ({', '.join(g.signs)}): {g.sure} %" for g in guesses),
    ]
    document = _plain(record) | {
        "excerpt": {"subject": excerpt.subject, "sender": excerpt.sender, "text": excerpt.text},
        "guesses": [asdict(guess) for guess in guesses],
    }
    emit(document, as_json=as_json, lines=lines)


def _decision_options(function: F) -> F:
    for option in (
        click.option("--reason", required=True, help="Why; no personal data."),
        click.option("--again", is_flag=True, help="Correct an earlier decision."),
        click.option("--by", default="operator at the terminal", show_default=True, help="Who decides."),
        home_option,
        json_option,
    ):
        function = option(function)
    return function


def _statement_options(function: F) -> F:
    for option in (
        click.option("--statement", help='What it says, as JSON: {"receipt": {…}}, {"answer": {…}}, …'),
        click.option("--answer", nargs=2, metavar="NUMBER DATE", help="It is the final answer."),
        click.option("--registered", nargs=2, metavar="NUMBER DATE", help="It is the receipt of registration."),
    ):
        function = option(function)
    return function


@inbound_group.command()
@click.argument("entry")
@click.argument("cases", nargs=-1, required=True, type=click.UUID)
@click.option("--authority", help="Whose word it is; absent: the sender, else the body that has the case.")
@_statement_options
@_decision_options
def attach(
    entry: str,
    cases: tuple[uuid.UUID, ...],
    authority: str | None,
    statement: str | None,
    answer: tuple[str, str] | None,
    registered: tuple[str, str] | None,
    reason: str,
    again: bool,
    by: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Put an entry to its case or cases, and say what it means there."""
    with _hub(home) as hub:
        record = _record(hub, entry)
        given = _given(statement, answer, registered)
        order = _order(hub, record, given, reason=reason, again=again, by=by)
        audited(hub, "hub inbound attach", entry, by=by, why=reason)
        to = [About(case_id=CaseId(case), authority=authority) for case in cases]
        _emit(hub.decisions.attach(entry, to, order), as_json)


@inbound_group.command()
@click.argument("entry")
@_statement_options
@_decision_options
def decide(
    entry: str,
    statement: str | None,
    answer: tuple[str, str] | None,
    registered: tuple[str, str] | None,
    reason: str,
    again: bool,
    by: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Say what an entry means whose case is known; without a statement: nothing that changes the case."""
    with _hub(home) as hub:
        record = _record(hub, entry)
        given = _given(statement, answer, registered)
        order = _order(hub, record, given, reason=reason, again=again, by=by)
        audited(hub, "hub inbound decide", entry, by=by, why=reason)
        _emit(hub.decisions.decide(entry, order), as_json)


@inbound_group.command()
@click.argument("entry")
@_decision_options
def dismiss(entry: str, reason: str, again: bool, by: str, home: str | None, as_json: bool) -> None:
    """Say that an entry is nobody's word."""
    with _hub(home) as hub:
        audited(hub, "hub inbound dismiss", entry, by=by, why=reason)
        _emit(hub.decisions.dismiss(entry, Order(by=by, why=reason, again=again)), as_json)


def _record(hub: Hub, entry: str) -> InboundRecord:
    record = hub.store.inbound_record(entry)
    if record is None:
        raise NotFound("There is no entry with this id.", code="inbound.unknown", action="List them: hub inbound list.")
    return record


def _given(
    statement: str | None, answer: tuple[str, str] | None, registered: tuple[str, str] | None
) -> GivenStatement | None:
    """The statement of the options; at most one of them."""
    if sum(each is not None for each in (statement, answer, registered)) > 1:
        raise click.UsageError("Say one of --statement, --answer and --registered.")
    if answer is not None:
        number, date = answer
        said = {"stage": "final", "result": "explained", "number": number, "date": date}
        return GivenStatement(answer=said)
    if registered is not None:
        number, date = registered
        return GivenStatement(receipt={"status": "registered", "number": number, "date": date})
    if statement is None:
        return None
    try:
        return GivenStatement.model_validate_json(statement)
    except ValidationError as error:
        raise InvalidInput("The statement breaks the rules.", faults=faults.faults_of(error)) from None


def _order(
    hub: Hub, record: InboundRecord, given: GivenStatement | None, *, reason: str, again: bool, by: str
) -> Order:
    body = None
    if given is not None:
        text = hub.decisions.excerpt(record).text
        body = given.body(at=format_datetime(record.received_at), text=text)
    return Order(by=by, why=reason, body=body, again=again)


def _save(body: bytes | None, raw: str) -> None:
    if body is None:
        raise NotFound("Nothing is kept of this entry.", code="inbound.not_kept")
    if raw == "-":
        sys.stdout.buffer.write(body)
    else:
        Path(raw).write_bytes(body)


def _plain(record: InboundRecord) -> dict[str, object]:
    return {name: value for name, value in asdict(record).items() if name != "body"}


def _emit(decided: Decided, as_json: bool) -> None:
    assert decided.record is not None  # every decision here is about an entry
    lines = [f"{decided.record.id} is {decided.record.custody}."]
    lines += [f"  Case {case}: message {message}" for case, message in decided.messages]
    document = {
        "entry": _plain(decided.record),
        "messages": [{"case_id": case, "message_id": message} for case, message in decided.messages],
    }
    emit(document, as_json=as_json, lines=lines)
