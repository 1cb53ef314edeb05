"""Places in XML of other systems as mappings name them, by local names: ``result/code``, ``item[2]/id``, ``@id``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from lxml import etree

from hub.errors import InvalidInput
from hub.schemas import strict_xml

SOAP12_ENCODING: Final = "http://www.w3.org/2003/05/soap-encoding"
_REFERENCES: Final = ("href", f"{{{SOAP12_ENCODING}}}ref")
_MAX_REFERENCES: Final = 10
_STEP: Final = re.compile(r"([^/@\[\]\s]{1,100})(?:\[([1-9][0-9]{0,3})\])?")


def find(node: etree._Element, path: str) -> str | None:
    """Text at a path of local names below an element; None if there is none, or nothing in it.

    References of rpc/encoded are followed (SOAP 1.1 section 5.4.1), and XML that stands in a text is looked into.
    """
    current: etree._Element | None = _followed(node)
    for step in path.split("/"):
        if current is None:
            return None
        if step.startswith("@"):
            found = next((str(v) for n, v in current.items() if str(n).rpartition("}")[2] == step[1:]), None)
            return (found or "").strip() or None
        current = _child(current, step)
    text = "" if current is None else "".join(str(piece) for piece in current.itertext()).strip()
    return text or None


def finder(said: Any) -> Callable[[str], str | None]:
    """Finds in the XML of an answer's body element, as a test shows it. ``InvalidInput`` for what is none."""
    return partial(find, strict_xml.parse(str(said).encode(), foreign=True))


def _child(node: etree._Element, step: str) -> etree._Element | None:
    match = _STEP.fullmatch(step)
    if match is None:
        return None
    fits = [child for child in _children(node) if etree.QName(child).localname == match[1]]
    wanted = int(match[2] or 1)
    return _followed(fits[wanted - 1]) if len(fits) >= wanted else None


def _children(node: etree._Element) -> Iterator[etree._Element]:
    """Elements in an element; of one that holds XML as text (many .asmx services do) the root of that."""
    if len(node) or not (node.text or "").lstrip("\ufeff \t\r\n").startswith("<"):
        yield from node.iterchildren(etree.Element)
        return
    with contextlib.suppress(InvalidInput):  # a text that only begins like XML holds no elements
        yield strict_xml.parse((node.text or "").encode(), foreign=True)


def _followed(node: etree._Element) -> etree._Element:
    """The element that holds the value: that with the id, where an empty element refers to one in the same Body."""
    for _ in range(_MAX_REFERENCES):
        reference = next((node.get(name, "") for name in _REFERENCES if node.get(name)), "")
        if len(node) or (node.text or "").strip() or not reference:
            break
        named = [each for each in _body(node).iter(etree.Element) if reference.removeprefix("#") in _ids(each)]
        if len(named) != 1:
            break
        node = named[0]
    return node


def _body(node: etree._Element) -> etree._Element:
    return next((each for each in node.iterancestors() if etree.QName(each).localname == "Body"), node)


def _ids(node: etree._Element) -> Iterator[str]:
    yield from (node.get(name, "") for name in ("id", f"{{{SOAP12_ENCODING}}}id") if node.get(name))
