"""Visits to a mailbox on an IMAP server that has one habit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.adapters.certificates import TestAuthority
from tests.adapters.email.making import LOOPBACK
from tests.adapters.servers import serving
from tests.reported.players import imap_server
from tests.reported.players.imap_server import ImapServer
from tests.reported.players.mails import Post, answer, post
from tests.reported.players.text import error, logged

MAILS, VISITS = 3, 4
PASSWORD = "correct-horse"


@contextmanager
def _box(peer: ImapServer, password: str = PASSWORD, **more: object) -> Iterator[Post]:
    """A hub whose mailbox is on the server."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        authority = TestAuthority(folder)
        pem, _ = authority.issue("host")
        secret = folder / "password"
        secret.write_text(password, "utf-8")
        secret.chmod(0o600)
        with serving(peer.script, imap_server.context(pem)) as server:
            where = {"host": "localhost", "port": server.port, "security": "tls", "allow_private": LOOPBACK}
            who = {"user": "hub", "password": f"file:{secret}", "ca_file": str(authority.file)}
            with post({"imap": {**where, **who}, **more}) as at:
                yield at


def _put(peer: ImapServer, *mails: bytes) -> None:
    fresh = ImapServer(peer.habit, mails)
    peer.mails, peer.flags = fresh.mails, fresh.flags


def left_in(peer: ImapServer) -> Callable[[], str]:
    """Tells what a server has in INBOX, and what left it."""

    def tell() -> str:
        moved = ", ".join(f"{uid} to {folder}" for uid, folder in peer.moved) or "nothing"
        return f"left in INBOX {len(peer.mails)}, moved so far: {moved}"

    return tell


def visits(at: Post, left: Callable[[], str], count: int = VISITS) -> list[str]:
    """What each visit takes and leaves; then what the hub knows, and what a probe says."""
    lines = []
    for number in range(1, count + 1):
        with logged() as log:
            taken = at.collect()
        lines += [f"visit {number}: taken {taken}, {left()}", *(f"  {line}" for line in log)]
    lines += at.told()
    try:
        with at.adapter.session(at.mailbox) as session:
            session.probe(10.0)
    except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
        return [*lines, f"probe: {error(failure)}"]
    return [*lines, "probe: well"]


def habits(*names: str) -> Callable[[Path], str]:
    """A player: three answers on a server with each habit."""

    def play(case: Path) -> str:
        texts = []
        for habit in names:
            peer = ImapServer(habit)
            with _box(peer) as at:
                _put(peer, *(answer(at.tokens[0], number) for number in range(1, MAILS + 1)))
                texts.append(at.text([f"habit {habit}", *visits(at, left_in(peer))]))
        return "".join(texts)

    return play


def too_large(case: Path) -> str:
    """An answer that is larger than what the mailbox takes."""
    peer = ImapServer()
    with _box(peer, max_received_mb=1) as at:
        _put(peer, answer(at.tokens[0], more="ю" * 600_000))
        return at.text(visits(at, left_in(peer), 1))


def cyrillic_password(case: Path) -> str:
    """A password that is not ASCII."""
    peer = ImapServer()
    with _box(peer, "пароль-ї") as at:
        _put(peer, answer(at.tokens[0]))
        return at.text(visits(at, left_in(peer), 1))
