"""The form at the end of our letter, filled in by a person: read leniently, believed only if it is whole. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hub.adapters.email import words
from hub.schemas.envelope import AnswerBody, AuthorityBody, ClarificationBody, ExtensionBody, ReceiptBody, RedirectBody
from hub.schemas.terms import AnswerResult, AnswerStage, ClarificationStep, ReceiptStatus, RefusalGround

_LINE: Final = re.compile(
    rf"^[>\s|*]*({'|'.join(re.escape(name) for name in words.FIELDS)})\s*:[ \t*]*(.*)$", re.IGNORECASE
)
_BEGINS: Final = re.compile(r"^[>\s|*]*-{3,}\s*реєстраційна картка відповіді\s*-{3,}\s*$", re.IGNORECASE)
_ENDS: Final = re.compile(r"^[>\s|*]*-{3,}\s*кінець картки\s*-{3,}\s*$", re.IGNORECASE)
_DAY: Final = re.compile(r"(?:(\d{1,2})[./](\d{1,2})[./](\d{4})|(\d{4})-(\d{2})-(\d{2}))(?:\s*р(?:\.|оку))?", re.ASCII)
NO_NUMBER: Final = "б/н"
"""Without a number (без номера), as offices write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledForm:
    """The fields that were filled in, and the text around the form."""

    fields: Mapping[str, str]
    text: str


def read(text: str) -> FilledForm:
    """The filled fields of the forms in a text, and its other lines. A field named twice counts where it was filled
    first. Lines like those of a form, where there is none, are somebody's words.
    """
    fields: dict[str, str] = {}
    rest: list[str] = []
    lines = text.splitlines()
    within = _within(lines)
    for number, line in enumerate(lines):
        found = _LINE.match(line[:2_000]) if number in within else None
        if found is not None:
            if found[2].strip():
                fields.setdefault(_field(found[1]), found[2].strip())
        elif number not in within or not _is_frame(line):
            rest.append(line)
    return FilledForm(fields=fields, text="\n".join(rest).strip())


def words_of(text: str) -> str:
    """The words of a text whose form states nothing: without what our form is of itself, with all that was filled."""
    lines = text.splitlines()
    within = _within(lines)
    return "\n".join(line for at, line in enumerate(lines) if at not in within or not _is_bare(line)).strip()


def _field(name: str) -> str:
    return next(each for each in words.FIELDS if each.casefold() == name.casefold())


def _is_frame(line: str) -> bool:
    return bool(_BEGINS.match(line[:2_000]) or _ENDS.match(line[:2_000]))


def _is_bare(line: str) -> bool:
    found = _LINE.match(line[:2_000])
    return _is_frame(line) or (found is not None and not found[2].strip())


def _within(lines: list[str]) -> frozenset[int]:
    """Numbers of the lines that are in a form: between its frame, or a run of fields of which one is the state."""
    found: set[int] = set()
    names: dict[int, str] = {}
    frames: set[int] = set()
    framed = False
    for number, line in enumerate(lines):
        head = line[:2_000]
        begins, ends, field = bool(_BEGINS.match(head)), bool(_ENDS.match(head)), _LINE.match(head)
        if begins or not (framed or ends or field or not head.strip()):
            found |= _form_of(names, frames)
            names, frames = {}, set()
        framed = (framed or begins) and not ends
        if begins or ends:
            frames.add(number)
        if field is not None:
            names[number] = _field(field[1])
        if ends:
            found |= _form_of(names, frames)
            names, frames = {}, set()
    return frozenset(found | _form_of(names, frames))


def _form_of(names: dict[int, str], frames: set[int]) -> set[int]:
    """The lines of a run, if it is a form; of one whose frame has no end, as far as its fields go."""
    return {*names, *frames} if frames or words.STATUS in names.values() else set()


def day_of(text: str) -> date | None:
    """A day as people write it: 24.11.2026 or 2026-11-24."""
    found = _DAY.fullmatch(text.strip())
    if found is None:
        return None
    day, month, year = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _plain(value: str) -> str:
    return re.sub(r"\s+", " ", value.replace("’", "'").replace("ʼ", "'").replace("`", "'")).strip(" .;").casefold()


def statement(said: FilledForm, *, at: datetime, today: date) -> AuthorityBody | None:
    """Statement of the form; None if it was left empty or is not whole: then the mail is a plain one.

    ``today``: the day of the mail, for a date that was left out. Raises pydantic's ``ValidationError`` (a
    ``ValueError``) for values that no envelope can hold.
    """
    fields = said.fields
    status = _plain(fields.get(words.STATUS, ""))
    number = fields.get(words.NUMBER, "")[:100]
    day = day_of(fields[words.DATE]) if words.DATE in fields else today
    text = said.text or "Відповідь у додатку."
    match status:
        case words.REGISTERED if number and day:
            return ReceiptBody(status=ReceiptStatus.REGISTERED, at=at, number=number, date=day)
        case words.REFUSED:
            ground = words.GROUNDS.get(_plain(fields.get(words.GROUND, "")), RefusalGround.OTHER)
            return ReceiptBody(status=ReceiptStatus.REFUSED, at=at, ground=ground, note=text[:2_000])
        case words.ANSWERED | words.INTERIM if day:
            stage = AnswerStage.FINAL if status == words.ANSWERED else AnswerStage.INTERIM
            result = words.RESULTS.get(_plain(fields.get(words.RESULT, "")))
            if result is None and stage is AnswerStage.FINAL:
                return None
            return AnswerBody(
                stage=stage,
                result=result or AnswerResult.EXPLAINED,
                number=number or NO_NUMBER,
                date=day,
                at=at,
                text=text,
            )
        case words.REDIRECTED:
            return RedirectBody(at=at, to=fields.get(words.TO), reason=text[:2_000])
        case words.EXTENDED if until := day_of(fields.get(words.UNTIL, "")):
            return ExtensionBody(at=at, until=until, reason=text[:2_000])
        case words.QUESTION:
            until = day_of(fields.get(words.UNTIL, ""))
            return ClarificationBody(step=ClarificationStep.QUESTION, at=at, text=text[:20_000], until=until)
        case _:
            return None
