"""Slots of an element of an XML Schema, and of the operations of a WSDL. Read off the documents themselves, for zeep
keeps no enumerations and no words of explanation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from lxml import etree

from hub.errors import ConfigurationError
from hub.protocols.soap.fetching import known_addresses
from hub.protocols.soap.files import DOCUMENTS, MAX_FILE_BYTES, MAX_FILES, WSDL, XSD, resolve, wrong
from hub.workbench.slots import MAX_DEPTH, MAX_SLOTS, Slot

_XS: Final = f"{{{XSD}}}"
_W: Final = f"{{{WSDL}}}"
_GLOBAL: Final = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")
_NOTE_CHARS: Final = 200
_Name: TypeAlias = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of a WSDL: what goes into it and what its answer holds. ``answer``: None of a one-way operation."""

    name: str
    request: tuple[Slot, ...]
    answer: tuple[Slot, ...] | None


def element_of(file: Path, name: str) -> Slot:
    """The element of a schema file with the types that it names, here or in files beside it. ``ConfigurationError``
    (``wsdl.*``, ``skeleton.element``).
    """
    return element_in(_read(file), name)


def element_in(roots: Iterable[etree._Element], name: str) -> Slot:
    """The same, of documents that were read."""
    schema = _Documents(roots, marked=True)
    found = schema.element(name)
    if found is None:
        raise _absent("element", name, schema.names("element"))
    return found


def operation_of(file: Path, name: str) -> Operation:
    """The operation of a WSDL. ``ConfigurationError`` (``wsdl.*``, ``skeleton.operation``)."""
    schema = _Documents(_read(file))
    found = next((each for each in schema.operations() if each.get("name") == name), None)
    if found is None:
        raise _absent("operation", name, {each.get("name") or "" for each in schema.operations()})
    request = schema.message(found.find(f"{_W}input"))
    answer = found.find(f"{_W}output")
    return Operation(name=name, request=request, answer=None if answer is None else schema.message(answer))


def _absent(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    told = ", ".join(sorted(known)[:30]) or "none"
    return ConfigurationError(
        f"The file has no {what} {name[:100]}; it has: {told}.", code=f"skeleton.{what}", action="Name one of those."
    )


def _read(file: Path) -> list[etree._Element]:
    """The file, and all that it imports from the files beside it."""
    beside = sorted(path for path in file.parent.iterdir() if path.suffix.lower() in DOCUMENTS and path.is_file())
    if len(beside) > MAX_FILES:
        raise wrong("file", f"The folder holds more than {MAX_FILES} files of a description.")
    files = {path.name: _bytes(path) for path in {file, *beside}}
    addresses = {address: path for path, address in known_addresses(file.parent).items()}
    return documents_of(file.name, files, addresses)


def documents_of(root: str, files: Mapping[str, bytes], addresses: Mapping[str, str]) -> list[etree._Element]:
    """A document with all that it imports, read strictly. ``ConfigurationError`` (``wsdl.*``)."""
    documents = resolve(root, files, addresses)
    return [etree.fromstring(data) for data in documents.content.values()]  # made by us of what was read strictly


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise wrong("file", f"The file {path} is longer than {MAX_FILE_BYTES} bytes.")
    return data


def _qname(node: etree._Element, attribute: str) -> _Name | None:
    said = node.get(attribute)
    if not said:
        return None
    prefix, _, local = said.rpartition(":")
    return node.nsmap.get(prefix or None), local


class _Documents:
    """Schemas and WSDLs by the names that they define. ``marked``: attributes and texts beside them are named as in
    documents of XML: ``@name``, ``#text``.
    """

    def __init__(self, roots: Iterable[etree._Element], *, marked: bool = False) -> None:
        self._roots = list(roots)
        self._marked = marked
        self._made = 0
        self._open: list[etree._Element] = []
        self._known: dict[str, dict[_Name, etree._Element]] = {kind: {} for kind in _GLOBAL}
        for root in self._roots:
            for schema in root.iter(f"{_XS}schema"):
                space = schema.get("targetNamespace")
                for kind, known in self._known.items():
                    for each in schema.findall(f"{_XS}{kind}"):
                        known.setdefault((space, each.get("name") or ""), each)

    def names(self, kind: str) -> set[str]:
        """Names of all that is defined of a kind."""
        return {name for _, name in self._known[kind]}

    def element(self, name: str) -> Slot | None:
        """The global element of a local name."""
        found = next((node for (_, local), node in self._known["element"].items() if local == name), None)
        return None if found is None else next(iter(self._elements(found, 0)), None)

    def operations(self) -> Iterator[etree._Element]:
        """The operations of port types."""
        for root in self._roots:
            for kind in root.iter(f"{_W}portType"):
                yield from kind.findall(f"{_W}operation")

    def message(self, use: etree._Element | None) -> tuple[Slot, ...]:
        """Members that a message of an operation has: those of its element (document), or its parts (rpc)."""
        name = None if use is None else _qname(use, "message")
        parts = [part for each in self._messages(name) for part in each.findall(f"{_W}part")]
        if len(parts) == 1 and (element := self._find("element", _qname(parts[0], "element"))) is not None:
            wrapper = next(iter(self._elements(element, 0)), None)
            return () if wrapper is None else wrapper.members or (wrapper,)
        return tuple(slot for part in parts for slot in self._part(part))

    def _messages(self, name: _Name | None) -> Iterator[etree._Element]:
        for root in self._roots:
            for each in root.iter(f"{_W}message"):
                if name is not None and each.get("name") == name[1]:
                    yield each
                    return

    def _part(self, part: etree._Element) -> Iterator[Slot]:
        element = self._find("element", _qname(part, "element"))
        if element is not None:
            yield from self._elements(element, 1)
        else:
            yield self._typed(part.get("name") or "part", part, _qname(part, "type"), 1, required=True)

    def _find(self, kind: str, name: _Name | None) -> etree._Element | None:
        if name is None:
            return None
        known = self._known[kind]
        if name in known:
            return known[name]
        # A schema without a namespace of its own takes on that of whoever includes it.
        fits = [node for (space, local), node in known.items() if local == name[1] and space in (None, name[0])]
        return fits[0] if len(fits) == 1 else None

    def _elements(self, node: etree._Element, depth: int, *, choice: bool = False) -> Iterator[Slot]:
        """The slot of an element's declaration or of a reference to one."""
        reference = _qname(node, "ref")
        named = self._find("element", reference) if reference is not None else node
        if named is None:
            named = node
        name = named.get("name") or (reference[1] if reference is not None else "")
        many = node.get("maxOccurs", "1") not in ("0", "1")
        required = _needed(node) and not choice
        slot = self._typed(name, named, _qname(named, "type"), depth + many, required=required)
        yield replace(slot, many=many, choice=choice)

    def _typed(self, name: str, node: etree._Element, kind: _Name | None, depth: int, *, required: bool) -> Slot:
        self._made += 1
        if self._made > MAX_SLOTS:
            raise ConfigurationError(f"It has more than {MAX_SLOTS} members.", code="skeleton.shape")
        body = node.find(f"{_XS}complexType")
        simple = node.find(f"{_XS}simpleType")
        body = body if body is not None else self._find("complexType", kind)
        simple = simple if simple is not None else self._find("simpleType", kind)
        members = () if body is None else self._inside(body, depth)
        return Slot(
            name=name,
            kind=self._kind(simple, kind, body),
            words=self._words(simple if simple is not None else _simple_of(body)),
            required=required,
            members=members,
            note=_note(node),
        )

    def _inside(self, body: etree._Element, depth: int) -> tuple[Slot, ...]:
        """Members of a type; none of one that stands in itself."""
        if depth >= MAX_DEPTH or body in self._open:
            return ()
        self._open.append(body)
        members = tuple(self._content(body, depth + 1))
        self._open.pop()
        return members

    def _content(self, node: etree._Element, depth: int, *, choice: bool = False) -> Iterator[Slot]:
        """Members of a complex type: elements in whatever order and nesting, attributes, those of its base."""
        for child in node.iterchildren(etree.Element):
            tag = etree.QName(child).localname
            if tag == "element":
                yield from self._elements(child, depth, choice=choice)
            elif tag == "attribute":
                yield from self._attribute(child, depth)
            elif tag == "simpleContent" and self._marked:
                yield Slot(name="#text", kind="text", required=True)
                yield from self._content(child, depth)
            elif tag in ("sequence", "all", "choice", "complexContent", "simpleContent"):
                yield from self._content(child, depth, choice=choice or tag == "choice")
            elif tag in ("extension", "restriction"):
                base = self._find("complexType", _qname(child, "base")) if tag == "extension" else None
                if base is not None and depth < MAX_DEPTH:
                    yield from self._content(base, depth + 1)
                yield from self._content(child, depth)
            elif tag in ("group", "attributeGroup") and depth < MAX_DEPTH:
                group = self._find(tag, _qname(child, "ref"))
                yield from self._content(group, depth + 1, choice=choice) if group is not None else ()

    def _attribute(self, node: etree._Element, depth: int) -> Iterator[Slot]:
        reference = _qname(node, "ref")
        named = self._find("attribute", reference)
        used = named if named is not None else node
        name = used.get("name")
        if name and node.get("use") != "prohibited":
            shown = f"@{name}" if self._marked else name
            yield self._typed(shown, used, _qname(used, "type"), depth, required=node.get("use") == "required")

    def _kind(self, simple: etree._Element | None, kind: _Name | None, body: etree._Element | None) -> str:
        """The built-in type beneath, or the name of what it is."""
        for _ in range(MAX_DEPTH):
            if simple is None:
                break
            limits = simple.find(f"{_XS}restriction")
            kind = _qname(limits, "base") if limits is not None else kind
            inner = self._find("simpleType", kind)
            if inner is None:
                return kind[1] if kind is not None else "string"
            simple = inner
        if body is not None:
            return "object"
        return kind[1] if kind is not None else "anyType"

    def _words(self, simple: etree._Element | None) -> tuple[str, ...]:
        """Enumerated words, its own or those of its base."""
        for _ in range(MAX_DEPTH):
            limits = simple.find(f"{_XS}restriction") if simple is not None else None
            if limits is None:
                break
            words = tuple(each.get("value") or "" for each in limits.findall(f"{_XS}enumeration"))
            if words:
                return words
            simple = self._find("simpleType", _qname(limits, "base"))
        return ()


def _simple_of(body: etree._Element | None) -> etree._Element | None:
    """The place of enumerations in a complex type with simple content."""
    return None if body is None else body.find(f"{_XS}simpleContent")


def _needed(node: etree._Element) -> bool:
    return node.get("minOccurs", "1") != "0" and node.get("nillable") != "true"


def _note(node: etree._Element) -> str | None:
    said = " ".join("".join(map(str, each.itertext())) for each in node.findall(f"{_XS}annotation/{_XS}documentation"))
    return " ".join(said.split())[:_NOTE_CHARS] or None
