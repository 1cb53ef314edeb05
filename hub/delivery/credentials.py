"""Credentials, cut out of what is kept: passwords, tokens and keys in XML, JSON, forms and heads. Pure.

A cut leaves ``[cut]`` in their place, so that whoever reads the bytes sees that something stood there. Documents that
are sealed by their sender are never cut: a cut would break the seal, and a credential does not belong into one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Final

MARK: Final = b"[cut]"
_LEAST_SECRET: Final = 6
"""A known secret that is shorter would be found in ordinary words."""
_NAMES: Final = (
    rb"pass(?:word|wd|phrase)?|pwd|(?:client|shared|api|app)[_-]?secret|secret(?:[_-]?key)?|(?:access|refresh|id|auth|"
    rb"session|security|bearer)[_-]?token|api[_-]?key|apikey|private[_-]?key|client[_-]?assertion|assertion"
)
_ELEMENT: Final = re.compile(
    rb"(<(?P<name>(?:[\w.-]{1,100}:)?(?:"
    + _NAMES
    + rb"|password(?:digest|text)?|nonce|binarysecuritytoken))(?=[\s>/])[^<>]{0,4000}>)"
    rb"(?P<value>[^<]+)(?=</)",
    re.IGNORECASE,
)
_MEMBER: Final = re.compile(
    rb'("(?:' + _NAMES + rb')"\s*:\s*")(?P<value>(?:[^"\\]|\\.)+)(?=")',
    re.IGNORECASE,
)
_FIELD: Final = re.compile(rb"((?:^|[?&\s;])(?:" + _NAMES + rb")=)(?P<value>[^&\s;\"<]+)", re.IGNORECASE)
_HEADER: Final = re.compile(
    rb"^((?:proxy-)?authorization|cookie|set-cookie|www-authenticate|x-api-key|api-key|x-auth-token)"
    rb"(?P<gap>[ \t]*:[ \t]*)(?P<value>[^\r\n]+(?:\r?\n[ \t]+[^\r\n]+)*)",
    re.IGNORECASE | re.MULTILINE,
)
_WIDE: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def cut(data: bytes, secrets: Iterable[str] = ()) -> tuple[bytes, int]:
    """The bytes without credentials, and how many were cut out. ``secrets``: values that are known to be secret."""
    for mark, coding in _WIDE:
        if data.startswith(mark):
            return _cut_wide(data, mark, coding, secrets)
    return _cut(data, secrets)


def _cut_wide(data: bytes, mark: bytes, coding: str, secrets: Iterable[str]) -> tuple[bytes, int]:
    try:
        text = data[len(mark) :].decode(coding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # half a letter at the end: what is no text holds no word that could be told
        return _cut(data, secrets)
    found, cuts = _cut(text, secrets)
    return (mark + found.decode("utf-8", "surrogatepass").encode(coding, "surrogatepass"), cuts) if cuts else (data, 0)


def _cut(data: bytes, secrets: Iterable[str]) -> tuple[bytes, int]:
    cuts = 0
    for pattern in (_ELEMENT, _MEMBER, _FIELD):
        data, count = pattern.subn(lambda found: found[1] + MARK, data)
        cuts += count
    data, count = _HEADER.subn(lambda found: found[1] + found["gap"] + MARK, data)
    cuts += count
    for secret in sorted(secrets, key=len, reverse=True):
        value = secret.encode()
        if len(value) >= _LEAST_SECRET and value in data:
            cuts += data.count(value)
            data = data.replace(value, MARK)
    return data, cuts
