"""The published schemas: JSON Schema (2020-12) and XSD 1.0, generated from the models.

``python -m hub.schemas.publish`` renews the files in ``published/``; a test compares them. JSON Schema says all that
the hub checks, but for lengths, which count after cleaning, and years, which count in UTC. XSD 1.0 cannot say rules
between fields (that a receipt has what its status needs); the hub still checks them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Set
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from lxml import etree
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from hub.schemas.base import DAY_PATTERN, INSTANT_PATTERN, Code, Line, Text
from hub.schemas.centre import CONTACT_ONLY, UNCHECKED
from hub.schemas.envelope import ENVELOPE, REPLIES, VERSION, AppealForm
from hub.schemas.ids import UUID7_PATTERN
from hub.schemas.people import NEEDS_DOCUMENT
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.terms import BY_PHONE, AppealChannel, IdentityLevel
from hub.schemas.xml_rendering import DIGEST, ITEM, NAMESPACE

FOLDER: Final = Path(__file__).parent / "published"
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_XS: Final = "http://www.w3.org/2001/XMLSchema"
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_PREFIXES: Final[dict[Any, str]] = {"xs": _XS, None: NAMESPACE}

# Classes of XSD patterns; what XML 1.0 cannot hold needs no word. Blanks as in hub.schemas.base.
_BLANKS: Final = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BAD: Final = "\u007f-\u009f"
_BREAKS: Final = "\\t\\n\\r\u2028\u2029"
_TYPES: Final = {
    "Line": ("xs:string", f"[{_BLANKS}]*[^{_BLANKS}{_BREAKS}{_BAD}][^{_BREAKS}{_BAD}]*", "One line, not blank."),
    "Text": ("xs:string", f"[{_BLANKS}{_BREAKS}]*[^{_BLANKS}{_BREAKS}{_BAD}][^{_BAD}]*", "Lines, not all blank."),
    "Uuid7": ("xs:string", UUID7_PATTERN, "UUID version 7 (RFC 9562 section 5.7), lower case."),
    "Instant": ("xs:dateTime", INSTANT_PATTERN, "A moment with zone (RFC 3339); the hub keeps UTC with milliseconds."),
    "Day": ("xs:date", DAY_PATTERN, "A calendar day without zone."),
}
"""Named simple types: base, pattern, words."""


def _has(name: str) -> dict[str, Any]:
    """Condition that a member is there and not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _when(name: str, values: list[str], then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {name: {"enum": values}}, "required": [name]}, "then": then}


def _others(channels: Set[AppealChannel]) -> list[str]:
    return [channel.value for channel in AppealChannel if channel not in channels]


_WEAK: Final = [IdentityLevel.NONE.value, IdentityLevel.LOW.value]

# Rules between fields (the models' validators), for JSON Schema; XSD 1.0 cannot say them.
_RULES: Final[dict[str, list[dict[str, Any]]]] = {
    "Address": [{"anyOf": [_has("territory"), _has("text")]}],
    "RequestedAddressee": [{"anyOf": [_has("code"), _has("kind"), _has("text")]}],
    "Applicant": [_when("type", ["individual"], {"not": {"anyOf": [_has("collective_name"), _has("signatories")]}})],
    "AppealForm": [
        _when("channel", _others(BY_PHONE), {"not": {"anyOf": [_has("operator_notes"), _has("call")]}}),
        _when("channel", _others({AppealChannel.POST}), {"not": _has("letter")}),
    ],
    "Letter": [{"anyOf": [_has("dated"), _has("posted_on"), _has("postal_number")]}],
    "Representative": [_when("basis", sorted(NEEDS_DOCUMENT), _has("document"))],
    "Identity": [
        _when("method", sorted(UNCHECKED), {"properties": {"level": {"const": IdentityLevel.NONE}}}),
        _when("method", sorted(CONTACT_ONLY), {"properties": {"level": {"enum": _WEAK}}}),
    ],
    "ReceiptBody": [
        _when("status", ["registered"], {"allOf": [_has("number"), _has("date")]}),
        _when("status", ["refused"], _has("ground")),
    ],
    "SupplementEnvelope": [
        {
            "anyOf": [
                {"properties": {"body": _has("text")}},
                {"required": ["attachments"], "properties": {"attachments": {"type": "array", "minItems": 1}}},
            ]
        }
    ],
} | {
    model.__name__: [{"properties": {"header": _has("in_reply_to")}}]
    for kind, model in ENVELOPES.items()
    if kind in REPLIES
}


def _refine(schema: dict[str, Any], name: str) -> None:
    """Add what pydantic does not say of a model: that ``kind`` chooses, and the rules between fields."""
    if "kind" in schema["properties"] and "const" in schema["properties"]["kind"]:
        schema["properties"]["kind"].pop("default")
        schema["required"] = ["kind", *schema["required"]]
    for field in schema["properties"].values():
        if field.get("default", ...) is None:  # absent and null are the same; there is no value to fill in
            del field["default"]
    if name in _RULES:
        schema["allOf"] = _RULES[name]


def json_schema(adapter: TypeAdapter[Any], identifier: str, title: str) -> bytes:
    """The JSON Schema of a message. It takes ``null`` for what may be absent, as the hub does when it reads."""
    schema = adapter.json_schema(mode="validation")
    for name, definition in schema["$defs"].items():
        if definition["type"] == "object":
            _refine(definition, name)
    if "properties" in schema:
        _refine(schema, schema.pop("title"))
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
        self._document(element, "One message between the contact centre, the hub and an authority (конверт).")
        kind = self._new(element, "complexType")
        sequence = self._new(kind, "sequence")
        for type_name, (base, pattern, words) in _TYPES.items():
            simple = self._new(self.root, "simpleType", name=type_name)
            self._document(simple, words)
            self._new(self._new(simple, "restriction", base=base), "pattern", value=_xsd_pattern(pattern))
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
        named = {date: "Day", datetime: "Instant", uuid.UUID: "Uuid7"}
        if shape.scalar in named:
            element.set("type", named[shape.scalar])
        elif shape.scalar is int:
            restriction = self._restriction(element, "xs:integer")
            self._new(restriction, "pattern", value="-?(0|[1-9][0-9]*)")
            for key, facet in (("ge", "minInclusive"), ("le", "maxInclusive")):
                bound = _bound(shape.metadata, key)
                if bound is not None:
                    self._new(restriction, facet, value=str(bound))
        else:
            self._text(element, shape)

    def _text(self, element: etree._Element, shape: Shape) -> None:
        for rule in shape.metadata:
            if isinstance(rule, Code):
                restriction = self._restriction(element, "xs:string")
                self._new(restriction, "pattern", value=_xsd_pattern(rule.pattern))
                return
            if isinstance(rule, Line | Text):
                restriction = self._restriction(element, type(rule).__name__)
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
    """XSD's patterns are anchored and know no ``(?:``; at the end of a class a hyphen must be escaped there."""
    return re.sub(r"(?<!\\)-\]", r"\\-]", pattern.replace("(?:", "("))


def xsd() -> bytes:
    """The XSD of the envelope."""
    built = _Xsd()
    built.envelope()
    text = etree.tostring(built.root, pretty_print=True, encoding="unicode")
    # Blanks and controls of the patterns as references: nobody sees them otherwise, and editors change them.
    shown = "".join(c if c.isprintable() or c == "\n" else f"&#x{ord(c):X};" for c in text)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{shown}'.encode()


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
