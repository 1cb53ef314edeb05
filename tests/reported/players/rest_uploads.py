"""A peer that refuses a large upload after its head, and hangs up with bytes unread."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from pathlib import Path

from hub.net.http import HttpPolicy, HttpSession, StreamedBody
from tests.adapters.servers import Server, serving
from tests.reported.players.text import error, settled

REFUSAL = (
    b"HTTP/1.1 413 Too Large\r\nContent-Type: application/problem+json\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
)
PIECE, PIECES = b"x" * 65_536, 256
STUCK_SECS = 0.3
HABITS = ("close", "half-close")


class Peer:
    """Says 413 and closes once the caller's upload is stuck; ``half-close``: it ends its own side first."""

    def __init__(self, habit: str) -> None:
        self._habit = habit

    def script(self, server: Server, conn: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = conn.recv(1_000)
            if not piece:
                return
            data += piece
        conn.sendall(REFUSAL)
        if self._habit == "half-close":
            conn.shutdown(socket.SHUT_WR)
        server.pause(STUCK_SECS)


def play(case: Path) -> str:
    """One upload for each habit."""
    policy = HttpPolicy(allow_http=True, allow_private=(ip_network("127.0.0.0/8"),))
    lines = []
    for habit in HABITS:
        with serving(Peer(habit).script) as server, HttpSession(policy) as session:
            body = StreamedBody(length=len(PIECE) * PIECES, chunks=lambda: iter([PIECE] * PIECES))
            try:
                answer = session.call("POST", server.url(), body=body, deadline_secs=5.0)
                lines.append(f"{habit}: {answer.status}")
            except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                lines.append(f"{habit}: {error(failure)}")
    return settled(lines)
