"""A section with documents is checked whole: its tests, its schema, what it loses, what answers mean by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.documents.section import DocumentSection
from hub.errors import ConfigurationError, InvalidInput
from tests.adapters.documents.test_forms import ROOT, TYPES

APPEAL = {
    "channel": "web",
    "kind": "complaint",
    "received_at": "2026-03-02T10:00:00Z",
    "applicant": {
        "type": "individual",
        "name": {"surname": "Канаркенко", "given": "Олена"},
        "address": {"text": "вул. Садова, 1"},
    },
    "topics": ["utilities.water"],
    "text": "Немає води.",
}
LEFT = ["channel", "kind", "applicant", "topics", "received_at"]
XML: dict[str, Any] = {
    "format": "xml",
    "leaves_out": LEFT,
    "request": {
        "Appeals": {
            "Appeal": {
                "Text": "$body.text",
                "Number": "$message_id",
                "Date": {"$from": "$body.received_at", "date": "%Y-%m-%d"},
            }
        }
    },
    "answer": {"status": {"path": "state", "values": {"1": "registered"}}, "echo": "id", "number": "@n"},
}
CSV: dict[str, Any] = {**XML, "format": "csv", "request": {"Ід": "$message_id", "Суть": "$body.text"}}
MESSAGE = "019aa001-0000-7000-8000-000000000001"


def with_test(section: dict[str, Any], **test: Any) -> DocumentSection:
    """The section with one test."""
    return DocumentSection.model_validate({**section, "tests": [{"name": "one", **test}]})


def with_schema(folder: Path, section: dict[str, Any]) -> dict[str, Any]:
    """The section with a schema of that folder."""
    (folder / "types").mkdir()
    (folder / "types" / "types.xsd").write_text(TYPES)
    (folder / "appeal.xsd").write_text(ROOT)
    return {**section, "xml": {"xsd": str(folder / "appeal.xsd")}}


@pytest.mark.parametrize(
    ("section", "text"),
    [
        (CSV, f"Ід;Суть\n{MESSAGE};Немає води."),
        (
            XML,
            f"""<Appeals>
                  <Appeal><Text>Немає води.</Text><Number>{MESSAGE}</Number><Date>2026-03-02</Date></Appeal>
                </Appeals>""",
        ),
        ({**CSV, "format": "json"}, f'{{"Ід": "{MESSAGE}",\n "Суть": "Немає води."}}'),
    ],
)
def test_a_request_is_shown_as_the_text_that_it_becomes(section: dict[str, Any], text: str) -> None:
    """In each form; blanks between elements and line ends do not matter, each word does."""
    with_test(section, appeal=APPEAL, request=text)
    with pytest.raises(ValidationError, match=r"expected .*Немає світла"):
        with_test(section, appeal=APPEAL, request=text.replace("води", "світла"))


def test_a_request_is_shown_as_a_tree() -> None:
    """Columns by their names, elements by theirs."""
    with_test(CSV, appeal=APPEAL, request={"Ід": MESSAGE, "Суть": "Немає води."})
    with pytest.raises(ValidationError, match="the mapping sends «Немає води"):
        with_test(CSV, appeal=APPEAL, request={"Ід": MESSAGE, "Суть": "x"})


@pytest.mark.parametrize(
    ("section", "answer"),
    [
        (XML, '<a n="К-1"><state>1</state><id>x</id></a>'),
        (XML, {"a": {"@n": "К-1", "state": 1, "id": "x"}}),
        (CSV, "state;id;@n\n1;x;К-1\n"),
        (CSV, {"state": "1", "id": "x", "@n": "К-1"}),
        ({**CSV, "answers": {"format": "json"}}, {"state": 1, "id": "x", "@n": "К-1"}),
    ],
)
def test_an_answer_is_shown_as_text_or_as_a_tree(section: dict[str, Any], answer: Any) -> None:
    """In the form in which they answer, which need not be the one in which we ask."""
    with_test(section, answer=answer, means={"status": "registered", "echo": "x", "number": "К-1"})
    with pytest.raises(ValidationError, match="understood is «К-1»"):
        with_test(section, answer=answer, means={"status": "registered", "number": "К-2"})


def test_a_test_of_an_answer_shows_one_row() -> None:
    """Two rows are two tests; without the section ``answer`` there is nothing to show."""
    with pytest.raises(ValidationError, match="A test shows one row"):
        with_test(CSV, answer="state;id\n1;x\n1;y\n", means={"status": "registered"})
    without = {name: value for name, value in CSV.items() if name != "answer"}
    with pytest.raises(ValidationError, match="the mapping has no answer"):
        with_test(without, answer="state;id\n1;x\n", means={"status": "registered"})


def test_tests_are_held_against_the_schema(tmp_path: Path) -> None:
    """Order and namespaces of the text are the schema's; what the schema refuses is named by the test."""
    section = with_schema(tmp_path, XML)
    text = (
        f'<n:Appeals xmlns:n="urn:edms"><n:Appeal><Number>{MESSAGE}</Number><Date>2026-03-02</Date>'
        "<Text>Немає води.</Text></n:Appeal></n:Appeals>"
    )
    BoundDocuments(with_test(section, appeal=APPEAL, request=text))
    with pytest.raises(ConfigurationError, match=r"A test of the template fails .tests.0.request"):
        BoundDocuments(with_test(section, appeal=APPEAL, request=text.replace("води", "світла")))
    long = {**APPEAL, "text": "Немає води з першого числа."}
    shown = {"Appeals": {"Appeal": {"Text": long["text"], "Number": MESSAGE, "Date": "2026-03-02"}}}
    with pytest.raises(ConfigurationError, match=r"one.*Text is longer than the schema allows") as caught:
        BoundDocuments(with_test(section, appeal=long, request=shown))
    assert caught.value.stable_code == "template.tests"


@pytest.mark.parametrize(
    ("appeal", "told"),
    [
        ({"Txt": "$body.text"}, "request.Appeals.Appeal.Txt: the schema has no «Txt» there; did you mean «Text»?"),
        ({"@version": "1"}, "no «@version» there"),
        ({"File": {"$each": "$attachments", "as": {"@nam": "$item.name"}}}, "as.@nam: .* did you mean «@name»"),
        ({"Text": {"Part": "$body.text"}}, "no «Part» there"),
    ],
)
def test_a_name_that_the_schema_does_not_have_is_told(tmp_path: Path, appeal: dict[str, Any], told: str) -> None:
    """Before any message: elements and attributes, with the nearest right name."""
    section = with_schema(tmp_path, {**XML, "request": {"Appeals": {"Appeal": appeal}}})
    with pytest.raises(ConfigurationError, match=told):
        BoundDocuments(DocumentSection.model_validate(section))
    root: dict[str, Any] = {"Apeals": {"Appeal": {}}}
    with pytest.raises(ConfigurationError, match="did you mean «Appeals»"):
        BoundDocuments(DocumentSection.model_validate({**section, "request": root}))


def test_notes_say_what_stops_a_message_and_what_no_test_shows() -> None:
    """As for every mapping."""
    lost, untested, *_ = DocumentSection.model_validate(CSV).notes()
    assert "template.left_out" in lost
    assert "attachments" in lost
    assert "no test shows an answer" in untested


def test_an_answer_is_understood_row_by_row() -> None:
    """One statement as everywhere; of several each word stands under its row, and one that means nothing shows."""
    documents = BoundDocuments(DocumentSection.model_validate(CSV))
    assert documents.understood("state;id;@n\n1;x;К-1\n".encode()) == {
        "status": "registered",
        "echo": "x",
        "number": "К-1",
    }
    several = documents.understood("state;id;@n\n1;x;К-1\n1;y\n".encode())
    assert several == {
        "status": "unknown",
        "row 2: status": "registered",
        "row 2: echo": "x",
        "row 2: number": "К-1",
        "row 3: status": "unknown",
        "row 3: unclear": "it has 2 cells, the header 3",
    }
    with pytest.raises(InvalidInput):
        BoundDocuments(DocumentSection.model_validate(XML)).understood(b"no xml")


@pytest.mark.parametrize(
    ("names", "name", "fits"),
    [
        ("*.xml", "a.XML", True),
        ("*.xml", "a.xml.bak", False),
        ("ANS-*-?.csv", "ans-7-?.csv", True),
        ("Відповідь*.xml", "відповідь 7.xml", True),
        ("Відповідь*.xml", "запит.xml", False),
    ],
)
def test_names_of_files_are_held_against_the_pattern(names: str, name: str, *, fits: bool) -> None:
    """Letter case does not matter; the same name is known again where its letters were made safe."""
    documents = BoundDocuments(DocumentSection.model_validate({**XML, "answers": {"names": names}}))
    assert documents.reads(name) is fits
    if name.isascii():
        assert documents.reads_safe(name.replace("?", "_")) is fits


def test_a_section_that_contradicts_itself_is_refused() -> None:
    """``each`` in CSV; a file in a column."""
    for change, told in (
        ({"answers": {"each": "a", "format": "csv"}}, "each row is a statement"),
        ({"request": {"a": {"$from": "$attachments", "join": ","}, "b": "$attachments.0.content"}}, "no column holds"),
    ):
        with pytest.raises(ValidationError, match=told):
            DocumentSection.model_validate({**CSV, **change})


RULES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a" xmlns="urn:a"
    elementFormDefault="qualified">
  <xs:simpleType name="Kind"><xs:restriction base="xs:string">
    <xs:enumeration value="SKARHA"/><xs:enumeration value="PROPOZ"/></xs:restriction></xs:simpleType>
  <xs:complexType name="Case"><xs:sequence>
    <xs:element name="Kind" type="Kind"/>
    <xs:element name="Office"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[0-9]{2}"/>
      </xs:restriction></xs:simpleType></xs:element>
    <xs:element name="Phone" type="xs:string" minOccurs="0" maxOccurs="2"/>
    <xs:element name="Text" type="xs:string"/></xs:sequence>
    <xs:attribute name="copies" type="xs:positiveInteger" use="required"/></xs:complexType>
  <xs:element name="Case" type="Case"/></xs:schema>"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        (
            {"Kind": {"$from": "$body.kind", "values": {"proposal": "PROPOS"}, "default": "SKARHA"}},
            "request.Case.Kind.values.proposal: «PROPOS» for Kind is not one of the values that the schema lists; "
            "did you mean «PROPOZ»?",
        ),
        ({"Kind": {"$from": "$body.kind", "values": {"proposal": "PROPOZ"}, "default": ""}}, "Kind.default"),
        ({"Office": "7"}, "request.Case.Office: «7» for Office is not of the pattern"),
        ({"@copies": 0}, "request.Case.@copies: «0» for copies is no xs:positiveInteger"),
        ({"@copies": "two"}, "request.Case.@copies: «two» for copies is no xs:positiveInteger"),
    ],
)
def test_words_are_held_against_the_schema(tmp_path: Path, change: dict[str, Any], told: str | None) -> None:
    """Each constant and each word of a table or a default, whether or not some made-up appeal says it."""
    (tmp_path / "case.xsd").write_text(RULES)
    kind = {"$from": "$body.kind", "values": {"proposal": "PROPOZ"}, "default": "SKARHA"}
    case = {"@copies": 1, "Kind": kind, "Office": "07", "Text": "$body.text", **change}
    section = {"format": "xml", "leaves_out": LEFT, "request": {"Case": case}}
    made = BoundDocuments(DocumentSection.model_validate({**section, "xml": {"xsd": str(tmp_path / "case.xsd")}}))
    if told is None:
        made.rehearse_words()
        return
    with pytest.raises(ConfigurationError) as refused:
        made.rehearse_words()
    assert told in refused.value.message
    assert str(refused.value.setting).startswith("template/request/Case/")


def test_what_stands_too_often_is_told_as_that(tmp_path: Path) -> None:
    """A third element where two may stand is no matter of its place."""
    (tmp_path / "case.xsd").write_text(RULES)
    case = {"@copies": 1, "Kind": "SKARHA", "Office": "07", "Phone": ["1", "2", "3"], "Text": "$body.text"}
    section: dict[str, Any] = {"format": "xml", "leaves_out": LEFT, "request": {"Case": case}}
    section["xml"] = {"xsd": str(tmp_path / "case.xsd")}
    section["tests"] = [{"name": "one", "appeal": APPEAL, "request": {"Case": case | {"Text": APPEAL["text"]}}}]
    with pytest.raises(ConfigurationError, match="Phone stands 3 times, and the schema allows at most 2"):
        BoundDocuments(DocumentSection.model_validate(section))
