"""Places of known values in bytes, whole, however they are written. Pure.

Looked for are the value in UTF-8 and windows-1251, in any letter case; the same in hexadecimal; and the same in base64,
of itself or within other bytes (the end of ``user:secret``): there the whole run of base64 is the place. Escapes are
read by ``escapes``. A value of six or seven characters could be a word: it is told in its own letter case only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from hub.delivery.escapes import readings

SHORTEST: Final = 6
"""A value that is shorter would be found in ordinary words."""
CASELESS: Final = 8
_FEW: Final = 512
"""So many forms are looked for one by one faster than all at once."""
_MANY: Final = 10_000
_CHARSETS: Final = ("utf-8", "cp1251")
_PACKED: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_ONE_BASE64: Final = bytes.maketrans(b"-_", b"+/")


class _Forms(NamedTuple):
    """Forms that are looked for in one kind of text, each with its value."""

    values: dict[bytes, str]
    by_end: dict[bytes, list[bytes]]

    @classmethod
    def of(cls, values: dict[str, str]) -> _Forms:
        forms = {form.encode("latin-1"): value for form, value in values.items()}
        by_end: dict[bytes, list[bytes]] = {}
        for form in forms if len(forms) > _FEW else ():
            by_end.setdefault(form[-SHORTEST:], []).append(form)
        return cls(forms, by_end)

    def places(self, text: bytes) -> Iterator[tuple[int, int, str]]:
        """Begin, end and value of each that stands in the text."""
        if not self.by_end:
            for form, value in self.values.items():
                at = text.find(form)
                while at >= 0:
                    yield at, at + len(form), value
                    at = text.find(form, at + len(form))
            return
        for end in range(SHORTEST, len(text) + 1):
            for form in self.by_end.get(text[end - SHORTEST : end], ()):
                if text.endswith(form, 0, end):
                    yield end - len(form), end, self.values[form]


class Spellings:
    """All written forms of some values, without escapes. ``plain``: with those of longer values as they are."""

    def __init__(self, values: Iterable[str], *, plain: bool = True) -> None:
        kept = [each for each in values if len(each) >= SHORTEST]
        self._exact = _Forms.of({form: each for each in kept if len(each) < CASELESS for form in _bytes(each, (each,))})
        self._small = _Forms.of({form: each for each in kept for form in _small_forms(each, plain=plain)})
        self._packed = _Forms.of({form: each for each in kept for form in _base64_forms(each)})

    def places(self, text: str, *, packed: bool = True) -> Iterator[tuple[int, int, str]]:
        """Begin, end and value of each place in a text of bytes. ``packed``: in base64 too."""
        data = text.encode("latin-1")
        lower = data.lower()
        yield from self._exact.places(data)
        yield from self._small.places(lower)
        if packed:
            yield from self._runs(text, lower)

    def _runs(self, text: str, lower: bytes) -> Iterator[tuple[int, int, str]]:
        last = 0
        for begin, end, value in sorted(self._packed.places(lower.translate(_ONE_BASE64))):
            if end > last:
                first, last = _run(text, begin, end)
                yield first, last, value


@lru_cache(maxsize=4)
def spellings(values: tuple[str, ...], *, plain: bool = True) -> Spellings:
    """Written forms of values; ``plain``: with those of eight characters and more as they are."""
    return Spellings(values, plain=plain)


def small(text: str) -> str:
    """Latin letters in small ones; those beyond are parts of others here."""
    return text.encode("latin-1").lower().decode("latin-1")


@lru_cache(maxsize=_MANY)
def spelled(value: str) -> tuple[str, ...]:
    """A value as bytes, UTF-8 or windows-1251, in any letter case of its own; a byte is a character each."""
    return _bytes(value, (value, value.lower(), value.upper()))


def _bytes(value: str, cases: tuple[str, ...]) -> tuple[str, ...]:
    blanks = tuple(each.replace(" ", "+") for each in cases) if " " in value else ()
    written = [each.encode(charset, "ignore").decode("latin-1") for each in cases + blanks for charset in _CHARSETS]
    # A value that holds what looks like an escape is read like one, where others around it are read.
    return tuple(dict.fromkeys(reading.text for each in written for reading in readings(each)))


def _long(forms: Iterable[str], least: int) -> Iterator[str]:
    return (each for each in forms if len(each) >= least)


def _small_forms(value: str, *, plain: bool) -> Iterator[str]:
    if plain and len(value) >= CASELESS:
        yield from _long(map(small, spelled(value)), CASELESS)
    yield from _hex_forms(value)


@lru_cache(maxsize=_MANY)
def _hex_forms(value: str) -> tuple[str, ...]:
    return tuple(each.encode("latin-1").hex() for each in _long(spelled(value), SHORTEST))


@lru_cache(maxsize=_MANY)
def _base64_forms(value: str) -> tuple[str, ...]:
    """Part of the value's base64 that is the same whatever stands around it, by how many bytes stand before it."""
    forms: list[str] = []
    for each in _long(spelled(value), SHORTEST):
        data = each.encode("latin-1")
        for before in range(3):
            packed = base64.b64encode(bytes(before) + data).decode("ascii")
            forms.append(packed[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6].lower())
    return tuple(forms)


def _run(text: str, begin: int, end: int) -> tuple[int, int]:
    """The whole run of base64 around a part of it."""
    while begin and text[begin - 1] in _LETTERS:
        begin -= 1
    found = _PACKED.match(text, end)
    return begin, found.end() if found else end
