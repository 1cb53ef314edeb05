"""Number and date of their letter, out of its words: index and date after DSTU 4163:2020. Pure.

A letterhead has theirs (``26.11.2026 № 18-05/77``) and, behind ``На №``, those of the letter that it answers, which are
ours. In the text a number is theirs where it is said of their letter; decisions, contracts, acts and our appeal have
numbers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Final, TypeAlias

Reference: TypeAlias = tuple[str, date]
LOOKED_AT: Final = 20_000
MAX_CHARS: Final = 100
_HEAD_LINES: Final = 40
_BEFORE_CHARS: Final = 60
_MONTHS: Final = (
    ("січ", "янв"),
    ("лют", "фев"),
    ("бер", "мар"),
    ("кві", "апр"),
    ("тра", "мая"),
    ("чер", "июн"),
    ("лип", "июл"),
    ("сер", "авг"),
    ("вер", "сен"),
    ("жов", "окт"),
    ("лис", "ноя"),
    ("гру", "дек"),
)
_LINES: Final = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Lines of a printed form around what is written on them."""
_NUMERIC: Final = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4}|\d{2})|(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_WORDED: Final = re.compile(r"[«\"“]?(\d{1,2})[»\"”]?\s+([а-яіїє]{3})[а-яіїє]{0,6}\s+(\d{4})", re.IGNORECASE)
_DATE: Final = (
    r"(?<!\d)(?P<date>\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}-\d{2}-\d{2}|[«\"“]?\d{1,2}[»\"”]?\s+[а-яіїє]{3,9}\s+\d{4})"
    r"(?:\s*(?:року|р\.?|года|г\.?)(?!\w))?"
)
_NAMED: Final = "|".join(
    rf"(?<={word}{end})"
    for word in ("номер", "індекс", "реєстрації", "вихідний", r"вих\.", r"исх\.")
    for end in (": ", " ")
)
"""Words behind which a number stands without a sign."""
_NUMBER: Final = rf"(?:№|N[oº°]?|#|{_NAMED})\s*(?P<number>[^\s,;|][^\s,;|]{{0,59}}(?:\s?/\s?[^\s,;|]{{1,20}})?)\s*"
_INDEX: Final = r"(?P<number>[^\s,;|№]{0,30}\d[^\s,;|№]{0,30}/[^\s,;|№]{1,30})\s*"
"""A number that its slash tells, without a sign (index of a file / its number)."""
_FROM: Final = r"(?:від|от)\s*"
_LABEL: Final = (
    r"[>\s|*]*(?:(?:вихідний|вих|исходящий|исх|реєстраційний|реєстрації|індекс|номер|дата|наш|від|от)\b[.:]?\s*){0,3}"
)
_OURS: Final = re.compile(
    r"\b(?:на|до|ваш\w*)\s+(?:ваш\w*\s+)?(?:лист\w*\s+)?(?:"
    r"(?:№|N[oº°]?)[^\n]{0,80}?(?:(?:від|от)\s*(?:\d[\d./-]*)?|$)|[^\s№]{1,40}\d\s+(?:від|от)\s*\d[\d./-]*)",
    re.IGNORECASE | re.MULTILINE,
)
_HEADS: Final = (
    re.compile(rf"{_LABEL}{_DATE}[\s|,]*(?:вих\.?\s*)?{_NUMBER}[.|\s]*", re.IGNORECASE),
    re.compile(rf"{_LABEL}{_NUMBER}[|,\s]*(?:{_FROM}|дата:?\s*)?{_DATE}[.|\s]*", re.IGNORECASE),
    re.compile(rf"{_LABEL}{_DATE}[\s|,]*{_INDEX}[.|\s]*", re.IGNORECASE),
    re.compile(rf"{_LABEL}{_INDEX}[|,\s]*(?:{_FROM})?{_DATE}[.|\s]*", re.IGNORECASE),
)
_HALVES: Final = (
    re.compile(rf"{_LABEL}{_DATE}[.|\s]*", re.IGNORECASE),
    re.compile(rf"{_LABEL}{_NUMBER}[.|\s]*", re.IGNORECASE),
)
_SAID: Final = (
    re.compile(rf"{_NUMBER}{_FROM}{_DATE}", re.IGNORECASE),
    re.compile(rf"{_FROM}{_DATE}\s*(?:за\s+)?{_NUMBER}", re.IGNORECASE),
)
_REGISTERED: Final = re.compile(
    rf"(?:зареєстровано|зарегистрировано)[:\s]\s*(?:{_FROM})?{_DATE}\s*(?:за\s+)?(?:(?:вхідним|вх\.?)\s*)?{_NUMBER}",
    re.IGNORECASE,
)
_BEGINS: Final = re.compile(r"(?:^|[.;:(!?–—-]|\n)[\s>*]*(?:за\s+)?$")
_THEIR_LETTER: Final = re.compile(
    r"(?:(?P<whose>[\w'’ʼ-]+)\s+)?(?:лист|листом|листі|відповідь|відповіді|відповіддю|письмо|письмом|ответ|ответом|"
    r"вих|вихідний|исх|исходящий|зареєстрован\w*|зарегистрирован\w*)\.?\s*(?:за\s+)?$",
    re.IGNORECASE,
)
_NOT_THEIRS: Final = re.compile(r"ваш\w*|на|до|вашего|your|ukc", re.IGNORECASE)


def day_of(text: str) -> date | None:
    """A day in figures or in words: 26.11.2026, 2026-11-26, 26.11.26, «26» листопада 2026."""
    numeric, worded = _NUMERIC.fullmatch(text.strip()), _WORDED.fullmatch(text.strip())
    if numeric is not None:
        day, month, year = numeric.group(1, 2, 3) if numeric[1] else numeric.group(6, 5, 4)
        return _day(int(year) + (2_000 if len(year) == 2 else 0), int(month), int(day))
    if worded is not None:
        month = next((number for number, names in enumerate(_MONTHS, 1) if worded[2].lower() in names), 0)
        return _day(int(worded[3]), month, int(worded[1]))
    return None


def reference(text: str, ours: str = "") -> Reference | None:
    """Number and date of their letter; None if none can be told. ``ours``: a number that is never theirs."""
    said = _OURS.sub(" ", _LINES.sub(" ", text[:LOOKED_AT]))
    every = (*_in_head(said), *_in_words(said))
    return next((each for each in every if each[0].casefold() != ours.casefold()), None)


def _in_head(text: str) -> Iterator[Reference]:
    """Lines of nothing but number and date, or of one half each under the other."""
    lines = [line for each in text.splitlines() if (line := each.strip()[:200])][:_HEAD_LINES]
    for line in lines:
        found = next(filter(None, (head.fullmatch(line) for head in _HEADS)), None)
        yield from _made(found, found)
    dated, numbered = ([half.fullmatch(line) for line in lines] for half in _HALVES)
    for (date_here, number_here), (date_next, number_next) in pairwise(zip(dated, numbered, strict=True)):
        yield from _made(date_here, number_next)
        yield from _made(date_next, number_here)


def _in_words(text: str) -> Iterator[Reference]:
    """Numbers that a sentence begins with, or that are said of their letter."""
    for pattern in _SAID:
        for found in pattern.finditer(text):
            before = text[max(found.start() - _BEFORE_CHARS, 0) : found.start()]
            of_theirs = _THEIR_LETTER.search(before)
            if of_theirs is not None and _NOT_THEIRS.fullmatch(of_theirs["whose"] or ""):
                continue
            if of_theirs is not None or _BEGINS.search(before):
                yield from _made(found, found)
    for found in _REGISTERED.finditer(text):
        yield from _made(found, found)


def _made(dated: re.Match[str] | None, numbered: re.Match[str] | None) -> Iterator[Reference]:
    if dated is None or numbered is None:
        return
    number, day = re.sub(r"\s", "", numbered["number"]).rstrip('.)»"|'), day_of(dated["date"])
    if day is not None and any(map(str.isdigit, number)) and day_of(number) is None:
        yield number[:MAX_CHARS], day


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
