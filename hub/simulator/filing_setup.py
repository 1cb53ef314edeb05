"""Prepare the SFTP server of an authority that files, and the channel that leads to it.

keys/<code>.ssh        its host key
secrets/<code>.ssh     the key with which the hub logs in there
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Write = Callable[[Path, str], None]


def door(
    folder: Path, code: str, *, port: int, dialect: str, settings: Mapping[str, object], write: Write
) -> tuple[dict[str, object], dict[str, object]]:
    """The server's entry in the simulation, and adapter, dialect and settings of the channel. ``write``: a secret."""
    host_key = _ssh_key(folder / "keys" / f"{code}.ssh", write)
    server: dict[str, object] = {
        "port": port,
        "user": "hub",
        "public_key": _ssh_key(folder / "secrets" / f"{code}.ssh", write),
        "host_key_file": f"keys/{code}.ssh",
        "folder": f"sftp/{code}",
    }
    ours: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "user": "hub",
        "key": f"file:{folder}/secrets/{code}.ssh",
        "host_keys": [host_key],
        "inbox": "/in",
        "outbox": "/out",
        "taken": "/taken",
        "allow_private": ["127.0.0.1/32"],
    }
    return server, {"adapter": "sftp", "dialect": dialect, "settings": {**ours, **settings}}


def _ssh_key(path: Path, write: Write) -> str:
    """A new key in OpenSSH's form; the public half as text."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    write(path, private.decode().rstrip())
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
