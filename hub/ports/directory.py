"""The registry as the use cases see it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from hub.schemas.directory import Authority, Channel, Competent, Stage, Territory, Topic
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import AppealKind


class Directory(Protocol):
    """One loaded version of the registry: immutable, answers from memory, never blocks."""

    @property
    def version(self) -> str:
        """Hash of the content, 16 hexadecimal digits; written on each routing and attempt."""
        ...

    def authority(self, code: str) -> Authority | None:
        """The authority with this code, valid or not."""
        ...

    def channel(self, channel_id: str) -> tuple[Authority, Channel] | None:
        """The channel with this id and whose it is."""
        ...

    def channels(self) -> Iterable[tuple[Authority, Channel]]:
        """All channels, valid or not, and whose they are."""
        ...

    def territory(self, code: str) -> Territory | None:
        """The unit with this code; a settlement below the table's level resolves to its community."""
        ...

    def oblast(self, prefix: str) -> Territory | None:
        """The oblast or city with special status whose codes begin with these four characters."""
        ...

    def ancestry(self, code: str) -> tuple[str, ...]:
        """Codes from the unit itself upward, ending with ``UA``; empty if the code is not known."""
        ...

    def competent(
        self, topic: str, territory: str, kind: AppealKind, day: date, *, below: bool = False
    ) -> tuple[Competent, ...]:
        """Bodies that name exactly this topic (or ``*``) and this territory (or ``UA``), in order of code. ``below``:
        asked for a topic below this one, so only those whose competence covers subtopics.
        """
        ...

    def authorities(self) -> Iterable[Authority]:
        """All authorities, valid or not, in order of code."""
        ...

    def topics(self) -> Iterable[Topic]:
        """All topics, in order of code."""
        ...

    def units(self) -> Iterable[Territory]:
        """All units of the codifier that the table holds, in order of code."""
        ...

    def topic(self, code: str) -> Topic | None:
        """The topic with this code."""
        ...

    def stages(self) -> tuple[Stage, ...]:
        """Stages of the roll-out; empty = no limit."""
        ...

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """Public keys of a party, expired ones included."""
        ...


class Registry(Protocol):
    """Holds the directory in force and replaces it as a whole."""

    def current(self) -> Directory:
        """The directory in force; cheap, call it once per decision."""
        ...
