"""Strict JSON: every refusal is ours, named and quick."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput, TooLarge
from hub.schemas import strict_json
from hub.schemas.jcs import JsonValue
from tests.pace import pace, within

# Well-formed by RFC 8259, which leaves equal names to the reader; here they are refused by rule, with their place.
WELL_FORMED_BUT_AMBIGUOUS = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}

# What RFC 8259 leaves to the implementation, decided once. Empty = accepted (as the nearest double, when asked).
IMPLEMENTATION = {
    "i_number_double_huge_neg_exp.json": "",
    "i_number_huge_exp.json": "json.number",
    "i_number_neg_int_huge_exp.json": "json.number",
    "i_number_pos_double_huge_exp.json": "json.number",
    "i_number_real_neg_overflow.json": "json.number",
    "i_number_real_pos_overflow.json": "json.number",
    "i_number_real_underflow.json": "",
    "i_number_too_big_neg_int.json": "json.number",
    "i_number_too_big_pos_int.json": "json.number",
    "i_number_very_big_negative_int.json": "json.number",
    "i_object_key_lone_2nd_surrogate.json": "json.surrogate",
    "i_string_1st_surrogate_but_2nd_missing.json": "json.surrogate",
    "i_string_1st_valid_surrogate_2nd_invalid.json": "json.surrogate",
    "i_string_UTF-16LE_with_BOM.json": "json.encoding",
    "i_string_UTF-8_invalid_sequence.json": "json.encoding",
    "i_string_UTF8_surrogate_U+D800.json": "json.encoding",
    "i_string_incomplete_surrogate_and_escape_valid.json": "json.surrogate",
    "i_string_incomplete_surrogate_pair.json": "json.surrogate",
    "i_string_incomplete_surrogates_escape_valid.json": "json.surrogate",
    "i_string_invalid_lonely_surrogate.json": "json.surrogate",
    "i_string_invalid_surrogate.json": "json.surrogate",
    "i_string_invalid_utf-8.json": "json.encoding",
    "i_string_inverted_surrogates_U+1D11E.json": "json.surrogate",
    "i_string_iso_latin_1.json": "json.encoding",
    "i_string_lone_second_surrogate.json": "json.surrogate",
    "i_string_lone_utf8_continuation_byte.json": "json.encoding",
    "i_string_not_in_unicode_range.json": "json.encoding",
    "i_string_overlong_sequence_2_bytes.json": "json.encoding",
    "i_string_overlong_sequence_6_bytes.json": "json.encoding",
    "i_string_overlong_sequence_6_bytes_null.json": "json.encoding",
    "i_string_truncated-utf-8.json": "json.encoding",
    "i_string_utf16BE_no_BOM.json": "json.encoding",
    "i_string_utf16LE_no_BOM.json": "json.encoding",
    "i_structure_500_nested_arrays.json": "json.depth",
    "i_structure_UTF-8_BOM_empty_object.json": "json.bom",
}

# As the hub reads messages: no fractions, no exponents.
TRANSFORM = {
    "number_-9223372036854775808.json": "json.number",
    "number_-9223372036854775809.json": "json.number",
    "number_1.0.json": "json.number",
    "number_1.000000000000000005.json": "json.number",
    "number_1000000000000000.json": "",
    "number_10000000000000000999.json": "json.number",
    "number_1e-999.json": "json.number",
    "number_1e6.json": "json.number",
    "number_9223372036854775807.json": "json.number",
    "number_9223372036854775808.json": "json.number",
    "object_key_nfc_nfd.json": "json.duplicate_key",
    "object_key_nfd_nfc.json": "json.duplicate_key",
    "object_same_key_different_values.json": "json.duplicate_key",
    "object_same_key_same_value.json": "json.duplicate_key",
    "object_same_key_unclear_values.json": "json.duplicate_key",
    "string_1_escaped_invalid_codepoint.json": "json.surrogate",
    "string_1_invalid_codepoint.json": "json.encoding",
    "string_2_escaped_invalid_codepoints.json": "json.surrogate",
    "string_2_invalid_codepoints.json": "json.encoding",
    "string_3_escaped_invalid_codepoints.json": "json.surrogate",
    "string_3_invalid_codepoints.json": "json.encoding",
    "string_with_escaped_NULL.json": "",
}


def codes(data: bytes, *, allow_floats: bool = False) -> str:
    """The codes of the faults, each once; empty if the value was taken."""
    try:
        strict_json.parse(data, allow_floats=allow_floats)
    except InvalidInput as error:
        return ",".join(sorted({fault.code for fault in error.faults})) or "no fault is named"
    return ""


def suite(vectors: Path, prefix: str) -> list[Path]:
    """Files of the suite by their prefix."""
    return sorted((vectors / "jsontestsuite" / "test_parsing").glob(f"{prefix}_*.json"))


@pytest.mark.vectors("jsontestsuite")
def test_every_good_file_is_parsed(vectors: Path) -> None:
    """All 95 y_ files are read to what Python's own parser reads; the two with equal keys are refused by that rule."""
    files = suite(vectors, "y")
    assert len(files) == 95
    for file in files:
        data = file.read_bytes()
        if file.name in WELL_FORMED_BUT_AMBIGUOUS:
            assert codes(data, allow_floats=True) == "json.duplicate_key", file.name
        else:
            assert strict_json.parse(data, allow_floats=True) == json.loads(data), file.name


@pytest.mark.vectors("jsontestsuite")
def test_every_bad_file_is_refused(vectors: Path) -> None:
    """All 188 n_ files are refused with a named fault, each within 100 ms of processor time."""
    files = suite(vectors, "n")
    assert len(files) == 188
    costs = {}
    for file in files:
        data = file.read_bytes()
        begin = time.process_time()
        assert codes(data, allow_floats=True), file.name
        costs[file.name] = time.process_time() - begin
        assert codes(data), file.name
    assert max(costs.values()) < pace(0.1), max(costs, key=lambda name: costs[name])


@pytest.mark.vectors("jsontestsuite")
@pytest.mark.parametrize(("name", "expected"), IMPLEMENTATION.items())
def test_what_the_rfc_leaves_open_is_pinned(vectors: Path, name: str, expected: str) -> None:
    """Each i_ file is decided once, also where numbers with fractions are asked for."""
    data = (vectors / "jsontestsuite" / "test_parsing" / name).read_bytes()
    assert codes(data, allow_floats=True) == expected
    assert {file.name for file in suite(vectors, "i")} == set(IMPLEMENTATION)


@pytest.mark.vectors("jsontestsuite")
@pytest.mark.parametrize(("name", "expected"), TRANSFORM.items())
def test_what_parsers_change_in_silence_is_refused(vectors: Path, name: str, expected: str) -> None:
    """Transform cases: ambiguous keys, numbers that would not survive, and lone surrogates never get in."""
    folder = vectors / "jsontestsuite" / "test_transform"
    assert codes((folder / name).read_bytes()) == expected
    assert {file.name for file in folder.iterdir()} == set(TRANSFORM)


def test_every_fault_is_named_by_its_pointer() -> None:
    """One refusal names all faults with their places, and none of them shows a value."""
    data = rb'{"a":1.5,"b":{"c":NaN,"c":"\ud800"},"l":[1e400,99999999999999999999],"a":0}'
    with pytest.raises(InvalidInput) as caught:
        strict_json.parse(data)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/a", "json.number"),
        ("/b/c", "json.number"),
        ("/b/c", "json.duplicate_key"),
        ("/b/c", "json.surrogate"),
        ("/l/0", "json.number"),
        ("/l/1", "json.number"),
        ("/a", "json.duplicate_key"),
    ]


def test_a_refusal_does_not_repeat_the_message() -> None:
    """Neither the sentence nor a syntax fault carries what was sent."""
    with pytest.raises(InvalidInput) as caught:
        strict_json.parse('{"name": "Тарас" "phone": 1}'.encode())
    assert "Тарас" not in str(caught.value)
    assert caught.value.faults[0].code == "json.syntax"
    assert "line 1, column 18" in caught.value.faults[0].message


def test_pointers_show_hostile_keys_escaped_and_cut() -> None:
    """A key with controls, of any length, cannot forge lines of a log through a pointer."""
    with pytest.raises(InvalidInput) as caught:
        strict_json.parse(b'{"' + b"x" * 1_000 + b'":1.5,"a\\nb/":1.5,"\\ud800":1}')
    assert [fault.pointer for fault in caught.value.faults] == ["/" + "x" * 64, "/a\\nb~1", "/\\ud800"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "json.syntax"),
        (b"\xef\xbb\xbf{}", "json.bom"),
        ("{}".encode("utf-16"), "json.encoding"),
        (b'"\xed\xa0\x80"', "json.encoding"),
        (b'"\xc0\x80"', "json.encoding"),
        (b'"a\tb"', "json.control"),
        (b'"a\x00b"', "json.control"),
        (b'{"\\u0061":1,"a":2}', "json.duplicate_key"),
        (b"[-Infinity]", "json.number"),
        (b"[9007199254740993]", "json.number"),
        (b"[-9007199254740993]", "json.number"),
        (b"[" + b"1" * 5_000 + b"]", "json.number"),
        (b"[1] x", "json.syntax"),
        (b"{} {}", "json.syntax"),
        (b"[1,]", "json.syntax"),
        (b"{'a':1}", "json.syntax"),
        (b"[" * 33 + b"]" * 33, "json.depth"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json.depth"),
        (b'{"\\ud83d\\ude00":"\\ud83d\\ude00"}', ""),
        (b"[9007199254740992]", ""),
        (b"[" * 32 + b"]" * 32, ""),
        (b'["' + b"[" * 500 + b'\\"' + b"{" * 500 + b'"]', ""),
    ],
)
def test_rules_one_by_one(data: bytes, expected: str) -> None:
    """Each rule refuses its case; brackets inside strings and valid surrogate pairs are no fault."""
    assert codes(data) == expected


def test_length_is_checked_before_anything_is_read() -> None:
    """One byte over the limit is too large, however broken it is."""
    with pytest.raises(TooLarge) as caught:
        strict_json.parse(b"\xff" * 11, max_bytes=10)
    assert caught.value.faults[0].code == "json.too_large"
    assert strict_json.parse(b"[1,2,3,4]\n", max_bytes=10) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"]" * 1_000_000,
        b"[" * 40 + b'"' + b'\\"' * 500_000,
        b"[" * 40 + b'"' + b"\\" * 999_001,
        b'"\\"' * 300_000,
        b"9" * 1_000_000,
        b"[" + b'"\\ud800",' * 100_000,
        b"[[" + b'"",' * 300_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_megabytes_are_refused_at_once(data: bytes) -> None:
    """No shape of one megabyte recurses, backtracks or takes more than 150 ms of processor time."""
    with within(0.15):
        assert codes(data)


@given(st.binary(max_size=60) | st.text(alphabet='[]{}":,\\u0189dDeE.-+ntf \n', max_size=60).map(str.encode))
def test_any_bytes_end_in_a_value_or_a_named_refusal(data: bytes) -> None:
    """Whatever comes, no exception but ours leaves; what is taken, Python's parser reads alike."""
    refused = codes(data, allow_floats=True)
    assert refused != "no fault is named"
    if not refused:
        assert strict_json.parse(data, allow_floats=True) == json.loads(data)


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=0x17F), max_size=6), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(JSON, st.booleans())
def test_what_is_written_plainly_is_read_back(value: JsonValue, ascii_only: bool) -> None:
    """Values without ambiguity come through unchanged, escaped or not."""
    assert strict_json.parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("text", "pointer"),
    [("[[],1,2,3]", ""), ('{"a":{"b":[1,2,3,4]}}', "/a/b"), ('[{"a":1,"b":2,"c":3,"d":4}]', "/0")],
)
def test_crowded_containers_are_refused(text: str, pointer: str) -> None:
    """More members or entries than allowed are refused and named, however deep; as many as allowed pass."""
    with pytest.raises(TooLarge) as refused:
        strict_json.parse(text.encode(), max_members=3)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, "json.members")]
    assert strict_json.parse(text.encode(), max_members=4) == json.loads(text)


def test_commas_in_texts_are_no_members() -> None:
    """A text full of commas is one member."""
    assert strict_json.parse(b'["' + b"," * 100 + b'"]', max_members=3) == ["," * 100]
