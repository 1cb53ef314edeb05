"""An IMAP server on loopback under TLS that knows what the hub asks, no more, and may have one habit."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from tests.adapters.servers import Server

NONE, EXCHANGE, KERIO, STORE_NO = "none", "exchange", "kerio", "store_no"
UNSOLICITED, NAMESPACE = "unsolicited", "namespace"
NO_KEYWORDS = (EXCHANGE, KERIO)
"""Habits of servers that know no keywords of a client's own."""
_ARRIVED = "30-Nov-2026 10:00:00 +0200"
_FLAGS = r"\Seen \Answered \Flagged \Deleted \Draft $MDNSent"
_PREFIX = "Client tried to access nonexistent namespace. (Mailbox name should probably be prefixed with: INBOX.)"

Say = Callable[[str | bytes], None]


class ImapServer:
    """One mailbox for all connections. ``mails`` by UID; ``moved``: what left INBOX, and where to."""

    def __init__(self, habit: str = NONE, mails: tuple[bytes, ...] = ()) -> None:
        self.habit = habit
        self.mails = {uid: mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for uid, mail in enumerate(mails, 1)}
        self.flags: dict[int, set[str]] = {uid: set() for uid in self.mails}
        self.folders = {"INBOX"}
        self.moved: list[tuple[int, str]] = []
        self.selected = "INBOX"
        self.laid: dict[str, dict[int, bytes]] = {}
        self.literal = b""

    def script(self, server: Server, conn: socket.socket) -> None:
        """One connection."""
        with conn.makefile("rwb") as file:

            def say(line: str | bytes) -> None:
                file.write(line if isinstance(line, bytes) else f"{line}\r\n".encode())

            say("* OK ready")
            file.flush()
            for line in file:
                tag, _, rest = line.decode().strip().partition(" ")
                if literal := re.search(r"\{(\d+)\}$", rest):
                    say("+ go on")
                    file.flush()
                    self.literal = file.read(int(literal[1]))
                    file.readline()
                verb, _, words = rest.partition(" ")
                if verb.upper() == "UID":
                    verb, _, words = words.partition(" ")
                answer = getattr(self, f"_{verb.lower()}", None)
                say(f"{tag} {answer(say, words) if answer else 'BAD unknown'}")
                file.flush()
                if verb.upper() == "LOGOUT":
                    return

    def _capability(self, say: Say, words: str) -> str:
        say("* CAPABILITY IMAP4rev1 UIDPLUS MOVE")
        return "OK done"

    def _login(self, say: Say, words: str) -> str:
        return "OK logged in"

    def _logout(self, say: Say, words: str) -> str:
        say("* BYE")
        return "OK bye"

    def _select(self, say: Say, words: str) -> str:
        self.selected = words.strip('"')
        own = "" if self.habit in NO_KEYWORDS else r" \*"
        say(f"* FLAGS ({_FLAGS})")
        say(f"* {len(self.mails)} EXISTS")
        say(f"* OK [PERMANENTFLAGS ({_FLAGS}{own})] ok")
        say("* OK [UIDVALIDITY 1] ok")
        return "OK [READ-WRITE] selected"

    def _create(self, say: Say, words: str) -> str:
        folder = words.strip('"')
        if self.habit == NAMESPACE and not folder.startswith("INBOX."):
            return f"NO {_PREFIX}"
        self.folders.add(folder)
        return "OK created"

    def _status(self, say: Say, words: str) -> str:
        folder = words.partition(" ")[0].strip('"')
        return "OK status" if folder in self.folders else "NO no such mailbox"

    def _append(self, say: Say, words: str) -> str:
        folder = words.partition(" ")[0].strip('"')
        if folder not in self.folders:
            return "NO [TRYCREATE] no such mailbox"
        self.laid.setdefault(folder, {})[len(self.laid.get(folder, {})) + 1] = self.literal
        return "OK appended"

    def _expunge(self, say: Say, words: str) -> str:
        self.laid.get(self.selected, {}).pop(int(words), None)
        return "OK expunged"

    def _search(self, say: Say, words: str) -> str:
        if "HEADER" in words:
            name = words.rpartition(" ")[2].strip('"').encode()
            found = [uid for uid, mail in self.laid.get(self.selected, {}).items() if name in mail]
            say("* SEARCH" + "".join(f" {uid}" for uid in found))
            return "OK search"
        asked = re.search(r"(UN)?KEYWORD (\S+)", words)
        if asked and self.habit in NO_KEYWORDS:
            return "BAD Command Argument Error. 11"
        found = [uid for uid in sorted(self.mails) if not asked or (asked[2] in self.flags[uid]) is not bool(asked[1])]
        say("* SEARCH" + "".join(f" {uid}" for uid in found if r"\Deleted" not in self.flags[uid]))
        return "OK search"

    def _fetch(self, say: Say, words: str) -> str:
        uid = int(words.partition(" ")[0])
        if uid not in self.mails:
            return "OK nothing"
        number, data = sorted(self.mails).index(uid) + 1, self.mails[uid]
        if self.habit == UNSOLICITED and len(self.mails) > 1:
            say(rf"* {2 if number == 1 else 1} FETCH (FLAGS (\Seen))")
        if "RFC822.SIZE" in words:
            say(f'* {number} FETCH (UID {uid} RFC822.SIZE {len(data)} INTERNALDATE "{_ARRIVED}")')
        else:
            if piece := re.search(r"<(\d+)\.(\d+)>", words):
                data = data[int(piece[1]) : int(piece[1]) + int(piece[2])]
            say(f"* {number} FETCH (UID {uid} BODY[] {{{len(data)}}}")
            say(data)
            say(")")
        return "OK fetched"

    def _store(self, say: Say, words: str) -> str:
        if self.selected != "INBOX":
            return "OK stored"
        uid, named = int(words.partition(" ")[0]), re.search(r"\((.*)\)", words)
        flags = named[1].split() if named else []
        if any(not flag.startswith("\\") for flag in flags):
            if self.habit in NO_KEYWORDS:
                return "BAD Command Argument Error. 11"
            if self.habit == STORE_NO:
                return "NO [CANNOT] Keywords are not allowed in this mailbox"
        self.flags[uid] |= set(flags)
        return "OK stored"

    def _move(self, say: Say, words: str) -> str:
        uid, _, folder = words.partition(" ")
        folder = folder.strip('"')
        if folder not in self.folders:
            return f"NO {_PREFIX}" if self.habit == NAMESPACE else "NO [TRYCREATE] no such mailbox"
        if self.selected != "INBOX":
            self.laid.setdefault(folder, {})[int(uid)] = self.laid[self.selected].pop(int(uid))
            return "OK moved"
        self.moved.append((int(uid), folder))
        del self.mails[int(uid)]
        return "OK moved"


def context(pem: Path) -> ssl.SSLContext:
    """TLS with a certificate and its key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made
