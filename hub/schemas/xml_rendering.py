"""XML rendering of the envelope, loss-free both ways.

``<envelope xmlns="urn:ua:appeal-hub:envelope:1" version="1.0" jcs-sha256="…">`` holds ``header``, one element named by
the kind, and ``attachments``. Elements are called as the JSON fields are and stand in the model's order; the entries of
a list stand as ``item`` in an element named by the field. ``jcs-sha256`` is the SHA-256 of the RFC 8785 bytes: anyone
sees that the two renderings are one message, and the hub refuses XML that says another digest than it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from lxml import etree
from pydantic import BaseModel

from hub.errors import Fault, InvalidInput, TooLarge
from hub.schemas import jcs, strict_xml
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.faults import capped
from hub.schemas.json_rendering import MAX_MEMBERS, from_trusted, to_json, to_tree
from hub.schemas.shape import ENVELOPES, Shape, shapes

NAMESPACE: Final = "urn:ua:appeal-hub:envelope:1"
_PREFIXES: Final[dict[Any, str]] = {None: NAMESPACE}
DIGEST: Final = "jcs-sha256"
ITEM: Final = "item"
_ROOT: Final = f"{{{NAMESPACE}}}envelope"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_ROOT_ATTRIBUTES: Final = frozenset({"version", DIGEST})
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})", re.ASCII)
_BLANK: Final = " \t\r\n"
_COLLAPSED: Final = (int, date, datetime)
"""Around these XML Schema takes blanks away (part 2, whiteSpace = collapse); around text and codes it does not."""


def _add(parent: etree._Element, shape: Shape, value: Any, name: str | None = None) -> None:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name or shape.name}")
    if shape.many and name is None:
        for entry in value:
            _add(element, shape, entry, ITEM)
    elif shape.model is not None:
        _fill(element, shape.model, value)
    else:
        element.text = str(value)


def _fill(element: etree._Element, model: type[BaseModel], tree: dict[str, Any]) -> None:
    for name, shape in shapes(model).items():
        if name in tree:
            _add(element, shape, tree[name])


def to_xml(envelope: AnyEnvelope) -> bytes:
    """The envelope as XML 1.0 in UTF-8, without blanks between elements."""
    tree = to_tree(envelope)
    root = etree.Element(_ROOT, nsmap=_PREFIXES)
    root.set("version", envelope.version)
    root.set(DIGEST, jcs.digest(jcs.canonical_bytes(tree)))
    fields = shapes(type(envelope))
    _add(root, fields["header"], tree["header"])
    _add(root, fields["body"], tree["body"], envelope.kind)
    if "attachments" in tree:
        _add(root, fields["attachments"], tree["attachments"])
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


class _Reader:
    """From elements to a JSON tree. What the model cannot see (order, repeats, stray text) is found here."""

    def __init__(self, signature: etree._Element | None) -> None:
        self.faults: list[Fault] = []
        self._signature = signature

    def fault(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(pointer=path, code=code, message=message))

    def children(self, element: etree._Element, path: str) -> Iterator[tuple[str, etree._Element]]:
        """Child elements with their names; attributes, stray text and foreign names are faults."""
        stray = [element.text, *(child.tail for child in element)]
        if any(text and text.strip(_BLANK) for text in stray):
            self.fault(path, "xml.text", "has text between its elements")
        if len(element) > MAX_MEMBERS:  # as in JSON: a flood is refused before every fault of it is named
            flood = Fault(pointer=path, code="xml.members", message=f"holds more than {MAX_MEMBERS} elements")
            raise TooLarge("The envelope is over a limit.", faults=[flood])
        for child in element:
            if child is self._signature:
                continue
            name = etree.QName(child)
            if name.namespace != NAMESPACE:
                self.fault(path, "unknown_field", "holds an element of another namespace")
                continue
            local = jcs.escape_pointer(name.localname)
            if child.attrib:
                self.fault(f"{path}/{local}", "xml.attribute", "must have no attributes")
            yield local, child

    def model(self, element: etree._Element, model: type[BaseModel], path: str) -> dict[str, Any]:
        fields = shapes(model)
        order = list(fields)
        tree: dict[str, Any] = {}
        last = -1
        for name, child in self.children(element, path):
            here = f"{path}/{name}"
            if name in tree:
                self.fault(here, "xml.duplicate", "stands more than once")
            elif name not in fields:
                self.fault(here, "unknown_field", "is not an element of this message")
            else:
                if order.index(name) < last:
                    self.fault(here, "xml.order", "does not stand in the order of the schema")
                last = max(last, order.index(name))
                tree[name] = self.field(child, fields[name], here)
        return tree

    def field(self, element: etree._Element, shape: Shape, path: str) -> Any:
        if not shape.many:
            return self.value(element, shape, path)
        entries: list[Any] = []
        for name, child in self.children(element, path):
            here = f"{path}/{ITEM}[{len(entries) + 1}]"
            if name != ITEM:
                self.fault(f"{path}/{name}", "unknown_field", "a list holds only elements named item")
            entries.append(self.value(child, shape, here))
        if not entries:
            self.fault(path, "too_few", "must not be empty; leave the element out")
        return entries

    def value(self, element: etree._Element, shape: Shape, path: str) -> Any:
        if shape.model is not None:
            return self.model(element, shape.model, path)
        if len(element):
            self.fault(path, "type", "must hold text only")
        text = element.text or ""
        if shape.scalar in _COLLAPSED:
            text = text.strip(_BLANK)
        return int(text) if shape.scalar is int and _INTEGER.fullmatch(text) else text

    def root(self, root: etree._Element) -> dict[str, Any]:
        if root.tag != _ROOT:
            self.fault("/*", "xml.root", f"must be envelope of {NAMESPACE}")
            return {}
        for name in root.attrib:
            if name not in _ROOT_ATTRIBUTES:
                self.fault("/envelope", "xml.attribute", "has an attribute that is not known")
        tree: dict[str, Any] = {"version": root.get("version")}
        if tree["version"] is None:
            self.fault("/envelope/@version", "missing", "must be given")
        places = {"header": 0, "attachments": 2}
        last = -1
        for name, child in self.children(root, "/envelope"):
            here = f"/envelope/{name}"
            place = places.get(name, 1)
            key = "body" if name in ENVELOPES else name
            if key in tree or place < last:
                self.fault(here, "xml.order", "stands twice or out of order")
                continue
            last = place
            if name in ENVELOPES:
                tree["kind"] = name
                tree["body"] = self.model(child, _body(name), here)
            elif name in places:
                tree[name] = self.field(child, shapes(ENVELOPES["appeal"])[name], here)
            else:
                self.fault(here, "unknown_field", "is not an element of an envelope")
        if "kind" not in tree:
            self.fault("/envelope", "missing", "must hold one element named by a kind")
        return tree


def _body(kind: str) -> type[BaseModel]:
    model = shapes(ENVELOPES[kind])["body"].model
    assert model is not None
    return model


def _xpath(pointer: str, kind: str) -> str:
    """The XPath of a JSON pointer of the model."""
    if pointer == "/version":
        return "/envelope/@version"
    steps = []
    for index, step in enumerate(pointer.split("/")[1:]):
        if step.isdigit():
            steps.append(f"/{ITEM}[{int(step) + 1}]")
        else:
            steps.append("/" + (kind if index == 0 and step == "body" else step))
    return "/envelope" + "".join(steps)


def from_xml(data: bytes, *, allow_signature: bool = False) -> AnyEnvelope:
    """Read an envelope; nothing in it is resolved or fetched.

    Raises ``InvalidInput`` that names every fault by XPath (names without prefix), ``TooLarge`` over a limit. Of a
    sealed document pass the bytes that verification returned, never the document itself: ``allow_signature`` steps over
    a ``ds:Signature`` at the end of the root without verifying it, for looking at a document, not for believing it.
    """
    return from_element(strict_xml.parse(data), allow_signature=allow_signature)


def from_element(root: etree._Element, *, allow_signature: bool = False) -> AnyEnvelope:
    """Like ``from_xml``, from a tree that ``strict_xml`` has passed. The tree is not changed."""
    signed = allow_signature and len(root) and root[-1].tag == _SIGNATURE
    reader = _Reader(root[-1] if signed else None)
    tree = reader.root(root)
    kind = tree.get("kind", "")
    if not kind:
        raise InvalidInput("This is not an envelope.", faults=capped(reader.faults))
    envelope = None
    try:
        envelope = from_trusted(json.dumps(tree, ensure_ascii=False).encode())
    except InvalidInput as refusal:
        known = {fault.pointer for fault in reader.faults}
        faults = [Fault(pointer=_xpath(f.pointer, kind), code=f.code, message=f.message) for f in refusal.faults]
        reader.faults += [fault for fault in faults if fault.pointer not in known]
    stated = root.get(DIGEST)
    if envelope is not None and stated is not None and stated != jcs.digest(to_json(envelope)):
        reader.fault(f"/envelope/@{DIGEST}", "xml.digest", "is not the SHA-256 of the message's RFC 8785 bytes")
    if envelope is None or reader.faults:
        raise InvalidInput("The envelope breaks the rules of its form.", faults=capped(reader.faults))
    return envelope
