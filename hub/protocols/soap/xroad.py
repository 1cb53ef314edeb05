"""X-Road message protocol 4.0: headers written, and messages read with every rule that a security server would check.

Facts: X-Road's protocol document pr-mess; Trembita keeps the headers, not their order, and has ``_`` in its codes.
Codes of refusals: ``xroad.no_header``, ``xroad.missing_header``, ``xroad.duplicate_header``, ``xroad.identifier``,
``xroad.protocol_version``, ``xroad.body``; and those of ``wire`` and ``mime``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hub.errors import Fault as InputFault
from hub.errors import InvalidInput
from hub.protocols.soap.wire import SoapEnvelope

XROAD: Final = "http://x-road.eu/xsd/xroad.xsd"
IDENTIFIERS: Final = "http://x-road.eu/xsd/identifiers"
VERSION: Final = "4.0"
_NAMES: Final = ("client", "service", "userId", "id", "issue", "protocolVersion", "requestHash")
_MEMBER: Final = ("xRoadInstance", "memberClass", "memberCode")
_PARTS: Final = {
    "MEMBER": (_MEMBER,),
    "SUBSYSTEM": ((*_MEMBER, "subsystemCode"),),
    "SERVICE": tuple(
        (*_MEMBER, *subsystem, "serviceCode", *version)
        for subsystem in ((), ("subsystemCode",))
        for version in ((), ("serviceVersion",))
    ),
    "SERVER": ((*_MEMBER, "serverCode"),),
    "GLOBALGROUP": (("xRoadInstance", "groupCode"),),
    "LOCALGROUP": (("groupCode",),),
}
_HASHES: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
}
_MAX_PART: Final = 255


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier: its object type and parts, in the schema's order."""

    kind: str
    parts: tuple[tuple[str, str], ...]

    @property
    def service_code(self) -> str:
        """The service's code; empty if it names no service."""
        return dict(self.parts).get("serviceCode", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class XRoadHeaders:
    """The headers of a message. ``request_hash``: algorithm and base64 value, in answers."""

    client: Identifier
    service: Identifier
    id: str
    protocol_version: str
    user_id: str | None = None
    issue: str | None = None
    request_hash: tuple[str, str] | None = None


def _refuse(rule: str, message: str, pointer: str = "/Envelope/Header") -> InvalidInput:
    code = f"xroad.{rule}"
    fault = InputFault(pointer=pointer, code=code, message=message)
    return InvalidInput("This is not a message of X-Road's protocol 4.0.", code=code, faults=[fault])


def parse_identifier(text: str) -> Identifier:
    """``instance/class/member[/subsystem[/service[/version]]]`` as settings have it. Counts were checked there."""
    parts = text.split("/")
    names = (*_MEMBER, "subsystemCode", "serviceCode", "serviceVersion")[: len(parts)]
    kind = "MEMBER" if len(parts) == 3 else "SUBSYSTEM" if len(parts) == 4 else "SERVICE"
    return Identifier(kind, tuple(zip(names, parts, strict=True)))


def read_identifier(node: etree._Element) -> Identifier:
    """An identifier element. ``InvalidInput`` (``xroad.identifier``)."""
    kind = node.get(f"{{{IDENTIFIERS}}}objectType")
    children = list(node.iterchildren(etree.Element))
    names = tuple(etree.QName(child).localname for child in children)
    if any(etree.QName(child).namespace != IDENTIFIERS or len(child) for child in children):
        raise _refuse("identifier", "an identifier holds parts of the identifiers' namespace only")
    if kind is None or names not in _PARTS.get(kind, ()):
        raise _refuse("identifier", "objectType and parts do not fit together")
    values = tuple((child.text or "").strip() for child in children)
    for value in values:
        # X-Road allows fewer characters; Trembita has "_" everywhere, so only what would do harm is refused.
        if not 0 < len(value) <= _MAX_PART or not value.isprintable() or "/" in value or " " in value:
            raise _refuse("identifier", "a part is empty, too long, or holds a slash, blank or control character")
    return Identifier(kind, tuple(zip(names, values, strict=True)))


def _copied_identifier(node: etree._Element) -> Identifier:
    """An identifier that was copied by hand: its parts in their order, in whatever namespace, with or without type."""
    children = list(node.iterchildren(etree.Element))
    names = tuple(etree.QName(child).localname for child in children)
    kinds = [kind for kind, shapes in _PARTS.items() if names in shapes]
    said = node.get(f"{{{IDENTIFIERS}}}objectType") or node.get("objectType")
    if not kinds or any(len(child) for child in children) or said not in (None, *kinds):
        raise _refuse("identifier", "objectType and parts do not fit together")
    return Identifier(
        said or kinds[0], tuple(zip(names, ((child.text or "").strip() for child in children), strict=True))
    )


def write_identifier(name: str, identifier: Identifier) -> etree._Element:
    """The header element of an identifier."""
    node = etree.Element(f"{{{XROAD}}}{name}", nsmap={"xro": XROAD, "iden": IDENTIFIERS})
    node.set(f"{{{IDENTIFIERS}}}objectType", identifier.kind)
    for part, value in identifier.parts:
        etree.SubElement(node, f"{{{IDENTIFIERS}}}{part}").text = value
    return node


def write_headers(headers: XRoadHeaders) -> list[etree._Element]:
    """The header blocks of a request, in the protocol's order."""
    blocks = [write_identifier("client", headers.client), write_identifier("service", headers.service)]
    texts = (
        ("userId", headers.user_id),
        ("id", headers.id),
        ("issue", headers.issue),
        ("protocolVersion", headers.protocol_version),
    )
    for name, value in texts:
        if value is not None:
            node = etree.Element(f"{{{XROAD}}}{name}", nsmap={"xro": XROAD})
            node.text = value
            blocks.append(node)
    return blocks


def read_headers(envelope: SoapEnvelope, *, copied: bool = False) -> XRoadHeaders:
    """The headers, in whatever order they come. ``InvalidInput`` (``xroad.*``).

    ``copied``: of an answer, whose service may have copied them by hand and lost namespaces and types.
    """
    if not envelope.header:
        raise _refuse("no_header", "there is no header")
    found: dict[str, etree._Element] = {}
    for block in envelope.header:
        name = etree.QName(block)
        ours = name.namespace == XROAD or (copied and not name.namespace)
        if not ours or name.localname not in _NAMES:
            continue
        if name.localname in found:
            raise _refuse("duplicate_header", f"{name.localname} stands twice")
        found[name.localname] = block
    for required in ("client", "service", "id", *(() if copied else ("protocolVersion",))):
        if required not in found:
            raise _refuse("missing_header", f"{required} is missing")
    version = _text(found["protocolVersion"]) if "protocolVersion" in found else VERSION
    message_id = _text(found["id"]) or ""
    if version is None or not version.startswith("4."):
        raise _refuse("protocol_version", "the protocol version is not 4.x")
    hashed = found.get("requestHash")
    identifier = _copied_identifier if copied else read_identifier
    return XRoadHeaders(
        client=identifier(found["client"]),
        service=identifier(found["service"]),
        id=message_id,
        protocol_version=version,
        user_id=_text(found.get("userId")),
        issue=_text(found.get("issue")),
        request_hash=(hashed.get("algorithmId", ""), _text(hashed) or "") if hashed is not None else None,
    )


def _text(node: etree._Element | None) -> str | None:
    value = "" if node is None else (node.text or "").strip()
    return value or None


def check_body(envelope: SoapEnvelope) -> None:
    """One element in the Body; Trembita's need not be named after the service. ``InvalidInput`` (``xroad.body``)."""
    if len(list(envelope.body.iterchildren(etree.Element))) != 1:
        raise _refuse("body", "the Body holds exactly one element", "/Envelope/Body")


def same_exchange(sent: XRoadHeaders, received: XRoadHeaders) -> bool:
    """True if an answer's headers are those of the request; order is not looked at, absent optional ones are fine."""
    return (
        sent.id == received.id
        and sent.client == received.client
        and sent.service == received.service
        and received.user_id in (None, sent.user_id)
        and received.issue in (None, sent.issue)
    )


def hash_agrees(headers: XRoadHeaders, request: bytes) -> bool:
    """True if the hash of our request is right; also if there is none, or one of an algorithm that we do not have."""
    if headers.request_hash is None or headers.request_hash[0] not in _HASHES:
        return True
    algorithm, value = headers.request_hash
    return value == base64.b64encode(hashlib.new(_HASHES[algorithm], request).digest()).decode()
