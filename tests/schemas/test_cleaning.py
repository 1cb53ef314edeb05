"""How texts, moments and days are cleaned: once and for all, and as the published patterns say."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import chain
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hub.schemas.base import (
    DAY_PATTERN,
    INSTANT_PATTERN,
    LINE_PATTERN,
    TEXT_PATTERN,
    Day,
    Instant,
    Line,
    Text,
    format_datetime,
)

LINE: TypeAdapter[str] = TypeAdapter(Annotated[str, Line(50)])
TEXT: TypeAdapter[str] = TypeAdapter(Annotated[str, Text(50)])
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
DAY: TypeAdapter[date] = TypeAdapter(Day)


def taken(adapter: TypeAdapter[Any], value: object) -> bool:
    """Whether the model takes a value."""
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("adapter", "pattern"), [(LINE, LINE_PATTERN), (TEXT, TEXT_PATTERN)], ids=["line", "text"])
def test_patterns_and_models_agree_on_every_character(adapter: TypeAdapter[str], pattern: str) -> None:
    """Alone, inside and at the end of a text, a character is allowed by both or by neither.

    All of Unicode but its large blocks of ideographs, syllables and private use, of which every 257th is tried.
    """
    compiled = re.compile(pattern.removesuffix("$") + r"\Z")
    codes = chain(range(0x3100), range(0x3100, 0xD800, 257), range(0xE000, 0x11000), range(0x11000, 0x110000, 257))
    for code in codes:
        c = chr(code)
        for text in (c, f"а{c}б", f"а{c}"):
            assert taken(adapter, text) == bool(compiled.match(text)), hex(code)


@given(
    text=st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r \u0301\u0306йи\u1100\u1161"))
)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """Cleaned text is NFC, without blanks at its edges, and is not changed by another cleaning."""
    for adapter in (LINE, TEXT):
        if taken(adapter, text):
            clean = adapter.validate_python(text)
            assert unicodedata.is_normalized("NFC", clean)
            assert clean == clean.strip()
            assert adapter.validate_python(clean) == clean


@pytest.mark.parametrize("length", [1, 50])
def test_lengths_count_characters_after_cleaning(length: int) -> None:
    """At a limit is taken, one over it is refused; astral characters count one, blanks at the edges count nothing."""
    for character in ("a", "ї", "😀"):
        assert taken(LINE, f"  {character * length}  ")
    assert taken(LINE, "и\u0306" * 50)
    assert not taken(LINE, "a" * 51)
    assert not taken(LINE, "\u0958" * 26)  # NFC writes it with two characters


@pytest.mark.parametrize(
    ("spelled", "kept"),
    [
        ("2026-11-24T10:00:00+02:00", "2026-11-24T08:00:00.000Z"),
        ("2026-11-24t08:00:00.1239z", "2026-11-24T08:00:00.123Z"),
        ("2026-11-24T08:00:00.123456789-00:00", "2026-11-24T08:00:00.123Z"),
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00.000Z"),
        ("2200-01-01T02:00:00+02:00", None),
        ("2199-12-31T23:59:59.999Z", "2199-12-31T23:59:59.999Z"),
        ("2199-12-31T23:30:00-02:00", None),
        ("1900-01-01T00:00:00+02:00", None),
        ("2026-11-24T24:00:00Z", None),
        ("2026-11-24T23:59:60Z", None),
        ("2026-11-24T10:00:00+02:60", None),
        ("2026-11-24T10:00:00+24:00", None),
        ("2026-11-24T10:00:00", None),
        ("2026-11-24 10:00:00Z", None),
        ("2026-11-24T10:00Z", None),
        ("2026-02-29T10:00:00Z", None),
        ("٢٠٢٦-11-24T10:00:00Z", None),
        ("2026-11-24T10:00:00Z\n", None),
        ("20261124T100000Z", None),
    ],
)
def test_moments_have_one_spelling(spelled: str, kept: str | None) -> None:
    """A moment is kept in UTC with milliseconds, or refused; what is kept can be read again."""
    assert taken(INSTANT, spelled) == (kept is not None)
    if kept is not None:
        assert re.fullmatch(INSTANT_PATTERN, spelled)
        assert format_datetime(INSTANT.validate_python(spelled)) == kept
        assert INSTANT.validate_python(kept) == INSTANT.validate_python(spelled)


@given(
    moment=st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))))
)
def test_every_moment_is_kept_or_refused(moment: datetime) -> None:
    """Any aware moment, in any zone, is refused or survives its own spelling; nothing else happens."""
    if taken(INSTANT, moment):
        kept = INSTANT.validate_python(moment)
        assert kept.tzinfo is UTC
        assert timedelta(0) <= moment - kept < timedelta(milliseconds=1)
        assert INSTANT.validate_python(format_datetime(kept)) == kept


@pytest.mark.parametrize(
    ("spelled", "good"),
    [
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("1900-01-01", True),
        ("1899-12-31", False),
        ("2199-12-31", True),
        ("2200-01-01", False),
        ("20240229", False),
        ("2024-W09-4", False),
        ("2024-2-9", False),
        ("2024-02-29Z", False),
    ],
)
def test_days_have_one_spelling(spelled: str, good: bool) -> None:
    """A day is YYYY-MM-DD, exists, and lies in the years 1900 to 2199."""
    assert taken(DAY, spelled) == good
    if good:
        assert re.fullmatch(DAY_PATTERN, spelled)
