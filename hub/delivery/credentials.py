"""Credentials, cut out of what is kept: passwords, tokens and keys in XML, JSON, forms and heads. Pure.

A cut leaves ``[cut]`` in their place, so that whoever reads the bytes sees that something stood there. Documents that
are sealed by their sender are never cut: a cut would break the seal, and a credential does not belong into one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

MARK: Final = b"[cut]"
_LEAST_SECRET: Final = 6
"""A known secret that is shorter would be found in ordinary words."""
_NAMES: Final = (
    rb"pass(?:word|wd|phrase)?|pwd|(?:client|shared|api|app)[_-]?secret|secret(?:[_-]?key)?|(?:access|refresh|id|auth|"
    rb"session|security|bearer)[_-]?token|api[_-]?key|apikey|private[_-]?key|client[_-]?assertion|assertion"
)
_HINTS: Final = (b"pass", b"pwd", b"secret", b"token", b"key", b"assertion", b"nonce", b"auth", b"cookie")
"""One of these stands in every name; where none does, nothing is looked through."""
_ELEMENT: Final = re.compile(
    rb"<(?:[\w.-]{1,100}:)?(?:" + _NAMES + rb"|password(?:digest|text)?|nonce|binarysecuritytoken)"
    rb"(?=[\s>/])[^<>]{0,4000}>",
    re.IGNORECASE,
)
_MEMBER: Final = re.compile(rb'"(?:' + _NAMES + rb')"\s{0,200}:\s{0,200}"', re.IGNORECASE)
_FIELD: Final = re.compile(rb"(?:^|[?&\s;])(?:" + _NAMES + rb")=", re.IGNORECASE)
_HEADER: Final = re.compile(
    rb"^(?:(?:proxy-)?authorization|cookie|set-cookie|www-authenticate|x-api-key|api-key|x-auth-token)"
    rb"[ \t]{0,200}:[ \t]{0,200}",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD_END: Final = re.compile(rb"[&\s;\"<]")
_LINE_END: Final = re.compile(rb"[\r\n]")
_FOLD: Final = re.compile(rb"\r?\n[ \t][^\r\n]")
_STEP: Final = 16_384
_REACH: Final = 4_608
"""No opening (what stands before a value) is longer."""
_WIDE: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def cut(data: bytes, secrets: Iterable[str] = ()) -> tuple[bytes, int]:
    """The bytes without credentials, and how many were cut out. ``secrets``: values that are known to be secret."""
    return in_utf8(data, lambda each: _cut(each, secrets))


def in_utf8(data: bytes, cutting: Callable[[bytes], tuple[bytes, int]]) -> tuple[bytes, int]:
    """The bytes without what ``cutting`` cuts out of them, and how many; UTF-16 goes through it as UTF-8."""
    for mark, coding in _WIDE:
        if data.startswith(mark):
            return _in_utf8(data, mark, coding, cutting)
    return cutting(data)


def _in_utf8(data: bytes, mark: bytes, coding: str, cutting: Callable[[bytes], tuple[bytes, int]]) -> tuple[bytes, int]:
    try:
        text = data[len(mark) :].decode(coding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # half a letter at the end: what is no text holds no word that could be told
        return cutting(data)
    found, cuts = cutting(text)
    return (mark + found.decode("utf-8", "surrogatepass").encode(coding, "surrogatepass"), cuts) if cuts else (data, 0)


def _cut(data: bytes, secrets: Iterable[str]) -> tuple[bytes, int]:
    data, cuts = without(data, _values(data), MARK)
    for secret in sorted(secrets, key=len, reverse=True):
        value = secret.encode()
        if len(value) >= _LEAST_SECRET and value in data:
            cuts += data.count(value)
            data = data.replace(value, MARK)
    return data, cuts


def without(data: bytes, places: Iterable[tuple[int, int]], mark: bytes) -> tuple[bytes, int]:
    """The bytes with ``mark`` for each place (begin, end), and how many there were; those that overlap are one."""
    made, last, count = bytearray(), 0, 0
    for begin, end in sorted(places):
        if begin >= last:
            made += data[last:begin] + mark
            count += 1
        last = max(last, end)
    return (bytes(made + data[last:]), count) if count else (data, 0)


def _values(data: bytes) -> Iterator[tuple[int, int]]:
    """Places of credentials. Large bytes are looked through in small steps: a search in one go would hold the
    interpreter, and every other call, as long as it takes.
    """
    done = [0] * len(_KINDS)
    for begin in range(0, len(data), _STEP):
        until = begin + _STEP
        near = data[begin : until + _REACH].lower()
        if not any(hint in near for hint in _HINTS):
            continue
        for kind, (opening, end_of) in enumerate(_KINDS):
            for found in opening.finditer(data, begin, until + _REACH):
                if found.start() >= until:
                    break
                if found.start() < done[kind]:
                    continue  # in a value that is found already
                end = end_of(data, found.end())
                if end > found.end():
                    done[kind] = end
                    yield found.end(), end


def _element_end(data: bytes, at: int) -> int:
    end = data.find(b"<", at)
    if end < 0:
        return _first(_LINE_END, data, at)  # it breaks off; other lines are no part of it
    return end if data.startswith(b"</", end) else at


def _member_end(data: bytes, at: int) -> int:
    while (end := data.find(b'"', at)) >= 0:
        escapes = end - at - len(data[at:end].rstrip(b"\\"))
        if escapes % 2 == 0:
            return end
        at = end + 1
    return _first(_LINE_END, data, at)


def _field_end(data: bytes, at: int) -> int:
    return _first(_FIELD_END, data, at)


def _header_end(data: bytes, at: int) -> int:
    end = _first(_LINE_END, data, at)
    while end > at and (fold := _FOLD.match(data, end)):
        end = _first(_LINE_END, data, fold.end())
    return end


def _first(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Place where a pattern of one byte is found first, in small steps."""
    for begin in range(at, len(data), _STEP):
        if found := pattern.search(data, begin, begin + _STEP):
            return found.start()
    return len(data)


_KINDS: Final = ((_ELEMENT, _element_end), (_MEMBER, _member_end), (_FIELD, _field_end), (_HEADER, _header_end))
"""Patterns of what stands before a value, each with the end of the value behind it."""
