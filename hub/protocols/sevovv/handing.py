"""From a message that came, whole and checked by its hash, to the sink: files kept, words read, nothing believed here.

Used by the client (messages from SEV's input queue) and by the server (uploads of systems that call us).
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from hub.errors import HubError
from hub.ports import Attachments, Dating, InboundSink, RawInbound, ReportedStatus
from hub.protocols.sevovv.building import MESSAGE_TYPE
from hub.protocols.sevovv.meaning import meaning, numbers, subjects
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import Carried, SevMessage, as_uuid, read
from hub.protocols.sevovv.split import narrow, refuse, split
from hub.schemas import charsets
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, Attachment
from hub.schemas.ids import CaseId, MessageId, made_at
from hub.schemas.journal import Gathered

RAW_BYTES = 1_048_576
"""Messages up to this size are kept in the journal as they are; of larger ones the skeleton, files beside it."""
_READ_BYTES = 262_144
_TEXT_FILE_BYTES = 200_000
_TYPES = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "xml": "application/xml",
    "json": "application/json",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "zip": "application/zip",
    "rtf": "application/rtf",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "p7s": "application/pkcs7-signature",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A whole message on disk. ``open``: its bytes from the beginning, as often as wanted."""

    open: Callable[[], BinaryIO]
    size: int


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """A stream in parts."""
    while piece := source.read(_READ_BYTES):
        yield piece


def load(arrived: Arrived, attachments: Attachments) -> SevMessage:
    """Read a message; its files go into the store. ``InvalidInput`` if it is none."""
    with contextlib.closing(arrived.open()) as content:
        skeleton = split(narrow(pieces(content)), lambda chunks: attachments.put(chunks, limit=MAX_ATTACHMENT_BYTES))
    message = read(skeleton)
    texts = [file for file in message.files if file.kind == "txt" and file.size <= _TEXT_FILE_BYTES]
    if any(_cyrillic(file, attachments) for file in texts):
        return replace(message, notes=(*message.notes, "file_cp1251"))
    return message


def _cyrillic(file: Carried, attachments: Attachments) -> bool:
    with attachments.open(file.sha256) as content:
        return text_of(content.read())[1]


def hand_over(message: SevMessage, arrived: Arrived, *, sink: InboundSink, attachments: Attachments) -> None:
    """Give the sink what the message says, files first. When this returns, all of it is durable.

    Raises what the sink raises; ``NotFound`` (``inbound.unknown_case``) for what is about none of our messages.
    """
    party = message.from_org_id
    sealed = message.sealed()
    if sealed is not None:
        _keep(message, sink, attachments)
        sink.envelope(RawInbound(content_type=sealed[0], body=sealed[1]), party=party)
        return
    delivery = _about(message, sink)
    # About none of ours: said all the same, for the sink refuses it and journals that it came.
    undated = message.time is None and delivery is not None
    if undated and delivery is not None:  # it costs its moment, not the statement
        message = replace(message, time=made_at(delivery.message_id))
    said = meaning(message, _readable(message, attachments))
    assert message.time is not None  # ``meaning`` refuses a message without
    reference = next(iter(numbers(message)), None) if delivery is None else None
    files = _keep(message, sink, attachments)
    raw, whole = _raw(message, arrived, sink, attachments)
    sink.reported(
        ReportedStatus(
            raw=raw,
            said_id=f"{party}:{message.msg_id}",
            body=said.body,
            at=message.time,
            party=party,
            in_reply_to=delivery.message_id if delivery is not None else None,
            reference=reference,
            attachments=(*files, *whole),
            reaches=LegalClass.REGISTERED,
            unclear=said.unclear,
            dated=Dating.NONE if undated else Dating.MOMENT,
            claims=message.claims,
        )
    )


def hold(arrived: Arrived, sink: InboundSink, refusal: HubError, party: str | None) -> None:
    """Have what cannot be taken in kept for a person, unless the sink has it already. ``party``: who sent it, as SEV or
    the door says.
    """
    if refusal.journalled:
        return
    gathered = Gathered()
    with contextlib.closing(arrived.open()) as content:
        for piece in pieces(content):
            gathered.add(piece)
    raw = RawInbound(
        content_type="application/xml",
        body=gathered.body,
        whole_sha256=gathered.sha256,
        whole_size=gathered.size,
    )
    sink.held(raw, verdict=refusal.stable_code, party=party, detail=refusal.message)
    refusal.journalled = True


def _about(message: SevMessage, sink: InboundSink) -> Delivery | None:
    """The delivery that a message is about; only one to the organisation that speaks."""
    for text in subjects(message):
        named = as_uuid(text)
        assert named is not None
        found = sink.find(message_id=MessageId(named)) or sink.find(
            case_id=CaseId(named), authority=message.from_org_id
        )
        if found is not None and found.authority == message.from_org_id:
            return found
    return None


def _keep(message: SevMessage, sink: InboundSink, attachments: Attachments) -> tuple[Attachment, ...]:
    kept: dict[str, Attachment] = {}
    for file in message.files:
        if file.sha256 in kept:
            continue
        if len(kept) >= MAX_ATTACHMENTS:
            raise refuse(f"The message brings more than {MAX_ATTACHMENTS} files.", "sevovv.files")
        with attachments.open(file.sha256) as content:
            media_type = _TYPES.get(file.kind, "application/octet-stream")
            kept[file.sha256] = sink.keep(content, media_type=media_type, name=_name(file), party=message.from_org_id)
    return tuple(kept.values())


def _name(file: Carried) -> str:
    """A name for people: the sender's words, with the extension they gave."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in file.name).split())
    ending = f".{file.kind}" if file.kind.isalnum() and len(file.kind) <= 8 else ""
    if not words.lower().endswith(ending):
        words += ending
    return words[-255:].strip() or "file.bin"


def _readable(message: SevMessage, attachments: Attachments) -> str | None:
    """The words of the first text file, whatever encoding its author's machine had."""
    for file in message.files:
        if file.kind == "txt" and 0 < file.size <= _TEXT_FILE_BYTES:
            with attachments.open(file.sha256) as content:
                return text_of(content.read())[0]
    return None


def text_of(data: bytes) -> tuple[str, bool]:
    """A file's text, and whether it was not UTF-8 (``charset`` speaks of the XML only)."""
    text = charsets.decode(data)
    return text, text.encode("utf-8") != data.removeprefix(codecs.BOM_UTF8)


def _raw(
    message: SevMessage, arrived: Arrived, sink: InboundSink, attachments: Attachments
) -> tuple[RawInbound, tuple[Attachment, ...]]:
    """The exact bytes for the journal. Of a large message its skeleton with the hash of the whole: put together with
    the files, it gives those very bytes. Where it does not (Base64 in lines), the whole goes along as one file more.
    """
    if arrived.size <= RAW_BYTES:
        with contextlib.closing(arrived.open()) as content:
            return RawInbound(content_type="application/xml", body=content.read()), ()
    digest = hashlib.sha256()
    with contextlib.closing(arrived.open()) as content:
        for piece in pieces(content):
            digest.update(piece)
    raw = RawInbound(
        content_type=f"{MESSAGE_TYPE}; sha256={digest.hexdigest()}",
        body=message.skeleton,
        whole_sha256=digest.hexdigest(),
        whole_size=arrived.size,
    )
    if Package(message.skeleton, attachments).sha256().lower() == digest.hexdigest():
        return raw, ()
    with contextlib.closing(arrived.open()) as content:
        source = pieces(content)
        whole = sink.keep(source, media_type="application/xml", name="sev-message.xml", party=message.from_org_id)
    return raw, (whole,)
