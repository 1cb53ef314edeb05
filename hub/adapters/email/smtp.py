"""Mail out: one SMTP connection for many messages, every outcome told apart (RFC 5321, 3207, 4954, 3461, 1870).

Until the final dot nothing is taken in, whatever breaks: temporary. After it, a lost answer is ``unknown``; the same
mail with the same Message-ID goes again. A refusal of the sender or of the login is the channel's, not the message's.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any, Final, Protocol

from hub.adapters.base import BaseSession
from hub.adapters.email import compose, mime, tokens, wire, xoauth2
from hub.adapters.email.settings import SmtpServer
from hub.errors import (
    ConfigurationError,
    DeliveryError,
    HubError,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    about,
    within,
)
from hub.net.deadline import Deadline
from hub.net.secrets import resolve
from hub.ports import Attachments, Outcome, Prepared
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.visible import visible

Reply = tuple[int, bytes]
_WAIT: Final = re.compile(r"(?<!\d)(\d{1,5}) ?(s|sec|seconds?|m|min|minutes?)\b|(\d{2}):(\d{2}):(\d{2})", re.IGNORECASE)
_GREY: Final = re.compile(r"gr[ea]y-?list|try again|come back|4\.7\.1\b", re.IGNORECASE)
_LOCKED: Final = frozenset({530, 534, 535, 538})
_NO_GREETING: Final = "Look at the port: no mail server greeted. Where it begins with TLS (often 465), security: tls."
_SIZE: Final = re.compile(r"\b5\.(?:2|3)\.[34]\b")


class MailRoute(Protocol):
    """Where mail goes and for whom: what a conversation needs to know of its settings."""

    @property
    def smtp(self) -> SmtpServer | None:
        """Server that takes it."""
        ...

    @property
    def to(self) -> tuple[str, ...]:
        """Recipients."""
        ...

    @property
    def dsn(self) -> bool:
        """True if the server is asked to say what became of it (RFC 3461)."""
        ...

    @property
    def domain(self) -> str:
        """Domain of our address."""
        ...

    def reply_to(self, token: str) -> str:
        """Sender of the message that has this token."""
        ...


class _Smtp(smtplib.SMTP):
    """smtplib over a socket that was connected, checked and put under a deadline elsewhere."""

    def __init__(self, sock: socket.socket, helo: str) -> None:
        self._ready = sock
        super().__init__(local_hostname=helo)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - smtplib's
        return self._ready

    def wire(self) -> socket.socket:
        """The socket in use. ``SMTPServerDisconnected`` if there is none."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        return self.sock

    def secured(self, sock: socket.socket) -> None:
        """Go on over TLS: forget all that was said before (RFC 3207 section 4.2)."""
        self.sock = sock
        self.file = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False


@dataclass(slots=True)
class _Refusals:
    """Replies to the refused recipients, by place in ``to``."""

    replies: list[tuple[int, Reply]]

    def words(self) -> str:
        return "; ".join(f"recipient {place}: {_said(reply)}" for place, reply in self.replies)


def _said(reply: Reply) -> str:
    return visible(f"{reply[0]} {reply[1].decode('utf-8', 'backslashreplace')}")[:400]


class SmtpSession(BaseSession):
    """Sends over one connection, which is made at the first message and made anew when it broke."""

    def __init__(self, settings: MailRoute, attachments: Attachments | None) -> None:
        if settings.smtp is None:
            raise ConfigurationError("This channel has no smtp.")
        self._server: SmtpServer = settings.smtp
        self._settings = settings
        self._attachments = attachments
        self._deadline = Deadline()
        self._smtp: _Smtp | None = None
        self._dotted = False
        self._greeted = False

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One mail; after a failure the next one goes over a new connection."""
        self._dotted = False
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        try:
            return self._transact(self._open(), prepared)
        except HubError:
            self._drop()
            raise
        except (smtplib.SMTPException, OSError, ValueError) as failure:
            # smtplib raises ValueError for a reply that is no number.
            self._drop()
            raise self._broken(failure) from None

    def probe(self, deadline_secs: float) -> None:
        """Connect, TLS, login; no mail."""
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        try:
            self._open()
        except (smtplib.SMTPException, OSError, ValueError) as failure:
            raise self._broken(failure) from None
        finally:
            self.close()

    def close(self) -> None:
        """Say goodbye, if there is somebody to say it to."""
        if self._smtp is not None and self._smtp.sock is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException, ValueError):
                self._deadline.start(2.0, wire.ANSWER_BYTES)
                self._smtp.quit()
        self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    def _broken(self, failure: Exception) -> DeliveryError:
        late = isinstance(failure, TimeoutError) or self._deadline.over
        if self._dotted:
            return OutcomeUnknown("The answer to the final dot was lost.", code="smtp.unanswered")
        where, remedy = wire.where(self._server), None if self._greeted else _NO_GREETING
        if late:
            said = f"The conversation with {where} did not end in time; nothing was taken."
            return TemporaryFailure(said, code="smtp.timeout", remedy=remedy, setting="smtp")
        said = f"The conversation with {where} broke off: {type(failure).__name__}."
        return TemporaryFailure(said, code="smtp.broken", remedy=remedy, setting="smtp")

    # Opening

    @within("smtp")
    def _open(self) -> _Smtp:
        if self._smtp is not None:
            return self._smtp
        self._greeted = False
        with about("host"):
            sock = wire.connect(self._server, self._deadline, "smtp")
        if self._server.security == "tls":
            sock = wire.secure(sock, self._server, self._deadline, "smtp")
        smtp = _Smtp(sock, self._server.helo or self._settings.domain)
        self._smtp = smtp
        _wanted(smtp.connect(self._server.host, self._server.port), 220, "smtp.greeting")
        self._greeted = True
        self._hello(smtp)
        if self._server.security == "starttls":
            self._starttls(smtp)
        self._login(smtp)
        return smtp

    def _hello(self, smtp: _Smtp) -> None:
        if smtp.ehlo()[0] != 250:
            _wanted(smtp.helo(), 250, "smtp.greeting")

    @about("security")
    def _starttls(self, smtp: _Smtp) -> None:
        if not smtp.has_extn("starttls"):
            raise TemporaryFailure(
                "The server offers no STARTTLS, so nothing was said to it.",
                code="smtp.no_tls",
                action="Ask the server's keeper; or somebody on the way takes the offer out.",
                remedy="Look at the port: where it begins with TLS (often 465), security: tls. Else ask the server's "
                "keeper; or somebody on the way takes the offer out.",
            )
        _wanted(smtp.docmd("STARTTLS"), 220, "smtp.no_tls")
        # What the server said beyond this answer, in clear, is thrown away with the old reader.
        smtp.secured(wire.secure(smtp.wire(), self._server, self._deadline, "smtp"))
        self._hello(smtp)

    @about("password")
    def _login(self, smtp: _Smtp) -> None:
        if self._server.user is None:
            return
        said = xoauth2.words(self._server, self._deadline) if self._server.oauth2 is not None else ""
        try:
            if self._server.password is None:
                smtp.auth(xoauth2.NAME, lambda challenge=None: "" if challenge else said)
            else:
                smtp.login(self._server.user, resolve(self._server.password).reveal())
        except smtplib.SMTPAuthenticationError as refusal:
            xoauth2.refused(self._server)
            raise _locked((refusal.smtp_code, _bytes(refusal.smtp_error))) from None
        except smtplib.SMTPNotSupportedError:
            raise _locked((530, b"the server offers no login")) from None

    # One mail

    def _transact(self, smtp: _Smtp, prepared: Prepared) -> Outcome:
        size = self._size(prepared)
        limit = smtp.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            raise PermanentFailure(
                f"The server takes {limit} bytes at most; the mail has {size}.", code="smtp.too_large"
            )
        token = _token(prepared.body)
        with about("address"):
            self._sender(smtp, self._settings.reply_to(token), size, prepared)
        with about("to"):
            refusals = self._recipients(smtp)
        _wanted(smtp.docmd("DATA"), 354, "smtp.data")
        self._data(smtp, prepared)
        self._dotted = True
        smtp.wire().sendall(b".\r\n")
        reply = smtp.getreply()
        if reply[0] != 250:
            self._dotted = False  # it was answered: refused, not lost
            self._drop_if_gone(reply)
            return _judged(reply, "smtp.data")
        detail = "; ".join(filter(None, (_said(reply), refusals.words())))
        code = "smtp.partly_refused" if refusals.replies else None
        # A relay's word shows that it has the mail, not that the addressee has (CMU 55/2018 item 18).
        proves = LegalClass.SENT if self._server.relay else None
        return Outcome(kind=OutcomeKind.DELIVERED, code=code, detail=detail[: Outcome.DETAIL_MAX_CHARS], proves=proves)

    def _drop_if_gone(self, reply: Reply) -> None:
        if reply[0] == 421:
            self._drop()

    def _size(self, prepared: Prepared) -> int:
        marked = [piece for piece in mime.pieces(prepared.body, prepared.files) if not isinstance(piece, bytes)]
        return len(prepared.body) + sum(mime.encoded_size(file.size) for file in marked)

    def _sender(self, smtp: _Smtp, sender: str, size: int, prepared: Prepared) -> None:
        options = [f"SIZE={size}"] if smtp.has_extn("size") else []
        if self._settings.dsn and smtp.has_extn("dsn"):
            options += ["RET=HDRS", f"ENVID={prepared.message_id}"]
        reply = smtp.docmd("MAIL", " ".join([f"FROM:<{sender}>", *options]))
        if reply[0] == 250:
            return
        if reply[0] == 552 or _SIZE.search(reply[1].decode("latin-1")):
            raise PermanentFailure(f"Too large: {_said(reply)}", code="smtp.too_large")
        if reply[0] in _LOCKED:
            raise _locked(reply)
        wait = _retry_after(reply) if reply[0] < 500 else None
        raise TemporaryFailure(
            f"The sender was refused: {_said(reply)}",
            code="smtp.sender",
            retry_after=wait,
            remedy="Ask the server's keeper to let the channel's address send, with anything behind the + in it.",
        )

    def _recipients(self, smtp: _Smtp) -> _Refusals:
        """Name all recipients; one that is taken is enough, the others stand in the attempt's detail."""
        options = ""
        notify = self._settings.dsn and smtp.has_extn("dsn")
        refused: list[tuple[int, Reply]] = []
        for place, address in enumerate(self._settings.to, start=1):
            if notify:
                options = f" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{_xtext(address)}"
            reply = smtp.docmd("RCPT", f"TO:<{address}>{options}")
            if reply[0] not in (250, 251):
                refused.append((place, reply))
        refusals = _Refusals(refused)
        if len(refused) < len(self._settings.to):
            return refusals
        if any(reply[0] in _LOCKED for _, reply in refused):
            raise _locked(refused[0][1])
        later = [reply for _, reply in refused if reply[0] < 500]
        if not later:
            raise PermanentFailure(
                refusals.words(), code="smtp.recipient", remedy="Mend the addresses, or ask the authority for its own."
            )
        grey = any(_GREY.search(reply[1].decode("latin-1")) for reply in later)
        waits = [wait for reply in later if (wait := _retry_after(reply)) is not None]
        code = "smtp.greylisted" if grey else "smtp.recipient_later"
        raise TemporaryFailure(refusals.words(), code=code, retry_after=max(waits, default=None))

    def _data(self, smtp: _Smtp, prepared: Prepared) -> None:
        """Everything but the final dot. If a file is not what it should be, the connection is cut before the dot."""
        for piece in compose.filled(prepared.body, prepared.files, self._attachments):
            smtp.wire().sendall(_stuffed(piece))


def _stuffed(piece: bytes) -> bytes:
    """Dots that begin a line doubled (RFC 5321 section 4.5.2). Pieces of ours begin where a line does or in base64."""
    stuffed = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _token(body: bytes) -> str:
    head = BytesHeaderParser().parsebytes(body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    found = tokens.candidates([str(head.get("Message-ID", ""))])
    if not found:
        raise PermanentFailure("The prepared bytes are no mail of ours.", code="smtp.not_ours")
    return found[0]


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def _bytes(words: Any) -> bytes:
    return words if isinstance(words, bytes) else str(words).encode()


def _wanted(reply: Reply, code: int, name: str) -> None:
    """Raise unless the reply is the one wanted: 4xx and 5xx before the mail mean that nothing was taken."""
    if reply[0] == code:
        return
    if reply[0] in _LOCKED:
        raise _locked(reply)
    if name == "smtp.data" and reply[0] >= 500:
        raise PermanentFailure(_said(reply), code=name)
    raise TemporaryFailure(_said(reply), code=name, retry_after=_retry_after(reply))


def _locked(reply: Reply) -> TemporaryFailure:
    return TemporaryFailure(
        f"The login was refused: {_said(reply)}", code="smtp.login", action="Mend user and password of the channel."
    )


def _judged(reply: Reply, code: str) -> Outcome:
    """A refusal in answer to the final dot."""
    kind = OutcomeKind.PERMANENT if reply[0] >= 500 else OutcomeKind.TEMPORARY
    if not 400 <= reply[0] <= 599:
        kind = OutcomeKind.UNKNOWN
        code = "smtp.answer"
    return Outcome(kind=kind, code=code, detail=_said(reply), retry_after=_retry_after(reply))


def _retry_after(reply: Reply) -> float | None:
    """Seconds that a 4xx reply asks to wait; greylisting says so in words only."""
    found = _WAIT.search(reply[1].decode("latin-1"))
    if found is None or not 400 <= reply[0] <= 499:
        return None
    if found[3] is not None:
        return float(int(found[3]) * 3_600 + int(found[4]) * 60 + int(found[5]))
    return float(int(found[1]) * (60 if found[2].lower().startswith("m") else 1))
