"""The published schemas and the hub's own reading give one verdict, on whatever is done to a good document."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from lxml import etree

from hub.errors import InvalidInput
from hub.schemas import publish
from hub.schemas.envelope import AnyEnvelope, AppealForm
from hub.schemas.faults import code_of
from hub.schemas.json_rendering import from_json, to_tree
from hub.schemas.shape import ENVELOPES
from hub.schemas.xml_rendering import DIGEST, NAMESPACE, from_xml, to_xml
from tests.forms import NIGHTLY, examples
from tests.schemas.documents import VALUES, by_post, every_change, trees, whole
from tests.schemas.form_reading import form_from_json
from tests.strategies import envelopes

pytestmark = pytest.mark.slow  # all of it together


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
    for good in (whole(AppealForm, full=False), full, by_post()):
        assert _taken(form_from_json, good)
        for tree in every_change(good, full):
            assert schema.is_valid(tree) == _taken(form_from_json, tree), json.dumps(tree, ensure_ascii=False)


BETWEEN_FIELDS = {
    *map(code_of, ("address_empty", "addressee_empty", "applicant_individual", "notes_without_call")),
    *map(code_of, ("letter_empty", "letter_not_by_post", "call_not_by_phone")),
    *map(code_of, ("identity_level", "representative_document")),
    *map(code_of, ("receipt_registered", "receipt_refused", "reply_without_reference", "supplement_empty")),
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


LONGEST = [pytest.param(kind, marks=pytest.mark.slow if kind == "appeal" else ()) for kind in ENVELOPES]


@pytest.mark.parametrize("kind", LONGEST)
def test_the_xsd_agrees_with_the_hub(kind: str) -> None:
    """Whatever is done in whatever place: what the XSD takes, the hub takes, but for the rules between fields. By day
    every third change is made, at night all.
    """
    for good in trees(kind):
        root = etree.fromstring(to_xml(from_json(json.dumps(good).encode())))
        del root.attrib[DIGEST]
        for number, _ in enumerate(every_change_in_xml(root)):
            if number % 3 and not NIGHTLY:
                continue
            document = etree.tostring(root, encoding="UTF-8")
            codes = _codes(document)
            assert xsd().validate(etree.fromstring(document)) == (codes <= BETWEEN_FIELDS), (codes, document.decode())


def _codes(document: bytes) -> set[str]:
    try:
        from_xml(document)
    except InvalidInput as refusal:
        return {fault.code for fault in refusal.faults}
    return set()


@settings(max_examples=examples(100))
@given(envelope=envelopes())
def test_every_envelope_is_valid_against_its_schemas(envelope: AnyEnvelope) -> None:
    """Whatever the model allows and the hub writes, both schemas take."""
    assert validator("envelope-1.0.schema.json").is_valid(to_tree(envelope))
    assert xsd().validate(etree.fromstring(to_xml(envelope))), xsd().error_log
