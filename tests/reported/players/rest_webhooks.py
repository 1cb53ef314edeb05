"""A receiver of webhooks that took an event and then answers oddly."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.following.webhooks import WebhookSender
from hub.net.webhook import WebhookFile
from hub.storage import open_store
from hub.storage.webhook_queue import SqlWebhookQueue
from tests.adapters.servers import Server, http, read_request, serving
from tests.following.test_webhooks import SECRET
from tests.following.world import World
from tests.reported.players.text import settled

DEADLINE_SECS = 2
ANSWERS = {
    "200": http("200 OK"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "300 KB of HTML": http("200 OK", b"<html>" + b"x" * 300_000, Content_Type="text/html"),
    "Content-Encoding: UTF-8": http("200 OK", b"ok", Content_Encoding="UTF-8"),
    "Content-Encoding: br, unreadable": http("200 OK", b"\x0b\x00\x80ok\x03", Content_Encoding="br"),
    "103 first": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http("200 OK", b"ok"),
    "a blank before a header's colon": b"HTTP/1.1 200 OK\r\nX-Powered-By : PHP\r\nContent-Length: 2\r\n\r\nok",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nok",
}


class Receiver:
    """Answers each path with the answer of its number."""

    def __init__(self) -> None:
        self.answers = list(ANSWERS.values())

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, _ = read_request(conn)
            if not head:
                return
            answer = self.answers[int(head.split(b" ")[1].rsplit(b"/", 1)[1])]
            conn.sendall(answer)
            if answer == ANSWERS["cut"]:
                return


def _file(folder: Path, server: Server) -> Path:
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    endpoints = [
        {
            "id": f"e{number}",
            "url": server.url(f"/wh/{number}"),
            "secrets": [f"file:{secret}"],
            "types": ["case.routed"],
            "deadline_secs": DEADLINE_SECS,
            "allow_http": True,
            "allow_private": ["127.0.0.0/8"],
        }
        for number in range(len(ANSWERS))
    ]
    file = folder / "webhooks.yaml"
    file.write_text(json.dumps({"endpoints": endpoints}))  # YAML too
    return file


def play(case: Path) -> str:
    """One event for each answer: what the attempt is called, and how many events still wait."""
    heard: list[str] = []
    lines = []
    with TemporaryDirectory() as name, serving(Receiver().script) as server:
        store = open_store(f"sqlite:///{Path(name) / 'hub.sqlite'}", migrate=True)
        world, queue = World(store), SqlWebhookQueue(store.database)
        found = WebhookFile(_file(Path(name), server))
        sender = WebhookSender(
            store=store,
            queue=queue,
            endpoints=found,
            cases_of=world.following.cases_of,
            clock=world.clock,
            owner="one",
            dice=lambda: 0.5,
            called=lambda _endpoint, code: heard.append(code),
        )
        for endpoint in found.endpoints():
            sender.run(endpoint)
        world.submit()
        world.settle()
        for what, endpoint in zip(ANSWERS, found.endpoints(), strict=True):
            sender.run(endpoint)
            lines.append(f"{what}: {heard[-1]}, {queue.waiting(endpoint.id)} waiting")
        store.close()
    return settled(lines)
