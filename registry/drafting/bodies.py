"""Bodies of the plan's networks, found in the official list, with their territories and superiors."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from hub.schemas.directory import WHOLE_COUNTRY, AuthorityKind
from registry.drafting import names
from registry.drafting.country import KYIV, Country, stem
from registry.drafting.names import Listed
from registry.drafting.plan import Central, Expected, Find, Level, Network

REFORM: Final = date(2020, 12, 16)
"""Districts' administrations of before the reform of 2020 were merged by КМУ № 1635-р of this day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A body of the draft. ``code`` None: it waits for it. ``rules``: False for one beside the body that decides."""

    code: str | None
    name: str
    short_name: str = ""
    kind: AuthorityKind
    level: Level
    network: str | None
    superior: str | None = None
    territories: tuple[str, ...] = ()
    successor: str | None = None
    valid_to: date | None = None
    note: str = ""
    rules: bool = True
    city: bool = False

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels on which it stands."""
        return (self.level, Level.CITY) if self.city else (self.level,)


@dataclass(slots=True, kw_only=True)
class Found:
    """Bodies found for one network. ``gaps``: units that should have a body and have none in the list."""

    network: Network
    bodies: list[Drafted] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strangers: tuple[Listed, ...] = ()


class Finder:
    """Looks through the list once for each network. ``cities``: communities whose councils stand on the level of
    cities too; ``taken``: codes that a network has already.
    """

    def __init__(self, bodies: Sequence[Listed], country: Country, cities: Collection[str] = ()) -> None:
        self._bodies = bodies
        self._cities = cities
        self._by_code = {body.code: body for body in bodies}
        self._country = country
        self._councils_by_code = {community.code: community.council for community in country.communities}
        self._oblast_heads: dict[str, str] = {}
        self._district_heads: dict[str, str] = {}
        self.taken: set[str] = set()
        self._ways: Mapping[Find, Callable[[Found], None]] = {
            Find.OBLAST: self._by_oblast,
            Find.ADJECTIVE: self._by_adjective,
            Find.COUNCILS: self._councils,
            Find.DISTRICT_ADMINISTRATIONS: self._district_administrations,
            Find.KYIV_DISTRICTS: self._kyiv_districts,
            Find.DISTRICT_PROSECUTORS: self._district_prosecutors,
        }

    def central(self, entries: Iterable[Central]) -> tuple[list[Drafted], list[str]]:
        """Bodies for the whole country, and codes that the list does not have."""
        drafted, absent = [], []
        for entry in entries:
            body = self._by_code.get(entry.code)
            if body is None:
                absent.append(entry.code)
                continue
            self.taken.add(entry.code)
            drafted.append(
                Drafted(
                    code=body.code,
                    name=body.name,
                    short_name=body.short_name,
                    kind=entry.kind,
                    level=Level.COUNTRY,
                    network=None,
                    superior=entry.superior,
                    territories=(WHOLE_COUNTRY,),
                    successor=entry.successor,
                    valid_to=entry.valid_to,
                    note=f"source: {entry.source}" if entry.source else "",
                )
            )
        return drafted, absent

    def network(self, network: Network) -> Found:
        """The bodies of one network. Call it in the plan's order: administrations stand above what comes after them."""
        found = Found(network=network)
        for code, territories in network.bodies.items():
            body = self._by_code.get(code)
            if body is not None:
                self._add(found, body, territories)
        if network.find is not Find.BODIES:
            self._ways[network.find](found)
        self._gaps(found)
        if network.find is Find.COUNCILS:
            found.bodies = [replace(body, city=body.territories[0] in self._cities) for body in found.bodies]
        found.bodies.sort(key=lambda body: (not body.territories, body.territories[:1], body.code or "", body.name))
        if network.kind is AuthorityKind.LOCAL_ADMINISTRATION:
            heads = self._oblast_heads if network.level is Level.OBLAST else self._district_heads
            for drafted in found.bodies:
                if drafted.code is not None and drafted.valid_to is None:
                    heads.update(dict.fromkeys(drafted.territories, drafted.code))
        return found

    def _add(self, found: Found, body: Listed, territories: Sequence[str], superior: str | None = None) -> None:
        self.taken.add(body.code)
        found.bodies.append(
            Drafted(
                code=body.code,
                name=body.name,
                short_name=body.short_name,
                kind=found.network.kind,
                level=found.network.level,
                network=found.network.code,
                superior=superior or found.network.head,
                territories=tuple(territories),
            )
        )

    def _by_oblast(self, found: Found) -> None:
        begins = re.compile(f"^(?:{found.network.begins})")
        for body in self._free(begins):
            oblasts = self._country.oblasts_in(body.plain)
            if len(oblasts) == 1:
                self._add(found, body, oblasts)

    def _by_adjective(self, found: Found) -> None:
        pattern = re.compile(rf"^(?P<adjective>[\w’-]+) (?:{found.network.begins})(?=$|[ ,])(?P<tail>.*)")
        for body in self._free(pattern):
            name = pattern.match(body.plain)
            adjective, in_city = (name["adjective"], "міськ" in body.plain) if name is not None else ("", False)
            if in_city:
                code = KYIV if stem(adjective) == stem("київська") else None
            else:
                code = self._country.oblast(adjective)
            if code is not None:
                self._add(found, body, (code,))

    def _free(self, pattern: re.Pattern[str]) -> list[Listed]:
        return [body for body in self._bodies if body.code not in self.taken and pattern.match(body.plain)]

    def _councils(self, found: Found) -> None:
        matched = names.councils(self._bodies, self._country)
        found.ambiguous, found.strangers = matched.ambiguous, matched.strangers
        for territory, several in matched.found.items():
            first, *others = several
            self._add(found, first, (territory,))
            for other in others:
                self._add(found, other, (territory,), first.code)
                found.bodies[-1] = replace(found.bodies[-1], rules=False, note="beside the council of the same place")

    def _above(self, territory: str) -> str | None:
        """The district's administration, or the oblast's where the district's waits for its code."""
        unit = self._country.units[territory]
        if unit.parent in self._district_heads:
            return self._district_heads[unit.parent]
        return self._oblast_heads.get(self._country.oblast_of(territory))

    def _district_administrations(self, found: Found) -> None:
        matched, gone = names.administrations(self._bodies, self._country)
        found.ambiguous = matched.ambiguous
        for territory, (body,) in matched.found.items():
            self._add(found, body, (territory,), self._above(territory))
        heads = {code: body.code for code, (body,) in matched.found.items()}
        for body in gone:
            district, oblast = self._district_that_took_over(body)
            self._add(found, body, (), self._oblast_heads.get(oblast or ""))
            found.bodies[-1] = replace(
                found.bodies[-1],
                successor=heads.get(district or ""),
                valid_to=REFORM,
                rules=False,
                note="source: КМУ № 1635-р від 16.12.2020; successor by the name of its town: example",
            )

    def _district_that_took_over(self, body: Listed) -> tuple[str | None, str | None]:
        """The district of today in which the community of the same name lies, if that is only one; and the oblast."""
        called = self._country.called(body.plain.split()[0])
        oblasts = self._country.oblasts_in(body.plain)
        fitting = [c for c in called if not oblasts or c.oblast in oblasts]
        districts = {c.district for c in fitting}
        if len(districts) == 1 and fitting:
            return fitting[0].district, fitting[0].oblast
        return None, oblasts[0] if len(oblasts) == 1 else None

    def _kyiv_districts(self, found: Found) -> None:
        by_stem = {stem(unit.name): unit.code for unit in self._country.city_districts}
        pattern = re.compile(r"^(?P<adjective>[\w’-]+) районна в місті києві державна адміністрація$")
        for body in self._free(pattern):
            code = by_stem.get(stem(body.plain.split()[0]))
            if code is not None:
                self._add(found, body, (code,))

    def _district_prosecutors(self, found: Found) -> None:
        """By name: the district, the city district of Kyiv, or the community of an oblast that is called so."""
        pattern = re.compile(r"^(?P<adjective>[\w’-]+) окружна прокуратура(?P<tail>.*)$")
        city_districts = {stem(unit.name): unit.code for unit in self._country.city_districts}
        oblasts = {b.code: self._country.oblast(b.plain.split()[0]) for b in self._bodies if "прокуратура" in b.plain}
        for body in self._free(pattern):
            adjective = body.plain.split()[0]
            if "міста києва" in body.plain:
                code = city_districts.get(stem(adjective))
            else:
                code = self._prosecuted(adjective, oblasts.get(body.part_of or ""))
            if code is not None:
                self._add(found, body, (code,), body.part_of)

    def _prosecuted(self, adjective: str, oblast: str | None) -> str | None:
        district = self._country.district(adjective)
        if district is not None and self._country.oblast_of(district.code) == oblast:
            return district.code
        called = [c for c in self._country.called(adjective) if c.oblast == oblast]
        return called[0].code if len(called) == 1 else None

    def _gaps(self, found: Found) -> None:
        network, country = found.network, self._country
        if network.expected is None:
            return
        have = {code for body in found.bodies for code in body.territories}
        hints = names.hints(self._bodies, country) if network.find is Find.COUNCILS else {}
        for code in _expected(network.expected, country):
            if code in have:
                continue
            found.gaps.append(code)
            if network.awaits:
                found.bodies.append(self._awaited(network, code, hints.get(code)))

    def _awaited(self, network: Network, territory: str, hint: Listed | None) -> Drafted:
        note = ""
        if hint is not None:
            note = f"the code may be {hint.code[:8]}: its service centre is {hint.code} in the list"
        return Drafted(
            code=None,
            name=self._name(network, territory),
            kind=network.kind,
            level=network.level,
            network=network.code,
            superior=self._above(territory) if network.level is Level.DISTRICT else network.head,
            territories=(territory,),
            note=note,
        )

    def _name(self, network: Network, territory: str) -> str:
        unit = self._country.units[territory]
        if network.find is Find.COUNCILS:
            return self._councils_by_code[territory]
        if network.title is not None:
            return f"{network.title} ({'місто Київ' if territory == KYIV else f'{unit.name} область'})"
        adjective = re.sub(r"ий$", "а", unit.name)
        if network.level is Level.CITY_DISTRICT:
            return f"{adjective} районна в місті Києві державна адміністрація"
        return f"{adjective} {'районна' if network.level is Level.DISTRICT else 'обласна'} державна адміністрація"


def _expected(expected: Expected, country: Country) -> list[str]:
    oblasts = [unit.code for unit in country.oblasts]
    return {
        Expected.OBLASTS: oblasts,
        Expected.OBLASTS_AND_KYIV: [*oblasts, KYIV],
        Expected.DISTRICTS: [unit.code for unit in country.districts],
        Expected.CITY_DISTRICTS: [unit.code for unit in country.city_districts],
        Expected.COMMUNITIES: [community.code for community in country.communities],
    }[expected]
