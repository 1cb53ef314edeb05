"""``hub init``: a home with keys, a first API key per role and a small registry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

import registry.starter
from hub.api.auth import append_key, new_api_key
from hub.bootstrap import KEY_FILE
from hub.cli.auditing import terminal_user
from hub.cli.output import emit, home_option, json_option
from hub.errors import ConfigurationError
from hub.seals.keys import make_key_file
from hub.settings import Settings, load

API_KEYS = "keys/api-keys.yaml"


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A fresh home. ``keys``: file with the plain API key, by role; ``authority``: whose the authority key is."""

    folder: Path
    keys: dict[str, Path]
    authority: str


def make_home(settings: Settings, authority: str | None = None) -> Home:
    """Make a home. Raises ``ConfigurationError`` if there is one already."""
    folder = settings.home
    if (folder / KEY_FILE).exists():
        raise ConfigurationError(f"{folder} is a hub's home already.", action="Use it, or choose another HUB_HOME.")
    for name in ("", "keys", "attachments"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    code = authority or registry.starter.FIRST_AUTHORITY
    make_key_file(folder / KEY_FILE, common_name=settings.party_name, organization=settings.party_code)
    files = {}
    for role, party in (("ncc", settings.party_code), ("authority", code), ("operator", settings.party_code)):
        plain, entry = new_api_key(role, party, holder=terminal_user() if role == "operator" else "made by hub init")
        append_key(folder / API_KEYS, entry)
        files[role] = folder / "keys" / f"{role}.key"
        _write_secret(files[role], plain)
    if not settings.registry_folder.exists():
        registry.starter.write(settings.registry_folder)
    return Home(folder=folder, keys=files, authority=code)


@click.command()
@click.option("--authority", help="Code of the body that gets the first authority key [a body of the small registry].")
@home_option
@json_option
def init(authority: str | None, home: str | None, as_json: bool) -> None:
    """Make a home. Refuses to touch one that exists; secrets are written to files that only you can read."""
    settings = load(home=home)
    made = make_home(settings, authority)
    lines = [
        f"A hub's home is in {made.folder}.",
        f"  seal key and certificate: {made.folder / KEY_FILE}",
        *(f"  API key of role {role}: {file}" for role, file in made.keys.items()),
        f"  registry: {settings.registry_folder} (the authority key is for {made.authority})",
        "Next: `hub up`, then docs/quickstart.md.",
    ]
    keys = {role: str(file) for role, file in made.keys.items()}
    emit({"home": made.folder, "keys": keys, "authority": made.authority}, as_json=as_json, lines=lines)
