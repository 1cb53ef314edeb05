"""Features that every model of the hub has: frozen, closed, exact.

Text is normalised to NFC and line ends to LF (XML 1.0 section 2.11 would do the latter anyway, so anything else would
not survive both renderings); what XML 1.0 cannot hold is refused. Times are aware, kept in UTC with milliseconds.
There are no floating-point numbers anywhere: they do not survive RFC 8785 in every language.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# C0 without tab and line feed, DEL, C1, surrogates, non-characters: XML 1.0 does not allow them, or they mean nothing.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# RFC 3339 section 5.6. Spelled out to the minute of the offset: Python takes +02:60, and from 3.13 on 24:00 too.
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

# The same for schemas: classes of ECMA-262, without surrogates, which no JSON validator can see. Blanks are what
# ``str.strip`` takes away: a text of blanks alone is empty.
BLANKS = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BAD = r"\u007f-\u009f\ufffe\uffff"
LINE_PATTERN = rf"^[{BLANKS}]*[^{BLANKS}\u0000-\u001f\u2028\u2029{_BAD}][^\u0000-\u001f\u2028\u2029{_BAD}]*$"
TEXT_PATTERN = (
    rf"^[\t\n\r\u2028\u2029{BLANKS}]*[^\u0000-\u001f\u2028\u2029{BLANKS}{_BAD}]"
    rf"[^\u0000-\u0008\u000b\u000c\u000e-\u001f{_BAD}]*$"
)
_YEAR = "(?:19|20|21)[0-9]{2}"
DAY_PATTERN = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
INSTANT_PATTERN = rf"{DAY_PATTERN}[Tt]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+\-]{_CLOCK})"
_EARLIEST_YEAR, _LATEST_YEAR = 1900, 2199


class Frozen(BaseModel):
    """Base of all values: cannot be changed, knows no field that is not declared, converts nothing in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Written(Frozen):
    """Base of what others write to the hub: ``null`` for a member that need not be there is as good as none, also where
    absent means a default (an empty list, ``normal``). Many serializers write it for all that is not set.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        made = handler(source)
        inner: Any = handler.resolve_ref_schema(made)
        while inner["type"] != "model-fields":
            inner = inner["schema"]
        for field in inner["fields"].values():
            _take_null(field["schema"])
        return made


def _take_null(schema: Any) -> None:
    """Let a member with a default take ``null`` for it; not one that chooses the model (``kind``)."""
    if schema["type"] != "default" or schema.get("default") is None:
        return
    inner = schema["schema"]
    if inner["type"] == "literal" or inner.get("metadata", {}).get("takes_null"):
        return
    default = schema["default"]
    schema["schema"] = core_schema.no_info_after_validator_function(
        lambda value: default if value is None else value,
        core_schema.nullable_schema(inner),
        metadata={"takes_null": True},
    )


def _clean_text(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if _FORBIDDEN.search(text):
        raise PydanticCustomError("text_control", "control characters and lone surrogates are not allowed")
    return unicodedata.normalize("NFC", text).strip()


def _clean_line(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _FORBIDDEN_IN_LINE.search(value):
        raise PydanticCustomError("text_control", "control characters and line breaks are not allowed here")
    return unicodedata.normalize("NFC", value).strip()


def _clean_datetime(value: object) -> object:
    if isinstance(value, str):
        if not _RFC3339.fullmatch(value):
            raise PydanticCustomError("datetime_rfc3339", "must be a date and time with zone (RFC 3339)")
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:
            raise PydanticCustomError("datetime_rfc3339", "is not a date and time that exists") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("datetime_naive", "must say its zone")
        value = _in_utc(value)
        if not _EARLIEST_YEAR <= value.year <= _LATEST_YEAR:  # in UTC, as it is kept, or it could not be read again
            raise PydanticCustomError("datetime_year", "year must be from 1900 to 2199 in UTC")
        return value.replace(microsecond=value.microsecond // 1000 * 1000, fold=0)
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # the first and last day that datetime knows
        raise PydanticCustomError("datetime_year", "year must be from 1900 to 2199 in UTC") from None


def _clean_date(value: object) -> object:
    if isinstance(value, str):
        if not _ISO_DATE.fullmatch(value):
            raise PydanticCustomError("date_iso", "must be a date as YYYY-MM-DD")
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("date_iso", "is not a date that exists") from None
    if isinstance(value, date) and not _EARLIEST_YEAR <= value.year <= _LATEST_YEAR:
        raise PydanticCustomError("date_year", "year must be from 1900 to 2199")
    return value


def format_datetime(value: datetime) -> str:
    """RFC 3339, always UTC, always milliseconds: one instant has one spelling."""
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@dataclass(frozen=True, slots=True)
class Text:
    """Marks a text of several lines, 1 to ``max_length`` characters after cleaning: ``Annotated[str, Text(500)]``."""

    max_length: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.str_schema(min_length=1, max_length=self.max_length, strict=True)
        return core_schema.no_info_before_validator_function(_clean_text, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": TEXT_PATTERN}


@dataclass(frozen=True, slots=True)
class Line:
    """Marks a text of one line, 1 to ``max_length`` characters after cleaning: ``Annotated[str, Line(200)]``."""

    max_length: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.str_schema(min_length=1, max_length=self.max_length, strict=True)
        return core_schema.no_info_before_validator_function(_clean_line, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": LINE_PATTERN}


@dataclass(frozen=True, slots=True)
class Code:
    """Marks a code: exactly what the pattern says; nothing is cleaned. ASCII classes stop look-alike letters."""

    pattern: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(pattern=f"^(?:{self.pattern})$", strict=True)


Instant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_clean_datetime),
    PlainSerializer(format_datetime, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{INSTANT_PATTERN}$"}),
]
"""A moment: RFC 3339 with zone on input, kept in UTC with milliseconds."""

Day: TypeAlias = Annotated[
    date,
    BeforeValidator(_clean_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{DAY_PATTERN}$"}),
]
"""A calendar day, ``YYYY-MM-DD``."""
