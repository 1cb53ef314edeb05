"""Our client against our server: what one writes the other reads, 20 MB with a break in the middle, both ways."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from hub.errors import OutcomeUnknown
from hub.net.http import HttpPolicy, HttpSession
from hub.net.settings import HttpSettings
from hub.protocols.sevovv.building import Ends
from hub.protocols.sevovv.client import Service, TimeLeft
from hub.protocols.sevovv.fetching import Fetching
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.uploading import Route, SevUpload
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import Party
from hub.storage.attachments import MemoryAttachments
from tests.sevovv.test_fetching import Desk, header
from tests.sevovv.world import BODY, NCC, SYSTEM, World, world

MIB = 1_048_576
LOOPBACK = HttpSettings(allow_http=True, allow_private=("127.0.0.0/8",), max_response_kb=2_048)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub that serves SEV."""
    with world(tmp_path_factory.mktemp("both") / "home", max_attachment_mb=64) as running:
        yield running


class Breaking(HttpSession):
    """A line over which the answers to some calls are lost, after they were made."""

    def __init__(self, policy: HttpPolicy, breaks: set[int]) -> None:
        super().__init__(policy)
        self._breaks = breaks
        self.made = 0

    def call(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().call(*args, **kwargs)
        self.made += 1
        if self.made in self._breaks:
            raise OutcomeUnknown("The connection broke before the answer's end.", code="http.broken")
        return answer


def service(hub: World, line: HttpSession) -> Service:
    """The hub's service as a document system of the authority calls it."""
    return Service(line, hub.service, system_id=SYSTEM, password=hub.keys[BODY], max_bytes=2 * MIB)


def reply(case: str, scan: bytes) -> tuple[bytes, str, MemoryAttachments]:
    """A reply with a large file, as a skeleton and a store; its id."""
    store = MemoryAttachments()
    sha256, _ = store.put(iter([scan]), limit=10**9)
    root = header(3, sender=BODY)
    document = etree.SubElement(root, "Document", idnumber="7", type="0", title="Відповідь", purpose_type="4")
    etree.SubElement(document, "RegNumber", regdate="2026-11-25").text = "17/З"
    etree.SubElement(document, "DocTransfer", type="pdf", description="скан", idnumber="1").text = f"hub-file:{sha256}"
    etree.SubElement(etree.SubElement(document, "Addressee"), "Referred", idnumber=case, retype="д")
    return etree.tostring(root, encoding="utf-8"), root.get("msg_id", ""), store


@pytest.mark.slow
def test_twenty_megabytes_up(hub: World) -> None:
    """Answers to two parts in the middle are lost: the message arrives whole, with every part sent once."""
    case = hub.submit()["case_id"]
    hub.carry(f"{BODY}.sev")
    scan = random.Random(6).randbytes(15 * MIB)
    skeleton, message_id, store = reply(case, scan)
    line = Breaking(LOOPBACK.policy(), breaks={8, 15})
    outcome = SevUpload(
        service=service(hub, line),
        sessions={},
        deadline=TimeLeft(60),
        route=Route(msg_id=message_id, msg_type=3, from_org=BODY, from_sys=SYSTEM, to_org=NCC),
        package=Package(skeleton, store),
    ).run()
    line.close()
    assert (outcome.kind, outcome.proves) == (OutcomeKind.DELIVERED, LegalClass.DELIVERED)
    assert line.made == 1 + 21 + 2  # opened, parts, and two questions where it stands
    (answer,) = [fact for fact in hub.facts(case) if fact.kind == "answered"]
    assert answer.message_id is not None
    kept = hub.hub.store.message(answer.message_id)
    assert kept is not None
    (stored,) = (entry["sha256"] for entry in json.loads(kept.body)["attachments"])
    with hub.hub.attachments.open(stored) as file:
        assert file.read() == scan


@pytest.mark.slow
def test_twenty_megabytes_down(hub: World, tmp_path: Path) -> None:
    """An appeal with a 15 MB file is fetched with two broken answers, its sealed envelope and its file unharmed."""
    scan = random.Random(7).randbytes(15 * MIB)
    document = hub.submit(("скан.pdf", scan, "application/pdf"))
    hub.carry(f"{BODY}.sev")
    sink = Desk(hub.delivery(document["case_id"]), MemoryAttachments())
    line = Breaking(LOOPBACK.policy(), breaks={6, 13})
    taken = Fetching(
        service=service(hub, line),
        sink=sink,
        attachments=sink.files,
        deadline=TimeLeft(60),
        org=Party(code=BODY),
        ends=Ends(from_sys_id=SYSTEM, from_system="СЕД"),
        max_bytes=64 * MIB,
        notices=False,
        now=hub.hub.clock.now,
    ).run()
    line.close()
    assert taken >= 1
    raw = sink.sealed[-1]
    assert raw.content_type == "application/json"
    assert raw.body.startswith(b'{"envelope":{"attachments":')
    assert scan in sink.files._files.values()
    assert {"sent", "delivered"} <= hub.kinds(document["case_id"])
