"""JSON of other systems, read for a few members and never kept or sealed: what nobody reads costs nothing.

``strict_json`` refuses a whole text for one odd number; that is right for envelopes, and wrong for the answer of a
system that was not written for us. Here a value that cannot be read for sure counts as not there (``UNREAD``): a key
told twice with different values, NaN, a number of a thousand digits. Bytes become text as everywhere (``charsets``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from hub.schemas import charsets
from hub.schemas.strict_json import check_depth, refuse, refuse_syntax

MAX_DEPTH: Final = 100
_MAX_DIGITS: Final = 1_000
_AROUND: Final = "\ufeff\x00 \t\r\n"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class Unread:
    """A value that is not believed."""


UNREAD: Final = Unread()


class Fraction(float):
    """A number with a fraction or an exponent, as it was written."""

    text: str

    def __new__(cls, text: str) -> Fraction:
        """Keep the digits: a double would round an id."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def parse(data: bytes, label: str | None = None) -> object:
    """The value of a JSON text: ``dict``, ``list``, ``str``, ``int``, ``Fraction``, ``bool``, ``None`` and ``UNREAD``.

    ``label``: charset that the sender names. ``InvalidInput`` (``json.encoding``, ``json.depth``, ``json.syntax``).
    """
    text = charsets.read(data, label)
    if text is None:
        refuse("encoding", "is in no charset that is known here")
    text = text.strip(_AROUND)
    check_depth(text.encode("utf-8", "replace"), MAX_DEPTH)
    try:
        value: object = json.loads(
            text,
            strict=False,
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_unread,
        )
    except json.JSONDecodeError as error:
        refuse_syntax(error)
    return _mended(value) if _ESCAPED_SURROGATE.search(text) else value


def dump(value: object, clean: Callable[[str], str] = str) -> str:
    """JSON of what was read, numbers as they were written; what is not believed is null. ``clean``: of each text."""
    if isinstance(value, str):
        return json.dumps(clean(value), ensure_ascii=False)
    if isinstance(value, Fraction):
        return value.text
    if isinstance(value, dict):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{dump(each, clean)}" for name, each in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(each, clean) for each in value) + "]"
    return json.dumps(None if isinstance(value, Unread) else value)


def unread_names(value: object) -> tuple[str, ...]:
    """Names of members whose value is not believed, at whatever depth."""
    if isinstance(value, list):
        return tuple(name for each in value for name in unread_names(each))
    if not isinstance(value, dict):
        return ()
    own = tuple(name for name, each in value.items() if isinstance(each, Unread))
    return own + tuple(name for each in value.values() for name in unread_names(each))


def is_json(data: bytes) -> bool:
    """True if it begins as an object or a list of JSON does, behind a mark or blanks; in whatever charset."""
    return (charsets.decode(data[:200]).lstrip(_AROUND) or " ")[0] in "{["


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        first: dict[str, object] = {}
        for name, value in pairs:
            if repr(first.setdefault(name, value)) != repr(value):
                members[name] = UNREAD
    return members


def _integer(text: str) -> object:
    return int(text) if len(text) <= _MAX_DIGITS else UNREAD


def _fraction(text: str) -> object:
    return Fraction(text) if len(text) <= _MAX_DIGITS else UNREAD


def _unread(_: str) -> Unread:
    return UNREAD


def _mended(value: object) -> object:
    """Half a character shows as one that could not be read."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", name): _mended(each) for name, each in value.items()}
    return [_mended(each) for each in value] if isinstance(value, list) else value
