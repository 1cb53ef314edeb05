"""YAML of homes and packages: what nobody can have meant is refused, with its line."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas import strict_yaml
from tests.conftest import ROOT

_KEYS = st.text("abї1", min_size=1, max_size=3)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abїЖ \n:#-'\"", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(_TREES, st.booleans())
def test_a_good_file_is_read_as_ever(tree: Any, flow: bool) -> None:
    """What names no key twice means what YAML says."""
    text = yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow)
    assert strict_yaml.load(text) == yaml.safe_load(text) == tree


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: 1\na: 1\n", 2),
        ("2026: [x]\n2025: []\n2026: [y]\n", 3),
        ("top:\n  a: 1\n  'a': 2\n", 3),
        ("- {x: 1, y: 2,\n   x: 3}\n", 2),
        ("a: &a {x: 1}\nb: {<<: *a, y: 1, y: 2}\n", 2),
        ("deep: [[{a: 1, a: 2}]]\n", 1),
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str, line: int) -> None:
    """Anywhere in a file, quoted or not, with another value or the same: the second line is named."""
    with pytest.raises(yaml.YAMLError) as refused:
        strict_yaml.load(text)
    assert strict_yaml.told(refused.value).endswith(f", line {line}")


@pytest.mark.parametrize(
    "text", ["a: 1\nA: 2\n", "1: a\n'1': b\n", "a: &a {x: 1}\nb: {<<: *a, x: 2}\n", "[{a: 1}, {a: 2}]"]
)
def test_keys_that_differ_are_no_fault(text: str) -> None:
    """Another case, another type, another list entry, and a key that goes over what it merges."""
    assert strict_yaml.load(text) == yaml.safe_load(text)


_LENIENT = frozenset({"safe_load", "safe_load_all", "full_load", "unsafe_load"})


def _lenient(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [f"{path}: {node.attr}" for node in nodes if isinstance(node, ast.Attribute) and node.attr in _LENIENT]


@pytest.mark.slow
def test_no_file_is_read_in_another_way() -> None:
    """Nothing in the hub or the registry reads YAML with a reader that keeps the last of two equal keys."""
    files = [path for room in ("hub", "registry") for path in sorted((ROOT / room).rglob("*.py"))]
    assert [found for path in files for found in _lenient(path)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "day: 2026-02-31\n",
        "!!int x",
        "!!int ''",
        "!!float x",
        "!!binary 'ї'",
        "!!timestamp x",
        "!!int '1:x'",
        "[" * 5_000,
        b"\xff\xff\xff",
    ],
)
def test_a_value_that_cannot_be_is_yaml_s_own_error(text: str | bytes) -> None:
    """Whatever PyYAML stumbles over, the reader of a file hears of one kind of error, and people one word for it."""
    with pytest.raises(yaml.YAMLError) as caught:
        strict_yaml.load(text)
    assert strict_yaml.told(caught.value)
