"""Strict JSON: hostile bytes in, plain values out, or a refusal that names every fault.

The standard library's parser takes more than RFC 8259 and less care than a sealed message needs: it takes NaN, keeps
the last of two equal keys, lets lone surrogates through and recurses. So depth is measured before it is asked, and
hooks stop at anything doubtful. The usual message costs one pass of the C scanner; only a refused one is read again,
slowly, to name all its faults by JSON pointer.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from hub.errors import Fault, InvalidInput, TooLarge
from hub.schemas.jcs import MAX_INTEGER, JsonValue, escape_pointer

MAX_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32
MAX_MEMBERS: Final = 10_000
"""Nothing that the hub exchanges lists more."""
_MAX_FAULTS: Final = 100
_MAX_NUMBER_LENGTH: Final = 1_000

# Possessive and always matching, so that one unclosed string cannot make the scan quadratic.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_CLOSES: Final = {ord("]"): ord("["), ord("}"): ord("{")}
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UTF16_OR_32: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_UTF8_BOM: Final = b"\xef\xbb\xbf"


class _DoubtfulError(Exception):
    """A hook saw something that must be refused; the slow reading says what and where."""


def parse(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_members: int = MAX_MEMBERS,
    allow_floats: bool = False,
    any_integers: bool = False,
) -> JsonValue:
    """The value of one JSON text in UTF-8.

    ``max_bytes``: length of ``data``. ``max_depth``: containers inside containers. ``max_members``: members of one
    object or entries of one list. ``allow_floats``: whether numbers with fraction or exponent are taken (as doubles; an
    overflow to infinity is refused). Integers are within ±2^53; ``any_integers``: of up to 100 digits, exactly (ids of
    other systems).
    Raises ``TooLarge`` (``json.too_large``, ``json.members``) or ``InvalidInput`` with faults ``json.encoding``,
    ``json.bom``, ``json.depth``, ``json.syntax``, ``json.control``, ``json.duplicate_key``, ``json.number``,
    ``json.surrogate``.
    """
    if len(data) > max_bytes:
        raise TooLarge(
            f"The JSON text is longer than {max_bytes} bytes.",
            faults=[Fault(pointer="", code="json.too_large", message=f"longer than {max_bytes} bytes")],
        )
    value = _parse(data, max_depth, _Numbers(allow_floats=allow_floats, any_integers=any_integers))
    if data.count(b",") >= max_members:
        _check_members(value, max_members)
    return value


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers that are taken."""

    allow_floats: bool
    any_integers: bool

    def integer(self, text: str) -> int:
        if self.any_integers and len(text) <= _MAX_NUMBER_LENGTH:
            return int(text)
        return _integer(text)

    def double(self, text: str) -> float:
        return _double(text) if self.allow_floats else _doubtful(text)


def _parse(data: bytes, max_depth: int, numbers: _Numbers) -> JsonValue:
    text = _decode(data)
    if data.count(b"[") + data.count(b"{") > max_depth:
        check_depth(data, max_depth)
    if _ESCAPED_SURROGATE.search(data) is None:
        try:
            value: JsonValue = json.loads(
                text,
                object_pairs_hook=_object,
                parse_int=numbers.integer,
                parse_float=numbers.double,
                parse_constant=_doubtful,
            )
        except _DoubtfulError:
            pass
        except json.JSONDecodeError as error:
            refuse_syntax(error)
        else:
            return value
    return _read_slowly(text, numbers)


def _check_members(value: JsonValue, max_members: int) -> None:
    places = [place for place, _ in zip(_crowded(value, "", max_members), range(_MAX_FAULTS), strict=False)]
    if places:
        message = f"more than {max_members} members or entries"
        raise TooLarge(
            "The JSON text is over a limit.",
            faults=[Fault(pointer=place, code="json.members", message=message) for place in places],
        )


def _crowded(value: JsonValue, pointer: str, limit: int) -> Iterator[str]:
    """Where a container holds too much; nothing inside it is looked at."""
    if isinstance(value, (dict, list)) and len(value) > limit:
        yield pointer
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _crowded(inner, f"{pointer}/{escape_pointer(key)}", limit)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _crowded(inner, f"{pointer}/{index}", limit)


def refuse(rule: str, message: str) -> NoReturn:
    """Refuse the whole text: ``InvalidInput`` with the fault ``json.<rule>``."""
    fault = Fault(pointer="", code=f"json.{rule}", message=message)
    raise InvalidInput("This is not JSON that the hub takes.", faults=[fault])


def refuse_syntax(error: json.JSONDecodeError) -> NoReturn:
    """Refuse for what the parser stopped at."""
    rule = "control" if error.msg.startswith("Invalid control character") else "syntax"
    # msg is one of the parser's fixed sentences; it never quotes the text.
    refuse(rule, f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}")


def _decode(data: bytes) -> str:
    if data.startswith(_UTF8_BOM):
        refuse("bom", "begins with a byte order mark (RFC 8259 section 8.1)")
    if data.startswith(_UTF16_OR_32):
        refuse("encoding", "is not UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse("encoding", f"is not UTF-8 at byte {error.start}")


def check_depth(data: bytes, max_depth: int) -> None:
    """Refuse what would recurse too deep. Linear; stops where brackets do not match, since the parser will too."""
    open_brackets = bytearray()
    for bracket in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        opener = _CLOSES.get(bracket)
        if opener is None:
            open_brackets.append(bracket)
            if len(open_brackets) > max_depth:
                refuse("depth", f"nested more than {max_depth} levels deep")
        elif not open_brackets or open_brackets.pop() != opener:
            return


def _doubtful(_: str) -> NoReturn:
    raise _DoubtfulError


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DoubtfulError
    if not all(map(str.isascii, members)) and len({unicodedata.normalize("NFC", key) for key in members}) < len(pairs):
        raise _DoubtfulError
    return members


def _integer(text: str) -> int:
    if len(text) > 17:  # 2^53 has 16 digits, and int() is quadratic
        raise _DoubtfulError
    value = int(text)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise _DoubtfulError
    return value


def _double(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER_LENGTH else float("inf")
    if value in (float("inf"), float("-inf")):
        raise _DoubtfulError
    return value


class _Pairs(list[tuple[str, object]]):
    """Members of an object as written, equal keys included."""


class _BadNumber:
    """A number that is refused."""


_BAD_NUMBER: Final = _BadNumber()


def _or_bad(read: Callable[[str], int | float]) -> Callable[[str], object]:
    def hook(text: str) -> object:
        try:
            return read(text)
        except _DoubtfulError:
            return _BAD_NUMBER

    return hook


def _read_slowly(text: str, numbers: _Numbers) -> JsonValue:
    try:
        tree: object = json.loads(
            text,
            object_pairs_hook=_Pairs,
            parse_int=_or_bad(numbers.integer),
            parse_float=_or_bad(numbers.double),
            parse_constant=_or_bad(_doubtful),
        )
    except json.JSONDecodeError as error:
        refuse_syntax(error)
    faults = [fault for fault, _ in zip(_faults(tree, ""), range(_MAX_FAULTS), strict=False)]
    if faults:
        raise InvalidInput("This is not JSON that the hub takes.", faults=faults)
    return _plain(tree)


def _plain(tree: object) -> JsonValue:
    if isinstance(tree, _Pairs):
        return {key: _plain(value) for key, value in tree}
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    assert tree is None or isinstance(tree, (bool, int, float, str))
    return tree


def _faults(tree: object, pointer: str) -> Iterator[Fault]:
    if isinstance(tree, _Pairs):
        yield from _object_faults(tree, pointer)
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from _faults(item, f"{pointer}/{index}")
    elif isinstance(tree, _BadNumber):
        yield Fault(
            pointer=pointer,
            code="json.number",
            message="numbers here are integers within ±2^53; anything else travels as text",
        )
    elif isinstance(tree, str) and _SURROGATE.search(tree):
        yield Fault(pointer=pointer, code="json.surrogate", message="a lone surrogate is not a character")


def _object_faults(pairs: _Pairs, pointer: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for key, value in pairs:
        place = f"{pointer}/{escape_pointer(key)}"
        normal = unicodedata.normalize("NFC", key)
        if _SURROGATE.search(key):
            yield Fault(pointer=place, code="json.surrogate", message="a lone surrogate is not a character")
        if normal in seen:
            yield Fault(
                pointer=place, code="json.duplicate_key", message="this key stands in the object already (as NFC)"
            )
        seen.add(normal)
        yield from _faults(value, place)
