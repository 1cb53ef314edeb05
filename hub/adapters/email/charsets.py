"""Bytes to text, whatever label they bear: known charsets only, and a guess between the Ukrainian ones. Pure.

Python would take ``hex``, ``idna`` or ``unicode_escape`` for a charset too; they are not in the list.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_ALLOWED: Final = re.compile(
    r"ascii|utf-8|utf-16(-[lb]e)?|utf-7|iso8859-\d+|cp125\d|cp8\d\d|cp437|cp93[26]|cp949|cp950|koi8-[rut]|mac-\w+|"
    r"gb2312|gbk|gb18030|big5|big5hkscs|euc_jp|euc_kr|shift_jis|iso2022_(jp|kr)(_\w+)?|tis-620|hz|johab"
)
_ALIASES: Final = {
    "windows1251": "cp1251",
    "win-1251": "cp1251",
    "cp-1251": "cp1251",
    "x-cp1251": "cp1251",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "shift_jis",
    "iso-8859-8-i": "iso8859-8",
}
_WORDS: Final = re.compile(r"[а-яіїєґ]{2,}")
_TURNED: Final = re.compile(r"[а-яіїєґ][А-ЯІЇЄҐ]")


def decode(data: bytes, label: str | None) -> str:
    """The text; what cannot be read becomes U+FFFD. Never raises."""
    name = _codec(label)
    if name in (None, "ascii") or (name == "iso8859-1" and any(0x80 <= byte < 0xA0 for byte in data)):
        return _guess(data)
    try:
        return data.decode(name or "utf-8")
    except (UnicodeError, LookupError):
        return _guess(data) if name == "utf-8" else data.decode(name or "utf-8", "replace")


def _codec(label: str | None) -> str | None:
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


def _guess(data: bytes) -> str:
    """UTF-8 if it is, a letter cut in two aside; else the charset in which it reads most like Ukrainian."""
    if data.isascii():
        return data.decode("ascii")
    text = data.decode("utf-8", "replace")
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    if text.count("\ufffd") * 20 <= beyond:
        return text
    tried = [data.decode(name, "replace") for name in ("cp1251", "koi8-u", "cp866")]
    return max(tried, key=_likeness)


def _likeness(text: str) -> int:
    """Letters in lower-case Cyrillic words, less for a capital after a small letter: KOI8 read wrongly turns case."""
    sample = text[:20_000]
    return sum(len(word) for word in _WORDS.findall(sample)) - 4 * len(_TURNED.findall(sample)) - sample.count("�")
