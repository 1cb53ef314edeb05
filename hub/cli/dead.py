"""``hub dead``: deliveries that no attempt is left for."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

import click

from hub.bootstrap import build
from hub.cli.auditing import audited
from hub.cli.output import emit, home_option, json_option, table, waiting
from hub.errors import NotFound
from hub.net import secret_marks
from hub.schemas.ids import DeliveryId
from hub.schemas.visible import visible
from hub.settings import load


@click.group("dead")
def dead_group() -> None:
    """Dead letters: deliveries that wait for an operator."""


@dead_group.command("list")
@click.option("--limit", default=100, type=click.IntRange(1, 1000), show_default=True)
@home_option
@json_option
def list_(limit: int, home: str | None, as_json: bool) -> None:
    """List them, oldest first."""
    hub = build(load(home=home))
    try:
        rows = hub.store.dead(after=None, limit=limit)
    finally:
        hub.close()
    shown = [
        {"delivery": d.id, "case": d.case_id, "channel": d.channel_id, "attempts": d.attempts, "code": d.last_code}
        for d in rows
    ]
    head = ("delivery", "case", "channel", "attempts", "code")
    emit(shown, as_json=as_json, lines=table(head, [[row[h] for h in head] for row in shown]))


@dead_group.command()
@click.argument("delivery", type=click.UUID)
@home_option
@json_option
@click.option("--raw", is_flag=True, help="With the exact bytes that went out and each raw answer.")
def show(delivery: uuid.UUID, home: str | None, as_json: bool, raw: bool) -> None:
    """Show one with all its attempts; any delivery, dead or not."""
    hub = build(load(home=home))
    try:
        row = hub.store.delivery(DeliveryId(delivery))
        if row is None:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        if raw:
            audited(hub, "hub dead show --raw", row.id)
        attempts = hub.store.attempts(row.id)
        answers = hub.store.attempt_answers(row.id)
        opened = hub.store.open_items([row.case_id]).get(row.case_id, ())
    finally:
        hub.close()
    items = [item for item in opened if item.delivery_id == row.id]
    lines = [
        f"Delivery {row.id} to {row.authority} over {row.channel_id}: {row.state}, {row.last_code}",
        *waiting(items),
    ]
    for attempt in attempts:
        lines.append(
            f"  {attempt.number}. {attempt.started_at:%Y-%m-%d %H:%M:%S}Z {attempt.outcome} {attempt.code or ''}"
        )
        if attempt.detail:
            lines.append(f"     {attempt.detail}")
        if raw:
            lines += [f"     < {line}" for line in _lines(answers.get(attempt.number))]
    if raw:
        lines += ["What went out:", *(f"  > {line}" for line in _lines(row.payload))]
    document: dict[str, Any] = {"state": row.state, "code": row.last_code, "attempts": [asdict(a) for a in attempts]}
    document["waiting"] = [asdict(item) for item in items]
    emit(document, as_json=as_json, lines=lines)


def _lines(data: bytes | None) -> list[str]:
    """Bytes as lines for people."""
    if data is None:
        return ["(nothing is kept)"]
    text = secret_marks.shown(data.decode("utf-8", "backslashreplace"))
    return visible(text.replace("\r\n", "\n"), lines=True).splitlines()


@dead_group.command()
@click.argument("delivery", type=click.UUID)
@click.option("--by", default="operator at the terminal", show_default=True, help="Who does it; stands in the facts.")
@home_option
@json_option
def replay(delivery: uuid.UUID, by: str, home: str | None, as_json: bool) -> None:
    """Send one again: the same bytes, the same id, a fresh schedule."""
    hub = build(load(home=home))
    try:
        audited(hub, "hub dead replay", delivery, by=by)
        row = hub.operators.replay(DeliveryId(delivery), by=by)
    finally:
        hub.close()
    emit({"delivery": row.id, "state": row.state}, as_json=as_json, lines=[f"Delivery {row.id} waits again."])
