"""Reading a mail that anybody may have sent: bounded in size, depth, parts and headers; every fault has a name. Pure.

The bytes are kept whole elsewhere; what is read here is for deciding and showing. ``compat32`` is used on purpose: the
newer header parser of Python's ``email`` raises a dozen kinds of errors on real mails.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32, Policy, compat32
from itertools import islice
from typing import Final

from hub.adapters import parameters
from hub.adapters.email import filenames, inline, tnef
from hub.adapters.parameters import header_text
from hub.errors import InvalidInput, TooLarge
from hub.schemas.charsets import decode
from hub.schemas.transfer_encoding import name_of, undone

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 1_000
MAX_MESSAGES: Final = 5_000
"""Parts, mails inside and groups of reports together."""
MAX_FIELDS: Final = 50_000
"""Header fields of all of them."""
MAX_HEADER_BYTES: Final = 102_400
MAX_FIELD_BYTES: Final = 16_384
"""One Content-Type or Content-Disposition, anywhere: ``email`` takes quadratic time over its parameters."""
MAX_TEXT_CHARS: Final = 1_000_000
_NESTING: Final = re.compile(
    rb"^content-type:[ \t]*(?:\r?\n[ \t]+)?(?:multipart|message)/", re.IGNORECASE | re.MULTILINE
)
_FIELD: Final = re.compile(rb"^content-(?:type|disposition):", re.IGNORECASE | re.MULTILINE)
_FIELD_END: Final = re.compile(rb"\r?\n(?![ \t])")
_NO_HEAD_LINE: Final = re.compile(rb"^(?![\t ]|[!-9;-~]*:)", re.MULTILINE)
_MAX_HEAD_LINES: Final = 200_000
_MAX_NESTING: Final = 200
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_PREAMBLE: Final = re.compile(rb"(?:\xef\xbb\xbf|[\r\n\x00])+")
_OWN_MARK: Final = b"hub-message-id:"
_MAX_CONTAINERS: Final = 3
_TEXT_NAME: Final = re.compile(r"[^.]*|.*\.(?:txt|text|html?|asc)", re.IGNORECASE)
_LOST_BOUNDARY: Final = re.compile(rb"^--([^\r\n]{1,70}?)[ \t]*\r?\ncontent-", re.IGNORECASE | re.MULTILINE)
_AS_IT_WAS: Final = compat32.clone(mangle_from_=False)
_BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, MessageError)
"""What ``email`` raises on broken input (``UnicodeError`` and ``binascii.Error`` are kinds of ``ValueError``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An attached file. ``name``: as they gave it, for people only."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One stretch of a mail's words, in its two forms (RFC 2046 section 5.1.4); one of them may be empty."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail, read. Header names in lower case; values unfolded and decoded, in the order they stood.

    ``status`` and ``disposition``: the groups of fields of a delivery report (RFC 3464) or of a disposition
    notification (RFC 8098); ``feedback``: of a complaint (RFC 5965). ``returned``: headers of the mail that a report is
    about; ``inner``: headers of every mail inside, at any depth. ``kind``: the outermost media type; ``parameters``: of
    that. ``passages``: the words in reading order; ``text`` and ``html``: all of one form. ``outlook``: the message
    class of a ``winmail.dat``; ``unopened``: one of them could not be read.
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
    passages: tuple[Passage, ...] = ()
    outlook: str = ""
    unopened: bool = False

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
    (deeper than 100, more than 1,000 parts, or 5,000 of all kinds), ``mail.unreadable``.
    """
    if len(raw) > limit:
        raise TooLarge(f"The mail is longer than {limit} bytes.", code="mail.too_large")
    blank = _BLANK.search(raw)
    if (blank.start() if blank else len(raw)) > MAX_HEADER_BYTES:
        raise InvalidInput(f"The head of the mail is longer than {MAX_HEADER_BYTES} bytes.", code="mail.headers")
    return _Reader(_parsed(raw)).mail()


def _has_endless_head(raw: bytes) -> bool:
    """True if lines that can be a head's follow each other without an end: ``email`` keeps them all before it looks at
    one. Found for sure from twice the limit on: each has two bytes at least, so a look in so many bytes meets them.
    """
    at = 0
    while at < len(raw):
        other = _NO_HEAD_LINE.search(raw, at)
        end = other.start() if other else len(raw)
        if raw.count(b"\n", at, end) > _MAX_HEAD_LINES:
            return True
        at = max(end, at) + 2 * _MAX_HEAD_LINES
    return False


class _Count:
    """Messages and header fields that a mail was taken apart into so far: ``email`` bounds neither.

    Each group of a delivery report is a message to it, and costs 640 bytes for every blank line; a field costs 130.
    """

    def __init__(self) -> None:
        self._messages = self._fields = 0

    def message(self, policy: Policy = compat32) -> Message:
        """One more message, part or group. ``InvalidInput``."""
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            raise _nesting()
        return Message(policy)

    def field(self) -> None:
        """One more header field. ``InvalidInput``."""
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise InvalidInput(f"The mail has more than {MAX_FIELDS} header fields.", code="mail.headers")


class _Counting(Compat32):
    """The policy that counts fields as they are read."""

    count: _Count | None = None

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        if self.count is not None:
            self.count.field()
        return super().header_source_parse(sourcelines)


def _parsed(raw: bytes) -> Message:
    """The tree of parts. Raises ``InvalidInput`` for what ``email`` would stall on or stumble over."""
    if len(_NESTING.findall(raw)) > _MAX_NESTING:
        raise _nesting()
    if any(_field_length(raw, found) > MAX_FIELD_BYTES for found in _FIELD.finditer(raw)):
        raise InvalidInput(f"A part's header is longer than {MAX_FIELD_BYTES} bytes.", code="mail.headers")
    if _has_endless_head(raw):
        raise InvalidInput(f"A head inside the mail has more than {_MAX_HEAD_LINES} lines.", code="mail.headers")
    count = _Count()
    try:
        return BytesParser(count.message, policy=_Counting(count=count)).parsebytes(raw)  # type: ignore[call-arg]
    except RecursionError:
        raise _nesting() from None
    except _BROKEN as error:
        raise InvalidInput(f"The mail cannot be read: {type(error).__name__}.", code="mail.unreadable") from None


def _field_length(raw: bytes, found: re.Match[bytes]) -> int:
    end = _FIELD_END.search(raw, found.end())
    return (end.start() if end else len(raw)) - found.start()


def _nesting() -> InvalidInput:
    return InvalidInput(f"The mail has more than {MAX_DEPTH} levels or {MAX_PARTS} parts.", code="mail.nesting")


def headers_of(message: Message) -> dict[str, tuple[str, ...]]:
    """All headers, decoded."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(header_text(str(value)))
    return {name: tuple(values) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A part that holds no others. ``group``: the alternatives that it is one of; 0 for none."""

    part: Message
    depth: int
    group: int


class _Reader:
    """Walks the parts of one mail once."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._passages: dict[int, list[tuple[str, str]]] = {}
        self._alone = 0
        self._named: list[tuple[str, str]] = []
        self._files: list[File] = []
        self._status: list[dict[str, str]] = []
        self._disposition: list[dict[str, str]] = []
        self._feedback = False
        self._returned: dict[str, tuple[str, ...]] = {}
        self._inner: list[dict[str, tuple[str, ...]]] = []
        self._outlook = ""
        self._containers = 0
        self._unopened = False

    def mail(self) -> Mail:
        for leaf in self._leaves():
            if leaf.depth > MAX_DEPTH:
                raise _nesting()
            self._take(leaf, leaf.part.get_content_type())
        passages = tuple(map(_passage, self._passages.values()))
        if not any(each.text.strip() or each.html.strip() for each in passages):
            passages = (*passages, *(_passage([each]) for each in self._named))
        return Mail(
            headers=headers_of(self._message),
            kind=self._message.get_content_type(),
            parameters=_parameters(self._message),
            text="\n".join(each.text for each in passages if each.text)[:MAX_TEXT_CHARS],
            html="\n".join(each.html for each in passages if each.html)[:MAX_TEXT_CHARS],
            files=tuple(self._files),
            status=tuple(self._status),
            disposition=tuple(self._disposition),
            feedback=self._feedback,
            returned=self._returned,
            inner=tuple(self._inner),
            passages=passages,
            outlook=self._outlook,
            unopened=self._unopened,
        )

    def _leaves(self) -> Iterator[_Leaf]:
        """Leaves in reading order; a mail inside a mail is a leaf."""
        stack = [_Leaf(self._message, 0, 0)]
        seen = groups = 0
        while stack:
            leaf = stack.pop()
            seen += 1
            if seen > MAX_PARTS:
                raise _nesting()
            part = leaf.part
            if part.get_content_maintype() == "multipart" and leaf.depth <= MAX_DEPTH:
                part = part if part.is_multipart() else _reopened(part)
            if part.get_content_maintype() == "multipart" and part.is_multipart():
                groups += part.get_content_subtype() == "alternative"
                group = groups if part.get_content_subtype() == "alternative" else leaf.group
                stack += [_Leaf(each, leaf.depth + 1, group) for each in reversed(_inner(part))]
            else:
                yield _Leaf(part, leaf.depth, leaf.group)

    def _take(self, leaf: _Leaf, kind: str) -> None:
        part = leaf.part
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            self._status += _groups(part)
        elif kind in ("message/disposition-notification", "message/global-disposition-notification"):
            self._disposition += _groups(part)
        elif kind == "message/feedback-report":
            self._feedback = True
        elif kind in ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"):
            self._take_mail(part, kind)
        else:
            self._take_leaf(leaf, kind)

    def _take_mail(self, part: Message, kind: str) -> None:
        encoded = name_of(str(part.get("content-transfer-encoding", ""))) in _ENCODED
        data = _content(part) if encoded or not part.is_multipart() else b""
        inner = [_parsed(without_preamble(data))] if encoded and kind in _MAILS else _inner(part)
        headers = headers_of(inner[0]) if inner else _head_of(data)
        self._returned = self._returned or headers
        self._inner.append(headers)
        for each in inner[:1]:
            self._inner += [headers_of(mail) for mail in _mails_in(each)]
        if kind != "text/rfc822-headers":
            name = _name(part) or "вкладений лист.eml"
            self._files.append(File(name=name, media_type="message/rfc822", data=data or _whole(part)))

    def _take_leaf(self, leaf: _Leaf, kind: str) -> None:
        part, data = leaf.part, _content(leaf.part)
        name = _name(part)
        attached = part.get_content_disposition() == "attachment"
        if kind.startswith("multipart/") and not name:
            kind = "text/plain"  # RFC 2046 section 5.1: no part of it can be found; people read what there is
        if kind in ("text/plain", "text/html") and not attached and not name:
            self._say(_worded(kind, self._without_files(decode(data, _charset(part)))), leaf.group)
        elif data:
            if kind in ("text/plain", "text/html") and _TEXT_NAME.fullmatch(name):
                self._named.append(_worded(kind, decode(data, _charset(part))))
            self._take_file(name, kind, data)

    def _say(self, words: tuple[str, str], group: int) -> None:
        self._alone -= 1
        self._passages.setdefault(group or self._alone, []).append(words)

    def _without_files(self, text: str) -> str:
        left, files = inline.taken_out(text)
        self._files += [File(name=each.name, media_type=filenames.type_of(each.name), data=each.data) for each in files]
        return left

    def _take_file(self, name: str, kind: str, data: bytes) -> None:
        if tnef.is_tnef(data) and self._take_container(data):
            return
        if name.lower().endswith(".eml"):
            self._inner.append(_head_of(without_preamble(data[:MAX_HEADER_BYTES])))
        self._files.append(File(name=name or filenames.without_name(kind), media_type=kind, data=data))

    def _take_container(self, data: bytes) -> bool:
        """Open a ``winmail.dat``: its files, and its words where the mail has none. False: it stays a file."""
        self._outlook = self._outlook or tnef.message_class(data)
        self._containers += 1
        try:
            if self._containers > _MAX_CONTAINERS:
                raise _nesting()
            inside = tnef.opened(data)
        except InvalidInput:
            self._unopened = True
            return False
        if inside.text.strip() or inside.html.strip():
            self._named.append((inside.text, inside.html))
        elif inside.rtf:
            self._files.append(File(name="лист.rtf", media_type="application/rtf", data=inside.rtf))
        for each in inside.files:
            self._files.append(
                File(
                    name=each.name or filenames.without_name(each.media_type),
                    media_type=each.media_type or filenames.type_of(each.name),
                    data=each.data,
                )
            )
        return bool(inside.files or inside.text.strip() or inside.html.strip() or inside.rtf)


_ENCODED: Final = frozenset({"base64", "quotedprintable"})
_MAILS: Final = frozenset({"message/rfc822", "message/global"})


def _worded(kind: str, words: str) -> tuple[str, str]:
    return (words, "") if kind == "text/plain" else ("", words)


def _passage(words: list[tuple[str, str]]) -> Passage:
    return Passage(
        text="\n".join(text for text, _ in words if text)[:MAX_TEXT_CHARS],
        html="\n".join(html for _, html in words if html)[:MAX_TEXT_CHARS],
    )


def _reopened(part: Message) -> Message:
    """A multipart of which no part was found, read again: its content was encoded (forbidden by RFC 2045 section 6.4,
    and met), or its header names another boundary than the one that stands there.
    """
    data = _content(part)
    kind = str(part.get("content-type", ""))
    lost = _LOST_BOUNDARY.search(data[:MAX_FIELD_BYTES])
    if lost is not None and lost[1] not in kind.encode("utf-8", "replace"):
        kind = f'{part.get_content_type()}; boundary="{lost[1].decode("ascii", "replace")}"'
    elif name_of(str(part.get("content-transfer-encoding", ""))) not in _ENCODED:
        return part
    head = f"Content-Type: {kind}\r\n\r\n".encode("utf-8", "surrogateescape")
    again = _parsed(head + data)
    return again if again.is_multipart() else part


def _head_of(data: bytes) -> dict[str, tuple[str, ...]]:
    return headers_of(_parsed_head(data[:MAX_HEADER_BYTES]))


def _parsed_head(data: bytes) -> Message:
    return BytesParser(policy=compat32).parsebytes(data, headersonly=True)


def _mails_in(message: Message) -> Iterator[Message]:
    """Mails inside a mail, at any depth."""
    for part in islice(message.walk(), MAX_PARTS):
        if part.get_content_maintype() == "message":
            yield from _inner(part)


def _header(part: Message, name: str) -> str:
    return next((str(value) for found, value in part.raw_items() if found.lower() == name), "")


def _parameters(part: Message) -> dict[str, str]:
    return parameters.read(_header(part, "content-type"))


def _charset(part: Message) -> str | None:
    return _parameters(part).get("charset")


def _name(part: Message) -> str:
    """Name of a file: of its disposition, else of its type; some programs write it into the description only."""
    said = parameters.read(_header(part, "content-disposition"))
    name = said.get("filename") or said.get("name") or _parameters(part).get("name") or ""
    described = header_text(_header(part, "content-description"))
    return name or (described if re.fullmatch(r"[^\r\n]{1,200}\.[A-Za-z0-9]{2,4}", described) else "")


def _content(part: Message) -> bytes:
    """The content, transfer encoding undone as far as it goes."""
    label = str(part.get("content-transfer-encoding", ""))
    return undone(_encoded(part), label)


def _encoded(part: Message) -> bytes:
    """The content as it came; ``email`` would undo an encoding in its own way."""
    if part.is_multipart():
        return _whole(part)
    bare = copy.copy(part)
    del bare["content-transfer-encoding"]
    try:
        data = bare.get_payload(decode=True)
    except _BROKEN:
        data = None
    return data if isinstance(data, bytes) else b""


def _inner(part: Message) -> list[Message]:
    """Parts of a part; never asked of a leaf, whose payload ``email`` would decode with any codec that it names."""
    inner = part.get_payload() if part.is_multipart() else ()
    return [each for each in inner if isinstance(each, Message)]


def _whole(part: Message) -> bytes:
    """A mail inside a mail as bytes; empty if it cannot be put together (the outer mail is kept whole anyway)."""
    try:
        return b"".join(each.as_bytes(policy=_AS_IT_WAS) for each in _inner(part))
    except (*_BROKEN, RecursionError):
        return b""


def _groups(part: Message) -> list[dict[str, str]]:
    """Groups of fields: the parser makes messages of them; broken ones stand as text."""
    groups = _inner(part)
    if not groups or name_of(str(part.get("content-transfer-encoding", ""))) in _ENCODED:
        blocks = re.split(rb"\r?\n[ \t]*\r?\n", _content(part), maxsplit=MAX_PARTS)[:MAX_PARTS]
        groups = [_parsed_head(block[:MAX_HEADER_BYTES] + b"\n\n") for block in blocks]
    found = [{name: values[0] for name, values in headers_of(group).items()} for group in groups[:MAX_PARTS]]
    return [group for group in found if group]
