"""Files in the places that a template gives them: a JSON document whose members hold them in base64, as a stream.

In the prepared bytes each file is a mark, a text that no envelope can hold (U+0000 is refused everywhere), so that the
document stays small in memory and in the journal, and the same message is always the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import partial

from hub.net.files import check_file, content
from hub.net.http import StreamedBody
from hub.ports import Attachments, Prepared
from hub.schemas.envelope import Attachment

_MARK = re.compile(rb'"\\u0000([0-9a-f]{64})\\u0000"')
_PIECE_BYTES = 49_152
"""A multiple of three: pieces of base64 then follow one another without padding."""


def mark(file: Attachment) -> str:
    """Mark that stands for a file's bytes in the document."""
    return f"\0{file.sha256}\0"


def shown(body: bytes, files: Iterable[Attachment]) -> bytes:
    """A document for people, with words for the files in it."""
    names = {file.sha256: file.name for file in files}
    return _MARK.sub(lambda found: json.dumps(words(names[found[1].decode()]), ensure_ascii=False).encode(), body)


def words(name: str) -> str:
    """Words that stand for a file's bytes."""
    return f"(content {name})"


def has_marks(body: bytes) -> bool:
    """True if files stand in the document."""
    return _MARK.search(body) is not None


def upload(prepared: Prepared, attachments: Attachments) -> StreamedBody:
    """The document with the files in their places. ``PermanentFailure`` (``attachment.missing``)."""
    files = {file.sha256: file for file in prepared.files}
    pieces = _MARK.split(prepared.body)
    length = sum(map(len, pieces[::2]))
    for sha256 in pieces[1::2]:
        file = files[sha256.decode("ascii")]
        check_file(file, attachments)
        length += 2 + (file.size + 2) // 3 * 4
    return StreamedBody(length=length, chunks=partial(_chunks, pieces, files, attachments))


def raw(file: Attachment, _prepared: Prepared, attachments: Attachments) -> StreamedBody:
    """A file as it is. ``PermanentFailure`` (``attachment.missing``)."""
    check_file(file, attachments)
    return StreamedBody(length=file.size, chunks=partial(content, file, attachments))


def _chunks(pieces: list[bytes], files: dict[str, Attachment], attachments: Attachments) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            yield piece
            continue
        yield b'"'
        for part in content(files[piece.decode("ascii")], attachments, _PIECE_BYTES):
            yield base64.b64encode(part)
        yield b'"'
