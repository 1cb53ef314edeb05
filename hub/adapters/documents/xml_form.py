"""XML: ``@name`` is an attribute, ``#text`` the text beside attributes, ``@xmlns`` and ``@xmlns:p`` namespaces, a list
the element again and again. With a schema (``xsd``), order and namespaces are the schema's, and nothing goes out that
it does not allow. Of theirs, the document or each element at ``each`` is a statement; places are local names.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from lxml import etree

from hub.adapters import xml_places
from hub.adapters.documents.forms import MAX_STATEMENTS, DocumentForm, DocumentPiece, too_many
from hub.adapters.documents.xsd import XmlSchema
from hub.adapters.mapping import AnswerPath, Find
from hub.adapters.template import CODES
from hub.errors import InvalidInput, UnsupportedFeature
from hub.net.settings import FilePath
from hub.schemas import strict_xml
from hub.schemas.base import Frozen

MARK: Final = "hub-file"
_MARK: Final = re.compile(rb"<\?hub-file ([0-9a-f]{64})\?>")
_FILE: Final = re.compile(r"\x00([0-9a-f]{64})\x00")
_XMLNS: Final = re.compile(r"@xmlns(?::([A-Za-z_][\w.-]*))?")
_XML: Final = "http://www.w3.org/XML/1998/namespace"
MAX_TEXT_BYTES: Final = 8 * 1_048_576
"""Longest text of a document of theirs: a file in base64 may stand in it."""


class XmlForm(Frozen):
    """How XML is written. ``xsd``: file of the schema, with those that it includes or imports beside or below it."""

    xsd: FilePath | None = None
    encoding: Literal["utf-8", "windows-1251"] = "utf-8"


class XmlDocuments(DocumentForm):
    """Writes and reads by one channel's settings."""

    ending = "xml"
    marks = _MARK
    content_type = "application/xml"

    def __init__(self, settings: XmlForm, schema: XmlSchema | None = None, each: AnswerPath | None = None) -> None:
        self._encoding = settings.encoding
        self._schema = schema
        self._each = each

    def write(self, values: Mapping[str, Any]) -> bytes:
        """The document. ``UnsupportedFeature`` (``template.schema``) names the elements that the schema refuses."""
        root = built(values)
        if self._schema is not None:
            root = self._schema.fitted(root)
        return bytes(etree.tostring(root, xml_declaration=True, encoding=self._encoding.upper()))  # type: ignore[arg-type]

    def pieces(self, data: bytes) -> Iterator[DocumentPiece]:
        """The document, or each element at ``each``."""
        root = strict_xml.parse(data, foreign=True, max_text_bytes=MAX_TEXT_BYTES)
        found = [root] if self._each is None else xml_places.elements(root, _slashed(self._each), MAX_STATEMENTS + 1)
        if not found:
            raise InvalidInput(f"There is no element at {self._each}.", code="template.each")
        for number, found_one in enumerate(found, 1):
            element = found_one if self._each is None else copy.deepcopy(found_one)  # it sees nothing beside it
            raw = data if self._each is None else _written(element)
            place = f"{etree.QName(element).localname} {number}"
            if number > MAX_STATEMENTS:
                yield too_many(place, raw)
                return
            yield DocumentPiece(place=place, raw=raw, find=partial(find, element), rows=partial(rows, element))

    def shown(self, said: Any) -> DocumentPiece:
        """One statement: XML as text, or a tree as a request is."""
        root = built(said) if isinstance(said, Mapping) else strict_xml.parse(str(said).encode(), foreign=True)
        return DocumentPiece(place="", raw=b"", find=partial(find, root), rows=partial(rows, root))

    def comparable(self, text: str) -> Any:
        """Canonical XML without the blanks between elements, one element a line."""
        root = strict_xml.parse(text.encode(), foreign=True)
        written = etree.canonicalize(etree.tostring(root, encoding="unicode"), strip_text=True, rewrite_prefixes=True)
        return str(written).replace("><", ">\n<").splitlines()


_OWN_TEXT: Final = re.compile(r"(?:^|[./])#text$")


def _written(element: etree._Element) -> bytes:
    return etree.tostring(element, encoding="unicode", with_tail=False).encode("utf-8", "replace")


def find(node: etree._Element, path: str) -> str | None:
    """Text at a place: ``result.code``, ``items.0.@id``; where names have dots, ``result/code``, ``item[2]/@id``."""
    found = xml_places.find(node, _slashed(path))
    return xml_places.find(node, path) if found is None and "." in path else found


def _slashed(path: str) -> str:
    """The path with slashes; one that has some stays as it is. An element's own text stands where the element does."""
    path = _OWN_TEXT.sub("", path) or "."
    if path == "." or "/" in path or "[" in path:
        return path
    steps: list[str] = []
    for step in path.split("."):
        if steps and step.isascii() and step.isdecimal():
            steps[-1] += f"[{int(step) + 1}]"
        else:
            steps.append(step)
    return "/".join(steps)


def rows(node: etree._Element, path: str | None) -> Sequence[Find]:
    """Finders in what stands at a place, one by one."""
    found = [node] if path is None else xml_places.elements(node, _slashed(path))
    return [partial(find, each) for each in found]


def built(values: Mapping[str, Any]) -> etree._Element:
    """The element of a tree. ``UnsupportedFeature`` (``template.mapping``) for a tree that is no XML."""
    names = [name for name in values if not name.startswith(("@", "#"))]
    if len(names) != 1 or len(values) != 1 or isinstance(values[names[0]], list):
        raise _unwritable("XML has one root: the request must have exactly one member, which is no list")
    try:
        return _element(names[0], values[names[0]], {})
    except ValueError:
        raise _unwritable("a name or a text of it can stand in no XML") from None


def _unwritable(why: str) -> UnsupportedFeature:
    return UnsupportedFeature(f"The document cannot be written: {why}.", code=CODES.mapping, action="Mend the mapping.")


def _element(name: str, value: Any, scope: Mapping[str | None, str]) -> etree._Element:
    members: Mapping[str, Any] = value if isinstance(value, Mapping) else {"#text": value}
    own = {found[1]: str(uri) for key, uri in members.items() if (found := _XMLNS.fullmatch(str(key)))}
    if "" in own.values():
        raise _unwritable("@xmlns is empty")
    inner = {**scope, **own}
    element = etree.Element(_qname(name, inner), nsmap=own)
    for key, each in members.items():
        if _XMLNS.fullmatch(key) or each is None:
            continue
        if key == "#text":
            _put_text(element, each)
        elif key.startswith("@"):
            element.set(_qname(key[1:], inner, attribute=True), _text(each))
        else:
            element.extend([_element(key, one, inner) for one in (each if isinstance(each, list) else [each])])
    return element


def _put_text(element: etree._Element, value: Any) -> None:
    text = _text(value)
    file = _FILE.fullmatch(text)
    if file is None:
        element.text = text
    else:
        element.append(etree.ProcessingInstruction(MARK, file[1]))


def _text(value: Any) -> str:
    if isinstance(value, Mapping | list):
        raise _unwritable("a text or an attribute holds one value, no list and no object")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _qname(name: str, scope: Mapping[str | None, str], *, attribute: bool = False) -> str:
    prefix, colon, local = name.rpartition(":")
    if prefix == "xml":
        return f"{{{_XML}}}{local}"
    if colon and prefix not in scope:
        raise _unwritable(f"the prefix of {name} is not declared (@xmlns:{prefix})")
    space = scope[prefix] if colon else "" if attribute else scope.get(None, "")
    return f"{{{space}}}{local}" if space else local
