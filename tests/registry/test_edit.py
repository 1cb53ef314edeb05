"""Edits of YAML texts: one value changes, and nothing else does."""

from __future__ import annotations

import copy
import difflib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.assignments import NewValue, same
from registry.edit import CannotEdit, assign, flow, remove
from registry.yamlfile import parse
from tests.forms import examples

TEXT = """\
# Канали
one:  # перший
  id: a.b   # the name
  settings:
    url: "https://x"   # why
    list:
    - 1
    - {a: 1}  # item
  lane: # slow
    rate: 5   # agreed
  empty:   # nothing yet
  block: |
    текст
    # no comment

  # about flow
  flow: {a: 1, b: , c: [1,2 ], "д": "я"}
# about two
two: {id: c.d, lane: {}}
"""


def changed(new: str) -> list[str]:
    """Lines that differ from ``TEXT``, each with - or +."""
    assert parse(new).problems == []
    lines = list(difflib.unified_diff(TEXT.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
    return [line for line in lines if line[0] in "-+"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("one.lane.rate", 7, ["-    rate: 5   # agreed", "+    rate: 7   # agreed"]),
        ("one.lane.batch", [1, "env:X"], ["+    batch: [1, env:X]"]),
        ("one.settings.auth.token", "file:/a", ["+    auth:", "+      token: file:/a"]),
        ("one.settings.list.0", 2, ["-    - 1", "+    - 2"]),
        ("one.settings.list.1.b", "x: y", ["-    - {a: 1}  # item", '+    - {a: 1, b: "x: y"}  # item']),
        ("one.settings.list", [], ["-    list:", "-    - 1", "-    - {a: 1}  # item", "+    list: []  # item"]),
        ("one.lane", {"rate": {"per": 1}}, ["-    rate: 5   # agreed", "+    rate:", "+      per: 1   # agreed"]),
        ("one.lane", 3, ["-    rate: 5   # agreed", "+    3   # agreed"]),
        ("one.empty.x", "no", ["-  empty:   # nothing yet", '+  empty: {x: "no"}   # nothing yet']),
        ("one.block", "00042", ["-  block: |", "-    текст", "-    # no comment", '+  block: "00042"']),
        (
            "one.flow.b",
            None,
            ['-  flow: {a: 1, b: , c: [1,2 ], "д": "я"}', '+  flow: {a: 1, b:  null, c: [1,2 ], "д": "я"}'],
        ),
        ("two.lane.rate", "2027-01-01", ["-two: {id: c.d, lane: {}}", "+two: {id: c.d, lane: {rate: 2027-01-01}}"]),
        ("two.new", True, ["-two: {id: c.d, lane: {}}", "+two: {id: c.d, lane: {}, new: true}"]),
        ("three", "я", ["+three: я"]),
    ],
)
def test_a_value_is_put_in_and_all_else_stays(path: str, value: Any, expected: list[str]) -> None:
    """Replaced, added, added with the mappings above it, in block and in flow style: only these lines differ."""
    assert changed(assign(TEXT, tuple(path.split(".")), value)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("one.lane", ["-  lane: # slow", "-    rate: 5   # agreed"]),
        ("one.lane.rate", ["-    rate: 5   # agreed", "+    {}   # agreed"]),
        ("one.block", ["-  block: |", "-    текст", "-    # no comment"]),
        ("one.flow.a", ['-  flow: {a: 1, b: , c: [1,2 ], "д": "я"}', '+  flow: {b: , c: [1,2 ], "д": "я"}']),
        ("one.flow.д", ['-  flow: {a: 1, b: , c: [1,2 ], "д": "я"}', "+  flow: {a: 1, b: , c: [1,2 ]}"]),
        ("one.settings.list.1.a", ["-    - {a: 1}  # item", "+    - {}  # item"]),
        ("two", ["-two: {id: c.d, lane: {}}"]),
        ("two.lane.rate", []),
        ("one.absent.more", []),
    ],
)
def test_a_key_is_taken_out_and_all_else_stays(path: str, expected: list[str]) -> None:
    """Its own lines go, or its part of a line; a mapping that loses its last key stays, empty."""
    assert changed(remove(TEXT, tuple(path.split(".")))) == expected


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_stay_as_they_are(ends: str) -> None:
    """New lines end as the others do, also in a file without a line end at its end."""
    text = ends.join(["a:", "  b: 1", "  c: 2"])
    assert assign(text, ("a", "d"), 3) == ends.join([text, "  d: 3"])
    assert remove(text, ("a", "c")) == ends.join(["a:", "  b: 1"])
    assert remove(text, ("a", "b")) == ends.join(["a:", "  c: 2"])


@pytest.mark.parametrize("path", ["one.id.inner", "one.settings.list.7", "one.settings.list.x"])
def test_a_place_that_cannot_be_is_refused(path: str) -> None:
    """Nothing is put inside a single value, and no item is invented in a list."""
    with pytest.raises(CannotEdit):
        assign(TEXT, tuple(path.split(".")), 1)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: [1, 2]", ("a", "0")),
        ("- a: 1\n  # about b\n  b: 2\n", ("0", "a")),
        ("x: {a: 1, # about b\n  b: 2}", ("x", "b")),
        ("x: {a: 1, # about b\n  b: 2}", ("x", "a")),
    ],
)
def test_nothing_is_taken_out_that_would_take_a_comment_along(text: str, path: tuple[str, ...]) -> None:
    """An item of a list, and a key whose neighbour's comment would go with it, are left to a person."""
    with pytest.raises(CannotEdit):
        remove(text, path)


_texts = st.one_of(
    st.text(max_size=12), st.sampled_from(["yes", "00012", "1e5", "null", "a: b", "a #b", "-", "{", "x,y", "~"])
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**17), 10**17), _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=examples(60))
@given(value=_values)
def test_any_value_reads_back_as_itself(value: Any) -> None:
    """Whatever is written on one line, the strict rules read as the same value, types included."""
    parsed = parse(f"a: {flow(value)}  # comment")
    assert (parsed.problems, repr(parsed.data)) == ([], repr({"a": value}))


_KEYS = st.sampled_from(["a", "b", "x.y", "true", "5", "ключ", "k: v"])
_DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _texts, st.just("рядок\nрядок\n")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=12,
)


def _paths(value: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths to all values inside, and to some that are not there yet."""
    if not isinstance(value, dict | list):
        return [above]
    inner = value.items() if isinstance(value, dict) else ((str(n), item) for n, item in enumerate(value))
    found = [path for key, item in inner for path in _paths(item, (*above, key))]
    return [above, *found, *([(*above, "new"), (*above, "new", "one")] if isinstance(value, dict) else [])]


@settings(max_examples=examples(90))
@given(document=st.fixed_dictionaries({"a": _DOCUMENTS, "b": _DOCUMENTS}), value=_DOCUMENTS, data=st.data())
def test_an_edited_text_says_what_was_meant(document: Any, value: Any, data: st.DataObject) -> None:
    """In any layout that PyYAML writes: the new text reads as the old data with this value, or it is refused."""
    flow_style = data.draw(st.sampled_from([None, False, True]))
    layout: dict[str, Any] = {
        "default_flow_style": flow_style,
        "width": data.draw(st.sampled_from([20, 1000])),
        "allow_unicode": True,
    }
    text = yaml.safe_dump(document, sort_keys=False, indent=data.draw(st.sampled_from([2, 4])), **layout)
    text = text.replace("\n", data.draw(st.sampled_from(["\n", "\r\n"])))
    wanted = copy.deepcopy(parse(text).data)
    if parse(text).problems or not same(wanted, document):
        return  # a text that the strict rules refuse is none of ours
    path = data.draw(st.sampled_from([path for path in _paths(document) if path]))
    meant = NewValue(keys=path, value=value, unset=data.draw(st.booleans()))
    if not meant.apply(wanted):
        return
    try:
        new = remove(text, path) if meant.unset else assign(text, path, value)
    except CannotEdit:
        return
    reread = parse(new)
    assert (reread.problems, same(reread.data, wanted)) == ([], True), new
