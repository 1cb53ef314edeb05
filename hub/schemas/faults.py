"""From pydantic's errors to the hub's faults: JSON pointers, stable codes, words without values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import core_schema

from hub.errors import Fault
from hub.schemas.jcs import escape_pointer

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


_PYDANTICS_OWN = frozenset(get_args(core_schema.ErrorType))
_MAX_FAULTS = 100


def code_of(kind: str) -> str:
    """The stable code of one of the models' own rules: ``receipt_refused`` is ``receipt.refused``."""
    return kind.replace("_", ".")


def _fault(error: Mapping[str, Any], pointer: str) -> Fault:
    kind = str(error["type"])
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        pointer += "/kind"
    if kind in _CODES:
        code, words = _CODES[kind]
        context = {name: value for name, value in (error.get("ctx") or {}).items() if name != "tag"}
        return Fault(pointer=pointer, code=code, message=words.format_map(context))
    if kind in _PYDANTICS_OWN:  # its sentence may quote the value
        return Fault(pointer=pointer, code="wrong", message="breaks a rule of this field")
    # The models' own rules: their messages are written without values (hub.schemas.base, hub.schemas.envelope).
    return Fault(pointer=pointer, code=code_of(kind), message=str(error["msg"]))


def _pointer(location: Sequence[int | str]) -> str:
    return "".join("/" + escape_pointer(str(step)) for step in location)


def faults_of(error: ValidationError, *, tagged: bool = False) -> Iterator[Fault]:
    """Every fault, in the order of the document's model, each named once; over 100, the last one says how many more.

    ``tagged``: the error is of the union over kinds, whose tag is a step in pydantic's locations and none in the
    document.
    """
    named: dict[tuple[str, str], Fault] = {}
    entries = error.errors(include_url=False, include_input=False)
    lists = {entry["loc"][:-1] for entry in entries}
    for entry in entries:
        location = entry["loc"]
        if entry["type"] == "too_short" and location in lists:
            continue  # pydantic counts good entries only; the bad ones are named, and they were given
        fault = _fault(entry, _pointer(location[1:] if tagged else location))
        named.setdefault((fault.pointer, fault.code), fault)
    return capped(named.values())


def capped(faults: Collection[Fault]) -> Iterator[Fault]:
    """At most 100 faults, and one that says how many were left out, so that a flood does not make a long answer."""
    yield from islice(faults, _MAX_FAULTS)
    if len(faults) > _MAX_FAULTS:
        left = len(faults) - _MAX_FAULTS
        yield Fault(pointer="", code="more_faults", message=f"{left} more faults are not named here")
