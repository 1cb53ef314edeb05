"""The table of appeals (``appeals.yaml``) as values, and how to find the body that a row expects in a directory.

For a test of routing: put ``row.request()`` to the router on ``DAY``, with a directory that connects every body, and
compare the decision's authority with the code of ``expected_body(row, directory)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from hub.ports import Directory
from hub.router import RoutingRequest
from hub.schemas.directory import WHOLE_COUNTRY, Authority, AuthorityKind, TerritoryLevel
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory
from registry.yamlfile import parse

FILE = Path(__file__).with_name("appeals.yaml")
LEVELS = {
    "community": frozenset({TerritoryLevel.COMMUNITY}),
    "district": frozenset({TerritoryLevel.DISTRICT, TerritoryLevel.CITY_DISTRICT}),
    "oblast": frozenset({TerritoryLevel.OBLAST, TerritoryLevel.SPECIAL_CITY}),
}
COUNTRY = "country"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The body that is competent, or why a person decides (``operators``: a reason in the router's words)."""

    kind: AuthorityKind | None = None
    level: str | None = None
    code: str | None = None
    of: str | None = None
    operators: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One appeal of the table."""

    id: str
    text: str
    topic: str
    words: tuple[str, ...]
    kind: AppealKind
    channel: AppealChannel
    expected: Expected
    act: str
    why: str
    more_topics: tuple[str, ...] = ()
    place: str | None = None
    addressee: str | None = None
    about: tuple[str, ...] = ()

    def request(self) -> RoutingRequest:
        """The question that this appeal puts to the router."""
        return RoutingRequest(
            topics=(self.topic, *self.more_topics),
            place=self.place,
            addressee=self.addressee,
            kind=self.kind,
            channel=self.channel,
            about=self.about,
        )


def _row(raw: dict[str, Any]) -> Row:
    expected = dict(raw["expected"])
    if "kind" in expected:
        expected["kind"] = AuthorityKind(expected["kind"])
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    values |= {"kind": AppealKind(raw["kind"]), "channel": AppealChannel(raw["channel"])}
    return Row(**(values | {"expected": Expected(**expected)}))


def _read() -> tuple[date, tuple[Row, ...]]:
    parsed = parse(FILE.read_text(encoding="utf-8"))
    assert not parsed.problems, parsed.problems
    data: Any = parsed.data
    return date.fromisoformat(data["day"]), tuple(_row(raw) for raw in data["appeals"])


DAY, ROWS = _read()
"""The day on which the expectations hold, and the appeals."""


def unit_at(place: str | None, level: str, directory: Directory) -> str | None:
    """Code of the unit of this level on the way up from the place; ``UA`` for the country; None if there is none."""
    if level == COUNTRY:
        return WHOLE_COUNTRY
    for code in directory.ancestry(place) if place is not None else ():
        territory = directory.territory(code)
        if territory is not None and territory.level in LEVELS[level]:
            return territory.code
    return None


def expected_body(row: Row, directory: LoadedDirectory) -> Authority | None:
    """The authority that must get the appeal; None if the operators must. Raises ``LookupError`` if the directory has
    no such authority, or several.

    With a ``code``: that authority, or its first successor in force on ``DAY``. Without: the only authority in force of
    the kind whose own territory is the unit of the level, or that has a competence naming it; with ``of``, below that
    central body. A body complained of is left out. If several are left (a council and its departments), those that are
    named for the topic or one of its parents there. It looks at no channel and asks no router.
    """
    expected = row.expected
    if expected.operators is not None:
        return None
    if expected.code is not None:
        return _in_force(expected.code, directory)
    assert expected.level is not None
    unit = unit_at(row.place, expected.level, directory)
    found = [
        authority
        for authority in directory.authorities()
        if authority.kind is expected.kind
        and authority.holds_on(DAY)
        and authority.code not in row.about
        and unit is not None
        and _stands_for(authority, unit)
        and (expected.of is None or expected.of in _above(authority, directory))
    ]
    if len(found) > 1:
        named = {
            a.code for topic in _topics(row, directory) for a in directory.competent(topic, str(unit), row.kind, DAY)
        }
        found = [authority for authority in found if authority.code in named]
    if len(found) != 1:
        raise LookupError(f"{row.id}: {[a.code for a in found]} of kind {expected.kind} for {unit}, not one")
    return found[0]


def _stands_for(authority: Authority, unit: str) -> bool:
    named = (territory for c in authority.competences if c.holds_on(DAY) for territory in c.territories)
    return authority.territory == unit or unit in named


def _in_force(code: str, directory: Directory) -> Authority:
    seen: set[str] = set()
    at = directory.authority(code)
    while at is not None and not at.holds_on(DAY) and at.code not in seen:
        seen.add(at.code)
        at = directory.authority(at.successor) if at.successor is not None else None
    if at is None or at.code in seen:
        raise LookupError(f"{code} is not in the directory, or has ended and has no successor in force")
    return at


def _above(authority: Authority, directory: Directory) -> set[str]:
    reached: set[str] = set()
    at = authority.superior
    while at is not None and at not in reached:
        reached.add(at)
        above = directory.authority(at)
        at = above.superior if above is not None else None
    return reached


def _topics(row: Row, directory: Directory) -> list[str]:
    topics: list[str] = []
    at: str | None = row.topic
    while at is not None and at not in topics:
        topics.append(at)
        topic = directory.topic(at)
        at = topic.parent if topic is not None else None
    return topics
