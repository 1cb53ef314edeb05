"""The number of a case: read out over the phone, written down by somebody, and typed in again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.schemas.case_number import case_number, is_case_number, read_case_number

YEARS = st.integers(min_value=1990, max_value=2199)
SEQUENCES = st.integers(min_value=1, max_value=99_999_999_999)


@given(year=YEARS, sequence=SEQUENCES, dash=st.sampled_from(["", "-", " ", "–", "—", "\u00a0", " - ", "−", "‑", "."]))
def test_a_number_is_read_however_it_is_written(year: int, sequence: int, dash: str) -> None:
    """Blanks and dashes of any kind, or none at all, give the number as it is kept."""
    number = case_number(year, sequence)
    assert read_case_number(f" {number.replace('-', dash)} ") == number
    assert is_case_number(number)
    assert max(map(len, number.split("-")[-2:])) <= 4


@given(year=YEARS, sequence=SEQUENCES, data=st.data())
def test_a_slip_finds_no_other_case(year: int, sequence: int, data: st.DataObject) -> None:
    """One wrong digit, or two neighbours that changed places, is noticed and said."""
    digits = case_number(year, sequence).replace("-", "")
    place = data.draw(st.integers(min_value=4, max_value=len(digits) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    slips = [digits[:place] + wrong + digits[place + 1 :]]
    if digits[place - 1] != digits[place] and place > 4:
        slips.append(digits[: place - 1] + digits[place] + digits[place - 1] + digits[place + 1 :])
    for slip in slips:
        with pytest.raises(InvalidInput) as refusal:
            read_case_number(slip)
        assert refusal.value.stable_code == "number.check"


@given(a=st.tuples(YEARS, SEQUENCES), b=st.tuples(YEARS, SEQUENCES))
def test_two_cases_have_two_numbers(a: tuple[int, int], b: tuple[int, int]) -> None:
    """Year and sequence can be told from the number, however many digits the sequence has."""
    assert (case_number(*a) == case_number(*b)) == (a == b)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-000-1234", "2026-000-1234-x", "НЦ-2026/1", "２０２６-000-1234-6", "9" * 101]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    """Other texts are refused with the form that a number has; none of them is taken for one."""
    with pytest.raises(InvalidInput) as refusal:
        read_case_number(text)
    assert refusal.value.stable_code in ("number.form", "number.check")
    assert not is_case_number(text)


def test_the_form_is_as_documented() -> None:
    """The example of the documentation."""
    assert case_number(2026, 1234) == "2026-000-1234-6"
    assert case_number(2026, 12_345_678) == "2026-1234-5678-8"
