"""The hub's mailbox over IMAP (RFC 3501, 6851 MOVE, 4315 UIDPLUS).

The folder holds what was not yet taken in; what was is moved to ``done`` or ``refused``, and only after the sink
returned. So no UID is ever remembered from one conversation to the next: a new UIDVALIDITY, a crash or a second worker
can bring a mail again, which the sink knows by its Message-ID and SHA-256, and can lose none.
"""

from __future__ import annotations

import contextlib
import imaplib
import io
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hub.adapters.email import imap_trial, wire, xoauth2
from hub.adapters.email.imap_folders import Folders
from hub.adapters.email.settings import ImapServer
from hub.errors import ConfigurationError, HubError, TemporaryFailure, about, within
from hub.net.deadline import Deadline, TooMuchError
from hub.net.secrets import resolve
from hub.schemas.visible import visible

BATCH: Final = 200
"""Mails that are looked at in one conversation, the oldest first."""
PIECE_BYTES: Final = 1_048_576
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d{1,10})")
_UID: Final = re.compile(rb"\bUID (\d{1,10})\b")
_TRIED: Final = "hub.tried"
_NO_MOMENT: Final = datetime.fromtimestamp(0, UTC)
_SAID_CHARS: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMail:
    """One mail in the folder. ``size``: as the server says."""

    uid: str
    size: int
    received: datetime

    @property
    def name(self) -> str:
        """Name for people, where there is nothing else to show."""
        return f"UID {self.uid}, {self.size} bytes"


class _Imap(imaplib.IMAP4):
    """imaplib over a socket that was connected, checked and put under a deadline elsewhere."""

    def __init__(self, sock: socket.socket, host: str, deadline: Deadline) -> None:
        self._ready = sock
        self._deadline = deadline
        super().__init__(host)

    def _create_socket(self, timeout: float | None) -> socket.socket:  # noqa: ARG002 - imaplib's signature
        return self._ready

    def read(self, size: int) -> bytes:
        """A literal. Memory is taken for what it announces before a byte has come, so that is held to the limit, too.
        ``TooMuchError``.
        """
        if size > self._deadline.room + io.DEFAULT_BUFFER_SIZE:
            raise TooMuchError("the answer is longer than it may be")
        return super().read(size)


class _Wrapper:
    """Gives imaplib our TLS where it expects an ``SSLContext``."""

    def __init__(self, server: ImapServer, deadline: Deadline) -> None:
        self._server = server
        self._deadline = deadline

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None) -> socket.socket:  # noqa: ARG002
        """The socket under TLS."""
        return wire.secure(sock, self._server, self._deadline, "imap")


class Box:
    """An open, selected mailbox. Used by one thread."""

    def __init__(self, imap: _Imap, server: ImapServer, deadline: Deadline, exists: int) -> None:
        self._imap = imap
        self._server = server
        self._deadline = deadline
        self._exists = exists
        self._folders = Folders(imap)
        told = imap.untagged_responses.get("PERMANENTFLAGS", [])
        permanent = b" ".join(_lines(told))
        self._keywords = not permanent or b"\\*" in permanent or _TRIED.encode() in permanent

    def try_rights(self) -> None:
        """Do once what collecting needs, with a mail of our own. ``ConfigurationError`` names what is refused."""
        self._deadline.allow(10 * wire.ANSWER_BYTES)
        imap_trial.try_rights(self._imap, self._server, self._folders)

    def waiting(self) -> Iterator[WaitingMail]:
        """Mails that were not yet taken in; those that a worker began and never ended come last."""
        if not self._exists:
            return
        uids: list[bytes] = []
        for wanted in self._kinds():  # all before anything is moved: then these numbers change
            data = self._ask("SEARCH", f"1:{min(BATCH, self._exists)}", "UNDELETED", *wanted)
            uids += b" ".join(_lines(data)).split()
        for uid in uids:
            found = self._look(uid.decode("ascii"))
            if found is not None:
                yield found

    def _kinds(self) -> tuple[tuple[str, ...], ...]:
        """Fresh mails before those that were begun; all alike where the server keeps no keywords (Exchange)."""
        return (("UNKEYWORD", _TRIED), ("KEYWORD", _TRIED)) if self._keywords else ((),)

    def _look(self, uid: str) -> WaitingMail | None:
        data = self._ask("FETCH", uid, "(RFC822.SIZE INTERNALDATE)")
        line = _about(uid, data)
        size = _SIZE.search(line)
        if size is None:
            return None  # somebody else took it meanwhile
        return WaitingMail(uid=uid, size=int(size[1]), received=_received(line))

    def fetch(self, mail: WaitingMail) -> bytes | None:
        """The bytes; None if they are gone. Marked as begun first, so that a mail that kills a worker waits behind."""
        self._mark(mail.uid, _TRIED)
        self._deadline.allow(mail.size + mail.size // 50 + wire.ANSWER_BYTES)
        data = self._ask("FETCH", mail.uid, "(BODY.PEEK[])")
        return _content(mail.uid, data)

    def pieces(self, mail: WaitingMail) -> Iterator[bytes]:
        """The bytes in pieces (RFC 3501 section 6.4.5), for what is too large to be held at once."""
        at = 0
        while at < mail.size and not self._deadline.over:
            self._deadline.allow(2 * PIECE_BYTES + wire.ANSWER_BYTES)
            data = self._ask("FETCH", mail.uid, f"(BODY.PEEK[]<{at}.{PIECE_BYTES}>)")
            piece = _content(mail.uid, data)
            if not piece:
                return
            at += len(piece)
            yield piece

    def done(self, mail: WaitingMail) -> None:
        """It was taken in."""
        self._move(mail.uid, self._server.done)

    def refuse(self, mail: WaitingMail, why: HubError) -> None:
        """It was not; the code stands at it as a keyword, and in the hub's journal."""
        code = why.stable_code
        if _NAME.fullmatch(code):
            self._mark(mail.uid, code)
        self._move(mail.uid, self._server.refused)

    def _mark(self, uid: str, keyword: str) -> None:
        """A keyword at a mail, where the server keeps keywords: some say that they do and refuse each."""
        if self._keywords:
            self._deadline.allow(wire.ANSWER_BYTES)
            kind, _ = self._imap.uid("STORE", uid, "+FLAGS.SILENT", f"({keyword})")
            self._keywords = kind == "OK"

    def _move(self, uid: str, folder: str) -> None:
        can_move = "MOVE" in self._imap.capabilities
        if can_move:
            self._into(folder, "MOVE", uid)
            return
        self._into(folder, "COPY", uid)
        self._ask("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._imap.capabilities:
            self._ask("EXPUNGE", uid)

    def _into(self, folder: str, verb: str, uid: str) -> None:
        self._deadline.allow(wire.ANSWER_BYTES)
        kind, _ = self._imap.uid(verb, uid, self._folders.placed(folder))
        if kind != "OK" and self._folders.make(folder):  # TRYCREATE is what a server should say, and many do not
            kind, _ = self._imap.uid(verb, uid, self._folders.placed(folder))
        if kind != "OK":
            raise TemporaryFailure(f"The mail could not be moved to {folder}.", code="imap.move")

    def _ask(self, verb: str, *words: str) -> list[Any]:
        if verb != "FETCH" or "PEEK" not in words[-1]:
            self._deadline.allow(wire.ANSWER_BYTES)
        kind, data = self._imap.uid(verb, *words)
        if kind != "OK":
            raise TemporaryFailure(f"The mailbox refused {verb}.", code="imap.refused")
        return data


def _lines(data: list[Any]) -> list[bytes]:
    """Lines outside literals; against the rules these can stand anywhere."""
    return [each for each in data if isinstance(each, bytes)]


def _about(uid: str, data: list[Any]) -> bytes:
    """The line about the mail that was asked for: a server may tell of others unasked (RFC 3501 section 7.4.2)."""
    lines = [each for each in _lines(data) if _SIZE.search(each)]
    return next((line for line in lines if _uid(line) in (None, uid)), b"")


def _content(uid: str, data: list[Any]) -> bytes | None:
    """The content that was asked for; its UID stands before or behind it, or, against the rules, not at all."""
    for at, each in enumerate(data):
        if isinstance(each, tuple) and isinstance(each[1], bytes):
            behind = data[at + 1] if at + 1 < len(data) and isinstance(data[at + 1], bytes) else b""
            if _uid(each[0] + behind) in (None, uid):
                return each[1]
    return None


def _received(line: bytes) -> datetime:
    """When the mail came to the box; the beginning of 1970 where that is not said, or no moment at all: one mail's
    clock stops no other mail.
    """
    try:
        when = imaplib.Internaldate2tuple(line)
        return datetime(*when[:6]).astimezone(UTC) if when else _NO_MOMENT
    except (ValueError, LookupError, OverflowError):
        return _NO_MOMENT


def _number(said: bytes) -> int:
    """A number of messages; no more is looked at than in one visit, so all that is longer is as good as that."""
    return int(said[:9]) if said[:9].isdigit() else 0


def _uid(line: bytes) -> str | None:
    found = _UID.search(line)
    return found[1].decode("ascii") if found else None


@within("imap")
def _connected(server: ImapServer, deadline: Deadline) -> socket.socket:
    with about("host"):
        sock = wire.connect(server, deadline, "imap")
    return wire.secure(sock, server, deadline, "imap") if server.security == "tls" else sock


@contextlib.contextmanager
def opened(server: ImapServer, deadline: Deadline) -> Iterator[Box]:
    """Connect, TLS, log in, select. Raises ``TemporaryFailure`` or ``PermanentFailure`` with codes ``imap.*``."""
    sock = _connected(server, deadline)
    imap, broken = None, False
    try:
        imap = _Imap(sock, server.host, deadline)
        if server.security == "starttls":
            _starttls(imap, server, deadline)
        _login(imap, server, deadline)
        _, offered = imap.capability()  # many servers say only after the login what they can (RFC 3501 section 6.2.3)
        imap.capabilities = tuple(b" ".join(_lines(offered)).decode("ascii", "replace").upper().split())
        kind, data = imap.select(server.folder)
        if kind != "OK":
            raise _no_folder(server.folder, b" ".join(_lines(data)))
        yield Box(imap, server, deadline, _number(b"".join(_lines(data)[:1])))
    except imaplib.IMAP4.error as failure:
        broken = True
        raise _broken(server, failure, "imap.broken", greeted=imap is not None) from None
    except (OSError, ValueError) as failure:
        broken = True
        code = "imap.timeout" if isinstance(failure, TimeoutError) else "imap.broken"
        raise _broken(server, failure, code, greeted=imap is not None) from None
    finally:
        if imap is not None:
            if not broken:  # nobody waits for the goodbye of one who is out of step
                with contextlib.suppress(imaplib.IMAP4.error, OSError, ValueError):
                    deadline.start(2.0, wire.ANSWER_BYTES)
                    imap.logout()
            with contextlib.suppress(OSError):
                imap.shutdown()  # the stream over the socket holds it open, where the goodbye failed
        sock.close()


def _broken(server: ImapServer, failure: Exception, code: str, *, greeted: bool) -> TemporaryFailure:
    return TemporaryFailure(
        f"The mailbox at {wire.where(server)} broke off: {type(failure).__name__}.",
        code=code,
        remedy=None if greeted else _NO_GREETING,
        setting="imap",
    )


_NO_GREETING: Final = "Look at the port: no mailbox greeted. Where it begins with TLS (often 993), security: tls."


def _no_folder(folder: str, said: bytes) -> TemporaryFailure:
    words = visible(said.decode("utf-8", "backslashreplace"))[:_SAID_CHARS]
    return TemporaryFailure(
        f"The folder {folder} of the mailbox cannot be opened.",
        code="imap.folder",
        detail=f"The folder {folder} of the mailbox cannot be opened: {words}" if words else None,
        remedy="Mend the name of the folder, as the server lists it, or have it made.",
        setting="imap/folder",
    )


@about("imap/security")
def _starttls(imap: _Imap, server: ImapServer, deadline: Deadline) -> None:
    if "STARTTLS" not in imap.capabilities:
        raise TemporaryFailure(
            "The server offers no STARTTLS, so nothing was said to it.",
            code="imap.no_tls",
            remedy="Look at the port: where it begins with TLS (often 993), security: tls. Else ask the server's "
            "keeper; or somebody on the way takes the offer out.",
        )
    context: ssl.SSLContext = _Wrapper(server, deadline)  # type: ignore[assignment]
    imap.starttls(context)


@about("imap/password")
def _login(imap: _Imap, server: ImapServer, deadline: Deadline) -> None:
    if server.user is None:
        return
    proof = xoauth2.words(server, deadline).encode() if server.oauth2 is not None else b""
    try:
        if server.password is None:
            imap.authenticate(xoauth2.NAME, lambda challenge: b"" if challenge else proof)
            return
        password = resolve(server.password).reveal()
        if password.isascii() and server.user.isascii():
            imap.login(server.user, password)
        else:
            _plain(imap, server.user, password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as refusal:
        xoauth2.refused(server)
        said = refusal.args[0] if refusal.args else b""
        words = visible(said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else str(said))
        raise TemporaryFailure(
            "The mailbox refused the login.",
            code="imap.login",
            action="Mend user and password of the channel.",
            detail=f"The mailbox refused the login: {words[:_SAID_CHARS]}",
        ) from None


def _plain(imap: _Imap, user: str, password: str) -> None:
    """Letters beyond ASCII go by AUTHENTICATE PLAIN only, in UTF-8 (RFC 4616)."""
    if "AUTH=PLAIN" not in imap.capabilities:
        raise ConfigurationError(
            "User or password has letters beyond ASCII, and the mailbox offers no AUTH=PLAIN that could carry them.",
            code="imap.login_letters",
            action="Give the hub's user a name and a password of ASCII letters, digits and signs.",
        )
    imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
