"""Mails that somebody passes on as attachments: the answer is often in one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from hub.adapters.email import classify, parse
from hub.adapters.email.classify import Voice
from hub.errors import InvalidInput

MAX_MAILS: Final = 10
MAX_DEPTH: Final = 3
_OF_MAILS: Final = frozenset({"from", "subject", "date"})


def passed_on(mail: parse.Mail, *, limit: int) -> tuple[parse.Mail, ...]:
    """Mails of people in a mail, the outer one first; without ours and those of machines. What cannot be read stays a
    file.
    """
    return tuple(islice(_inside(mail, limit, MAX_DEPTH), MAX_MAILS))


def _inside(mail: parse.Mail, limit: int, depth: int) -> Iterator[parse.Mail]:
    for file in mail.files if depth else ():
        is_mail = file.media_type in ("message/rfc822", "message/global") or file.name.lower().endswith(".eml")
        if not is_mail or parse.is_ours(file):
            continue
        try:
            inner = parse.read(parse.without_preamble(file.data), limit=limit)
        except InvalidInput:
            continue
        if inner.headers.keys() & _OF_MAILS and classify.judge(inner).voice is Voice.PERSON:
            yield inner
            yield from _inside(inner, limit, depth - 1)
