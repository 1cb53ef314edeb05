"""multipart/form-data (RFC 7578) as a stream: the part ``envelope`` first, then one part ``file`` per attachment.

The boundary is made of the message id and the parts keep the manifest's order, so the same message gives the same bytes
at every attempt. File names are SHA-256 values: names that people gave stand in the sealed manifest only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hub.net.files import check_file, content
from hub.net.http import StreamedBody
from hub.ports import Attachments, Prepared
from hub.schemas.envelope import Attachment


def content_type(prepared: Prepared) -> str:
    """The header value with the boundary."""
    return f"multipart/form-data; boundary={_boundary(prepared)}"


def _boundary(prepared: Prepared) -> str:
    return f"hub-{prepared.message_id.hex}"


def upload(prepared: Prepared, attachments: Attachments) -> StreamedBody:
    """The body to send. ``PermanentFailure`` (``attachment.missing``) if a file is not there or has another size."""
    files = tuple({file.sha256: file for file in prepared.files}.values())
    for file in files:
        check_file(file, attachments)
    heads = [_head(prepared, "envelope", "envelope", prepared.content_type)]
    heads += [_head(prepared, "file", file.sha256, file.media_type) for file in files]
    end = f"--{_boundary(prepared)}--\r\n".encode()
    length = sum(map(len, heads)) + len(prepared.body) + sum(f.size for f in files) + 2 * len(heads) + len(end)
    return StreamedBody(length=length, chunks=partial(_chunks, heads, prepared.body, files, attachments, end))


def _head(prepared: Prepared, name: str, file_name: str, media_type: str) -> bytes:
    return (
        f"--{_boundary(prepared)}\r\n"
        f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    ).encode("ascii")


def _chunks(
    heads: list[bytes], body: bytes, files: tuple[Attachment, ...], attachments: Attachments, end: bytes
) -> Iterator[bytes]:
    yield heads[0] + body + b"\r\n"
    for head, file in zip(heads[1:], files, strict=True):
        yield head
        yield from content(file, attachments)
        yield b"\r\n"
    yield end
