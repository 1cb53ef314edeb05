"""Requests are held against the schemas of their description before they go out; what is wrong is told by names."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from hub.errors import ConfigurationError
from hub.protocols.soap.description import Description, understand
from hub.protocols.soap.files import is_shipped, resolve, shipped

WORD = "Канаркенко"
XS = "http://www.w3.org/2001/XMLSchema"
MEMBERS = """
 <xs:element name="kind" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">
  <xs:enumeration value="Скарга"/><xs:enumeration value="Заява"/></xs:restriction></xs:simpleType></xs:element>
 <xs:element name="short" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="3"/>
 </xs:restriction></xs:simpleType></xs:element>
 <xs:element name="code" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[0-9]{3}"/>
 </xs:restriction></xs:simpleType></xs:element>
 <xs:element name="day" type="xs:date" minOccurs="0"/>
 <xs:element name="number" type="xs:int" minOccurs="0"/>
 <xs:element name="flag" type="xs:boolean" minOccurs="0"/>
 <xs:element name="text" type="xs:string" minOccurs="0"/>
 <xs:element name="any" type="xs:anyType" minOccurs="0"/>
 <xs:element name="simple" type="xs:anySimpleType" minOccurs="0"/>
 <xs:element name="bytes" type="xs:base64Binary" minOccurs="0"/>
 <xs:element name="who" type="e:Base" minOccurs="0"/>
 <xs:element name="inner" minOccurs="0"><xs:complexType><xs:sequence>
  <xs:element name="amount" type="xs:decimal"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="many" type="xs:int" minOccurs="0" maxOccurs="unbounded"/>
"""
TYPES = f"""<xs:element name="Register">
<xs:complexType><xs:sequence>{MEMBERS}</xs:sequence></xs:complexType></xs:element>
<xs:complexType name="Base" abstract="true"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>
</xs:complexType>
<xs:complexType name="Whole"><xs:sequence>{MEMBERS}</xs:sequence></xs:complexType>
<xs:element name="RegisterResponse" type="xs:string"/>"""
PARTS = {
    "document": '<part name="p" element="e:Register"/>',
    "rpc": '<part name="whole" type="e:Whole"/><part name="id" type="xs:int"/>',
}


def wsdl(style: str, *, imports: str = "", use: str = "literal", output: bool = True) -> bytes:
    """A description in this style; ``imports``: what stands before its types."""
    said = f'<soap:body use="{use}" namespace="urn:edms"/>' if style == "rpc" else f'<soap:body use="{use}"/>'
    answers = ('<output message="e:out"/>', f"<output>{said}</output>") if output else ("", "")
    return f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="{XS}" xmlns:e="urn:edms" targetNamespace="urn:edms">
<types><xs:schema targetNamespace="urn:edms" elementFormDefault="qualified">{imports}{TYPES}</xs:schema></types>
<message name="in">{PARTS[style]}</message><message name="out"><part name="p" element="e:RegisterResponse"/></message>
<portType name="P"><operation name="Register"><input message="e:in"/>{answers[0]}</operation></portType>
<binding name="B" type="e:P"><soap:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Register"><soap:operation soapAction="urn:edms/Register"/><input>{said}</input>{answers[1]}
</operation></binding>
<service name="S"><port name="Q" binding="e:B"><soap:address location="http://elsewhere.example/"/></port></service>
</definitions>""".encode()


def described(style: str, **more: Any) -> Description:
    return understand(resolve("service.wsdl", {"service.wsdl": wsdl(style, **more)}))


def say(values: dict[str, Any], style: str) -> etree._Element:
    """The element that these values make."""
    given = values if style == "document" else {"whole": values, "id": 1}
    root = described(style).operation("Register").request(given)
    (content,) = root[0]
    return content if style == "document" else content[0]


@pytest.mark.parametrize("style", ["document", "rpc"])
@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("kind", WORD, "kind is not one of the values that the schema lists"),
        ("short", WORD, "short is longer than the schema allows"),
        ("code", WORD, "code is not of the pattern that the schema demands"),
        ("day", "2026-03-02T10:00:00.000Z", "day is no xs:date"),
        ("day", WORD, "day is no xs:date"),
        ("number", WORD, "number is no xs:int"),
        ("number", "99999999999", "number is no xs:int"),
        ("flag", WORD, "flag is no xs:boolean"),
        ("who", {"a": "1"}, "who is of an abstract type"),
        ("inner", {"amount": WORD}, "amount is no xs:decimal"),
        ("many", ["1", WORD], "many is no xs:int"),
        ("text", ["a", WORD], "text takes one value"),
        ("text", {"a": WORD}, "text takes one value"),
        ("any", {"a": WORD}, "any takes one value"),
    ],
)
def test_what_is_not_of_its_type_is_refused_by_name(style: str, name: str, value: Any, rule: str) -> None:
    """Before anything goes out, in document and rpc style: element and rule are named, no word of the value is."""
    with pytest.raises(ConfigurationError) as caught:
        say({name: value}, style)
    assert caught.value.stable_code == "wsdl.schema"
    assert rule.replace("xs:", "") in caught.value.message.replace("xs:", "")
    assert WORD not in str(caught.value)


@pytest.mark.parametrize("style", ["document", "rpc"])
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("kind", "Заява", "Заява"),
        ("day", "2026-03-02", "2026-03-02"),
        ("day", "2026-03-02+02:00", "2026-03-02+02:00"),
        ("number", 7, "7"),
        ("flag", True, "true"),
        ("flag", "0", "false"),
        ("flag", "true", "true"),
        ("text", True, "true"),
        ("text", "Немає води < 5 & більше", "Немає води < 5 & більше"),
        ("text", "так".encode(), "так"),
        ("bytes", b"\x00\xff", "AP8="),
        ("any", b"\x00\xff", "AP8="),
        ("simple", b"\x00\xff", "AP8="),
        ("any", "слово", "слово"),
    ],
)
def test_what_fits_goes_out_as_the_schema_has_it(style: str, name: str, value: Any, text: str) -> None:
    """Values of Python never leak: bytes are base64 with their type where anything may stand, truth is true."""
    made = say({name: value}, style).findtext(f"{{urn:edms}}{name}")
    assert made == text


def test_bytes_that_stand_for_anything_name_their_type() -> None:
    """The server reads them as bytes: xsi:type, bound to XML Schema's namespace."""
    (node,) = say({"any": b"x"}, "document")
    prefix, _, local = (node.get("{http://www.w3.org/2001/XMLSchema-instance}type") or "").partition(":")
    assert (node.nsmap[prefix], local) == (XS, "base64Binary")


def test_all_faults_are_named_at_once() -> None:
    """Whoever mends the mapping sees the whole list."""
    with pytest.raises(ConfigurationError) as caught:
        say({"kind": "x", "short": "12345", "day": "x", "number": "x", "flag": "x"}, "document")
    assert all(name in caught.value.message for name in ("kind", "short", "day", "number", "flag"))


def test_schemas_beside_each_other_are_one() -> None:
    """Two schemas of one namespace and an import without a location: values of both are checked."""
    second = f'<xs:schema xmlns:xs="{XS}" targetNamespace="urn:edms" elementFormDefault="qualified"></xs:schema>'
    third = (
        f'<xs:schema xmlns:xs="{XS}" targetNamespace="urn:other" elementFormDefault="qualified">'
        '<xs:simpleType name="Code"><xs:restriction base="xs:string"><xs:maxLength value="2"/></xs:restriction>'
        "</xs:simpleType></xs:schema>"
    )
    text = wsdl("document", imports='<xs:import namespace="urn:other"/>').decode()
    text = text.replace('type="xs:string" minOccurs="0"/>', 'type="o:Code" minOccurs="0" xmlns:o="urn:other"/>')
    text = text.replace("</types>", f"{second}{third}</types>")
    operation = understand(resolve("service.wsdl", {"service.wsdl": text.encode()})).operation("Register")
    assert operation.request({"text": "ab"}) is not None
    with pytest.raises(ConfigurationError, match="text is longer"):
        operation.request({"text": "abc"})


def test_a_schema_that_cannot_be_compiled_is_a_note() -> None:
    """What libxml2 refuses stops no channel that zeep can serve; a person reads why nothing is checked."""
    text = wsdl("document").decode().replace('name="many" type="xs:int"', 'name="many" type="xs:int" default="x"')
    made = understand(resolve("service.wsdl", {"service.wsdl": text.encode()}))
    assert any("not held against the schema" in note for note in made.notes)
    assert made.operation("Register").request({"number": "x"}) is not None


def test_rpc_encoded_goes_out_as_it_did() -> None:
    """Its values bear types of SOAP's own encoding, which no schema of the description has: they are not checked."""
    operation = described("rpc", use="encoded").operation("Register")
    assert operation.request({"whole": {"number": "x"}, "id": 1}) is not None


def test_a_one_way_operation_says_so() -> None:
    """It has no answer, so nothing can confirm a message."""
    assert described("document").operation("Register").answers
    assert not described("document", output=False).operation("Register").answers


STANDARD = {
    "http://www.w3.org/2000/09/xmldsig#": "Signature",
    "http://www.w3.org/2001/04/xmlenc#": "EncryptedData",
    "http://www.w3.org/2005/08/addressing": "MessageID",
}
W3C = b'<!DOCTYPE schema PUBLIC "-//W3C//DTD XMLSchema 200102//EN" "http://www.w3.org/2001/XMLSchema.dtd"><schema/>'


@pytest.mark.parametrize("space", list(STANDARD))
@pytest.mark.parametrize("place", ["http://www.w3.org/TR/some.xsd", "here.xsd", ""])
def test_schemas_that_everyone_imports_come_with_the_hub(space: str, place: str) -> None:
    """By any address, and where the folder has W3C's own file, whose DOCTYPE no hardened parser reads."""
    located = f' schemaLocation="{place}"' if place else ""
    text = wsdl("document", imports=f'<xs:import namespace="{space}"{located}/>').decode()
    text = text.replace(
        '<xs:element name="any"',
        f'<xs:element ref="w:{STANDARD[space]}" minOccurs="0" xmlns:w="{space}"/><xs:element name="any"',
    )
    made = understand(resolve("service.wsdl", {"service.wsdl": text.encode(), "here.xsd": W3C}))
    assert STANDARD[space] in made.signature(made.operation("Register"))
    assert is_shipped(space)
    assert not [note for note in made.notes if "not held" in note]


@pytest.mark.parametrize("name", ["xmldsig.xsd", "xmlenc.xsd", "ws-addr.xsd", "xlink.xsd"])
def test_shipped_schemas_are_plain_xml(name: str) -> None:
    """No DOCTYPE, no entity: the strict parser reads them."""
    assert b"<!DOCTYPE" not in shipped(name)
    assert etree.fromstring(shipped(name)).tag == f"{{{XS}}}schema"


def test_redefine_is_refused_by_name() -> None:
    """File, line, and what to do; no inner word of a library."""
    text = wsdl("document", imports='<xs:redefine schemaLocation="base.xsd"/>')
    with pytest.raises(ConfigurationError, match=r"service\.wsdl, line 3: xs:redefine is not supported"):
        resolve("service.wsdl", {"service.wsdl": text, "base.xsd": b"<x/>"})


@pytest.mark.parametrize("element", ["e:Regster", "Register", "xs:Register"])
def test_an_element_that_no_schema_has_is_named(element: str) -> None:
    """A misspelt name, or one in no namespace: the refusal says which element of which part was not found."""
    text = wsdl("document").decode().replace('name="p" element="e:Register"', f'name="p" element="{element}"')
    made = understand(resolve("service.wsdl", {"service.wsdl": text.encode()}))
    with pytest.raises(ConfigurationError) as caught:
        made.operation("Register")
    assert f"names the element {element.rpartition(':')[2]} in" in caught.value.message
    assert "SOAP port" not in caught.value.message
