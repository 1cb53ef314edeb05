"""Systems of authorities on loopback that answer as mistakes need it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Final

from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.servers import Server, http, read_request
from tests.reported.players.imap_server import ImapServer, Say

TOKEN: Final = "right-token-1234567890"
PASSWORD: Final = "right-password-1234567890"
_JSON: Final = {"Content_Type": "application/json"}


def edms(_server: Server, conn: socket.socket) -> None:
    """A document system: it wants a token, knows one path, and answers with a registration."""
    if conn.recv(1, socket.MSG_PEEK) == b"\x16":
        conn.sendall(http("400 Bad Request"))
        return
    while True:
        head, body = read_request(conn)
        if not head:
            return
        answer = _answer(head.decode("latin-1"), body)
        conn.sendall(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head.startswith(b"HEAD") else answer)


def _answer(head: str, body: bytes) -> bytes:
    path = head.split(" ", 2)[1]
    if path == "/soap":
        return http("500 No", _FAULT, Content_Type="text/xml")
    if f"Bearer {TOKEN}" not in head:
        return http("401 Unauthorized", json.dumps({"error": "token"}).encode(), **_JSON)
    if path in _ANSWERS:
        return _ANSWERS[path]
    if path != "/in":
        return http("404 Not Found", b'{"error": "no such thing"}', **_JSON)
    if not re.search(rb'"received":"\d\d\.\d\d\.\d{4}"', body):
        return http("422 No", b'{"error": "received: dd.mm.yyyy"}', **_JSON)
    said = {"id": json.loads(body)["id"], "state": 1, "document": 7, "number": "5/26", "date": "01.12.2026"}
    return http("201 Created", json.dumps(said).encode(), **_JSON)


_FAULT: Final = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Client.Authentication'
    b"</faultcode><faultstring>who are you</faultstring></e:Fault></e:Body></e:Envelope>"
)
_ANSWERS: Final = {
    "/moved": http("301 Moved", Location="https://elsewhere.example.org/"),
    "/page": http("200 OK", b"<html>Welcome</html>", Content_Type="text/html"),
    "/busy": http("503 Busy", b"", Retry_After="60"),
    "/broken": http("500 Oops", b"NullPointerException"),
    "/forbidden": http("403 Forbidden", b"{}", **_JSON),
}


def well(_server: Server, conn: socket.socket) -> None:
    """Whatever is asked, there is nothing to say against it."""
    while read_request(conn)[0]:
        conn.sendall(http("405 No", b""))


def mute(server: Server, conn: socket.socket) -> None:
    """Nothing is ever said."""
    conn.settimeout(10)
    while not server.stopped.is_set() and conn.recv(65_536):
        pass


def smtp(*extensions: str, **says: bytes) -> SmtpPeer:
    """A mail server."""
    offered = [b"250-mx.example.org", *(f"250-{each}".encode() for each in extensions), b"250 DSN"]
    return SmtpPeer(says={"EHLO": b"\r\n".join([*offered, b""]), **says})


class Box(ImapServer):
    """A mailbox with one password."""

    def _login(self, say: Say, words: str) -> str:
        return "OK in" if PASSWORD in words else "NO [AUTHENTICATIONFAILED] Invalid credentials"

    def _select(self, say: Say, words: str) -> str:
        known = words.strip('"') in {"INBOX", *self.folders}
        return super()._select(say, words) if known else "NO [NONEXISTENT] Unknown mailbox"


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file with a secret."""
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path
