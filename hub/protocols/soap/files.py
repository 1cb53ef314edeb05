"""A WSDL with all that it imports, as local files: resolved, repaired where only a location is wrong, pinned.

A folder holds the files and ``description.json``, which names the root, each file's SHA-256 and the address it came
from; the SHA-256 of that manifest stands in the channel's settings, so nothing changes without the registry. What a
document imports is looked for by address, by relative path, among the schemas that the hub ships, and last by target
namespace. Nothing is ever fetched here. The outcome is a set of documents that name each other by made-up paths, so
that zeep cannot reach anything else.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urljoin

from lxml import etree
from pydantic import Field, ValidationError

from hub.errors import ConfigurationError, InvalidInput
from hub.protocols.soap.wire import serialise
from hub.schemas import strict_json, strict_xml
from hub.schemas.base import Code, Frozen, Line

MANIFEST: Final = "description.json"
DOCUMENTS: Final = (".wsdl", ".xsd")
MAX_FILES: Final = 200
MAX_FILE_BYTES: Final = 10_485_760
WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
XSD: Final = "http://www.w3.org/2001/XMLSchema"
_BINDINGS: Final = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
SOAP_ENCODING: Final = "http://schemas.xmlsoap.org/soap/encoding/"
_XML_NS: Final = "http://www.w3.org/XML/1998/namespace"
_SHIPPED: Final = {
    SOAP_ENCODING: "soap-encoding.xsd",
    _XML_NS: "xml.xsd",
    "http://www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swaref.xsd",
    "http://www.w3.org/2004/08/xop/include": "xop.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig.xsd",
    "http://www.w3.org/2001/04/xmlenc#": "xmlenc.xsd",
    "http://www.w3.org/2005/08/addressing": "ws-addr.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
    "http://x-road.eu/xsd/xroad.xsd": "xroad.xsd",
    "http://x-road.eu/xsd/identifiers": "xroad-identifiers.xsd",
}
"""Schemas that WSDLs take for granted, by namespace; written for the hub from the named standards."""
_REFERENCES: Final = {
    f"{{{WSDL}}}import": "location",
    f"{{{XSD}}}import": "schemaLocation",
    f"{{{XSD}}}include": "schemaLocation",
    f"{{{XSD}}}redefine": "schemaLocation",
}
_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,5}"


class PinnedFile(Frozen):
    """One file of a description. ``address``: where it was fetched from; other documents may name it so."""

    path: Annotated[str, Code(_NAME)]
    sha256: Annotated[str, Code("[0-9a-f]{64}")]
    address: Annotated[str, Line(2_000)] | None = None


class Manifest(Frozen):
    """``description.json``: what belongs to a WSDL."""

    root: Annotated[str, Code(_NAME)]
    files: Annotated[list[PinnedFile], Field(min_length=1, max_length=MAX_FILES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Documents that name each other by made-up paths. ``repairs``: what was mended, for a person; ``undefined``: what
    messages name and no schema has.
    """

    root: str
    content: Mapping[str, bytes]
    repairs: tuple[str, ...]
    undefined: tuple[str, ...] = ()


_FETCH: Final = "Mend the description's files, or fetch them anew with `hub channel fetch-wsdl`."
_NEXT: Final = {
    "pin": "Look who changed the folder and why; then pin it anew with `hub channel pin-wsdl` and write its sum into "
    "the channel.",
    "file": "Mend the path of the folder, or put the file there, with the right of reading for the hub's user.",
}


def wrong(rule: str, message: str, action: str | None = None) -> ConfigurationError:
    """An error about a description; ``wsdl.<rule>``."""
    return ConfigurationError(
        message,
        code=f"wsdl.{rule}",
        action=action
        or _NEXT.get(rule, "Mend the description's files, or fetch them anew with `hub channel fetch-wsdl`."),
    )


def pinned_file(folder: Path, pin: str, name: str) -> bytes:
    """One file of a pinned folder, such as the mapping. ``ConfigurationError`` if it is not there, or not as pinned."""
    for entry in _manifest(folder, pin).files:
        if entry.path == name:
            return _pinned(folder, entry)
    raise wrong("file", f"{MANIFEST} in {folder} names no {name}.", "Put it there and pin the folder anew.")


def read_folder(folder: Path, pin: str) -> tuple[str, dict[str, bytes], dict[str, str]]:
    """Root, files by path, and paths by address. ``ConfigurationError`` if one byte is not as pinned."""
    manifest = _manifest(folder, pin)
    found = {entry.path: _pinned(folder, entry) for entry in manifest.files if entry.path.endswith(DOCUMENTS)}
    addresses = {entry.address: entry.path for entry in manifest.files if entry.address}
    return manifest.root, found, addresses


def _pinned(folder: Path, entry: PinnedFile) -> bytes:
    data = _read(folder / entry.path)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise wrong("pin", f"{entry.path} in {folder} is not the file that {MANIFEST} names.")
    return data


def _manifest(folder: Path, pin: str) -> Manifest:
    raw = _read(folder / MANIFEST)
    if hashlib.sha256(raw).hexdigest() != pin:
        raise wrong("pin", f"{MANIFEST} in {folder} is not the one that the channel's sha256 names.")
    try:
        return Manifest.model_validate(strict_json.parse(raw))
    except (InvalidInput, ValidationError) as error:
        raise wrong("manifest", f"{MANIFEST} in {folder} cannot be read: {type(error).__name__}.") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise wrong("file", f"The file {path} cannot be read: {type(error).__name__}.") from None
    if len(data) > MAX_FILE_BYTES:
        raise wrong("file", f"The file {path} is longer than {MAX_FILE_BYTES} bytes.")
    return data


@lru_cache(maxsize=32)
def shipped(name: str) -> bytes:
    """A schema that the hub brings along."""
    return resources("hub.protocols.soap").joinpath("schemas", name).read_bytes()


def is_shipped(namespace: str | None) -> bool:
    """True if the hub brings a schema of this namespace along."""
    return namespace in _SHIPPED


def references(tree: etree._Element) -> Iterator[tuple[str | None, str]]:
    """Namespace and location of all that a document imports or includes."""
    for element in tree.iter(*_REFERENCES):
        location = element.get(_REFERENCES[str(element.tag)])
        if location:
            yield element.get("namespace"), location


def parse_document(name: str, data: bytes) -> etree._Element:
    """A WSDL or schema, read strictly. ``ConfigurationError`` (``wsdl.xml``) names file, line and rule."""
    try:
        return strict_xml.parse(data, max_depth=100, foreign=True)
    except InvalidInput as error:
        rules = "; ".join(f"{fault.message} ({fault.code})" for fault in error.faults[:3])
        raise wrong("xml", f"{name} is not XML that the hub reads: {rules}.") from None


@dataclass
class _Resolver:
    """Walks from the root over all references and rewrites them."""

    files: Mapping[str, bytes]
    addresses: Mapping[str, str]
    content: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, etree._Element] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)

    def walk(self, root: str) -> None:
        waiting, seen = [root], {root}
        while waiting:
            name = waiting.pop()
            tree = self._tree(name)
            for target in self._rewrite(name, tree):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
            self._bring_encoding(tree)
        self._drop_undefined_headers(seen)
        for name in seen:
            self.content[_virtual(name)] = serialise(self._tree(name))

    def _drop_undefined_headers(self, names: Iterable[str]) -> None:
        """A soap:header whose message, or whose message's element, is defined nowhere says nothing that could be said.

        X-Road's old WSDLs have such; the dialect writes X-Road's headers itself.
        """
        trees = {name: self._tree(name) for name in names}
        elements = {
            (schema.get("targetNamespace"), each.get("name"))
            for root in trees.values()
            for schema in root.iter(f"{{{XSD}}}schema")
            for each in schema.findall(f"{{{XSD}}}element")
        }
        for name, root in trees.items():
            self._note_undefined(name, root, elements)
        messages = {
            (root.get("targetNamespace"), message.get("name"))
            for root in trees.values()
            for message in root.iter(f"{{{WSDL}}}message")
            if all(
                part.get("element") is None or _qname(part, "element") in elements
                for part in message.findall(f"{{{WSDL}}}part")
            )
        }
        for name, root in trees.items():
            for header in list(root.iter(*(f"{{{space}}}header" for space in _BINDINGS))):
                parent = header.getparent()
                if parent is not None and _qname(header, "message") not in messages:
                    self.repairs.append(f"{name}, line {header.sourceline}: an undefined header is left out")
                    parent.remove(header)

    def _note_undefined(
        self, name: str, root: etree._Element, elements: Collection[tuple[str | None, str | None]]
    ) -> None:
        """Note the elements that parts of messages name and no schema defines: zeep leaves their operations out."""
        for part in root.iter(f"{{{WSDL}}}part"):
            space, local = _qname(part, "element")
            if part.get("element") and (space, local) not in elements:
                where = f"{name}, line {part.sourceline}: the part {part.get('name')}"
                named = f"{local} in {f'the namespace {space}' if space else 'no namespace'}"
                self.undefined.append(f"{where} names the element {named}, which no schema of it defines")

    def _bring_encoding(self, tree: etree._Element) -> None:
        """SOAP's own types are imported in so many words, or zeep would ask for them by their web address."""
        for schema in tree.iter(f"{{{XSD}}}schema"):
            imports = schema.findall(f"{{{XSD}}}import")
            if SOAP_ENCODING in schema.nsmap.values() and all(i.get("namespace") != SOAP_ENCODING for i in imports):
                schema.insert(0, etree.Element(f"{{{XSD}}}import", namespace=SOAP_ENCODING, schemaLocation=_ENCODING))
                if _ENCODING not in self.content:
                    own = parse_document(_ENCODING, shipped(_SHIPPED[SOAP_ENCODING]))
                    self.content[_ENCODING] = b""
                    self._bring_encoding(own)  # it names its own types, so zeep wants it imported into itself
                    self.content[_ENCODING] = serialise(own)

    def _tree(self, name: str) -> etree._Element:
        if name not in self.trees:
            data = shipped(name.removeprefix("@")) if name.startswith("@") else self.files[name]
            self.trees[name] = parse_document(name, data)
        return self.trees[name]

    def _rewrite(self, name: str, tree: etree._Element) -> list[str]:
        targets = []
        for element in list(tree.iter(*_REFERENCES)):
            attribute = _REFERENCES[str(element.tag)]
            location, namespace = element.get(attribute), element.get("namespace")
            if element.tag == f"{{{XSD}}}redefine":
                raise wrong(
                    "content",
                    f"{name}, line {element.sourceline}: xs:redefine is not supported.",
                    "Write the redefined types out in the schema itself, and pin it.",
                )
            if not location and str(element.tag) != f"{{{XSD}}}import":
                if str(element.tag) == f"{{{WSDL}}}import":
                    continue
                raise wrong("import_missing", f"{name}, line {element.sourceline}: an include names no file.")
            target = self._find(name, element, location, namespace)
            if target is None:
                continue
            self._fit_namespace(name, element, target)
            element.set(attribute, _virtual(target))
            targets.append(target)
        return targets

    def _find(self, name: str, element: etree._Element, location: str | None, namespace: str | None) -> str | None:
        found = self._by_location(name, location) if location else None
        if found is not None and (namespace not in _SHIPPED or self._readable(found)):
            return found
        if namespace in _SHIPPED:
            theirs = self._by_namespace(namespace) if not location and not name.startswith("@") else None
            if theirs is not None:
                return theirs  # one document for one namespace, as others in the folder name it
            if found is not None:  # W3C's own files have a DOCTYPE
                self.repairs.append(f"{name}, line {element.sourceline}: the hub's own {_SHIPPED[namespace]} is read")
            return f"@{_SHIPPED[namespace]}"
        if not location:
            return self._inline_or_only(name, namespace)
        found = self._by_namespace(namespace) or self._by_base_name(location)
        if found is None:
            raise wrong(
                "import_missing",
                f"{name}, line {element.sourceline}: it imports {location[:200]}, which is not among the files.",
                "Put that file into the folder (or fetch it with `hub channel fetch-wsdl`), and pin it.",
            )
        self.repairs.append(f"{name}, line {element.sourceline}: {location[:200]} read as {found}")
        return found

    def _by_location(self, name: str, location: str) -> str | None:
        base = next((address for address, path in self.addresses.items() if path == name), None)
        for address in (location, urljoin(base, location) if base else location):
            if address in self.addresses:
                return self.addresses[address]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(location).replace("\\", "/")))
        return path if path in self.files else None

    def _inline_or_only(self, name: str, namespace: str | None) -> str | None:
        """An import without location: mostly of a schema beside it; else of the one file with that namespace."""
        inline = {schema.get("targetNamespace") for schema in self._tree(name).iter(f"{{{XSD}}}schema")}
        return None if namespace is None or namespace in inline else self._by_namespace(namespace)

    def _by_namespace(self, namespace: str | None) -> str | None:
        if namespace is None:
            return None
        fits = [
            path for path in self.files if self._readable(path) and self._tree(path).get("targetNamespace") == namespace
        ]
        fits = [path for path in fits if str(self._tree(path).tag) == f"{{{XSD}}}schema"]
        return fits[0] if len(fits) == 1 else None

    def _readable(self, path: str) -> bool:
        try:
            self._tree(path)
        except ConfigurationError:
            return False
        return True

    def _by_base_name(self, location: str) -> str | None:
        wanted = posixpath.basename(unquote(location).replace("\\", "/")).lower()
        fits = [path for path in self.files if posixpath.basename(path).lower() == wanted]
        return fits[0] if wanted and len(fits) == 1 else None

    def _fit_namespace(self, name: str, element: etree._Element, target: str) -> None:
        """An import that names another namespace than the file has: what the file says is what it declares."""
        actual = self._tree(target).get("targetNamespace")
        if str(element.tag) != f"{{{XSD}}}import" or not actual or element.get("namespace") in (actual, None):
            return
        self.repairs.append(f"{name}, line {element.sourceline}: the namespace of the import is that of {target}")
        element.set("namespace", actual)


_ENCODING: Final = "/hub-shipped/" + _SHIPPED[SOAP_ENCODING]


def _qname(node: etree._Element, attribute: str) -> tuple[str | None, str]:
    prefix, _, local = (node.get(attribute) or "").rpartition(":")
    return node.nsmap.get(prefix or None), local


def _virtual(name: str) -> str:
    return "/hub-shipped/" + name[1:] if name.startswith("@") else "/hub-description/" + name


def resolve(root: str, files: Mapping[str, bytes], addresses: Mapping[str, str] | None = None) -> Documents:
    """All that a WSDL needs. ``ConfigurationError``: ``wsdl.import_missing``, ``wsdl.xml`` with file, line and rule."""
    if root not in files:
        raise wrong("file", f"The description has no file {root}.")
    resolver = _Resolver(files, addresses or {})
    resolver.walk(root)
    return Documents(
        root=_virtual(root),
        content=resolver.content,
        repairs=tuple(resolver.repairs),
        undefined=tuple(resolver.undefined),
    )
