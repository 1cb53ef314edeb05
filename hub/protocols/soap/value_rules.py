"""Rules of a schema for the values of its elements and attributes, one by one: no document around them is needed.

Each declaration of a simple value is laid beside the others as an element of its own, and libxml2 judges a text by it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, cast

from lxml import etree

from hub.protocols.soap.checking import RequestSchema, compiled
from hub.protocols.soap.files import XSD, Documents

_ELEMENT, _ATTRIBUTE, _SIMPLE, _COMPLEX, _CONTENT, _SCHEMA = (
    f"{{{XSD}}}{name}" for name in ("element", "attribute", "simpleType", "complexType", "simpleContent", "schema")
)
_OWNERS: Final = tuple(f"{{{XSD}}}{name}" for name in ("element", "complexType", "group", "attributeGroup"))
_TAG: Final = "hub-value-{}"


@dataclass(frozen=True, slots=True)
class _Declared:
    """One declaration. ``name``: an attribute's with ``@``; ``owner``: the named element or type that it stands in;
    ``tag``: None for one that has no simple value.
    """

    name: str
    owner: str | None
    kind: str | None
    space: str
    tag: str | None


class ValueRules:
    """The rules of a schema's values. ``etree.LxmlError`` if libxml2 cannot take it. Safe to use from many threads."""

    def __init__(self, documents: Documents) -> None:
        self._declared: list[_Declared] = []
        content = {name: self._with_values(data) for name, data in documents.content.items()}
        self._rules: RequestSchema = compiled(replace(documents, content=content))
        self._spaces = {each.space for each in self._declared}

    def _with_values(self, data: bytes) -> bytes:
        tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        for schema in list(tree.iter(_SCHEMA)):
            for node in [each for each in schema.iter(_ELEMENT, _ATTRIBUTE) if each.get("name")]:
                self._declared.append(_laid_beside(node, schema, _TAG.format(len(self._declared))))
        return etree.tostring(tree)

    def fault(self, name: str, text: str, parents: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
        """Rule that a text breaks wherever it can stand, and the values that the schema lists; None if it may stand.

        ``name``: of the element, or with ``@`` of the attribute; ``parents``: names of the element around it, and of
        its type. A schema that has no such name says nothing.
        """
        faults = [self._broken(each, text) for each in self._candidates(name, parents)]
        return faults[0] if all(faults) and faults else None

    def _candidates(self, name: str, parents: frozenset[str]) -> list[_Declared]:
        kinds = parents | {each.kind for each in self._declared if each.name in parents}
        alike = [each for each in self._declared if each.name == name]
        return [each for each in alike if each.owner in kinds] or alike

    def _broken(self, declared: _Declared, text: str) -> tuple[str, tuple[str, ...]] | None:
        if declared.tag is None:
            return None
        spaces = [declared.space] if declared.space else self._spaces  # without one it has that of whoever includes it
        tags = (f"{{{space}}}{declared.tag}" if space else declared.tag for space in spaces)
        return next((found for tag in tags if (found := self._rules.value_fault(tag, text)) is not None), None)


def _laid_beside(node: etree._Element, schema: etree._Element, tag: str) -> _Declared:
    """The declaration, copied as an element of the schema itself where it has a simple value or a named type."""
    made = [copy.deepcopy(each) for each in _own_type(node)]
    given = {name: text for name in ("type", "fixed") if (text := node.get(name)) is not None}
    simple = bool(made) or "type" in given
    if simple:
        laid = etree.Element(_ELEMENT, {"name": tag, **given}, cast("dict[str, str]", node.nsmap))  # None: no prefix
        laid.extend(made)
        schema.append(laid)
    sign = "@" if node.tag == _ATTRIBUTE else ""
    return _Declared(
        name=f"{sign}{node.get('name')}",
        owner=next((each.get("name") for each in node.iterancestors(*_OWNERS) if each.get("name")), None),
        kind=str(given["type"]).rpartition(":")[2] if "type" in given else None,
        space=schema.get("targetNamespace", ""),
        tag=tag if simple else None,
    )


def _own_type(node: etree._Element) -> Iterator[etree._Element]:
    """The type that stands in a declaration, if its values are simple."""
    for each in node.iterchildren(_SIMPLE, _COMPLEX):
        if each.tag == _SIMPLE or each.find(_CONTENT) is not None:
            yield each
