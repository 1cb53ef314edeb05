"""RFC 8785, JSON Canonicalization Scheme: one value has one spelling in bytes, so it can be hashed and sealed.

``json.dumps(sort_keys=True)`` is not this: keys are ordered by UTF-16 units and numbers are written as ECMAScript
writes them. What would not survive another implementation is refused and never rounded: integers outside ±2^53, NaN,
infinity, lone surrogates.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Final, TypeAlias

from hub.errors import Fault, InvalidInput

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""A JSON value in memory. Exact types only: a subclass of ``str`` or ``int`` is not one."""

MAX_INTEGER: Final = 2**53
"""Largest magnitude of an integer that a double holds exactly together with all smaller ones."""
MAX_DEPTH: Final = 64
"""Containers inside containers; the parser of messages (``strict_json``) allows fewer."""

# RFC 8785 section 3.2.2.2: two-letter escapes where JSON has them, \u00xx in lower case for the other C0 controls.
_ESCAPES: Final = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}
_ESCAPABLE: Final = re.compile(r'[\x00-\x1f"\\]')


def canonical_bytes(value: JsonValue) -> bytes:
    """The canonical UTF-8 bytes of a JSON value. Raises ``InvalidInput`` (``jcs.*``) for what has no canonical form."""
    if _is_plain(value, MAX_DEPTH):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)
    else:
        parts: list[str] = []
        _write(value, "", MAX_DEPTH, parts)
        text = "".join(parts)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("", "surrogate", "a lone surrogate is not a character") from None


def digest(value: JsonValue | bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits: of the bytes as they are, or of the value's canonical bytes."""
    data = value if isinstance(value, bytes) else canonical_bytes(value)
    return hashlib.sha256(data).hexdigest()


def _refused(pointer: str, rule: str, message: str) -> InvalidInput:
    fault = Fault(pointer=pointer, code=f"jcs.{rule}", message=message)
    return InvalidInput("This value has no canonical form (RFC 8785).", faults=[fault])


def _is_plain(value: object, levels: int) -> bool:
    """True if the C encoder of the standard library writes exactly the canonical form.

    It does for ASCII keys (order by code point = order by UTF-16 unit) without doubles: its string escapes are those
    of RFC 8785. A property test holds it against ``_write``.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if isinstance(value, int):
        return kind is int and -MAX_INTEGER <= value <= MAX_INTEGER
    if not levels:
        return False
    if isinstance(value, dict):
        return all(type(k) is str and k.isascii() and _is_plain(v, levels - 1) for k, v in value.items())
    return isinstance(value, list) and all(_is_plain(item, levels - 1) for item in value)


def _write(value: object, pointer: str, levels: int, parts: list[str]) -> None:
    kind = type(value)
    if kind is str:
        parts.append(_string(str(value)))
    elif value is None:
        parts.append("null")
    elif kind is bool:
        parts.append("true" if value else "false")
    elif isinstance(value, int) and kind is int:
        parts.append(_integer(value, pointer))
    elif isinstance(value, float) and kind is float:
        parts.append(_double(value, pointer))
    elif not levels:
        raise _refused(pointer, "depth", f"nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, dict):
        _write_object(value, pointer, levels - 1, parts)
    elif isinstance(value, list):
        _write_array(value, pointer, levels - 1, parts)
    else:
        raise _refused(pointer, "type", "not a JSON value")


def _write_array(items: list[object], pointer: str, levels: int, parts: list[str]) -> None:
    parts.append("[")
    for index, item in enumerate(items):
        if index:
            parts.append(",")
        _write(item, f"{pointer}/{index}", levels, parts)
    parts.append("]")


def _write_object(members: dict[object, object], pointer: str, levels: int, parts: list[str]) -> None:
    keys = [key for key in members if isinstance(key, str)]
    if len(keys) != len(members):
        raise _refused(pointer, "type", "a key is not text")
    parts.append("{")
    for index, key in enumerate(sorted(keys, key=_utf16)):
        parts.append("," + _string(key) + ":" if index else _string(key) + ":")
        _write(members[key], f"{pointer}/{escape_pointer(key)}", levels, parts)
    parts.append("}")


def escape_pointer(key: str) -> str:
    """A key as one step of a JSON pointer (RFC 6901), cut to 64 characters; what does not print is shown escaped."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in key[:64])
    return shown.replace("~", "~0").replace("/", "~1")


def _utf16(key: str) -> bytes:
    # Section 3.2.3: compared as UTF-16 code units, which puts U+1F600 before U+FB33. Big endian compares alike.
    return key.encode("utf-16-be", "surrogatepass")


def _string(text: str) -> str:
    return '"' + _ESCAPABLE.sub(lambda match: _ESCAPES[match.group()], text) + '"'


def _integer(value: int, pointer: str) -> str:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise _refused(pointer, "number", "integers outside ±2^53 are not the same everywhere")
    return str(value)


def _double(value: float, pointer: str) -> str:
    if not math.isfinite(value):
        raise _refused(pointer, "number", "NaN and infinity are not JSON")
    return format_double(value)


def format_double(value: float) -> str:
    """A finite double as ECMAScript's ``Number::toString`` writes it (RFC 8785 section 3.2.2.3).

    Python's ``repr`` already finds the shortest digits that round-trip; only the layout differs.
    """
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).rstrip("0")
    stripped = digits.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(digits) - len(stripped))
    return sign + _layout(stripped, point)


def _layout(digits: str, point: int) -> str:
    """ECMA-262, Number::toString steps 6-10: ``digits`` are the significant ones, the value is 0.digits * 10^point."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{fraction}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
