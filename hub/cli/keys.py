"""``hub keys``: API keys of front ends, authorities and operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from hub.api.auth import KEY_FILE, ApiKeyEntry, CallerRole, append_key, new_api_key, read_keys, revoke_key
from hub.cli.output import emit, home_option, json_option, table
from hub.errors import ConfigurationError
from hub.schemas.base import format_datetime
from hub.settings import load


@click.group()
def keys_group() -> None:
    """API keys of front ends, authorities and operators."""


def _row(entry: ApiKeyEntry) -> dict[str, str | None]:
    return {
        "id": entry.id,
        "role": entry.role.value,
        "party": entry.party,
        "created_at": format_datetime(entry.created_at) if entry.created_at else None,
        "valid_to": format_datetime(entry.valid_to) if entry.valid_to else None,
        "note": entry.note,
    }


@keys_group.command()
@click.argument("role", type=click.Choice([role.value for role in CallerRole]))
@click.argument("party")
@click.option("--days", type=click.IntRange(1, 3_650), help="Valid for so many days [until revoked].")
@click.option("--note", help="A word for whoever reads the list, at most 200 characters.")
@home_option
@json_option
def add(role: str, party: str, days: int | None, note: str | None, home: str | None, as_json: bool) -> None:
    """Make an API key for PARTY (code of the body) and print it once; the file keeps its SHA-256 only."""
    file = load(home=home).home / KEY_FILE
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file.parent} does not exist.", action="Run `hub init` first, or name --home.")
    now = datetime.now(UTC)
    valid_to = now + timedelta(days=days) if days else None
    plain, entry = new_api_key(role, party, created_at=now, valid_to=valid_to, note=note)
    append_key(file, entry)
    lines = [plain, f"  id {entry.id}, role {role}, party {party}; it is shown this once."]
    emit({"key": plain, **_row(entry)}, as_json=as_json, lines=lines)


@keys_group.command("list")
@home_option
@json_option
def list_(home: str | None, as_json: bool) -> None:
    """List the keys, without their secrets."""
    rows = [_row(entry) for entry in read_keys(load(home=home).home / KEY_FILE)]
    head = ("id", "role", "party", "created_at", "valid_to", "note")
    emit(rows, as_json=as_json, lines=table(head, [[row[name] for name in head] for row in rows]))


@keys_group.command()
@click.argument("key_id")
@home_option
@json_option
def revoke(key_id: str, home: str | None, as_json: bool) -> None:
    """Take a key out of force. A running hub sees it with the next call."""
    entry = revoke_key(load(home=home).home / KEY_FILE, key_id)
    emit(_row(entry), as_json=as_json, lines=[f"Revoked {entry.id} ({entry.role.value}, {entry.party})."])
