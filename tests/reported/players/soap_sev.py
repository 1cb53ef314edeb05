"""SEV, the node between document systems: what waits in its queue, and errors that come inside its results.

``case.json``: ``queue`` (``*.xml``: a message that waits, ``ID`` = the message of ours that it is about), or ``bus``
(``N-OPERATION-what.xml``: what the node answers to that operation).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery, parcel
from tests.reported.players.soap_peers import filled
from tests.reported.players.text import error, outcome, settled, spoken
from tests.sevovv.node import SevNode, served
from tests.sevovv.test_fetching import Desk

SYSTEM = "019aa000-0000-7000-8000-00000000aaaa"
LISTING = "GetInputMessages"


class Bus(SevNode):
    """A node that gives a fixed answer to one operation."""

    operation: str | None = None
    answers: bytes = b""

    def answer(self, body: bytes) -> tuple[str | None, int, bytes]:
        if self.operation is not None and f"{self.operation} ".encode() in body.replace(b">", b" "):
            self.calls.append(self.operation)
            return None, 200, self.answers
        return super().answer(body)


@contextmanager
def _served(*, collect: bool) -> Iterator[tuple[Bus, Channel]]:
    with TemporaryDirectory() as name:
        password = Path(name) / "password"
        password.write_text("secret")
        password.chmod(0o600)
        node = Bus(Path(name))
        with served(node) as url:
            section = {"system_id": SYSTEM, "password": f"file:{password}", "org_id": "36521731", "collect": collect}
            loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
            settings = {"url": url, **loopback, "sevovv": section}
            yield node, Channel(id="00032106.sev", adapter="soap", dialect="sevovv", settings=settings)


def _collected(node: Bus, to: Channel, waits: bytes | None) -> Iterator[str]:
    files = MemoryAttachments()
    desk = Desk(delivery(appeal(), to), files)
    if waits is not None:
        node.queue["waits"] = filled(waits, {"ID": str(desk.known.message_id).encode()})
    adapter = SoapAdapter(AdapterContext(attachments=files))
    try:
        with adapter.session(to) as session:
            yield f"collected {session.collect(desk, 20.0)}"
    except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
        yield error(failure)
    yield from (f"  said: {spoken(each)}" for each in desk.heard)
    yield from (f"  journalled as refused: {len(each)} bytes" for each in desk.journalled)
    yield from (f"  ended in the queue: {'processed' if code is None else f'failed {code}'}" for _, code in node.ended)


def _queue(file: Path) -> Iterator[str]:
    with _served(collect=True) as (node, to):
        yield from _collected(node, to, file.read_bytes())


def _bus(file: Path) -> Iterator[str]:
    operation = file.name.split("-")[1]
    with _served(collect=operation == LISTING) as (node, to):
        node.operation, node.answers = operation, file.read_bytes()
        if operation == LISTING:
            yield from _collected(node, to, None)
            return
        adapter = SoapAdapter(AdapterContext(attachments=MemoryAttachments()))
        prepared = adapter.prepare(parcel(appeal(), adapter.rendering(to)), to)
        with adapter.session(to) as session:
            yield from outcome(session.send(prepared, 20.0))
        yield f"  calls: {', '.join(node.calls)}"


def play(case: Path) -> str:
    """What the hub makes of each file."""
    kind = _queue if json.loads((case / "case.json").read_bytes())["kind"] == "queue" else _bus
    lines = []
    for file in sorted(case.glob("*.xml")):
        first, *more = kind(file)
        lines += [f"{file.name}: {first}", *more]
    return settled(lines)
