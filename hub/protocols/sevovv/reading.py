"""Messages that others wrote: read leniently, with a note on each thing that was mended or looks odd. Pure.

Strict where a machine decides (parser, ids, who speaks), lenient where systems in operation differ from the schema:
byte order marks, any encoding, ``Expansion`` out of order, an empty ``TaskNumber``. Foreign clocks are kept as data.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lxml import etree

from hub.protocols.sevovv.building import NAMESPACE
from hub.protocols.sevovv.package import PLACE
from hub.protocols.sevovv.split import MAX_SKELETON_BYTES, Skeleton, refuse
from hub.schemas import charsets, strict_xml

MAX_TEXT_BYTES = 4_194_304
"""Longest text outside files: a signature of a large document, our sealed envelope."""
_PART = {"Document": 0, "TaskList": 1, "AddDocuments": 2, "Expansion": 3, "Acknowledgement": 4}
_EXPANSION_ORDER = {"Econtact": 0, "StaticExpansion": 1}
_YEARS = range(2000, 2101)
"""Years before and after are those that systems write for "no date"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A file that came with a message. ``kind``: the extension as the sender gave it; ``name`` is for people only."""

    idnumber: str
    kind: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Reference of a reply or task: a document (``д``) or a task (``з``), by the id and number that we gave it."""

    retype: str
    idnumber: str | None
    number: str | None
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The document of a message, as far as the hub reads it."""

    idnumber: str
    purpose: str
    kind: str
    title: str
    annotation: str
    number: str
    day: date | None
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An ``Acknowledgement``. ``about``: the id that it names, without braces, in lower case."""

    ack_type: int
    about: str
    number: str | None
    day: date | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SevMessage:
    """One message, read. ``msg_id`` without braces, in lower case, as all ids here; ``notes``: what was mended;
    ``skeleton``: the bytes that came, with ``hub-file:<sha256>`` in the place of files. ``time``: when it was made, by
    the sender's clock; ``claims``: what stands there, where that can be no time of a message.
    """

    skeleton: bytes
    root: etree._Element
    msg_type: int
    msg_id: str
    time: datetime | None
    claims: datetime | None
    from_org_id: str
    from_organization: str
    from_sys_id: str
    to_org_id: str
    document: Document | None
    notice: Notice | None
    files: tuple[Carried, ...]
    folders: tuple[tuple[str, str], ...]
    ours: etree._Element | None
    notes: tuple[str, ...]

    def expansion_text(self, name: str) -> str | None:
        """Text of a child of our element in ``Expansion``; None if it is not there."""
        found = None if self.ours is None else self.ours.find(f"{{{NAMESPACE}}}{name}")
        return None if found is None else (found.text or "").strip()

    def sealed(self) -> tuple[str, bytes] | None:
        """Media type and bytes of a sealed envelope in ``Expansion``."""
        text = self.expansion_text("Sealed")
        if text is None:
            return None
        try:
            body = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise refuse("The sealed envelope in Expansion is not Base64.", "sevovv.base64") from None
        return self.expansion_text("MediaType") or "application/json", body

    def to_xml(self) -> bytes:
        """The message again, in the order of the schema, without a mark; files as ``hub-file:<sha256>``."""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(self.root, encoding="utf-8") + b"\n"


def plain_id(text: str) -> str:
    """An id as it is compared: without braces (the regulation's example wears them), in lower case."""
    return text.strip().strip("{}").lower()


def as_uuid(text: str | None) -> uuid.UUID | None:
    """The id as a UUID, if it is one."""
    try:
        return uuid.UUID(plain_id(text)) if text else None
    except ValueError:
        return None


def read(skeleton: Skeleton) -> SevMessage:
    """Read a message. ``InvalidInput`` if it is not one: broken XML, another root, no id, no sender, wrong type."""
    notes = list(_encoding_notes(skeleton.body))
    root = strict_xml.parse(skeleton.body, max_bytes=MAX_SKELETON_BYTES, max_text_bytes=MAX_TEXT_BYTES, foreign=True)
    if root.tag != "Header":
        raise refuse("The root of a SEV message is Header, without a namespace.", "sevovv.root")
    _reorder(root, notes)
    files = _files(root, skeleton, notes)
    kind = root.get("msg_type", "")
    msg_id, sender = plain_id(root.get("msg_id", "")), root.get("from_org_id", "").strip()
    if kind not in ("0", "1", "2", "3", "4") or not msg_id or not sender:
        raise refuse("A message needs msg_type 0 to 4, msg_id and from_org_id.", "sevovv.header")
    if (root.get("standart"), root.get("version")) != ("1207", "1.5"):
        notes.append("version")
    time = _moment(root.get("time"))
    fits = time is not None and time.year in _YEARS
    return SevMessage(
        skeleton=_named(skeleton),
        root=root,
        msg_type=int(kind),
        msg_id=msg_id,
        time=time if fits else None,
        claims=None if fits else time,
        from_org_id=sender,
        from_organization=root.get("from_organization", ""),
        from_sys_id=root.get("from_sys_id", ""),
        to_org_id=root.get("to_org_id", "").strip(),
        document=_document(root.find("Document")),
        notice=_notice(root.find("Acknowledgement")),
        files=files,
        folders=tuple(
            (folder.get("add_type", ""), link.get("idnumber", ""))
            for folder in root.iterfind("AddDocuments/Folder")
            for link in folder.iterfind("Document")
        ),
        ours=_ours(root),
        notes=tuple(dict.fromkeys(notes)),
    )


def _named(skeleton: Skeleton) -> bytes:
    body = skeleton.body
    for mark, (sha256, _) in skeleton.files.items():
        body = body.replace(mark.encode(), f"{PLACE}{sha256}".encode(), 1)
    return body


def _encoding_notes(body: bytes) -> Iterator[str]:
    """Notes of a mark and of another encoding than UTF-8, for the log."""
    if body.startswith(codecs.BOM_UTF8):
        yield "bom"
    declared = charsets.codec(charsets.declared(body))
    if declared not in (None, "utf-8") or strict_xml.utf8(body) != body.removeprefix(codecs.BOM_UTF8).lstrip():
        yield "encoding"


def _reorder(root: etree._Element, notes: list[str]) -> None:
    """Put parts and ``Expansion``'s members into the schema's order; draft-law samples have them otherwise."""
    for parent, order, code in [(root, _PART, "part_order")] + [
        (expansion, _EXPANSION_ORDER, "expansion_order") for expansion in root.iterfind("Expansion")
    ]:
        before = list(parent)
        after = sorted(before, key=lambda child: order.get(str(child.tag), len(order)))
        if before != after:
            notes.append(code)
            parent[:] = after
    for expansion in root.iterfind("Expansion"):
        if expansion.find("StaticExpansion") is None:
            notes.append("expansion_static")
            contacts = len(expansion.findall("Econtact"))
            expansion.insert(contacts, etree.Element("StaticExpansion"))


def _files(root: etree._Element, skeleton: Skeleton, notes: list[str]) -> tuple[Carried, ...]:
    found = []
    for transfer in root.iter("DocTransfer"):
        kept = skeleton.files.get(transfer.text or "")
        if kept is None:
            if (transfer.text or "").strip():
                raise refuse("A file of the message is not plain Base64.", "sevovv.base64")
            notes.append("file_empty")
            continue
        transfer.text = f"{PLACE}{kept[0]}"
        found.append(
            Carried(
                idnumber=transfer.get("idnumber", ""),
                kind=transfer.get("type", "").strip().lstrip(".").lower(),
                name=transfer.get("description", ""),
                sha256=kept[0],
                size=kept[1],
            )
        )
    return tuple(found)


def _document(element: etree._Element | None) -> Document | None:
    if element is None:
        return None
    number, day = _number(element.find("RegNumber"), "regdate")
    return Document(
        idnumber=element.get("idnumber", ""),
        purpose=element.get("purpose_type", ""),
        kind=element.get("kind", ""),
        title=element.get("title", ""),
        annotation=element.get("annotation", ""),
        number=number or "",
        day=day,
        references=tuple(_reference(each) for each in element.iterfind("Addressee/Referred")),
    )


def _reference(element: etree._Element) -> Reference:
    number, day = _number(element.find("RegNumber"), "regdate")
    if number is None:
        number, day = _number(element.find("TaskNumber"), "taskDate")
    return Reference(retype=element.get("retype", ""), idnumber=element.get("idnumber"), number=number, day=day)


def _number(element: etree._Element | None, attribute: str) -> tuple[str | None, date | None]:
    if element is None:
        return None, None
    return (element.text or "").strip() or None, _day(element.get(attribute))


def _notice(element: etree._Element | None) -> Notice | None:
    if element is None:
        return None
    kind = element.get("ack_type", "")
    about = plain_id(element.get("msg_id", ""))
    if not about or kind not in ("0", "1", "2", "3", "4", "5"):
        raise refuse("A notice needs msg_id and an ack_type that is known.", "sevovv.notice")
    number, day = _number(element.find("RegNumber"), "regdate")
    texts = [result.get("errortext", "") for result in element.iterfind("AckResult")]
    return Notice(ack_type=int(kind), about=about, number=number, day=day, text="; ".join(filter(None, texts)))


def _ours(root: etree._Element) -> etree._Element | None:
    for expansion in root.iterfind("Expansion"):
        for child in expansion:
            if str(child.tag).startswith(f"{{{NAMESPACE}}}"):
                return child
    return None


def _moment(text: str | None) -> datetime | None:
    """A foreign clock; without a zone it is taken for UTC, for it is shown and never used to order."""
    try:
        found = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _day(text: str | None) -> date | None:
    try:
        found = date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None
    return found if found.year in _YEARS else None
