"""multipart/form-data (RFC 7578) in a form of the other system's own: its names of parts, the files by their own names.

The boundary is made of the message id and the parts keep the manifest's order, so the same message gives the same bytes
at every attempt. Names of files are written as browsers do (WHATWG HTML, multipart/form-data encoding algorithm).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

from hub.adapters.rest import inline
from hub.errors import ConfigurationError
from hub.net.files import check_file, content
from hub.net.http import StreamedBody
from hub.ports import Attachments, Prepared
from hub.schemas.base import Code, Frozen
from hub.schemas.envelope import Attachment

PartName: TypeAlias = Annotated[str, Code(r"[!#-~]{1,100}")]
_ESCAPES: Final = {'"': "%22", "\r": "%0D", "\n": "%0A"}


class FormSection(Frozen):
    """A form. ``files``: name of the part of each file; ``document``: name of a part that holds the document as JSON;
    absent = each member of it is a field of its own, a list one field for each of its values.
    """

    files: PartName
    document: PartName | None = None


def content_type(prepared: Prepared) -> str:
    """The header value with the boundary."""
    return f"multipart/form-data; boundary={_boundary(prepared)}"


def upload(
    form: FormSection, prepared: Prepared, attachments: Attachments, files: Iterable[Attachment] | None = None
) -> StreamedBody:
    """The form of a document and files (absent = all). ``PermanentFailure`` (``attachment.missing``) if a file is not
    there or has another size.
    """
    files = tuple(prepared.files if files is None else files)
    for file in files:
        check_file(file, attachments)
    boundary = _boundary(prepared)
    fields = b"".join(_field(boundary, name, kind, value) for name, kind, value in _fields(form, prepared.body))
    heads = [_head(boundary, form.files, file) for file in files]
    end = f"--{boundary}--\r\n".encode()
    length = len(fields) + sum(len(head) + file.size + 2 for head, file in zip(heads, files, strict=True)) + len(end)
    return StreamedBody(length=length, chunks=partial(_chunks, fields, heads, files, attachments, end))


def _boundary(prepared: Prepared) -> str:
    return f"hub-{prepared.message_id.hex}"


def _fields(form: FormSection, body: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    """Name, kind and bytes of each field."""
    if form.document is not None:
        yield form.document, "application/json", body
        return
    if inline.has_marks(body):
        raise ConfigurationError("A form's fields hold no files: they are parts of their own.", code="template.mapping")
    document: dict[str, Any] = json.loads(body)
    for name, value in document.items():
        many = isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)
        for each in value if many else [value]:
            yield name, None, _text(each).encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _field(boundary: str, name: str, kind: str | None, value: bytes) -> bytes:
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped(name)}"\r\n{typed}\r\n'
    return head.encode() + value + b"\r\n"


def _head(boundary: str, part: str, file: Attachment) -> bytes:
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{_escaped(part)}"; filename="{_escaped(file.name)}"\r\n'
        f"Content-Type: {file.media_type}\r\n\r\n"
    ).encode()


def _escaped(name: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in name)


def _chunks(
    fields: bytes, heads: list[bytes], files: tuple[Attachment, ...], attachments: Attachments, end: bytes
) -> Iterator[bytes]:
    yield fields
    for head, file in zip(heads, files, strict=True):
        yield head
        yield from content(file, attachments)
        yield b"\r\n"
    yield end
