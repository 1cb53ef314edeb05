"""An authority's XML schema: which element stands where, in which namespace, and whether a document may go out.

zeep reads what stands where, libxml2 judges. Both are given the files of the schema's folder and reach nothing else.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import zeep.exceptions
from lxml import etree
from zeep.settings import Settings
from zeep.xsd import Schema
from zeep.xsd.types.simple import AnySimpleType

from hub.adapters.mapping_check import Slip, near
from hub.adapters.mapping_words import word_faults
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.protocols.soap.checking import RequestSchema, compiled
from hub.protocols.soap.files import MAX_FILE_BYTES, MAX_FILES, Documents, resolve
from hub.protocols.soap.value_rules import ValueRules

CODE: Final = "template.schema"
TYPE_CODE: Final = "template.type"
"""Code for a value that is not of its type: no message with such a value can be said."""
_STAND_IN: Final = "AAAA"
"""Base64 that stands for a file while a document is judged."""
_REJECTED: Final = (
    etree.LxmlError,
    zeep.exceptions.Error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Exceptions of zeep and libxml2 for schemas that are not as they think."""


class XmlSchema:
    """A schema, read. Safe to use from many threads: nothing in it changes afterwards.

    ``ConfigurationError`` (``template.schema``) if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            documents = resolve(path.name, _files(path))
            self._documents = documents
            self._rules: RequestSchema = compiled(documents)
            self._schema = _read(documents)
        except ConfigurationError as error:
            raise _unusable(path, error.message) from None
        except _REJECTED as error:
            raise _unusable(path, f"{type(error).__name__}: {str(error)[:300]}") from None

    def fitted(self, root: etree._Element) -> etree._Element:
        """The document with the schema's namespaces, and its order where the mapping's is not allowed.
        ``UnsupportedFeature`` (``template.schema``) names the elements that are not as it demands.
        """
        declared = self._declared(root)
        named = _named(root, declared)
        if not self._faults(named):
            return named
        ordered = _ordered(copy.deepcopy(named), declared)
        faults = _counted(self._faults(ordered), ordered, declared)
        if faults:
            raise UnsupportedFeature(
                f"The document is not as the schema {self._name} demands: {'; '.join(faults)}.",
                code=TYPE_CODE if any(" is no " in fault for fault in faults) else CODE,
                action="Mend the mapping; what this one appeal lacks, an operator hands over by hand.",
            )
        return ordered

    def unknown(self, request: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Places of a mapping's elements and attributes that the schema does not have, each with the nearest name."""
        for name, node in request.items():
            local = name.rpartition(":")[2]
            roots = [each for each in self._schema.elements if each.qname.localname == local]
            if not roots:
                yield (name,), _near(local, [each.qname.localname for each in self._schema.elements])
            elif len(roots) == 1:
                yield from _unknown(node, roots[0], (name,))

    def words(self, request: Mapping[str, Any]) -> list[Slip]:
        """Words of a mapping that the schema does not allow where they go."""
        try:
            return list(word_faults(request, ValueRules(self._documents), ("request",)))
        except _REJECTED as error:
            raise ConfigurationError(
                f"The schema {self._name} says no rules of values: {type(error).__name__}: {str(error)[:300]}.",
                code=CODE,
                action="Mend the schema.",
            ) from None

    def _declared(self, root: etree._Element) -> Any:
        """The declaration of the root; by its local name alone where the mapping names no namespace."""
        name = etree.QName(root)
        fits = [each for each in self._schema.elements if each.qname.localname == name.localname]
        exact = [each for each in fits if each.qname.namespace == name.namespace]
        found = exact or (fits if name.namespace is None else [])
        if len(found) != 1:
            raise UnsupportedFeature(
                f"The schema {self._name} has no root element {name.localname}"
                f"{f' in {name.namespace}' if name.namespace else ''}.",
                code=CODE,
                action="Give the request the root that the schema declares; @xmlns says its namespace.",
            )
        return found[0]

    def _faults(self, root: etree._Element) -> tuple[str, ...]:
        judged = etree.fromstring(etree.tostring(root))  # what is written, not what was meant
        for mark in list(judged.iter(etree.ProcessingInstruction)):
            parent = mark.getparent()
            if parent is not None:
                parent.remove(mark)
                parent.text = _STAND_IN
        return self._rules.faults_of(judged)


def _children(declared: Any) -> list[Any]:
    """Declarations of an element's children, in the schema's order, with those of its base types and groups."""
    kind = getattr(declared, "type", None)
    return [element for _, element in getattr(kind, "elements", ()) if _has_name(element)]


def _unknown(node: Any, declared: Any, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _unknown(each, declared, (*at, number))
        return
    if not isinstance(node, Mapping) or "$from" in node:
        return
    if "$each" in node:
        yield from _unknown(node.get("as"), declared, (*at, "as"))
        return
    children = {each.qname.localname: each for each in _children(declared)}
    attributes = {f"@{each.qname.localname}" for _, each in getattr(declared.type, "attributes", ()) if _has_name(each)}
    for name, child in node.items():
        local = f"{'@' if name.startswith('@') else ''}{name.removeprefix('@').rpartition(':')[2]}"
        if name.startswith(("@xmlns", "@xml:", "@xsi:", "#")):
            continue
        if local.startswith("@"):
            if local not in attributes:
                yield (*at, name), _near(local, attributes)
        elif local in children:
            yield from _unknown(child, children[local], (*at, name))
        elif not _is_open(declared):
            yield (*at, name), _near(local, children)


def _has_name(declared: Any) -> bool:
    return getattr(declared, "qname", None) is not None


def _is_open(declared: Any) -> bool:
    """True where the schema lets anything stand (xs:any, or no type)."""
    if not hasattr(declared.type, "elements"):
        return not isinstance(declared.type, AnySimpleType)
    return any(not _has_name(element) for _, element in declared.type.elements)


def _near(name: str, known: Iterable[str]) -> str:
    return f"the schema has no «{name}» there; {near(name, known)}".rstrip("; ")


def _match(element: etree._Element, declared: Any) -> tuple[int, Any]:
    """Rank and declaration of a child; behind all others where the schema does not know it."""
    name = etree.QName(element)
    known = list(enumerate(_children(declared)))
    exact = [(rank, each) for rank, each in known if each.qname.text == name.text]
    alike = [(rank, each) for rank, each in known if each.qname.localname == name.localname]
    return (exact or alike or [(len(known), None)])[0]


def _named(root: etree._Element, declared: Any) -> etree._Element:
    """A copy in which each name has the namespace that the schema says. The root's is the default one, unless elements
    without a namespace stand below it.
    """
    made = _renamed(root, declared)
    scope: dict[Any, str] = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    space = etree.QName(made).namespace
    bare = any(etree.QName(each).namespace is None for each in made.iter(etree.Element))
    if space and space not in scope.values():
        scope["n" if bare else None] = space
    whole = etree.Element(made.tag, _attributes(made), scope)
    whole.text = made.text
    whole.extend(list(made))
    etree.cleanup_namespaces(whole, keep_ns_prefixes=[prefix for prefix in root.nsmap if prefix])
    return whole


def _renamed(element: etree._Element, declared: Any) -> etree._Element:
    made = etree.Element(
        declared.qname.text if declared is not None else element.tag,
        _attributes(element),
    )
    made.text = element.text
    for child in element:
        plain = not isinstance(child.tag, str)
        made.append(copy.deepcopy(child) if plain else _renamed(child, _match(child, declared)[1]))
    return made


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _ordered(element: etree._Element, declared: Any) -> etree._Element:
    """The same with its children in the schema's order."""
    found = [(*_match(child, declared), child) if isinstance(child.tag, str) else (0, None, child) for child in element]
    element[:] = [child for _, _, child in sorted(found, key=lambda each: each[0])]
    for _, inner, child in found:
        if inner is not None:
            _ordered(child, inner)
    return element


def _counted(faults: Iterable[str], root: etree._Element, declared: Any) -> tuple[str, ...]:
    """Faults of places, told as what they are where an element stands too often."""
    often = dict(_too_often(root, declared))
    told = ((fault, fault.partition(" does not stand ")) for fault in faults)
    return tuple(often[name] if stands and name in often else fault for fault, (name, stands, _) in told)


def _too_often(element: etree._Element, declared: Any) -> Iterator[tuple[str, str]]:
    """Names of elements that stand more often than their declarations allow, each with its sentence."""
    found = [(_match(child, declared)[1], child) for child in element.iterchildren(etree.Element)]
    for inner in _children(declared):
        times, most = sum(each is inner for each, _ in found), inner.max_occurs
        if isinstance(most, int) and times > most:
            name = inner.qname.localname
            yield name, f"{name} stands {times} times, and the schema allows at most {most}"
    for inner, child in found:
        if inner is not None:
            yield from _too_often(child, inner)


def _files(path: Path) -> Mapping[str, bytes]:
    """The schemas in a file's folder and below, by their places there."""
    found: dict[str, bytes] = {}
    try:
        others = itertools.islice(path.parent.rglob("*.xsd"), MAX_FILES)
        for each in [path, *others]:
            with each.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise _unusable(each, f"it is longer than {MAX_FILE_BYTES} bytes")
            found[each.relative_to(path.parent).as_posix()] = data
    except OSError as error:
        raise _unusable(path, type(error).__name__) from None
    return found


class _Memory:
    """All that zeep may load from."""

    def __init__(self, content: Mapping[str, bytes]) -> None:
        self._content = content

    def load(self, url: object) -> bytes:
        """A schema by its made-up path."""
        if str(url) not in self._content:
            raise ConfigurationError(f"It needs {str(url)[:200]}, which is not in its folder.")
        return self._content[str(url)]


def _read(documents: Documents) -> Any:
    settings = Settings(strict=False, forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False)
    node = etree.fromstring(documents.content[documents.root], etree.XMLParser(resolve_entities=False, no_network=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libxml2 says what is wrong
        return Schema(node, transport=_Memory(documents.content), location=documents.root, settings=settings)


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The schema {path} cannot be used: {why.rstrip('.')}.",
        code=CODE,
        action="Mend the file, or lay the schemas that it includes beside it under their names.",
    )
