"""Files out of a message while it flows by: what stays is a small skeleton that the strict parser can read.

A document of 20 MB holds texts that libxml2 refuses (10 MB) and that nobody should hold in memory. The content of each
``DocTransfer`` is decoded and handed on; a mark that nobody can foresee stays in its place.
"""

from __future__ import annotations

import base64
import codecs
import itertools
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hub.errors import Fault, InvalidInput, TooLarge

MAX_SKELETON_BYTES = 8_388_608
"""All that is not a file: fields, tasks, signatures, our sealed envelope."""
MAX_FILES = 200
MAX_OPENED = 10_000
"""Opening tags of files, also of empty ones, and what only begins like one."""
_TAG_BYTES = 65_536
_OPEN = b"<DocTransfer"
_WIDE = (
    (re.compile(codecs.BOM_UTF16_LE + b"|" + codecs.BOM_UTF16_BE), "utf-16"),
    (re.compile(rb"[<\s]\x00"), "utf-16-le"),
    (re.compile(rb"\x00[<\s]"), "utf-16-be"),
)
# Not possessive: early releases of Python 3.11 match such a group wrongly. The alternatives exclude each other.
_TAG = re.compile(rb"""<DocTransfer(?=[\s/>])(?:[^"'<>]|"[^"<]*"|'[^'<]*')*>""")
_SPACE = re.compile(rb"[ \t\r\n]+|&#(?:x0*[9aAdD]|0*(?:9|10|13));")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")

Keep = Callable[[Iterator[bytes]], tuple[str, int]]
"""Stores a stream and returns its SHA-256 and size, as ``Attachments.put``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """The document without its files. ``files``: SHA-256 and size by the mark that stands in their place."""

    body: bytes
    files: dict[str, tuple[str, int]]


def refuse(message: str, code: str) -> InvalidInput:
    """A message that cannot be read; the texts hold nothing of it."""
    return InvalidInput(message, code=code, faults=[Fault(pointer="/Header", code=code, message=message)])


def narrow(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes; those of a document in UTF-16 as UTF-8, so that its markup can be seen. ``InvalidInput``."""
    rest = iter(pieces)
    first = next(rest, b"")
    name = next((name for mark, name in _WIDE if mark.match(first)), None)
    if name is None:
        yield first
        yield from rest
        return
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for piece in itertools.chain([first], rest):
            yield decoder.decode(piece).encode("utf-8")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise refuse("The document is not in the encoding that it shows.", "sevovv.encoding") from None


class _Flow:
    """Bytes that have come and were not used yet: those of ``data`` from ``at`` on. Reading moves the place and copies
    only what is read.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.data = b""
        self.at = 0

    @property
    def left(self) -> int:
        """How many bytes are at hand."""
        return len(self.data) - self.at

    def fill(self) -> bool:
        """One more piece; False at the end."""
        piece = next(self._pieces, None)
        if piece:
            self.data, self.at = self.data[self.at :] + piece, 0
        return piece is not None

    def read(self, count: int) -> bytes:
        """The next bytes."""
        taken = self.data[self.at : self.at + count]
        self.at += len(taken)
        return taken


def split(pieces: Iterable[bytes], keep: Keep) -> Skeleton:
    """Take the files out. ``InvalidInput`` (``sevovv.base64``, ``sevovv.cut``), ``TooLarge``; what ``keep`` raises."""
    flow = _Flow(pieces)
    token = secrets.token_hex(16)
    body = bytearray()
    kept: dict[str, tuple[str, int]] = {}
    opened = 0
    while True:
        found = flow.data.find(_OPEN, flow.at)
        if found < 0:
            body += flow.read(max(flow.left - len(_OPEN), 0))
            _check(body)
            if not flow.fill():
                body += flow.read(flow.left)
                _check(body)
                return Skeleton(body=bytes(body), files=kept)
            continue
        body += flow.read(found - flow.at)
        opened += 1
        if opened > MAX_OPENED:
            raise refuse(f"«DocTransfer» is opened more than {MAX_OPENED} times.", "sevovv.files")
        tag = _tag(flow)
        body += tag
        _check(body)
        if tag.endswith(b"/>") or not tag.endswith(b">") or not _has_text(flow):
            continue
        if len(kept) >= MAX_FILES:
            raise refuse(f"The message holds more than {MAX_FILES} files.", "sevovv.files")
        mark = f"{token}:{len(kept)}"
        kept[mark] = keep(_decoded(flow))
        body += mark.encode()


def _check(body: bytearray) -> None:
    if len(body) > MAX_SKELETON_BYTES:
        raise TooLarge(f"The message without its files is longer than {MAX_SKELETON_BYTES} bytes.", code="sevovv.long")


def _tag(flow: _Flow) -> bytes:
    """The opening tag that stands next; if it is none, just its first letters, for the parser to judge."""
    while True:
        match = _TAG.match(flow.data, flow.at)
        if match:
            return flow.read(match.end() - flow.at)
        if flow.left > _TAG_BYTES or not flow.fill():
            return flow.read(len(_OPEN))


def _has_text(flow: _Flow) -> bool:
    """True if Base64 follows, and not markup (an empty element, CDATA) that the parser takes as it is."""
    while not flow.left and flow.fill():
        pass
    return flow.left > 0 and not flow.data.startswith(b"<", flow.at)


def _decoded(flow: _Flow) -> Iterator[bytes]:
    """The bytes that the Base64 up to the next tag means; whitespace between is allowed (xs:base64Binary)."""
    rest = b""
    ended = padded = False
    while not ended:
        end = flow.data.find(b"<", flow.at)
        ended = end >= 0
        if not ended:
            cut = flow.data.rfind(b"&", max(len(flow.data) - 16, flow.at))
            end = len(flow.data) if cut < 0 else cut  # a character reference may go on in the next piece
        rest += _SPACE.sub(b"", flow.read(end - flow.at))
        usable = len(rest) if ended else len(rest) // 4 * 4
        group, rest = rest[:usable], rest[usable:]
        if len(group) % 4 or (padded and group) or not _BASE64.fullmatch(group):
            raise refuse("A file of the message is not Base64.", "sevovv.base64")
        padded = padded or group.endswith(b"=")
        yield base64.b64decode(group)
        if not ended and not flow.fill():
            raise refuse("The message ends inside a file.", "sevovv.cut")
