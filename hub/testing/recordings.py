"""Recordings of ``hub channel try --record`` as tests of a registry: a change is seen before it is used."""

from __future__ import annotations

from pathlib import Path

from hub import adapters
from hub.workbench import recording, replaying
from registry import load


def assert_replays(registry: Path, channel_id: str, *files: Path) -> None:
    """Fail unless the channel of a registry folder says and understands what was recorded. No network, no secret.

    Raises ``AssertionError`` with every difference, ``RegistryRefused``, ``InvalidInput`` for a file that is no
    recording.
    """
    entry = load(registry, adapters.table()).channel(channel_id)
    assert entry is not None, f"the registry has no channel {channel_id}"
    differences = [
        f"{file.name}: {each}"
        for file in files
        for each in replaying.replay(entry[1], recording.read(file)).differences
    ]
    assert not differences, "\n".join(differences)
