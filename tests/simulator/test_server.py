"""Simulated authorities over real HTTP: what they say to the hub's adapter, what they report, and what they count."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
import yaml
from click.testing import CliRunner

from hub.adapters import AdapterContext, adapter
from hub.cli.simulate import simulate
from hub.errors import ConfigurationError
from hub.ports import Outcome, Parcel, RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnswerEnvelope, AnyEnvelope, AppealEnvelope, Attachment, ReceiptEnvelope
from hub.schemas.ids import MessageId
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import ReceiptStatus
from hub.sealed import open_envelope, seal_parcel
from hub.seals import HubSeal, make_key_file
from hub.seals.keys import verification_key
from hub.simulator.characters import load
from hub.simulator.server import Simulator
from hub.simulator.setup import Placement, set_up
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery
from tests.adapters.servers import Server, http, read_request, serving

CODE = "00032106"
DEADLINE_SECS = 120.0


class FakeHub:
    """The doors that authorities knock at; ``answers`` are given to reports one after another, then 202."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, bytes, str]] = []
        self.answers: list[bytes] = []
        self.inbox: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            conn.sendall(self.say(head.decode(), body))

    def say(self, head: str, body: bytes) -> bytes:
        method, path, _ = head.split("\r\n", maxsplit=1)[0].split(" ")
        bearer = re.search(r"\r\nAuthorization: Bearer (\S+)", head)
        with self._lock:
            if method == "GET" and path.startswith("/v1/inbox?"):
                messages = [{"message_id": message_id} for message_id in self.inbox]
                return http("200 OK", json.dumps({"messages": messages, "cursor": None}).encode())
            if method == "GET":
                found = self.inbox.get(path.rpartition("/")[2])
                return http("200 OK", found, Content_Type="application/json") if found else http("404 No")
            self.reports.append((path, body, bearer[1] if bearer else ""))
            if path.endswith("/receipt"):
                self.inbox.pop(path.split("/")[3], None)
            return self.answers.pop(0) if self.answers else http("202 Accepted", b"{}")

    def told(self) -> list[bytes]:
        with self._lock:
            return [body for _, body, _ in self.reports]


class World:
    """One simulated authority, a fake hub, and the hub's real adapter between them."""

    def __init__(
        self,
        folder: Path,
        hub: FakeHub,
        hub_url: str,
        character: str,
        speaks: Literal["rest", "soap"] = "rest",
        **changes: object,
    ) -> None:
        self.hub = hub
        self.attachments = MemoryAttachments()
        self.seal = HubSeal(make_key_file(folder / "hub.pem", common_name="Hub", organization="Test"))
        key = load_key(folder)
        called = speaks == "rest" and character not in ("pulling", "filing")
        settings = {"attachments": "multipart"} if called else {}
        placement = Placement(
            code=CODE, name="НБУ", character=character, changes=changes, settings=settings, speaks=speaks
        )
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        done = set_up(
            folder,
            [placement],
            base_url=f"http://127.0.0.1:{port}",
            hub_url=hub_url,
            api_keys={CODE: "hub_api_key"},
            hub_keys=[key],
            hours_per_sec=1_000,
        )
        overlay = yaml.safe_load(done.overlay.read_bytes())
        self.channel = Channel.model_validate(overlay["channels"][0]["channel"])
        self.adapter = adapter(self.channel.adapter, AdapterContext(attachments=self.attachments))
        self.keys = (VerificationKey.model_validate_json(json.dumps(overlay["keys"][0]["key"])),)
        self.simulator = Simulator(load(done.simulation), folder=folder, port=port)

    def parcel(self, envelope: AppealEnvelope) -> Parcel:
        canonical = json_rendering.to_json(envelope)
        return seal_parcel(
            envelope,
            canonical,
            self.adapter.rendering(self.channel),
            self.seal,
            message_id=MessageId(envelope.header.message_id),
            reply_url=None,
        )

    def send(self, envelope: AppealEnvelope, times: int = 1) -> list[Outcome]:
        prepared = self.adapter.prepare(self.parcel(envelope), self.channel)
        with self.adapter.session(self.channel) as session:
            return [session.send(prepared, 5.0) for _ in range(times)]

    def open(self, body: bytes) -> AnyEnvelope:
        raw = RawInbound(content_type="application/json", body=body)
        envelope, sealed = open_envelope(raw, seal=self.seal, keys=self.keys, at=datetime.now(UTC), seal_required=True)
        assert sealed
        return envelope

    def state(self) -> Counter[str]:
        answer = requests.get(f"{self.simulator.url}/_sim/state", timeout=60)
        return Counter(answer.json()["authorities"][CODE])


def load_key(folder: Path) -> VerificationKey:
    from hub.seals import load_signing_key

    return verification_key(load_signing_key(folder / "hub.pem"))


def until(fact: Callable[[], bool]) -> None:
    """Poll for a fact."""
    end = time.monotonic() + DEADLINE_SECS
    while not fact():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.01)


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a running world with a character; one per test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(character: str, **changes: Any) -> World:
            hub = FakeHub()
            server = stack.enter_context(serving(hub.script))
            world = World(tmp_path, hub, server.url("").rstrip("/"), character, **changes)
            stack.enter_context(world.simulator)
            return world

        yield make


def test_prompt_brings_a_sealed_receipt_in_the_response_and_an_answer_later(make_world: Callable[..., World]) -> None:
    """Registered at once with number and date; the answer comes to the channel's own door with the API key."""
    world = make_world("prompt")
    mine = appeal()
    (outcome,) = world.send(mine)
    assert outcome.kind is OutcomeKind.DELIVERED
    registered = world.open(outcome.receipts[0].body)
    assert isinstance(registered, ReceiptEnvelope)
    assert registered.body.number == "К-1"
    assert registered.header.in_reply_to == mine.header.message_id
    assert registered.header.recipient == mine.header.sender
    until(lambda: world.state()["answered"] == 1)
    ((path, body, key),) = world.hub.reports
    assert (path, key) == (f"/v1/callbacks/{CODE}.sim", "hub_api_key")
    answer = world.open(body)
    assert isinstance(answer, AnswerEnvelope)
    assert answer.header.case_id == mine.header.case_id


def test_ids_are_honoured_and_duplicates_counted(make_world: Callable[..., World]) -> None:
    """A repeat is told so and counted; other bytes under the same id are counted apart; nothing is done twice."""
    world = make_world("slow", respond_ms=0)
    mine = appeal()
    assert [outcome.kind for outcome in world.send(mine, 3)] == [
        OutcomeKind.DELIVERED,
        OutcomeKind.DUPLICATE,
        OutcomeKind.DUPLICATE,
    ]
    altered = mine.model_copy(update={"body": mine.body.model_copy(update={"text": "Інше."})})
    assert world.send(altered)[0].kind is OutcomeKind.DUPLICATE
    until(lambda: world.state()["answered"] == 1)
    state = world.state()
    assert (state["received"], state["unique"], state["duplicates"], state["altered"]) == (4, 1, 3, 1)
    assert (state["registered"], state["answered"]) == (1, 1)


def test_a_lost_answer_was_taken_in(make_world: Callable[..., World]) -> None:
    """F20: the first try ends unknown, the second brings the receipt that was lost; it is registered once."""
    world = make_world("prompt", fail_percent=100, failures=["lost"])
    first, second = world.send(appeal(), 2)
    assert first.kind is OutcomeKind.UNKNOWN
    assert second.kind is OutcomeKind.DELIVERED
    assert len(second.receipts) == 1
    assert (world.state()["unique"], world.state()["duplicates"]) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("busy", OutcomeKind.TEMPORARY), ("error", OutcomeKind.UNKNOWN), ("reset", OutcomeKind.UNKNOWN)],
)
def test_failures_take_nothing_in(make_world: Callable[..., World], fault: str, kind: OutcomeKind) -> None:
    """503, 500 and a hang-up before acceptance: the next try is the first that counts."""
    world = make_world("failing", fail_percent=100, fail_tries=1, failures=[fault])
    first, second = world.send(appeal(), 2)
    assert (first.kind, second.kind) == (kind, OutcomeKind.DELIVERED)
    assert (world.state()["unique"], world.state()["duplicates"]) == (1, 0)


def test_a_refusal_names_its_ground_and_stays(make_world: Callable[..., World]) -> None:
    """Refused with the ground, and refused again on a repeat; no report follows."""
    world = make_world("refusing", refuse_percent=100, ground="unreadable")
    for outcome in world.send(appeal(), 2):
        assert (outcome.kind, outcome.ground) == (OutcomeKind.REFUSED, "unreadable")
    assert (world.state()["refused"], world.simulator.state()["reports_waiting"]) == (1, 0)


def test_silence_is_kept(make_world: Callable[..., World]) -> None:
    """Accepted, and never a word more."""
    world = make_world("silent")
    assert world.send(appeal())[0].kind is OutcomeKind.DELIVERED
    assert world.simulator.state()["reports_waiting"] == 0
    assert world.hub.told() == []


def test_twice_sends_the_same_bytes_twice(make_world: Callable[..., World]) -> None:
    """Each report comes two times under one message id."""
    world = make_world("twice")
    world.send(appeal())
    until(lambda: len(world.hub.told()) == 4)
    assert sorted(Counter(world.hub.told()).values()) == [2, 2]


def test_disorderly_answers_before_it_registers(make_world: Callable[..., World]) -> None:
    """F13: the answer is there first, the registration after it."""
    world = make_world("disorderly")
    world.send(appeal())
    until(lambda: len(world.hub.told()) == 2)
    kinds = [world.open(body).kind for body in world.hub.told()]
    assert kinds == ["answer", "receipt"]


def test_polled_tells_when_asked(make_world: Callable[..., World]) -> None:
    """The adapter's poll brings the sealed receipts once their time has come, the same ones each time."""
    world = make_world("polled", answers=False)
    mine = appeal()
    assert world.send(mine)[0].kind is OutcomeKind.DELIVERED
    found: list[Outcome] = []
    with world.adapter.session(world.channel) as session:

        def asked() -> bool:
            found.append(session.poll(delivery(mine, world.channel), 5.0))
            assert found[-1].kind is OutcomeKind.DELIVERED
            return bool(found[-1].receipts)

        until(asked)
        again = session.poll(delivery(mine, world.channel), 5.0)
    # Wrapped anew in the list, the seal still holds.
    assert [world.open(raw.body).kind for raw in again.receipts] == ["receipt"]
    assert again.receipts == found[-1].receipts
    assert world.hub.told() == []


def test_pulling_fetches_and_reports(make_world: Callable[..., World]) -> None:
    """It takes from the inbox once, sends its receipt there, and its answer to the channel's door."""
    world = make_world("pulling")
    mine = appeal()
    parcel = world.parcel(mine)
    world.hub.inbox[str(mine.header.message_id)] = parcel.sealed
    until(lambda: len(world.hub.told()) == 2)
    paths = {path for path, _, _ in world.hub.reports}
    assert paths == {f"/v1/inbox/{mine.header.message_id}/receipt", f"/v1/callbacks/{CODE}.sim"}
    first = world.open(world.hub.told()[0])
    assert isinstance(first, ReceiptEnvelope)
    assert first.body.status is ReceiptStatus.REGISTERED
    assert world.state()["received"] == 1


def test_pulling_refuses_by_receipt(make_world: Callable[..., World]) -> None:
    """Who pulls can only refuse with a receipt, with ground and registrar."""
    world = make_world("pulling", refuse_percent=100)
    mine = appeal()
    world.hub.inbox[str(mine.header.message_id)] = world.parcel(mine).sealed
    until(lambda: len(world.hub.told()) == 1)
    refused = world.open(world.hub.told()[0])
    assert isinstance(refused, ReceiptEnvelope)
    assert (refused.body.status, refused.body.ground) == (ReceiptStatus.REFUSED, "wrong_addressee")
    assert refused.body.registrar is not None


def test_reports_are_repeated_until_the_hub_decides(make_world: Callable[..., World]) -> None:
    """503 and a hang-up are tried again with the same bytes; 4xx ends it and is counted."""
    world = make_world("slow", respond_ms=0, answers=False)
    world.hub.answers = [http("503 Busy", b"", Retry_After="0"), http("500 Oh"), http("404 No")]
    world.send(appeal())
    until(lambda: world.state()["report_refused"] == 1)
    assert len(world.hub.told()) == 3
    assert len(set(world.hub.told())) == 1
    assert world.state()["registered"] == 0


def test_files_are_checked_against_the_manifest(make_world: Callable[..., World]) -> None:
    """Multipart from the hub's adapter arrives whole."""
    world = make_world("prompt")
    data = bytes(range(256)) * 400
    sha256, size = world.attachments.put(iter([data]), limit=len(data))
    file = Attachment(sha256=sha256, size=size, media_type="image/jpeg", name="яма.jpg")
    assert world.send(appeal((file,)))[0].kind is OutcomeKind.DELIVERED
    assert world.state()["with_files"] == 1


def test_strangers_and_forgeries_are_turned_away(make_world: Callable[..., World]) -> None:
    """No token: 401. A seal that is not the hub's, or a file not in the manifest: 422, and nothing is taken in."""
    world = make_world("prompt")
    url = world.channel.settings["url"]
    assert requests.post(url, data=b"{}", timeout=60).status_code == 401
    token = Path(world.channel.settings["auth"]["token"].removeprefix("file:")).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    good = world.parcel(appeal()).sealed
    forged = good.replace("Немає води".encode(), "Є вода, дякую".encode())
    plain = json.dumps(json.loads(good)["envelope"]).encode()
    for body in (forged, plain, b"garbage"):
        assert requests.post(url, data=body, headers=headers, timeout=60).status_code == 422
    file = Attachment(sha256="0" * 64, size=1, media_type="image/jpeg", name="a.jpg")
    sealed = world.parcel(appeal((file,))).sealed
    parts: Any = [("envelope", ("envelope", sealed, "application/json")), ("file", ("f", b"x", "image/jpeg"))]
    answer = requests.post(url, files=parts, headers={"Authorization": headers["Authorization"]}, timeout=60)
    assert answer.status_code == 422
    state = world.state()
    assert (state["unauthenticated"], state["malformed"], state["received"]) == (1, 4, 0)


def test_unknown_paths_are_not_found(make_world: Callable[..., World]) -> None:
    """Another authority, another path, another message: 404, and the connection lives on."""
    world = make_world("polled")
    base = world.simulator.url
    token = Path(world.channel.settings["auth"]["token"].removeprefix("file:")).read_text().strip()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for path in (f"/99999999/messages/{uuid.uuid4()}", f"/{CODE}/messages/{uuid.uuid4()}", f"/{CODE}/messages/x"):
            assert session.get(base + path, timeout=60).status_code == 404
        for path in ("/99999999/appeals", f"/{CODE}/elsewhere"):
            assert session.post(base + path, data=b"{}", timeout=60).status_code == 404


def test_many_connections_at_once(make_world: Callable[..., World]) -> None:
    """Eight lanes at once: each id once, nothing lost."""
    world = make_world("prompt", answers=False)
    envelopes = [appeal() for _ in range(40)]

    def work(part: list[AppealEnvelope]) -> None:
        for envelope in part:
            world.send(envelope)

    threads = [threading.Thread(target=work, args=(envelopes[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = world.state()
    assert (state["unique"], state["duplicates"], state["registered"]) == (40, 0, 40)


@contextmanager
def simulation_file(folder: Path) -> Iterator[Path]:
    done = set_up(
        folder,
        [Placement(code=CODE, name="НБУ", character="prompt")],
        base_url="http://127.0.0.1:1",
        hub_url="http://127.0.0.1:2",
        api_keys={CODE: "key"},
    )
    yield done.simulation


def test_the_command_runs_and_says_what_it_saw(tmp_path: Path) -> None:
    """``hub simulate`` listens, says where, and prints counts at its end."""
    with simulation_file(tmp_path) as file:
        done = CliRunner().invoke(simulate, [str(file), "--listen", "127.0.0.1:0", "--for-secs", "0.1"])
        assert done.exit_code == 0
        assert "1 authorities ready on http://127.0.0.1:" in done.output
        asked = CliRunner().invoke(simulate, [str(file), "--listen", "127.0.0.1:0", "--for-secs", "0.1", "--json"])
        assert json.loads(asked.stdout)["authorities"][CODE]["received"] == 0
        assert CliRunner().invoke(simulate, [str(file), "--listen", "nowhere"]).exit_code == 2


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    """Its state has no credential, so no other machine may ask."""
    with simulation_file(tmp_path) as file:
        for host in ("0.0.0.0", "192.0.2.1", "example.org"):
            with pytest.raises(ConfigurationError):
                Simulator(load(file), folder=tmp_path, host=host)
