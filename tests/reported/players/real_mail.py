"""Mails that real Postfix takes and real Dovecot keeps; both must be installed, and started by root."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from tests.adapters.email import real
from tests.adapters.email.making import LOOPBACK
from tests.adapters.email.real import BODY_DOMAIN, PASSWORD, USER, MailHost, mail_host
from tests.adapters.email.smtp_peer import swallow
from tests.adapters.servers import serving
from tests.reported.players.house import HandClock
from tests.reported.players.imap_boxes import visits
from tests.reported.players.mails import Post, answer, post

BOX = "hub"
PREFIXED = "\nnamespace inbox {{\n  inbox = yes\n  prefix = INBOX.\n  separator = .\n}}\n"
_DATE = re.compile(rb"^Date: .*$", re.MULTILINE)
_DAY = re.compile(r"(?<=date=')\d{4}-\d\d-\d\d")
_SIZE = re.compile(r"\b\d+ bytes|(?<=rfc822 )\d+")
"""Days and sizes are new each time here: Postfix adds lines of its own."""
_AGAIN = re.compile(r"\b(\w+)(?:, \1\b)+")
"""Facts of one moment are one fact, and mails may or may not come in the same second."""


@contextmanager
def _mailed(folder: Path) -> Iterator[tuple[Post, MailHost]]:
    """A hub whose mailbox is a real one. The folder must not be closed to other users."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with serving(swallow) as next_hop, mail_host(folder, next_hop=next_hop.port) as host:
        where = {"host": "localhost", "port": host.imaps, "security": "tls", "allow_private": LOOPBACK}
        who = {"user": USER, "password": f"file:{secret}", "ca_file": str(host.ca)}
        with post({"imap": {**where, **who}}, clock=HandClock()) as at:
            yield at, host


def _send(at: Post, host: MailHost, to: list[str], raw: bytes) -> None:
    """Send a mail, dated now: the hub has the clock of these programs."""
    raw = _DATE.sub(f"Date: {formatdate()}".encode(), raw, count=1)
    with smtplib.SMTP("127.0.0.1", host.smtp) as smtp:
        smtp.sendmail(f"rada@{BODY_DOMAIN}", [f"zvernennia+{each}@hub.example.org" for each in to], at.filled(raw))


def _told(at: Post, lines: list[str]) -> str:
    return _AGAIN.sub(r"\1", _SIZE.sub("SOME", _DAY.sub("DAY", at.text(lines))))


def _left(host: MailHost) -> str:
    return f"left in INBOX {len(host.box(BOX))}"


def one_for_two(case: Path) -> str:
    """One mail to the reply addresses of two cases: Postfix makes two copies of it."""
    with TemporaryDirectory() as name, _mailed(Path(name)) as (at, host):
        _send(at, host, at.tokens, (case / "single.eml").read_bytes())
        copies = len(host.wait(BOX, len(at.tokens)))
        lines = [f"copies {copies}, taken {at.collect()}, {_left(host)}"]
        at.cases.sort(key=lambda each: at.at.case(each).state)  # Postfix hands over either copy first
        return _told(at, [*lines, *at.told()])


def blind_copy(case: Path) -> str:
    """A blind copy to a reply address."""
    with TemporaryDirectory() as name, _mailed(Path(name)) as (at, host):
        _send(at, host, at.tokens[:1], (case / "mail.eml").read_bytes())
        copies = len(host.wait(BOX, 1))
        return _told(at, [f"copies {copies}, taken {at.collect()}, {_left(host)}", *at.told()])


def namespace(case: Path) -> str:
    """Three answers in a mailbox whose folders all stand below INBOX."""
    prefixed = mock.patch.object(real, "DOVECOT", real.DOVECOT + PREFIXED)
    with prefixed, TemporaryDirectory() as name, _mailed(Path(name)) as (at, host):
        for number in (1, 2, 3):
            _send(at, host, at.tokens[:1], answer(at.tokens[0], number))
            host.wait(BOX, number)
        return _told(at, visits(at, lambda: _left(host)))
