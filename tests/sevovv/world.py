"""A hub put together as in production (embedded), with authorities over SEV, served on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import uvicorn
from starlette.types import ASGIApp

from hub.api.app import create_app
from hub.api.auth import KEY_FILE, append_key, new_api_key
from hub.api.protocol import server_config
from hub.api.refused import RefusedLogins
from hub.bootstrap import Hub, build
from hub.schemas.delivery import Delivery, Fact
from hub.schemas.ids import CaseId
from hub.seals import make_key_file
from hub.settings import Settings
from tests.api.world import form, wait_until
from tests.conftest import vectors_root
from tests.lanes import run_lane

SPEC = vectors_root().parent / "spec" / "sevovv"
NCC = "36521731"
BODY = "00032684"
OTHER = "00032106"
SYSTEM = "5796f7fe-c0b0-4ed6-866e-d36ad454ec04"
OTHER_SYSTEM = "052dfd86-34c4-4053-993e-21d9888465f6"


def authority(code: str, topic: str, *channels: dict[str, Any], kind: str = "central") -> dict[str, Any]:
    """An entry of the registry."""
    return {
        "code": code,
        "name": f"Орган {code}",
        "kind": kind,
        "competences": [{"topics": [topic], "territories": ["UA"]}] if topic else [],
        "channels": list(channels),
    }


def fetching(code: str, system: str) -> dict[str, Any]:
    """A channel whose document system fetches over our IntegrationService."""
    return {"id": f"{code}.sev", "adapter": "pull", "dialect": "sevovv", "settings": {"sevovv": {"system_id": system}}}


FETCHING = (
    authority(BODY, "roads", fetching(BODY, SYSTEM)),
    authority(OTHER, "water", fetching(OTHER, OTHER_SYSTEM)),
)


@dataclass(slots=True)
class World:
    """A running hub. ``keys``: API keys by name of the caller; ``refused``: what counts calls of nobody."""

    hub: Hub
    url: str
    keys: dict[str, str]
    refused: RefusedLogins

    @property
    def service(self) -> str:
        """Where the SEV-compatible service is."""
        return f"{self.url}/soap/IntegrationService"

    def submit(self, *files: tuple[str, bytes, str], **changes: Any) -> dict[str, str]:
        """Submit an appeal with files; the answer's document."""
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {self.keys['ncc']}"}
            body: dict[str, Any] = {"json": form(**changes)}
            if files:
                parts = [("appeal", (None, json.dumps(form(**changes)), "application/json"))]
                body = {"files": [*parts, *(("files", each) for each in files)]}
            response = session.post(f"{self.url}/v1/appeals", headers=headers, timeout=60, **body)
        assert response.status_code == 202, response.text
        document: dict[str, str] = response.json()
        return document

    def carry(self, channel_id: str) -> None:
        """Run a lane once: send, poll, collect."""
        run_lane(self.hub, channel_id)

    def delivery(self, case: str) -> Delivery:
        """The delivery of a case."""
        (found,) = self.hub.store.deliveries(CaseId(as_id(case)))
        return found

    def facts(self, case: str) -> tuple[Fact, ...]:
        """Facts of a case."""
        return self.hub.store.facts(CaseId(as_id(case)))

    def kinds(self, case: str) -> set[str]:
        """Kinds of the facts of a case."""
        return {str(fact.kind) for fact in self.facts(case)}


def as_id(text: str) -> Any:
    """A UUID."""
    import uuid

    return uuid.UUID(text)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """An application on a free port of loopback; its URL."""
    config = server_config(app, "127.0.0.1", 0, graceful_secs=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


@contextmanager
def world(home: Path, authorities: tuple[dict[str, Any], ...] = FETCHING, **settings: Any) -> Iterator[World]:
    """A hub with these authorities, its own key, and one API key for each party."""
    (home / "keys").mkdir(parents=True, exist_ok=True)
    (home / "registry").mkdir(exist_ok=True)
    if not (home / "keys" / "hub.pem").exists():
        make_key_file(home / "keys" / "hub.pem", common_name="hub", organization="Test")
    topics = [{"code": code, "name": code} for code in ("roads", "water", "heating")]
    text = json.dumps({"topics": topics, "authorities": list(authorities)}, ensure_ascii=False)  # YAML too
    (home / "registry" / "all.yaml").write_text(text, "utf-8")
    keys = {}
    parties = [("ncc", NCC), *(("authority", each["code"]) for each in authorities if each["code"] != NCC)]
    for role, party in parties:
        keys[role if role == "ncc" else party], entry = new_api_key(role, party)
        append_key(home / KEY_FILE, entry)
    hub = build(Settings(home=home, party_name="Контактний центр", **settings))
    try:
        app = create_app(hub)
        with serving(app) as url:
            yield World(hub=hub, url=url, keys=keys, refused=app.state.deps.refused)
    finally:
        hub.close()
