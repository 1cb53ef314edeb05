"""Mail servers that never end, say too much, announce what never comes, or speak nonsense, at each step of a visit.

Every visit ends by its deadline with one of our errors; no more than its limit is read and held; no mail is lost, and a
mail that breaks a visit waits behind the others at the next.
"""

from __future__ import annotations

import re
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.errors import HubError, TemporaryFailure
from hub.ports import Outcome
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import FLOOD_BYTES, pour, trickle
from hub.testing.samples import appeal, parcel
from tests.adapters.email.making import LOOPBACK, PaperSink, box_channel, out_channel, reply
from tests.adapters.email.smtp_peer import EHLO, GREETING
from tests.adapters.servers import Server, serving
from tests.reported.players.imap_server import ImapServer, Say

DEADLINE_SECS = 0.4
SLACK_SECS = 4.0
MOST_BYTES = 12_000_000
"""Held at once, at most: the limit of an exchange is 256 KiB, and Python has its own of what it reads."""

Sickness = Callable[[Server, socket.socket], None]


def drips(server: Server, conn: socket.socket) -> None:
    """A byte now and then, without an end."""
    trickle(conn, server.stopped)


def floods(server: Server, conn: socket.socket) -> None:
    """One line that never ends."""
    server.requests.append((b"poured", b"%d" % pour(conn)))


def lines(line: bytes) -> Sickness:
    """The same line, again and again."""

    def script(server: Server, conn: socket.socket) -> None:
        piece, sent = line * (65_536 // len(line)), 0
        while not server.stopped.is_set() and sent < FLOOD_BYTES:
            conn.sendall(piece)
            sent += len(piece)
        server.requests.append((b"poured", b"%d" % sent))

    return script


def says(*answers: bytes) -> Sickness:
    """These bytes, then silence."""

    def script(server: Server, conn: socket.socket) -> None:
        conn.sendall(b"".join(answers))
        server.pause(30)

    return script


def mute(server: Server, conn: socket.socket) -> None:
    """Nothing."""
    server.pause(30)


def hangs_up(server: Server, conn: socket.socket) -> None:
    """The end."""


@contextmanager
def bounded() -> Iterator[None]:
    """Time and memory of what is done inside."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
        took, held = time.monotonic() - begun, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < DEADLINE_SECS + 2 + SLACK_SECS  # two seconds are for the goodbye
    assert held < MOST_BYTES


# IMAP


class SickBox(ImapServer):
    """A mailbox that falls sick at one command: what it then does takes the place of its answer."""

    def __init__(self, verb: str, sickness: Sickness, mails: tuple[bytes, ...]) -> None:
        super().__init__(mails=mails)
        self.verb, self.sickness = verb, sickness

    def script(self, server: Server, conn: socket.socket) -> None:
        if self.verb == "GREETING":
            self.sickness(server, conn)
            return
        conn.sendall(b"* PREAUTH ready\r\n")
        with conn.makefile("rb") as file:
            for line in file:
                tag, _, rest = line.decode().strip().partition(" ")
                verb, _, words = rest.removeprefix("UID ").partition(" ")
                if verb == self.verb:
                    self.sickness(server, conn)
                    return
                told: list[bytes] = []
                answer = getattr(self, f"_{verb.lower()}", _unknown)
                try:
                    end = answer(_into(told), words)
                except (ValueError, KeyError):
                    end = "NO such mail"
                conn.sendall(b"".join(told) + f"{tag} {end}\r\n".encode())
                if verb == "LOGOUT":
                    return


def _unknown(say: Say, words: str) -> str:
    return "BAD unknown"


def _into(told: list[bytes]) -> Say:
    return lambda line: told.append(line if isinstance(line, bytes) else f"{line}\r\n".encode())


def mailbox(port: int) -> Channel:
    """The hub's box on a server of our own."""
    server = {"host": "127.0.0.1", "port": port, "security": "none", "allow_private": LOOPBACK}
    return box_channel(imap=server)


def visit(port: int, sink: PaperSink, secs: float = DEADLINE_SECS) -> int:
    """One collecting visit."""
    channel = mailbox(port)
    with EmailAdapter(AdapterContext(attachments=MemoryAttachments())).session(channel) as session:
        return session.collect(sink, secs)


VERBS = ("GREETING", "CAPABILITY", "SELECT", "SEARCH", "FETCH", "STORE", "MOVE")
SICK: dict[str, Sickness] = {
    "mute": mute,
    "drip": drips,
    "flood": floods,
    "endless lines": lines(b"* 1 EXISTS\r\n"),
    "endless listing": lines(b"* SEARCH 1 2 3 4 5 6 7 8\r\n"),
    "hang up": hangs_up,
    "giant literal": says(b"* 1 FETCH (UID 1 BODY[] {4000000000}\r\n"),
    "a literal without measure": says(b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 30 + b"}\r\n"),
    "a literal that never comes": says(b"* 1 FETCH (UID 1 BODY[] {200000}\r\nx"),
    "nonsense": says(b"\x00\xff\xfe\r\n" * 50),
    "no tag": says(b"OK done\r\n* BYE\r\n"),
    "another's tag": says(b"ZZZZ9 OK done\r\n"),
    "http": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_sick_mailbox_ends_the_visit(verb: str) -> None:
    """At whatever command, in whatever way: the visit ends in time with a word for the operator, and the mail stays."""
    for kind, sickness in SICK.items():
        sink = PaperSink()
        mail = reply(sink.sent(), "Так.").as_bytes()
        box = SickBox(verb, sickness, (mail,))
        with serving(box.script) as server, bounded(), pytest.raises(HubError) as ended:
            visit(server.port, sink)
        assert isinstance(ended.value, TemporaryFailure), kind
        assert ended.value.stable_code in {"imap.timeout", "imap.broken", "imap.refused", "imap.move"}, kind
        assert len(box.mails) == 1, kind
        assert all(int(sent) < FLOOD_BYTES for name, sent in server.requests if name == b"poured"), kind


class OddBox(SickBox):
    """A mailbox that answers whole, but oddly: ``says`` puts lines in the place of those of a command."""

    def __init__(self, verb: str, line: bytes, mails: tuple[bytes, ...]) -> None:
        super().__init__("", mute, mails)
        setattr(self, f"_{verb.lower()}", lambda say, words: (say(line), "OK done")[1])


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("CAPABILITY", b"* CAPABILITY {3}\r\nabc\r\n"),
        ("CAPABILITY", b"* CAPABILITY " + b"X" * 60_000 + b"\r\n"),
        ("SELECT", b"* " + b"9" * 40 + b" EXISTS\r\n"),
        ("SELECT", b"* 0 EXISTS {3}\r\nabc\r\n"),
        ("SELECT", b"* 1 EXISTS\r\n* OK [PERMANENTFLAGS {3}\r\nabc] ok\r\n"),
        ("SEARCH", b"* SEARCH {1}\r\n1\r\n"),
        ("SEARCH", b"* SEARCH \xff\xfe\r\n"),
        ("SEARCH", b"* SEARCH 1) (2 -1 0 99999999999999999999\r\n"),
        ("FETCH", b"* 1 FETCH {3}\r\nabc\r\n"),
        ("FETCH", b'* 1 FETCH (UID 1 RFC822.SIZE 99999999999999999999 INTERNALDATE "x")\r\n'),
        ("FETCH", b'* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "31-Dec-9999 23:59:59 -1200")\r\n'),
        ("FETCH", b'* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "01-Jan-0001 00:00:00 +1200")\r\n'),
        ("FETCH", b'* 1 FETCH (UID 1 RFC822.SIZE 9999999999 INTERNALDATE "01-Jan-2026 00:00:00 +0200")\r\n'),
    ],
)
def test_an_odd_answer_ends_in_our_error_or_none(verb: str, line: bytes) -> None:
    """Literals where none belong, numbers without measure, moments that cannot be: never an error of another kind."""
    sink = PaperSink()
    mail = reply(sink.sent(), "Так.").as_bytes()
    box = OddBox(verb, line, (mail,))
    with serving(box.script) as server, bounded():
        assert visited(server.port, sink) in {"", "imap.broken", "imap.timeout", "imap.refused"}


def visited(port: int, sink: PaperSink) -> str:
    """The code with which a visit ends; empty if it ends well."""
    try:
        visit(port, sink, 2.0)
    except TemporaryFailure as failure:
        return failure.stable_code
    return ""


class LyingBox(ImapServer):
    """The first mail is longer than it was said to be; ``dated``: the moment that each claims."""

    lies = True
    dated = ""

    def _fetch(self, say: Say, words: str) -> str:
        told: list[bytes] = []
        end = super()._fetch(_into(told), words)
        uid = int(words.partition(" ")[0])
        data = b"".join(told)
        if self.dated:
            data = re.sub(rb'INTERNALDATE "[^"]*"', f'INTERNALDATE "{self.dated}"'.encode(), data)
        if uid == 1 and self.lies and "BODY" in words:
            say(b"* 1 FETCH (UID 1 BODY[] {3000000}\r\n" + b"x" * 3_000_000 + b")\r\n")
        else:
            say(data)
        return end


def test_a_mail_that_lies_about_its_length_waits_behind_the_others() -> None:
    """It breaks the visit, and at the next one the others come first: nobody's mail stops another's for good."""
    sink = PaperSink()
    mails = tuple(reply(sink.sent(), f"Так {number}.", Message_ID=f"<{number}@x>").as_bytes() for number in (1, 2))
    box = LyingBox(mails=mails)
    with serving(SickBox.script.__get__(_dressed(box))) as server:
        with bounded(), pytest.raises(TemporaryFailure):
            visit(server.port, sink, 3.0)
        assert len(sink.saids) == 0
        with pytest.raises(TemporaryFailure):
            visit(server.port, sink, 3.0)
    assert len(sink.saids) == 1
    assert box.moved == [(2, "Done")]


NO_MOMENTS = (
    "31-Dec-9999 23:59:59 -1200",
    "01-Jan-0001 00:00:00 +1200",
    "31-Feb-2026 25:61:61 +9999",
    "30-Лис-2026 10:00:00 +0200",
    "30-Xyz-2026 10:00:00 +0200",
)


@pytest.mark.parametrize("dated", NO_MOMENTS)
def test_a_moment_that_cannot_be_costs_no_mail(dated: str) -> None:
    """Mails that came to the box at no moment that a calendar has are read like others."""
    sink = PaperSink()
    box = LyingBox(mails=(reply(sink.sent(), "Так.").as_bytes(),))
    box.lies, box.dated = False, dated
    with serving(SickBox.script.__get__(_dressed(box))) as server:
        assert visit(server.port, sink, 5.0) == 1
    assert len(sink.saids) == 1


def _dressed(box: ImapServer) -> ImapServer:
    """The box, so that ``SickBox.script`` finds what it asks for."""
    box.verb, box.sickness = "", mute  # type: ignore[attr-defined]
    return box


# SMTP


class SickPeer:
    """A server that falls sick at one step of handing a mail over. ``data``: that it reached the mail itself."""

    def __init__(self, step: str, sickness: Sickness) -> None:
        self.step, self.sickness = step, sickness

    def script(self, server: Server, conn: socket.socket) -> None:
        answers = {"GREETING": GREETING, "EHLO": EHLO, "DATA": b"354 go on\r\n"}
        if self.step == "GREETING":
            self.sickness(server, conn)
            return
        conn.sendall(GREETING)
        in_data = False
        with conn.makefile("rb") as file:
            for line in file:
                if in_data and line != b".\r\n":
                    continue
                step = "DOT" if in_data else line[:4].strip().upper().decode("latin-1")
                in_data = step == "DATA"
                if step == self.step:
                    self.sickness(server, conn)
                    return
                conn.sendall(answers.get(step, b"250 2.0.0 ok\r\n"))
                if step == "QUIT":
                    return


def hand_over(port: int, secs: float = DEADLINE_SECS) -> Outcome:
    """One mail."""
    adapter, channel = EmailAdapter(AdapterContext(attachments=MemoryAttachments())), out_channel(port)
    prepared = adapter.prepare(parcel(appeal()), channel)
    with adapter.session(channel) as session:
        return session.send(prepared, secs)


STEPS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT")
SICK_SMTP: dict[str, Sickness] = {
    "mute": mute,
    "drip": drips,
    "flood": floods,
    "endless lines": lines(b"250-more\r\n"),
    "a line without measure": says(b"250 " + b"x" * 200_000 + b"\r\n"),
    "hang up": hangs_up,
    "nonsense": says(b"\x00\xff\xfe\r\n"),
    "no number": says(b"abc no\r\n"),
    "a number beyond": says(b"99999 no\r\n", b"-50 no\r\n"),
    "http": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_sick_server_ends_the_attempt(step: str) -> None:
    """Before the last dot nothing was taken and it is tried again; after it the outcome is unknown, never success."""
    for kind, sickness in SICK_SMTP.items():
        peer = SickPeer(step, sickness)
        with serving(peer.script) as server, bounded():
            outcome = hand_over(server.port)
        wanted = {OutcomeKind.UNKNOWN} if step == "DOT" else {OutcomeKind.TEMPORARY, OutcomeKind.PERMANENT}
        assert outcome.kind in wanted, (kind, outcome.kind, outcome.code)
        assert str(outcome.code).startswith("smtp."), kind
        assert all(int(sent) < FLOOD_BYTES for name, sent in server.requests if name == b"poured"), kind


@pytest.mark.parametrize(
    "hello",
    [
        b"250-SIZE " + b"9" * 400 + b"\r\n250 DSN\r\n",
        b"250-SIZE x\r\n250-SIZE -5\r\n250 SIZE\r\n",
        b"250-\xff\xfe\r\n250-AUTH=\r\n250-AUTH " + b"PLAIN " * 500 + b"\r\n250 DSN DSN\r\n",
        b"".join(b"250-X%d y\r\n" % number for number in range(5_000)) + b"250 DSN\r\n",
        b"502 what\r\n250 mx\r\n",
    ],
)
def test_an_odd_greeting_ends_in_an_outcome(hello: bytes) -> None:
    """Sizes without measure, thousands of extensions, letters of no charset: the mail goes, or an outcome says why."""
    peer = SickPeer("EHLO", says(hello))
    with serving(peer.script) as server, bounded():
        outcome = hand_over(server.port)
    assert outcome.kind is not OutcomeKind.DELIVERED
    assert str(outcome.code).startswith("smtp.")
