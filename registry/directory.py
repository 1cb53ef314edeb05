"""One loaded version of the registry: an index in memory. Implements the port ``Directory``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date

from hub.schemas.base import Frozen
from hub.schemas.directory import (
    Authority,
    AwaitedBody,
    Channel,
    Competence,
    Competent,
    Stage,
    Territory,
    TerritoryLevel,
    Topic,
)
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import AppealKind
from registry.territories import TerritoryTable

_FORMAT = b"appeal-hub registry 2\n"


class LoadedDirectory:
    """Immutable. All answers come from dictionaries; none blocks. Make it with ``registry.load``, or from values.

    The values are taken as they are: references among them are checked by ``registry.load``, not here.
    """

    def __init__(
        self,
        *,
        authorities: Iterable[Authority],
        awaited: Iterable[AwaitedBody] = (),
        topics: Iterable[Topic] = (),
        stages: Iterable[Stage] = (),
        territories: TerritoryTable,
    ) -> None:
        self._authorities = {a.code: a for a in sorted(authorities, key=lambda a: a.code)}
        self._topics = {t.code: t for t in sorted(topics, key=lambda t: t.code)}
        self._stages = tuple(sorted(stages, key=lambda s: (s.from_day, s.stage, s.channels, s.addressed, s.routed)))
        self._territories = territories
        self._channels = {c.id: (a, c) for a in self._authorities.values() for c in a.channels}
        self._awaited = {a.code: a for a in sorted(awaited, key=lambda a: a.code)}
        self._claims: dict[str, dict[str, list[tuple[Competent, Competence]]]] = {}
        bodies: list[Competent] = [*self._authorities.values(), *self._awaited.values()]
        for body in bodies:
            self._claim(body)
        self._version = self._hash()

    def _claim(self, body: Competent) -> None:
        own = (body.territory,) if body.territory is not None else ()
        for competence in body.competences:
            if competence.on_request:
                continue
            for topic in competence.topics:
                by_territory = self._claims.setdefault(topic, {})
                for territory in competence.territories or own:
                    by_territory.setdefault(territory, []).append((body, competence))

    def _hash(self) -> str:
        """Over the content only: order of files and entries, comments and spelled-out defaults change nothing."""
        hashed = hashlib.sha256(_FORMAT)
        for values in (self._authorities.values(), self._topics.values(), self._stages, self._awaited.values()):
            for value in values:
                hashed.update(_canonical(value))
            hashed.update(b"\n")
        hashed.update(self._territories.digest())
        return hashed.hexdigest()[:16]

    @property
    def version(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over the content, the table of territories included."""
        return self._version

    def authority(self, code: str) -> Authority | None:
        """The authority with this code, valid or not."""
        return self._authorities.get(code)

    def authorities(self) -> Iterator[Authority]:
        """All authorities, in order of code."""
        return iter(self._authorities.values())

    def awaited(self) -> Iterator[AwaitedBody]:
        """All bodies that wait for their codes, by kind and territory."""
        return iter(self._awaited.values())

    def channel(self, channel_id: str) -> tuple[Authority, Channel] | None:
        """The channel with this id and whose it is."""
        return self._channels.get(channel_id)

    def channels(self) -> Iterable[tuple[Authority, Channel]]:
        """All channels, valid or not, and whose they are."""
        return self._channels.values()

    def territory(self, code: str) -> Territory | None:
        """The unit with this code; a settlement below the table's level resolves to its community."""
        return self._territories.territory(code)

    @property
    def territories(self) -> TerritoryTable:
        """The table of territories."""
        return self._territories

    def units(self) -> Iterator[Territory]:
        """All units that the table holds, in order of code."""
        for unit in self._territories.units():
            yield Territory(code=unit.code, level=TerritoryLevel(unit.level), name=unit.name, parent=unit.parent)

    def oblast(self, prefix: str) -> Territory | None:
        """The oblast or city with special status whose codes begin with these four characters."""
        return self._territories.oblast(prefix)

    def ancestry(self, code: str) -> tuple[str, ...]:
        """Codes from the unit itself upward, ending with ``UA``; empty if the code is not known."""
        return self._territories.ancestry(code)

    def competent(
        self, topic: str, territory: str, kind: AppealKind, day: date, *, below: bool = False
    ) -> tuple[Competent, ...]:
        """Bodies that name exactly this topic (or ``*``) and territory (or ``UA``), in order of code, awaited last.

        Only those that are valid on ``day`` themselves, by a competence that is valid then and covers ``kind``.
        ``below``: asked for a topic below this one, so only by a competence that covers those too.
        """
        by_territory = self._claims.get(topic)
        claims = by_territory.get(territory) if by_territory is not None else None
        if claims is None:
            return ()
        held = [
            body
            for body, competence in claims
            if (not competence.kinds or kind in competence.kinds)
            and (competence.subtopics or not below)
            and competence.holds_on(day)
            and body.holds_on(day)
        ]
        return tuple({body.code: body for body in held}.values()) if len(held) > 1 else tuple(held)

    def topic(self, code: str) -> Topic | None:
        """The topic with this code."""
        return self._topics.get(code)

    def topics(self) -> Iterator[Topic]:
        """All topics, in order of code."""
        return iter(self._topics.values())

    def stages(self) -> tuple[Stage, ...]:
        """Stages of the roll-out, by day; empty = no limit."""
        return self._stages

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """Public keys of a party, expired ones included."""
        authority = self._authorities.get(party)
        return authority.keys if authority is not None else ()


def _canonical(value: Frozen) -> bytes:
    content = value.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class FixedRegistry:
    """A registry that never changes: for tests and for tools that run once. Implements the port ``Registry``."""

    def __init__(self, directory: LoadedDirectory) -> None:
        self._directory = directory

    def current(self) -> LoadedDirectory:
        """The directory it was made with."""
        return self._directory
