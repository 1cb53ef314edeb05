"""Prepare a simulation in a folder: keys, credentials, the simulation's file, and what the hub's registry must know.

keys/<code>.pem …      sealing key of each authority (mode 0600), its certificate and registry entry
secrets/<code>.api     what the authority shows to the hub
secrets/<code>.token   what the hub shows to the authority
keys/<code>.ssh        host key of an authority that files, and secrets/<code>.ssh with which the hub logs in there
simulation.yaml        input of ``hub simulate``
overlay.yaml           channels and keys for the hub's registry folder
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hub.errors import ConfigurationError
from hub.schemas.directory import LaneSettings
from hub.schemas.keys import VerificationKey
from hub.seals import make_key_file
from hub.seals.keys import verification_key
from hub.simulator.characters import PRESETS

SIMULATION_FILE = "simulation.yaml"
OVERLAY_FILE = "overlay.yaml"
SEV_CHANNEL = "sev.sim"
SEV_PASSWORD = "secrets/sev.password"  # noqa: S105 - the name of a file
SEV_SYSTEM_ID = "019aa000-0000-7000-8000-00000000aaaa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One authority to simulate. ``changes``: what differs from the preset. ``settings``: added to the channel's.

    ``speaks``: over what it is called and reports; ``sev``: behind a simulated SEV node, whose queue is collected over
    a channel of the contact centre (``SEV_CHANNEL``), which the registry must know as an authority.
    ``sftp_port``: where it listens, if it files; ``dialect``: which it then reads.
    """

    code: str
    name: str
    character: str
    changes: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    speaks: Literal["rest", "soap", "sev"] = "rest"
    sftp_port: int = 0
    dialect: Literal["drop", "asice"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """Where things were written."""

    simulation: Path
    overlay: Path


def channel_id(placement: Placement) -> str:
    """The id of the channel that is made: ``<code>.sim``."""
    return f"{placement.code}.sim"


def set_up(
    folder: Path,
    placements: Sequence[Placement],
    *,
    base_url: str,
    hub_url: str,
    api_keys: Mapping[str, str],
    hub_keys: Sequence[VerificationKey] = (),
    seed: int = 1,
    hours_per_sec: int = 1,
    lane: LaneSettings | None = None,
    centre: str = "36521731",
) -> SetUp:
    """Write everything. ``base_url``: where the simulator will listen; ``api_keys``: by authority, made by the hub.
    ``centre``: code of the contact centre, whose account at SEV it is.

    Nothing that exists is overwritten. Raises ``ConfigurationError``.
    """
    folder = folder.resolve()
    for name in ("keys", "secrets"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    authorities, channels, keys = [], [], []
    for placement in placements:
        if placement.character not in PRESETS or placement.code not in api_keys:
            raise ConfigurationError(f"{placement.code}: no such character, or no API key for it.")
        key = make_key_file(
            folder / "keys" / f"{placement.code}.pem",
            common_name=f"Simulated {placement.code}",
            organization="Simulated authority",
        )
        _write_secret(folder / "secrets" / f"{placement.code}.api", api_keys[placement.code])
        _write_secret(folder / "secrets" / f"{placement.code}.token", secrets.token_urlsafe(32))
        door = _door(folder, placement) if PRESETS[placement.character].files else None
        authorities.append(_authority(folder, placement) | ({"sftp": door[0]} if door else {}))
        channel = _filing_channel(placement, door[1]) if door else _channel(folder, placement, base_url, centre)
        channels.append(_entry(placement.code, channel, lane))
        entry = verification_key(key).model_dump(mode="json", exclude_none=True)
        keys.append({"authority": placement.code, "key": entry})
    simulation = {
        "seed": seed,
        "hours_per_sec": hours_per_sec,
        "hub_url": hub_url,
        "hub_keys": [key.model_dump(mode="json", exclude_none=True) for key in hub_keys],
        "authorities": authorities,
    }
    if any(placement.speaks == "sev" for placement in placements):
        _write_secret(folder / SEV_PASSWORD, secrets.token_urlsafe(32))
        account = _account(folder, centre)
        simulation["sev"] = {"org": account.pop("org_id"), **account}
        channels.append(_entry(centre, _sev_channel(folder, SEV_CHANNEL, base_url, centre, collect=True), lane))
    done = SetUp(simulation=folder / SIMULATION_FILE, overlay=folder / OVERLAY_FILE)
    _write(done.simulation, simulation)
    _write(done.overlay, {"channels": channels, "keys": keys})
    return done


def _entry(authority: str, channel: dict[str, object], lane: LaneSettings | None) -> dict[str, object]:
    if lane is not None:
        channel["lane"] = lane.model_dump(mode="json")
    return {"authority": authority, "channel": channel}


def _authority(folder: Path, placement: Placement) -> dict[str, object]:
    return {
        "code": placement.code,
        "name": placement.name,
        "channel_id": channel_id(placement),
        "character": {"preset": placement.character, "changes": dict(placement.changes)},
        "speaks": placement.speaks,
        "key_file": f"keys/{placement.code}.pem",
        "api_key": f"file:{folder}/secrets/{placement.code}.api",
        "token": f"file:{folder}/secrets/{placement.code}.token",
    }


def _account(folder: Path, centre: str) -> dict[str, str]:
    return {"org_id": centre, "system_id": SEV_SYSTEM_ID, "password": f"file:{folder}/{SEV_PASSWORD}"}


def _sev_channel(folder: Path, name: str, base_url: str, centre: str, **section: object) -> dict[str, object]:
    settings = {
        "url": f"{base_url}/sev/IntegrationService",
        "allow_http": True,
        "allow_private": ["127.0.0.1/32", "::1/128"],
        "max_response_kb": 2_048,
        "sevovv": {**_account(folder, centre), **section},
    }
    return {"id": name, "adapter": "soap", "dialect": "sevovv", "settings": settings}


def _door(folder: Path, placement: Placement) -> tuple[dict[str, object], dict[str, object]]:
    """The SFTP server of an authority that files, and the settings of the channel to it."""
    code = placement.code
    host_key = _ssh_key(folder / "keys" / f"{code}.ssh")
    server: dict[str, object] = {
        "port": placement.sftp_port,
        "user": "hub",
        "public_key": _ssh_key(folder / "secrets" / f"{code}.ssh"),
        "host_key_file": f"keys/{code}.ssh",
        "folder": f"sftp/{code}",
    }
    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": placement.sftp_port,
        "user": "hub",
        "key": f"file:{folder}/secrets/{code}.ssh",
        "host_keys": [host_key],
        "inbox": "/in",
        "outbox": "/out",
        "taken": "/taken",
        "allow_private": ["127.0.0.1/32"],
    }
    return server, settings


def _filing_channel(placement: Placement, settings: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": channel_id(placement),
        "adapter": "sftp",
        "dialect": placement.dialect,
        "settings": {**settings, **placement.settings},
    }


def _ssh_key(path: Path) -> str:
    """A new key in OpenSSH's form; the public half as text."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _write_secret(path, private.decode().rstrip())
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _channel(folder: Path, placement: Placement, base_url: str, centre: str) -> dict[str, object]:
    if placement.speaks == "sev":
        return _sev_channel(folder, channel_id(placement), base_url, centre, **placement.settings)
    character = PRESETS[placement.character]
    receipt = placement.changes.get("receipt", character.receipt)
    called: dict[str, object] = {
        "allow_http": True,
        "allow_private": ["127.0.0.1/32", "::1/128"],
        "auth": {"type": "bearer", "token": f"file:{folder}/secrets/{placement.code}.token"},
    }
    settings: dict[str, object] = {"format": "json"}
    if not character.pulls and placement.speaks == "soap":
        settings = {"url": f"{base_url}/{placement.code}/soap", "envelope": {"receipt": receipt}, **called}
    elif not character.pulls:
        settings |= {"url": f"{base_url}/{placement.code}/appeals", "receipt": receipt, **called}
        if receipt == "poll":
            settings["status_url"] = f"{base_url}/{placement.code}/messages/{{message_id}}"
    return {
        "id": channel_id(placement),
        "adapter": "pull" if character.pulls else placement.speaks,
        "settings": settings | dict(placement.settings),
    }


def _write_secret(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")


class _Dumper(yaml.SafeDumper):
    """Puts every code in quotes: other readers take digits that begin with a zero for a number."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if text.isdecimal() else None)


_Dumper.add_representer(str, _represent_text)


def _write(path: Path, document: object) -> None:
    text = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
