"""Guesses to which case an input belongs, each with how sure it is. For people: a guess alone attaches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from hub.ports import CaseFilter, Excerpt, Registry, Store
from hub.schemas.case_number import is_case_number
from hub.schemas.delivery import CaseRow
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.journal import InboundRecord

MAX_NUMBERS: Final = 60
MAX_CASES: Final = 3
"""So many cases one number, name or body may point to; what points to more points to none."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[\w./\\-]*\d[\w./\\()-]*")
_DOMAIN: Final = re.compile(r"@([\w-]+(?:\.[\w-]+)+)")


class GuessSign(StrEnum):
    """Sign that a guess rests on."""

    ABOUT = "about"
    OUR_ID = "our_id"
    REFERENCE = "reference"
    THEIR_NUMBER = "their_number"
    APPLICANT = "applicant"
    SENDER = "sender"


_SURE: Final = {
    GuessSign.ABOUT: 95,
    GuessSign.OUR_ID: 90,
    GuessSign.REFERENCE: 80,
    GuessSign.THEIR_NUMBER: 70,
    GuessSign.APPLICANT: 50,
    GuessSign.SENDER: 10,
}
"""How sure a sign is alone, in percent; two signs for one case are surer than the better of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Case that an input may belong to. ``sure``: percent, at most 99."""

    case_id: CaseId
    authority: str | None
    signs: tuple[GuessSign, ...]
    sure: int


class Guesser:
    """Guesses by what stands in an input. Reads only; safe to call from many threads.

    ``applicants``: cases of the applicants whose name, phone or address stands in a text.
    """

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        applicants: Callable[[str], Sequence[CaseId]] = lambda _text: (),
    ) -> None:
        self._store = store
        self._registry = registry
        self._applicants = applicants

    def guess(self, record: InboundRecord, excerpt: Excerpt) -> tuple[Guess, ...]:
        """Cases, the surest first."""
        found: dict[CaseId, set[GuessSign]] = {}
        for sign, case_id in self._signs(record, excerpt):
            found.setdefault(case_id, set()).add(sign)
        guesses = (self._guess(case_id, signs) for case_id, signs in found.items())
        return tuple(sorted((g for g in guesses if g is not None), key=lambda g: (-g.sure, str(g.case_id))))

    def _guess(self, case_id: CaseId, signs: set[GuessSign]) -> Guess | None:
        row = self._store.case(case_id)
        if row is None:
            return None
        doubt = 1.0
        for sign in signs:
            doubt *= 1 - _SURE[sign] / 100
        sure = min(99, round(100 * (1 - doubt)))
        return Guess(case_id=case_id, authority=row.authority, signs=tuple(sorted(signs)), sure=sure)

    def _signs(self, record: InboundRecord, excerpt: Excerpt) -> Iterator[tuple[GuessSign, CaseId]]:
        if record.case_id is not None:
            yield GuessSign.ABOUT, record.case_id
        text = f"{excerpt.subject}\n{excerpt.sender}\n{excerpt.searched}\n{excerpt.text}"
        yield from ((GuessSign.OUR_ID, case_id) for case_id in self._by_id(text))
        for number in _numbers(text):
            yield from self._by_number(number)
        yield from ((GuessSign.APPLICANT, case_id) for case_id in self._applicants(text)[:MAX_CASES])
        yield from ((GuessSign.SENDER, case_id) for case_id in self._by_sender(excerpt.sender, record))

    def _by_id(self, text: str) -> Iterator[CaseId]:
        for found in list(dict.fromkeys(_UUID.findall(text)))[:MAX_NUMBERS]:
            named = UUID(found)
            if self._store.case(CaseId(named)) is not None:
                yield CaseId(named)
            elif (message := self._store.message(MessageId(named))) is not None:
                yield message.case_id

    def _by_number(self, number: str) -> Iterator[tuple[GuessSign, CaseId]]:
        ways = [
            (GuessSign.REFERENCE, CaseFilter(reference=number)),
            (GuessSign.THEIR_NUMBER, CaseFilter(registered=number)),
        ]
        if is_case_number(number):
            ways.append((GuessSign.REFERENCE, CaseFilter(case_number=number)))
        for sign, where in ways:
            cases = self._store.cases(where, after=None, limit=MAX_CASES + 1)
            yield from ((sign, case_id) for case_id in _few(cases))

    def _by_sender(self, sender: str, record: InboundRecord) -> Iterator[CaseId]:
        """The cases of the body whose address or channel it came from, if it has so few."""
        bodies = {record.authority, *self._bodies_of(sender)}
        for body in sorted(bodies):
            yield from _few(self._store.cases(CaseFilter(held_by=body), after=None, limit=MAX_CASES + 1, newest=True))

    def _bodies_of(self, sender: str) -> Iterator[str]:
        domain = _DOMAIN.search(sender)
        if domain is None:
            return
        ending = "@" + domain[1].lower()
        for authority, channel in self._registry.current().channels():
            if any(address.lower().endswith(ending) for address in _texts(channel.settings.values())):
                yield authority.code


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from (each for each in value if isinstance(each, str))


def _few(cases: Iterable[CaseRow]) -> list[CaseId]:
    found = [row.case.id for row in cases]
    return found if len(found) <= MAX_CASES else []


def _numbers(text: str) -> list[str]:
    """Words with digits that may be a number, without the marks around them; each once."""
    words = (found.strip(".-/\\()") for found in _NUMBER.findall(text))
    return list(dict.fromkeys(word for word in words if 2 <= len(word) <= 100))[:MAX_NUMBERS]
