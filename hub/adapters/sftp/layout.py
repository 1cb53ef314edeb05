"""The dialects ``drop`` and ``asice``: which files a message becomes. Pure but for ``pieces``, which opens attachments
when they are read.

``drop``: a folder named by the message id with ``envelope.json``, ``envelope.xml``, ``attachments/NNN.ext`` and
``manifest.json``; the marker ``.done`` comes last. ``asice``: the same in one file ``MESSAGE_ID.asice``, a zip laid out
as an ASiC-E container. The small parts are made once and kept (``Prepared.body`` is an archive of them), so that each
attempt lays down the very same bytes; every name is made here.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from hub.adapters.sftp import archive
from hub.errors import UnsupportedFeature
from hub.net.files import content, store_of
from hub.ports import Attachments, Parcel, Prepared
from hub.schemas import jcs
from hub.schemas.envelope import Attachment

DIALECTS: Final = frozenset({"drop", "asice", "template"})
FORMAT: Final = "hub-drop/1"
MARKER: Final = ".done"
MANIFEST: Final = "manifest.json"
ENVELOPE_JSON: Final = "envelope.json"
ENVELOPE_XML: Final = "envelope.xml"
ASICE_TYPE: Final = "application/vnd.etsi.asic-e+zip"
BODY_TYPE: Final = "application/zip"
_ASICE_LISTING: Final = "META-INF/manifest.xml"
_ENDINGS: Final = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/tiff": "tif",
    "text/plain": "txt",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/zip": "zip",
    "application/pkcs7-signature": "p7s",
    "audio/mpeg": "mp3",
    "video/mp4": "mp4",
}
MEDIA_TYPES: Final = {ending: media_type for media_type, ending in _ENDINGS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file to lay down. ``path`` counts from the message's own folder; empty if the message is this one file."""

    path: str
    size: int
    sha256: str
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that one message becomes. ``name``: what appears in the inbox, a folder if ``is_folder``."""

    name: str
    is_folder: bool
    pieces: tuple[Piece, ...]


def prepare(parcel: Parcel, dialect: str, *, attachments: str) -> Prepared:
    """The small parts of a message. ``UnsupportedFeature`` for attachments where the channel refuses them."""
    files = parcel.attachments
    refuse_files(parcel, attachments)
    assert parcel.sealed_xml is not None  # both forms were asked for
    parts = {ENVELOPE_JSON: parcel.sealed, ENVELOPE_XML: parcel.sealed_xml}
    parts[MANIFEST] = _manifest(parcel, parts)
    if dialect == "asice":
        listing = _asice_listing([*parts, *(attachment_path(n, file) for n, file in enumerate(files))], files)
        parts = {"mimetype": ASICE_TYPE.encode(), _ASICE_LISTING: listing, **parts}
    return Prepared(message_id=parcel.message_id, content_type=BODY_TYPE, body=archive.pack(parts), files=files)


def refuse_files(parcel: Parcel, attachments: str) -> None:
    """Raise ``UnsupportedFeature`` for a message with attachments where the channel refuses them."""
    if parcel.attachments and attachments == "refuse":
        raise UnsupportedFeature(
            "The message has attachments, and this channel is set to refuse them.", code="channel.attachments"
        )


def ending_of(file: Attachment) -> str:
    """Ending of a file's name, by its type."""
    return _ENDINGS.get(file.media_type, "bin")


def attachment_path(index: int, file: Attachment) -> str:
    """Name of the n-th attachment: what people called it stands in the manifest only."""
    return f"attachments/{index + 1:03d}.{ending_of(file)}"


def _manifest(parcel: Parcel, parts: dict[str, bytes]) -> bytes:
    types = {ENVELOPE_JSON: "application/json", ENVELOPE_XML: "application/xml"}
    files: list[jcs.JsonValue] = [
        {
            "path": path,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "media_type": types[path],
        }
        for path, content in parts.items()
    ]
    files += [
        {
            "path": attachment_path(index, file),
            "size": file.size,
            "sha256": file.sha256,
            "media_type": file.media_type,
            "name": file.name,
        }
        for index, file in enumerate(parcel.attachments)
    ]
    header = parcel.envelope.header
    return jcs.canonical_bytes(
        {
            "format": FORMAT,
            "message_id": str(parcel.message_id),
            "case_id": str(header.case_id),
            "kind": parcel.envelope.kind,
            "files": files,
        }
    )


def _asice_listing(paths: Sequence[str], files: Sequence[Attachment]) -> bytes:
    """The list of files that ASiC-E has from OpenDocument (EN 319 162-1 section 6.2.2, OpenDocument 1.2 part 3)."""
    types = {ENVELOPE_JSON: "application/json", ENVELOPE_XML: "application/xml", MANIFEST: "application/json"}
    types |= {attachment_path(n, file): file.media_type for n, file in enumerate(files)}
    entries = [("/", ASICE_TYPE), *((path, types[path]) for path in paths)]
    lines = "".join(
        f"<manifest:file-entry manifest:full-path={quoteattr(path)} manifest:media-type={quoteattr(kind)}/>"
        for path, kind in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
        f'manifest:version="1.2">{lines}</manifest:manifest>'
    ).encode()


def lay_out(prepared: Prepared, dialect: str, store: Attachments | None) -> Layout:
    """Layout of a message that was made ready. ``PermanentFailure`` if an attachment is damaged."""
    parts = archive.unpack(prepared.body)
    name = str(prepared.message_id)
    if dialect == "asice":
        return Layout(name=f"{name}.asice", is_folder=False, pieces=(_container(parts, prepared.files, store),))
    pieces = [part(path, content) for path, content in parts.items() if path != MANIFEST]
    pieces += [
        Piece(
            path=attachment_path(index, file),
            size=file.size,
            sha256=file.sha256,
            chunks=opener(file, store),
        )
        for index, file in enumerate(prepared.files)
    ]
    return Layout(name=name, is_folder=True, pieces=(*pieces, part(MANIFEST, parts[MANIFEST])))


def part(path: str, content: bytes) -> Piece:
    """A piece whose content is at hand."""
    return Piece(
        path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest(), chunks=lambda: iter((content,))
    )


def _container(parts: dict[str, bytes], files: Sequence[Attachment], store: Attachments | None) -> Piece:
    """The one file. It is read through once before, for its checksum, and so that a damaged attachment stays here."""
    members = [archive.member(path, content) for path, content in parts.items()]
    for index, file in enumerate(files):
        chunks = opener(file, store)
        crc = 0
        for chunk in chunks():
            crc = zlib.crc32(chunk, crc)
        members.append(archive.Member(name=attachment_path(index, file), size=file.size, crc=crc, chunks=chunks))
    digest = hashlib.sha256()
    for chunk in archive.stream(members):
        digest.update(chunk)
    return Piece(
        path="",
        size=archive.size(members),
        sha256=digest.hexdigest(),
        chunks=lambda: archive.stream(members),
    )


def opener(file: Attachment, store: Attachments | None) -> Callable[[], Iterator[bytes]]:
    """The content of an attachment, read when it is asked for."""
    lent = store_of(store)
    return lambda: content(file, lent)
