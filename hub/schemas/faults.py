"""From pydantic's errors to the hub's faults: JSON pointers, stable codes, words without values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from hub.errors import Fault
from hub.schemas.jcs import escape_pointer
from hub.schemas.terms import Kind

_KINDS = frozenset(Kind)

_CODES: dict[str, tuple[str, str]] = {
    "missing": ("missing", "must be given"),
    "extra_forbidden": ("unknown_field", "is not a field of this message"),
    "string_too_short": ("too_short", "must not be empty"),
    "string_too_long": ("too_long", "must have at most {max_length} characters"),
    "too_short": ("too_few", "must have at least {min_length} entries"),
    "too_long": ("too_many", "must have at most {max_length} entries"),
    "string_pattern_mismatch": ("pattern", "must have the form {pattern}"),
    "enum": ("not_in_list", "must be one of {expected}"),
    "literal_error": ("not_in_list", "must be {expected}"),
    "union_tag_invalid": ("not_in_list", "must be one of {expected_tags}"),
    "union_tag_not_found": ("missing", "must be given"),
    "greater_than_equal": ("too_small", "must be at least {ge}"),
    "less_than_equal": ("too_large", "must be at most {le}"),
    "string_type": ("type", "must be a text"),
    "int_type": ("type", "must be a whole number"),
    "int_from_float": ("type", "must be a whole number"),
    "bool_type": ("type", "must be true or false"),
    "tuple_type": ("type", "must be a list"),
    "list_type": ("type", "must be a list"),
    "dict_type": ("type", "must be an object"),
    "model_type": ("type", "must be an object"),
    "model_attributes_type": ("type", "must be an object"),
    "is_instance_of": ("type", "must be a text"),
    "date_type": ("type", "must be a date as YYYY-MM-DD"),
    "datetime_type": ("type", "must be a date and time with zone (RFC 3339)"),
    "uuid_type": ("type", "must be a UUID version 7"),
}


def _fault(error: Mapping[str, Any], pointer: str) -> Fault:
    kind = str(error["type"])
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        pointer += "/kind"
    if kind in _CODES:
        code, words = _CODES[kind]
        context = {name: value for name, value in (error.get("ctx") or {}).items() if name != "tag"}
        return Fault(pointer=pointer, code=code, message=words.format_map(context))
    # The models' own rules: their messages are written without values (hub.schemas.base, hub.schemas.envelope).
    known = kind.replace("_", ".") if kind.islower() else "wrong"
    return Fault(pointer=pointer, code=known, message=str(error["msg"]))


def _pointer(location: Sequence[int | str]) -> str:
    """JSON pointer of a pydantic location; the tag of the union over kinds is no part of the document."""
    steps = list(location)
    if steps and steps[0] in _KINDS:
        steps = steps[1:]
    return "".join("/" + escape_pointer(str(step)) for step in steps)


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """Every fault, in the order of the document's model, each named once."""
    seen: set[tuple[str, str]] = set()
    for entry in error.errors(include_url=False, include_input=False):
        fault = _fault(entry, _pointer(entry["loc"]))
        if (fault.pointer, fault.code) not in seen:
            seen.add((fault.pointer, fault.code))
            yield fault
