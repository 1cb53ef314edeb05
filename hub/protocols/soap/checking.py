"""Requests held against the schemas of their description, before anything goes out: zeep writes without looking.

libxml2 does it, with the documents that the description holds and nothing else. What is wrong is told by the names of
elements and the rules; no value is in it, for a value may be somebody's words.
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from hub.net.secret_marks import is_marked
from hub.protocols.soap.files import XSD, Documents

_PLACE: Final = "hub-schema:/"
_CALLS: Final = "urn:ua:appeal-hub:rpc"
_IMPORT, _INCLUDE, _SCHEMA = (f"{{{XSD}}}{name}" for name in ("import", "include", "schema"))
_ELEMENT: Final = re.compile(r"Element '(?:\{[^']*\})?([^']*)'(?:, attribute '(?:\{[^']*\})?([^']*)')?")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( ([^()]{1,500}) \)\.?$")
_SPACE: Final = re.compile(r"\{[^{}]*\}")
_TYPE: Final = re.compile(r"type '((?:\{[^'{}]*\})?[\w.:-]+)'\.?$")
_RULES: Final = (
    ("ENUMERATION", "is not one of the values that the schema lists"),
    ("MAXLENGTH", "is longer than the schema allows"),
    ("MINLENGTH", "is shorter than the schema allows"),
    ("_LENGTH", "has not the length that the schema demands"),
    ("PATTERN", "is not of the pattern that the schema demands"),
    ("INCLUSIVE", "is out of the range that the schema allows"),
    ("EXCLUSIVE", "is out of the range that the schema allows"),
    ("CVC_ELT_5_2_2", "is not the one value that the schema allows"),
    ("CVC_TYPE_2", "is of an abstract type, which no request can say"),
    ("DIGITS", "has more digits than the schema allows"),
    ("ELEMENT_CONTENT", "does not stand where the schema wants it, or something before it is missing"),
    ("CVC_COMPLEX_TYPE_4", "lacks an attribute that the schema demands"),
)
_OF_VALUES: Final = re.compile(
    "LENGTH|PATTERN|ENUMERATION|CLUSIVE|DIGITS|DATATYPE|CVC_TYPE_3_1|CVC_ATTRIBUTE_3|CVC_ELT_5_2_2"
)
_LISTED: Final = re.compile(r"set \{([^{}]{1,5000})\}")
_QUOTED: Final = re.compile(r"'([^']*)'")
_MAX_TOLD: Final = 10
_UNDECLARED: Final = "SCHEMAV_CVC_ELT_1"
"""A header block that the binding declares by its type alone is declared in no schema."""


@dataclass(frozen=True, slots=True)
class RpcPart:
    """One parameter of an operation in style rpc: its name and the name of its type."""

    name: str
    namespace: str
    kind: str


@dataclass(frozen=True, slots=True)
class RpcCall:
    """The element that an operation in style rpc writes; it stands in no schema."""

    namespace: str
    name: str
    parts: tuple[RpcPart, ...]


class RequestSchema:
    """The schemas of a description, compiled. Safe to use from many threads."""

    def __init__(self, schema: etree.XMLSchema, calls: tuple[RpcCall, ...]) -> None:
        self._schema = schema
        self._calls = {(call.namespace, call.name): number for number, call in enumerate(calls)}
        self._lock = threading.Lock()

    def faults(self, envelope: etree._Element, style: str = "document") -> tuple[str, ...]:
        """Rules that the elements of a request's Body break; empty if none."""
        found: dict[str, str] = {}
        for element in _blocks(envelope, "Body"):
            self._look(self._parameters(element) if style == "rpc" else element, found)
        for element in _blocks(envelope, "Header"):
            self._look(element, found, unknown=False)
        return tuple(found.values())[:_MAX_TOLD]

    def _look(self, element: etree._Element, found: dict[str, str], *, unknown: bool = True) -> None:
        """Add what is wrong with an element. ``unknown``: also that no schema declares it."""
        with self._lock:  # the log belongs to the schema
            if self._schema.validate(element):
                return
            errors = [(each.type_name, each.message) for each in iter(self._schema.error_log)]  # type: ignore[call-overload]
        secret = frozenset(_secret(element))
        for kind, message in errors:
            if unknown or kind != _UNDECLARED:
                name = _name(message)
                if name in secret and _OF_VALUES.search(kind):
                    continue  # it is the mark that does not fit, and the secret may
                found.setdefault(name, f"{name} {_rule(kind, message)}")

    def faults_of(self, element: etree._Element) -> tuple[str, ...]:
        """Rules that a document's root, or an element in it, breaks; empty if none."""
        found: dict[str, str] = {}
        self._look(element, found)
        return tuple(found.values())[:_MAX_TOLD]

    def value_fault(self, name: str, text: str) -> tuple[str, tuple[str, ...]] | None:
        """Rule that a text breaks as the value of this root, and the values that the schema lists for it; None if it
        breaks none, or no such root is declared.
        """
        element = etree.Element(name)
        element.text = text
        with self._lock:
            self._schema.validate(element)
            errors = [(each.type_name, each.message) for each in iter(self._schema.error_log)]  # type: ignore[call-overload]
        broken = [(kind, message) for kind, message in errors if _OF_VALUES.search(kind)]
        if not broken:
            return None
        listed = next((found[1] for _, message in broken if (found := _LISTED.search(message))), "")
        return _rule(*broken[0]), tuple(_QUOTED.findall(listed))

    def _parameters(self, element: etree._Element) -> etree._Element:
        """What a call in style rpc says, under a name that a schema has."""
        name = etree.QName(element)
        number = self._calls.get((name.namespace or "", name.localname))
        made = etree.Element(f"{{{_CALLS}}}call-{number}")
        made.extend([copy.deepcopy(child) for child in element])
        return made


def _blocks(envelope: etree._Element, name: str) -> Iterator[etree._Element]:
    holder = envelope.find(f"{{*}}{name}")
    return iter(()) if holder is None else holder.iterchildren(etree.Element)


def _secret(content: etree._Element) -> Iterator[str]:
    """Names of elements and attributes in which a secret stands."""
    for element in content.iter(etree.Element):
        name = etree.QName(element).localname
        if is_marked(element.text or ""):
            yield name
        yield from (f"{name}/@{etree.QName(at).localname}" for at, text in element.items() if is_marked(str(text)))


def _name(message: str) -> str:
    match = _ELEMENT.match(message)
    if match is None:
        return "the request"
    return f"{match[1]}/@{match[2]}" if match[2] else match[1]


def _rule(kind: str, message: str) -> str:
    known = next((words for word, words in _RULES if word in kind), None)
    if known is not None:
        expected = _EXPECTED.search(message)
        return known if expected is None else f"{known} (expected: {_SPACE.sub('', expected[1])})"
    match = _TYPE.search(message)
    return (
        f"is no {match[1].rpartition('}')[2]}" if match else f"breaks the rule {kind.removeprefix('SCHEMAV_').lower()}"
    )


def compiled(documents: Documents, calls: Iterable[RpcCall] = ()) -> RequestSchema:
    """The schemas of a description, and of its calls in style rpc. ``etree.LxmlError`` if libxml2 cannot take them."""
    made = _Assembly(documents, tuple(calls))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    parser.resolvers.add(_Resolver(made.documents()))
    root = etree.fromstring(made.root(), parser, base_url=f"{_PLACE}root")
    return RequestSchema(etree.XMLSchema(root), made.calls)


class _Resolver(etree.Resolver):
    """Gives libxml2 the assembled schemas; it can reach nothing else."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]  # noqa: ARG002
        """A document by its made-up name; of a namespace that nobody describes a schema without anything in it."""
        space = system_url.removeprefix(_driver("")) if system_url.startswith(_driver("")) else ""
        data = self._documents.get(system_url) or _written(space, _INCLUDE, ())
        return self.resolve_string(data, context, base_url=system_url)


@dataclass
class _Assembly:
    """One driver for each namespace, which includes all schemas of it: libxml2 reads one import of a namespace only."""

    source: Documents
    calls: tuple[RpcCall, ...]
    _groups: dict[str, list[str]] = field(default_factory=dict)
    _made: dict[str, bytes] = field(default_factory=dict)
    _included: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        trees = {name: etree.fromstring(data) for name, data in self.source.content.items()}
        schemas = {name: list(tree.iter(_SCHEMA)) for name, tree in trees.items()}
        self._included = {
            each.get("schemaLocation", "") for found in schemas.values() for s in found for each in s.iter(_INCLUDE)
        }
        for name, found in schemas.items():
            for number, schema in enumerate(found):
                self._add(f"{_PLACE}{number}{name}", schema, alone=name in self._included)
        for number, call in enumerate(self.calls):
            place = f"{_PLACE}call/{number}"
            self._made[place] = _wrapper(call, number)
            self._groups.setdefault(_CALLS, []).append(place)

    def _add(self, place: str, schema: etree._Element, *, alone: bool) -> None:
        for each in schema.findall(_IMPORT):
            each.set("schemaLocation", _driver(each.get("namespace", "")))
            if each.get("namespace", "") == schema.get("targetNamespace", ""):
                schema.remove(each)  # zeep wants SOAP's encoding imported into itself; libxml2 refuses that
        for each in schema.findall(_INCLUDE):
            each.set("schemaLocation", f"{_PLACE}0{each.get('schemaLocation', '')}")
        self._made[place] = etree.tostring(schema)
        if not alone:
            self._groups.setdefault(schema.get("targetNamespace", ""), []).append(place)

    def documents(self) -> dict[str, bytes]:
        """All documents by name."""
        drivers = {_driver(space): _written(space, _INCLUDE, places) for space, places in self._groups.items()}
        return {**self._made, **drivers}

    def root(self) -> bytes:
        """The schema that imports all namespaces."""
        root = etree.Element(_SCHEMA, nsmap={"xs": XSD})
        for space in self._groups:
            reference = etree.SubElement(root, _IMPORT if space else _INCLUDE, schemaLocation=_driver(space))
            if space:
                reference.set("namespace", space)
        root[:] = sorted(root, key=lambda each: str(each.tag) == _IMPORT)
        return etree.tostring(root)


def _driver(space: str) -> str:
    return f"{_PLACE}of/{space}"


def _written(space: str, tag: str, places: Iterable[str]) -> bytes:
    root = etree.Element(_SCHEMA, nsmap={"xs": XSD})
    if space:
        root.set("targetNamespace", space)
    for place in places:
        etree.SubElement(root, tag, schemaLocation=place)
    return etree.tostring(root)


def _wrapper(call: RpcCall, number: int) -> bytes:
    """A schema of what style rpc makes of an operation's parts (WSDL 1.1 section 3.5), in a namespace of its own: the
    description may have an element of the same name.
    """
    root = etree.Element(_SCHEMA, targetNamespace=_CALLS, nsmap={"xs": XSD})
    for space in dict.fromkeys(part.namespace for part in call.parts):
        if space != XSD:
            reference = etree.SubElement(root, _IMPORT, schemaLocation=_driver(space))
            if space:
                reference.set("namespace", space)
    wrapper = etree.SubElement(root, f"{{{XSD}}}element", name=f"call-{number}")
    kind = etree.SubElement(wrapper, f"{{{XSD}}}complexType")
    whole = etree.SubElement(kind, f"{{{XSD}}}all")  # parts are told apart by their names
    for part in call.parts:
        said = {"name": part.name, "type": f"t:{part.kind}", "minOccurs": "0"}
        etree.SubElement(whole, f"{{{XSD}}}element", said, nsmap={"t": part.namespace})
    return etree.tostring(root)
