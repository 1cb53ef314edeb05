"""The published schemas: JSON Schema (2020-12) and XSD 1.0, generated from the models.

``python -m hub.schemas.publish`` renews the files in ``published/``; a test compares them. What a schema language
cannot say (that a reply names what it answers, that a receipt has what its status needs) the hub still checks.
"""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from lxml import etree
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from hub.schemas.base import Code, Line, Text
from hub.schemas.envelope import ENVELOPE, VERSION, AppealForm
from hub.schemas.ids import UUID7_PATTERN
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.xml_rendering import DIGEST, ITEM, NAMESPACE

FOLDER: Final = Path(__file__).parent / "published"
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_XS: Final = "http://www.w3.org/2001/XMLSchema"
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_PREFIXES: Final[dict[Any, str]] = {"xs": _XS, None: NAMESPACE}
_INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+\-][0-9]{2}:[0-9]{2})"


def _without_null(schema: Any) -> Any:
    """What may be absent is left out, never null: the canonical form has no null."""
    if isinstance(schema, list):
        return [_without_null(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _without_null(value) for key, value in schema.items() if not (key == "default" and value is None)}
    options = rest.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        options = [option for option in options if option != {"type": "null"}]
        rest.pop("anyOf")
        rest = {**options[0], **rest} if len(options) == 1 else {**rest, "anyOf": options}
    return rest


def json_schema(adapter: TypeAdapter[Any], identifier: str, title: str) -> bytes:
    """The JSON Schema of a message."""
    schema = _without_null(adapter.json_schema(mode="validation"))
    schema = {"$schema": _DRAFT, "$id": identifier, "title": title, **schema}
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


class _Xsd:
    """Builds the XSD: a named type per model and vocabulary, one global element."""

    def __init__(self) -> None:
        self.root = etree.Element(f"{{{_XS}}}schema", nsmap=_PREFIXES)
        self.root.set("targetNamespace", NAMESPACE)
        self.root.set("elementFormDefault", "qualified")
        self.root.set("version", VERSION)
        self._done: set[str] = set()

    def _new(self, parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
        element = etree.SubElement(parent, f"{{{_XS}}}{tag}")
        for key, value in attributes.items():
            element.set(key, value)
        return element

    def _document(self, element: etree._Element, doc: str | None) -> None:
        if doc:
            note = self._new(self._new(element, "annotation"), "documentation")
            note.text = " ".join(doc.split())

    def envelope(self) -> None:
        """The root element."""
        element = self._new(self.root, "element", name="envelope")
        self._document(element, "One message between the contact centre, the hub and an authority.")
        kind = self._new(element, "complexType")
        sequence = self._new(kind, "sequence")
        fields = shapes(ENVELOPES["appeal"])
        self._field(sequence, fields["header"])
        choice = self._new(sequence, "choice")
        for name, model in ENVELOPES.items():
            body = shapes(model)["body"].model
            assert body is not None
            self._new(choice, "element", name=name, type=self.model(body))
        self._field(sequence, fields["attachments"])
        self._new(sequence, "any", namespace=_DS, processContents="skip", minOccurs="0", maxOccurs="1")
        version = self._new(kind, "attribute", name="version", type="xs:string", use="required")
        version.set("fixed", VERSION)
        digest = self._new(kind, "attribute", name=DIGEST, use="optional")
        self._new(self._restriction(digest, "xs:string"), "pattern", value="[0-9a-f]{64}")

    def _restriction(self, parent: etree._Element, base: str) -> etree._Element:
        return self._new(self._new(parent, "simpleType"), "restriction", base=base)

    def model(self, model: type[BaseModel]) -> str:
        """The type of a model, made once."""
        name = model.__name__
        if name not in self._done:
            self._done.add(name)
            kind = self._new(self.root, "complexType", name=name)
            self._document(kind, model.__doc__)
            sequence = self._new(kind, "sequence")
            for shape in shapes(model).values():
                self._field(sequence, shape)
        return name

    def _field(self, sequence: etree._Element, shape: Shape) -> None:
        element = self._new(sequence, "element", name=shape.name)
        if not shape.required:
            element.set("minOccurs", "0")
        if not shape.many:
            self._typed(element, shape)
            return
        bounds = {key: _bound(shape.list_metadata, key) for key in ("min_length", "max_length")}
        inner = self._new(self._new(element, "complexType"), "sequence")
        item = self._new(inner, "element", name=ITEM, minOccurs=str(max(bounds["min_length"] or 0, 1)))
        item.set("maxOccurs", str(bounds["max_length"] or "unbounded"))
        self._typed(item, shape)

    def _typed(self, element: etree._Element, shape: Shape) -> None:
        if shape.model is not None:
            element.set("type", self.model(shape.model))
        elif isinstance(shape.scalar, type) and issubclass(shape.scalar, StrEnum):
            element.set("type", self._vocabulary(shape.scalar))
        else:
            self._plain(element, shape)

    def _vocabulary(self, enum: type[StrEnum]) -> str:
        name = enum.__name__
        if name not in self._done:
            self._done.add(name)
            kind = self._new(self.root, "simpleType", name=name)
            self._document(kind, enum.__doc__)
            restriction = self._new(kind, "restriction", base="xs:string")
            for value in enum:
                self._new(restriction, "enumeration", value=value)
        return name

    def _plain(self, element: etree._Element, shape: Shape) -> None:
        scalar = shape.scalar
        if scalar is date:
            self._pattern(element, "xs:date", "[0-9]{4}-[0-9]{2}-[0-9]{2}")
        elif scalar is datetime:
            self._pattern(element, "xs:dateTime", _INSTANT)
        elif scalar is uuid.UUID:
            self._pattern(element, "xs:string", UUID7_PATTERN)
        elif scalar is int:
            restriction = self._restriction(element, "xs:integer")
            for key, facet in (("ge", "minInclusive"), ("le", "maxInclusive")):
                bound = _bound(shape.metadata, key)
                if bound is not None:
                    self._new(restriction, facet, value=str(bound))
        elif get_origin(scalar) is Literal:
            restriction = self._restriction(element, "xs:string")
            for value in get_args(scalar):
                self._new(restriction, "enumeration", value=str(value))
        else:
            self._text(element, shape)

    def _pattern(self, element: etree._Element, base: str, pattern: str) -> None:
        self._new(self._restriction(element, base), "pattern", value=pattern)

    def _text(self, element: etree._Element, shape: Shape) -> None:
        for rule in shape.metadata:
            if isinstance(rule, Code):
                self._pattern(element, "xs:string", _xsd_pattern(rule.pattern))
                return
            if isinstance(rule, Line | Text):
                restriction = self._restriction(element, "xs:string")
                self._new(restriction, "minLength", value="1")
                self._new(restriction, "maxLength", value=str(rule.max_length))
                return
        raise TypeError(f"no rule says how {shape.name} is spelled")


def _bound(metadata: tuple[Any, ...], key: str) -> int | None:
    for rule in metadata:
        for part in rule.metadata if isinstance(rule, FieldInfo) else (rule,):
            value = getattr(part, key, None)
            if value is not None:
                return int(value)
    return None


def _xsd_pattern(pattern: str) -> str:
    """XSD's patterns are anchored and know no ``(?:``; a hyphen in a class must be escaped there."""
    plain = pattern.replace("(?:", "(")
    return plain.replace("~-]", r"~\-]").replace(".-]", r".\-]").replace("()-]", r"()\-]").replace("( )", "( )")


def xsd() -> bytes:
    """The XSD of the envelope."""
    built = _Xsd()
    built.envelope()
    text: bytes = etree.tostring(built.root, pretty_print=True, encoding="UTF-8", xml_declaration=True)
    return text


def documents() -> dict[str, bytes]:
    """All published files by name."""
    return {
        f"envelope-{VERSION}.schema.json": json_schema(ENVELOPE, "urn:ua:appeal-hub:schema:envelope:1.0", "Envelope"),
        f"appeal-form-{VERSION}.schema.json": json_schema(
            TypeAdapter(AppealForm), "urn:ua:appeal-hub:schema:appeal-form:1.0", "Unified form of an appeal"
        ),
        f"envelope-{VERSION}.xsd": xsd(),
    }


def write(folder: Path = FOLDER) -> list[Path]:
    """Write all published files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in documents().items():
        (folder / name).write_bytes(data)
        written.append(folder / name)
    return written


if __name__ == "__main__":
    write()
