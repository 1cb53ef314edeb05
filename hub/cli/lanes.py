"""``hub lanes``: how the lanes are, and pausing them."""

from __future__ import annotations

from datetime import datetime

import click

from hub.bootstrap import build
from hub.cases.operators import LaneSeen
from hub.cli.auditing import audited
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
            audited(hub, "hub lanes --pause", pause)
            hub.operators.pause(pause)
        if resume:
            audited(hub, "hub lanes --resume", resume)
            hub.operators.resume(resume)
        seen = hub.operators.lanes()
    finally:
        hub.close()
    rows = [
        {
            "channel": lane.state.channel_id,
            "standing": lane.standing,
            "waiting": lane.waiting,
            "due": lane.due.sends if lane.due else 0,
            "polls": lane.due.polls if lane.due else 0,
            "failures": lane.state.failures,
            "until": _until(lane),
            "unheard": f"{lane.unheard.failures}: {lane.unheard.code}" if lane.unheard else None,
        }
        for lane in seen
    ]
    head = ("channel", "standing", "waiting", "due", "polls", "failures", "until", "unheard")
    emit(rows, as_json=as_json, lines=table(head, [[row[h] for h in head] for row in rows]))


def _until(lane: LaneSeen) -> datetime | None:
    """When a lane that may not run now may again."""
    if lane.standing == "open":
        return lane.state.open_until
    return lane.state.rest_until if lane.standing == "resting" else None
