"""Canonical bytes: equal to what others compute, refused where others could differ."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.schemas import jcs, strict_json
from hub.schemas.jcs import JsonValue

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-jcs.MAX_INTEGER, jcs.MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def slow_bytes(value: JsonValue) -> bytes:
    """The canonical bytes by our own writer, whatever the value."""
    parts: list[str] = []
    jcs._write(value, "", jcs.MAX_DEPTH, parts)
    return "".join(parts).encode()


def doubles(readme: str) -> Iterator[int]:
    """Bit patterns of RFC 8785's number test, as its README generates them."""
    static = [int(pattern, 16) for pattern in re.findall(r"0x([0-9a-f]{16})n,", readme)]
    yield from static
    yield from range(0x0010000000000000, 0x0010000000000000 + 2_000)
    block = bytes(32)
    while True:
        block = hashlib.sha256(block).digest()
        for (pattern,) in struct.iter_unpack("<Q", block):
            if (value := to_double(pattern)) and math.isfinite(value):
                yield pattern


def to_double(pattern: int) -> float:
    """The double with these bits."""
    return float(struct.unpack("<d", struct.pack("<Q", pattern))[0])


@pytest.mark.vectors("rfc8785-jcs")
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_vectors_are_byte_equal(vectors: Path, name: str) -> None:
    """Each of the six inputs gives exactly the published bytes, in both published spellings."""
    folder = vectors / "rfc8785-jcs"
    value = strict_json.parse((folder / "input" / f"{name}.json").read_bytes(), allow_floats=True)
    expected = (folder / "output" / f"{name}.json").read_bytes()
    assert jcs.canonical_bytes(value) == expected
    assert jcs.canonical_bytes(value) == bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())
    assert jcs.digest(value) == jcs.digest(expected) == hashlib.sha256(expected).hexdigest()


@pytest.mark.slow
@pytest.mark.vectors("rfc8785-jcs")
@pytest.mark.parametrize(
    ("lines", "sha256"),
    [
        (1_000, "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687"),
        (10_000, "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892"),
        (100_000, "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7"),
    ],
)
def test_doubles_are_written_as_ecmascript_writes_them(vectors: Path, lines: int, sha256: str) -> None:
    """The generated number file has the hash that the RFC's author published."""
    readme = (vectors / "rfc8785-jcs" / "UPSTREAM-README.md").read_text("utf-8")
    hasher = hashlib.sha256()
    for _, pattern in zip(range(lines), doubles(readme), strict=False):
        hasher.update(f"{pattern:x},{jcs.format_double(to_double(pattern))}\n".encode())
    assert hasher.hexdigest() == sha256


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e21, "1e+21"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e-6, "0.000001"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (333333333.3333332, "333333333.3333332"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
        (100.0, "100"),
        (-1.5, "-1.5"),
    ],
)
def test_doubles_of_the_rfc(value: float, text: str) -> None:
    """Appendix B of RFC 8785, and whole numbers without a fraction."""
    assert jcs.canonical_bytes(value) == text.encode()


@given(PLAIN)
def test_fast_path_equals_slow_path(value: JsonValue) -> None:
    """Whatever the C encoder is trusted with, it writes as our own writer does."""
    try:
        expected = slow_bytes(value)
    except UnicodeEncodeError:
        with pytest.raises(InvalidInput):
            jcs.canonical_bytes(value)
        return
    assert jcs.canonical_bytes(value) == expected


@pytest.mark.slow
@given(PLAIN)
def test_canonical_bytes_are_a_fixed_point(value: JsonValue) -> None:
    """Parsing canonical bytes and writing them again changes nothing, and loses nothing."""
    try:
        data = jcs.canonical_bytes(value)
    except InvalidInput:
        return
    again: JsonValue = json.loads(data)
    assert again == value
    assert jcs.canonical_bytes(again) == data


def test_keys_are_ordered_by_utf16_units() -> None:
    """A key beyond the basic plane sorts before U+FB33, where code points would put it after."""
    assert jcs.canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


class Subclass(str):
    """Text that is not exactly ``str``."""

    __slots__ = ()


def nested(levels: int) -> JsonValue:
    """Arrays in arrays."""
    value: JsonValue = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        ({"a": [2**53 + 1]}, "jcs.number", "/a/0"),
        ([-(2**53) - 1], "jcs.number", "/0"),
        ({"a": math.nan}, "jcs.number", "/a"),
        ({"a": math.inf}, "jcs.number", "/a"),
        ({"a": "\ud800"}, "jcs.surrogate", ""),
        ({"\udfff": 1}, "jcs.surrogate", ""),
        ({"a/b~": (1,)}, "jcs.type", "/a~1b~0"),
        ({1: "a"}, "jcs.type", ""),
        ([b"bytes"], "jcs.type", "/0"),
        ([Subclass("a")], "jcs.type", "/0"),
        (nested(65), "jcs.depth", "/0" * 64),
        (nested(100_000), "jcs.depth", "/0" * 64),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: JsonValue, code: str, pointer: str) -> None:
    """Values that other programs would read differently are refused by place and rule, never rounded."""
    with pytest.raises(InvalidInput) as caught:
        jcs.canonical_bytes(value)
    assert [(fault.code, fault.pointer) for fault in caught.value.faults] == [(code, pointer)]


def test_limits_themselves_are_taken() -> None:
    """±2^53 and 64 levels still have a canonical form."""
    assert jcs.canonical_bytes([2**53, -(2**53)]) == b"[9007199254740992,-9007199254740992]"
    assert jcs.canonical_bytes(nested(64)) == b"[" * 64 + b"]" * 64
