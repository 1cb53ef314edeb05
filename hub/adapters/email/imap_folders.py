"""Names of the hub's own folders in a mailbox, below the prefix that the server wants for them (RFC 2342).

Many servers keep a user's folders below ``INBOX.`` or ``INBOX/``. Those that say so (NAMESPACE) are believed; where a
folder cannot be made under its plain name, it is tried there.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from typing import Any, Final

_PERSONAL: Final = re.compile(rb"\(\(\"((?:[^\"\\\\]|\\\\.)*)\" (?:NIL|\"((?:[^\"\\\\]|\\\\.)*)\")")
_DELIMITERS: Final = (".", "/")
_PREFIX: Final = re.compile(r"[A-Za-z0-9 ._/-]{0,100}")


class Folders:
    """Folders of one mailbox. ``placed`` gives the name on the server."""

    def __init__(self, imap: imaplib.IMAP4) -> None:
        self._imap = imap
        self._prefix = _told(imap)
        self._tried = False

    def placed(self, name: str) -> str:
        """Name of a folder on the server."""
        return name if name.upper().startswith(("INBOX", self._prefix.upper() or "INBOX")) else self._prefix + name

    def make(self, name: str) -> bool:
        """Make a folder, below the prefix that the server wants; False if it cannot be made."""
        if self._made(self.placed(name)):
            return True
        if self._prefix or self._tried:
            return False
        self._tried = True
        for prefix in self._guesses():
            if self._made(prefix + name):
                self._prefix = prefix
                return True
        return False

    def is_there(self, name: str) -> bool:
        """True if a folder is there, or could be made."""
        return self._asked("status", self.placed(name), "(MESSAGES)")[0] == "OK" or self.make(name)

    def _guesses(self) -> Iterator[str]:
        yield from (f"INBOX{delimiter}" for delimiter in _DELIMITERS)

    def _made(self, name: str) -> bool:
        return self._asked("create", name)[0] == "OK"

    def _asked(self, command: str, *words: str) -> tuple[str, list[Any]]:
        try:
            kind, data = getattr(self._imap, command)(*words)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return "BAD", []
        return kind, data


def _told(imap: imaplib.IMAP4) -> str:
    """Prefix of personal folders as the server says it; empty if it says none, or one that is no plain name."""
    if "NAMESPACE" not in imap.capabilities:
        return ""
    try:
        kind, data = imap.namespace()
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return ""
    line = data[0] if kind == "OK" and data and isinstance(data[0], bytes) else b""
    found = _PERSONAL.match(line)
    prefix = found[1].decode("ascii", "replace") if found else ""
    return prefix if _PREFIX.fullmatch(prefix) else ""
