"""Faults: every code is known and documented, every pointer leads to its place, no value is repeated."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hub.errors import Fault, InvalidInput
from hub.schemas import faults
from hub.schemas.envelope import AppealForm
from hub.schemas.faults import code_of, faults_of
from hub.schemas.json_rendering import from_json
from hub.schemas.shape import ENVELOPES
from hub.schemas.xml_rendering import from_xml, to_xml
from tests.conftest import ROOT
from tests.schemas.documents import every_change, parent_of, places, whole
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

CANARY = "Таємниця-31337"
DOCUMENT = (ROOT / "docs" / "envelope.md").read_text("utf-8")
DOCUMENTED = set(re.findall(r"`([a-z0-9_.]+|json\.\*|xml\.\*)`", DOCUMENT.partition("## When something")[2]))


def own_codes() -> set[str]:
    """Codes of the rules that the envelope's models write themselves."""
    names = ("base", "ids", "people", "centre", "envelope")
    sources = "".join((ROOT / "hub" / "schemas" / f"{name}.py").read_text("utf-8") for name in names)
    return {code_of(kind) for kind in re.findall(r'PydanticCustomError\(\s*"(\w+)"', sources)}


def test_every_code_is_documented() -> None:
    """Each code that the table or a rule can give stands in docs/envelope.md."""
    codes = {code for code, _ in faults._CODES.values()} | own_codes() | {"more_faults"}
    assert len(codes) > 20
    assert codes <= DOCUMENTED


def _refusal(tree: Any) -> tuple[Fault, ...]:
    with pytest.raises(InvalidInput) as refused:
        from_json(json.dumps(tree, ensure_ascii=False).encode())
    return refused.value.faults


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENVELOPES)
def test_whatever_is_wrong_has_a_known_code(kind: str) -> None:
    """Any wrong value in any place gives documented codes, and words without addresses of pydantic's site."""
    full = whole(ENVELOPES[kind], full=True)
    codes: set[str] = set()
    words = ""
    for tree in every_change(full, full):
        try:
            from_json(json.dumps(tree, ensure_ascii=False).encode())
        except InvalidInput as refusal:
            codes |= {fault.code for fault in refusal.faults}
            words += str(refusal)
    assert {code for code in codes if not code.startswith("json.")} <= DOCUMENTED
    assert "wrong" not in codes
    assert "pydantic" not in words


@pytest.mark.parametrize("kind", ENVELOPES)
def test_every_pointer_leads_to_its_place(kind: str) -> None:
    """A wrong value in any place is named there, in JSON by pointer and in XML by XPath, and is never repeated."""
    full = whole(ENVELOPES[kind], full=True)
    for place in places(full):
        tree = json.loads(json.dumps(full))
        parent_of(tree, place)[place[-1]] = {"secret": CANARY}
        pointer = "".join(f"/{step}" for step in place)
        named = _refusal(tree)
        assert all(fault.pointer.startswith(pointer) or pointer == "/kind" for fault in named), (pointer, named)
        assert CANARY not in str(named)


@pytest.mark.parametrize("name", [*ENVELOPES, "a/b", "a~b", "", "їжак", "0", "\u202e", "x" * 500])
def test_unknown_members_are_named_by_their_pointer(name: str) -> None:
    """An unknown member is named after RFC 6901, even if it is called as a kind is; long and unseen names are tamed."""
    with pytest.raises(InvalidInput) as refused:
        form_from_json(json.dumps(json.loads(MINIMAL) | {name: 1}).encode())
    (fault,) = refused.value.faults
    shown = {"a/b": "a~1b", "a~b": "a~0b", "\u202e": "\\u202e"}.get(name, name[:64])
    assert (fault.pointer, fault.code) == (f"/{shown}", "unknown_field")


def test_the_tag_of_the_union_is_no_part_of_a_pointer() -> None:
    """A fault inside an envelope is named from the document's root; a wrong or absent kind is named at /kind."""
    good = whole(ENVELOPES["answer"], full=False)
    assert [f.pointer for f in _refusal(good | {"answer": 1})] == ["/answer"]
    assert [(f.pointer, f.code) for f in _refusal(good | {"kind": CANARY})] == [("/kind", "not_in_list")]
    del good["kind"]
    assert [(f.pointer, f.code) for f in _refusal(good)] == [("/kind", "missing")]


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_what_is_no_object_is_one_fault(data: bytes) -> None:
    """A list, a number or a word instead of an envelope is refused at the root."""
    for read in (from_json, form_from_json):
        with pytest.raises(InvalidInput) as refused:
            read(data)
        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("", "type")]


def test_a_rule_of_pydantic_that_the_table_does_not_know_is_told_without_its_words() -> None:
    """Words of pydantic's own that were never looked at may quote a value, so they are not passed on."""

    class Other(BaseModel):
        url: float

    with pytest.raises(ValidationError) as error:
        TypeAdapter(Other).validate_python({"url": CANARY})
    (fault,) = faults_of(error.value)
    assert (fault.pointer, fault.code) == ("/url", "wrong")
    assert CANARY not in fault.message


def test_faults_in_xml_are_those_of_json() -> None:
    """The same wrong values give the same codes in both renderings."""
    good = from_json(json.dumps(whole(ENVELOPES["appeal"], full=True)).encode())
    document = to_xml(good).replace(b"UA46060250000025047", CANARY.encode()).replace(b">2<", b">1<")
    with pytest.raises(InvalidInput) as refused:
        from_xml(document)
    assert CANARY not in str(refused.value)
    assert {fault.pointer: fault.code for fault in refused.value.faults} == {
        "/envelope/appeal/applicant/address/territory": "pattern",
        "/envelope/appeal/applicant/signatories": "too_small",
        "/envelope/appeal/representative/address/territory": "pattern",
        "/envelope/appeal/place": "pattern",
    }


def test_the_form_has_no_field_that_is_called_as_a_kind() -> None:
    """Pointers of forms and envelopes could be confused otherwise."""
    assert not set(ENVELOPES) & set(AppealForm.model_fields)
