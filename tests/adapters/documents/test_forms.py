"""JSON, XML and CSV: what is written of values, and what is found in documents of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.adapters.documents.csv_form import CsvDocuments, CsvForm
from hub.adapters.documents.forms import DocumentForm
from hub.adapters.documents.json_form import JsonDocuments
from hub.adapters.documents.xml_form import XmlDocuments, XmlForm
from hub.adapters.documents.xsd import XmlSchema
from hub.errors import ConfigurationError, InvalidInput, UnsupportedFeature
from tests.forms import examples

TYPES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" xmlns:t="urn:t">
 <xs:complexType name="Base"><xs:sequence><xs:element name="Number" type="xs:string"/></xs:sequence></xs:complexType>
 <xs:complexType name="Appeal"><xs:complexContent><xs:extension base="t:Base"><xs:sequence>
  <xs:element name="Date" type="xs:date"/>
  <xs:element name="Text"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="20"/></xs:restriction>
  </xs:simpleType></xs:element>
  <xs:element name="File" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:simpleContent>
   <xs:extension base="xs:base64Binary"><xs:attribute name="name" use="required"/></xs:extension>
  </xs:simpleContent></xs:complexType></xs:element>
 </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
</xs:schema>"""
ROOT = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:edms" xmlns:t="urn:t"
 elementFormDefault="qualified"><xs:import namespace="urn:t" schemaLocation="types/types.xsd"/>
 <xs:element name="Appeals"><xs:complexType><xs:sequence><xs:element name="Appeal" type="t:Appeal"/>
 <xs:element name="Note" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def csv(columns: str, **settings: Any) -> CsvDocuments:
    """A form with these columns."""
    return CsvDocuments(CsvForm(**settings), tuple(columns.split()))


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> XmlSchema:
    """A schema that imports another one of another namespace, whose elements have none."""
    folder = tmp_path_factory.mktemp("xsd")
    (folder / "types").mkdir()
    (folder / "types" / "types.xsd").write_text(TYPES)
    (folder / "appeal.xsd").write_text(ROOT)
    return XmlSchema(folder / "appeal.xsd")


def xml(values: dict[str, Any], **settings: Any) -> str:
    """XML without its declaration."""
    return XmlDocuments(XmlForm(**settings)).write(values).decode().partition("?>\n")[2]


def test_xml_has_attributes_texts_lists_and_namespaces() -> None:
    """The conventions: @name, #text, a list again and again, @xmlns for what has no prefix, @xmlns:p for the rest."""
    made = xml(
        {
            "p:A": {
                "@xmlns": "urn:d",
                "@xmlns:p": "urn:p",
                "@p:id": 7,
                "B": ["x", True],
                "C": {"@u": "m", "#text": "<&"},
                "D": None,
            }
        }
    )
    assert made == ('<p:A xmlns="urn:d" xmlns:p="urn:p" p:id="7"><B>x</B><B>true</B><C u="m">&lt;&amp;</C></p:A>')


@pytest.mark.parametrize(
    "values",
    [{}, {"A": "1", "B": "2"}, {"A": ["1", "2"]}, {"A": {"b c": "1"}}, {"A": {"p:B": "1"}}, {"A": {"@b": ["1"]}}],
)
def test_what_is_no_xml_is_refused(values: dict[str, Any]) -> None:
    """Two roots, names with blanks, prefixes that nobody declared, lists in attributes."""
    with pytest.raises(UnsupportedFeature, match=r"template\.mapping"):
        xml(values)


def test_an_encoding_that_lacks_a_letter_has_its_number_in_xml() -> None:
    """XML in windows-1251 says the letter as a character reference: nothing is lost."""
    data = XmlDocuments(XmlForm(encoding="windows-1251")).write({"A": "ґ 😀"})
    assert data.decode("cp1251").endswith("<A>ґ &#128512;</A>")


def test_the_schema_gives_order_and_namespaces(schema: XmlSchema) -> None:
    """The mapping names no namespace and no order; what goes out is what the schema declares, types of others too."""
    values = {"Appeals": {"Note": "n", "Appeal": {"Text": "Немає", "Date": "2026-12-01", "Number": "1"}}}
    made = XmlDocuments(XmlForm(), schema).write(values).decode()
    assert made.endswith(
        '<n:Appeals xmlns:n="urn:edms"><n:Appeal><Number>1</Number><Date>2026-12-01</Date><Text>Немає</Text></n:Appeal>'
        "<n:Note>n</n:Note></n:Appeals>"
    )


@pytest.mark.parametrize(
    ("appeal", "told"),
    [
        ({"Date": "2026-12-01", "Text": "x"}, "Date does not stand where .* [(]expected: Number[)]"),
        ({"Number": "1", "Date": "01.12.2026", "Text": "x"}, "Date is no xs:date"),
        ({"Number": "1", "Date": "2026-12-01", "Text": "x" * 21}, "Text is longer"),
        ({"Number": "1", "Date": "2026-12-01", "Text": "x", "File": ["YQ=="]}, "File lacks an attribute"),
        ({"Number": "1", "Date": "2026-12-01", "Text": "x", "Sex": "f"}, "Sex does not stand where"),
    ],
)
def test_what_the_schema_refuses_is_told_by_its_element(schema: XmlSchema, appeal: Any, told: str) -> None:
    """Nothing that the schema does not allow goes out; the element and the rule are named, no value."""
    with pytest.raises(UnsupportedFeature, match=told) as caught:
        XmlDocuments(XmlForm(), schema).write({"Appeals": {"Appeal": appeal}})
    assert caught.value.stable_code == ("template.type" if " is no " in told else "template.schema")


def test_a_root_that_the_schema_does_not_have_is_told(schema: XmlSchema) -> None:
    """The root is looked for by its name, and by its namespace where the mapping gives one."""
    for values in ({"Zayava": "1"}, {"Appeals": {"@xmlns": "urn:other"}}):
        with pytest.raises(UnsupportedFeature, match="has no root element"):
            XmlDocuments(XmlForm(), schema).write(values)


@pytest.mark.parametrize(
    "text",
    [
        "no XML",
        ROOT.replace("types/types.xsd", "../types.xsd"),
        ROOT.replace("types/types.xsd", "http://127.0.0.1:9/types.xsd"),
        ROOT.replace("t:Appeal", "t:Absent"),
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + ROOT,
    ],
)
def test_a_schema_reaches_its_folder_only(tmp_path: Path, text: str) -> None:
    """What is broken, or lies outside of its folder, is an error of the setting."""
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "types.xsd").write_text(TYPES)
    (folder / "appeal.xsd").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        XmlSchema(folder / "appeal.xsd")
    assert caught.value.stable_code == "template.schema"


def test_places_in_xml_are_dotted_local_names() -> None:
    """Elements, numbers, attributes; slashes where a name has a dot; prefixes do not matter."""
    data = b'<p:r xmlns:p="u"><p:a><b>1</b><b c="x">2</b></p:a><D.E>3</D.E></p:r>'
    (piece,) = XmlDocuments(XmlForm()).pieces(data)
    assert piece.find is not None
    places = ("a.b.0", "a.b.1", "a.b.1.@c", "a/b[2]", "D.E", "a.z", "a.b.1.#text", "a/b[1]/#text", "z.#text")
    assert [piece.find(place) for place in places] == ["1", "2", "x", "2", "3", None, "2", "1", None]


def test_an_elements_own_text_is_a_place() -> None:
    """Of a file that stands in its element: by ``#text`` or ``.``, beside its attributes."""
    (piece,) = XmlDocuments(XmlForm()).pieces(b'<r><Fayl imya="a.pdf">JVBE</Fayl></r>')
    assert piece.rows is not None
    (file,) = piece.rows("Fayl")
    assert [file(place) for place in ("#text", ".", "@imya")] == ["JVBE", "JVBE", "a.pdf"]


def test_several_statements_stand_in_one_document() -> None:
    """Each element at ``each``, each of a list."""
    found = list(XmlDocuments(XmlForm(), each="list.a").pieces(b"<r><list><a>1</a><b/><a>2</a></list></r>"))
    assert [piece.raw for piece in found] == [b"<a>1</a>", b"<a>2</a>"]
    listed = list(JsonDocuments("list").pieces(b'{"list":[{"a":1},7]}'))
    assert [piece.find("a") if piece.find else piece.fault for piece in listed] == ["1", "it is no object"]
    assert len(list(JsonDocuments().pieces(b"[{},{}]"))) == 2
    for absent in (XmlDocuments(XmlForm(), each="x").pieces(b"<r/>"), JsonDocuments("x").pieces(b"{}")):
        with pytest.raises(InvalidInput, match="There is no"):
            list(absent)


def test_csv_has_its_columns_in_order() -> None:
    """An absent value is an empty cell: no value slips into its neighbour's column."""
    assert csv("a b c").write({"c": 3, "a": True}) == b"a;b;c\r\ntrue;;3\r\n"
    made = csv("a b", header=False, delimiter="\t", quoting="all", line_ends="lf").write({"a": "x\ty", "b": 'q"q'})
    assert made == b'"x\ty"\t"q""q"\n'
    assert csv("a", header=False).write({"a": "1;2\n3"}) == b'"1;2\n3"\r\n'
    assert csv("a", header=False, line_breaks="blank").write({"a": "1 \r\n\r\n2"}) == b"1 2\r\n"


def test_csv_in_an_encoding_of_theirs_loses_no_letter() -> None:
    """A letter that windows-1251 lacks stops the message by its number, or is spelt if the channel says so."""
    form = csv("Text", encoding="windows-1251", header=False)
    assert form.write({"Text": "Ґанок №5"}) == "Ґанок №5\r\n".encode("cp1251")
    with pytest.raises(UnsupportedFeature, match=r"The column Text .*: \[U\+1F600\]") as caught:
        form.write({"Text": "ой 😀"})
    assert caught.value.stable_code == "template.encoding"
    spelling = csv("Text", encoding="windows-1251", header=False, unencodable="spell")
    assert spelling.write({"Text": "ой 😀"}).decode("cp1251") == "ой [U+1F600]\r\n"
    assert csv("a", encoding="utf-8-sig").write({"a": "1"}).startswith(b"\xef\xbb\xbfa\r\n")


@pytest.mark.parametrize("cell", ["=1+1", "+1+cmd|' /C calc'!A0", "-1@x", "@SUM(A1)", "\t=1", "+", "-x"])
def test_a_cell_that_a_spreadsheet_would_run_is_guarded(cell: str) -> None:
    """What a citizen wrote becomes no formula in an office's Excel, unless the channel wants it as it is."""
    assert list(csv("a", header=False).comparable(csv("a", header=False).write({"a": cell}).decode())) == [[f"'{cell}"]]
    kept = csv("a", header=False, formulas="keep")
    assert kept.comparable(kept.write({"a": cell}).decode()) == [[cell]]


@pytest.mark.parametrize("cell", ["+380 (50) 123-45-67", "-12,5", "Немає води", "2026-12-01"])
def test_numbers_and_telephones_stay_as_they_are(cell: str) -> None:
    """A spreadsheet runs nothing in them."""
    assert csv("a", header=False).write({"a": cell}).decode() == f"{cell}\r\n"


def test_each_row_of_theirs_is_a_statement() -> None:
    """By names of columns, however they are cased, or by numbers; empty rows say nothing; a bad one costs itself."""
    data = '\ufeffІд;Стан\r\n1;так\r\n;\r\n2;ні;3\r\n"3\nб";так\r\n'.encode()
    found = list(csv("").pieces(data))
    assert [(piece.place, piece.find("стан") if piece.find else piece.fault) for piece in found] == [
        ("row 2", "так"),
        ("row 4", "it has 3 cells, the header 2"),
        ("row 5", "так"),
    ]
    assert found[2].raw == 'Ід;Стан\r\n"3\nб";так\r\n'.encode()
    (bare,) = csv("", header=False, delimiter=",").pieces("1,ж\n".encode("cp1251"))
    assert bare.find is not None
    assert (bare.find("2"), bare.find("3")) == ("ж", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "data"),
    [
        (csv("", header=False), b"1\n" * 10_002),
        (JsonDocuments(), b"[" + b"{}," * 10_001 + b"{}]"),
        (XmlDocuments(XmlForm(), each="a"), b"<r>" + b"<a/>" * 10_002 + b"</r>"),
    ],
)
def test_of_too_many_statements_the_rest_is_told(form: DocumentForm, data: bytes) -> None:
    """Ten thousand are read; that there were more reaches a person."""
    found = list(form.pieces(data))
    assert len(found) == 10_001
    assert "more than 10000 statements" in (found[-1].fault or "")


def test_a_header_without_an_end_is_refused() -> None:
    """It would be kept with each row."""
    with pytest.raises(InvalidInput, match="20000"):
        list(csv("").pieces(b"a" * 20_001 + b"\n1\n"))


def test_a_row_without_an_end_costs_no_row_before_it() -> None:
    """A quotation mark that is never closed takes what follows it, and that is told."""
    found = list(csv("").pieces(b'a;b\n1;2\n3;"4\n5;6\n'))
    assert [piece.fault is None for piece in found] == [True, False]
    assert found[1].raw == b'3;"4\n5;6\n'


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='\r\n\t";,|'), max_size=30)


@given(st.lists(TEXTS, min_size=2, max_size=4), st.sampled_from(";,|\t"), st.sampled_from(["minimal", "all"]))
@settings(max_examples=examples(100))
def test_what_is_written_in_csv_is_read_again(cells: list[str], delimiter: str, quoting: str) -> None:
    """Whatever people write: cell by cell the same, but for blanks around it and the guard of formulas."""
    columns = [f"c{number}" for number in range(len(cells))]
    form = csv(" ".join(columns), delimiter=delimiter, quoting=quoting, formulas="keep")
    found = list(form.pieces(form.write(dict(zip(columns, cells, strict=True)))))
    read = [[piece.find(column) for column in columns] for piece in found if piece.find is not None]
    wanted = [cell.strip() or None for cell in cells]
    assert read == ([wanted] if any(wanted) else [])


@given(TEXTS.filter(lambda text: "\r" not in text))
@settings(max_examples=examples(100))
def test_what_is_written_in_xml_is_read_again(text: str) -> None:
    """As text and as an attribute: no letter is lost or becomes markup; blanks of attributes are blanks."""
    form = XmlDocuments(XmlForm())
    (piece,) = form.pieces(form.write({"a": {"@b": text, "c": text}}))
    assert piece.find is not None
    assert piece.find("c") == (text.strip() or None)
    assert (piece.find("@b") or "").split() == text.split()
