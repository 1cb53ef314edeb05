"""What cannot be seen is shown to people; what can be seen is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.visible import visible

# The list of vectors/trojan-source/README.md.
BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
UNSEEN = [*range(0x200B, 0x200E), 0x2060, 0xFEFF, 0xAD, *range(0xE0000, 0xE0080), 0x034F, 0x3164, 0xE0100]
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xD800]


@pytest.mark.parametrize("code", [*BIDI, *UNSEEN, *CONTROLS], ids=hex)
def test_what_is_not_seen_is_shown(code: int) -> None:
    """Bidi controls, invisible characters and controls are written as their number."""
    assert visible(f"оплата{chr(code)}1") == f"оплата‹U+{code:04X}›1"


def test_line_breaks_stay_where_lines_are_shown() -> None:
    """A view of several lines keeps line feeds and tabs, one line shows them; a carriage return is always shown."""
    assert visible("а\n\tб\r", lines=True) == "а\n\tб‹U+000D›"
    assert visible("а\n\tб") == "а‹U+000A›‹U+0009›б"


@pytest.mark.parametrize(
    "text", ["Львів, вул. Зелена, 5", "сім’я ґанок їжак № 7 «так» — ні", "e\u0301", "😀", "a\u00a0b"]
)
def test_what_is_seen_is_left_alone(text: str) -> None:
    """Ukrainian text, punctuation, combining accents, emoji and no-break spaces pass unchanged."""
    assert visible(text) == text


@given(text=st.text())
def test_the_result_is_one_printable_line(text: str) -> None:
    """Whatever comes in, the result is one line without controls, and showing it again changes nothing."""
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert visible(shown) == shown
    assert all(c.isprintable() or c.isspace() for c in shown)
