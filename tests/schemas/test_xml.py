"""What the XML rendering refuses, and where it says the fault is."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from hub.errors import InvalidInput
from hub.schemas.envelope import AppealEnvelope, Header, Party
from hub.schemas.xml_rendering import from_xml, to_xml
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL


def sample() -> bytes:
    """A small appeal as XML."""
    header = Header(
        message_id=uuid.UUID("01930000-0000-7000-8000-000000000001"),
        case_id=uuid.UUID("01930000-0000-7000-8000-000000000002"),
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
        sender=Party(code="36521731"),
        recipient=Party(code="00032106", name="НБУ"),
    )
    return to_xml(AppealEnvelope(header=header, body=form_from_json(MINIMAL)))


BAD: list[tuple[str, bytes, bytes, str, str]] = [
    ("unknown element", b"<role>", b"<foo>1</foo><role>", "/envelope/header/foo", "unknown_field"),
    ("repeated element", b"<role>", b"<role>main</role><role>", "/envelope/header/role", "xml.duplicate"),
    ("attribute", b"<role>", b'<role a="1">', "/envelope/header/role", "xml.attribute"),
    ("text between", b"<role>", b"x<role>", "/envelope/header", "xml.text"),
    ("foreign namespace", b"<role>", b'<role xmlns="urn:x">main</role><role>', "/envelope/header", "unknown_field"),
    ("element in value", b"<text>D", b"<text>D<b/>", "/envelope/appeal/text", "type"),
    ("entry not item", b"<item>housing</item>", b"<x>housing</x>", "/envelope/appeal/topics/x", "unknown_field"),
    ("bad entry", b"<item>housing</item>", b"<item>HOUSING</item>", "/envelope/appeal/topics/item[1]", "pattern"),
    ("bad value", b"<kind>complaint", b"<kind>rant", "/envelope/appeal/kind", "not_in_list"),
    ("wrong version", b'version="1.0" jcs', b'version="9.0" jcs', "/envelope/@version", "not_in_list"),
    ("wrong digest", b'jcs-sha256="', b'jcs-sha256="0', "/envelope/@jcs-sha256", "xml.digest"),
    ("unknown root attribute", b" jcs-sha256=", b' x="1" jcs-sha256=', "/envelope", "xml.attribute"),
    ("unknown kind", b"appeal>", b"demand>", "/envelope", "missing"),
]


@pytest.mark.parametrize(("what", "old", "new", "path", "code"), BAD, ids=[case[0] for case in BAD])
def test_a_fault_is_named_by_xpath_and_code(what: str, old: bytes, new: bytes, path: str, code: str) -> None:
    """Each kind of fault is refused with the XPath of its place and a stable code."""
    broken = sample().replace(old, new)
    assert broken != sample(), what
    with pytest.raises(InvalidInput) as refused:
        from_xml(broken)
    assert (path, code) in {(fault.pointer, fault.code) for fault in refused.value.faults}


def test_order_is_that_of_the_schema() -> None:
    """Elements out of the schema's order are refused, as a validator refuses them."""
    moved = sample().replace(
        b"<role>main</role><priority>normal</priority>", b"<priority>normal</priority><role>main</role>"
    )
    with pytest.raises(InvalidInput) as refused:
        from_xml(moved)
    assert [fault.code for fault in refused.value.faults] == ["xml.order"]


@pytest.mark.parametrize(
    "hostile",
    [b"<!DOCTYPE x><x/>", b"<!-- c -->", b"<?pi?>", b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude'/>"],
)
def test_hostile_markup_inside_an_envelope_is_refused(hostile: bytes) -> None:
    """DOCTYPE, comments, processing instructions and XInclude anywhere make the whole envelope refused."""
    for place in (b"<header>", b"<text>", b"<envelope"):
        with pytest.raises(InvalidInput):
            from_xml(sample().replace(place, (hostile + place) if place == b"<envelope" else (place + hostile)))


def test_a_document_of_something_else_is_refused() -> None:
    """Any other well-formed XML is not an envelope."""
    with pytest.raises(InvalidInput) as refused:
        from_xml(b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'/>")
    assert [fault.code for fault in refused.value.faults] == ["xml.root"]
