"""Brings the list of participants of the interaction system (СЕВ ОВВ) into registry files.

The list gives code, names, the day a body was connected and by which document system. It gives no territory, no
competence and no address: the link to the codifier must be made by people, so none of these is guessed here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from hub.schemas.directory import AuthorityKind
from registry import kinds, official
from registry.official import ImportReport, Row

HEADER: Final = ("ЄДРПОУ", "Скорочена назва", "Повна назва", "Дата створення", "Доступ", "Підключена до НПА")
OUT_FILE: Final = "authorities/sev-participants.yaml"
MEANINGS: Final[Mapping[str, str]] = {
    "check_digit": "the check digit of the 8-digit code does not hold (service codes have none)",
    "subunit_9": "9 digits: a sub-unit, the 8-digit code of its body and a 0",
    "subunit_10": "10 digits: a sub-unit, the 8-digit code of its body and two digits",
    "parent_absent": "a sub-unit whose body is not in the list: it gets no superior",
    "name_shared": "another row has the same full name",
    "short_name_shared": "another row has the same short name",
    "blank_at_edge": "a field begins or ends with a blank; it was cut",
    "blanks_inside": "a name holds several blanks together; they were made one",
    "latin_letter": "a name has a Latin letter among Ukrainian ones; it was kept as published",
    "access_empty": "no document system is named",
    "date_unreadable": "the day of connection is not dd.mm.yyyy; it was left out",
    "kind_other": "no rule gives the kind of the body: it is 'other' until a person says more",
    "fields": "the row does not have six fields",
    "code": "the code is not 8 to 10 digits",
    "code_twice": "an earlier row has this code",
    "name": "a name is empty, too long, or holds control characters",
}
_CODE = re.compile(r"[0-9]{8,10}", re.ASCII)
_DAY = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A participant. ``parent``: code of the body it is a part of, if that one is in the list."""

    line: int
    code: str
    name: str
    short_name: str
    kind: AuthorityKind
    parent: str | None
    connected: date | None
    access: str
    in_approval: bool


def check_digit_holds(code: str) -> bool:
    """True if the eighth digit of an EDRPOU code is right: weights 1-7 mod 11, for 30000000-60000000 7,1-6; else +2."""
    digits = [int(digit) for digit in code[:8]]
    weights = (7, 1, 2, 3, 4, 5, 6) if 30_000_000 < int(code[:8]) < 60_000_000 else (1, 2, 3, 4, 5, 6, 7)
    rest = sum(w * d for w, d in zip(weights, digits, strict=False)) % 11
    if rest == 10:
        rest = sum((w + 2) * d for w, d in zip(weights, digits, strict=False)) % 11
    return rest % 10 == digits[7]


def read(path: Path) -> tuple[tuple[Body, ...], ImportReport]:
    """All bodies of the list in its order, and the account of its rows. Raises ``InvalidInput`` for another file."""
    report = ImportReport(source=path.name, meanings=MEANINGS)
    rows = list(official.read_rows(path, HEADER))
    report.rows = len(rows)
    codes = {row.fields[0].strip() for row in rows if len(row.fields) == len(HEADER)}
    bodies: dict[str, Body] = {}
    for row in rows:
        body = _body(row, codes, bodies, report)
        if body is not None:
            bodies[body.code] = body
            _odd(body, row, report)
    _shared(bodies.values(), report)
    return tuple(bodies.values()), report


def _body(row: Row, codes: set[str], known: Mapping[str, Body], report: ImportReport) -> Body | None:
    if len(row.fields) != len(HEADER):
        report.note_refused("fields", row.line)
        return None
    code, short_name, name, day, access, in_approval = (" ".join(text.split()) for text in row.fields)
    if not _CODE.fullmatch(code):
        report.note_refused("code", row.line)
        return None
    if code in known:
        report.note_refused("code_twice", row.line)
        return None
    texts = (name, short_name, access)
    if not name or len(name) > 1_000 or len(short_name) > 300 or not all(text.isprintable() for text in texts):
        report.note_refused("name", row.line)
        return None
    return Body(
        line=row.line,
        code=code,
        name=name,
        short_name=short_name,
        kind=kinds.guess(name),
        parent=code[:8] if len(code) > 8 and code[:8] in codes else None,
        connected=_day(day),
        access=access,
        in_approval=in_approval == "Так",
    )


def _day(text: str) -> date | None:
    parts = _DAY.fullmatch(text)
    if parts is None:
        return None
    try:
        return date(int(parts[3]), int(parts[2]), int(parts[1]))
    except ValueError:
        return None


def _odd(body: Body, row: Row, report: ImportReport) -> None:
    remarks = {
        "check_digit": not check_digit_holds(body.code),
        "subunit_9": len(body.code) == 9,
        "subunit_10": len(body.code) == 10,
        "parent_absent": len(body.code) > 8 and body.parent is None,
        "blank_at_edge": any(text != text.strip() for text in row.fields),
        "blanks_inside": any("  " in text.strip() for text in row.fields[1:3]),
        "latin_letter": kinds.has_latin_inside(body.name) or kinds.has_latin_inside(body.short_name),
        "access_empty": not body.access,
        "date_unreadable": body.connected is None,
        "kind_other": body.kind is AuthorityKind.OTHER,
    }
    for code, holds in remarks.items():
        if holds:
            report.note_odd(code, body.line)


def _shared(bodies: Iterable[Body], report: ImportReport) -> None:
    bodies = tuple(bodies)
    names = Counter(body.name for body in bodies)
    short_names = Counter(body.short_name for body in bodies if body.short_name)
    for body in bodies:
        if names[body.name] > 1:
            report.note_odd("name_shared", body.line)
        if short_names[body.short_name] > 1:
            report.note_odd("short_name_shared", body.line)


def as_yaml(bodies: Iterable[Body]) -> str:
    """The bodies as a registry file, in order of code."""
    head = (
        "# Made by `hub registry import-sev` from the list of SEV participants. Kinds are guessed from names:\n"
        "# to correct or complete an entry, write it under `authorities` in a file of your own: that goes first.\n"
        "listed:\n"
    )
    return head + "".join(_entry(body) for body in sorted(bodies, key=lambda body: body.code))


def _entry(body: Body) -> str:
    lines = [f'  - code: "{body.code}"', f"    name: {_quoted(body.name)}"]
    if body.short_name and body.short_name != body.name:
        lines.append(f"    short_name: {_quoted(body.short_name)}")
    lines.append(f"    kind: {body.kind.value}")
    if body.parent is not None:
        lines.append(f'    superior: "{body.parent}"')
    lines.append(f"    note: {_quoted(_note(body))}")
    return "\n".join(lines) + "\n"


def _note(body: Body) -> str:
    since = f"in SEV since {body.connected.isoformat()}" if body.connected is not None else "in SEV"
    return f"{since}; access: {body.access or 'not named'}" + ("; approves draft laws" if body.in_approval else "")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a double-quoted YAML scalar


def run(path: Path, out: Path, *, overwrite: bool = False, partial: bool = False) -> ImportReport:
    """Read the list and write ``authorities/sev-participants.yaml`` below ``out``.

    Not if rows were refused, unless ``partial``.
    """
    bodies, report = read(path)
    official.put(report, out / OUT_FILE, as_yaml(bodies).encode(), overwrite=overwrite, partial=partial)
    return report
