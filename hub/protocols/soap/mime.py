"""multipart/related (RFC 2387): SOAP with Attachments and MTOM, written as a stream and read within limits.

The SOAP part is first. Files follow in the message's order, each named by its SHA-256, so the same message gives the
same bytes at every attempt. Reading takes bare LF line ends too: X-Road's own messages have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hub.net.files import check_file, content, store_of
from hub.net.http import StreamedBody
from hub.ports import Attachments
from hub.protocols.faults import shown
from hub.protocols.soap.wire import SoapVersion, refuse
from hub.schemas import mime_rules
from hub.schemas.envelope import Attachment
from hub.schemas.transfer_encoding import undone

MAX_PARTS: Final = 110
MAX_HEAD_BYTES: Final = 8_192
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MimePart:
    """A part that was received. ``content_type``: empty where it says none (RFC 2045 section 5.2 allows that);
    ``content_id`` without its angle brackets.
    """

    content_type: str
    content_id: str
    headers: Mapping[str, str]
    data: bytes


def root_first(parts: tuple[MimePart, ...], start: str | None) -> tuple[MimePart, ...]:
    """The parts with the root part first: the one that ``start`` names, else the first (RFC 2387 section 3.2)."""
    wanted = mime_rules.bare_id(start or "")
    root = next((part for part in parts if mime_rules.naming([wanted], part.content_id)), parts[0])
    return (root, *(part for part in parts if part is not root))


def split(data: bytes, content_type: str, *, untyped: bool = False) -> tuple[MimePart, ...]:
    """The parts of a body in their order. ``untyped``: parts may lack a Content-Type, which is legal in mails and forms
    and no part of SOAP. ``InvalidInput`` (``soap.mime``) if it is not well made.
    """
    boundary = mime_rules.parameters(content_type)[1].get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise refuse("mime", "Content-Type names no boundary")
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|$)")
    marks = [match for match, _ in zip(mark.finditer(data), range(MAX_PARTS + 2), strict=False)]
    if not marks or not marks[-1][1] or any(match[1] for match in marks[:-1]):
        raise refuse("mime", "the parts do not end with the closing boundary")
    if len(marks) < 2:
        raise refuse("mime", "there is no part before the closing boundary")
    if len(marks) > MAX_PARTS:
        raise refuse("mime", f"more than {MAX_PARTS} parts")
    return tuple(_part(data[a.end() : b.start()], untyped=untyped) for a, b in pairwise(marks))


def _part(block: bytes, *, untyped: bool) -> MimePart:
    block = block.removeprefix(b"\r").removeprefix(b"\n")  # the end of the boundary's line
    head, found, body = _head_and_body(block)
    if not found:
        raise refuse("mime", "a part has no end of its headers")
    headers = _headers(head)
    if "content-type" not in headers and not untyped:
        raise refuse("mime", "a part has no Content-Type")
    return MimePart(
        content_type=headers.get("content-type", ""),
        content_id=mime_rules.bare_id(headers.get("content-id", "")),
        headers=headers,
        data=_decoded(body, headers.get("content-transfer-encoding", "")),
    )


def _decoded(body: bytes, encoding: str) -> bytes:
    """The bytes that were meant; what is not encoded as it says stays as it is. A name that is not known is refused."""
    if mime_rules.transfer_decoder(encoding) is None:
        raise refuse("mime", f"a part is in the transfer encoding {shown(encoding, 40)}, which is not known")
    return undone(body, encoding)


def _head_and_body(block: bytes) -> tuple[bytes, bool, bytes]:
    if block.startswith((b"\n", b"\r\n")):
        return b"", True, block.split(b"\n", 1)[1]
    end = re.search(rb"\r?\n\r?\n", block[:MAX_HEAD_BYTES])
    if end is None:
        return block[:MAX_HEAD_BYTES], False, b""
    return block[: end.start()], True, block[end.end() :]


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    text = re.sub(r"\r?\n[ \t]+", " ", head.decode("latin-1"))
    for line in text.splitlines():
        field = _FIELD.fullmatch(line)
        if field is None:
            raise refuse("mime", "a part has a header that is broken")
        name, value = field[1].lower(), field[2].strip()
        if headers.setdefault(name, value) != value:
            raise refuse("mime", "a part has a header that stands twice and says two things")
    return headers


SOAP_ID: Final = "soap@hub"
ENVELOPE_ID: Final = "envelope@hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """How a multipart/related body is written. ``boundary`` is made of the message id; ``mtom``: XOP, else SwA."""

    boundary: str
    version: SoapVersion
    mtom: bool
    action: str = ""

    @property
    def content_type(self) -> str:
        """The header value. MTOM: ``application/xop+xml`` with start-info (XOP section 5)."""
        plain = "text/xml" if self.version is SoapVersion.V11 else "application/soap+xml"
        kind = "application/xop+xml" if self.mtom else plain
        action = f'; action="{self.action}"' if self.action and self.version is SoapVersion.V12 else ""
        return (
            f'multipart/related; boundary="{self.boundary}"; type="{kind}"; start="<{SOAP_ID}>"; '
            f'start-info="{plain}"{action}'
        )

    def soap_part(self, envelope: bytes) -> bytes:
        """The first part with the envelope in it."""
        plain = "text/xml" if self.version is SoapVersion.V11 else "application/soap+xml"
        kind = f'application/xop+xml; charset=utf-8; type="{plain}"' if self.mtom else f"{plain}; charset=utf-8"
        return self.part(kind, SOAP_ID, "8bit", envelope)

    def part(self, kind: str, name: str, encoding: str, data: bytes) -> bytes:
        """A whole part in memory."""
        return self._head(kind, name, encoding) + data + b"\r\n"

    def upload(self, prefix: bytes, files: tuple[Attachment, ...], attachments: Attachments | None) -> StreamedBody:
        """Parts in memory, then the files from the store, as a stream.

        ``PermanentFailure`` (``attachment.missing``) if a file is not as the manifest says.
        """
        distinct = tuple({file.sha256: file for file in files}.values())
        for file in distinct:
            check_file(file, store_of(attachments))
        heads = [self._head(file.media_type, content_id(file), "binary") for file in distinct]
        end = f"--{self.boundary}--\r\n".encode()
        length = len(prefix) + sum(map(len, heads)) + sum(file.size + 2 for file in distinct) + len(end)

        def chunks() -> Iterator[bytes]:
            yield prefix
            for head, file in zip(heads, distinct, strict=True):
                yield head
                yield from content(file, store_of(attachments))
                yield b"\r\n"
            yield end

        return StreamedBody(length=length, chunks=chunks)

    def _head(self, kind: str, name: str, encoding: str) -> bytes:
        return (
            f"--{self.boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"
            f"Content-ID: <{name}>\r\n\r\n"
        ).encode("ascii")


def content_id(file: Attachment) -> str:
    """The Content-ID of a file, without brackets: its SHA-256."""
    return f"{file.sha256}@hub"
