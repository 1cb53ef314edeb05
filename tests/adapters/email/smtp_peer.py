"""An SMTP server on loopback that says what a test tells it to, and keeps every byte that came."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from hub.schemas.directory import Channel
from hub.testing.contract import pour, trickle
from hub.testing.samples import SECRET
from tests.adapters.email.making import out_channel
from tests.adapters.servers import Server

GREETING = b"220 mx.example.org ESMTP\r\n"
EHLO = b"250-mx.example.org\r\n250-SIZE 52428800\r\n250 DSN\r\n"


class Hangs(Exception):
    """The script ends the connection here."""


@dataclass
class SmtpPeer:
    """``says``: answer by verb (``MAIL``, ``RCPT``, ``DATA``, ``DOT``, …), else the usual one; ``None`` hangs up.

    ``received``: each mail as it was meant (dots undone), with its base64 contents decoded behind it; ``wire``: all
    bytes that came.
    """

    says: dict[str, bytes | Callable[[SmtpPeer], bytes | None] | None] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    wire: bytes = b""
    server: Server | None = None
    kind: str = ""
    poured: int = 0
    secret: str = SECRET

    def channel(self) -> Channel:
        assert self.server is not None
        return out_channel(self.server.port, **self.settings)

    def script(self, server: Server, conn: socket.socket) -> None:
        file = conn.makefile("rb")
        if self.kind:
            conn.sendall(b"220-")
            if self.kind == "floods":
                self.poured = pour(conn)
            else:
                trickle(conn, server.stopped)
            return
        try:
            self._tell(conn, "GREETING", GREETING)
            while line := file.readline():
                self.wire += line
                self._command(conn, file, line.decode("latin-1").strip())
        except Hangs:
            return

    def _command(self, conn: socket.socket, file: object, line: str) -> None:
        self.commands.append(line)
        verb = line.split(" ", maxsplit=1)[0].upper()
        usual = {"EHLO": EHLO, "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n")
        said = self._tell(conn, verb, usual)
        if verb == "DATA" and said.startswith(b"354"):
            self._data(conn, file)
        if verb == "QUIT":
            raise Hangs

    def _data(self, conn: socket.socket, file: object) -> None:
        lines: list[bytes] = []
        while (line := file.readline()) != b".\r\n":  # type: ignore[attr-defined]
            if not line:
                raise Hangs
            self.wire += line
            lines.append(line[1:] if line.startswith(b".") else line)
        mail = b"".join(lines)
        self.received.append(mail + b"\n" + _decoded(mail))
        self._tell(conn, "DOT", b"250 2.0.0 Ok: queued as 4F1C2\r\n")

    def _tell(self, conn: socket.socket, verb: str, usual: bytes) -> bytes:
        said = self.says.get(verb, usual)
        answer = said(self) if callable(said) else said
        if answer is None:
            raise Hangs
        conn.sendall(answer)
        return answer


def _decoded(mail: bytes) -> bytes:
    blocks = re.findall(rb"X-Hub-SHA256: [0-9a-f]{64}\r\n\r\n([A-Za-z0-9+/=\r\n]+?)\r\n--", mail)
    return b"".join(base64.b64decode(block) for block in blocks)


def swallow(server: Server, conn: socket.socket) -> None:
    """Takes any mail and keeps nothing of it."""
    conn.sendall(GREETING)
    in_data = False
    with conn.makefile("rb") as file:
        for line in file:
            if in_data and line != b".\r\n":
                continue
            verb = line[:4].upper()
            in_data = verb == b"DATA"
            conn.sendall(b"354 go on\r\n" if in_data else b"250 2.0.0 ok\r\n")
            if verb == b"QUIT":
                return
