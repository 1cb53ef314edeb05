"""Files in the places that a mapping gives them (``$item.content``): base64 in the element, or an MTOM part.

In the prepared envelope a file is a processing instruction that names its SHA-256, so that the envelope stays small in
memory and in the journal, and the same message is always the same bytes. No text of anybody can be one: ``<`` in a text
is written as an entity.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from lxml import etree

from hub.net.files import check_file, content, store_of
from hub.net.http import StreamedBody
from hub.ports import Attachments, Parcel
from hub.protocols.soap import own
from hub.protocols.soap.description import FileText
from hub.protocols.soap.mime import content_id
from hub.schemas.envelope import Attachment

_PLACE: Final = re.compile(rb"<\?hub-file ([0-9a-f]{64})\?>")
_PIECE_BYTES: Final = 49_152
"""A multiple of three: pieces of base64 then follow one another without padding."""


def mark(parcel: Parcel, file: Attachment) -> FileText:
    """Text that stands for a file until the envelope is made. It is valid base64, and it follows from the sealed
    envelope, so that nothing in that envelope can be equal to it.
    """
    made = hashlib.sha256(parcel.sealed + file.sha256.encode()).digest()
    return FileText(base64.b64encode(made).decode("ascii"))


def put(root: etree._Element, marks: Mapping[str, Attachment], *, mtom: bool) -> tuple[Attachment, ...]:
    """Put each file in the places of its mark; the files that have one, in the order of the places."""
    placed = {}
    for element in root.iter(etree.Element):
        file = marks.get(element.text or "")
        if file is None:
            continue
        placed[file.sha256] = file
        element.text = None
        inner = own.include(content_id(file)) if mtom else etree.ProcessingInstruction("hub-file", file.sha256)
        element.append(inner)
    return tuple(placed.values())


def upload(envelope: bytes, files: tuple[Attachment, ...], attachments: Attachments | None) -> StreamedBody:
    """The envelope with the files in base64 in their places. ``PermanentFailure`` (``attachment.missing``)."""
    store, known = store_of(attachments), {file.sha256: file for file in files}
    pieces = _PLACE.split(envelope)
    length = sum(map(len, pieces[::2]))
    for sha256 in pieces[1::2]:
        file = known[sha256.decode("ascii")]
        check_file(file, store)
        length += (file.size + 2) // 3 * 4
    return StreamedBody(length=length, chunks=partial(_chunks, pieces, known, store))


def _chunks(pieces: list[bytes], files: Mapping[str, Attachment], store: Attachments) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            yield piece
            continue
        for part in content(files[piece.decode("ascii")], store, _PIECE_BYTES):
            yield base64.b64encode(part)
