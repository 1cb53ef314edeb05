"""Number of a case as people say it: year, number within the year, and a check digit, as ``2026-000-1234-6``.

The groups have at most four digits, so that it can be read out over the phone. Numbers of a year are used nearly
densely: with one digit misheard, somebody else's case would be found. So the last digit checks the others (Damm, *Total
anti-symmetrische Quasigruppen*, Marburg 2004): it notices every single wrong digit and every swap of neighbours.
"""

from __future__ import annotations

import re

from hub.errors import Fault, InvalidInput

_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
"""Damm's table: the digit that follows from the one so far (row) and the next one (column); 0 at the end = right."""
_LEAST_DIGITS = 7
"""A national centre takes some millions of appeals in a year."""
_SAID = re.compile(r"\s*[0-9](?:[\s\u00ad\u2010-\u2015\u2212\uff0d/.-]*[0-9])*\s*", re.ASCII)
_WRITTEN = re.compile(r"(?:19|20|21)[0-9]{2}[0-9]{8,12}", re.ASCII)


def case_number(year: int, sequence: int) -> str:
    """The number of the ``sequence``-th case of a year; it has more digits from the ten-millionth on."""
    digits = f"{sequence:0{_LEAST_DIGITS}d}"
    return _grouped(f"{year:04d}{digits}")


def read_case_number(text: str) -> str:
    """The number as it is kept, however its blanks and dashes were written.

    ``InvalidInput``: it has not the form of one (``number.form``), or a digit of it is wrong (``number.check``).
    """
    digits = "".join(c for c in text if c in "0123456789") if _only_said(text) else ""
    if not _WRITTEN.fullmatch(digits):
        raise _refusal("number.form", "is no number of a case: year, number and check digit, as 2026-000-1234-6")
    if _check(digits) != 0:
        raise _refusal("number.check", "has a wrong digit")
    return _grouped(digits[:-1])


def is_case_number(text: str) -> bool:
    """True if this is a number of a case exactly as it is kept."""
    digits = text.replace("-", "")
    return bool(_WRITTEN.fullmatch(digits)) and _check(digits) == 0 and text == _grouped(digits[:-1])


def _only_said(text: str) -> bool:
    return len(text) <= 100 and _SAID.fullmatch(" ".join(text.split())) is not None


def _grouped(digits: str) -> str:
    year, sequence = digits[:4], digits[4:]
    return f"{year}-{sequence[:-4]}-{sequence[-4:]}-{_check(digits)}"


def _check(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = int(_DAMM[interim][int(digit)])
    return interim


def _refusal(code: str, message: str) -> InvalidInput:
    return InvalidInput(
        "This is not the number of a case.",
        code=code,
        faults=[Fault(pointer="query/number", code=code, message=message)],
        action="Ask for the number again, digit by digit.",
    )
