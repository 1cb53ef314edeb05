"""A hub with a small registry, served by uvicorn on a free port of loopback, and callers of every role."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import requests
import uvicorn

from hub.api.app import create_app
from hub.api.auth import KEY_FILE, append_key, new_api_key
from hub.api.dependencies import Dependencies
from hub.api.protocol import server_config
from hub.api.shares import Shares
from hub.bootstrap import Hub, Ports, SilentDoorbell, follow, use_cases
from hub.cases.bulk import Bulk
from hub.clock import SystemClock
from hub.delivery.records import escalate
from hub.ports import Rendering, Store
from hub.schemas import json_rendering
from hub.schemas.base import format_datetime
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, TransportState
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence
from hub.schemas.envelope import AnyEnvelope, Party
from hub.schemas.ids import CaseId, new_id
from hub.sealed import seal_envelope
from hub.seals import HubSeal, make_key_file
from hub.seals.keys import FileKey, verification_key
from hub.settings import Settings
from hub.storage import SqlStore, open_store
from hub.storage.acts import SqlActs
from hub.storage.attachments import FileAttachments
from hub.storage.audit import SqlAudit
from hub.storage.memory import MemoryStore
from hub.storage.spool import Spool
from hub.tracking import law as laws
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.conftest import ROOT

NCC = "36521731"
OTHER_NCC = "11111111"
PLAIN = "00032106"
PULLER = "00032129"
SEALER = "00034186"
UNCONNECTED = "00037256"
START_SECS = 120.0
TIMEOUT_SECS = 60.0
REPEATABLE = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be sent again; after all others it must be changed first."""


def _authority(code: str, *, channel: str | None, keys: tuple[FileKey, ...] = ()) -> Authority:
    topic = {PLAIN: "roads", PULLER: "water", SEALER: "heating", UNCONNECTED: "parks"}[code]
    return Authority(
        code=code,
        name=f"Орган {code}",
        kind=AuthorityKind.CENTRAL,
        competences=(Competence(topics=(topic,), territories=("UA",)),),
        channels=(Channel(id=channel, adapter="rest"),) if channel else (),
        keys=tuple(verification_key(key) for key in keys),
    )


def _directory(sealer: FileKey, ncc: FileKey) -> LoadedDirectory:
    return LoadedDirectory(
        authorities=[
            _authority(PLAIN, channel=f"{PLAIN}.rest"),
            _authority(PULLER, channel=f"{PULLER}.pull"),
            _authority(SEALER, channel=f"{SEALER}.rest", keys=(sealer,)),
            _authority(UNCONNECTED, channel=None),
            Authority(
                code=NCC, name="Контактний центр", kind=AuthorityKind.CONTACT_CENTRE, keys=(verification_key(ncc),)
            ),
        ],
        territories=shipped(),
    )


RECEIVED_AT = format_datetime(datetime.now(UTC))


def form(**changes: Any) -> dict[str, Any]:
    """A small valid appeal as a front end writes it; ``None`` takes a member out."""
    document: dict[str, Any] = {
        "channel": "web",
        "kind": "complaint",
        "received_at": RECEIVED_AT,
        "applicant": {
            "type": "individual",
            "name": {"surname": "Шевченко", "given": "Оксана"},
            "address": {"text": "м. Київ, вул. Хрещатик, 1"},
        },
        "topics": ["roads"],
        "text": "На вулиці яма, просимо полагодити.",
    }
    document.update(changes)
    return {name: value for name, value in document.items() if value is not None}


@dataclass(slots=True)
class World:
    """A running hub. ``tokens``: API keys by name of the caller."""

    url: str
    hub: Hub
    store: Store
    home: Path
    sealer_key: FileKey
    ncc_key: FileKey
    tokens: dict[str, str] = field(default_factory=dict)
    deps: Dependencies | None = None

    @property
    def shares(self) -> Shares:
        """What callers of the running application hold."""
        assert self.deps is not None
        return self.deps.shares

    def call(self, method: str, path: str, who: str | None = "ncc", **options: Any) -> requests.Response:
        """One call over a fresh connection. ``who``: a name in ``tokens``; None = without a credential."""
        headers = {**options.pop("headers", {})}
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, self.url + path, headers=headers, timeout=TIMEOUT_SECS, allow_redirects=False, **options
            )

    def submit(self, who: str = "ncc", **changes: Any) -> dict[str, str]:
        """Submit an appeal and return the answer's document."""
        response = self.call("POST", "/v1/appeals", who, json=form(**changes))
        assert response.status_code == 202, response.text
        document: dict[str, str] = response.json()
        return document

    def delivery(self, case: str) -> Delivery:
        """The first delivery of a case."""
        return self.store.deliveries(CaseId(uuid.UUID(case)))[0]

    def offer(self, case: str, payload: bytes = b'{"sealed":"bytes"}') -> Delivery:
        """Put a delivery into its authority's inbox, as a lane would."""
        delivery = self.delivery(case)
        self.store.apply(
            Change(
                updates=(
                    DeliveryUpdate(
                        id=delivery.id,
                        state=TransportState.OFFERED,
                        payload=payload,
                        payload_type="application/json",
                    ),
                )
            )
        )
        return delivery

    def kill(self, case: str) -> Delivery:
        """Make a dead letter of a delivery."""
        delivery = self.delivery(case)
        update = DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, last_code="delivery.permanent")
        self.store.apply(Change(updates=(update,)))
        return delivery

    def escalate(self, case: str) -> None:
        """Bring a delivery to the operators, as if its channel were in trouble."""
        facts, items = escalate(self.delivery(case), reason="test", detail="Look at it.", now=datetime.now(UTC))
        self.store.apply(Change(facts=facts, items=items))

    def sealed(self, document: dict[str, Any], key: FileKey, rendering: Rendering = Rendering.JSON) -> bytes:
        """An envelope sealed with a key."""
        envelope = json_rendering.from_json(json.dumps(document).encode())
        return seal_envelope(envelope, json_rendering.to_json(envelope), rendering, HubSeal(key))


def envelope(
    kind: str, body: dict[str, Any], *, sender: str, case: str, reply_to: str | None, **more: Any
) -> dict[str, Any]:
    """An envelope as an authority writes it."""
    header = {
        "message_id": str(new_id()),
        "case_id": case,
        "in_reply_to": reply_to,
        "created_at": format_datetime(datetime.now(UTC)),
        "sender": {"code": sender},
        "recipient": {"code": NCC},
    }
    return {
        "version": "1.0",
        "kind": kind,
        "header": {name: value for name, value in header.items() if value is not None},
        "body": body,
        **more,
    }


def now() -> str:
    """The present moment, as envelopes write it."""
    return format_datetime(datetime.now(UTC))


def registered(sender: str, case: str, reply_to: str, number: str = "Ш-12/34") -> dict[str, Any]:
    """A receipt: registered."""
    body = {"status": "registered", "at": now(), "number": number, "date": "2026-03-02"}
    return envelope("receipt", body, sender=sender, case=case, reply_to=reply_to)


def answer(sender: str, case: str, reply_to: str, text: str = "Яму полагоджено.", **more: Any) -> dict[str, Any]:
    """A final answer."""
    body = {
        "stage": "final",
        "result": "satisfied",
        "number": "77",
        "date": "2026-03-05",
        "at": now(),
        "text": text,
    }
    return envelope("answer", body, sender=sender, case=case, reply_to=reply_to, **more)


def _own(home: Path) -> SqlStore:
    return open_store(f"sqlite:///{home / 'following.sqlite'}", migrate=True)


def build(home: Path, store: Store | None = None, **settings: Any) -> World:
    """A hub without workers; its lanes are moved by the tests."""
    (home / "keys").mkdir(parents=True)
    clock, bell = SystemClock(), SilentDoorbell()
    hub_key, sealer, ncc = (
        make_key_file(home / "keys" / f"{name}.pem", common_name=name, organization="Test")
        for name in ("hub", "sealer", "ncc")
    )
    directory = FixedRegistry(_directory(sealer, ncc))
    seal = HubSeal(hub_key)
    memory = store or MemoryStore()
    files = FileAttachments(home / "attachments")
    party = Party(code=NCC, name="Контактний центр")
    law = laws.shipped()
    cases = use_cases(
        Ports(
            store=memory,
            registry=directory,
            clock=clock,
            doorbell=bell,
            seal=seal,
            adapters={},
            party=party,
            law=law,
            attachments=files,
            dice=random.Random(1),
        )
    )
    # The twin in memory has no followers and no acts: theirs is a database of its own, where nothing is to be seen.
    database = (memory if isinstance(memory, SqlStore) else _own(home)).database
    acts = SqlActs(database)
    hub = Hub(
        **{each.name: getattr(cases, each.name) for each in fields(cases)},
        acts=acts,
        audit=SqlAudit(database),
        bulk=Bulk(acts=acts, operators=cases.operators, forwarding=cases.forwarding, clock=clock, owner="test"),
        settings=Settings(home=home, **settings),
        clock=clock,
        store=memory,
        attachments=files,
        registry=directory,
        seal=seal,
        adapters={},
        law=law,
        following=follow(
            Settings(home=home, **settings),
            store=memory,
            database=database,
            attachments=files,
            clock=clock,
            law=law,
        ),
        close=lambda: None,
        uploads=Spool(home / "uploads"),
    )
    world = World(url="", hub=hub, store=memory, home=home, sealer_key=sealer, ncc_key=ncc)
    for name, role, code in (
        ("ncc", "ncc", NCC),
        ("other_ncc", "ncc", OTHER_NCC),
        ("plain", "authority", PLAIN),
        ("puller", "authority", PULLER),
        ("sealer", "authority", SEALER),
        ("operator", "operator", NCC),
        ("engineer", "engineer", NCC),
        ("auditor", "auditor", NCC),
    ):
        world.tokens[name], entry = new_api_key(role, code, holder=f"{name.title()} Test")
        append_key(home / KEY_FILE, entry)
    return world


@contextmanager
def serve(world: World) -> Iterator[World]:
    """Serve a world until the block ends."""
    app = create_app(world.hub)
    world.deps = app.state.deps
    config = server_config(app, "127.0.0.1", 0, graceful_secs=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    world.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield world
    finally:
        server.should_exit = True
        thread.join(START_SECS)


def wait_until(holds: Any, secs: float = START_SECS) -> None:
    """Poll for a fact."""
    deadline = time.monotonic() + secs
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.01)


@cache
def published() -> dict[str, Any]:
    """The OpenAPI document as published; a test of its own says that it is the one that is served."""
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    return document


def problem(response: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this problem document, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["type"] == f"urn:appeal-hub:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["action"]
    assert document["repeatable"] is (status in REPEATABLE)
    return document


def as_bytes(document: AnyEnvelope | dict[str, Any]) -> bytes:
    """JSON bytes of a document."""
    return json.dumps(document, ensure_ascii=False).encode()
