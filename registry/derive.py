"""Makes the project's own data from the two official lists: ``python -m registry.derive SEV.csv KATOTTG.csv``.

``data/territories.csv.gz``: units down to communities, and the city districts of Kyiv and Sevastopol, which stand in no
community. ``data/seats.csv.gz``: for each community, level and name of the settlement that it is governed from.
``data/bodies.csv.gz``: code, name, short name, kind, body it is a part of. Facts only: the source files stay out.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from registry import import_katottg, import_sev, official
from registry.import_sev import Body
from registry.territories import Unit

DATA: Final = Path(__file__).parent / "data"


def compact(units: Iterable[Unit]) -> bytes:
    """The shipped table of territories."""
    units = tuple(units)
    special = {unit.code for unit in units if unit.level == "K"}
    return import_katottg.as_table(u for u in units if u.level in "OKPH" or u.parent in special)


def seats_table(units: Iterable[Unit]) -> bytes:
    """The shipped list of seats, in order of community. A community's first settlement in the codifier is its seat."""
    first = {unit.code[:9]: unit for unit in units if unit.level in "MXC" and unit.code[9:12] == "001"}
    lines = (
        f"{unit.code};{seat.level};{seat.name}\n"
        for unit in sorted(units, key=lambda unit: unit.code)
        if unit.level == "H" and (seat := first.get(unit.code[:9])) is not None
    )
    return ("community;level;name\n" + "".join(lines)).encode()


def bodies_table(bodies: Iterable[Body]) -> bytes:
    """The shipped list of bodies, in order of code."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(("code", "name", "short_name", "kind", "parent"))
    for body in sorted(bodies, key=lambda body: body.code):
        short_name = body.short_name if body.short_name != body.name else ""
        writer.writerow((body.code, body.name, short_name, body.kind.value, body.parent or ""))
    return out.getvalue().encode()


def main(sev: Path, katottg: Path, out: Path = DATA) -> None:
    """Write the three tables."""
    bodies, _ = import_sev.read(sev)
    units, _ = import_katottg.read(katottg)
    official.write(out / "bodies.csv.gz", official.gzipped(bodies_table(bodies)), overwrite=True)
    official.write(out / "seats.csv.gz", official.gzipped(seats_table(units)), overwrite=True)
    official.write(out / "territories.csv.gz", official.gzipped(compact(units)), overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
