"""Webhooks: signed as the specification says, in order within a case, for days, to checked addresses only."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.errors import ConfigurationError, SealRefused, Unavailable
from hub.following.webhooks import SCHEDULE_SECS, Endpoint, WebhookSender, webhook_id
from hub.net.webhook import WebhookFile, read
from hub.net.webhook_signing import headers, signing_key, verify
from hub.schemas.delivery import FactKind
from hub.schemas.ids import CaseId
from hub.storage.webhook_queue import SqlWebhookQueue
from hub.tracking.share import own_event
from tests.following.world import AUTHORITY, NCC, World

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
SPEC = "spec/standard-webhooks.md"


@dataclass
class Receiver:
    """An endpoint: what it got, and what it answers next (status, headers); 204 when nothing is prepared."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    refuse: str | None = None

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """One call."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.got.append(({name.lower(): value for name, value in handler.headers.items()}, body))
        status, more = self.answers.pop(0) if self.answers else (204, {})
        if self.refuse is not None and self.refuse in body.decode():
            status = 500
        handler.send_response(status)
        for name, value in more.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def told(self) -> list[str]:
        """Types of what arrived, in order."""
        return [json.loads(body)["type"] for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            found.handle(self)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Hooks:
    """A sender with one endpoint."""

    world: World
    sender: WebhookSender
    queue: SqlWebhookQueue
    endpoint: Endpoint

    def run(self) -> int:
        """One round, once all that was written shows."""
        self.world.settle()
        return self.sender.run(self.endpoint)

    def later(self, seconds: float) -> None:
        """Time goes on."""
        self.world.clock.at += timedelta(seconds=seconds)


def _write(path: Path, receiver: Receiver, **changes: Any) -> Path:
    secret = path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    entry = {
        "id": "front",
        "url": receiver.url,
        "secrets": [f"file:{secret}"],
        "party": NCC,
        "allow_http": True,
        "allow_private": ["127.0.0.0/8"],
        **changes,
    }
    file = path / "webhooks.yaml"
    file.write_text(json.dumps({"endpoints": [{k: v for k, v in entry.items() if v is not None}]}))
    return file


def _hooks(world: World, file: Path, owner: str = "one") -> Hooks:
    queue, found = SqlWebhookQueue(world.store.database), WebhookFile(file)
    sender = WebhookSender(
        store=world.store,
        queue=queue,
        endpoints=found,
        cases_of=world.following.cases_of,
        clock=world.clock,
        owner=owner,
        dice=lambda: 0.5,
        own=own_event,
    )
    return Hooks(world, sender, queue, found.endpoints()[0])


@pytest.fixture
def hooks(world: World, receiver: Receiver, tmp_path: Path) -> Hooks:
    """An endpoint that begins with what comes from now on."""
    made = _hooks(world, _write(tmp_path, receiver))
    made.run()
    return made


def test_events_arrive_signed(hooks: Hooks, receiver: Receiver) -> None:
    """Each event of the party's cases is one POST: type, timestamp, data, and a signature that holds."""
    case, _foreign = hooks.world.submit(), hooks.world.submit(owner="11111111")
    hooks.world.state(case, FactKind.REGISTERED, number="Ш-7", date="2026-11-24")
    assert hooks.run() == 1
    assert hooks.run() == 1
    assert hooks.run() == 1
    assert hooks.run() == 0
    assert receiver.told() == ["case.accepted_by_hub", "case.routed", "case.registered"]
    ids = [verify([SECRET], got, body, datetime.now(UTC)) for got, body in receiver.got]
    assert len(set(ids)) == 3
    document = json.loads(receiver.got[2][1])
    assert set(document) == {"type", "timestamp", "data"}
    assert document["data"]["case_id"] == str(case)
    assert document["data"]["number"] == "Ш-7"
    assert document["data"]["state"] == "registered"
    assert len(receiver.got[2][1]) < 1_000
    assert "Шевченко" not in receiver.got[2][1].decode()


def test_a_body_is_called_with_its_own_part_only(world: World, receiver: Receiver, tmp_path: Path) -> None:
    """Its own deliveries and statements, of whatever centre's cases, without the case's state; nothing of others."""
    hooks = _hooks(world, _write(tmp_path, receiver, role="authority", party=AUTHORITY))
    hooks.run()
    case = world.submit()
    world.state(case, FactKind.SENT)
    world.state(case, FactKind.REGISTERED, number="Ш-7", date="2026-11-24")
    world.state(case, FactKind.REGISTERED, "37641918", number="чужий", date="2026-11-24")
    world.state(case, FactKind.ESCALATED, reason="x")
    while hooks.run():
        pass
    assert receiver.told() == ["case.sent", "case.registered"]
    assert "state" not in json.loads(receiver.got[1][1])["data"]
    with pytest.raises(ConfigurationError):
        WebhookFile(_write(tmp_path, receiver, role="authority", party=None))


def test_a_story_is_heard_in_order(hooks: Hooks, receiver: Receiver) -> None:
    """An event that is refused holds up its own case only; its followers come after it, never before."""
    first, second = hooks.world.submit(), hooks.world.submit(surname="Інша")
    receiver.refuse = str(first)
    for kind in (FactKind.SENT, FactKind.DELIVERED):
        hooks.world.state(first, kind)
        hooks.world.state(second, kind)
    while hooks.run():
        pass
    told = [(json.loads(body)["data"]["case_id"], json.loads(body)["type"]) for _, body in receiver.got]
    assert [kind for case, kind in told if case == str(second)] == [
        "case.accepted_by_hub",
        "case.routed",
        "case.sent",
        "case.delivered",
    ]
    assert [kind for case, kind in told if case == str(first)] == ["case.accepted_by_hub"]
    receiver.refuse = None
    hooks.later(60)
    while hooks.run():
        pass
    again = [json.loads(body)["type"] for _, body in receiver.got if str(first) in body.decode()]
    assert again == ["case.accepted_by_hub", "case.accepted_by_hub", "case.routed", "case.sent", "case.delivered"]


def test_a_retry_has_the_same_id_and_a_new_time(hooks: Hooks, receiver: Receiver) -> None:
    """What failed goes again by the schedule: the same id and bytes, a new timestamp, lengthened by jitter."""
    hooks.world.submit()
    receiver.answers = [(500, {}), (302, {"Location": "http://127.0.0.1:1/"}), (200, {})]
    assert hooks.run() == 1
    assert hooks.run() == 0
    hooks.later(5)
    assert hooks.run() == 0, "five seconds and a tenth for jitter"
    hooks.later(1)
    assert hooks.run() == 1
    hooks.later(400)
    assert hooks.run() == 1
    assert {(got["webhook-id"], body) for got, body in receiver.got[:3]} == {
        (receiver.got[0][0]["webhook-id"], receiver.got[0][1])
    }
    assert receiver.told()[:3] == ["case.accepted_by_hub"] * 3


def test_after_days_it_is_given_up_and_an_operator_is_told(hooks: Hooks, receiver: Receiver) -> None:
    """The schedule spans over three days; then the event is kept, the next ones go on, and it can be let go again."""
    case = hooks.world.submit()
    receiver.answers = [(400, {})] * (len(SCHEDULE_SECS) + 1)
    began, attempts = hooks.world.clock.at, 0
    while len(receiver.answers) > 0:
        attempts += hooks.run()
        hooks.later(max(SCHEDULE_SECS) * 1.3)
    assert attempts == len(SCHEDULE_SECS) + 1
    assert hooks.world.clock.at - began > timedelta(days=3)
    assert sum(SCHEDULE_SECS) > 3 * 86_400
    (dead,) = hooks.queue.given_up("front", after=None, limit=9)
    assert (dead.case_id, dead.last_code) == (case, "answer.http_400")
    reasons = [item.reason for item in hooks.world.store.items(open_only=True, after=None, limit=9)]
    assert reasons == ["webhook.exhausted"]
    while hooks.run():
        pass
    assert receiver.told()[-1] == "case.routed"
    assert hooks.queue.revive("front", hooks.world.clock.at) == 1
    assert hooks.run() == 1
    assert receiver.told()[-1] == "case.accepted_by_hub"


def test_gone_switches_the_endpoint_off(hooks: Hooks, receiver: Receiver) -> None:
    """410: nothing more is sent, the operators are told; switched on again, everything that waited arrives."""
    hooks.world.submit()
    receiver.answers = [(410, {})]
    assert hooks.run() == 1
    assert hooks.run() == 0
    state = hooks.queue.endpoint("front")
    assert state is not None
    assert state.disabled_at is not None
    assert [i.reason for i in hooks.world.store.items(open_only=True, after=None, limit=9)] == ["webhook.gone"]
    hooks.queue.save_endpoint(type(state)(id="front"))
    while hooks.run():
        pass
    assert receiver.told() == ["case.accepted_by_hub"] * 2 + ["case.routed"]


def test_retry_after_is_honoured(hooks: Hooks, receiver: Receiver) -> None:
    """429 with Retry-After: the whole endpoint is left alone for so long."""
    hooks.world.submit()
    hooks.world.submit(surname="Інша")
    receiver.answers = [(429, {"Retry-After": "120"})]
    assert hooks.run() == 1
    hooks.later(100)
    assert hooks.run() == 0
    hooks.later(30)
    assert hooks.run() >= 1
    assert len(receiver.got) >= 2


def test_a_dead_endpoint_is_probed_not_flooded(hooks: Hooks, receiver: Receiver) -> None:
    """After five failures in a row one event at a time asks whether it is well again; then all go."""
    cases: list[CaseId] = [hooks.world.submit(surname=f"Хтось{n}") for n in range(12)]
    receiver.answers = [(503, {})] * 7
    assert hooks.run() == 5
    assert hooks.run() == 0
    hooks.later(6)
    assert hooks.run() == 1
    hooks.later(16)
    assert hooks.run() == 1
    hooks.later(3_000)
    assert hooks.run() == 1
    while hooks.run():
        pass
    assert len({json.loads(body)["data"]["case_id"] for _, body in receiver.got[8:]}) == len(cases)


def test_one_process_works_for_an_endpoint(hooks: Hooks, receiver: Receiver, tmp_path: Path) -> None:
    """Two processes at once do not send an event twice; when one is gone, the other goes on."""
    hooks.world.submit()
    hooks.run()
    other = _hooks(hooks.world, _write(tmp_path, receiver), "two")
    assert other.run() == 0
    hooks.later(121)
    assert other.run() == 1
    assert receiver.told() == ["case.accepted_by_hub", "case.routed"]


def test_a_process_that_stops_lets_go(hooks: Hooks, receiver: Receiver, tmp_path: Path) -> None:
    """After a clean stop another process goes on at once; nobody lets go of what another holds."""
    hooks.world.submit()
    hooks.run()
    other = _hooks(hooks.world, _write(tmp_path, receiver), "two")
    other.sender.release("front")
    assert other.run() == 0
    hooks.sender.release("front")
    assert other.run() == 1
    assert receiver.told() == ["case.accepted_by_hub", "case.routed"]


def test_a_crash_after_the_answer_sends_the_same_id_again(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived and was not noted goes again under the same id: never lost, and a receiver can tell the repeat."""
    hooks.world.submit()

    def crash(*_: object) -> None:
        raise Unavailable("the database went away")

    with monkeypatch.context() as broken:
        broken.setattr(hooks.queue, "settle", crash)
        with pytest.raises(Unavailable):
            hooks.run()
    assert hooks.run() == 1
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    assert receiver.got[0][1] == receiver.got[1][1]


def test_only_wanted_types_are_sent(world: World, receiver: Receiver, tmp_path: Path) -> None:
    """An endpoint that wants answers hears answers."""
    made = _hooks(world, _write(tmp_path, receiver, types=["case.answered"], party=None))
    made.run()
    world.answer(world.submit(), "Яму полагоджено.")
    while made.run():
        pass
    assert receiver.told() == ["case.answered"]


def test_a_place_in_the_feed_can_be_taken_again(hooks: Hooks, receiver: Receiver) -> None:
    """Put back to the beginning, an endpoint hears everything again under the same ids."""
    hooks.world.submit()
    while hooks.run():
        pass
    before = [got["webhook-id"] for got, _ in receiver.got]
    hooks.queue.move_endpoint("front", None)
    while hooks.run():
        pass
    assert [got["webhook-id"] for got, _ in receiver.got] == before * 2


def test_private_addresses_are_refused_unless_named(world: World, receiver: Receiver, tmp_path: Path) -> None:
    """An endpoint inside the network is not called unless the file names the network; nothing goes out."""
    made = _hooks(world, _write(tmp_path, receiver, allow_private=[]))
    made.run()
    world.submit()
    assert made.run() == 1
    assert receiver.got == []
    (queued,) = made.queue.heads("front", world.clock.at + timedelta(hours=1), 1)
    assert queued.last_code == "http.address_refused"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"allow_http": False}, "http://"),
        ({"url": "file:///etc/passwd"}, "https://"),
        ({"secrets": ["whsec_c2VjcmV0"]}, "reference"),
        ({"secrets": []}, "secrets"),
        ({"types": ["everything"]}, "types"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_file_is_refused(receiver: Receiver, tmp_path: Path, change: dict[str, Any], word: str) -> None:
    """Each fault of the file is named; a secret itself is never repeated."""
    with pytest.raises(ConfigurationError) as refused:
        read(_write(tmp_path, receiver, **change))
    assert word in refused.value.message
    assert "c2VjcmV0" not in refused.value.message


def test_a_broken_change_leaves_the_endpoints_in_force(receiver: Receiver, tmp_path: Path) -> None:
    """The file is read again when it changes; while it is broken the old endpoints stay."""
    file = _write(tmp_path, receiver)
    found = WebhookFile(file)
    file.write_text("endpoints: [{id: }")
    assert [endpoint.id for endpoint in found.endpoints()] == ["front"]
    _write(tmp_path, receiver, id="other")
    assert [endpoint.id for endpoint in found.endpoints()] == ["other"]
    file.unlink()
    assert found.endpoints() == ()


def _signed(secrets: list[str], body: bytes = b'{"type":"case.sent"}', at: datetime | None = None) -> dict[str, str]:
    return headers([signing_key(s) for s in secrets], "evt_1_2", body, at or datetime.now(UTC))


def test_the_receiver_refuses_what_it_must() -> None:
    """Old, altered, unsigned, signed by another, with another id: each is refused; either of two keys is enough."""
    now, body = datetime.now(UTC), b'{"type":"case.sent"}'
    good = _signed([SECRET, OLD])
    assert verify([SECRET], good, body, now) == verify([OLD], good, body, now) == "evt_1_2"
    wrong: list[tuple[dict[str, str], bytes]] = [
        (good, body + b" "),
        ({**good, "webhook-id": "evt_1_3"}, body),
        ({**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) - 1)}, body),
        (_signed([SECRET], at=now - timedelta(minutes=6)), body),
        (_signed([SECRET], at=now + timedelta(minutes=6)), body),
        ({**good, "webhook-signature": ""}, body),
        ({**good, "webhook-signature": "v1a," + good["webhook-signature"].split(",")[1]}, body),
        ({k: v for k, v in good.items() if k != "webhook-id"}, body),
        (_signed(["whsec_" + base64.b64encode(b"x" * 32).decode()]), body),
    ]
    for received, content in wrong:
        with pytest.raises(SealRefused):
            verify([SECRET, OLD], received, content, now)


@pytest.mark.foreign("openssl")
def test_another_program_makes_the_same_signature(tmp_path: Path) -> None:
    """openssl computes the same HMAC, and verifies the Ed25519 signature with the public key alone."""
    private = Ed25519PrivateKey.generate()
    whsk = "whsk_" + base64.b64encode(private.private_bytes_raw() + private.public_key().public_bytes_raw()).decode()
    body = '{"type":"case.answered","data":{"n":"Ш"}}'.encode()
    made = _signed([SECRET, whsk], body)
    content = b".".join((made["webhook-id"].encode(), made["webhook-timestamp"].encode(), body))
    (tmp_path / "content").write_bytes(content)
    run = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{(b'k' * 32).hex()}", "-binary", "content"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    v1, v1a = (part.split(",")[1] for part in made["webhook-signature"].split(" "))
    assert base64.b64decode(v1) == run.stdout
    spki = bytes.fromhex("302a300506032b6570032100") + private.public_key().public_bytes_raw()
    (tmp_path / "key.der").write_bytes(spki)
    (tmp_path / "sig").write_bytes(base64.b64decode(v1a))
    subprocess.run(
        [
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-keyform",
            "DER",
            "-inkey",
            "key.der",
            "-rawin",
            "-in",
            "content",
            "-sigfile",
            "sig",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    public = "whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode()
    assert verify([public], made, body, datetime.now(UTC)) == "evt_1_2"


@pytest.mark.parametrize("secret", ["", "plain", "whsec_", "whsec_###", "whsec_c2hvcnQ=", "whsk_c2hvcnQ="])
def test_a_secret_must_be_one_of_the_specification(secret: str) -> None:
    """Short, unreadable or unknown secrets are refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        signing_key(secret)


@pytest.mark.vectors("standard-webhooks")
def test_the_specification_says_what_we_do(vectors: Path) -> None:
    """Schedule, header names and limits are those of the specification's own text."""
    text = (vectors / "standard-webhooks" / SPEC).read_text("utf-8")
    hours = {"seconds": 1, "minutes": 60, "hours": 3_600}
    table = re.findall(r"^\| (\d+) (seconds|minutes|hours) +\|", text, re.MULTILINE)
    assert [int(number) * hours[unit] for number, unit in table] == list(SCHEDULE_SECS)
    for name in headers([signing_key(SECRET)], "evt_1_1", b"", datetime.now(UTC)):
        assert f"`{name}`" in text
    assert "Between 24 bytes (192 bits) and 64 bytes (512 bits)" in text
    assert "." not in webhook_id("0000000000000000012.0000000000000000034")
    assert AUTHORITY not in os.environ.get("HUB_VECTORS", "")
