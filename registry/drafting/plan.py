"""The plan of `hub registry draft`: networks of bodies, central bodies, and the rules of competence. Reviewed data."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import Fault, RegistryRefused
from hub.schemas.base import Code, Day, Frozen, Line
from hub.schemas.directory import AuthorityKind
from hub.schemas.ids import AuthorityCode, TerritoryCode, TopicCode
from hub.schemas.terms import AppealKind
from registry.faults import found, pointer
from registry.yamlfile import lines, parse

EXAMPLE: Final = "example"
"""Source of what was set by hand, without an act beside it."""
T = TypeVar("T")


class Level(StrEnum):
    """Levels on which bodies stand. Kyiv counts as an oblast; a city's council is a community's too."""

    COUNTRY = "country"
    OBLAST = "oblast"
    DISTRICT = "district"
    CITY_DISTRICT = "city_district"
    CITY = "city"
    COMMUNITY = "community"


class Find(StrEnum):
    """Ways to find the bodies of a network in the list."""

    BODIES = "bodies"
    OBLAST = "oblast"
    ADJECTIVE = "adjective"
    COUNCILS = "councils"
    DISTRICT_ADMINISTRATIONS = "district_administrations"
    KYIV_DISTRICTS = "kyiv_districts"
    DISTRICT_PROSECUTORS = "district_prosecutors"


class Expected(StrEnum):
    """Units that should each have a body of the network."""

    OBLASTS = "oblasts"
    OBLASTS_AND_KYIV = "oblasts_and_kyiv"
    DISTRICTS = "districts"
    CITY_DISTRICTS = "city_districts"
    COMMUNITIES = "communities"


class Network(Frozen):
    """Bodies of one kind on one level. ``awaits``: units without one get a body that waits for its code."""

    code: Annotated[str, Code(r"[a-z][a-z-]{0,31}")]
    name: Annotated[str, Line(200)]
    title: Annotated[str, Line(200)] | None = None
    find: Find
    begins: str | None = None
    kind: AuthorityKind
    level: Level
    head: AuthorityCode | None = None
    bodies: dict[AuthorityCode, tuple[TerritoryCode, ...]] = Field(default_factory=dict)
    expected: Expected | None = None
    awaits: bool = False
    source: Annotated[str, Line(500)]

    @model_validator(mode="after")
    def _named(self) -> Network:
        if (self.begins is not None) is not (self.find in (Find.OBLAST, Find.ADJECTIVE)):
            raise PydanticCustomError("begins", "names begin as `begins` says where find is oblast or adjective only")
        if self.awaits and self.find is Find.OBLAST and self.title is None:
            raise PydanticCustomError("title", "a network whose bodies wait for their codes needs a title for them")
        return self


class Central(Frozen):
    """A body for the whole country: what the list does not say of it."""

    code: AuthorityCode
    kind: AuthorityKind
    superior: AuthorityCode | None = None
    successor: AuthorityCode | None = None
    valid_to: Day | None = None
    source: Annotated[str, Line(500)] | None = None


class CompetenceRule(Frozen):
    """A competence: topics x kind of body x level. ``network`` and ``bodies`` narrow it; ``source``: act or example.

    ``subtopics``: False once its groups were shared out (``registry.drafting.sharing``).
    """

    topics: Annotated[tuple[TopicCode | Annotated[str, Code(r"\*")], ...], Field(min_length=1)]
    kind: AuthorityKind
    level: Level
    network: str | None = None
    bodies: tuple[AuthorityCode, ...] = ()
    appeals: tuple[AppealKind, ...] = ()
    on_request: bool = False
    subtopics: bool = True
    source: Annotated[str, Line(500)]

    def covers(self, code: str | None, kind: AuthorityKind, levels: Collection[Level], network: str | None) -> bool:
        """True if the rule speaks of this body, which stands on ``levels``."""
        narrowed = self.network in (None, network) and (not self.bodies or code in self.bodies)
        return narrowed and self.kind is kind and self.level in levels


class Cities(Frozen):
    """Cities of an oblast whose councils decide more than those of other communities, by name of the seat."""

    oblast: Annotated[str, Line(100)]
    seats: Annotated[tuple[Annotated[str, Line(100)], ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it."""

    networks: tuple[Network, ...]
    central: tuple[Central, ...]
    rules: tuple[CompetenceRule, ...]
    cities: tuple[Cities, ...]


def shipped() -> Plan:
    """The project's own plan. Raises ``RegistryRefused`` naming file and line if it is broken."""
    return Plan(
        networks=_read("networks.yaml", "networks", TypeAdapter(tuple[Network, ...])),
        central=_read("central.yaml", "central", TypeAdapter(tuple[Central, ...])),
        rules=_read("competences.yaml", "rules", TypeAdapter(tuple[CompetenceRule, ...])),
        cities=_read("cities.yaml", "cities", TypeAdapter(tuple[Cities, ...])),
    )


def _read(name: str, section: str, adapter: TypeAdapter[T]) -> T:
    text = files("registry").joinpath("data", name).read_text(encoding="utf-8")
    return read(text, name, section, adapter)


def read(text: str, name: str, section: str, adapter: TypeAdapter[T]) -> T:
    """Entries of one file. Raises ``RegistryRefused`` with every fault by file and line."""
    parsed = parse(text)
    faults = [Fault(pointer=pointer(name, p.line, p.path), code=p.code, message=p.message) for p in parsed.problems]
    entries: Any = parsed.data.get(section) if isinstance(parsed.data, dict) else None
    if not faults:
        try:
            return adapter.validate_json(json.dumps(entries))
        except ValidationError as error:
            where = lines(text)
            for path, code, message in found(error, (section,), entries):
                at = path
                while at not in where:
                    at = at[:-1]
                faults.append(Fault(pointer=pointer(name, where[at], path), code=code, message=message))
    raise RegistryRefused("the plan of drafting is broken; mend the file that each fault names", faults=faults)
