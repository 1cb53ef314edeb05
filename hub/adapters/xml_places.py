"""Places in XML of other systems as mappings name them, by local names: ``result/code``, ``item[2]/id``, ``@id``,
``property[@name=number]``; ``.`` is the element itself, ``/Header/…`` begins at the document's root.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from lxml import etree

from hub.errors import InvalidInput
from hub.schemas import strict_xml

SOAP12_ENCODING: Final = "http://www.w3.org/2003/05/soap-encoding"
_REFERENCES: Final = ("href", f"{{{SOAP12_ENCODING}}}ref")
_MAX_REFERENCES: Final = 10
MAX_ELEMENTS: Final = 10_000
"""Elements of one place that are looked at."""
_NUMBERED: Final = r"([1-9][0-9]{0,3})"
_NAMED: Final = r"@([^\s\[\]=/]{1,100})=([^\s\[\]/]{1,200})"
_STEP: Final = re.compile(rf"([^/@\[\]\s]{{1,100}})(?:\[(?:{_NUMBERED}|{_NAMED})\])?")


def find(node: etree._Element, path: str) -> str | None:
    """Text at a path of local names below an element; None if there is none, or nothing in it.

    References of rpc/encoded are followed (SOAP 1.1 section 5.4.1), and XML that stands in a text is looked into.
    """
    holder, _, name = path.rpartition("@") if path.startswith("@") or "/@" in path else (path, "", "")
    current = element(node, holder.removesuffix("/"))
    if current is None:
        return None
    if name:
        found = next((str(v) for n, v in current.items() if str(n).rpartition("}")[2] == name), None)
        return (found or "").strip() or None
    return "".join(str(piece) for piece in current.itertext()).strip() or None


def element(node: etree._Element, path: str) -> etree._Element | None:
    """The element at a path; None if there is none."""
    return next(_at(node, path), None)


def elements(node: etree._Element, path: str, most: int = MAX_ELEMENTS) -> list[etree._Element]:
    """Elements at a path whose last step bears no number, at ``most`` so many; on the way the first of each name."""
    return list(islice(_at(node, path), most))


def _at(node: etree._Element, path: str) -> Iterator[etree._Element]:
    named = _Named(node)
    current: etree._Element | None = named.followed(node)
    if path.startswith("/"):
        current, path = node.getroottree().getroot(), path[1:]
    *way, last = [step for step in path.split("/") if step not in ("", ".")] or [""]
    for step in way:
        current = None if current is None else next(_found(current, step, named), None)
    if current is not None:
        yield from _found(current, last, named) if last else (current,)


def finder(said: Any) -> Callable[[str], str | None]:
    """Finds in the XML of an answer's body element, as a test shows it. ``InvalidInput`` for what is none."""
    return partial(find, strict_xml.parse(str(said).encode(), foreign=True))


def _found(node: etree._Element, step: str, named: _Named) -> Iterator[etree._Element]:
    match = _STEP.fullmatch(step)
    if match is None:
        return
    fits = (child for child in _children(node) if etree.QName(child).localname == match[1])
    if match[3]:
        fits = (child for child in fits if child.get(match[3]) == match[4])
    wanted = int(match[2]) - 1 if match[2] else None
    for each in islice(fits, wanted or 0, None if wanted is None else wanted + 1):
        yield named.followed(each)


def _children(node: etree._Element) -> Iterator[etree._Element]:
    """Elements in an element; of one that holds XML as text (many .asmx services do) the root of that."""
    if len(node) or not (node.text or "").lstrip("\ufeff \t\r\n").startswith("<"):
        yield from node.iterchildren(etree.Element)
        return
    with contextlib.suppress(InvalidInput):  # a text that only begins like XML holds no elements
        yield strict_xml.parse((node.text or "").encode(), foreign=True)


class _Named:
    """Elements of one Body by their ids, read once where a first reference needs them."""

    def __init__(self, node: etree._Element) -> None:
        self._body = next((each for each in node.iterancestors() if etree.QName(each).localname == "Body"), node)
        self._known: dict[str, list[etree._Element]] | None = None

    def followed(self, node: etree._Element) -> etree._Element:
        """The element that holds the value: that with the id, where an empty element refers to one in the same Body."""
        for _ in range(_MAX_REFERENCES):
            reference = next((node.get(name, "") for name in _REFERENCES if node.get(name)), "")
            if len(node) or (node.text or "").strip() or not reference:
                break
            named = self._of(reference.removeprefix("#"))
            if len(named) != 1:
                break
            node = named[0]
        return node

    def _of(self, name: str) -> list[etree._Element]:
        if self._known is None:
            self._known = {}
            for each in self._body.iter(etree.Element):
                for known in dict.fromkeys(_ids(each)):
                    self._known.setdefault(known, []).append(each)
        return self._known.get(name, [])


def _ids(node: etree._Element) -> Iterator[str]:
    yield from (node.get(name, "") for name in ("id", f"{{{SOAP12_ENCODING}}}id") if node.get(name))
