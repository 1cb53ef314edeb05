"""Redaction of what another system says, before it is kept for people: without secrets, and without the words of the
appeal, in whatever spelling they come back.

Details of attempts, items and journal entries are read by engineers and stand in evidence; the applicant's data and
credentials have no place there. What came, as it came, is kept apart (``hub.delivery.journal``) for those who may see
it. Looked through are letter case, look-alike letters, escapes of HTML, JSON, URLs and quoted-printable, base64 and
hexadecimal, separators in between, and pieces: of a secret from twelve characters on, of the applicant's data from four
as a word of their own, from six within another word. Pieces that are shorter than that are not told from other words.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import quopri
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from hub.delivery.credentials import MARK as CUT
from hub.delivery.credentials import cut, in_utf8
from hub.delivery.escapes import readings
from hub.delivery.spellings import CASELESS, SHORTEST, small, spelled, spellings
from hub.ports import Outcome, Store
from hub.schemas.delivery import Delivery
from hub.schemas.ids import CaseId
from hub.schemas.terms import Kind

MARK: Final = "…"
LOST_ID: Final = "The id that they gave holds what must not be kept with it; it was left out."
_SECRET_CHARS: Final = 8
_STEP: Final = 4
"""Every fourth window of a secret is known, so that eleven of its characters in a row hold one for sure."""
_PIECE_OF_SECRET: Final = 12
"""Fewer characters of a secret may be a word that it is made of."""
_PIECE_CHARS: Final = 4
_INNER_CHARS: Final = 6
_SPREAD_CHARS: Final = 5
_DIGITS: Final = 5
_NATIONAL_DIGITS: Final = 9
_ENDING_CHARS: Final = 2
_NAME_CHARS: Final = 60
_LOOKED_AT: Final = 4_000
_SKELETON: Final = str.maketrans("аеіорсухкмтнвїєґё", "aeiopcyxkmthbieге")
"""Cyrillic letters that look like Latin ones, and those that many type instead of others."""
_CODES: Final = frozenset(
    {
        *("channel", "kind", "sign", "received_at", "topics", "place", "about", "earlier", "reply_by", "addressee"),
        *("type", "sex", "categories", "territory", "basis", "reference", "sha256", "media_type", "size", "access"),
    }
)
"""Members whose values are codes, or the centre's own number: nobody's data."""
_PEOPLE: Final = frozenset({"applicant", "representative", "call", "identity", "letter"})
"""Members of a form that tell who somebody is."""
_WORD: Final = re.compile(r"\w+")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});?", re.IGNORECASE)
_UNICODE: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_PERCENT: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_QUOTED: Final = re.compile(r"(?:=[0-9A-F]{2}){2,}")
_PACKED: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_OPAQUE: Final = re.compile(r"(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{20,}")
_PLAIN_ID: Final = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?!\S*[A-Za-z]{5})(?!\S*\d{9})[A-Za-z0-9./:_-]{1,64}", re.IGNORECASE
)
_PIECED_BYTES: Final = 65_536
_ESCAPED_TIMES: Final = 12
"""No spelling that is known here is longer: ``&amp;#x430;`` is one for a byte or two."""
_BASE64: Final = str.maketrans("-_", "+/")
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")
_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_RUN_OR_NOT: Final = bytes(ord("a") if byte in _LETTERS else ord(" ") for byte in range(256))
_LEAST_RUN: Final = b"a" * 64
_LOGIN: Final = re.compile(r"\b(Bearer|Basic|Digest)(\s+)(?=\S*[\d=])\S{6,}", re.IGNORECASE)


def _one_case(text: str) -> str:
    """The text in one case and one of look-alike letters."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_SKELETON)


@lru_cache(maxsize=2_048)
def _folded(text: str) -> str:
    """Letters and digits only, in one case and one of look-alike letters."""
    return "".join(filter(str.isalnum, _one_case(text)))


def unescaped(text: str) -> str:
    """A text without the escapes of HTML, JSON, URLs and quoted-printable, twice at most."""
    for _ in range(2):
        before = text
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        text = _UNICODE.sub(lambda found: _of_json(found[0]), text)
        text = _PERCENT.sub(lambda found: _decoded(unquote_to_bytes(found[0])) or found[0], text)
        text = _QUOTED.sub(lambda found: _decoded(quopri.decodestring(found[0])) or found[0], text)
        if text == before:
            break
    return text


def _of_json(escapes: str) -> str:
    read: str = json.loads(f'"{escapes}"')
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(data: bytes) -> str | None:
    for charset in ("utf-8", "cp1251"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return None


def _packed_bytes(run: str) -> Iterator[bytes]:
    """Bytes that a run of letters may be, as hexadecimal or base64; of base64 also from the middle of one."""
    if len(run) % 2 == 0 and _HEX.fullmatch(run):
        yield bytes.fromhex(run)
    plain = run.rstrip("=").translate(_BASE64)
    for skipped in range(4):
        part = plain[skipped:]
        part = part[:-1] if len(part) % 4 == 1 else part
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4), validate=True)
        except binascii.Error:
            return  # its letters are those of no base64, from wherever one begins


def _unpacked(run: str) -> Iterator[str]:
    """Texts that a run of letters may be."""
    for data in _packed_bytes(run):
        yield data.decode("utf-8", "ignore")
        yield data.decode("cp1251", "ignore")


_Windows: TypeAlias = Mapping[str, tuple[tuple[str, int], ...]]
"""By window: secrets in which it stands, and where."""


@lru_cache(maxsize=4)
def _windows(secrets: tuple[str, ...], spell: Callable[[str], str]) -> _Windows:
    """Windows of eight characters of secrets, as ``spell`` writes them. Shorter secrets have none: they are no more
    than words, and are told only as they are (``credentials.cut``).
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for secret in secrets:
        plain = spell(secret)
        last = len(plain) - _SECRET_CHARS
        for at in {*range(0, last + 1, _STEP), last} if last >= 0 else ():
            found.setdefault(plain[at : at + _SECRET_CHARS], []).append((plain, at))
    return {window: tuple(places) for window, places in found.items()}


def _told(text: str, windows: _Windows) -> Iterator[tuple[int, int]]:
    """Places of pieces of secrets in a text: of twelve characters or more, of a shorter secret the whole."""
    seen: dict[tuple[str, int], int] = {}
    for at in range(len(text) - _SECRET_CHARS + 1):
        for secret, offset in windows.get(text[at : at + _SECRET_CHARS], ()):
            if seen.get((secret, at - offset), 0) > at:
                continue  # in a place that is told already
            begin, end = at, at + _SECRET_CHARS
            before, after = offset, offset + _SECRET_CHARS
            while begin and before and text[begin - 1] == secret[before - 1]:
                begin, before = begin - 1, before - 1
            while end < len(text) and after < len(secret) and text[end] == secret[after]:
                end, after = end + 1, after + 1
            seen[secret, at - offset] = end
            if end - begin >= min(len(secret), _PIECE_OF_SECRET):
                yield begin, end


@lru_cache(maxsize=4)
def _as_bytes(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Longer secrets as they stand in bytes, in any letter case."""
    found = (small(each) for secret in secrets if len(secret) >= CASELESS for each in spelled(secret))
    return tuple(dict.fromkeys(found))


def without_secrets(
    data: bytes, secrets: Iterable[str], stand_ins: Mapping[str, str] | None = None
) -> tuple[bytes, int]:
    """Bytes as they are kept: without credentials (``credentials.cut``) and without known secrets, whole, however they
    are written (``spellings``, ``escapes``), also in pieces of twelve characters or more; and how many were cut out.

    Of more than 64 KiB pieces are not looked through, nor escapes within runs of base64: secrets that stand there
    whole are found. Time grows with the bytes, whatever they are. ``stand_ins``: what stands for other values, each
    written in any way, but whole.
    """
    known = tuple(sorted({each for each in secrets if len(each) >= SHORTEST}))
    return in_utf8(data, lambda each: _without_secrets(each, known, stand_ins or {}))


def _without_secrets(data: bytes, secrets: tuple[str, ...], stand_ins: Mapping[str, str]) -> tuple[bytes, int]:
    data, cuts = cut(data)
    places = [(begin, end, CUT) for begin, end in _stepwise(data, secrets)] if secrets else []
    values = tuple(sorted(stand_ins))
    places += [(begin, end, stand_ins[value].encode()) for begin, end, value in _values(data, values)]
    data, more = _replaced(data, places)
    return data, cuts + more


def _replaced(data: bytes, places: Iterable[tuple[int, int, bytes]]) -> tuple[bytes, int]:
    """The bytes with its mark for each place. Of places that overlap one that holds the others says the mark."""
    merged: list[tuple[int, int, bytes]] = []
    for begin, end, mark in sorted(places, key=lambda place: (place[0], -place[1])):
        if not merged or begin >= merged[-1][1]:
            merged.append((begin, end, mark))
        elif end > merged[-1][1]:
            merged[-1] = (merged[-1][0], end, merged[-1][2] if mark == merged[-1][2] else CUT)
    made, last = bytearray(), 0
    for begin, end, mark in merged:
        made += data[last:begin] + mark
        last = end
    return (bytes(made + data[last:]), len(merged)) if merged else (data, 0)


def said_in(data: bytes, values: Iterable[str]) -> frozenset[str]:
    """Values that stand in the bytes, whole, however they are written."""
    return frozenset(value for _, _, value in _values(data, tuple(sorted(values))))


def _values(data: bytes, values: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    """Places of values, each whole."""
    for begin, text in _steps(data, values) if values else ():
        for reading in readings(text):
            for *place, value in spellings(values).places(reading.text):
                first, last = reading.raw(*place)
                yield begin + first, begin + last, value


_Place: TypeAlias = tuple[int, int]
_Look: TypeAlias = Callable[[str], Iterator[_Place]]


def _stepwise(data: bytes, secrets: tuple[str, ...]) -> Iterator[_Place]:
    """Places of secrets, plain and in runs. A step holds the interpreter, and all other calls, for a few milliseconds
    at most; steps overlap by what the longest secret takes, packed or escaped.
    """
    look, runs = (_pieces, _raw_runs) if len(data) <= _PIECED_BYTES else (_wholes, _long_runs)
    inner = partial(look, secrets, packed=False)
    for begin, text in _steps(data, secrets):
        for reading in readings(text):
            for place in (*look(secrets, reading.text), *runs(reading.text, inner)):
                first, last = reading.raw(*place)
                yield begin + first, begin + last


def _steps(data: bytes, values: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    longest = max(len(each.encode("utf-8", "ignore")) for each in values)
    for begin in range(0, len(data), _PIECED_BYTES):
        yield begin, data[begin : begin + _PIECED_BYTES + longest * _ESCAPED_TIMES].decode("latin-1")


def _pieces(secrets: tuple[str, ...], text: str, *, packed: bool = True) -> Iterator[_Place]:
    yield from _told(small(text), _windows(_as_bytes(secrets), str))
    yield from ((begin, end) for begin, end, _ in spellings(secrets, plain=False).places(text, packed=packed))


def _wholes(secrets: tuple[str, ...], text: str, *, packed: bool = True) -> Iterator[_Place]:
    yield from ((begin, end) for begin, end, _ in spellings(secrets).places(text, packed=packed))


def _says(text: str, look: _Look) -> bool:
    """True if a text says a secret, escaped or not."""
    return any(True for reading in readings(text) for _ in look(reading.text))


def _raw_runs(text: str, look: _Look) -> Iterator[_Place]:
    """Runs of base64 or hexadecimal that say a secret."""
    for found in _RUN.finditer(text):
        if any(_says(each.decode("latin-1"), look) for each in _packed_bytes(found[0])):
            yield found.span()


def _long_runs(text: str, look: _Look) -> Iterator[_Place]:
    """Long runs of base64 or hexadecimal that say a secret; an attachment has megabytes of them."""
    plain = text.encode("latin-1").translate(_RUN_OR_NOT)  # twenty times as fast as a pattern
    at = plain.find(_LEAST_RUN)
    while at >= 0:
        found = plain.find(b" ", at)
        end = len(plain) if found < 0 else found
        if any(True for each in _packed_bytes(text[at:end]) for _ in look(each.decode("latin-1"))):
            yield at, end + len(text[end : end + 2]) - len(text[end : end + 2].lstrip("="))
        at = plain.find(_LEAST_RUN, end)


class Redactor:
    """Redactor of texts about one case. ``documents``: envelopes of the case as JSON; ``secrets``: values that are
    known to be secret.
    """

    def __init__(self, documents: Iterable[bytes] = (), secrets: Iterable[str] = ()) -> None:
        self._documents = tuple(documents)
        self._secrets = tuple(secrets)

    def text(self, said: str) -> str:
        """The text for people; what must not be kept is ``…``. Of longer ones the first 4,000 characters."""
        if not said:
            return said
        bare = without_secrets(unescaped(said[:_LOOKED_AT]).encode("utf-8", "replace"), self._short)[0]
        plain = bare.decode("utf-8", "replace")
        plain = _LOGIN.sub(lambda found: f"{found[1]}{found[2]}{MARK}", plain)
        hidden = bytearray(len(plain))
        for begin, end in (*self._own_words(plain), *self._spread(plain), *self._packed(plain)):
            hidden[begin:end] = b"\1" * (end - begin)
        for found in _OPAQUE.finditer(plain):
            hidden[found.start() : found.end()] = b"\1" * len(found[0])
        return _marked(plain, hidden)

    def tells(self, said: str) -> bool:
        """True if the text holds a secret or the appeal's words."""
        plain = unescaped(said[:_LOOKED_AT])
        data = plain.encode("utf-8", "replace").decode("latin-1")
        if self._short and _says(data, partial(_wholes, self._short)):
            return True
        return any(True for _ in (*self._own_words(plain), *self._spread(plain), *self._packed(plain)))

    @cached_property
    def _short(self) -> tuple[str, ...]:
        """Secrets of which too few letters and digits are left to be told by them alone."""
        return tuple(secret for secret in self._secrets if len(_folded(secret)) < _SECRET_CHARS)

    @cached_property
    def _said(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """Words of the appeal, and those of them that tell who somebody is."""
        words: set[str] = set()
        people: set[str] = set()
        for document in self._documents:
            for value, of_people in _leaves(json.loads(document)):
                found = {word for word in _WORD.findall(_one_case(value)) if len(word) >= _PIECE_CHARS}
                words |= found
                if of_people:
                    people |= _names(value, found)
        return frozenset(each for each in words if not each.isdigit() or len(each) >= _DIGITS), tuple(people)

    def _own_words(self, plain: str) -> Iterator[tuple[int, int]]:
        words, people = self._said
        for found in _WORD.finditer(plain):
            word = _folded(found[0])
            if len(word) >= _PIECE_CHARS and (word in words or any(_is_of(word, each) for each in people)):
                yield found.span()

    def _spread(self, plain: str) -> Iterator[tuple[int, int]]:
        """Places of the applicant's data and of secrets, whatever stands between their letters."""
        windows = _windows(self._secrets, _folded)
        if not windows and not self._said[1]:
            return
        letters = [(at, letter) for at, each in enumerate(plain) for letter in _folded(each)]
        folded = "".join(letter for _, letter in letters)
        for name in self._said[1]:
            if len(name) >= _SPREAD_CHARS:
                yield from ((letters[at][0], letters[at + len(name) - 1][0] + 1) for at in _places(folded, name))
        for begin, end in _told(folded, windows):
            yield from self._around(plain, letters[begin][0], letters[end - 1][0] + 1)

    @staticmethod
    def _around(plain: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """A place with all of the words in which it begins and ends."""
        while begin and not plain[begin - 1].isspace():
            begin -= 1
        while end < len(plain) and not plain[end].isspace():
            end += 1
        yield begin, end

    def _packed(self, plain: str) -> Iterator[tuple[int, int]]:
        for found in _PACKED.finditer(plain):
            for inner in _unpacked(found[0]):
                if any(True for _ in (*self._own_words(inner), *self._spread(inner))):
                    yield found.span()
                    break


def _names(value: str, words: set[str]) -> set[str]:
    """How somebody may be named by a value: a phone in its national form too, a mailbox without its domain."""
    digits = re.sub(r"\D", "", value)
    if len(digits) >= _DIGITS and not any(map(str.isalpha, value)):
        return {digits, digits[-_NATIONAL_DIGITS:]}
    mailbox, at, _ = value.partition("@")
    if at:
        return {_folded(value), *(each for each in map(_folded, _WORD.findall(mailbox)) if len(each) >= _PIECE_CHARS)}
    return words | ({_folded(value)} if len(value) <= _NAME_CHARS else set())


def _is_of(word: str, name: str) -> bool:
    """True if a word is a name, a form or a piece of it, or holds one."""
    if word.isdigit() or name.isdigit():
        return len(word) >= _DIGITS and (word in name or name in word)
    if word in name or (len(name) >= _SPREAD_CHARS and name in word):
        return True
    stem = name[: max(_PIECE_CHARS, len(name) - _ENDING_CHARS)]
    if len(name) > _PIECE_CHARS and abs(len(word) - len(name)) <= _ENDING_CHARS + 1 and word.startswith(stem):
        return True
    return any(name[at : at + _INNER_CHARS] in word for at in range(len(name) - _INNER_CHARS + 1))


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _marked(plain: str, hidden: bytearray) -> str:
    made: list[str] = []
    for letter, is_hidden in zip(plain, hidden, strict=True):
        if not is_hidden:
            made.append(letter)
        elif not made or made[-1] != MARK:
            made.append(MARK)
    return "".join(made)


def _leaves(node: Any, *, people: bool = False) -> Iterator[tuple[str, bool]]:
    """Texts of an envelope's body and the names of its files, and whether each tells who somebody is."""
    if isinstance(node, str):
        yield node, people
    elif isinstance(node, list):
        for each in node:
            yield from _leaves(each, people=people)
    elif isinstance(node, dict):
        for name, each in node.items():
            if name not in _CODES and name != "header" and name != "version":
                yield from _leaves(each, people=people or name in _PEOPLE)


class Redaction:
    """Redactors of cases, made when something is to be redacted. ``secrets``: asked for each time."""

    def __init__(self, store: Store, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._store = store
        self._secrets = secrets

    def of(self, case_id: CaseId | None, body: bytes | None = None) -> Redactor:
        """A redactor for what is said about a case. ``body``: the envelope that was sent, if it is at hand: of an
        appeal it is enough. Raises ``Unavailable``.
        """
        if body is not None and json.loads(body).get("kind") == Kind.APPEAL:
            return Redactor((body,), self._secrets())
        if case_id is None:
            return Redactor((), self._secrets())
        return Redactor((each.body for each in self._store.messages(case_id)), self._secrets())

    def outcome(self, outcome: Outcome, delivery: Delivery, body: bytes | None = None) -> Outcome:
        """The outcome as it may be kept: its detail, what of it is for people, the id that they gave."""
        unclear = any(each.unclear for each in outcome.reported)
        external_id = outcome.external_id
        if outcome.detail is None and not unclear and (external_id is None or self._is_plain(external_id)):
            return outcome
        redactor = self.of(delivery.case_id, body)
        detail = redactor.text(outcome.detail) if outcome.detail else outcome.detail
        if external_id is not None and redactor.tells(external_id):
            external_id, detail = None, f"{LOST_ID} {detail or ''}".strip()
        reported = outcome.reported
        if unclear:
            reported = tuple(
                replace(each, unclear=redactor.text(each.unclear)) if each.unclear else each for each in reported
            )
        return replace(outcome, detail=detail, external_id=external_id, reported=reported)

    def _is_plain(self, external_id: str) -> bool:
        """True for an id as systems make them: it need not be held against the appeal."""
        return _PLAIN_ID.fullmatch(external_id) is not None and not Redactor((), self._secrets()).tells(external_id)
