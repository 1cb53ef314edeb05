"""``hub lanes``: how the lanes are, and pausing them."""

from __future__ import annotations

import click

from hub.bootstrap import build
from hub.cli.output import emit, home_option, json_option, table
from hub.settings import load


@click.command()
@click.option("--pause", metavar="CHANNEL", help="Stop this lane; what waits, waits.")
@click.option("--resume", metavar="CHANNEL", help="Let this lane run again, with a closed breaker.")
@home_option
@json_option
def lanes(pause: str | None, resume: str | None, home: str | None, as_json: bool) -> None:
    """Show lanes that have work or a history; pause or resume one."""
    hub = build(load(home=home))
    try:
        if pause:
            hub.operators.pause(pause)
        if resume:
            hub.operators.resume(resume)
        now = hub.clock.now()
        due = {lane.channel_id: lane for lane in hub.store.due_lanes(now)}
        states = {state.channel_id: state for state in hub.store.lanes()}
    finally:
        hub.close()
    rows = []
    for channel_id in sorted({*due, *states}):
        state, work = states.get(channel_id), due.get(channel_id)
        health = "paused" if state and state.paused else "open" if state and state.open_until else "closed"
        rows.append(
            {
                "channel": channel_id,
                "due": work.sends if work else 0,
                "polls": work.polls if work else 0,
                "breaker": health,
                "failures": state.failures if state else 0,
                "open_until": state.open_until if state else None,
            }
        )
    head = ("channel", "due", "polls", "breaker", "failures", "open_until")
    emit(rows, as_json=as_json, lines=table(head, [[row[h] for h in head] for row in rows]))
