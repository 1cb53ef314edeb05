"""Reading a mail that anybody may have sent: bounded in size, depth, parts and headers; every fault has a name. Pure.

The bytes are kept whole elsewhere; what is read here is for deciding and showing. ``compat32`` is used on purpose: the
newer header parser of Python's ``email`` raises a dozen kinds of errors on real mails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from itertools import islice
from typing import Final

from hub.errors import InvalidInput, TooLarge
from hub.schemas.charsets import decode

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 1_000
MAX_HEADER_BYTES: Final = 102_400
MAX_FIELD_BYTES: Final = 16_384
"""One Content-Type or Content-Disposition, anywhere: ``email`` takes quadratic time over its parameters."""
MAX_DECODED_CHARS: Final = 4_000
"""Longer header values are left as they are: decoding encoded words takes quadratic time."""
MAX_TEXT_CHARS: Final = 1_000_000
_NESTING: Final = re.compile(
    rb"^content-type:[ \t]*(?:\r?\n[ \t]+)?(?:multipart|message)/", re.IGNORECASE | re.MULTILINE
)
_FIELD: Final = re.compile(rb"^content-(?:type|disposition):", re.IGNORECASE | re.MULTILINE)
_FIELD_END: Final = re.compile(rb"\r?\n(?![ \t])")
_FOLD: Final = re.compile(r"[\r\n\x00]+[ \t]*")
_MAX_NESTING: Final = 200
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_PREAMBLE: Final = re.compile(rb"(?:\xef\xbb\xbf|[\r\n\x00])+")
_OWN_MARK: Final = b"hub-message-id:"
_BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, MessageError)
"""What ``email`` raises on broken input (``UnicodeError`` and ``binascii.Error`` are kinds of ``ValueError``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An attached file. ``name``: as they gave it, for people only."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail, read. Header names in lower case; values unfolded and decoded, in the order they stood.

    ``status`` and ``disposition``: the groups of fields of a delivery report (RFC 3464) or of a disposition
    notification (RFC 8098); ``feedback``: of a complaint (RFC 5965). ``returned``: headers of the mail that a report is
    about; ``inner``: headers of every mail inside, at any depth. ``kind``: the outermost media type; ``parameters``: of
    that.
    """

    headers: dict[str, tuple[str, ...]]
    kind: str
    parameters: dict[str, str]
    text: str = ""
    html: str = ""
    files: tuple[File, ...] = ()
    status: tuple[dict[str, str], ...] = ()
    disposition: tuple[dict[str, str], ...] = ()
    feedback: bool = False
    returned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inner: tuple[dict[str, tuple[str, ...]], ...] = ()

    def first(self, name: str) -> str:
        """The first value of a header; empty if there is none."""
        return next(iter(self.headers.get(name, ())), "")


def without_preamble(raw: bytes) -> bytes:
    """The mail from its head on: some servers and pickup programs lay a byte order mark or empty lines before it."""
    found = _PREAMBLE.match(raw)
    return raw[found.end() :] if found else raw


def is_ours(file: File) -> bool:
    """True for a mail of the hub's own that somebody attached."""
    return file.media_type == "message/rfc822" and _OWN_MARK in file.data[:MAX_HEADER_BYTES].lower()


def read(raw: bytes, *, limit: int) -> Mail:
    """Read a mail. ``limit``: bytes.

    Raises ``TooLarge`` (``mail.too_large``) and ``InvalidInput``: ``mail.headers`` (too long a head), ``mail.nesting``
    (deeper than 100, more than 1,000 parts), ``mail.unreadable``.
    """
    if len(raw) > limit:
        raise TooLarge(f"The mail is longer than {limit} bytes.", code="mail.too_large")
    blank = _BLANK.search(raw)
    if (blank.start() if blank else len(raw)) > MAX_HEADER_BYTES:
        raise InvalidInput(f"The head of the mail is longer than {MAX_HEADER_BYTES} bytes.", code="mail.headers")
    if len(_NESTING.findall(raw)) > _MAX_NESTING:
        raise _nesting()
    if any(_field_length(raw, found) > MAX_FIELD_BYTES for found in _FIELD.finditer(raw)):
        raise InvalidInput(f"A part's header is longer than {MAX_FIELD_BYTES} bytes.", code="mail.headers")
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
    except RecursionError:
        raise _nesting() from None
    except _BROKEN as error:
        raise InvalidInput(f"The mail cannot be read: {type(error).__name__}.", code="mail.unreadable") from None
    return _Reader(message).mail()


def _field_length(raw: bytes, found: re.Match[bytes]) -> int:
    end = _FIELD_END.search(raw, found.end())
    return (end.start() if end else len(raw)) - found.start()


def _nesting() -> InvalidInput:
    return InvalidInput(f"The mail has more than {MAX_DEPTH} levels or {MAX_PARTS} parts.", code="mail.nesting")


def header_text(value: str) -> str:
    """A header's value for people: unfolded, encoded words and raw bytes decoded. Never raises."""
    flat = _FOLD.sub(" ", _unescaped(value)).strip()
    if "=?" not in flat or len(flat) > MAX_DECODED_CHARS:
        return flat
    try:
        pieces = decode_header(flat)
    except (HeaderParseError, *_BROKEN):
        return flat
    words = [piece if isinstance(piece, str) else decode(piece, charset) for piece, charset in pieces]
    return _FOLD.sub(" ", "".join(words)).strip()


def _unescaped(value: str) -> str:
    """Raw 8-bit bytes stand in headers as surrogates (PEP 383)."""
    if value.isascii():
        return value
    try:
        return decode(value.encode("utf-8", "surrogateescape"), None)
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")


def headers_of(message: Message) -> dict[str, tuple[str, ...]]:
    """All headers, decoded."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(header_text(str(value)))
    return {name: tuple(values) for name, values in found.items()}


class _Reader:
    """Walks the parts of one mail once."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._texts: list[str] = []
        self._htmls: list[str] = []
        self._files: list[File] = []
        self._status: list[dict[str, str]] = []
        self._disposition: list[dict[str, str]] = []
        self._feedback = False
        self._returned: dict[str, tuple[str, ...]] = {}
        self._inner: list[dict[str, tuple[str, ...]]] = []

    def mail(self) -> Mail:
        for part, depth in self._parts():
            if depth > MAX_DEPTH:
                raise _nesting()
            self._take(part, part.get_content_type())
        return Mail(
            headers=headers_of(self._message),
            kind=self._message.get_content_type(),
            parameters=_parameters(self._message),
            text="\n".join(self._texts)[:MAX_TEXT_CHARS],
            html="\n".join(self._htmls)[:MAX_TEXT_CHARS],
            files=tuple(self._files),
            status=tuple(self._status),
            disposition=tuple(self._disposition),
            feedback=self._feedback,
            returned=self._returned,
            inner=tuple(self._inner),
        )

    def _parts(self) -> Iterator[tuple[Message, int]]:
        """Leaves in reading order; a mail inside a mail is a leaf."""
        stack: list[tuple[Message, int]] = [(self._message, 0)]
        seen = 0
        while stack:
            part, depth = stack.pop()
            seen += 1
            if seen > MAX_PARTS:
                raise _nesting()
            if part.get_content_maintype() == "multipart" and part.is_multipart():
                stack += [(each, depth + 1) for each in reversed(_inner(part))]
            else:
                yield part, depth

    def _take(self, part: Message, kind: str) -> None:
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            self._status += _groups(part)
        elif kind in ("message/disposition-notification", "message/global-disposition-notification"):
            self._disposition += _groups(part)
        elif kind == "message/feedback-report":
            self._feedback = True
        elif kind in ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"):
            self._take_mail(part, kind)
        else:
            self._take_leaf(part, kind)

    def _take_mail(self, part: Message, kind: str) -> None:
        inner = _inner(part)
        headers = headers_of(inner[0]) if inner else _head_of(_content(part))
        self._returned = self._returned or headers
        self._inner.append(headers)
        for each in inner[:1]:
            self._inner += [headers_of(mail) for mail in _mails_in(each)]
        if kind != "text/rfc822-headers":
            self._files.append(File(name=_name(part) or "лист.eml", media_type="message/rfc822", data=_whole(part)))

    def _take_leaf(self, part: Message, kind: str) -> None:
        name = _name(part)
        data = _content(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        if kind in ("text/plain", "text/html") and not attached:
            text = decode(data, _charset(part))
            (self._texts if kind == "text/plain" else self._htmls).append(text)
        elif data:
            if name.lower().endswith(".eml"):
                self._inner.append(_head_of(without_preamble(data[:MAX_HEADER_BYTES])))
            self._files.append(File(name=name or "без назви", media_type=kind, data=data))


def _head_of(data: bytes) -> dict[str, tuple[str, ...]]:
    return headers_of(BytesParser(policy=compat32).parsebytes(data, headersonly=True))


def _mails_in(message: Message) -> Iterator[Message]:
    """Mails inside a mail, at any depth."""
    for part in islice(message.walk(), MAX_PARTS):
        if part.get_content_maintype() == "message":
            yield from _inner(part)


def _plain(part: Message) -> Message:
    """The part's own two headers with raw 8-bit bytes decoded: ``email`` would make question marks of them."""
    plain: Message = Message(policy=compat32)
    for name, value in part.raw_items():
        if name.lower() in ("content-type", "content-disposition") and name not in plain:
            plain[name] = _unescaped(str(value))
    return plain


def _parameters(part: Message) -> dict[str, str]:
    try:
        found = _plain(part).get_params(failobj=[]) or []
        return {name.lower(): value if isinstance(value, str) else value[2] for name, value in found[1:]}
    except _BROKEN:
        return {}


def _charset(part: Message) -> str | None:
    return _parameters(part).get("charset")


def _name(part: Message) -> str:
    try:
        name = _plain(part).get_filename("")
    except _BROKEN:
        return ""
    return header_text(str(name))


def _content(part: Message) -> bytes:
    """The content, transfer encoding undone as far as it goes."""
    try:
        data = part.get_payload(decode=True)
    except _BROKEN:
        data = None
    return data if isinstance(data, bytes) else b""


def _inner(part: Message) -> list[Message]:
    """Parts of a part; never asked of a leaf, whose payload ``email`` would decode with any codec that it names."""
    inner = part.get_payload() if part.is_multipart() else ()
    return [each for each in inner if isinstance(each, Message)]


def _whole(part: Message) -> bytes:
    """A mail inside a mail as bytes; empty if it cannot be put together (the outer mail is kept whole anyway)."""
    if not part.is_multipart():
        return _content(part)
    try:
        return b"".join(each.as_bytes() for each in _inner(part))
    except (*_BROKEN, RecursionError):
        return b""


def _groups(part: Message) -> list[dict[str, str]]:
    """Groups of fields: the parser makes messages of them; broken ones stand as text."""
    groups = _inner(part)
    if not groups:
        blocks = re.split(rb"\r?\n[ \t]*\r?\n", _content(part))
        groups = [BytesParser(policy=compat32).parsebytes(block + b"\n\n", headersonly=True) for block in blocks]
    found = [{name: values[0] for name, values in headers_of(group).items()} for group in groups[:MAX_PARTS]]
    return [group for group in found if group]
