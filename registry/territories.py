"""The table of territories: units of the codifier КАТОТТГ, and how a place finds its way up to the whole country.

Codes are positional: ``UA``, 2 digits of the oblast, 2 of the district, 3 of the community, 3 of the settlement, 2 of
the city district, 5 that make it unique. In the edition of 16 May 2025 the first 12 digits alone are unique and give
every parent (measured: 31,748 of 31,748), so a settlement that the table does not hold is found by its prefix.

The project ships units down to communities, and the city districts of Kyiv and Sevastopol, which stand in no
community (``data/territories.csv.gz``). A registry folder may bring the full codifier: ``territories.csv`` or ``.gz``.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hub.errors import Fault, RegistryRefused
from hub.schemas.directory import WHOLE_COUNTRY, Territory, TerritoryLevel

HEADER = ("code", "level", "name", "parent")
MAX_BYTES = 16 * 1024 * 1024
"""Of the table, unpacked. The full codifier is 2.3 MB."""

_CODE = re.compile(r"UA[0-9]{17}", re.ASCII)
_LEVELS = frozenset(level.value for level in TerritoryLevel)
_PREFIX_LEVELS = frozenset("OKPH")  # units that a settlement's code names by its first digits
_TOP_LEVELS = frozenset("OK")
_BELOW_COMMUNITY = frozenset("MXC")
_PREFIXES = ((9, 6), (6, 4), (4, 4))  # UA up to the community, district, oblast; and where its own digits begin


@dataclass(frozen=True, slots=True)
class Unit:
    """One row: ``level`` is a letter of ``TerritoryLevel``."""

    code: str
    level: str
    name: str
    parent: str | None


class TerritoryTable:
    """Units by code. Immutable; answers from memory."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units: dict[str, tuple[str, str, str | None]] = {u.code: (u.level, u.name, u.parent) for u in units}
        self.complete = any(level in _BELOW_COMMUNITY for level, _, _ in self._units.values())
        self._by_prefix = {} if self.complete else self._prefixes()
        self._oblasts = {code[:4]: code for code, (level, _, _) in self._units.items() if level in _TOP_LEVELS}

    def _prefixes(self) -> Mapping[str, str]:
        lengths = {"O": 4, "K": 4, "P": 6, "H": 9}
        return {code[: lengths[level]]: code for code, (level, _, _) in self._units.items() if level in _PREFIX_LEVELS}

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, code: object) -> bool:
        return code in self._units

    def units(self) -> Iterator[Unit]:
        """All units, in order of code."""
        for code in sorted(self._units):
            yield Unit(code, *self._units[code])

    def resolve(self, code: str) -> str | None:
        """The code itself if the table holds it; for a unit below the table's level, the nearest one that holds it.

        A table with settlements in it is taken as complete: what it does not hold does not exist.
        """
        if code in self._units:
            return code
        if self.complete or not _CODE.fullmatch(code) or code[9:14] == "00000":
            return None  # of the table's own levels, or not a code: only an exact match counts
        for length, own in _PREFIXES:
            found = self._by_prefix.get(code[:length])
            if found is not None:
                return found
            if code[own:length].strip("0"):
                return None  # it names a community or district that the table does not have
        return None

    def territory(self, code: str) -> Territory | None:
        """The unit as a value, resolved as ``resolve`` does."""
        held = self.resolve(code)
        if held is None:
            return None
        level, name, parent = self._units[held]
        return Territory(code=held, level=TerritoryLevel(level), name=name, parent=parent)

    def oblast(self, prefix: str) -> Territory | None:
        """The oblast or city with special status whose codes begin with these four characters."""
        code = self._oblasts.get(prefix)
        return self.territory(code) if code is not None else None

    def ancestry(self, code: str) -> tuple[str, ...]:
        """Codes from the (resolved) unit up, ending with ``UA``; empty if it is not known. ``UA`` is its own."""
        if code == WHOLE_COUNTRY:
            return (WHOLE_COUNTRY,)
        at = code if code in self._units else self.resolve(code)
        way: list[str] = []
        while at is not None:
            way.append(at)
            at = self._units[at][2]
        return (*way, WHOLE_COUNTRY) if way else ()

    def digest(self) -> bytes:
        """SHA-256 over the rows in order of code: part of the registry's version."""
        hashed = hashlib.sha256()
        for code in sorted(self._units):
            level, name, parent = self._units[code]
            hashed.update(f"{code};{level};{name};{parent or ''}\n".encode())
        return hashed.digest()


def shipped() -> TerritoryTable:
    """The project's own table, down to communities. Raises ``RegistryRefused`` if the installation is damaged."""
    packed = files("registry").joinpath("data", "territories.csv.gz").read_bytes()
    return parse(unpack(packed, "territories.csv.gz"), "territories.csv.gz")


def read(path: Path) -> TerritoryTable:
    """A table of a registry folder. Raises ``RegistryRefused`` with every fault."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused(
            [Fault(pointer=path.name, code="registry.file.unreadable", message=error.strerror or "")]
        ) from None
    return parse(unpack(raw, path.name) if path.suffix == ".gz" else raw, path.name)


def unpack(packed: bytes, name: str) -> bytes:
    """Undo gzip, at most ``MAX_BYTES``."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise _refused([Fault(pointer=name, code="registry.file.gzip", message="is not a whole gzip file")]) from None
    return raw


def parse(raw: bytes, name: str) -> TerritoryTable:
    """Read ``code;level;name;parent`` with a header line. Raises ``RegistryRefused`` with every fault."""
    if len(raw) > MAX_BYTES:
        raise _refused([Fault(pointer=name, code="registry.file.too_large", message=f"over {MAX_BYTES} bytes")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused([Fault(pointer=name, code="registry.file.encoding", message="is not UTF-8")]) from None
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    try:
        numbered = [(rows.line_num, row) for row in rows]
    except csv.Error:
        where = f"{name}:{rows.line_num}"
        raise _refused([Fault(pointer=where, code="registry.file.csv", message="is not CSV from here on")]) from None
    if not numbered or tuple(numbered[0][1]) != HEADER:
        message = f"the first line must be {';'.join(HEADER)}"
        raise _refused([Fault(pointer=f"{name}:1", code="registry.file.header", message=message)])
    return _table(numbered[1:], name)


def _table(rows: list[tuple[int, list[str]]], name: str) -> TerritoryTable:
    faults: list[Fault] = []
    units: dict[str, Unit] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        problem = _row_problem(row, units)
        if problem is not None:
            faults.append(Fault(pointer=f"{name}:{line}", code="registry.territory.row", message=problem))
            continue
        code, level, label, parent = row
        units[code] = Unit(code, level, label, parent or None)
        lines[code] = line
    for unit in units.values():
        if unit.parent is not None and unit.parent not in units:
            message = "the parent is not in the table"
            faults.append(
                Fault(pointer=f"{name}:{lines[unit.code]}", code="registry.territory.parent", message=message)
            )
        elif not _ends(unit, units):
            message = "its parents form a circle"
            faults.append(Fault(pointer=f"{name}:{lines[unit.code]}", code="registry.territory.cycle", message=message))
    if faults:
        raise _refused(faults)
    return TerritoryTable(units.values())


def _row_problem(row: list[str], units: Mapping[str, Unit]) -> str | None:
    if len(row) != len(HEADER):
        return f"must have {len(HEADER)} fields"
    code, level, label, parent = row
    if not _CODE.fullmatch(code):
        return "the code must be UA and 17 digits"
    if code in units:
        return "this code stands in the table already"
    if level not in _LEVELS:
        return f"the level must be one of {', '.join(sorted(_LEVELS))}"
    if not label or label != label.strip() or len(label) > 200 or not label.isprintable():
        return "the name must be one line of 1 to 200 characters without blanks at its ends"
    if parent and not _CODE.fullmatch(parent):
        return "the parent must be empty or UA and 17 digits"
    return None


def _ends(unit: Unit, units: Mapping[str, Unit]) -> bool:
    at: Unit | None = unit
    for _ in range(6):  # the codifier has five levels
        if at is None or at.parent is None:
            return True
        at = units.get(at.parent)
    return False


def _refused(faults: list[Fault]) -> RegistryRefused:
    return RegistryRefused("the table of territories is broken", faults=faults)
