"""CSV: one row for a message, columns in the mapping's order; of theirs, each row is a statement.

Nothing is lost in silence: a letter that the encoding does not have stops the message, or is spelt by its number if
the channel says so. A cell that a spreadsheet takes for a formula gets an apostrophe before it (OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal

from hub.adapters.documents.forms import MAX_STATEMENTS, DocumentForm, DocumentPiece, too_many
from hub.adapters.mapping import not_understood
from hub.adapters.template import CODES
from hub.errors import InvalidInput, UnsupportedFeature
from hub.schemas import charsets
from hub.schemas.base import Code, Frozen

TYPE: Final = "text/csv"
MAX_HEADER_CHARS: Final = 20_000
"""The header is kept with each row."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9 ().,-]*")
"""A number or a telephone number: a spreadsheet counts with it and runs nothing."""
_BREAKS: Final = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]+\s*")
_FAULTS: Final = (csv.Error, RecursionError)


class CsvForm(Frozen):
    """How a CSV file is written. ``unencodable``: a message with a letter that ``encoding`` lacks is refused, or the
    letter is spelt ``[U+1F600]``. ``formulas``: a cell that a spreadsheet would run gets an apostrophe before it, or is
    kept. ``line_breaks``: kept inside quotation marks, or made blanks.
    """

    delimiter: Annotated[str, Code(r"[,;\t|]")] = ";"
    encoding: Literal["utf-8", "utf-8-sig", "windows-1251"] = "utf-8"
    unencodable: Literal["refuse", "spell"] = "refuse"
    header: bool = True
    quoting: Literal["minimal", "all"] = "minimal"
    line_ends: Literal["crlf", "lf"] = "crlf"
    line_breaks: Literal["keep", "blank"] = "keep"
    formulas: Literal["guard", "keep"] = "guard"


class CsvDocuments(DocumentForm):
    """Writes and reads by one channel's settings. ``columns``: of what is written."""

    ending = "csv"
    marks = None

    def __init__(self, settings: CsvForm, columns: tuple[str, ...]) -> None:
        self._s = settings
        self._columns = columns
        self.content_type = f"{TYPE}; charset={settings.encoding.removesuffix('-sig')}"

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Header and row. ``UnsupportedFeature`` (``template.encoding``)."""
        text = io.StringIO()
        writer = csv.writer(
            text,
            delimiter=self._s.delimiter,
            quoting=csv.QUOTE_ALL if self._s.quoting == "all" else csv.QUOTE_MINIMAL,
            lineterminator="\r\n" if self._s.line_ends == "crlf" else "\n",
        )
        if self._s.header:
            writer.writerow(self._columns)
        writer.writerow([self._cell(name, values.get(name)) for name in self._columns])
        return text.getvalue().encode(self._s.encoding)

    def _cell(self, column: str, value: Any) -> str:
        if isinstance(value, dict | list):
            raise UnsupportedFeature(f"The column {column} would hold several values: join them.", code=CODES.mapping)
        text = "" if value is None else _written(value)
        if self._s.line_breaks == "blank":
            text = _BREAKS.sub(" ", text)
        if self._s.formulas == "guard" and text.startswith(_FORMULA) and not _PLAIN_NUMBER.fullmatch(text):
            text = f"'{text}"
        return self._encodable(column, text)

    def _encodable(self, column: str, text: str) -> str:
        lacking = sorted({letter for letter in text if not self._has(letter)})
        if lacking and self._s.unencodable == "refuse":
            spelt = ", ".join(map(_spelt, lacking[:10]))
            raise UnsupportedFeature(
                f"The column {column} has letters that {self._s.encoding} does not have: {spelt}.",
                code="template.encoding",
                action="Set encoding: utf-8 if their system reads it, or unencodable: spell.",
            )
        return "".join(_spelt(letter) if letter in lacking else letter for letter in text) if lacking else text

    def _has(self, letter: str) -> bool:
        try:
            letter.encode(self._s.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def pieces(self, data: bytes) -> Iterator[DocumentPiece]:
        """Each row that says something; one that cannot be read, and all behind it where its end cannot be told."""
        text = charsets.read(data, self._s.encoding)
        if text is None:
            raise InvalidInput("The file is in no charset that is known here.", code="csv.encoding")
        lines = list(io.StringIO(text, newline=""))
        rows = csv.reader(lines, delimiter=self._s.delimiter, strict=True)
        header: tuple[bytes, list[str]] | None = None
        for number, (cells, written) in enumerate(_rows(rows, lines), 1):
            raw = written.encode("utf-8", "replace")
            if cells is None:
                yield DocumentPiece(
                    place=f"row {number}",
                    raw=raw,
                    fault="it cannot be read from here on: a quotation mark stands wrong, or has no end",
                )
            elif number > MAX_STATEMENTS:
                yield too_many(f"row {number}", raw)
                return
            elif self._s.header and header is None:
                if len(written) > MAX_HEADER_CHARS:
                    raise InvalidInput(f"The header has more than {MAX_HEADER_CHARS} characters.", code="csv.header")
                header = raw, [name.strip() for name in cells]
            elif any(cell.strip() for cell in cells):
                yield _piece(number, cells, raw, header)

    def shown(self, said: Any) -> DocumentPiece:
        """A file with one row, or columns with their values."""
        if isinstance(said, Mapping):
            return _readable("", b"", [(str(name), "" if cell is None else str(cell)) for name, cell in said.items()])
        found = list(self.pieces(str(said).encode(self._s.encoding, "replace")))
        if len(found) != 1 or found[0].find is None:
            raise InvalidInput("A test shows one row that can be read.", code="csv.row")
        return found[0]

    def comparable(self, text: str) -> Any:
        """Rows of cells."""
        return [
            list(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter=self._s.delimiter) if cells
        ]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spelt(letter: str) -> str:
    return f"[U+{ord(letter):04X}]"


def _rows(rows: Iterator[list[str]], lines: list[str]) -> Iterator[tuple[list[str] | None, str]]:
    """Cells of each row and its own text; no cells for the rest that cannot be read."""
    begun = 0
    while True:
        try:
            cells = next(rows, None)
        except _FAULTS:
            yield None, "".join(lines[begun:])
            return
        if cells is None:
            return
        ended = rows.line_num  # type: ignore[attr-defined]
        yield cells, "".join(lines[begun:ended])
        begun = ended


def _piece(number: int, cells: list[str], raw: bytes, header: tuple[bytes, list[str]] | None) -> DocumentPiece:
    place = f"row {number}"
    if header is None:
        return _readable(place, raw, [(str(at), cell) for at, cell in enumerate(cells, 1)])
    first, names = header
    whole = first + raw
    if len(cells) != len(names):
        return DocumentPiece(place=place, raw=whole, fault=f"it has {len(cells)} cells, the header {len(names)}")
    return _readable(place, whole, list(zip(names, cells, strict=True)))


def _readable(place: str, raw: bytes, cells: Sequence[tuple[str, str]]) -> DocumentPiece:
    unclear: list[str] = []
    find = partial(_find, cells, unclear)
    return DocumentPiece(
        place=place, raw=raw, find=find, rows=lambda path: [find] if path is None else [], unclear=unclear
    )


def _find(cells: Sequence[tuple[str, str]], unclear: list[str], path: str) -> str | None:
    """The cell of a column, by its name, however its letters are cased; None for an empty one. Of several columns of
    that name none is believed, unless they say the same.
    """
    found = [cell for name, cell in cells if name == path]
    found = found or [cell for name, cell in cells if name.casefold() == path.casefold()]
    said = {cell.strip() for cell in found}
    if len(said) < 2:
        return next(iter(said), "") or None
    told = not_understood(path, f"the header has {len(found)} columns of this name, and they differ")
    if told not in unclear:
        unclear.append(told)
    return None
