"""Requests at the hub's SOAP doors, byte for byte: ``/soap/hub`` and SEV's ``/soap/IntegrationService``.

``*.http`` with names to fill in: ``MESSAGE`` (that waits), ``RECEIPT`` (on it), ``KEY``; for SEV's door ``SYSTEM`` and
``SEVKEY``. ``case.json`` says which door, and whether the answer is read as a client reads it that compares names with
their prefix (erpuno/sevovv; written anew from reading its code).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from lxml import etree

from tests.api.world import PULLER, as_bytes, build, registered, serve
from tests.reported.players.soap_peers import filled
from tests.reported.players.text import settled
from tests.sevovv.world import BODY, SYSTEM, world

WAITING = 2
Ask = Callable[[bytes], tuple[int, str, bytes]]


def _asker(url: str, names: dict[str, bytes]) -> Ask:
    where = urlsplit(url)

    def ask(request: bytes) -> tuple[int, str, bytes]:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as conn:
            conn.sendall(filled(request, names))
            with HTTPResponse(conn) as answer:
                answer.begin()
                return answer.status, answer.headers.get_content_type(), answer.read()

    return ask


@contextmanager
def _hub() -> Iterator[Ask]:
    """The hub's own door, with messages that wait for the caller."""
    with TemporaryDirectory() as folder, serve(build(Path(folder) / "home")) as at:
        made = [at.submit(topics=["water"]) for _ in range(WAITING)]
        for each in made:
            at.offer(each["case_id"])
        receipt = as_bytes(registered(PULLER, made[0]["case_id"], made[0]["message_id"]))
        names = {"MESSAGE": made[0]["message_id"].encode(), "RECEIPT": receipt, "KEY": at.tokens["puller"].encode()}
        yield _asker(at.url, names)


@contextmanager
def _sev() -> Iterator[Ask]:
    """SEV's door, with messages that wait for the caller."""
    with TemporaryDirectory() as folder, world(Path(folder)) as at:
        for _ in range(WAITING):
            at.submit()
        at.carry(f"{BODY}.sev")
        yield _asker(at.url, {"SEVKEY": at.keys[BODY].encode(), "SYSTEM": SYSTEM.encode()})


def _written(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((each for each in element if _written(each) == name), None)


def _by_prefix(body: etree._Element) -> str:
    """What the client with the prefixes finds in the queue."""
    answer = _child(body, "GetInputMessagesResponse")
    if answer is None:
        return "an error"
    result = _child(answer, "s01:GetInputMessagesResult")
    messages = [] if result is None else [each for each in result if _written(each) == "MessageInfo"]
    return f"{sum(_child(each, 'MessageId') is not None for each in messages)} messages"


def _told(answer: tuple[int, str, bytes], read: str | None) -> Iterator[str]:
    status, kind, data = answer
    yield f"{status} {kind}"
    if not kind.endswith("xml"):
        document = json.loads(data)
        yield f"  {document['code']}: {document['detail']}"
        return
    body = next(each for each in etree.fromstring(data) if etree.QName(each).localname == "Body")
    (content,) = body
    yield f"  {etree.QName(content).localname}"
    if etree.QName(content).localname == "Fault":
        leaves = (each for each in content.iter() if not len(each) and each.text)
        yield from (f"    {etree.QName(each).localname}: {each.text}" for each in leaves)
    elif messages := [each for each in content.iter() if etree.QName(each).localname in ("MessageInfo", "message")]:
        yield f"    messages: {len(messages)}"
    if read is not None:
        yield f"  read by prefixes: {_by_prefix(body)}"


def play(case: Path) -> str:
    """What each request is answered."""
    spec = json.loads((case / "case.json").read_bytes())
    lines = []
    for file in sorted(case.glob("*.http")):
        with _sev() if spec.get("door") == "sev" else _hub() as ask:
            first, *more = _told(ask(file.read_bytes()), spec.get("read"))
        lines += [f"{file.name}: {first}", *more]
    return settled(lines)
