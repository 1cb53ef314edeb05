"""Bytes to text: what the bytes themselves show comes before any label. Pure; one place for mail, SOAP, REST and files.

The order: a byte order mark; wide letters; valid UTF-8 with letters beyond ASCII; the label. Where the text reads
distinctly more like Ukrainian in another of the charsets that Ukrainian is written in, it is in that one. Python would
take ``hex``, ``idna`` or ``unicode_escape`` for a charset too; they are not in the list.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

_ALLOWED: Final = re.compile(
    r"ascii|utf-8|utf-16(-[lb]e)?|utf-32(-[lb]e)?|utf-7|iso8859-\d+|cp125\d|cp1125|cp8\d\d|cp437|cp93[26]|cp949|cp950|"
    r"koi8-[rut]|mac-\w+|gb2312|gbk|gb18030|big5|big5hkscs|euc_jp|euc_kr|shift_jis|iso2022_(jp|kr)(_\w+)?|tis-620|hz|johab"
)
_ALIASES: Final = {
    "windows1251": "cp1251",
    "win-1251": "cp1251",
    "win1251": "cp1251",
    "cp-1251": "cp1251",
    "x-cp1251": "cp1251",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "koi8u": "koi8-u",
    "koi8-r": "koi8-u",  # the same letters; і, ї, є and ґ stand where it has lines of tables
    "cp20866": "koi8-u",
    "koi8": "koi8-u",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "shift_jis",
    "iso-8859-8-i": "iso8859-8",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_SAMPLE: Final = 400
_UKRAINIAN: Final = ("cp1251", "koi8-u", "cp866", "cp1125", "cp1252")
_SINGLE: Final = re.compile(r"ascii|iso8859-\d+|cp125\d|cp1125|cp8\d\d|cp437|koi8-[rut]|mac-\w+")
_SEVEN_BITS: Final = re.compile(r"utf-7|iso2022.*|hz")
_LETTERS: Final = re.compile(r"[^\W\d_]+(?:['\u2019\u02bc-][^\W\d_]+)*")
_CYRILLIC: Final = re.compile(r"[А-ЯІЇЄҐЁа-яіїєґё'\u2019\u02bc-]+")
_INNER_CAPITAL: Final = re.compile(r"[а-яіїєґё][А-ЯІЇЄҐЁ]")
_NO_BEGINNING: Final = frozenset("ьъыЬЪЫ")
_COMMON: Final = frozenset("оаниітврескОАНИІТВРЕСК")
_RARE: Final = frozenset("ґфщъыэёҐФЩЪЫЭЁ")
_ODD: Final = re.compile("[^\\x00-\\x7e\\w\\s«»„“”‘’ʼ—–…№§°€©®·•½¼¾±×≤≥←→]|[\\x80-\\x9f]")
_SAMPLE_CHARS: Final = 4_000
_FOR_UTF8: Final = 4
_FOR_LABEL: Final = 4
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z0-9._-]{1,40})["']""")


def decode(data: bytes, label: str | None = None) -> str:
    """The text; what cannot be read becomes U+FFFD. Never raises."""
    text = read(data, label)
    if text is not None:
        return text
    if _nearly(data):
        return data.decode("utf-8", "replace")
    return _likest([(name, data.decode(name, "replace")) for name in _candidates(codec(label))], codec(label))


def read(data: bytes, label: str | None = None) -> str | None:
    """The whole text without a loss, its mark taken off; None if it is in none of the charsets that it may be in."""
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return _tried(data[len(mark) :], marked)
    name = codec(label)
    if name is not None and (_SEVEN_BITS.fullmatch(name) or not (_SINGLE.fullmatch(name) or name == "utf-8")):
        return _tried(data, name)  # of many bytes a letter: nothing else looks like it
    wide = _wide(data)
    if wide is not None:
        return _tried(data, wide)
    utf8 = _tried(data, "utf-8")
    if utf8 is not None and (data.isascii() or _surely(utf8, name)):
        return utf8
    if utf8 is None and _nearly(data):
        return None
    found = [(each, text) for each in _candidates(name) if (text := _tried(data, each)) is not None]
    return _likest(found, name) if found else None


def declared(data: bytes) -> str | None:
    """Encoding that the declaration of an XML document names."""
    found = _DECLARED.match(data)
    return found[1].decode("ascii") if found else None


def codec(label: str | None) -> str | None:
    """Python's name of a charset, however it is spelt; None for none, or one that is none."""
    if not label:
        return None
    plain = label.strip().strip("\"'").lower()
    plain = _ALIASES.get(plain, plain)
    if not plain.isascii() or "\x00" in plain or len(plain) > 40:
        return None
    try:
        name = codecs.lookup(plain).name
    except (LookupError, ValueError):
        return None
    return name if _ALLOWED.fullmatch(name) else None


def _tried(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: nearly every second byte is that of ASCII or of Cyrillic letters."""
    sample = data[:_WIDE_SAMPLE]
    if len(sample) < 4 or len(data) % 2 or not (b"\x00" in sample or b"\x04" in sample):
        return None
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        upper = sample[first::2]
        if sum(byte in (0, 4) for byte in upper) * 10 >= len(upper) * 9:
            return name
    return None


def _nearly(data: bytes) -> bool:
    """True if it is UTF-8 but for a letter cut in two."""
    utf8 = data.decode("utf-8", "replace")
    beyond = len(utf8) - len(utf8.encode("ascii", "ignore"))
    return utf8.count("\ufffd") * 20 <= beyond


def _surely(utf8: str, label: str | None) -> bool:
    """True unless one single letter, no Cyrillic one, may be two of the label's charset."""
    if label in (None, "ascii", "utf-8"):
        return True
    beyond = [letter for letter in utf8[:_SAMPLE_CHARS] if not letter.isascii()]
    return len(beyond) > 1 or all(_CYRILLIC.fullmatch(letter) for letter in beyond)


def _candidates(name: str | None) -> Iterator[str]:
    """Charsets that bytes beyond ASCII may be in; the label's own first."""
    if name is not None and name not in ("ascii", "utf-8"):
        yield name
    yield "utf-8"
    yield from (each for each in _UKRAINIAN if each != name)


def _likest(found: list[tuple[str, str]], label: str | None) -> str:
    """The text that reads most like Ukrainian; UTF-8 and the label's charset need less."""
    favour = {"utf-8": _FOR_UTF8, label: _FOR_LABEL}
    return max(found, key=lambda each: _likeness(each[1]) + favour.get(each[0], 0))[1]


def _likeness(text: str) -> int:
    """Likeness of a text to Ukrainian. A wrong charset mixes alphabets in a word, turns case, brings odd signs."""
    sample = text[:_SAMPLE_CHARS]
    return sum(map(_word, _LETTERS.findall(sample))) - 2 * len(_ODD.findall(sample)) - 3 * sample.count("\ufffd")


def _word(word: str) -> int:
    if word.isascii():
        return 0
    if _CYRILLIC.fullmatch(word):
        turned = _INNER_CAPITAL.search(word) is not None
        common, rare = sum(letter in _COMMON for letter in word), sum(letter in _RARE for letter in word)
        return 1 + common - rare - 3 * (word[0] in _NO_BEGINNING) - 3 * turned
    beyond = sum(not letter.isascii() for letter in word)
    latin = all(letter < "\u0250" for letter in word)
    return 1 if latin and beyond * 2 <= len(word) else -3
