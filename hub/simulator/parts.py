"""Reading multipart/form-data as a simulated authority does: whole in memory, envelope first, then files."""

from __future__ import annotations

import re

from hub.errors import InvalidInput
from hub.ports import RawInbound
from hub.sealed import media_type

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([A-Za-z0-9\'()+_,./:=?-]{1,70}))')


def _refuse() -> InvalidInput:
    return InvalidInput("This is not multipart/form-data with an envelope first.", code="multipart.grammar")


def split(content_type: str, body: bytes) -> tuple[RawInbound, tuple[bytes, ...]]:
    """The envelope and the files of a body made as docs/adapters/rest.md says; ``InvalidInput`` if it is not."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _refuse()
    mark = b"--" + (found[1] or found[2]).encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 3 or pieces[0] or pieces[-1].strip() != b"--":
        raise _refuse()
    parts = [_part(piece) for piece in pieces[1:-1]]
    name, kind, envelope = parts[0]
    if name != "envelope" or any(other != "file" for other, _, _ in parts[1:]):
        raise _refuse()
    return RawInbound(content_type=media_type(kind), body=envelope), tuple(content for _, _, content in parts[1:])


def _part(piece: bytes) -> tuple[str, str, bytes]:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"\r\n"):
        raise _refuse()
    headers = {
        key.strip().lower(): value.strip()
        for key, _, value in (line.partition(":") for line in head.decode("latin-1").strip().split("\r\n"))
    }
    name = re.search(r'name="([^"]*)"', headers.get("content-disposition", ""))
    if name is None:
        raise _refuse()
    return name[1], headers.get("content-type", ""), content
