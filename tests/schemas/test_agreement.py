"""The published schemas and the hub's own reading give one verdict, on whatever is done to a good document."""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from lxml import etree
from pydantic import BaseModel

from hub.errors import InvalidInput
from hub.schemas import publish
from hub.schemas.base import Code
from hub.schemas.envelope import REPLIES, Address, AnyEnvelope, AppealForm, RequestedAddressee
from hub.schemas.faults import code_of
from hub.schemas.json_rendering import form_from_json, from_json, to_tree
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.terms import ApplicantType
from hub.schemas.xml_rendering import DIGEST, NAMESPACE, from_xml, to_xml
from tests.strategies import envelopes

UUID = "01930000-0000-7000-8000-000000000001"

# What stands in one field belongs in another, or in none. No fractions, no years at the edge, no text that NFC makes
# longer: the docs name these three, where a schema cannot follow.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 10_000_001, [], {}, [None], [""], ["a"], {"x": 1}, {"text": "x"}),
    *("", " ", "\n", "\u00a0", "a", "a\n", "a\nb", "\x00", "a\x7fb", "a\u2028b", "x" * 101, "x" * 501, "ї" * 2_001),
    *("appeal", "receipt", "registered", "refused", "individual", "collective", "web", "phone", "1.0", "2.0", "MAIN"),
    *(
        "00032106",
        "0003210",
        "00032106\n",
        "٠٠٠٣٢١٠٦",
        "UA46060250000025047",
        "UА46060250000025047",
        "UA4606025000002504",
    ),
    *("2026-11-24", "2026-02-30", "2026-11-24Z", "1899-01-01", "2026-11-24T10:00:00Z", "2026-11-24T10:00:00"),
    *(
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:00:00.123456789+02:00",
        "2026-11-24T10:00:00+02:60",
        "2026-13-01T10:00:00Z",
    ),
    *(
        "01930000-0000-7000-8000-000000000001",
        "01930000-0000-4000-8000-000000000001",
        "01930000-0000-7000-8000-00000000000A",
    ),
    *(
        "+380000000001",
        "a@example.org",
        "а@example.org",
        "0" * 64,
        "A" * 64,
        "text/plain",
        "Text/plain",
        "roads",
        "Roads",
    ),
    *("01001", "1.2", "1.2.3.4.5.6", "phone", "email", "main", "urgent", "final", "satisfied", "question", "form"),
    *("1899-06-01T10:00:00Z", "2200-06-01T10:00:00Z", "2026-12-31T23:59:60Z", " 2026-11-24 ", "+5", "007", " 2 "),
]


def _scalar(shape: Shape) -> Any:
    if shape.scalar is int:
        return 2
    if isinstance(shape.scalar, type) and issubclass(shape.scalar, StrEnum):
        return "collective" if shape.scalar is ApplicantType else next(iter(shape.scalar)).value
    simple = {date: "2026-11-24", datetime: "2026-11-24T10:00:00.000Z", uuid.UUID: UUID}
    if shape.scalar in simple:
        return simple[shape.scalar]
    patterns = [rule.pattern for rule in shape.metadata if isinstance(rule, Code)]
    return next(v for v in VALUES if isinstance(v, str) and re.fullmatch(patterns[0], v)) if patterns else "a"


def _value(shape: Shape, full: bool) -> Any:
    one = whole(shape.model, full=full) if shape.model else _scalar(shape)
    return [one] if shape.many else one


def whole(model: type[BaseModel], *, full: bool) -> dict[str, Any]:
    """A good tree of a model: with every field, or with those alone that must be there."""
    fixed = {"kind": getattr(model, "KIND", None), "version": "1.0"}
    wanted = {name: shape for name, shape in shapes(model).items() if full or shape.required}
    tree: dict[str, Any] = {
        name: fixed[name] if fixed.get(name) else _value(shape, full) for name, shape in wanted.items()
    }
    if fixed["kind"]:
        tree |= {"kind": fixed["kind"], "version": "1.0"}
        if fixed["kind"] in REPLIES:
            tree["header"]["in_reply_to"] = UUID
    if model in (Address, RequestedAddressee):
        tree["text"] = "a"
    return tree


def trees(kind: str) -> Iterator[dict[str, Any]]:
    """Good trees of a kind to begin with: smallest, fullest, and one for each status of a receipt."""
    model = ENVELOPES[kind]
    yield whole(model, full=False)
    yield whole(model, full=True)
    if kind == "receipt":
        for status in ("accepted", "registered", "refused"):
            receipt = whole(model, full=True)
            yield receipt | {"body": receipt["body"] | {"status": status}}


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in inner for place in [(*path, key), *_places(value, (*path, key))]]


def _parent(tree: Any, place: tuple[Any, ...]) -> Any:
    for step in place[:-1]:
        tree = tree[step]
    return tree


def every_change(good: dict[str, Any], full: dict[str, Any]) -> Iterator[Any]:
    """One thing done to a good tree, in every place, all of them in turn. What is yielded is changed back after."""
    tree = copy.deepcopy(good)
    for place in sorted({*_places(good), *_places(full)}, key=str):
        try:
            parent = _parent(tree, place)
            before = parent[place[-1]] if isinstance(parent, list) else parent.get(place[-1], ...)
        except (KeyError, IndexError):
            continue  # a place of the full tree whose parent is not in this one
        for value in VALUES:
            parent[place[-1]] = value
            yield tree
        if isinstance(parent, list):
            for times in (2, 5, 10, 11, 20, 21, 50, 51, 100, 101, 0):
                parent[:] = [before] * times
                yield tree
            parent[:] = [before]
            continue
        parent.pop(place[-1])
        yield tree
        if before is not ...:
            parent[place[-1]] = before
            parent["x"] = before
            yield tree
            del parent["x"]


@cache
def validator(name: str) -> Any:
    """A validator that others wrote, for a published JSON Schema."""
    schema = json.loads((publish.FOLDER / name).read_bytes())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _taken(read: Any, tree: Any) -> bool:
    try:
        read(json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("kind", ENVELOPES)
def test_the_json_schema_of_envelopes_agrees_with_the_hub(kind: str) -> None:
    """Whatever value stands in whatever place: what the published JSON Schema takes, the hub takes, and no more."""
    schema = validator("envelope-1.0.schema.json")
    taken = 0
    for good in trees(kind):
        assert _taken(from_json, good)
        for tree in every_change(good, whole(ENVELOPES[kind], full=True)):
            verdict = _taken(from_json, tree)
            assert schema.is_valid(tree) == verdict, json.dumps(tree, ensure_ascii=False)
            taken += verdict
    assert taken > 20


def test_the_json_schema_of_forms_agrees_with_the_hub() -> None:
    """The same for the unified form of an appeal."""
    schema = validator("appeal-form-1.0.schema.json")
    full = whole(AppealForm, full=True)
    for good in (whole(AppealForm, full=False), full):
        assert _taken(form_from_json, good)
        for tree in every_change(good, full):
            assert schema.is_valid(tree) == _taken(form_from_json, tree), json.dumps(tree, ensure_ascii=False)


BETWEEN_FIELDS = {
    *map(code_of, ("address_empty", "addressee_empty", "applicant_individual", "notes_without_call")),
    *map(code_of, ("receipt_registered", "receipt_refused", "reply_without_reference")),
}
TEXTS = [value for value in VALUES if isinstance(value, str) and "\x00" not in value]
NAMES = ["x", "item", "text", "code", "receipt", "at", "header"]


def every_change_in_xml(root: etree._Element) -> Iterator[None]:
    """One thing done to a good tree, in every place, all of them in turn; changed back after."""
    for element in list(root.iter(etree.Element)):
        before, tag = element.text, element.tag
        for element.text in TEXTS:
            yield
        element.text = before
        for name in NAMES:
            element.tag = f"{{{NAMESPACE}}}{name}"
            yield
        element.tag = tag
        element.set("x", "1")
        yield
        del element.attrib["x"]
        inner = etree.SubElement(element, f"{{{NAMESPACE}}}code")
        yield
        element.remove(inner)
        if element is not root:
            yield from _moves(element)


def _moves(element: etree._Element) -> Iterator[None]:
    parent = element.getparent()
    assert parent is not None
    place = parent.index(element)
    for times in (1, 4, 9, 10, 19, 20, 49, 50, 99, 100):
        copies = [copy.deepcopy(element) for _ in range(times)]
        parent[place:place] = copies
        yield
        del parent[place : place + times]
    parent.remove(element)
    yield
    parent.append(element)
    yield
    parent.insert(place, element)


@cache
def xsd() -> etree.XMLSchema:
    """The published XSD."""
    return etree.XMLSchema(etree.parse(publish.FOLDER / "envelope-1.0.xsd"))


@pytest.mark.parametrize("kind", ENVELOPES)
def test_the_xsd_agrees_with_the_hub(kind: str) -> None:
    """Whatever is done in whatever place: what the XSD takes, the hub takes, but for the rules between fields."""
    for good in trees(kind):
        root = etree.fromstring(to_xml(from_json(json.dumps(good).encode())))
        del root.attrib[DIGEST]
        for _ in every_change_in_xml(root):
            document = etree.tostring(root, encoding="UTF-8")
            codes = _codes(document)
            assert xsd().validate(etree.fromstring(document)) == (codes <= BETWEEN_FIELDS), (codes, document.decode())


def _codes(document: bytes) -> set[str]:
    try:
        from_xml(document)
    except InvalidInput as refusal:
        return {fault.code for fault in refusal.faults}
    return set()


@settings(max_examples=100, deadline=None)
@given(envelope=envelopes())
def test_every_envelope_is_valid_against_its_schemas(envelope: AnyEnvelope) -> None:
    """Whatever the model allows and the hub writes, both schemas take."""
    assert validator("envelope-1.0.schema.json").is_valid(to_tree(envelope))
    assert xsd().validate(etree.fromstring(to_xml(envelope))), xsd().error_log
