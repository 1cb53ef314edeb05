"""Documents in an authority's own form: JSON, XML and CSV as they answer with."""

from __future__ import annotations

from hub.adapters import mapping as maps
from hub.adapters.documents.csv_form import CsvDocuments, CsvForm
from hub.adapters.documents.forms import DocumentForm
from hub.adapters.documents.json_form import JsonDocuments
from hub.adapters.documents.xml_form import XmlDocuments, XmlForm
from hub.adapters.mapping import AnswerMapping
from tests.fuzz.judging import Target
from tests.fuzz.readers import chosen

_FORMS: tuple[DocumentForm, ...] = (
    CsvDocuments(CsvForm(), ()),
    CsvDocuments(CsvForm(encoding="windows-1251", header=False, delimiter=","), ()),
    JsonDocuments(),
    JsonDocuments("list"),
    XmlDocuments(XmlForm()),
    XmlDocuments(XmlForm(), each="list.item"),
)
_RULES = AnswerMapping.model_validate(
    {
        "status": {"path": "status", "values": {"1": "answered", "2": "registered"}},
        "echo": "id",
        "number": "1",
        "date": {"path": "date", "date": "%d.%m.%Y"},
        "text": "a.0.@b",
        "files": {"each": "f", "content": "c"},
    }
)


def _documents(data: bytes) -> None:
    form, rest = chosen(data, _FORMS)
    for piece in form.pieces(rest):
        if piece.find is not None:
            maps.meaning(_RULES, piece.find, piece.rows)
        else:
            assert piece.fault, "a piece that cannot be read says why"


TARGETS = (
    Target(
        name="documents",
        reads=_documents,
        seeds=lambda: [
            b'\0id;status;date\r\n1;2;02.03.2026\r\n"3\n";1;\r\n',
            "\1так,2,ні\n".encode("cp1251"),
            b'\2[{"id":1,"status":1,"f":[{"c":"YQ=="}]},7]',
            b'\3{"list":[{"id":"x"}]}',
            '\4<a><id>1</id><status>1</status><a b="ї"/><f><c>YQ==</c></f></a>'.encode(),
            b"\5<r><list><item><id>1</id></item><item/></list></r>",
        ],
        words=(b";", b'"', b"\r\n", b"</item>", b'"list":[', b"id"),
    ),
)
