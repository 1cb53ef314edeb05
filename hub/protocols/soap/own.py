"""The words of our own WSDLs (``schemas/hub.xsd``): written and read without zeep, element by element.

``authority.wsdl``: what a system offers that the hub calls (DeliverEnvelope, GetReceipts). ``hub.wsdl``: what the hub
offers (``/soap/hub``). Reading is lenient in prefixes and in members of no namespace, and strict in all else.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hub.errors import InvalidInput
from hub.ports import RawInbound
from hub.protocols.faults import shown
from hub.protocols.soap import mime
from hub.protocols.soap.wire import refuse
from hub.schemas import mime_rules
from hub.schemas.envelope import Attachment

NAMESPACE: Final = "urn:ua:appeal-hub:soap:1"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
STATUSES: Final = ("accepted", "duplicate", "refused")
MAX_RECEIPTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapAcknowledgement:
    """Statement of a system about a message: the fields of DeliverEnvelopeResponse. ``unread``: receipts that could not
    be read.
    """

    message_id: str
    status: str
    external_id: str | None
    ground: str | None
    receipts: tuple[RawInbound, ...]
    unread: tuple[RawInbound, ...] = ()


def tag(name: str) -> str:
    """A name of ours with its namespace."""
    return f"{{{NAMESPACE}}}{name}"


def element(name: str, *children: etree._Element | None, text: str | None = None) -> etree._Element:
    """An element of ours."""
    made = etree.Element(tag(name), nsmap={"h": NAMESPACE})
    made.text = text
    made.extend([child for child in children if child is not None])
    return made


def include(href: str) -> etree._Element:
    """The place of a binary part (XOP section 2.1)."""
    return etree.Element(f"{{{XOP}}}Include", href=f"cid:{href}", nsmap={"xop": XOP})


def file_entry(file: Attachment, *, mtom: bool) -> etree._Element:
    """An attachment that goes along, referred to as MTOM or as SwA (swaRef) does."""
    reference = mime.content_id(file)
    return element(
        "file",
        element("sha256", text=file.sha256),
        element("mediaType", text=file.media_type),
        element("content", include(reference)) if mtom else element("reference", text=f"cid:{reference}"),
    )


MEMBERS: Final = {
    "SubmitEnvelope": ("contentType", "content", "file"),
    "Acknowledge": ("messageId", "contentType", "content", "file"),
    "ListInbox": ("after", "limit"),
    "FetchMessage": ("messageId",),
    "FetchFile": ("sha256", "from", "count"),
    "GetStatus": ("caseId",),
    "file": ("sha256", "mediaType", "content", "reference"),
}
"""What a call of the hub's door holds, as its schema has it; ``file``: what such a member holds."""


def qualify(node: etree._Element) -> etree._Element:
    """The element, all in it that is in no namespace taken for ours: many clients qualify the outermost name only."""
    for child in node.iterdescendants(etree.Element):
        if not etree.QName(child).namespace:
            child.tag = tag(etree.QName(child).localname)
    return node


def check_members(node: etree._Element, name: str) -> None:
    """Refuse what a call does not have: a member that is not known would be skipped in silence. ``InvalidInput``."""
    for child in node.iterchildren(etree.Element):
        found, place = etree.QName(child), f"/Body/{name}"
        said = shown(found.localname, 100)
        if found.localname not in MEMBERS[name]:
            raise refuse("content", f"{name} has no {said}; it has {', '.join(MEMBERS[name])}", place)
        if found.namespace != NAMESPACE:
            raise refuse("content", f"{said} must be in the namespace {NAMESPACE}", place)
        if found.localname in MEMBERS:
            check_members(child, found.localname)


def text(parent: etree._Element, name: str, limit: int = 1_000) -> str | None:
    """The text of a child; None if it is not there or ``xsi:nil``. ``InvalidInput`` if it is there twice or long."""
    found = parent.findall(tag(name))
    if not found:
        return None
    value = (found[0].text or "").strip()
    if len(found) > 1 or len(found[0]) or len(value) > limit:
        raise refuse("content", f"{name} stands once and holds at most {limit} characters", f"/Body/*/{name}")
    return value or None


def document(parent: etree._Element, parts: tuple[mime.MimePart, ...] = ()) -> RawInbound:
    """Content type and content of an envelope: base64, or an MTOM part. ``InvalidInput`` otherwise."""
    kind = text(parent, "contentType", 200)
    contents = parent.findall(tag("content"))
    if kind is None or len(contents) != 1:
        raise refuse("content", "a document has contentType and content", "/Body/*")
    return RawInbound(content_type=kind, body=binary(contents[0], parts))


def binary(node: etree._Element, parts: tuple[mime.MimePart, ...] = ()) -> bytes:
    """base64 text, or the part that an ``xop:Include`` names."""
    children = list(node.iterchildren(etree.Element))
    if children:
        found = _named(children[0].get("href", ""), parts)
        if len(children) != 1 or children[0].tag != f"{{{XOP}}}Include" or len(found) != 1:
            raise refuse("include", "xop:Include names exactly one part of the message", "/Body/*/content")
        return found[0].data
    try:
        return base64.b64decode("".join((node.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse("base64", "the content is not base64", "/Body/*/content") from None


def part(href: str, parts: tuple[mime.MimePart, ...]) -> bytes:
    """The part that a ``cid:`` URL names. ``InvalidInput`` unless there is exactly one."""
    found = _named(href, parts)
    if len(found) != 1:
        raise refuse("include", "a reference names exactly one part of the message", "/Body")
    return found[0].data


def _named(href: str, parts: tuple[mime.MimePart, ...]) -> list[mime.MimePart]:
    """The parts that a ``cid:`` URL names: as it stands, else decoded."""
    reference = mime_rules.referred(href) or ""
    exact = [part for part in parts if reference and part.content_id == reference]
    return exact or [part for part in parts if mime_rules.naming([reference], part.content_id)]


def acknowledgement(node: etree._Element | None, parts: tuple[mime.MimePart, ...]) -> SoapAcknowledgement:
    """DeliverEnvelopeResponse. ``InvalidInput`` if it is something else or not whole."""
    return statement(expected(node, "DeliverEnvelopeResponse"), parts)


def expected(node: etree._Element | None, name: str) -> etree._Element:
    """The element, if it is the one of ours that is expected. ``InvalidInput`` otherwise."""
    if node is None or node.tag != tag(name):
        raise refuse("content", f"the body is no {name}", "/Body")
    return qualify(node)


def statement(node: etree._Element, parts: tuple[mime.MimePart, ...] = ()) -> SoapAcknowledgement:
    """The fields of an acknowledgement, whatever its wrapper is called."""
    message_id, status = text(node, "messageId", 100), text(node, "status", 20)
    if message_id is None or status not in STATUSES:
        raise refuse("content", f"messageId and a status of {', '.join(STATUSES)}", "/Body/*")
    found, unread = receipts(node, parts)
    return SoapAcknowledgement(
        message_id=message_id,
        status=status,
        external_id=_optional(node, "id", 200),
        ground=_optional(node, "ground", 40),
        receipts=found,
        unread=unread,
    )


def _optional(node: etree._Element, name: str, limit: int) -> str | None:
    """A text that may be absent: one that does not fit costs itself, never the statement."""
    try:
        value = text(node, name, limit)
    except InvalidInput:
        return None
    return value if value is None or value.isprintable() else None


def receipts(
    node: etree._Element, parts: tuple[mime.MimePart, ...] = ()
) -> tuple[tuple[RawInbound, ...], tuple[RawInbound, ...]]:
    """All ``receipt`` documents below an element, and those that are none: one of them costs no other."""
    given = node.findall(tag("receipt"))
    if len(given) > MAX_RECEIPTS:
        raise InvalidInput("Too many receipts in one answer.", code="soap.content")
    found: list[RawInbound] = []
    unread: list[RawInbound] = []
    for each in given:
        try:
            found.append(document(each, parts))
        except InvalidInput:
            unread.append(RawInbound(content_type="text/xml", body=etree.tostring(each, with_tail=False)))
    return tuple(found), tuple(unread)
