"""Which player plays which case, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.cases.players import (
    rest_answers,
    rest_doors,
    rest_lanes,
    rest_reading,
    rest_uploads,
    rest_webhooks,
    soap_answers,
    soap_doors,
    soap_sev,
)

HERE = Path(__file__).parent
GAVE = "gave.txt"
Player: TypeAlias = Callable[[Path], str]
"""Plays the case in a folder and tells what came of it: the same text each time."""

_REST: Mapping[str, Player] = {
    "10": rest_uploads.play,
    "15": rest_doors.form_with_file,
    "16": rest_doors.form_with_file,
    "17": rest_reading.likeness,
    "18": rest_lanes.play,
    "19": rest_doors.head_requests,
    "20": rest_reading.tokens,
    "21": rest_reading.keys_twice,
    "22": rest_reading.codifier,
    "23": rest_webhooks.play,
    "24": rest_doors.restored,
    "25": rest_doors.forms,
    "26": rest_doors.references,
    "27": rest_doors.callback,
    "28": rest_doors.old_protocol,
    "29": rest_doors.form_with_file,
    "30": rest_doors.batch_keys,
}
_SOAP: Mapping[str, Player] = {
    "03": soap_sev.play,
    "06": soap_doors.play,
    "08": soap_doors.play,
    "11": soap_sev.play,
    "12": soap_doors.play,
    "17": soap_sev.play,
    "21": soap_doors.play,
    "31": soap_doors.play,
    "33": soap_doors.play,
}
_AREAS: Mapping[str, tuple[Mapping[str, Player], Player]] = {
    "rest": (_REST, rest_answers.play),
    "soap": (_SOAP, soap_answers.play),
}
"""For each area: the players of single cases by their number, and the one of all others."""


@dataclass(frozen=True, slots=True)
class Case:
    """One folder with an input. ``program``: what others wrote and it cannot be played without."""

    folder: Path
    player: Player
    program: str | None = None
    long: bool = False

    @property
    def name(self) -> str:
        """Area and folder."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def gave(self) -> Path:
        """Where what it gave is kept."""
        return self.folder / GAVE

    def play(self) -> str:
        """What it gives now."""
        return self.player(self.folder)


def _case(folder: Path) -> Case:
    players, other = _AREAS[folder.parent.name]
    return Case(folder, players.get(folder.name.partition("-")[0], other))


def cases() -> tuple[Case, ...]:
    """All cases, in order of name."""
    folders = (folder for area in _AREAS for folder in sorted((HERE / area).glob("*")) if folder.is_dir())
    return tuple(_case(folder) for folder in folders)
