"""Brings the codifier of territories (КАТОТТГ) into a registry folder: every unit, with its parent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from registry import official
from registry.official import ImportReport, Row
from registry.territories import HEADER as TABLE_HEADER
from registry.territories import Unit

HEADER: Final = (
    "Перший рівень",
    "Другий рівень",
    "Третій рівень",
    "Четвертий рівень",
    "Додатковий рівень",
    "Категорія об’єкта",
    "Назва об’єкта",
)
OUT_FILE: Final = "territories.csv.gz"
MEANINGS: Final[Mapping[str, str]] = {
    "blank_at_edge": "the name begins or ends with a blank; it was cut",
    "code_on_several_levels": "one code fills several levels: the unit stands right under the last different one",
    "community_name_shared": "another community has the same name: never route by it",
    "fields": "the row does not have seven fields",
    "code": "a level is not UA and 17 digits, or a level is left out",
    "category": "the category is not one of O K P H M X C B, or does not belong on this level",
    "code_twice": "an earlier row has this code",
    "parent_absent": "a level above it has no row of its own, or that row was refused",
    "position": "the digits of the code do not begin as its parent's",
    "name": "the name is empty, too long, or holds control characters",
}
_CODE = re.compile(r"UA[0-9]{17}", re.ASCII)
_OWN_LEVEL = {"O": 0, "K": 0, "P": 1, "H": 2, "M": 3, "X": 3, "C": 3, "B": 4}
_PREFIX_OF_LEVEL = {"O": 4, "K": 4, "P": 6, "H": 9, "M": 12, "X": 12, "C": 12}


def read(path: Path) -> tuple[tuple[Unit, ...], ImportReport]:
    """All units in the file's order, and the account of its rows. Raises ``InvalidInput`` if it is not the codifier."""
    report = ImportReport(source=path.name, meanings=MEANINGS)
    rows = list(official.read_rows(path, HEADER))
    report.rows = len(rows)
    levels = {_own(row): row.fields[5] for row in rows if len(row.fields) == len(HEADER)}
    units: dict[str, Unit] = {}
    lines: dict[str, int] = {}
    for row in rows:
        unit = _unit(row, units, levels, report)
        if unit is not None:
            units[unit.code] = unit
            lines[unit.code] = row.line
            if row.fields[6] != row.fields[6].strip():
                report.note_odd("blank_at_edge", row.line)
            filled = [code for code in row.fields[:5] if code]
            if len(set(filled)) < len(filled):
                report.note_odd("code_on_several_levels", row.line)
    _drop_orphans(units, lines, report)
    _shared(units.values(), lines, report)
    return tuple(units.values()), report


def _own(row: Row) -> str:
    return next((code for code in reversed(row.fields[:5]) if code), "")


def _unit(row: Row, known: Mapping[str, Unit], levels: Mapping[str, str], report: ImportReport) -> Unit | None:
    problem = _problem(row, known, levels)
    if problem is not None:
        report.note_refused(problem, row.line)
        return None
    code, category, name = _own(row), row.fields[5], row.fields[6].strip()
    return Unit(code, category, name, _parent(row))


def _parent(row: Row) -> str | None:
    """The last level that differs from the unit itself: 16 rows repeat one code on several levels."""
    own = _own(row)
    return next((code for code in reversed(row.fields[:5]) if code and code != own), None)


def _problem(row: Row, known: Mapping[str, Unit], levels: Mapping[str, str]) -> str | None:
    if len(row.fields) != len(HEADER):
        return "fields"
    category, name = row.fields[5], row.fields[6].strip()
    own_level = _OWN_LEVEL.get(category)
    if own_level is None or any(row.fields[own_level + 1 : 5]):
        return "category"
    if not all(_CODE.fullmatch(code) for code in row.fields[: own_level + 1]):
        return "code"
    code = _own(row)
    if code in known:
        return "code_twice"
    if not name or len(name) > 200 or not name.isprintable():
        return "name"
    parent = _parent(row)
    if parent is None:
        return None if own_level == 0 else "code"
    if parent not in levels:
        return "parent_absent"
    prefix = _PREFIX_OF_LEVEL.get(levels[parent], 0)
    return None if code[:prefix] == parent[:prefix] else "position"


def _drop_orphans(units: dict[str, Unit], lines: Mapping[str, int], report: ImportReport) -> None:
    """Refuse units whose parent was refused, and then those below them."""
    while orphans := [unit for unit in units.values() if unit.parent is not None and unit.parent not in units]:
        for unit in orphans:
            del units[unit.code]
            report.note_refused("parent_absent", lines[unit.code])


def _shared(units: Iterable[Unit], lines: Mapping[str, int], report: ImportReport) -> None:
    communities = [unit for unit in units if unit.level == "H"]
    names = Counter(unit.name for unit in communities)
    for unit in communities:
        if names[unit.name] > 1:
            report.note_odd("community_name_shared", lines[unit.code])


def as_table(units: Iterable[Unit]) -> bytes:
    """The units as a registry's table, in order of code."""
    rows = (f"{u.code};{u.level};{u.name};{u.parent or ''}\n" for u in sorted(units, key=lambda u: u.code))
    return (";".join(TABLE_HEADER) + "\n" + "".join(rows)).encode()


def run(path: Path, out: Path, *, overwrite: bool = False, partial: bool = False) -> ImportReport:
    """Read the codifier and write ``territories.csv.gz`` into ``out``.

    Not if rows were refused, unless ``partial``.
    """
    units, report = read(path)
    official.put(report, out / OUT_FILE, official.gzipped(as_table(units)), overwrite=overwrite, partial=partial)
    return report
