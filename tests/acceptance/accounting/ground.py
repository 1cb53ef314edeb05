"""A hub put together as in production, with a body for every way in, and the other sides of them on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import requests

from hub.api.app import create_app
from hub.api.auth import KEY_FILE, append_key, new_api_key
from hub.api.dependencies import Dependencies
from hub.bootstrap import Hub, build
from hub.cases.submission import Accepted, Submission
from hub.clock import SystemClock
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, TransportState
from hub.schemas.terms import Priority
from hub.seals import make_key_file
from hub.settings import Settings
from tests.adapters.email.making import BODY_ADDRESS, HUB_ADDRESS, LOOPBACK, out_settings
from tests.adapters.servers import Server, read_request, serving
from tests.adapters.sftp.sshd import make_key
from tests.api.world import form
from tests.reported.players.sftp_server import Habits, serving_sftp
from tests.schemas.form_reading import form_from_json
from tests.sevovv.world import authority, fetching
from tests.sevovv.world import serving as serving_app

NCC = "36521731"
CALLER, PULLER, SEV, FILER, MAILER, RESPONDER, POLLED = (
    *("00032106", "00032129", "00032684", "00034186"),
    *("00037256", "37641918", "00034022"),
)
SYSTEM = "5796f7fe-c0b0-4ed6-866e-d36ad454ec04"
TOPICS = {
    CALLER: "roads",
    PULLER: "water",
    SEV: "heating",
    FILER: "parks",
    MAILER: "transport",
    RESPONDER: "housing",
    POLLED: "noise",
}
LANE = {"retry_secs": [86_400], "breaker_failures": 1_000, "rate_per_sec": 10_000, "collect_secs": 1}
TIMEOUT_SECS = 60.0


class TickingClock:
    """Moves on a millisecond whenever it is looked at, and by more when the test says so: no two moments are alike."""

    def __init__(self) -> None:
        self._time = SystemClock().now()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._time += timedelta(milliseconds=1)
            return self._time

    def go(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self._time += timedelta(seconds=seconds)


@dataclass(slots=True)
class Peer:
    """Another system that answers every call with the same bytes, until the test says others."""

    says: bytes = b""

    def script(self, _: Server, conn: socket) -> None:
        """Answer each request of a connection."""
        while read_request(conn)[0]:
            conn.sendall(self.says)


@dataclass(slots=True)
class Ground:
    """A running hub and its other sides. ``keys``: API keys by party."""

    hub: Hub
    url: str
    deps: Dependencies
    clock: TickingClock
    peer: Peer
    mails: Path
    files: Path
    keys: dict[str, str]
    session: requests.Session
    _cases: dict[str, list[Accepted]] = field(default_factory=dict)

    def submit(self, body: str) -> Accepted:
        """An appeal to a body."""
        words = form_from_json(json.dumps(form(topics=[TOPICS[body]])).encode())
        submission = Submission(form=words, owner=NCC, priority=Priority.NORMAL)
        (accepted,) = self.hub.intake.submit_all([submission])
        return accepted

    def case(self, body: str, number: int) -> Accepted:
        """One of a few appeals to a body."""
        known = self._cases.setdefault(body, [])
        if len(known) < 8:
            known.append(self.submit(body))
            self.settle(known[-1], asked=False)
        return known[number % len(known)]

    def settle(self, accepted: Accepted, *, asked: bool = True) -> None:
        """It has reached its body, which is asked about it now, or not any more."""
        now = self.clock.now() if asked else None
        update = DeliveryUpdate(id=self.delivery(accepted).id, state=TransportState.DELIVERED, poll_at=now)
        self.hub.store.apply(Change(updates=(update,)))

    def delivery(self, accepted: Accepted) -> Delivery:
        """Its delivery."""
        found = self.hub.store.delivery_of(accepted.message_id)
        assert found is not None
        return found

    def post(self, path: str, body: bytes, kind: str, bearer: str | None, **headers: str) -> requests.Response:
        """One call. ``bearer``: the credential, if there is one."""
        said = {"Content-Type": kind, **headers}
        if bearer is not None:
            said["Authorization"] = f"Bearer {bearer}"
        return self.session.post(self.url + path, data=body, headers=said, timeout=TIMEOUT_SECS)


def _rest(code: str, port: int, **settings: Any) -> dict[str, Any]:
    loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    url = f"http://127.0.0.1:{port}/in"
    return {"id": f"{code}.rest", "adapter": "rest", "lane": LANE, "settings": {"url": url, **loopback, **settings}}


def _sftp(folder: Path, port: int, host_key: str) -> dict[str, Any]:
    where = {"host": "127.0.0.1", "port": port, "user": "hub", "host_keys": [host_key], "key": f"file:{folder}/user"}
    boxes = {"inbox": "/in", "outbox": "/out", "allow_private": ["127.0.0.0/8"]}
    return {"id": f"{FILER}.sftp", "adapter": "sftp", "dialect": "drop", "lane": LANE, "settings": {**where, **boxes}}


def _registry(peer: int, folder: Path, sftp_port: int, host_key: str) -> str:
    status = f"http://127.0.0.1:{peer}/status/{{message_id}}"
    box = {"address": HUB_ADDRESS, "reply_key": "env:TEST_MAIL_KEY", "pickup": str(folder / "mails")}
    mail = {
        **out_settings(9),
        "to": [BODY_ADDRESS],
        "smtp": {"host": "127.0.0.1", "port": 9, "security": "none", "relay": False, "allow_private": LOOPBACK},
    }
    entries = [
        authority(CALLER, TOPICS[CALLER], _rest(CALLER, peer)),
        authority(PULLER, TOPICS[PULLER], {"id": f"{PULLER}.pull", "adapter": "pull"}),
        authority(SEV, TOPICS[SEV], fetching(SEV, SYSTEM)),
        authority(FILER, TOPICS[FILER], _sftp(folder, sftp_port, host_key)),
        authority(
            MAILER,
            TOPICS[MAILER],
            {"id": f"{MAILER}.mail", "adapter": "email", "legal_class": "delivered", "settings": mail},
        ),
        authority(RESPONDER, TOPICS[RESPONDER], _rest(RESPONDER, peer, receipt="response")),
        authority(POLLED, TOPICS[POLLED], _rest(POLLED, peer, receipt="poll", status_url=status)),
        authority(
            NCC,
            "",
            {"id": f"{NCC}.mailbox", "adapter": "email", "dialect": "mailbox", "lane": LANE, "settings": box},
            kind="contact_centre",
        ),
    ]
    topics = [{"code": code, "name": code} for code in TOPICS.values()]
    return json.dumps({"topics": topics, "authorities": entries}, ensure_ascii=False)  # YAML too


def _keys(home: Path) -> dict[str, str]:
    keys = {}
    for party in (CALLER, PULLER, SEV):
        keys[party], entry = new_api_key("authority", party)
        append_key(home / KEY_FILE, entry)
    return keys


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A hub in a folder, and everybody that it talks to."""
    home, peer, clock = folder / "home", Peer(), TickingClock()
    for each in (home / "keys", home / "registry", folder / "mails", folder / "root" / "in", folder / "root" / "out"):
        each.mkdir(parents=True)
    host_key = make_key(folder / "host")
    make_key(folder / "user")
    make_key_file(home / "keys" / "hub.pem", common_name="hub", organization="Test")
    with ExitStack() as stack:
        server = stack.enter_context(serving(peer.script))
        port = stack.enter_context(serving_sftp(folder / "root", folder / "host", Habits()))
        (home / "registry" / "all.yaml").write_text(_registry(server.port, folder, port, host_key), "utf-8")
        keys = _keys(home)
        hub = build(Settings(home=home, party_name="Контактний центр"), clock=clock)
        stack.callback(hub.close)
        app = create_app(hub)
        url = stack.enter_context(serving_app(app))
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        yield Ground(
            hub=hub,
            url=url,
            deps=app.state.deps,
            clock=clock,
            peer=peer,
            mails=folder / "mails",
            files=folder / "root" / "out",
            keys=keys,
            session=session,
        )
