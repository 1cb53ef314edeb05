"""SOAP 1.1 and 1.2 envelopes and faults, read strictly and written plainly.

Received bytes are hostile: ``strict_xml`` reads them in whatever encoding they are; at most one Header, one Body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lxml import etree

from hub.errors import Fault as InputFault
from hub.errors import InvalidInput
from hub.schemas import strict_xml

SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
MAX_TEXT_BYTES: Final = 9_437_184
"""Base64 of a part of 7 MB; libxml2 ends text nodes at 10 MB."""


class SoapVersion(StrEnum):
    """The two versions; the value stands in settings."""

    V11 = "1.1"
    V12 = "1.2"

    @property
    def namespace(self) -> str:
        """Namespace of the envelope."""
        return SOAP11 if self is SoapVersion.V11 else SOAP12


_ROOT: Final = "{http://schemas.xmlsoap.org/soap/encoding/}root"
_OUR_ROLES: Final = {
    SoapVersion.V11: frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"}),
    SoapVersion.V12: frozenset({"", f"{SOAP12}/role/next", f"{SOAP12}/role/ultimateReceiver"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapEnvelope:
    """A received envelope. ``header``: its blocks, empty if there is no Header. ``body``: the Body element."""

    version: SoapVersion
    root: etree._Element
    header: tuple[etree._Element, ...]
    body: etree._Element

    @property
    def content(self) -> etree._Element | None:
        """The element that the Body says; None if it is empty. Of rpc/encoded values beside it (SOAP 1.1 section 5.6)
        none is it.
        """
        children = list(self.body.iterchildren(etree.Element))
        return next((child for child in children if child.get(_ROOT) not in ("0", "false")), None)

    def demanded(self) -> Iterator[etree._Element]:
        """Header blocks that whoever is the last to get the message must understand (SOAP 1.1 section 4.2, SOAP 1.2
        part 1 section 2.2); those for a node on the way are not ours.
        """
        space, role = self.version.namespace, "actor" if self.version is SoapVersion.V11 else "role"
        for block in self.header:
            must = block.get(f"{{{space}}}mustUnderstand", "0").strip() in ("1", "true")
            if must and block.get(f"{{{space}}}{role}", "").strip() in _OUR_ROLES[self.version]:
                yield block


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultElement:
    """A fault as it was said. ``code``: its local name with dots; ``subcodes``: of SOAP 1.2, outermost first.

    ``detail``: the detail element, which a dialect may read; its text is the other side's and may hold anything.
    ``node``: the whole element, for a mapping.
    """

    code: str
    subcodes: tuple[str, ...] = ()
    reason: str = ""
    actor: str | None = None
    detail: etree._Element | None = None
    node: etree._Element | None = None

    @property
    def path(self) -> str:
        """Code and subcodes as one dotted path."""
        return ".".join((self.code, *self.subcodes))


def refuse(rule: str, message: str, pointer: str = "/") -> InvalidInput:
    """An error about a SOAP message; ``soap.<rule>``."""
    code = f"soap.{rule}"
    return InvalidInput(
        "This is not a SOAP message that the hub takes.",
        code=code,
        faults=[InputFault(pointer=pointer, code=code, message=message)],
    )


def read_envelope(
    data: bytes, *, charset: str | None = None, max_bytes: int = strict_xml.MAX_BYTES, signed: bool = False
) -> SoapEnvelope:
    """A SOAP envelope. ``InvalidInput`` with ``xml.*`` or ``soap.*`` codes, ``TooLarge`` over ``max_bytes``.

    Elements behind the Body are legal in SOAP 1.1 (section 4) and nobody's to read; ``signed``: none is allowed, for
    a signature could be carried there.
    """
    if not data.strip():
        raise refuse("empty", "there is no SOAP message")
    root = strict_xml.parse(data, max_bytes=max_bytes, max_text_bytes=MAX_TEXT_BYTES, foreign=True, charset=charset)
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in (SOAP11, SOAP12):
        raise refuse("envelope", "the root is no Envelope of SOAP 1.1 or 1.2")
    version = SoapVersion.V11 if name.namespace == SOAP11 else SoapVersion.V12
    children = list(root.iterchildren(etree.Element))
    tags = [str(child.tag) for child in children]
    header_tag, body_tag = f"{{{version.namespace}}}Header", f"{{{version.namespace}}}Body"
    if tags.count(body_tag) != 1:
        raise refuse("body", "an envelope holds exactly one Body", "/Envelope")
    behind = tags[tags.index(body_tag) + 1 :]
    legal = not behind or (version is SoapVersion.V11 and not signed and header_tag not in behind)
    if not legal or tags[: tags.index(body_tag)] not in ([], [header_tag]):
        raise refuse("structure", "an envelope holds at most one Header, then the Body, and nothing else", "/Envelope")
    blocks = tuple(children[0].iterchildren(etree.Element)) if tags[0] == header_tag else ()
    return SoapEnvelope(version=version, root=root, header=blocks, body=children[tags.index(body_tag)])


def fault_of(envelope: SoapEnvelope) -> FaultElement | None:
    """The fault in the Body, whatever prefixes it uses; None if there is none."""
    node = envelope.content
    if node is None or node.tag not in (f"{{{SOAP11}}}Fault", f"{{{SOAP12}}}Fault", "Fault"):
        return None
    # Local names decide: some servers write the fault of the other version, or one in no namespace.
    return _fault_12(node) if _child(node, "Code") is not None else _fault_11(node)


def _local(text: str | None) -> str:
    """A code without its prefix, bounded."""
    return (text or "").strip().rpartition(":")[2][:200]


def _child(node: etree._Element, *names: str) -> etree._Element | None:
    for child in node.iterchildren(etree.Element):
        if etree.QName(child).localname in names:
            return child
    return None


def _text(node: etree._Element | None) -> str:
    return "" if node is None else "".join(str(piece) for piece in node.itertext()).strip()


def _fault_11(node: etree._Element) -> FaultElement:
    # Some servers put faultcode into the envelope's namespace; local names are enough here.
    return FaultElement(
        code=_local(_text(_child(node, "faultcode"))),
        reason=_text(_child(node, "faultstring")),
        actor=_text(_child(node, "faultactor")) or None,
        detail=_child(node, "detail"),
        node=node,
    )


def _fault_12(node: etree._Element) -> FaultElement:
    code = _child(node, "Code")
    subcodes: list[str] = []
    subcode = _child(code, "Subcode") if code is not None else None
    while subcode is not None and len(subcodes) < 10:
        subcodes.append(_local(_text(_child(subcode, "Value"))))
        subcode = _child(subcode, "Subcode")
    return FaultElement(
        code=_local(_text(_child(code, "Value")) if code is not None else ""),
        subcodes=tuple(subcodes),
        reason=_text(_child(node, "Reason")),
        actor=_text(_child(node, "Node", "Role")) or None,
        detail=_child(node, "Detail"),
        node=node,
    )


def write_envelope(version: SoapVersion, content: etree._Element, headers: Iterable[etree._Element] = ()) -> bytes:
    """An envelope around one body element, UTF-8 with declaration."""
    space = version.namespace
    root = etree.Element(f"{{{space}}}Envelope", nsmap={"soap": space})
    blocks = list(headers)
    if blocks:
        etree.SubElement(root, f"{{{space}}}Header").extend(blocks)
    etree.SubElement(root, f"{{{space}}}Body").append(content)
    return serialise(root)


def serialise(root: etree._Element) -> bytes:
    """The document as UTF-8 with declaration."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def not_understood(namespace: str, name: str) -> etree._Element:
    """The header block of SOAP 1.2 that names a block which was not understood (part 1 section 5.4.8)."""
    block = etree.Element(f"{{{SOAP12}}}NotUnderstood", nsmap={"n": namespace} if namespace else None)
    block.set("qname", f"n:{name}" if namespace else name)
    return block


def write_fault(
    version: SoapVersion,
    code: str,
    reason: str,
    detail: etree._Element | None = None,
    headers: Iterable[etree._Element] = (),
) -> bytes:
    """A fault envelope. ``code``: ``Client`` or ``Server``, written as ``Sender`` / ``Receiver`` in SOAP 1.2."""
    space = version.namespace
    fault = etree.Element(f"{{{space}}}Fault", nsmap={"soap": space})
    if version is SoapVersion.V11:
        etree.SubElement(fault, "faultcode").text = f"soap:{code}"
        etree.SubElement(fault, "faultstring").text = reason
        holder = "detail"
    else:
        value = {"Client": "Sender", "Server": "Receiver"}.get(code, code)
        etree.SubElement(etree.SubElement(fault, f"{{{space}}}Code"), f"{{{space}}}Value").text = f"soap:{value}"
        text = etree.SubElement(etree.SubElement(fault, f"{{{space}}}Reason"), f"{{{space}}}Text")
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = reason
        holder = f"{{{space}}}Detail"
    if detail is not None:
        etree.SubElement(fault, holder).append(detail)
    return write_envelope(version, fault, headers)


def content_type(version: SoapVersion, action: str) -> str:
    """The Content-Type of a request; SOAP 1.2 carries the action in it (RFC 3902)."""
    if version is SoapVersion.V11:
        return "text/xml; charset=utf-8"
    return "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")
