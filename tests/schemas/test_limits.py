"""At a limit a message passes through both renderings; beyond it, it is refused cheaply."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.errors import InvalidInput, TooLarge
from hub.schemas import publish, strict_json
from hub.schemas.base import Line, Text
from hub.schemas.envelope import AnyEnvelope, AppealForm
from hub.schemas.json_rendering import MAX_MEMBERS, from_json, to_json
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.xml_rendering import from_xml, to_xml
from tests.pace import within
from tests.schemas.documents import whole
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL
from tests.schemas.test_xml import sample

ASTRAL = "😀"  # four bytes in UTF-8, two units in UTF-16, one character
QUICK_SECS = 2.0


def _longest(shape: Shape, value: Any, fill: str) -> Any:
    """The longest value that a field may have."""
    one: Any
    if shape.model:
        one = _fill(value[0] if shape.many else value, shape.model, fill)
    else:
        limits = [rule.max_length for rule in shape.metadata if isinstance(rule, Line | Text)]
        one = fill * limits[0] if limits else value[0] if shape.many else value
    if not shape.many:
        return one
    return [one] * max(getattr(rule, "max_length", 0) or 0 for rule in _parts(shape.list_metadata))


def _parts(metadata: tuple[Any, ...]) -> list[Any]:
    return [part for rule in metadata for part in getattr(rule, "metadata", [rule])]


def _fill(tree: dict[str, Any], model: Any, fill: str) -> dict[str, Any]:
    return tree | {name: _longest(shapes(model)[name], value, fill) for name, value in tree.items() if name != "kind"}


def largest(kind: str, fill: str) -> AnyEnvelope:
    """An envelope in which every text and every list is as long as it may be."""
    model = ENVELOPES[kind]
    tree = whole(model, full=True)
    parts = {name: _longest(shapes(model)[name], tree[name], fill) for name in ("header", "body", "attachments")}
    return from_json(json.dumps(tree | parts, ensure_ascii=False).encode())


@pytest.mark.slow
@pytest.mark.parametrize("fill", [ASTRAL, "&", '"', "\\", "ї"])
@pytest.mark.parametrize("kind", ENVELOPES)
def test_the_largest_envelope_passes(kind: str, fill: str) -> None:
    """With every text and list at its limit, an envelope is within the parsers' limits and survives both renderings."""
    envelope = largest(kind, fill)
    as_json = to_json(envelope)
    assert len(as_json) < strict_json.MAX_BYTES
    assert from_json(as_json) == envelope
    assert from_xml(to_xml(envelope)) == envelope


@pytest.mark.foreign("xmllint")
def test_xmllint_copes_with_the_largest_envelope(tmp_path: Path) -> None:
    """The XSD's patterns are linear: another validator takes the largest appeal without giving up."""
    (tmp_path / "e.xml").write_bytes(to_xml(largest("appeal", ASTRAL)))
    command = ["xmllint", "--nonet", "--noout", "--schema", str(publish.FOLDER / "envelope-1.0.xsd"), "e.xml"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr[:500]


@pytest.mark.parametrize("name", [n for n, shape in shapes(AppealForm).items() if _parts(shape.list_metadata)])
def test_one_entry_too_many_is_named(name: str) -> None:
    """One entry over a list's limit is refused at the list, as too_many."""
    tree = whole(AppealForm, full=True)
    tree[name] = [*_longest(shapes(AppealForm)[name], tree[name], "a"), tree[name][0]]
    with pytest.raises(InvalidInput) as refused:
        form_from_json(json.dumps(tree).encode())
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(f"/{name}", "too_many")]


@pytest.mark.parametrize("name", [n for n, s in shapes(AppealForm).items() if s.scalar is str and not s.many])
def test_one_character_too_many_is_named(name: str) -> None:
    """One character over a text's limit is refused at the field."""
    shape = shapes(AppealForm)[name]
    tree = whole(AppealForm, full=True)
    tree[name] = _longest(shape, tree[name], ASTRAL) + ASTRAL
    with pytest.raises(InvalidInput) as refused:
        form_from_json(json.dumps(tree, ensure_ascii=False).encode())
    assert [fault.pointer for fault in refused.value.faults] == [f"/{name}"]
    assert refused.value.faults[0].code in ("too_long", "pattern")


def _json(**members: Any) -> bytes:
    return json.dumps(json.loads(to_json(from_xml(sample()))) | members, separators=(",", ":")).encode()


JSON_FLOODS: dict[str, Callable[[], bytes]] = {
    "empty attachments": lambda: _json(attachments=[{}] * 340_000),
    "numbers as attachments": lambda: _json(attachments=[1] * 500_000),
    "unknown members": lambda: _json(**{f"k{i}": 1 for i in range(90_000)}),
    "lists of lists": lambda: _json(attachments=[[[]] * 100] * 100),
}


@pytest.mark.slow
@pytest.mark.parametrize("flood", JSON_FLOODS)
def test_a_flood_of_faults_in_json_is_refused_quickly(flood: str) -> None:
    """A megabyte of broken entries costs no more than reading it, and its answer is short."""
    data = JSON_FLOODS[flood]()
    assert len(data) <= strict_json.MAX_BYTES
    with within(QUICK_SECS), pytest.raises(InvalidInput) as refused:
        from_json(data)
    assert len(refused.value.faults) <= 101


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<role>", b"<x/>" * 49_000 + b"<role>"),
        (b"<item>housing</item>", b"<item>A</item>" * 49_000),
        (b"<envelope ", b"<envelope " + b" ".join(b"a%d='1'" % i for i in range(5_000)) + b" "),
    ],
    ids=["elements", "entries", "attributes"],
)
def test_a_flood_of_faults_in_xml_is_refused_quickly(old: bytes, new: bytes) -> None:
    """The same for XML: nobody gets tens of thousands of faults named."""
    with within(QUICK_SECS), pytest.raises(InvalidInput) as refused:
        from_xml(sample().replace(old, new))
    assert len(refused.value.faults) <= 101


def test_what_is_left_out_of_the_faults_is_said() -> None:
    """Over a hundred faults the answer says how many more there are; none is dropped in silence."""
    tree = json.loads(MINIMAL) | {f"k{i}": 1 for i in range(MAX_MEMBERS - 10)}
    with pytest.raises(InvalidInput) as refused:
        form_from_json(json.dumps(tree).encode())
    *named, last = refused.value.faults
    assert len(named) == 100
    assert (last.code, last.message) == ("more_faults", f"{MAX_MEMBERS - 10 - 100} more faults are not named here")


def test_too_many_members_are_too_large() -> None:
    """One member over the limit of an object is refused before the model, and named by its place."""
    tree = json.loads(MINIMAL)
    tree["applicant"]["contacts"] = {f"k{i}": 1 for i in range(MAX_MEMBERS + 1)}
    with pytest.raises(TooLarge) as refused:
        form_from_json(json.dumps(tree).encode())
    assert [(f.pointer, f.code) for f in refused.value.faults] == [("/applicant/contacts", "json.members")]
