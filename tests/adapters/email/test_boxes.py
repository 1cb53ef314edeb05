"""Mailboxes as servers really keep them: prefixes of folders, lines that nobody asked for, letters in passwords."""

from __future__ import annotations

import imaplib
from typing import Any

import pytest

from hub.adapters.email import imap
from hub.adapters.email.imap import Box, WaitingMail
from hub.adapters.email.imap_folders import Folders
from hub.errors import ConfigurationError


class Server:
    """As much of imaplib as is asked here. ``below``: the prefix that folders need; ``says``: its NAMESPACE line."""

    def __init__(self, below: str = "", says: bytes | None = None) -> None:
        self.capabilities: tuple[str, ...] = ("IMAP4REV1", *(("NAMESPACE",) if says is not None else ()))
        self._below, self._says = below, says
        self.made: list[str] = []

    def namespace(self) -> tuple[str, list[Any]]:
        return "OK", [self._says]

    def create(self, name: str) -> tuple[str, list[Any]]:
        if not name.startswith(self._below):
            raise imaplib.IMAP4.error("CREATE command error: BAD")
        self.made.append(name)
        return "OK", [b""]

    def status(self, name: str, _words: str) -> tuple[str, list[Any]]:
        return ("OK" if name in self.made else "NO"), [b""]


@pytest.mark.parametrize(
    ("below", "says", "placed"),
    [
        ("", None, "Done"),
        ("", b'(("" "/")) NIL NIL', "Done"),
        ("INBOX.", b'(("INBOX." ".")) NIL (("shared." "."))', "INBOX.Done"),
        ("INBOX/", b'(("INBOX/" "/")) NIL NIL', "INBOX/Done"),
        ("INBOX.", None, "INBOX.Done"),
        ("INBOX/", None, "INBOX/Done"),
        ("INBOX.", b"NIL NIL NIL", "INBOX.Done"),
        ("INBOX.", b"nonsense", "INBOX.Done"),
        ("", b'(("\xff\xfe" ".")) NIL NIL', "Done"),
        ("", b'(("" NIL)) NIL NIL', "Done"),
    ],
)
def test_folders_stand_where_the_server_wants_them(below: str, says: bytes | None, placed: str) -> None:
    """The prefix is that of NAMESPACE; where nothing is said it is found by trying; a name with it is left as it is."""
    server = Server(below, says)
    folders = Folders(server)  # type: ignore[arg-type]
    assert folders.is_there("Done")
    assert folders.placed("Done") == placed
    assert server.made == [placed]
    assert folders.placed("INBOX.Archive") == "INBOX.Archive"


def test_a_folder_that_cannot_be_made_is_told() -> None:
    """Tried plainly and below INBOX, then said."""
    assert not Folders(Server("Users/hub/")).is_there("Done")  # type: ignore[arg-type]


class Lines:
    """A box that answers each FETCH with these lines."""

    def __init__(self, data: list[Any]) -> None:
        self._data = data
        self.untagged_responses: dict[str, list[Any]] = {}
        self.capabilities: tuple[str, ...] = ()

    def uid(self, verb: str, *_words: str) -> tuple[str, list[Any]]:
        return "OK", self._data if verb == "FETCH" else []


class NoDeadline:
    """A deadline that never comes."""

    over = False

    def allow(self, _count: int) -> None:
        """Nothing."""


def _box(data: list[Any]) -> Box:
    return Box(Lines(data), None, NoDeadline(), 1)  # type: ignore[arg-type]


SIZE = b'%d (UID %d RFC822.SIZE 444 INTERNALDATE "30-Nov-2026 10:00:00 +0200")'


@pytest.mark.parametrize(
    "data",
    [
        [SIZE % (1, 7)],
        [rb"2 (FLAGS (\Seen))", SIZE % (1, 7)],
        [SIZE % (2, 8), SIZE % (1, 7), rb"3 (FLAGS (\Seen))"],
        [b'1 (RFC822.SIZE 444 INTERNALDATE "30-Nov-2026 10:00:00 +0200" UID 7)'],
        [b'1 (RFC822.SIZE 444 INTERNALDATE "30-Nov-2026 10:00:00 +0200")'],
    ],
)
def test_the_line_of_the_asked_mail_counts(data: list[Any]) -> None:
    """Whatever else the server tells, and wherever the UID stands in the line."""
    mail = _box(data)._look("7")
    assert mail is not None
    assert mail.size == 444


@pytest.mark.parametrize("data", [[], [rb"2 (FLAGS (\Seen))"], [SIZE % (2, 8)], [None]])
def test_lines_about_others_only_mean_that_it_is_gone(data: list[Any]) -> None:
    """Nothing of another mail is taken for this one."""
    assert _box(data)._look("7") is None


@pytest.mark.parametrize(
    "data",
    [
        [(b"1 (UID 7 BODY[] {4}", b"mine"), b")"],
        [rb"2 (FLAGS (\Seen))", (b"2 (UID 8 BODY[] {4}", b"else"), b")", (b"1 (UID 7 BODY[] {4}", b"mine"), b")"],
        [(b"1 (BODY[] {4}", b"mine"), b" UID 7)"],
        [(b"2 (BODY[] {4}", b"else"), b" UID 8)", (b"1 (BODY[] {4}", b"mine"), b" UID 7)"],
        [(b"1 (BODY[] {4}", b"mine"), b")"],
    ],
)
def test_the_content_is_that_of_the_asked_mail(data: list[Any]) -> None:
    """Before or behind the content, the UID decides; another mail's content is never taken."""
    box = _box(data)
    mail = WaitingMail(uid="7", size=4, received=None)  # type: ignore[arg-type]
    assert box.fetch(mail) == b"mine"


def test_letters_beyond_ascii_go_by_plain() -> None:
    """A Ukrainian password goes as UTF-8 by AUTHENTICATE PLAIN; without it the channel's setting is named as wrong."""

    class Box:
        capabilities: tuple[str, ...] = ("AUTH=PLAIN",)
        sent: bytes = b""

        def authenticate(self, _name: str, answer: Any) -> None:
            self.sent = answer(b"")

    box = Box()
    imap._plain(box, "hub", "пароль")  # type: ignore[arg-type]
    assert box.sent == "\0hub\0пароль".encode()
    box.capabilities = ()
    with pytest.raises(ConfigurationError) as refused:
        imap._plain(box, "hub", "пароль")  # type: ignore[arg-type]
    assert refused.value.stable_code == "imap.login_letters"
    assert "пароль" not in str(refused.value)
