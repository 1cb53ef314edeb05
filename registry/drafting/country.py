"""The country as names meet it: oblasts, districts and communities by the adjective that bodies are called by.

Only for drafting: what is found here stands in a file afterwards, where a person reviews it. Routing goes by codes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from registry import territories
from registry.kinds import folded
from registry.territories import TerritoryTable, Unit

OCCUPIED: Final = ("UA01", "UA85")
"""Crimea and Sevastopol: their communities wait for nobody here."""
KYIV: Final = "UA80000000000093317"
_COUNCIL_OF = {"M": "міська рада", "X": "селищна рада", "C": "сільська рада"}
_GENDER = re.compile(r"(?:ий|ого|ому|ій|ою|ої|оі|а|е|і|у)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """A community. ``seat_level``: category of the settlement it is governed from (M, X or C)."""

    code: str
    name: str
    seat_level: str
    seat: str
    district: str | None
    oblast: str

    @property
    def council(self) -> str:
        """Name of its council."""
        return f"{self.name} {_COUNCIL_OF[self.seat_level]}"


def stem(adjective: str) -> str:
    """An adjective without case and gender: "Стрийської", "Стрийського" and "Стрийська" are one."""
    return _GENDER.sub("", folded(adjective))


class Country:
    """Units by code; those outside Crimea and Sevastopol by level and by the stem of their names too."""

    def __init__(self, table: TerritoryTable, seats: Mapping[str, tuple[str, str]]) -> None:
        self.units = {unit.code: unit for unit in table.units()}
        units = [unit for unit in self.units.values() if not unit.code.startswith(OCCUPIED)]
        self.oblasts = [unit for unit in units if unit.level == "O"]
        self.districts = [unit for unit in units if unit.level == "P"]
        self.city_districts = [unit for unit in units if unit.level == "B" and unit.parent == KYIV]
        self.communities = [self._community(unit, seats) for unit in units if unit.level == "H"]
        self._oblast_by_stem = {stem(unit.name): unit.code for unit in self.oblasts}
        self._district_by_stem = {stem(unit.name): unit for unit in self.districts}
        self._communities_by_stem: dict[str, list[Community]] = {}
        for community in self.communities:
            self._communities_by_stem.setdefault(stem(community.name), []).append(community)

    def _community(self, unit: Unit, seats: Mapping[str, tuple[str, str]]) -> Community:
        level, seat = seats[unit.code]
        above = self.units[unit.parent or ""]
        return Community(
            code=unit.code,
            name=unit.name,
            seat_level=level,
            seat=seat,
            district=above.code if above.level == "P" else None,
            oblast=self.oblast_of(unit.code),
        )

    def oblast_of(self, code: str) -> str:
        """The oblast, or Kyiv, that a unit lies in."""
        at: Unit | None = self.units[code]
        while at is not None and at.parent is not None:
            at = self.units[at.parent]
        return at.code if at is not None else code

    def oblast(self, adjective: str) -> str | None:
        """Code of the oblast that is called so."""
        return self._oblast_by_stem.get(stem(adjective))

    def district(self, adjective: str) -> Unit | None:
        """The district of today that is called so; no two have one name."""
        return self._district_by_stem.get(stem(adjective))

    def called(self, adjective: str) -> list[Community]:
        """All communities that are called so."""
        return self._communities_by_stem.get(stem(adjective), [])

    def oblasts_in(self, name: str) -> list[str]:
        """Oblasts, and Kyiv, that a name speaks of: "у Львівській області", "Од. обл.", "у м. Києві"."""
        found = []
        for adjective in re.findall(r"([\w’.-]+) (?:область|області|обл\b|областях)", folded(name)):
            code = self.oblast(adjective) or self._short(adjective)
            if code is not None:
                found.append(code)
        if re.search(r"(?:м\.? ?|міст[іоа] )києв", folded(name)):
            found.append(KYIV)
        return list(dict.fromkeys(found))

    def _short(self, adjective: str) -> str | None:
        cut = adjective.rstrip(".")
        fitting = [code for known, code in self._oblast_by_stem.items() if cut != adjective and known.startswith(cut)]
        return fitting[0] if len(fitting) == 1 else None


def shipped_seats() -> dict[str, tuple[str, str]]:
    """Level and name of each community's seat, from the project's own table."""
    packed = files("registry").joinpath("data", "seats.csv.gz").read_bytes()
    rows = csv.DictReader(io.StringIO(territories.unpack(packed, "seats.csv.gz").decode()), delimiter=";")
    return {row["community"]: (row["level"], row["name"]) for row in rows}


def shipped() -> Country:
    """The country of the project's own tables."""
    return Country(territories.shipped(), shipped_seats())
