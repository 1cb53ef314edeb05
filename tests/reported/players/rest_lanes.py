"""A lane over minutes: documents that the peer registers a while after they came, and one that it answers oddly."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.schemas.delivery import CaseRow
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal
from tests.adapters.servers import Server, http, read_request, serving
from tests.reported.players.house import HandClock, house
from tests.reported.players.text import error, settled

POISON = "ОТРУТА: документ без дати."
PLAIN = 30
STEP_SECS = 5
LOOKS_SECS = (60, 120, 300)


class Edms:
    """Takes documents at once and registers each a minute later; of the poisoned one it says what the case holds."""

    def __init__(self, poison: bytes, now: Callable[[], datetime]) -> None:
        self._poison = poison
        self._now = now
        self.documents: list[tuple[bool, datetime]] = []
        self.asked = Counter[int]()

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            path = head.split(b" ")[1].decode()
            said = self._taken(json.loads(body)) if body else self._state(int(path.rsplit("/", 1)[1]))
            conn.sendall(http("200 OK", said, Content_Type="application/json"))

    def _taken(self, document: dict[str, str]) -> bytes:
        self.documents.append((document["text"] == POISON, self._now()))
        result = {"code": 5, "document": len(self.documents)}
        return json.dumps({"requestId": document["requestId"], "result": result}).encode()

    def _state(self, number: int) -> bytes:
        poisoned, came = self.documents[number - 1]
        self.asked[number] += 1
        if poisoned:
            return self._poison
        if self._now() - came < timedelta(seconds=60):
            return b'{"state":"new"}'
        return json.dumps({"state": "registered", "number": f"17-{number}", "date": "2026-11-30"}).encode()


def play(case: Path) -> str:
    """One poisoned appeal, then plain ones; what the hub knows after each while."""
    entry = yaml.safe_load((case / "channel.yaml").read_bytes())["channels"][0]["channel"]
    attachments = MemoryAttachments()
    adapter = RestAdapter(AdapterContext(attachments=attachments))
    clock = HandClock()
    edms = Edms((case / "poison.json").read_bytes(), clock.now)
    with serving(edms.script) as server:
        for name in ("url", "status_url"):
            path = entry["settings"][name].split("/", 3)[3]
            entry["settings"][name] = f"http://127.0.0.1:{server.port}/{path}"
        channel = Channel.model_validate(entry)
        with house(("rest", adapter), channel, attachments=attachments, clock=clock) as at:
            form = appeal().body
            poisoned = at.submit(form.model_copy(update={"text": POISON}))
            plain = [at.submit(form) for _ in range(PLAIN)]
            lines, raised = [], Counter[str]()
            for secs in range(0, max(LOOKS_SECS) + 1, STEP_SECS):
                try:
                    at.run(channel)
                except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                    raised[error(failure)] += 1
                if secs in LOOKS_SECS:
                    lines.append(f"{secs} s: plain {_states([at.case(each) for each in plain])}")
                clock.go(STEP_SECS)
            lines += [f"poisoned: {at.case(poisoned).state}, number {at.case(poisoned).number}"]
            lines += [f"documents that were never asked about: {sum(not edms.asked[n + 1] for n in range(PLAIN + 1))}"]
            lines += [f"{count} runs ended in {what}" for what, count in sorted(raised.items())]
            lines += at.items()
    return settled(lines)


def _states(rows: list[CaseRow]) -> str:
    return ", ".join(f"{state} {count}" for state, count in sorted(Counter(row.state for row in rows).items()))
