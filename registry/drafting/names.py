"""Councils and administrations of the official list, matched with units of the codifier by name.

A name decides only if it fits one unit: its adjective, the rank of its council (міська, селищна, сільська), and the
words for oblast and district where it has any. What fits several, or none, is told in the report and matched with none.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from registry.drafting.country import Community, Country, stem
from registry.kinds import folded

_RANKS: Final = {"міськ": "M", "селищн": "X", "седищн": "X", "сільськ": "C"}
_BEGIN = r"^(?:омс )?(?P<office>вик[а-яіїє.]*(?: комітет)? )?(?P<adjective>[\w’-]+) "
_COUNCIL: Final = re.compile(
    _BEGIN
    + r"(?:(?P<office2>виконавчий комітет) )?(?P<rank>міськ|селищн|седищн|сільськ)[аоіїй]+ рад[аи]\b,?(?P<tail>.*)$"
)
_SHORT: Final = re.compile(
    _BEGIN + r"(?P<rank>м/ ?р|с/ ?рада|с/ ?р|мр|ср|міськради|сільради)\b(?: омс)?,?(?P<tail>.*)$"
)
_COMMUNITY: Final = re.compile(
    _BEGIN + r"(?:(?P<rank>селищн|сільськ|міськ)[аоїі]+ )?територіальна громада(?P<tail>.*)$"
)
_SHORT_RANKS: Final = {"м": "M", "с": "XC"}
_SERVICE_CENTRE: Final = re.compile(
    r"(?P<adjective>[\w’-]+) (?P<rank>міськ|селищн|сільськ)[аоіїй]+ рад[аи]\b,?(?P<tail>.*)$"
)
_DISTRICT_WORD: Final = re.compile(r"([\w’-]+(?:ого|ий)) (?:району|район|р-ну)")
_ADMINISTRATION: Final = re.compile(
    r"^(?P<adjective>[\w’-]+) (?:районна державна адміністрація|державна районна адміністрація|рда)\b(?P<tail>.*)$"
)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A body of the official list. ``part_of``: code of the body that it is a sub-unit of."""

    code: str
    name: str
    short_name: str
    kind: str
    part_of: str | None

    @cached_property
    def plain(self) -> str:
        """Its name for comparing; a capital І for Ї in endings is mended."""
        return re.sub(r"(?<=[скнц])оі\b", "ої", folded(self.name)).replace("аі", "аї")


@dataclass(frozen=True, slots=True, kw_only=True)
class CouncilName:
    """The parts of a council's name. ``rank``: levels of seat that fit it (M, X, C); ``office``: its executive."""

    adjective: str
    rank: str
    office: bool
    tail: str


def council_name(plain: str) -> CouncilName | None:
    """The parts, if this is the name of a community's council or of its executive committee."""
    found = _COUNCIL.match(plain) or _SHORT.match(plain) or _COMMUNITY.match(plain)
    if found is None:
        return None
    said = found["rank"] or ""
    rank = _RANKS.get(said) or _SHORT_RANKS.get(said[:1], "MXC")
    office = bool(found["office"]) or bool(found.groupdict().get("office2"))
    return CouncilName(adjective=found["adjective"], rank=rank, office=office, tail=found["tail"])


class Blocks:
    """Oblasts by neighbourhood of codes: those of the nineties, which begin with a zero, were given oblast by oblast.

    Used only against a match that the name alone would make: a village council of long ago may have the name of a
    community at the other end of the country. Never for one.
    """

    NEIGHBOURS: Final = 4
    MAJORITY: Final = 3
    REACH: Final = 4_000

    def __init__(self, bodies: Iterable[Listed], country: Country) -> None:
        self._known: dict[str, str] = {}
        for body in bodies:
            oblast = _evident(body, country)
            if oblast is not None and body.code.startswith("0"):
                self._known.setdefault(body.code[:8], oblast)
        self._codes = sorted(self._known)

    def oblast(self, code: str) -> str | None:
        """The oblast of most of the nearest codes below and of most of those above, if they are near and agree."""
        own = code[:8]
        if not own.startswith("0"):
            return None
        at = bisect(self._codes, own)
        below = [c for c in self._codes[max(0, at - self.NEIGHBOURS - 1) : at] if c != own][-self.NEIGHBOURS :]
        above = self._codes[at : at + self.NEIGHBOURS]
        sides = {self._majority(own, below), self._majority(own, above)}
        return sides.pop() if len(sides) == 1 else None

    def _majority(self, own: str, codes: Sequence[str]) -> str | None:
        near = Counter(self._known[code] for code in codes if abs(int(code) - int(own)) < self.REACH)
        oblast, count = near.most_common(1)[0] if near else (None, 0)
        return oblast if count >= self.MAJORITY else None


def _evident(body: Listed, country: Country) -> str | None:
    """The oblast that a name speaks of, or that the only unit of its name lies in."""
    oblasts = country.oblasts_in(body.plain)
    if oblasts:
        return oblasts[0] if len(oblasts) == 1 else None
    council = council_name(body.plain)
    if council is not None:
        fitting = [c for c in country.called(council.adjective) if c.seat_level in council.rank]
        return fitting[0].oblast if len(fitting) == 1 else None
    administration = _ADMINISTRATION.match(body.plain)
    called = country.called(administration["adjective"]) if administration is not None else []
    return called[0].oblast if len(called) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Fate of the names of one kind: bodies by unit, and bodies that fit several units or none."""

    found: Mapping[str, tuple[Listed, ...]]
    ambiguous: Mapping[str, tuple[str, ...]]
    strangers: tuple[Listed, ...]


def councils(bodies: Sequence[Listed], country: Country) -> Matched:
    """Councils of communities: for each community the council first, then its executive committee."""
    blocks = Blocks(bodies, country)
    found: dict[str, list[tuple[bool, Listed]]] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    strangers = []
    for body in bodies:
        name = council_name(body.plain) if body.kind == "local_self_government" else None
        if name is None:
            continue
        fitting = _fitting(name, body, country)
        if len(fitting) == 1 and not _is_stranger(body, fitting[0], country, blocks):
            found.setdefault(fitting[0].code, []).append((name.office, body))
        elif len(fitting) > 1:
            ambiguous[body.code] = tuple(community.code for community in fitting)
        else:
            strangers.append(body)
    ordered = {
        code: tuple(body for _, body in sorted(several, key=lambda pair: (pair[0], pair[1].code)))
        for code, several in found.items()
    }
    return Matched(found=ordered, ambiguous=ambiguous, strangers=tuple(strangers))


def _fitting(name: CouncilName, body: Listed, country: Country) -> list[Community]:
    adjective = _RENAMED_COUNCILS.get(name.adjective, name.adjective)
    fitting = [c for c in country.called(adjective) if c.seat_level in name.rank]
    oblasts = country.oblasts_in(body.plain)
    if oblasts:
        fitting = [c for c in fitting if c.oblast in oblasts]
    return _in_district(fitting, name.tail, country)


def _is_stranger(body: Listed, community: Community, country: Country, blocks: Blocks) -> bool:
    """True if nothing in the name says the oblast, and the neighbourhood of its code says another."""
    block = blocks.oblast(body.code) if not country.oblasts_in(body.plain) else None
    return block is not None and block != community.oblast


def _in_district(fitting: list[Community], tail: str, country: Country) -> list[Community]:
    """Communities in the district that the name speaks of, if it is a district of today that one of them lies in."""
    words = _DISTRICT_WORD.search(tail)
    district = country.district(words[1]) if words else None
    inside = [c for c in fitting if district is not None and c.district == district.code]
    return inside or fitting


def administrations(bodies: Sequence[Listed], country: Country) -> tuple[Matched, tuple[Listed, ...]]:
    """Districts' administrations of today, and those of districts that are no more (their names fit no district)."""
    blocks = Blocks(bodies, country)
    found: dict[str, list[Listed]] = {}
    gone = []
    for body in bodies:
        name = _ADMINISTRATION.match(body.plain)
        if name is None:
            continue
        district = country.district(_RENAMED.get(stem(name["adjective"]), name["adjective"]))
        oblasts = country.oblasts_in(body.plain) or [o for o in [blocks.oblast(body.code)] if o]
        if district is not None and (not oblasts or country.oblast_of(district.code) in oblasts):
            found.setdefault(district.code, []).append(body)
        else:
            gone.append(body)
    sure = {code: tuple(several) for code, several in found.items() if len(several) == 1}
    ambiguous = {body.code: (code,) for code, several in found.items() if len(several) > 1 for body in several}
    return Matched(found=sure, ambiguous=ambiguous, strangers=()), tuple(gone)


_RENAMED_COUNCILS: Final = {"переяслав-хмельницької": "переяславська", "переяслав-хмельницька": "переяславська"}
# Districts that were renamed after the list was made: Parliament, 19.09.2024, no. 3984-IX and earlier acts.
_RENAMED: Final = {
    stem("володимир-волинська"): "володимирський",
    stem("новоград-волинська"): "звягельський",
    stem("новомосковська"): "самарівський",
    stem("кіровоградська"): "кропивницький",
    stem("красноградська"): "берестинський",
    stem("червоноградська"): "шептицький",
    stem("сєвєродонецька"): "сіверськодонецький",
}


def hints(bodies: Sequence[Listed], country: Country) -> dict[str, Listed]:
    """For a community, the one service centre (ЦНАП) that its council has in the list: its code begins with another.

    A hint for whoever looks for the council's code: the first eight digits may be the council's, or its executive's.
    """
    found: dict[str, list[Listed]] = {}
    for body in bodies:
        name = _SERVICE_CENTRE.search(body.plain) if body.kind == "service_centre" else None
        if name is None:
            continue
        parts = CouncilName(adjective=name["adjective"], rank=_RANKS[name["rank"]], office=False, tail=name["tail"])
        fitting = _fitting(parts, body, country)
        if len(fitting) == 1:
            found.setdefault(fitting[0].code, []).append(body)
    return {code: several[0] for code, several in found.items() if len(several) == 1}
