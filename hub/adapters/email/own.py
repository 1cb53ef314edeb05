"""Mail of the hub's own to people who run it: a short text over the same guarded conversation as all other mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from hub.adapters.email import mime, tokens
from hub.adapters.email.compose import CONTENT_TYPE
from hub.adapters.email.settings import SmtpServer
from hub.adapters.email.smtp import SmtpSession
from hub.ports import Outcome, Prepared
from hub.schemas.ids import MessageId

_KEY = b"mail of the hub's own: its id is no token that a reply could bring"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoute:
    """Route of the hub's own mail: the sender is ``address`` as it is, and no reports are asked for."""

    smtp: SmtpServer
    address: str
    to: tuple[str, ...]
    dsn: bool = False

    @property
    def domain(self) -> str:
        """The domain of our address."""
        return self.address.partition("@")[2]

    def reply_to(self, _: str) -> str:
        """The address, whatever the message."""
        return self.address


def written(route: OwnRoute, message_id: MessageId, *, subject: str, text: str, at: datetime) -> Prepared:
    """The exact bytes: the same at each attempt, and the same Message-ID. ``InvalidInput`` for control characters."""
    token = tokens.mint(_KEY, message_id)
    fields = [
        ("From", mime.address(route.address)),
        ("To", ",\r\n ".join(mime.address(each) for each in route.to)),
        ("Date", format_datetime(at)),
        ("Message-ID", f"<{token}@{route.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    head = b"".join(mime.header(name, value) for name, value in fields) + mime.text_header("Subject", subject)
    body = mime.part("text/plain; charset=utf-8", text.replace("\n", "\r\n").encode())
    return Prepared(
        message_id=message_id, content_type=CONTENT_TYPE, body=head + b"MIME-Version: 1.0\r\n" + body + mime.CRLF
    )


def send(route: OwnRoute, prepared: Prepared, deadline_secs: float) -> Outcome:
    """One attempt over a connection of its own; every failure is an outcome."""
    session = SmtpSession(route, None)
    try:
        return session.send(prepared, deadline_secs)
    finally:
        session.close()
