"""Mails and other bytes, read for a person who decides about them. Nothing here is believed."""

from __future__ import annotations

from hub.adapters.email import parse, passages, trim
from hub.errors import InvalidInput
from hub.ports import Excerpt, ExcerptFile, RawInbound
from hub.schemas.charsets import decode
from hub.schemas.visible import visible

MAIL = "message/rfc822"
MAX_CHARS = 100_000
"""So much text is shown and searched."""
_SEARCHED = ("from", "to", "cc", "subject", "in-reply-to", "references", "received", "delivered-to", "x-original-to")


class MailExcerpts:
    """The port ``Excerpts``: mails by their parts, anything else as text. Safe to use from many threads."""

    def read(self, raw: RawInbound) -> Excerpt:
        """As much as can be read; never raises for what the bytes are."""
        if raw.content_type.startswith(MAIL):
            try:
                return _of_mail(parse.read(parse.without_preamble(raw.body), limit=max(len(raw.body), 1)))
            except InvalidInput:
                pass  # its bytes are shown as text instead, which is all that can be read of it
        text = visible(decode(raw.body[: 4 * MAX_CHARS], None), lines=True)[:MAX_CHARS]
        return Excerpt(text=text, searched=text)


def _of_mail(mail: parse.Mail) -> Excerpt:
    whole = passages.text_of(mail)
    own = trim.split(whole).reading or whole
    heads = "\n".join(value for name in _SEARCHED for value in mail.headers.get(name, ()))
    returned = "\n".join(value for values in mail.returned.values() for value in values)
    names = "\n".join(file.name for file in mail.files)
    return Excerpt(
        subject=visible(mail.first("subject"))[:500],
        sender=visible(mail.first("from"))[:500],
        text=visible(own.replace("\r", ""), lines=True)[:MAX_CHARS],
        searched="\n".join((heads, whole, returned, names))[: 2 * MAX_CHARS],
        files=tuple(ExcerptFile(name=f.name, media_type=f.media_type, data=f.data) for f in mail.files),
    )
