"""multipart/form-data (RFC 7578), read as a stream: parts one after another, nothing whole in memory.

The parser is pushed (python-multipart); here it is pulled, so that a part's data can be handed straight to the store of
attachments. FormPart headers are bounded by the parser (8 headers of 4 KiB), parts are counted here.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hub.api.file_names import name_of
from hub.errors import Fault, InvalidInput, TooLarge
from hub.schemas import mime_rules
from hub.sealed import media_type

MAX_PARTS = 110
_LINE_BYTES = 200
"""Longest line of a boundary, blanks behind it included."""
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def _refuse(rule: str, message: str) -> InvalidInput:
    code = f"multipart.{rule}"
    return InvalidInput(
        "The multipart body cannot be read.", code=code, faults=[Fault(pointer="", code=code, message=message)]
    )


@dataclass(slots=True)
class FormPart:
    """One part. ``data`` can be read once, and only until the next part is asked for.

    ``decode``: reads its transfer encoding; ``size``: of what is held in memory.
    """

    name: str
    filename: str | None
    media_type: str
    data: Iterator[bytes] = field(default_factory=lambda: iter(()))
    charset: str | None = None
    size: int = 0
    decode: Callable[[Iterable[bytes]], Iterator[bytes]] = iter


def boundary(content_type: str) -> bytes:
    """The boundary of a Content-Type header. ``InvalidInput`` if it has none that RFC 2046 allows."""
    # Not by ``email``: it stumbles over parameters in pieces of which one has no number.
    value = mime_rules.parameters(content_type)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(value):
        raise _refuse("boundary", "Content-Type has no boundary that RFC 2046 section 5.1.1 allows")
    return value.encode()


class _Events:
    """Turns the parser's callbacks into a queue."""

    def __init__(self, boundary_bytes: bytes) -> None:
        self.queue: deque[tuple[str, object]] = deque()
        self._name = b""
        self._value = b""
        self._headers: dict[str, str] = {}
        self.ended = False
        self._parser = MultipartParser(
            boundary_bytes,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._text,
                "on_header_end": self._header,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _refuse("syntax", "the parts are not well formed") from None

    def _begin(self) -> None:
        self._headers = {}

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _text(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        name = self._name.decode("latin-1").lower()
        if name in self._headers:
            raise _refuse("header", "a part repeats a header")
        try:
            self._headers[name] = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise _refuse("header", "a part's header is not UTF-8") from None
        self._name = self._value = b""

    def _headers_end(self) -> None:
        self.queue.append(("part", self._headers))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.queue.append(("data", data[start:end]))

    def _end(self) -> None:
        self.queue.append(("end", None))

    def _all(self) -> None:
        self.ended = True


def _part(headers: dict[str, str]) -> FormPart:
    disposition = headers.get("content-disposition", "")
    kind, options = parse_options_header(disposition.encode("utf-8").decode("latin-1"))
    name = options.get(b"name", b"")
    if kind != b"form-data" or not name:
        raise _refuse("disposition", "a part has no Content-Disposition: form-data with a name")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise _refuse("encoding", "a part has a transfer encoding (RFC 7578 section 4.7 deprecates it)")
    plain = options.get(b"filename")
    return FormPart(
        name=name.decode("utf-8", "replace"),
        filename=name_of(disposition, None if plain is None else plain.decode("utf-8", "replace")),
        media_type=media_type(headers.get("content-type", "application/octet-stream")),
    )


def related(headers: dict[str, str]) -> FormPart:
    """A part of multipart/related (RFC 2387): its name is its Content-ID without the angle brackets."""
    decode = mime_rules.transfer_decoder(headers.get("content-transfer-encoding", ""))
    if decode is None:
        raise _refuse("encoding", "a part has a transfer encoding that is not known")
    if "content-type" not in headers:
        raise _refuse("content_type", "a part has no Content-Type")
    kind, options = mime_rules.parameters(headers["content-type"])
    return FormPart(
        name=mime_rules.bare_id(headers.get("content-id", "")),
        filename=None,
        media_type=kind,
        charset=options.get("charset"),
        decode=decode,
    )


def chosen(found: Iterator[FormPart]) -> Iterator[FormPart]:
    """The parts that hold a file: all but those without a name and without a byte."""
    for part in found:
        if part.filename == "":
            first = next((piece for piece in part.data if piece), b"")
            if not first:
                continue
            part.data = itertools.chain([first], part.data)
        yield part


def file_name(part: FormPart, number: int) -> str:
    """The name shown to people: the last step of what was sent, without control characters, at most 255 characters."""
    text = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    return _UNPRINTABLE.sub("", text).strip()[:255].strip() or f"file-{number}"


def parts(
    chunks: Iterator[bytes], boundary_bytes: bytes, read: Callable[[dict[str, str]], FormPart] = _part
) -> Iterator[FormPart]:
    """The parts of a body, in order. What is left unread of a part is skipped. Raises ``InvalidInput``.

    ``read``: makes a part of its headers (names in lower case); the default is that of form-data.
    """
    events = _Events(boundary_bytes)
    chunks = _from_first_line(chunks, boundary_bytes)
    count = 0

    def next_event() -> tuple[str, object] | None:
        while not events.queue:
            piece = next(chunks, None)
            if piece is None:
                return None
            events.feed(piece)
        return events.queue.popleft()

    def data() -> Iterator[bytes]:
        while (event := next_event()) is not None and event[0] == "data":
            assert isinstance(event[1], bytes)
            yield event[1]

    while (event := next_event()) is not None:
        if event[0] != "part":
            continue
        count += 1
        if count > MAX_PARTS:
            raise TooLarge(f"A body may have at most {MAX_PARTS} parts.", code="multipart.too_many")
        assert isinstance(event[1], dict)
        part, raw = read(event[1]), data()
        part.data = _decoded(part, raw)
        yield part
        for _ in raw:
            pass
    if not events.ended:
        raise _refuse("end", "the closing boundary is missing")


def _from_first_line(chunks: Iterator[bytes], boundary_bytes: bytes) -> Iterator[bytes]:
    """The body from its first boundary on; what stands before is to be ignored (RFC 2046 section 5.1.1)."""
    line = re.compile(rb"\n(--" + re.escape(boundary_bytes) + rb")(?:--)?[ \t]*(\r?)\n")
    head = b"\n"
    for piece in chunks:
        head += piece
        found = line.search(head)
        if found is not None:
            if not found[2]:
                raise _refuse("line_ends", "lines end with LF alone; MIME wants CR LF (RFC 2046 section 4.1.1)")
            yield head[found.start(1) :]
            break
        head = head[-_LINE_BYTES:]
    yield from chunks


def _decoded(part: FormPart, raw: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from part.decode(raw)
    except ValueError:
        raise _refuse("encoding", "a part is not in the transfer encoding that it names") from None


def small(part: FormPart, limit: int) -> bytes:
    """A part that is no file, whole. ``TooLarge`` beyond ``limit`` bytes."""
    kept: list[bytes] = []
    size = 0
    for piece in part.data:
        size += len(piece)
        if size > limit:
            raise TooLarge(f"A part that is no file is larger than {limit} bytes.", code="multipart.too_large")
        kept.append(piece)
    return b"".join(kept)
