"""Heads of answers as servers really write them (RFC 9112 sections 2.2, 4, 5 and 6.3).

Interim answers (1xx) are read and dropped. A blank before a header's colon, a folded line and a line that is no header
cost themselves and no other header. How long the body is follows from the headers; where they contradict each other,
nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, RemoteDisconnected
from typing import BinaryIO, Final

LINE_MAX_BYTES: Final = 65_536
_STATUS_LINE: Final = re.compile(r"HTTP/(\d)\.(\d) +([1-9]\d\d)(?: .*)?", re.ASCII | re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_BEGINNING: Final = re.compile(rb"HTTP/1\.\d +(\d\d\d)")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_WITHOUT_BODY: Final = frozenset({204, 304})
_SWITCHED: Final = 101


class HeadError(HTTPException):
    """No head that can be read, or one that contradicts itself. ``said``: how it begins, where it is none."""

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(why)
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The final head of an answer. ``version``: 10 or 11, as ``http.client`` counts."""

    version: int
    status: int
    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Where the body ends. ``length``: None = where the connection does, or its last chunk."""

    chunked: bool
    length: int | None
    will_close: bool


def read_head(stream: BinaryIO) -> Head:
    """The head of the final answer. ``HTTPException`` if there is none; the caller bounds bytes and time."""
    while True:
        version, status = _status_line(stream)
        fields = _fields(stream)
        if status == _SWITCHED:
            raise HeadError("switched to a protocol that nobody asked for")
        if status >= 200:
            return Head(version=version, status=status, fields=fields)


def refuses(data: bytes) -> bool:
    """True if what came while a request was going out is a final answer that does not want the rest of it."""
    while (found := _BEGINNING.match(data)) is not None:
        status = int(found[1])
        if status >= 200:
            return status >= 300
        end = _HEAD_END.search(data)
        if end is None:
            return False
        data = data[end.end() :]
    return b"\n" in data or len(data) > LINE_MAX_BYTES


def framing(head: Head, headers: Mapping[str, str]) -> Framing:
    """How the body ends. ``HeadError`` if two lengths are told."""
    codings = words(headers, "Transfer-Encoding")
    length = _length(headers)
    closes = _closes(head.version, frozenset(words(headers, "Connection")))
    if head.status in _WITHOUT_BODY:
        return Framing(chunked=False, length=0, will_close=closes)
    if codings and codings != ["identity"]:
        chunked = "chunked" in codings
        # With a length besides, somebody on the way may have read it otherwise: RFC 9112 section 6.3.
        return Framing(chunked=chunked, length=None, will_close=closes or not chunked or "Content-Length" in headers)
    return Framing(chunked=False, length=length, will_close=closes or length is None)


def words(headers: Mapping[str, str], name: str) -> list[str]:
    """The words of a header that is a list, in lower case."""
    return [word for each in headers.get(name, "").lower().split(",") if (word := each.strip())]


def _status_line(stream: BinaryIO) -> tuple[int, int]:
    line = _line(stream)
    while line in ("\r\n", "\n"):  # left over from what was before
        line = _line(stream)
    found = _STATUS_LINE.fullmatch(line.rstrip("\r\n"))
    if found is None or found[1] not in "01":
        raise HeadError("no status line", line)
    return 11 if (found[1], found[2]) > ("1", "0") else 10, int(found[3])


def _fields(stream: BinaryIO) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    while (line := _line(stream)) not in ("\r\n", "\n"):
        if line[0] in " \t":
            _fold(fields, line)
            continue
        name, colon, value = line.partition(":")
        if colon and _TOKEN.fullmatch(name := name.rstrip()):
            fields.append((name, _plain(value)))
    return fields


def _fold(fields: list[tuple[str, str]], line: str) -> None:
    """Join a folded line (RFC 9112 section 5.2) to the header before it."""
    if fields:
        name, value = fields[-1]
        fields[-1] = (name, f"{value} {_plain(line)}".strip())


def _plain(value: str) -> str:
    return re.sub("[\x00\r\n]+", " ", value).strip()


def _line(stream: BinaryIO) -> str:
    line = stream.readline(LINE_MAX_BYTES + 1)
    if not line:
        raise RemoteDisconnected("the connection ended in the head of the answer")
    if len(line) > LINE_MAX_BYTES or not line.endswith(b"\n"):
        raise HeadError("a line of the head is too long, or cut", line.decode("iso-8859-1"))
    return line.decode("iso-8859-1")


def _length(headers: Mapping[str, str]) -> int | None:
    told = set(words(headers, "Content-Length"))
    if len(told) > 1:
        raise HeadError("two lengths of one body")
    text = next(iter(told), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _closes(version: int, connection: frozenset[str]) -> bool:
    return "close" in connection or (version == 10 and "keep-alive" not in connection)
