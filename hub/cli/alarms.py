"""``hub alarms`` and ``hub expiry``: what a person must look at, who is told of it, and what ends."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from hub.cli.output import emit, home_option, json_option, table
from hub.errors import HubError, NotFound
from hub.settings import Settings, load

if TYPE_CHECKING:
    from hub.upkeep.expiry import ExpiryEntry


def _moment(moment: datetime | None) -> str | None:
    from hub.schemas.base import format_datetime

    return format_datetime(moment) if moment else None


@click.group()
def alarms_group() -> None:
    """What a person must look at, and who is told of it."""


@alarms_group.command("list")
@click.option("--recent", type=click.IntRange(0, 500), default=10, show_default=True, help="So many that closed.")
@home_option
@json_option
def list_(recent: int, home: str | None, as_json: bool) -> None:
    """List the alarms that stand, those that closed last, and who hears."""
    from hub.alarms import wording
    from hub.bootstrap import build
    from hub.bootstrap_upkeep import upkeep

    hub = build(load(home=home))
    try:
        it = upkeep(hub)
        standing = [alarm for alarm in it.memory.standing() if alarm.opened_at is not None]
        closed = it.memory.recent(recent)
        states = {state.name: state for state in it.memory.receivers()}
        looked_at = it.memory.looked_at()
    finally:
        hub.close()
    rules = {rule.code: rule for rule in it.file.current().rules}
    opened = [wording.entry(alarm, rules.get(alarm.rule)) for alarm in standing]
    ended = [wording.entry(alarm, rules.get(alarm.rule)) for alarm in closed]
    failing = {name: name in states and states[name].failing for name in it.file.current().receivers}
    head = ("severity", "rule", "subject", "value", "detail", "since", "closed_at")
    heard = ", ".join(f"{name}{' (NOT REACHED)' if fails else ''}" for name, fails in failing.items())
    lines = [
        *table(head, [[row[name] for name in head] for row in (*opened, *ended)]),
        f"Looked at: {_moment(looked_at) or 'never; a sweeper does it (`hub up`, `hub beat`)'}",
        f"Heard by: {heard or 'nobody; name receivers in alarms.yaml'}",
    ]
    document = {
        "looked_at": _moment(looked_at),
        "open": opened,
        "recent": ended,
        "receivers": [{"name": name, "failing": fails} for name, fails in failing.items()],
    }
    emit(document, as_json=as_json, lines=lines)


@alarms_group.command()
@home_option
@json_option
def check(home: str | None, as_json: bool) -> None:
    """Check the alarms' file and show the rules in force. Exit code 3 if it is wrong; all faults are named."""
    from hub.upkeep.alarm_file import read

    found = read(load(home=home).alarms_file)
    head = ("code", "watch", "threshold", "severity", "after", "quiet", "tell")
    rows = [
        (
            rule.code,
            rule.watch.value,
            f"> {rule.above}" if rule.above is not None else f"< {rule.below}",
            "disabled" if rule.disabled else rule.severity.value,
            rule.after_minutes,
            rule.quiet_minutes,
            ", ".join(rule.tell) or "all",
        )
        for rule in found.rules
    ]
    document = {
        "rules": [rule.model_dump(mode="json") for rule in found.rules],
        "receivers": [{"name": name, "kind": receiver.kind} for name, receiver in found.receivers.items()],
    }
    heard = ", ".join(f"{name} ({receiver.kind})" for name, receiver in found.receivers.items()) or "nobody"
    emit(document, as_json=as_json, lines=[*table(head, rows), f"Heard by: {heard}"])


@alarms_group.command()
@click.argument("receiver", required=False)
@home_option
@json_option
def test(receiver: str | None, home: str | None, as_json: bool) -> None:
    """Send one test message to each receiver, or to RECEIVER, now. Exit code 1 if one is not reached."""
    from hub.clock import SystemClock
    from hub.upkeep.alarm_file import read
    from hub.upkeep.telling import AlarmTeller

    settings = load(home=home)
    found = read(settings.alarms_file)
    names = [receiver] if receiver else list(found.receivers)
    if not names or (receiver and receiver not in found.receivers):
        raise NotFound(
            "The alarms' file names no such receiver." if receiver else "The alarms' file names nobody who hears.",
            code="receiver.unknown",
            action=f"Name receivers in {settings.alarms_file} (docs/operations/alarms.md).",
        )
    teller = AlarmTeller(lambda: found, base_url=settings.base_url, clock=SystemClock())
    rows = []
    for name in names:
        try:
            code = teller.test(name)
        except HubError as error:
            code = f"{error.stable_code}: {error.message}"
        rows.append({"receiver": name, "told": code is None, "code": code})
    lines = [f"{'ok  ' if row['told'] else 'WRONG'} {row['receiver']}: {row['code'] or 'told'}" for row in rows]
    emit(rows, as_json=as_json, lines=lines)
    if not all(row["told"] for row in rows):
        sys.exit(1)


def all_that_ends(settings: Settings) -> tuple[ExpiryEntry, ...]:
    """The list, without a store. ``RegistryRefused`` or ``ConfigurationError`` if a file is broken."""
    import registry
    from hub import adapters
    from hub.bootstrap_upkeep import expiry_list
    from hub.upkeep.alarm_file import AlarmFile

    table = adapters.table()
    directory = registry.FixedRegistry(registry.load(settings.registry_folder, table))
    return expiry_list(settings, directory, table, AlarmFile(settings.alarms_file)).entries(fresh=True)


@click.command()
@click.option("--days", type=click.IntRange(0, 3_650), help="Only what cannot be read or ends within so many days.")
@home_option
@json_option
def expiry(days: int | None, home: str | None, as_json: bool) -> None:
    """List certificates, keys, API keys, revocation lists, pinned host keys and secrets, with their ends.

    Exit code 1 if something cannot be read or has ended and nothing goes on in its place.
    """
    entries, now = all_that_ends(load(home=home)), datetime.now(UTC)
    shown = [e for e in entries if days is None or e.fault or ((left := e.days(now)) is not None and left <= days)]
    rows = [
        {
            "kind": entry.kind.value,
            "name": entry.name,
            "ends": _moment(entry.ends),
            "days": entry.days(now),
            "state": entry.fault or ("succeeded" if entry.succeeded else None),
            "changed_at": _moment(entry.changed_at),
            "where": entry.where,
            "uses": entry.uses,
        }
        for entry in shown
    ]
    head = ("kind", "name", "ends", "days", "state", "changed_at", "where")
    emit(rows, as_json=as_json, lines=table(head, [[row[name] for name in head] for row in rows]))
    if any(entry.fault or entry.has_ended(now) for entry in entries):
        sys.exit(1)
