"""Wishes: words in an appeal that tell a simulated authority what to do with it. Pure.

An integrator asks for a failure where it is needed, in the appeal itself, so it works over every protocol and from any
front end: ``#sim:limit=30*2 #sim:refuse=unreadable`` in the reference, the subject or the text. A word that is not
known, or a value that does not fit, is never passed over: such an appeal is refused, and counted as ``wish_unknown``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import ValidationError

from hub.schemas.envelope import AnyEnvelope, AppealEnvelope
from hub.schemas.terms import RefusalGround
from hub.simulator.characters import Character, Failure

_WISH: Final = re.compile(r"#sim:([A-Za-z_]{1,20})(?:=([^\s*#]{1,40}))?(?:\*([0-9]{1,2}))?")
FAILURES: Final[tuple[Failure, ...]] = get_args(Failure)
_WAITS: Final = ("busy", "limit")
"""Failures whose value is the time to wait, in seconds."""
Changes = Mapping[str, object]


def _flag(**changes: object) -> Callable[[str | None], Changes]:
    return lambda value: changes if value is None else {"": value}


def _number(member: str, factor: int = 1, default: str | None = None) -> Callable[[str | None], Changes]:
    def change(value: str | None) -> Changes:
        text = value if value is not None else default
        return {member: int(text) * factor} if text is not None and text.isascii() and text.isdecimal() else {"": text}

    return change


WORDS: Final[Mapping[str, Callable[[str | None], Changes]]] = {
    "refuse": lambda value: {"refuse_percent": 100, "ground": value or RefusalGround.WRONG_ADDRESSEE.value},
    "silent": _flag(registers=False, answers=False),
    "unregistered": _flag(registers=False),
    "unanswered": _flag(answers=False),
    "twice": _number("copies", default="2"),
    "disorder": _flag(answer_first=True),
    "delay": _number("respond_ms", 1_000),
    "register": _number("register_hours"),
    "answer": _number("answer_hours"),
    "number": lambda value: {"number": value} if value is not None else {"": value},
    "stray": _flag(stray=True),
}
"""Words that change how the authority behaves towards this appeal, and the change that each makes with its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Wishes of one appeal. ``failures``: of its first tries, in order; ``unknown``: words that nobody can grant."""

    character: Character
    failures: tuple[tuple[Failure, int], ...] = ()
    unknown: tuple[str, ...] = ()


def wishes(envelope: AnyEnvelope, character: Character) -> Wishes:
    """Read the wishes of an appeal to an authority of this character; other messages have none."""
    failures: list[tuple[Failure, int]] = []
    changes: dict[str, object] = {}
    unknown: list[str] = []
    for word, value, times in _WISH.findall(_said(envelope)):
        found = next((each for each in FAILURES if each == word), None)
        if found is not None and (not value or (word in _WAITS and value.isdecimal())):
            failures += [(found, int(value or 1))] * int(times or 1)
        elif word in WORDS and not times:
            changes |= WORDS[word](value or None)
        else:
            unknown.append(word)
    try:
        changed = Character.model_validate({**character.model_dump(), **changes})
    except ValidationError as error:
        unknown += [str(each["loc"][0]) if each["loc"] else "" for each in error.errors(include_input=False)]
        changed = character
    return Wishes(character=changed, failures=tuple(failures), unknown=tuple(unknown))


def _said(envelope: AnyEnvelope) -> str:
    if not isinstance(envelope, AppealEnvelope):
        return ""
    form = envelope.body
    return " ".join(filter(None, (form.reference, form.subject, form.text)))
