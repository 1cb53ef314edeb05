"""One answer of a peer over REST, byte for byte: what the adapter makes of it.

``answer.http``: the raw answer, with ``{id}``, ``{ID}`` and ``{length}`` to fill in; ``part2.http``: what comes a
moment later; ``channel.json``: settings; ``play.json``: how often is sent, and how.
"""

from __future__ import annotations

import gzip
import json
import re
import select
import socket
from pathlib import Path
from typing import Any

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.schemas.directory import Channel
from hub.testing.samples import appeal, delivery, parcel
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, read_request, serving
from tests.reported.players.text import error, outcome, settled

THEIR_ID = "90017"
LATER_SECS = 1.5
"""How long the second part of an answer waits for our next request, which must not get it."""


def _optional(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    return found


def _filled(raw: bytes, message_id: str, members: int) -> bytes:
    raw = raw.replace(b"{id}", message_id.encode()).replace(b"{ID}", message_id.upper().encode())
    head, _, body = raw.partition(b"\r\n\r\n")
    if members:
        size = max(1, len(body) // members)
        body = b"".join(gzip.compress(body[at : at + size]) for at in range(0, len(body), size))
    return head.replace(b"{length}", str(len(body)).encode()) + b"\r\n\r\n" + body


class Peer:
    """Gives the answer of a case to each request."""

    def __init__(self, folder: Path, play: dict[str, Any]) -> None:
        self._play = play
        self._pieces = [(folder / "answer.http").read_bytes()]
        if (later := folder / "part2.http").exists():
            self._pieces.append(later.read_bytes())

    def script(self, server: Server, conn: socket.socket) -> None:
        told = 0
        while True:
            head, _ = read_request(conn)
            if not head or (told and self._play.get("second") == "hang_up"):
                return
            told += 1
            named = re.search(rb"(?im)^hub-message-id: *(\S+)", head)
            message_id = named[1] if named else head.split(b" ")[1].rsplit(b"/", 1)[-1]
            for number, piece in enumerate(self._pieces):
                if number:
                    select.select([conn], [], [], LATER_SECS)
                conn.sendall(_filled(piece, message_id.decode(), self._play.get("gzip_members", 0)))


def _channel(url: str, port: int, settings: dict[str, Any]) -> Channel:
    dialect = settings.pop("dialect", "envelope")
    if "status_url" in settings:
        settings["status_url"] = settings["status_url"].replace("PORT", str(port))
    return rest_channel(url, **settings).model_copy(update={"dialect": dialect})


def play(case: Path) -> str:
    """Send, or ask, as often as the case says; one outcome for each."""
    how, adapter, lines = _optional(case / "play.json"), RestAdapter(AdapterContext()), []
    with serving(Peer(case, how).script) as server:
        channel = _channel(server.url(), server.port, _optional(case / "channel.json"))
        with adapter.session(channel) as session:
            for number in range(1, how.get("sends", 1) + 1):
                secs = how.get("deadline", 5.0)
                try:
                    if how.get("kind") == "poll":
                        ended = session.poll(delivery(appeal(), channel, THEIR_ID), secs)
                    else:
                        ended = session.send(adapter.prepare(parcel(appeal()), channel), secs)
                except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                    lines.append(f"{number}: {error(failure)}")
                    continue
                first, *more = outcome(ended)
                lines += [f"{number}: {first}", *more]
    return settled(lines)
