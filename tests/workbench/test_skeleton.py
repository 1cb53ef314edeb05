"""``hub channel skeleton``: a draft shows every member of theirs, and goes into use only once it is filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from hub.adapters import table
from hub.adapters.soap.mapping import WsdlMapping, load
from hub.cli.skeletons import skeleton_command
from hub.errors import ConfigurationError, InvalidInput, RegistryRefused
from hub.workbench import guesses
from registry import load as load_registry
from registry.yamlfile import parse
from tests.adapters.test_soap_wsdl import WSDL

THEIRS = {
    "zovnishnii_id": "a",
    "data_nadkhodzhennia": "01.02.2026",
    "kod_vydu": 3,
    "pib": "Зразок З. З.",
    "adresa": "вул. Зразкова",
    "telefony": ["0670000001"],
    "tekst_zvernennia": "…",
    "kod_pidrozdilu": "07",
    "predstavnyk": {"prizvyshche": "Зразок", "imia": "З."},
    "vykonavets": {"prizvyshche": "Зразок"},
    "dodatky": [{"nazva": "a.pdf", "vmist": "…"}],
}
ANSWER = {
    "stan": "zareiestrovano",
    "id_dokumenta": 1,
    "dani": [{"reiestratsiinyi_nomer": "1", "data_reiestratsii": "…"}],
}
WHO = {
    "type": "object",
    "required": ["lastName"],
    "properties": {"lastName": {"type": "string"}, "me": {"$ref": "#/$defs/who"}},
}
BORN = {"properties": {"birthDate": {"type": "string", "format": "date"}}}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"who": WHO},
    "type": "object",
    "required": ["type", "applicant"],
    "properties": {
        "type": {"enum": ["Скарга", "Заява", "Пропозиція"], "description": "вид: один\n# з трьох"},
        "applicant": {"allOf": [{"$ref": "#/$defs/who"}, BORN]},
        "urgency": {"oneOf": [{"type": "null"}, {"enum": ["low", "high"]}]},
        "away": {"$ref": "https://example.org/other.json"},
    },
}
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
<xs:include schemaLocation="types.xsd"/>
<xs:element name="Zvernennia"><xs:complexType><xs:sequence>
 <xs:element name="Vyd" type="t:Vyd"/>
 <xs:element ref="t:Zaiavnyk"/>
 <xs:choice><xs:element name="Kod" type="xs:int"/><xs:element name="Nazva" type="xs:string"/></xs:choice>
 <xs:element name="Files" minOccurs="0" maxOccurs="unbounded" type="t:File"/>
 <xs:element name="Zmist" type="t:Text"/>
</xs:sequence><xs:attribute name="version" type="xs:string" use="required"/></xs:complexType></xs:element>
<xs:element name="Zaiavnyk"><xs:complexType><xs:complexContent><xs:extension base="t:Person"><xs:sequence>
 <xs:element name="Telefon" type="xs:string" maxOccurs="unbounded"/></xs:sequence></xs:extension>
</xs:complexContent></xs:complexType></xs:element>
<xs:complexType name="Person"><xs:sequence><xs:element name="Prizvyshche" type="xs:string"/>
 <xs:element name="Mother" type="t:Person" minOccurs="0"/></xs:sequence></xs:complexType>
</xs:schema>"""
TYPES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:simpleType name="Vyd">
<xs:annotation><xs:documentation>x</xs:documentation></xs:annotation><xs:restriction base="xs:string">
<xs:enumeration value="заява"/><xs:enumeration value="скарга"/></xs:restriction></xs:simpleType>
<xs:complexType name="File"><xs:sequence><xs:element name="Name" type="xs:string"/></xs:sequence></xs:complexType>
<xs:complexType name="Text"><xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="lang"/></xs:extension>
</xs:simpleContent></xs:complexType>
</xs:schema>"""


def _skeleton(*words: object) -> str:
    ran = CliRunner().invoke(skeleton_command, [str(word) for word in words], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def _file(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), "utf-8")
    return file


def _section(draft: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(draft)["channels"][0]["channel"]["settings"]["template"]
    return found


def test_a_draft_of_a_sample_has_every_member_and_our_places_where_they_are_clear(tmp_path: Path) -> None:
    """Names in Latin letters are read; what nobody can know is TODO, also a surname that is not the applicant's."""
    draft = _skeleton("--json", _file(tmp_path, "a.json", THEIRS), "--answer", _file(tmp_path, "b.json", ANSWER))
    section = _section(draft)
    request = section["request"]
    assert list(request) == list(THEIRS)
    assert request["zovnishnii_id"] == "$message_id"
    assert request["data_nadkhodzhennia"] == {"$from": "$body.received_at", "date": "%d.%m.%Y"}
    assert request["pib"]["join"] == " "
    assert request["telefony"] == "$body.applicant.contacts.phones"
    assert request["kod_pidrozdilu"] == "$TODO"
    assert request["predstavnyk"]["prizvyshche"] == "$body.representative.name.surname"
    assert request["vykonavets"] == {"prizvyshche": "$TODO"}
    assert request["dodatky"] == {"$each": "$attachments", "as": {"nazva": "$item.name", "vmist": "$item.content"}}
    answer = section["answer"]
    assert (answer["id"], answer["number"]) == ("id_dokumenta", "dani.0.reiestratsiinyi_nomer")
    assert "Зразков" not in draft
    assert "0670000001" not in draft


def test_a_schema_tells_what_is_needed_and_their_words(tmp_path: Path) -> None:
    """Local references and ``allOf`` are followed, words of theirs are put to ours, comments cannot break the file."""
    draft = _skeleton("--json", _file(tmp_path, "a.json", SCHEMA))
    request = _section(draft)["request"]
    assert request["type"]["values"] == {"application": "Заява", "proposal": "Пропозиція", "complaint": "Скарга"}
    assert request["applicant"]["lastName"] == "$body.applicant.name.surname"
    assert request["applicant"]["birthDate"] == {"$from": "$body.applicant.born", "date": "%Y-%m-%d"}
    assert request["urgency"] == {"$from": "$TODO", "values": {"TODO1": "low", "TODO2": "high"}}
    assert request["away"] == "$TODO"
    assert "# text; required; theirs: Скарга, Заява, Пропозиція; вид: один # з трьох" in draft


def test_the_registry_refuses_a_draft_by_line_until_it_is_filled_in(tmp_path: Path) -> None:
    """Each TODO is one fault at its own line; once they are gone the registry is sound."""
    source = _file(tmp_path, "a.json", {"zovnishnii_id": "a", "tekst": "b", "kod": "07", "vyd": 3})
    draft = _skeleton("--json", source, "--answer", _file(tmp_path, "b.json", {"stan": "1", "id": 7, "nomer": "4"}))
    draft = draft.replace('authority: "TODO"', 'authority: "00032106"').replace("id: TODO ", "id: 00032106.edms ")
    folder = tmp_path / "registry"
    folder.mkdir()
    body = 'authorities: [{code: "00032106", name: X, kind: other}]\n'
    file = _file(folder, "a.yaml", body + draft)
    with pytest.raises(RegistryRefused) as refused:
        load_registry(folder, table())
    lines = file.read_text("utf-8").splitlines()
    todo = {number for number, line in enumerate(lines, start=1) if "TODO" in line.partition("  #")[0]}
    assert {int(fault.pointer.split(":")[1].split("#")[0]) for fault in refused.value.faults} == todo
    assert {fault.code for fault in refused.value.faults} == {"registry.mapping_todo", "registry.url"}
    filled = {
        "url: TODO": "url: https://edms.example.org/in",
        "$TODO": '"07"',
        "application: TODO, proposal: TODO, complaint: TODO": "application: 1, proposal: 2, complaint: 3",
        '{"TODO": registered}': '{"1": registered}',
        'date: {path: "TODO"': 'date: {path: "data"',
        'note: "TODO"': 'note: "opys"',
    }
    text = file.read_text("utf-8")
    for old, new in filled.items():
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    load_registry(folder, table())


def test_a_draft_of_a_schema_for_xml(tmp_path: Path) -> None:
    """Types of a file beside it, extensions, references, choices and attributes; a type in itself ends there."""
    _file(tmp_path, "types.xsd", TYPES)
    draft = _skeleton("--xsd", _file(tmp_path, "a.xsd", XSD), "--element", "Zvernennia")
    section = yaml.safe_load(draft)["template"]
    assert (section["format"], list(section["request"])) == ("xml", ["Zvernennia"])
    request = section["request"]["Zvernennia"]
    assert list(request) == ["Vyd", "Zaiavnyk", "Kod", "Nazva", "Files", "Zmist", "@version"]
    assert list(request["Zmist"]) == ["#text", "@lang"]
    assert request["Vyd"]["values"] == {"application": "заява", "proposal": "TODO", "complaint": "скарга"}
    assert request["Zaiavnyk"] == {
        "Prizvyshche": "$body.applicant.name.surname",
        "Mother": {"Prizvyshche": "$TODO", "Mother": "$TODO"},
        "Telefon": "$body.applicant.contacts.phones",
    }
    assert request["Files"] == {"$each": "$attachments", "as": {"Name": "$item.name"}}
    assert "Kod: $TODO  # int; one of several in its place" in draft
    with pytest.raises(ConfigurationError) as refused:
        _skeleton("--xsd", tmp_path / "a.xsd", "--element", "Nobody")
    assert (refused.value.stable_code, "Zvernennia" in str(refused.value)) == ("skeleton.element", True)


def test_a_draft_of_an_operation_is_a_mapping_file(tmp_path: Path) -> None:
    """It has operation, request and answer of the WSDL; as a mapping it is refused with the lines of what is open."""
    draft = _skeleton("--wsdl", _file(tmp_path, "a.wsdl", WSDL), "--operation", "RegisterAppeal")
    assert yaml.safe_load(draft)["request"]["person"] == {
        "surname": "$body.applicant.name.surname",
        "name": "$body.applicant.name.given",
        "address": "$body.applicant.address.text",
    }
    with pytest.raises(ConfigurationError) as refused:
        load(draft.encode())
    assert "is still to be filled in" in refused.value.message
    with pytest.raises(ConfigurationError, match="it has: GetState, RegisterAppeal"):
        _skeleton("--wsdl", tmp_path / "a.wsdl", "--operation", "Nobody")
    assert set(yaml.safe_load(draft)) <= set(WsdlMapping.model_fields)


def test_a_deep_document_is_cut_where_the_registry_would_refuse_it(tmp_path: Path) -> None:
    """Forty levels: the draft can be read as a registry file, and what lies below is for somebody to fill in."""
    content: object = 1
    for _ in range(20):
        content = [{"a": content}]
    draft = _skeleton("--json", _file(tmp_path, "a.json", {"a": content}))
    read = parse(draft)
    assert (read.problems, "a: [$TODO]" in draft) == ([], True)


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1, "a": 2}', '"x"', "{}", "[" * 10_000, '{"a": NaN}'])
def test_a_file_that_shows_no_document(tmp_path: Path, content: str) -> None:
    """What is no JSON object, or not strictly JSON, is refused by its code."""
    with pytest.raises(InvalidInput) as refused:
        _skeleton("--json", _file(tmp_path, "a.json", content))
    assert refused.value.stable_code == "skeleton.shape" or refused.value.faults


def test_a_schema_that_multiplies_itself_ends(tmp_path: Path) -> None:
    """References that branch again and again stop at a stated number of members."""
    level = {
        f"l{n}": {"type": "object", "properties": {name: {"$ref": f"#/$defs/l{n + 1}"} for name in "abcd"}}
        for n in range(30)
    }
    schema = {"$defs": level, "type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}}
    with pytest.raises(InvalidInput) as refused:
        _skeleton("--json", _file(tmp_path, "a.json", schema))
    assert refused.value.stable_code == "skeleton.shape"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Прізвище", "$body.applicant.name.surname"),
        ("lastName", "$body.applicant.name.surname"),
        ("PRIZVYSHHE", "$body.applicant.name.surname"),
        ("imya", "$body.applicant.name.given"),
        ("Ім'я", "$body.applicant.name.given"),
        ("По батькові", "$body.applicant.name.patronymic"),
        ("тема", "$body.subject"),
        ("adresa_orhanu", None),
        ("status", None),
        ("id", None),
    ],
)
def test_names_are_read_however_they_are_written(name: str, path: str | None) -> None:
    """Cyrillic, Latin, camel and snake case come to one place; what could be two things comes to none."""
    guess = guesses.of_request(name)
    assert (guess.path if guess is not None else None) == path
