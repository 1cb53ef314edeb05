"""SOAP 1.1 and 1.2 envelopes and faults, read strictly and written plainly.

Received bytes are hostile: ``strict_xml`` reads them in whatever encoding they are; at most one Header, one Body.
"""

from __future__ import annotations

from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapEnvelope:
    """A received envelope. ``header``: its blocks, empty if there is no Header. ``body``: the Body element."""

    version: SoapVersion
    root: etree._Element
    header: tuple[etree._Element, ...]
    body: etree._Element

    @property
    def content(self) -> etree._Element | None:
        """The first element of the Body; None if it is empty."""
        return next(self.body.iterchildren(etree.Element), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultElement:
    """A fault as it was said. ``code``: its local name with dots; ``subcodes``: of SOAP 1.2, outermost first.

    ``detail``: the detail element, which a dialect may read; its text is the other side's and may hold anything.
    """

    code: str
    subcodes: tuple[str, ...] = ()
    reason: str = ""
    actor: str | None = None
    detail: etree._Element | None = None

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


def read_envelope(data: bytes, *, charset: str | None = None, max_bytes: int = strict_xml.MAX_BYTES) -> SoapEnvelope:
    """A SOAP envelope. ``InvalidInput`` with ``xml.*`` or ``soap.*`` codes, ``TooLarge`` over ``max_bytes``."""
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
    if tags not in ([body_tag], [header_tag, body_tag]):
        raise refuse("structure", "an envelope holds at most one Header, then the Body, and nothing else", "/Envelope")
    blocks = tuple(children[0].iterchildren(etree.Element)) if len(children) == 2 else ()
    return SoapEnvelope(version=version, root=root, header=blocks, body=children[-1])


def fault_of(envelope: SoapEnvelope) -> FaultElement | None:
    """The fault in the Body, whatever prefixes it uses; None if there is none."""
    node = envelope.content
    if node is None or node.tag != f"{{{envelope.version.namespace}}}Fault":
        return None
    return _fault_11(node) if envelope.version is SoapVersion.V11 else _fault_12(node)


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


def write_fault(version: SoapVersion, code: str, reason: str, detail: etree._Element | None = None) -> bytes:
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
    return write_envelope(version, fault)


def content_type(version: SoapVersion, action: str) -> str:
    """The Content-Type of a request; SOAP 1.2 carries the action in it (RFC 3902)."""
    if version is SoapVersion.V11:
        return "text/xml; charset=utf-8"
    return "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")
