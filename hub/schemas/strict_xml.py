"""Strict XML: hostile bytes in, a plain tree out, or a refusal that names the place.

Two gates. The first is our own scan of the bytes, linear and without recursion: what no message needs (DOCTYPE,
entities, comments, processing instructions, encodings other than UTF-8) and what would cost too much (depth, long text,
floods of elements and attributes) is refused before libxml2 sees a byte. The second looks at the tree: XInclude,
``xml:base``, schema locations and relative namespace names, which make canonicalisation fail, are refused.

Comments are refused everywhere: a comment inside a value cuts the text that careless readers see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from lxml import etree

from hub.errors import Fault, InvalidInput, TooLarge
from hub.schemas import charsets

MAX_BYTES: Final = 10_485_760
MAX_DEPTH: Final = 32
MAX_TEXT_BYTES: Final = 1_048_576
MAX_TAG_BYTES: Final = 65_536
MAX_ELEMENTS: Final = 50_000
MAX_ATTRIBUTES: Final = 100_000
MAX_PREFIXES: Final = 64
MAX_FOREIGN_PREFIXES: Final = 1_000
"""JAXB declares the namespaces of all packages at the root."""
_MAX_FAULTS: Final = 100

_XML: Final = "http://www.w3.org/XML/1998/namespace"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_XINCLUDE: Final = ("http://www.w3.org/2001/XInclude", "http://www.w3.org/2003/XInclude")
_XINCLUDE_NAMES: Final = tuple(f"{{{uri}}}" for uri in _XINCLUDE)
_SUSPECT: Final = frozenset({_XSI, *_XINCLUDE})
_OUTWARD: Final = {f"{{{_XML}}}base": "xml.base"} | {
    f"{{{_XSI}}}{name}": "xml.schema_location" for name in ("schemaLocation", "noNamespaceSchemaLocation")
}
_DROPPED: Final = (
    (b"<!--", b"-->", "comment", "comments are not allowed"),
    (b"<?", b"?>", "pi", "processing instructions are not allowed"),
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

_DECLARATION: Final = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"(?P<a>[^"<>]*)"|'(?P<b>[^'<>]*)'))?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>"""
)
# In well-formed XML a "<" outside CDATA always begins markup (it may not stand in attribute values), so a scan from
# "<" to "<" sees everything libxml2 could take for a DOCTYPE. Possessive: no backtracking.
_TAG: Final = re.compile(
    rb"""</?[^\s<>/!?"'][^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+)*+>""",
)
_SLASH: Final = ord("/")
_CDATA: Final = re.compile(rb"<!\[CDATA\[.*?\]\]>", re.DOTALL)
_BAD_REFERENCE: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_NO_LABEL: Final = re.compile(r"utf-(16|32|7)|iso2022|hz")
_BEFORE: Final = "\ufeff \t\r\n"
_NOT_UTF8: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00", b"\x4c\x6f\xa7\x94")


def parse(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_text_bytes: int = MAX_TEXT_BYTES,
    foreign: bool = False,
    charset: str | None = None,
) -> etree._Element:
    """The root element of one XML 1.0 document in UTF-8 (a byte order mark is allowed and skipped).

    ``max_bytes``: the whole document; ``max_depth``: elements inside elements; ``max_text_bytes``: text between two
    tags. Also bounded: length of a tag (64 KiB), elements (50,000), attributes (100,000), namespace prefixes (64).
    ``foreign``: for documents of other systems that carry no seal of ours; comments and processing instructions are
    dropped (text stays whole), relative namespace names, ``xml:base`` and schema locations stay as dead text, up to
    1,000 prefixes, and any encoding (``utf8``; ``charset``: what its carrier says of it, such as HTTP).
    Raises ``TooLarge`` or ``InvalidInput``; codes of the faults: ``xml.too_large``, ``xml.encoding``, ``xml.doctype``,
    ``xml.entity``, ``xml.comment``, ``xml.pi``, ``xml.depth``, ``xml.text``, ``xml.tag``, ``xml.elements``,
    ``xml.attributes``, ``xml.syntax``, ``xml.xinclude``, ``xml.base``, ``xml.schema_location``, ``xml.namespace``.
    """
    if len(data) > max_bytes:
        _refuse_size("too_large", f"longer than {max_bytes} bytes")
    body = _body(utf8(data, charset), foreign) if foreign else _body(data)
    _scan(body, max_depth, max_text_bytes, foreign)
    root = _parse_tree(body)
    faults = [fault for fault, _ in zip(_tree_faults(root, body, foreign), range(_MAX_FAULTS), strict=False)]
    if faults:
        raise InvalidInput("This is not XML that the hub takes.", faults=faults)
    return root


def utf8(data: bytes, charset: str | None = None) -> bytes:
    """A foreign document as UTF-8 without mark and without blanks before it; its declaration stays and binds nobody.

    ``InvalidInput`` (``xml.encoding``) if it is in no encoding that it may be in. ``charset``: of HTTP or of its part.
    """
    text = charsets.read(data, _label(data, charset))
    if text is None:
        _refuse("encoding", "the document is not in the encoding that is declared, nor in another one that is known")
    return text.lstrip(_BEFORE).encode("utf-8")


def _label(data: bytes, charset: str | None) -> str | None:
    """The first of the labels that may be true: HTTP's (RFC 7303 section 3.2), then the declaration's.

    A document whose markup stands in single bytes is in no wide encoding (.NET's StringWriter declares utf-16), and
    letters of seven bits could hide markup.
    """
    names = [name for each in (charset, charsets.declared(data)) if (name := charsets.codec(each))]
    return next((name for name in names if not _NO_LABEL.match(name) and _is_in(data, name)), None)


def _is_in(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _refuse(rule: str, message: str, data: bytes = b"", position: int = 0) -> NoReturn:
    line = data.count(b"\n", 0, position) + 1
    place = f" (line {line})" if data else ""
    fault = Fault(pointer="/", code=f"xml.{rule}", message=message + place)
    raise InvalidInput("This is not XML that the hub takes.", faults=[fault])


def _refuse_size(rule: str, message: str) -> NoReturn:
    raise TooLarge(
        "The XML document is over a limit.", faults=[Fault(pointer="/", code=f"xml.{rule}", message=message)]
    )


def _body(data: bytes, foreign: bool = False) -> bytes:
    """The document without byte order mark and XML declaration; surely UTF-8."""
    body = data.removeprefix(b"\xef\xbb\xbf")
    if body.startswith(_NOT_UTF8) or b"\x00" in body[:16]:
        _refuse("encoding", "the document is not UTF-8")
    if body[:5] == b"<?xml" and body[5:6].isspace():
        declaration = _DECLARATION.match(body)
        if declaration is None:
            _refuse("syntax", "the XML declaration is not one of XML 1.0")
        encoding = declaration["a"] or declaration["b"] or b"utf-8"
        if not foreign and encoding.lower() != b"utf-8":
            _refuse("encoding", "the declared encoding is not UTF-8")
        body = body[declaration.end() :]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("encoding", "the document is not UTF-8")
    return body


def _scan(data: bytes, max_depth: int, max_text_bytes: int, foreign: bool) -> None:
    """First gate: refuse by bytes alone. Stops at what it cannot read, so libxml2 never meets anything unseen."""
    if b"<![CDATA[" not in data:  # a flood is counted, not walked through
        _check_size(0, data.count(b"<") - data.count(b"</"), 0)
    position = depth = run = elements = attributes = 0
    while (start := data.find(b"<", position)) >= 0:
        run += start - position
        tag = _TAG.match(data, start)
        if tag is None:
            position = _end_of_no_tag(data, start, foreign)
            run += position - start
            _check_text(run, max_text_bytes)
            continue
        if run > max_text_bytes:
            break  # refused below
        position, run = tag.end(), 0
        if data[start + 1] == _SLASH:
            depth -= 1
        else:
            elements += 1
            attributes += data.count(b"=", start, position)
            depth += data[position - 2] != _SLASH
            if position - start > MAX_TAG_BYTES or elements > MAX_ELEMENTS or attributes > MAX_ATTRIBUTES:
                _check_size(position - start, elements, attributes)
        if not 0 <= depth <= max_depth:
            _refuse_nesting(depth, max_depth, data, start)
    _check_text(run + len(data) - position, max_text_bytes)
    if b"&" in data and _BAD_REFERENCE.search(_CDATA.sub(b"", data)):
        _refuse("entity", "only the five entities of XML itself and character references are allowed")


def _check_text(length: int, limit: int) -> None:
    if length > limit:
        _refuse_size("text", f"a text is longer than {limit} bytes")


def _check_size(tag_length: int, elements: int, attributes: int) -> None:
    if tag_length > MAX_TAG_BYTES:
        _refuse_size("tag", f"a tag is longer than {MAX_TAG_BYTES} bytes")
    if elements > MAX_ELEMENTS:
        _refuse_size("elements", f"more than {MAX_ELEMENTS} elements")
    if attributes > MAX_ATTRIBUTES:
        _refuse_size("attributes", f"more than {MAX_ATTRIBUTES} attributes")


def _refuse_nesting(depth: int, max_depth: int, data: bytes, position: int) -> NoReturn:
    if depth < 0:
        _refuse("syntax", "an element is closed that was never opened", data, position)
    _refuse("depth", f"nested more than {max_depth} levels deep", data, position)


def _end_of_no_tag(data: bytes, start: int, foreign: bool) -> int:
    """Where the CDATA section at ``start`` ends (or comment, or instruction, in a foreign document)."""
    opening = data[start : start + 9].upper()
    if opening == b"<![CDATA[":
        section = _CDATA.match(data, start)
        if section is None:
            _refuse("syntax", "a CDATA section has no end", data, start)
        return section.end()
    for mark, end, rule, message in _DROPPED:
        if opening.startswith(mark):
            if not foreign:
                _refuse(rule, message, data, start)
            return _end_of(data, start + len(mark), end)
    if opening.startswith((b"<!DOCTYPE", b"<!ENTITY", b"<!ELEMENT", b"<!ATTLIST", b"<!NOTATIO")):
        _refuse("doctype", "document type declarations are not allowed", data, start)
    if len(data) - start > MAX_TAG_BYTES and data.find(b">", start, start + MAX_TAG_BYTES) < 0:
        _refuse_size("tag", f"a tag is longer than {MAX_TAG_BYTES} bytes")
    _refuse("syntax", "not well-formed", data, start)


def _end_of(data: bytes, start: int, mark: bytes) -> int:
    end = data.find(mark, start)
    if end < 0:
        _refuse("syntax", "a comment or processing instruction has no end", data, start)
    return end + len(mark)


def _parse_tree(body: bytes) -> etree._Element:
    # A fresh parser: no state is shared between threads. recover=False is what makes errors end the parse.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,  # refused above, or foreign and dropped
        remove_pis=True,
        strip_cdata=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        # The parser's own sentence may quote the document; position and code say enough.
        line, column = error.position
        _refuse("syntax", f"not well-formed at line {line}, column {column}")
    for entry in parser.error_log:  # a warning behind a prefix that is not declared makes lxml forget the error
        if entry.level > etree.ErrorLevels.WARNING:
            _refuse("syntax", f"not well-formed at line {entry.line}, column {entry.column}")
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        _refuse("doctype", "document type declarations are not allowed")
    return root


def _tree_faults(root: etree._Element, body: bytes, foreign: bool) -> Iterator[Fault]:
    """Second gate: what is well-formed but reaches outward or breaks canonicalisation."""
    # A walk that shows only declarations would be one step, and hold the interpreter for the whole of a large tree.
    walk = etree.iterwalk(root, events=("start", "start-ns")) if b"xmlns" in body else ()
    declared = {said for event, said in walk if event == "start-ns"}
    limit = MAX_FOREIGN_PREFIXES if foreign else MAX_PREFIXES
    if len({prefix for prefix, _ in declared}) > limit:
        yield Fault(pointer="/", code="xml.namespace", message=f"more than {limit} namespace prefixes")
    uris = {uri for _, uri in declared}
    # Names cannot hold character references, so "xml:base" stands in the bytes if it stands in the tree.
    if b"xml:base" in body or any(uri in _SUSPECT or _relative(uri) for uri in uris):
        for code, message, element in _element_faults(root):
            if not foreign or code == "xml.xinclude":
                yield Fault(pointer=_path(element), code=code, message=message)


def _path(element: etree._Element) -> str:
    """XPath of an element. libxml2 cuts a long name off in the middle of a letter: then by numbers alone."""
    try:
        return element.getroottree().getpath(element)
    except UnicodeDecodeError:
        steps = [element, *element.iterancestors()]
        return "".join(f"/*[{sum(1 for _ in step.itersiblings(preceding=True)) + 1}]" for step in reversed(steps))


def _relative(uri: str) -> bool:
    return bool(uri) and not _SCHEME.match(uri)


def _element_faults(root: etree._Element) -> Iterator[tuple[str, str, etree._Element]]:
    relative = False
    for event, item in etree.iterwalk(root, events=("start-ns", "start")):
        if event == "start-ns":  # comes before the element that declares it
            relative = relative or _relative(item[1])
            continue
        if relative:
            # Canonicalisation fails on them and must never end in the digest of nothing (C14N 1.0 section 1.3).
            yield "xml.namespace", "a namespace name must be an absolute URI", item
            relative = False
        names = [str(item.tag), *map(str, item.keys())]
        if any(name.startswith(_XINCLUDE_NAMES) for name in names):
            yield "xml.xinclude", "inclusions are not allowed", item
        for name in names:
            if name in _OUTWARD:
                yield _OUTWARD[name], "attributes that point to other documents are not allowed", item
