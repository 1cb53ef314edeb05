"""A trial of a mailbox: each thing that collecting needs is done once, with a mail of our own, and none of theirs.

The mail is laid into ``refused`` and moved to ``done``, as collecting moves; then it is removed. What is refused is
said by name, all of it at once.
"""

from __future__ import annotations

import imaplib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from hub.adapters.email.imap_folders import Folders
from hub.adapters.email.settings import ImapServer
from hub.errors import ConfigurationError

_MAIL: Final = "Subject: hub probe\r\nMessage-ID: <{name}@hub.invalid>\r\nAuto-Submitted: auto-generated\r\n\r\n"
_Ask = Callable[[], tuple[str, list[Any]]]


def try_rights(box: imaplib.IMAP4, server: ImapServer, folders: Folders) -> None:
    """Raises ``ConfigurationError`` (``imap.rights``) that names what the mailbox does not let the hub do."""
    missing = list(_missing(box, server, folders))
    if missing:
        raise ConfigurationError(
            f"The mailbox does not let the hub: {'; '.join(missing)}.",
            code="imap.rights",
            action="Give the hub's user these rights, or name other folders (done, refused) in the channel.",
        )


def _missing(box: imaplib.IMAP4, server: ImapServer, folders: Folders) -> Iterator[str]:
    if box.untagged_responses.get("READ-ONLY") is not None or getattr(box, "is_readonly", False):
        yield f"change the folder {server.folder}"
    if not _does(lambda: box.uid("SEARCH", "UNDELETED")):
        yield f"search the folder {server.folder}"
    if "ACL" in box.capabilities:
        yield from _denied(box, server.folder)
    absent = [folder for folder in dict.fromkeys((server.refused, server.done)) if not folders.is_there(folder)]
    for folder in absent:
        yield f"create the folder {folder}"
    if not absent:
        refused, done = folders.placed(server.refused), folders.placed(server.done)
        yield from _moving(box, server.model_copy(update={"refused": refused, "done": done}))


def _denied(box: imaplib.IMAP4, folder: str) -> Iterator[str]:
    """RFC 4314 section 2.1: t (or d) marks as deleted, e (or d) expunges; moving needs both."""
    kind, data = _asked(lambda: box.myrights(folder))
    told = (data[0] or b"").split() if kind == "OK" and data and isinstance(data[0], bytes) else []
    rights = told[-1].decode("ascii", "replace") if len(told) > 1 else None
    if rights is not None and "d" not in rights and not {"t", "e"} <= set(rights):
        yield f"take mails out of the folder {folder}"


def _moving(box: imaplib.IMAP4, server: ImapServer) -> Iterator[str]:
    name = f"probe-{uuid.uuid4().hex}"
    if not _does(lambda: box.append(server.refused, "", "", _MAIL.format(name=name).encode())):
        yield f"lay mails into the folder {server.refused}"
        return
    try:
        uid = _find(box, server.refused, name)
        if uid is None:
            yield f"find mails in the folder {server.refused}"
            return
        verb = "MOVE" if "MOVE" in box.capabilities else "COPY"
        if not _does(lambda: box.uid(verb, uid, server.done)):
            yield f"move mails to the folder {server.done}"
        elif verb == "COPY" and not _removed(box, uid):
            yield f"remove mails from the folder {server.refused}"
    finally:
        for folder in (server.refused, server.done):
            if (left := _find(box, folder, name)) is not None:
                _removed(box, left)
        box.select(server.folder)


def _find(box: imaplib.IMAP4, folder: str, name: str) -> str | None:
    if not _does(lambda: box.select(folder)):
        return None
    kind, data = _asked(lambda: box.uid("SEARCH", "UNDELETED", "HEADER", "Message-ID", name))
    found = (data[0] or b"").split() if kind == "OK" and data else []
    return found[-1].decode("ascii") if found else None


def _removed(box: imaplib.IMAP4, uid: str) -> bool:
    marked = _does(lambda: box.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
    return marked and ("UIDPLUS" not in box.capabilities or _does(lambda: box.uid("EXPUNGE", uid)))


def _does(ask: _Ask) -> bool:
    return _asked(ask)[0] == "OK"


def _asked(ask: _Ask) -> tuple[str, list[Any]]:
    """The answer; a command that the server does not know is one that it refuses."""
    try:
        return ask()
    except imaplib.IMAP4.readonly:
        return "NO", []
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return "BAD", []
