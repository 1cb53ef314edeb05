"""The registry folder that a command works on, and what of it cannot be used here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from hub import adapters, settings
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.schemas.directory import Channel
from hub.workbench.rehearsing import rehearse
from registry import LoadedDirectory, load
from registry.places import where

FOLDER: Final = click.Path(file_okay=False, path_type=Path)
F = TypeVar("F", bound=Callable[..., Any])


def registry_option(function: F) -> F:
    """Adds ``--registry``; the command gets ``folder`` (None = HUB_REGISTRY, or registry/ in the home folder)."""
    words = "Folder of registry files [env HUB_REGISTRY; registry/ in the home folder]."
    return click.option("--registry", "folder", type=FOLDER, help=words)(function)


def chosen_folder(folder: Path | None, home: str | None = None) -> Path:
    """The folder itself, or the one that the settings name."""
    return folder or settings.load(home=home).registry_folder


def load_folder(folder: Path | None) -> LoadedDirectory:
    """The directory of a folder, or of the one that the settings name. Raises ``RegistryRefused``."""
    return load(chosen_folder(folder), adapters.table())


def unusable_channels(channels: Iterable[Channel]) -> list[dict[str, str]]:
    """Channels whose settings are well made and cannot be used here: a WSDL that is missing, changed or broken.

    They stop no hub (one authority's folder hurts nobody else), so this is the place to hear of them.
    """
    return [
        {"pointer": channel.id, "code": error.stable_code, "message": error.message}
        for channel, error in _unusable(channels)
    ]


def placed_unusable(channels: Iterable[Channel], folder: Path) -> list[dict[str, str]]:
    """The same by the file and line of the setting, with the next step."""
    return [
        {
            "pointer": where(folder, channel.id, error.setting) or channel.id,
            "code": error.stable_code,
            "message": error.message,
            "next": error.at_hand,
        }
        for channel, error in _unusable(channels)
    ]


def _unusable(channels: Iterable[Channel]) -> Iterator[tuple[Channel, ConfigurationError]]:
    known = adapters.table()
    for channel in channels:
        try:
            rehearse(known[channel.adapter], channel)
        except UnsupportedFeature:
            continue  # what it cannot say is no fault of its settings
        except ConfigurationError as error:
            yield channel, error
