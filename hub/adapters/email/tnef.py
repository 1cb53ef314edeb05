"""A ``winmail.dat`` of Outlook (MS-OXTNEF) opened: its files, its text, and whether it is a mail or a report of one.

Pure and linear: a cursor that refuses what is cut short, records and values counted, each value at least one byte.
Messages inside stay closed. Why it is read by hand: docs/decisions/0006-tnef.md.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hub.adapters.email import rtf
from hub.errors import InvalidInput
from hub.schemas.charsets import decode

MAX_RECORDS: Final = 5_000
MAX_VALUES: Final = 20_000
_SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_MESSAGE_CLASS: Final = 0x8008
_BODY: Final = 0x800C
_FILE_DATA: Final = 0x800F
_FILE_TITLE: Final = 0x8010
_FILE_BEGINS: Final = 0x9002
_PROPERTIES: Final = 0x9003
_FILE_PROPERTIES: Final = 0x9005
_CODEPAGE: Final = 0x9007
_RECORD: Final = struct.Struct("<BHHI")
_MAX_CHARS: Final = 255
_MULTIPLE: Final = 0x1000
_OBJECT: Final = 0x000D
_STRING8: Final = 0x001E
_UNICODE: Final = 0x001F
_VARIABLE: Final = frozenset({_OBJECT, _STRING8, _UNICODE, 0x0102})
_WIDTHS: Final = {2: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 2, 0x14: 8, 0x40: 8, 0x48: 16}
_P_BODY, _P_RTF, _P_HTML = 0x1000, 0x1009, 0x1013
_P_CONTENT, _P_SHORT_NAME, _P_LONG_NAME, _P_KIND = 0x3701, 0x3704, 0x3707, 0x370E
_OBJECT_MARK: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TnefFile:
    """A file inside. ``name`` and ``media_type`` as they gave them; either may be empty."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WinmailContents:
    """Content of a ``winmail.dat``. ``rtf``: the letter in rich text; empty if there is none."""

    files: tuple[TnefFile, ...]
    text: str
    html: str
    rtf: bytes


@dataclass(slots=True)
class _Draft:
    title: bytes = b""
    data: bytes = b""
    properties: dict[int, tuple[int, bytes]] = field(default_factory=dict)


def is_tnef(data: bytes) -> bool:
    """True if these bytes are a ``winmail.dat``."""
    return data.startswith(_SIGNATURE)


def message_class(data: bytes) -> str:
    """The class in lower case, ``report.ipm.note.ipnrn`` for a reading notice; empty if there is none."""
    try:
        found = next((value for name, value in _records(data) if name == _MESSAGE_CLASS), b"")
    except InvalidInput:
        return ""
    return found[:_MAX_CHARS].split(b"\0", 1)[0].decode("ascii", "replace").lower()


def opened(data: bytes) -> WinmailContents:
    """Everything in it that a person can use. Raises ``InvalidInput`` (``mail.winmail``) if it is not well made."""
    drafts: list[_Draft] = []
    letter: dict[int, tuple[int, bytes]] = {}
    body, codepage = b"", "cp1251"
    for name, value in _records(data):
        if name == _FILE_BEGINS:
            drafts.append(_Draft())
        elif name == _CODEPAGE:
            codepage = _codepage(value)
        elif name == _BODY:
            body = value
        elif name == _PROPERTIES:
            letter.update(_properties(value))
        elif drafts:
            _take(drafts[-1], name, value)
    return WinmailContents(
        files=tuple(_file(draft, codepage) for draft in drafts if draft.data or _content(draft)),
        text=_text(letter.get(_P_BODY), codepage) or _string(body, codepage),
        html=_text(letter.get(_P_HTML), codepage),
        rtf=rtf.decompressed(letter[_P_RTF][1]) if _P_RTF in letter else b"",
    )


def _take(draft: _Draft, name: int, value: bytes) -> None:
    if name == _FILE_TITLE:
        draft.title = value
    elif name == _FILE_DATA:
        draft.data = value
    elif name == _FILE_PROPERTIES:
        draft.properties.update(_properties(value))


def _file(draft: _Draft, codepage: str) -> TnefFile:
    names = (_text(draft.properties.get(each), codepage) for each in (_P_LONG_NAME, _P_SHORT_NAME))
    content = _content(draft)
    return TnefFile(
        name=next(filter(None, names), "") or _string(draft.title, codepage),
        media_type=_text(draft.properties.get(_P_KIND), codepage).lower(),
        data=content if len(content) >= len(draft.data) else draft.data,
    )


def _content(draft: _Draft) -> bytes:
    kind, content = draft.properties.get(_P_CONTENT, (0, b""))
    return content[_OBJECT_MARK:] if kind == _OBJECT else content


def _text(found: tuple[int, bytes] | None, codepage: str) -> str:
    if found is None:
        return ""
    kind, value = found
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").split("\0", 1)[0]
    return _string(value, codepage)


def _string(value: bytes, codepage: str) -> str:
    return decode(value.split(b"\0", 1)[0], codepage)


def _codepage(value: bytes) -> str:
    number = int.from_bytes(value[:4], "little")
    name = "utf-8" if number == 65_001 else f"cp{number}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1251"


class _Cursor:
    """Reads on, and refuses what is cut short."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def over(self) -> bool:
        return self.at >= len(self.data)

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise _broken()
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def padded(self, length: int) -> bytes:
        value = self.take(length)
        self.at = min(self.at + -length % 4, len(self.data))
        return value


def _broken() -> InvalidInput:
    return InvalidInput("The winmail.dat is not well made, or has too much in it.", code="mail.winmail")


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each record's name and value (MS-OXTNEF section 2.1.3)."""
    if not is_tnef(data):
        raise _broken()
    cursor = _Cursor(data)
    cursor.take(len(_SIGNATURE) + 2)
    for _ in range(MAX_RECORDS):
        if len(data) - cursor.at < _RECORD.size:
            return
        _, name, _, length = _RECORD.unpack(cursor.take(_RECORD.size))
        value = cursor.take(length)
        cursor.at += 2  # its checksum, which some programs leave at zero
        yield name, value
    raise _broken()


def _properties(data: bytes) -> dict[int, tuple[int, bytes]]:
    """The type and first value of each property (MS-OXTNEF section 2.1.3.4)."""
    cursor, seen = _Cursor(data), 0
    found: dict[int, tuple[int, bytes]] = {}
    for _ in range(cursor.number(4)):
        if cursor.over:
            return found
        kind, name = cursor.number(2), cursor.number(2)
        if name >= 0x8000:
            _skip_name(cursor)
        base = kind & ~_MULTIPLE
        several = kind & _MULTIPLE or base in _VARIABLE
        count = cursor.number(4) if several else 1
        seen += count + 1
        if seen > MAX_VALUES or (base not in _VARIABLE and base not in _WIDTHS):
            raise _broken()
        for place in range(count):
            value = cursor.padded(cursor.number(4) if base in _VARIABLE else _WIDTHS[base])
            if place == 0:
                found.setdefault(name, (base, value))
    return found


def _skip_name(cursor: _Cursor) -> None:
    """A property with a name of its own: its set, and a number or a text."""
    cursor.take(16)
    if cursor.number(4) == 0:
        cursor.take(4)
    else:
        cursor.padded(cursor.number(4))
