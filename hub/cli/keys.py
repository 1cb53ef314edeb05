"""``hub keys``: API keys of front ends, authorities and people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from hub.api.access import PEOPLE
from hub.api.auth import KEY_FILE, ApiKeyEntry, CallerRole, append_key, new_api_key, read_keys, revoke_key
from hub.cli.auditing import keep, trail_of
from hub.cli.output import emit, home_option, json_option, table
from hub.errors import ConfigurationError
from hub.schemas.base import format_datetime
from hub.settings import load


@click.group()
def keys_group() -> None:
    """API keys of front ends, authorities and people."""


def _row(entry: ApiKeyEntry, used_at: datetime | None = None) -> dict[str, str | None]:
    return {
        "id": entry.id,
        "role": entry.role.value,
        "party": entry.party,
        "holder": entry.holder,
        "used_at": format_datetime(used_at) if used_at else None,
        "created_at": format_datetime(entry.created_at) if entry.created_at else None,
        "valid_to": format_datetime(entry.valid_to) if entry.valid_to else None,
        "note": entry.note,
    }


@keys_group.command()
@click.argument("role", type=click.Choice([role.value for role in CallerRole]))
@click.argument("party")
@click.option("--holder", help="The person or system that it belongs to; required for people's roles.")
@click.option("--days", type=click.IntRange(1, 3_650), help="Valid for so many days [until revoked].")
@click.option("--note", help="A word for whoever reads the list, at most 200 characters.")
@home_option
@json_option
def add(
    role: str,
    party: str,
    holder: str | None,
    days: int | None,
    note: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Make an API key for PARTY (code of the body) and print it once; the file keeps its SHA-256 only."""
    settings = load(home=home)
    file = settings.home / KEY_FILE
    if holder is None and CallerRole(role) in PEOPLE:
        raise click.UsageError(f"A key of the role {role} belongs to a person: name the one with --holder.")
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file.parent} does not exist.", action="Run `hub init` first, or name --home.")
    now = datetime.now(UTC)
    valid_to = now + timedelta(days=days) if days else None
    plain, entry = new_api_key(role, party, holder=holder, created_at=now, valid_to=valid_to, note=note)
    append_key(file, entry)
    with trail_of(settings) as trail:
        keep(trail, "hub keys add", entry.id, detail=f"{role} {party}")
    lines = [plain, f"  id {entry.id}, role {role}, party {party}; it is shown this once."]
    emit({"key": plain, **_row(entry)}, as_json=as_json, lines=lines)


@keys_group.command("list")
@home_option
@json_option
def list_(home: str | None, as_json: bool) -> None:
    """List the keys, without their secrets; `used_at` is known within ten minutes."""
    settings = load(home=home)
    entries = read_keys(settings.home / KEY_FILE)
    with trail_of(settings) as trail:
        used = trail.key_uses()
    rows = [_row(entry, used.get(entry.id)) for entry in entries]
    head = ("id", "role", "party", "holder", "used_at", "created_at", "valid_to", "note")
    emit(rows, as_json=as_json, lines=table(head, [[row[name] for name in head] for row in rows]))


@keys_group.command()
@click.argument("key_id")
@home_option
@json_option
def revoke(key_id: str, home: str | None, as_json: bool) -> None:
    """Take a key out of force. A running hub sees it with the next call."""
    settings = load(home=home)
    entry = revoke_key(settings.home / KEY_FILE, key_id)  # first of all: it may have leaked, and the store be down
    with trail_of(settings) as trail:
        keep(trail, "hub keys revoke", entry.id, detail=f"{entry.role.value} {entry.party}")
    emit(_row(entry), as_json=as_json, lines=[f"Revoked {entry.id} ({entry.role.value}, {entry.party})."])
