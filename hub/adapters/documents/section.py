"""Section ``template`` of a channel that carries documents, as far as it is the same for all ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.documents.csv_form import CsvDocuments, CsvForm
from hub.adapters.documents.forms import DocumentForm
from hub.adapters.documents.json_form import JsonDocuments
from hub.adapters.documents.xml_form import XmlDocuments, XmlForm
from hub.adapters.documents.xsd import XmlSchema
from hub.adapters.mapping import AnswerMapping, AnswerPath, Find, Rows
from hub.adapters.mapping_check import CONTENT, Place, RequestCheck, Slip, sent_places
from hub.adapters.mapping_cover import Reader
from hub.adapters.mapping_tests import Texts, slips_of_tests
from hub.adapters.template import MappedSection
from hub.schemas import charsets
from hub.schemas.base import Code, Frozen
from hub.schemas.shapes import Leaf

Format: TypeAlias = Literal["json", "xml", "csv"]
Names: TypeAlias = Annotated[str, Code(r"[^/\\\x00-\x1f\x7f]{1,100}")]
"""Names of files: ``ANS-*.xml``; ``*`` stands for anything, letter case does not matter."""
_XML_NAME: Final = re.compile(r"@?(?:[A-Za-z_\u0400-\u04ff][\w.-]*:)?[A-Za-z_\u0400-\u04ff][\w.-]*|#text")


class Answers(Frozen):
    """Documents in which they answer. ``format``, ``csv``: absent = as those that go out; ``names``: of files that are
    read; ``each``: where several statements stand in one document (in CSV each row is one).
    """

    format: Format | None = None
    names: Names = "*"
    each: AnswerPath | None = None
    csv: CsvForm | None = None


class DocumentSection(MappedSection):
    """The document: its ``format`` and what the form needs. ``answer``: the meaning of theirs, ``answers``: which."""

    format: Format
    xml: XmlForm = Field(default_factory=XmlForm)
    csv: CsvForm = Field(default_factory=CsvForm)
    answer: AnswerMapping | None = None
    answers: Answers = Field(default_factory=Answers)

    @model_validator(mode="after")
    def _forms_fit(self) -> DocumentSection:
        if self.answers.each is not None and self.answers.format == "csv":
            raise PydanticCustomError("each", "in CSV each row is a statement: no each")
        if self.xml.xsd is not None and self.format != "xml":
            raise PydanticCustomError("xsd", "a schema is for format: xml")
        return self

    def answered(self) -> AnswerMapping | None:
        """The section ``answer``."""
        return self.answer

    def form(self, schema: XmlSchema | None) -> DocumentForm:
        """The form of what goes out."""
        if self.format == "json":
            return JsonDocuments()
        if self.format == "xml":
            return XmlDocuments(self.xml, schema)
        return CsvDocuments(self.csv, tuple(self.request))

    def answer_form(self) -> DocumentForm:
        """The form of what comes back."""
        kind, each = self.answers.format or self.format, self.answers.each
        if kind == "json":
            return JsonDocuments(each)
        if kind == "xml":
            return XmlDocuments(self.xml, each=each)
        return CsvDocuments(self.answers.csv or self.csv, ())

    def slips(self) -> list[Slip]:
        """Faults of the mapping, and of a tree that the form cannot hold."""
        return [*super().slips(), *self._shape_slips()]

    def _shape_slips(self) -> Iterator[Slip]:
        if self.answer is not None and self.answer.files is not None and self.answer.files.url is not None:
            yield Slip(("answer", "files", "url"), "mapping_rule", "nothing is fetched here: content, in base64")
        if self.format == "csv":
            check = RequestCheck(self.tree())
            for name, node in self.request.items():
                if any(place[0] == "attachments" and place[-1] == CONTENT for place in sent_places(node)):
                    yield Slip(("request", name), "mapping_rule", "no column holds a file: not $item.content")
                elif not _one_value(node, check):
                    yield Slip(
                        ("request", name), "mapping_rule", "a column holds one value: join a list, name a member"
                    )
        if self.format == "xml":
            if len(self.request) != 1 or next(iter(self.request)).startswith(("@", "#", "$")):
                yield Slip(("request",), "mapping_rule", "XML has one root: exactly one member, an element")
            yield from _names(self.request, ("request",))

    def reader(self) -> Reader:
        """Reader of documents of theirs."""
        return Reader(finder_of(self.answer_form()), rows_of(self.answer_form()))

    def tested(self) -> list[Slip]:
        """Faults that the tests show; what is shown as text needs the schema, where there is one (``documents``)."""
        texts = None if self.xml.xsd is not None else texts_of(self.form(None))
        return list(
            slips_of_tests(
                self.tests,
                self.tried,
                finder_of(self.answer_form()),
                self.answered(),
                self.polled(),
                texts,
                rows=rows_of(self.answer_form()),
            )
        )


def finder_of(form: DocumentForm) -> Callable[[Any], Find]:
    """How a test's answer is read."""

    def find(said: Any) -> Find:
        found = form.shown(said).find
        return found if found is not None else lambda _: None

    return find


def rows_of(form: DocumentForm) -> Callable[[Any], Rows]:
    """How pieces of a test's answer are read."""

    def rows(said: Any) -> Rows:
        found = form.shown(said).rows
        return found if found is not None else lambda _: ()

    return rows


def texts_of(form: DocumentForm) -> Texts:
    """How a test's text is compared."""
    return Texts(written=lambda values: _text(form.write(values)), read=form.comparable)


def _text(data: bytes) -> str:
    return charsets.decode(data, charsets.declared(data))


def _one_value(node: Any, check: RequestCheck) -> bool:
    if isinstance(node, Mapping):
        return "$from" in node and ("join" in node or _one_value(node["$from"], check))
    if isinstance(node, str) and node.startswith("$") and not node.startswith("$$"):
        shape = check.shape_at(node)
        return shape is None or isinstance(shape, Leaf)
    return not isinstance(node, list)


def _names(node: Any, at: Place) -> Iterator[Slip]:
    """Names that no element and no attribute can have."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _names(each, (*at, number))
    if not isinstance(node, Mapping) or "$from" in node:
        return
    for name, child in node.items():
        if name in ("$each", "as"):
            yield from _names(child, (*at, name))
        elif not str(name).startswith("$") and not _XML_NAME.fullmatch(str(name)):
            yield Slip((*at, name), "mapping_rule", "no element and no attribute (@name) can be called so")
        else:
            yield from _names(child, (*at, name))
