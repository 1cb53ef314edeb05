"""Common part of importers of official lists: reading ``;`` files with their line numbers, and the account of rows."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.errors import Fault, InvalidInput, TooLarge

MAX_BYTES = 64 * 1024 * 1024
"""Of an official file; the codifier has 3.2 MB."""
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One data row, its fields as they stand in the file. ``line``: counted from 1, header included."""

    line: int
    fields: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """The account of one import: every row is clean, odd or refused, and the three add up to ``rows``.

    ``odd`` and ``refused``: lines by stable code. ``meanings``: a sentence per code. ``written``: whether the file
    holds what was taken in.
    """

    source: str
    meanings: Mapping[str, str]
    rows: int = 0
    written: bool = False
    odd: dict[str, list[int]] = field(default_factory=dict)
    refused: dict[str, list[int]] = field(default_factory=dict)

    def note_odd(self, code: str, line: int) -> None:
        """The row was taken in, but a person should know."""
        self.odd.setdefault(code, []).append(line)

    def note_refused(self, code: str, line: int) -> None:
        """The row was not taken in."""
        self.refused.setdefault(code, []).append(line)

    @property
    def refused_rows(self) -> int:
        """Rows that were not taken in."""
        return sum(len(lines) for lines in self.refused.values())

    @property
    def odd_rows(self) -> int:
        """Rows that were taken in and have at least one oddity."""
        refused = {line for lines in self.refused.values() for line in lines}
        return len({line for lines in self.odd.values() for line in lines} - refused)

    @property
    def clean_rows(self) -> int:
        """Rows that were taken in with nothing to remark."""
        return self.rows - self.odd_rows - self.refused_rows

    @property
    def imported_rows(self) -> int:
        """Rows that were taken in."""
        return self.rows - self.refused_rows

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "source": self.source,
            "rows": self.rows,
            "imported": self.imported_rows,
            "clean": self.clean_rows,
            "odd": self.odd_rows,
            "refused": self.refused_rows,
            "odd_kinds": self._kinds(self.odd),
            "refused_kinds": self._kinds(self.refused),
        }

    def _kinds(self, found: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        return {
            code: {"count": len(lines), "meaning": self.meanings[code], "lines": list(lines)}
            for code, lines in sorted(found.items())
        }


def read_rows(path: Path, header: tuple[str, ...]) -> Iterator[Row]:
    """Data rows of a UTF-8 file with ``;`` between fields. Raises ``InvalidInput`` if it is not such a file."""
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    try:
        if tuple(next(reader, ())) != header:
            raise _broken(f"{path.name}:1", "import.header", f"the first line must be {';'.join(header)}")
        end = reader.line_num
        for fields in reader:
            yield Row(line=end + 1, fields=tuple(fields))
            end = reader.line_num
    except csv.Error:
        raise _broken(f"{path.name}:{reader.line_num}", "import.csv", "is not CSV from here on") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge("the file is over the limit", faults=[_fault(path.name, "import.too_large", f"{MAX_BYTES}")])
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _broken(path.name, "import.unreadable", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _broken(path.name, "import.encoding", "is not UTF-8") from None


def write(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Write a file whole or not at all. Raises ``InvalidInput`` if it exists already and may not be replaced."""
    if path.exists() and not overwrite:
        raise _broken(path.name, "import.exists", "stands there already; say --overwrite to replace it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        with fresh.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError as error:
        raise _broken(path.name, "import.unwritable", f"cannot be written: {error.strerror}") from None


def put(report: ImportReport, path: Path, content: bytes, *, overwrite: bool, partial: bool) -> None:
    """Write what an import made; if it refused rows, only where a ``partial`` file is asked for: what stands stays."""
    if report.refused and not partial:
        return
    write(path, content, overwrite=overwrite)
    report.written = True


def require_whole(report: ImportReport) -> None:
    """Refuse a list of which rows were refused: what is made of it would lack them. ``InvalidInput``."""
    faults = [
        _fault(f"{report.source}:{line}", "import.refused", report.meanings[code])
        for code, lines in sorted(report.refused.items())
        for line in lines[:_SHOWN_LINES]
    ]
    if faults:
        raise InvalidInput("rows of the list cannot be taken", code="import.refused", faults=faults)


def gzipped(content: bytes) -> bytes:
    """gzip without time and name: the same content makes the same bytes."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def _fault(pointer: str, code: str, message: str) -> Fault:
    return Fault(pointer=pointer, code=code, message=message)


def _broken(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput("the file cannot be imported", faults=[_fault(pointer, code, message)])
