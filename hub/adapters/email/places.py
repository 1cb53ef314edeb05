"""Places of a mail in which our signed token can stand, and the messages of ours that they name. Pure.

A mail is for all messages that it is addressed to and that it replies to. Where neither names one, the first kind of
place that does is believed: reports, threads and other headers, mails inside, the text, attached texts. What is named
in a lesser place only is told to a person: a quoted letter is no reply to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hub.adapters.email import parse, tokens
from hub.schemas.ids import MessageId

_ADDRESSED: Final = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "x-rcpt-to",
    "x-forwarded-to",
    "apparently-to",
    "original-recipient",
    "to",
    "cc",
    "bcc",
    "resent-to",
    "resent-cc",
    "resent-bcc",
)
_THREAD: Final = ("references", "original-message-id", "message-id", "reply-to", "return-path", "thread-index")
_FOR: Final = re.compile(r"\bfor\s+<?([^\s<>;]{1,320})>?", re.IGNORECASE)
"""RFC 5321 section 4.4: the address for which a server took the mail over."""
_ESCAPED_PLUS: Final = re.compile(r"(?:=2b|%2b|&#43;)", re.IGNORECASE)
TEXT_CHARS: Final = 100_000
_FILE_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Messages that a mail names. ``sure``: those that it is for; ``aside``: others that it only mentions.

    ``inside``: the surest place was no header of the mail's own. ``forged``: something had the form of a token.
    """

    sure: tuple[MessageId, ...]
    aside: tuple[MessageId, ...]
    inside: bool
    forged: bool


def named(mail: parse.Mail, keys: Sequence[bytes]) -> Named:
    """The messages of ours that a mail names, the surest place first."""
    sure: tuple[MessageId, ...] = ()
    aside: list[MessageId] = []
    inside = forged = False
    for own_head, texts in _kinds(mail):
        found = tokens.candidates(_ESCAPED_PLUS.sub("+", text) for text in texts)
        known = tuple(dict.fromkeys(each for token in found if (each := tokens.read(keys, token)) is not None))
        forged = forged or len(found) > len(known)
        if sure:
            aside += [each for each in known if each not in sure]
        elif known:
            sure, inside = known, not own_head
    return Named(sure=sure, aside=tuple(dict.fromkeys(aside)), inside=inside, forged=forged)


def _kinds(mail: parse.Mail) -> Iterator[tuple[bool, Iterable[str]]]:
    """Kinds of places, the surest first, each with whether it is a header of the mail's own."""
    yield True, _values(mail.headers, (*_ADDRESSED, "in-reply-to"), received=True)
    yield True, (value for group in (*mail.disposition, *mail.status) for value in group.values())
    yield True, _values(mail.headers, _THREAD)
    yield True, (value for values in mail.headers.values() for value in values)
    names = ("message-id", "reply-to", "return-path", "disposition-notification-to")
    yield False, _values(mail.returned, names)
    for headers in mail.inner:
        yield False, _values(headers, (*_ADDRESSED, "in-reply-to"), received=True)
    yield False, (value for headers in mail.inner for values in headers.values() for value in values)
    yield False, (mail.text[:TEXT_CHARS], mail.html[:TEXT_CHARS])
    yield False, (_text_of(file) for file in mail.files if _is_text(file))


def _values(headers: dict[str, tuple[str, ...]], names: Iterable[str], *, received: bool = False) -> Iterator[str]:
    for name in names:
        yield from headers.get(name, ())
    if received:
        for line in headers.get("received", ()):
            yield from _FOR.findall(line[:2_000])


def _is_text(file: parse.File) -> bool:
    return file.media_type.startswith(("message/", "text/")) or file.name.lower().endswith((".eml", ".txt", ".html"))


def _text_of(file: parse.File) -> str:
    return file.data[:_FILE_BYTES].decode("ascii", "replace")
