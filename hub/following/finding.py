"""Finding a case by its applicant: name, phone or e-mail as people type them, by a keyed index.

No clear personal data stands in the index: each word is a keyed hash (HMAC-SHA256), so that a dump of it tells nothing
to whoever has not the key. What differs only in letter case, edge blanks, apostrophes (м'я, мʼя, м’я), dashes or the
writing of a phone number is the same. Filled some seconds after an appeal came, from the feed of events; a new index
fills itself from the beginning.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from itertools import islice, pairwise
from typing import Final

from hub.errors import Fault, InvalidInput
from hub.following.ports import FinderIndex
from hub.following.text import bare
from hub.following.values import Finder
from hub.ports import CaseFilter, Clock, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import FactKind
from hub.schemas.envelope import AppealEnvelope, AppealForm
from hub.schemas.ids import CaseId
from hub.schemas.people import Contacts, PersonName

NAME: Final = "finder.2"  # words are compared otherwise since: what was indexed before is indexed again
BATCH: Final = 200
LEASE: Final = timedelta(seconds=60)
_PHONE_DIGITS: Final = 9
_LEAST_PHONE_DIGITS: Final = 7
_ACCEPTED: Final = f"case.{FactKind.ACCEPTED_BY_HUB}"
_DASHES: Final = re.compile(r"\s*[-\u2010-\u2015\u2212]\s*")
_WORDS: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_PHONES: Final = re.compile(r"(?<![\d-])\+?\d[\d ()-]{5,20}\d(?![\d-])")
_EMAILS: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,253}\w")
_MOST: Final = 40


class FinderKind(StrEnum):
    """Kind of word that a case is found by."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"


def plain_name(text: str) -> str:
    """A name as it is compared: NFKC, lower case, without apostrophes, single blanks."""
    folded = unicodedata.normalize("NFC", bare(text).casefold())
    return " ".join(_DASHES.sub("-", folded).split())


def plain_phone(text: str) -> str:
    """The last nine digits of a phone number; empty if there are fewer than seven."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdecimal())
    return digits[-_PHONE_DIGITS:] if len(digits) >= _LEAST_PHONE_DIGITS else ""


def plain_email(text: str) -> str:
    """An e-mail address as it is compared."""
    return unicodedata.normalize("NFKC", text).casefold().strip().strip("<>")


_PLAIN: Final[dict[FinderKind, Callable[[str], str]]] = {
    FinderKind.NAME: plain_name,
    FinderKind.PHONE: plain_phone,
    FinderKind.EMAIL: plain_email,
}


class Finders:
    """Words of applicants as keyed hashes. ``key``: that of the applicants' index."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, kind: FinderKind, text: str) -> str:
        """The keyed hash of one word. ``InvalidInput`` (``find.empty``) if nothing is left of it."""
        said = _PLAIN[kind](text)
        if not said:
            fault = Fault(pointer=f"query/{kind}", code="find.empty", message="holds nothing to look for")
            raise InvalidInput("There is nothing to look for.", code=fault.code, faults=[fault])
        return self._hash(kind, said)

    def _hash(self, kind: FinderKind, said: str) -> str:
        return hmac.new(self._key, f"find|{kind}|{said}".encode(), hashlib.sha256).hexdigest()

    def of_form(self, form: AppealForm) -> frozenset[str]:
        """Tokens under which an appeal is found: the applicant's and the representative's."""
        return frozenset(self._hash(kind, said) for kind, said in _words_of(form) if said)

    def in_text(self, text: str) -> tuple[str, ...]:
        """Tokens of phones, e-mail addresses and names that stand in a text, the surest first."""
        phones = (self._hash(FinderKind.PHONE, p) for f in _PHONES.findall(text) if (p := plain_phone(f)))
        emails = (self._hash(FinderKind.EMAIL, plain_email(found)) for found in _EMAILS.findall(text))
        names = (self._hash(FinderKind.NAME, name) for name in _names_in(text))
        found = dict.fromkeys((*_first(phones), *_first(emails), *_first(names)))
        return tuple(found)


def _first(tokens: Iterator[str]) -> list[str]:
    return list(islice(tokens, _MOST))


def _names_in(text: str) -> Iterator[str]:
    """Neighbouring words that begin with capitals: surname and given name, either first."""
    words = _WORDS.findall(bare(text))
    for one, other in pairwise(words):
        if one[0].isupper() and other[0].isupper():
            yield plain_name(f"{one} {other}")
            yield plain_name(f"{other} {one}")


def _words_of(form: AppealForm) -> Iterator[tuple[FinderKind, str]]:
    applicant = form.applicant
    yield from _of_person(applicant.name, applicant.contacts)
    if applicant.collective_name:
        yield FinderKind.NAME, plain_name(applicant.collective_name)
    if form.representative is not None:
        yield from _of_person(form.representative.name, form.representative.contacts)
    if form.call is not None and form.call.number is not None:
        yield FinderKind.PHONE, plain_phone(form.call.number)


def _of_person(name: PersonName, contacts: Contacts | None) -> Iterator[tuple[FinderKind, str]]:
    surname, given = plain_name(name.surname), plain_name(name.given)
    yield FinderKind.NAME, surname
    yield FinderKind.NAME, f"{surname} {given}"
    yield FinderKind.NAME, f"{given} {surname}"
    if name.patronymic:
        yield FinderKind.NAME, f"{surname} {given} {plain_name(name.patronymic)}"
    for phone in contacts.phones if contacts else ():
        yield FinderKind.PHONE, plain_phone(phone)
    for email in contacts.emails if contacts else ():
        yield FinderKind.EMAIL, plain_email(email)


class FinderFollower:
    """Fills the index from the feed. Any number of processes may run it: one works at a time."""

    def __init__(self, *, store: Store, index: FinderIndex, clock: Clock, finders: Finders, owner: str) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._finders = finders
        self._owner = owner

    def step(self, limit: int = BATCH) -> int:
        """Index the next appeals; how many events there were. Raises ``Unavailable``."""
        now = self._clock.now()
        if not self._index.acquire(NAME, owner=self._owner, now=now, lease_until=now + LEASE):
            return 0
        events = self._store.events(after=self._index.place(NAME), limit=limit)
        if events:
            cases = [event.case_id for event in events if event.type == _ACCEPTED]
            self._index.write_finders(NAME, owner=self._owner, cursor=events[-1].cursor, finders=self._of(cases))
        return len(events)

    def release(self) -> int:
        """Let another process go on at once."""
        self._index.release(NAME, owner=self._owner)
        return 0

    def _of(self, cases: Sequence[CaseId]) -> tuple[Finder, ...]:
        found = []
        for case_id, message in self._index.forms_of(cases).items():
            envelope = json_rendering.from_json(message.body)
            assert isinstance(envelope, AppealEnvelope)
            tokens = sorted(self._finders.of_form(envelope.body))
            found += [Finder(token=token, case_id=case_id, at=message.created_at) for token in tokens]
        return tuple(found)


def applicants_in(text: str, finders: Finders, store: Store, *, most: int) -> tuple[CaseId, ...]:
    """Cases of applicants whose phone, address or name stands in a text; words that point to more cases than ``most``
    point to none.
    """
    found: dict[CaseId, None] = {}
    for token in finders.in_text(text):
        cases = store.cases(CaseFilter(finders=(token,)), after=None, limit=most + 1, newest=True)
        if len(cases) <= most:
            found |= dict.fromkeys(row.case.id for row in cases)
    return tuple(found)
