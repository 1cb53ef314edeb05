"""MIME made byte by byte: CRLF everywhere, everything of ours in base64, the same input gives the same bytes. Pure.

Python's ``email`` lets line breaks through in header values (3.11.7), so every value passes ``header`` here: what is
a control character is refused, what is not ASCII is encoded (RFC 2047; parameters: RFC 2231). A body of ours has no
bare CR or LF and no line that begins with a dot of anybody else's making (SMTP smuggling has nothing to smuggle).

Files are not part of the bytes: their place is marked by a header line that ends a part's head, and they are put in as
the bytes go out, so that nothing of 20 MB is ever held.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from email.header import Header
from urllib.parse import quote

from hub.errors import InvalidInput
from hub.schemas.envelope import Attachment

CRLF = b"\r\n"
LINE_BYTES = 57
"""Bytes in one line of base64 (76 characters, RFC 2045 section 6.8)."""
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
_ATOM = re.compile(r"[A-Za-z0-9 ]+")
_MARK = re.compile(rb"\r\nX-Hub-SHA256: ([0-9a-f]{64})\r\n\r\n")


def _safe(value: str) -> str:
    if _UNSAFE.search(value):
        raise InvalidInput("A header of a mail must not hold control characters or line breaks.", code="mail.header")
    return value


def header(name: str, value: str) -> bytes:
    """One header field whose value is ASCII with a structure of its own (addresses from ``address``, parameters).

    Raises ``InvalidInput`` (``mail.header``) for control characters and for line breaks that do not fold.
    """
    _safe(value.replace("\r\n ", " "))
    return f"{name}: {value}\r\n".encode("ascii")


def text_header(name: str, value: str) -> bytes:
    """One header field of free text, encoded where it is not plain ASCII or looks encoded. Raises like ``header``."""
    text = _safe(value)
    if not text.isascii() or "=?" in text or len(text) > 800:
        text = Header(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")
    return f"{name}: {text}\r\n".encode("ascii")


def address(email: str, name: str | None = None) -> str:
    """``name <email>`` with the name encoded (RFC 2047). ``InvalidInput`` if the address is none."""
    if not _ADDRESS.fullmatch(email):
        raise InvalidInput("This is not a mail address that can be written to.", code="mail.address")
    if not name:
        return email
    _safe(name)
    if _ATOM.fullmatch(name):
        return f"{name} <{email}>"
    return f"{Header(name, 'utf-8', maxlinelen=60).encode(linesep=CRLF.decode())}\r\n <{email}>"


def file_name(name: str) -> str:
    """The parameter ``filename``, in pieces where it is long (RFC 2231 sections 3 and 4)."""
    _safe(name)
    if _PLAIN_NAME.fullmatch(name):
        return f'filename="{name}"'
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", quote(name, safe=""))
    if len(pieces) == 1:
        return f"filename*=UTF-8''{pieces[0]}"
    return "; ".join(
        f"filename*{at}*={'UTF-8' + chr(39) * 2 if at == 0 else ''}{each}" for at, each in enumerate(pieces)
    )


def encode(data: bytes) -> bytes:
    """Base64 in lines, without a line end at the end."""
    text = base64.b64encode(data)
    return CRLF.join(text[at : at + 76] for at in range(0, len(text), 76))


def part(content_type: str, data: bytes, *headers: bytes) -> bytes:
    """A part with its content in base64."""
    head = header("Content-Type", content_type) + header("Content-Transfer-Encoding", "base64") + b"".join(headers)
    return head + CRLF + encode(data)


def named_part(content_type: str, name: str, data: bytes) -> bytes:
    """A part that is shown as a file with this name."""
    return part(content_type, data, _folded("Content-Disposition", f"attachment; {file_name(name)}"))


def file_part(file: Attachment) -> bytes:
    """The head of a part whose content is put in on the way out."""
    mark = f"X-Hub-SHA256: {file.sha256}\r\n\r\n".encode("ascii")
    disposition = _folded("Content-Disposition", f"attachment; {file_name(file.name)}")
    kind = file.media_type if not file.media_type.startswith(("multipart/", "message/")) else "application/octet-stream"
    return header("Content-Type", kind) + header("Content-Transfer-Encoding", "base64") + disposition + mark


def _folded(name: str, value: str) -> bytes:
    """A long structured field, folded at its semicolons (RFC 5322 section 2.2.3)."""
    return f"{name}: {value}\r\n".replace("; ", ";\r\n ").encode("ascii")


def multipart(subtype: str, boundary: str, parts: Sequence[bytes], parameters: str = "") -> bytes:
    """A multipart entity: its Content-Type and the parts between boundaries."""
    kind = f'multipart/{subtype};\r\n boundary="{boundary}"{parameters}'
    mark = f"--{boundary}".encode("ascii")
    body = b"".join(mark + CRLF + each + CRLF for each in parts)
    return f"Content-Type: {kind}\r\n\r\n".encode("ascii") + body + mark + b"--\r\n"


def pieces(body: bytes, files: Sequence[Attachment]) -> Iterator[bytes | Attachment]:
    """The bytes in order, and between them the files whose place is marked. ``InvalidInput`` for a mark of no file."""
    by_hash = {file.sha256: file for file in files}
    at = 0
    for mark in _MARK.finditer(body):
        file = by_hash.get(mark[1].decode("ascii"))
        if file is None:
            raise InvalidInput("The mail has a place for a file that its envelope does not name.", code="mail.file")
        yield body[at : mark.end()]
        yield file
        at = mark.end()
    yield body[at:]


def encoded_size(size: int) -> int:
    """Bytes that a file of this size takes in base64 with line ends."""
    chars = (size + 2) // 3 * 4
    return chars + 2 * max((chars - 1) // 76, 0)
