"""The dialect ``sevovv`` of the adapter ``soap``: sending, resuming, what each fault means; and fetching."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.ports import Outcome, Prepared
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.codes import ERRORS, ErrorClass, meaning
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.ids import new_id
from hub.schemas.transfer import TransferState
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Confidant, Feature, Harness, Peer, attempt, fresh, store_file
from hub.testing.samples import SECRET, appeal, delivery
from tests.adapters.servers import Server, read_request, serving, sick
from tests.sevovv.node import Fail, SevNode, served

SYSTEM = "019aa000-0000-7000-8000-00000000aaaa"


def channel(url: str, **settings: object) -> Channel:
    """A channel to a service on loopback."""
    section = {"system_id": SYSTEM, "password": "env:SEV_TEST_PASSWORD", "org_id": "36521731"}
    return Channel(
        id="00032106.sev",
        adapter="soap",
        dialect="sevovv",
        settings={
            "url": url,
            "allow_http": True,
            "allow_private": ["127.0.0.0/8"],
            "max_response_kb": 2_048,
            "sevovv": {**section, **settings},
        },
    )


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEV_TEST_PASSWORD", "secret")


@pytest.fixture
def sev(tmp_path: Path) -> SevNode:
    """A SEV node."""
    return SevNode(tmp_path)


@pytest.fixture
def url(sev: SevNode) -> Iterator[str]:
    """Where it is served."""
    with served(sev) as where:
        yield where


class _Peer:
    """SEV as the contract sees it: messages that came in whole, and those that it knew by their hash."""

    def __init__(self, url: str, sev: SevNode) -> None:
        self._channel = channel(url)
        self._sev = sev
        self.secret = SECRET

    @property
    def received(self) -> list[bytes]:
        """One for each attempt: what came in whole, or what was recognised when the session was opened."""
        return [self._sev.whole[0]] * self._sev.calls.count("OpenUploadingSession") if self._sev.whole else []

    def channel(self) -> Channel:
        return self._channel


class _Endless:
    """A node whose answer has no end, slowly or fast."""

    server: Server

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.received: list[bytes] = []
        self.poured = 0

    def script(self, server: Server, conn: socket.socket) -> None:
        self.received.append(read_request(conn)[1])
        self.poured = sick(self._kind, conn, server.stopped)

    def channel(self) -> Channel:
        return channel(self.server.url())


class _Queue:
    """SEV's input queue with a notice in it."""

    def __init__(self, url: str, sev: SevNode) -> None:
        self._channel = channel(url, collect=True)
        self._sev = sev

    def channel(self) -> Channel:
        return self._channel

    def waiting(self) -> int:
        return len(self._sev.queue)


class TestContract(AdapterContract):
    """The suite of all adapters."""

    features = (CALLS | {Feature.COLLECTS}) - {Feature.REFUSES, Feature.REFUSES_FILES, Feature.ANSWERS_ANOTHER}
    proves = LegalClass.REGISTERED

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
        from contextlib import ExitStack

        from tests.sevovv.test_fetching import notice, put

        monkeypatch.setenv("SEV_TEST_PASSWORD", SECRET)
        slow, fast = _Endless("trickles"), _Endless("floods")
        queue = SevNode(tmp_path / "queue")
        put(queue, notice(str(new_id())))
        attachments = MemoryAttachments()
        with ExitStack() as stack:

            def peer(name: str, fail: Fail | None = None) -> Peer:
                made = SevNode(tmp_path / name)
                if fail is not None:
                    made.fail = fail
                return cast(Peer, _Peer(stack.enter_context(served(made)), made))

            def lost_at_the_end(name: str, count: int) -> str | None:
                if name == "UploadMessageChunk":
                    return "lost"
                return {1: "lost", 2: "26"}.get(count) if name == "GetSessionInfo" else None

            carrying: list[Peer] = []

            def carries() -> Peer:
                carrying.append(cast(Peer, _WithFiles(cast(_Peer, peer("files")))))
                return carrying[0]

            slow.server = stack.enter_context(serving(slow.script))
            fast.server = stack.enter_context(serving(fast.script))
            yield Harness(
                adapter=SoapAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer("accepts"),
                wrong=channel("https://example.org/", typo=1),
                garbles=peer("garbles", lambda *_: "garbage"),
                busy=peer("busy", lambda *_: "busy"),
                absent=channel("http://127.0.0.1:9/"),
                loses_answer=peer("loses", lost_at_the_end),
                carries_files=carries,
                trickles=slow,
                floods=fast,
                confides=cast(
                    Confidant, _Peer(stack.enter_context(served(node := SevNode(tmp_path / "confides"))), node)
                ),
                collects=_Queue(stack.enter_context(served(queue)), queue),
            )


class _WithFiles:
    """A peer that shows the files inside the messages it got, decoded."""

    def __init__(self, peer: _Peer) -> None:
        self._peer = peer

    @property
    def received(self) -> list[bytes]:
        from hub.protocols.sevovv.split import split

        found = []
        for message in self._peer.received:
            kept: list[bytes] = []

            def keep(chunks: Iterator[bytes], kept: list[bytes] = kept) -> tuple[str, int]:
                kept.append(b"".join(chunks))
                return "0" * 64, len(kept[-1])

            split([message], keep)
            found.append(b"".join(kept))
        return found

    def channel(self) -> Channel:
        return self._peer.channel()


def send(url: str, prepared: Prepared | None = None, store: MemoryAttachments | None = None) -> Outcome:
    """One attempt by a process that knows nothing of earlier ones."""
    adapter = SoapAdapter(AdapterContext(attachments=store or MemoryAttachments()))
    to = channel(url)
    harness = Harness(adapter=adapter, attachments=MemoryAttachments(), accepts=cast(Peer, None), wrong=to)
    return attempt(harness, to, prepared or fresh(harness, to))


def ready(url: str, size: int = 0) -> tuple[Prepared, MemoryAttachments]:
    """An appeal, with a file of so many bytes."""
    store = MemoryAttachments()
    to = channel(url)
    harness = Harness(
        adapter=SoapAdapter(AdapterContext(attachments=store)),
        attachments=store,
        accepts=cast(Peer, None),
        wrong=to,
    )
    files = (store_file(store, bytes(range(256)) * (size // 256)),) if size else ()
    return fresh(harness, to, files), store


def test_a_broken_line_goes_on_where_the_server_stands(sev: SevNode, url: str) -> None:
    """Answers to parts are lost twice in the middle: each part is sent once, and the message arrives whole."""
    prepared, store = ready(url, 5 * 1_048_576)
    sev.fail = lambda name, count: "lost" if name == "UploadMessageChunk" and count in (2, 5) else None
    outcome = send(url, prepared, store)
    assert (outcome.kind, outcome.proves) == (OutcomeKind.DELIVERED, LegalClass.SENT)
    assert len(sev.whole) == 1
    assert sev.calls.count("UploadMessageChunk") == 7
    assert sev.calls.count("GetSessionInfo") == 2


def test_another_process_goes_on(sev: SevNode, url: str) -> None:
    """The line stays broken in the middle, the process is gone: the next one opens the same session and goes on."""
    prepared, store = ready(url, 3 * 1_048_576)
    sev.fail = lambda name, count: "reset" if name != "OpenUploadingSession" and count > 2 else None
    assert send(url, prepared, store).kind is OutcomeKind.UNKNOWN
    sev.fail = lambda _name, _count: None
    before = sev.calls.count("UploadMessageChunk")
    assert send(url, prepared, store).kind is OutcomeKind.DELIVERED
    assert sev.calls.count("UploadMessageChunk") - before == 3
    assert len(sev.whole) == 1


def test_whole_but_unanswered_is_a_duplicate(sev: SevNode, url: str) -> None:
    """The last answer was lost for good: unknown; opening again says 9, which is the proof of the first try."""
    prepared, store = ready(url)
    sev.fail = lambda name, _count: "lost" if name in ("UploadMessageChunk", "GetSessionInfo") else None
    assert send(url, prepared, store).kind is OutcomeKind.UNKNOWN
    outcome = send(url, prepared, store)
    assert (outcome.kind, outcome.code, outcome.proves) == (OutcomeKind.DUPLICATE, "sevovv.9", LegalClass.SENT)


def test_states_of_a_session(sev: SevNode, url: str) -> None:
    """``Delivered`` proves delivery, ``Processed`` only that SEV has it; ``Failed`` is judged by its code."""
    sev.received_state = TransferState.DELIVERED
    assert send(url).proves is LegalClass.DELIVERED
    sev.received_state = TransferState.PROCESSED
    assert send(url).proves is LegalClass.SENT
    sev.refuse = codes.PARSING
    outcome = send(url)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sevovv.33")


def test_parts_are_cut_smaller(sev: SevNode, url: str) -> None:
    """Code 12 once: the part is halved, and the message arrives."""
    sev.fail = lambda name, count: "12" if name == "UploadMessageChunk" and count == 1 else None
    prepared, store = ready(url, 1_048_576)
    assert send(url, prepared, store).kind is OutcomeKind.DELIVERED
    assert sev.calls.count("UploadMessageChunk") == 4


@pytest.mark.parametrize("code", ["11", "24", "25"])
def test_a_session_that_stands_elsewhere_is_asked_where(sev: SevNode, url: str, code: str) -> None:
    """A part is refused because the session is not where we think: it is asked, and what it says is followed."""
    sev.fail = lambda name, count: code if name == "UploadMessageChunk" and count == 1 else None
    outcome = send(url)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "sev:1")
    assert sev.calls.count("GetSessionInfo") == 1


def test_a_lost_session_is_opened_again(sev: SevNode, url: str) -> None:
    """Code 26 in the middle: a new session with the same id and bytes."""
    sev.fail = lambda name, count: "26" if name == "UploadMessageChunk" and count == 1 else None
    assert send(url).kind is OutcomeKind.DELIVERED
    assert sev.calls.count("OpenUploadingSession") == 2


@pytest.mark.parametrize("code", [*sorted(ERRORS), 777])
def test_every_code_has_its_outcome(sev: SevNode, url: str, code: int) -> None:
    """All 46 codes on opening, and one that is in no table: outcome by class, the code named, no words of ours."""
    sev.fail = lambda name, _count: str(code) if name == "OpenUploadingSession" else None
    outcome = send(url)
    kinds = {
        ErrorClass.SUCCESS: OutcomeKind.DUPLICATE,
        ErrorClass.PERMANENT: OutcomeKind.PERMANENT,
        ErrorClass.TRANSIENT: OutcomeKind.TEMPORARY,
        ErrorClass.OPERATOR: OutcomeKind.TEMPORARY,
    }
    assert (outcome.kind, outcome.code) == (kinds[meaning(code)], f"sevovv.{code}")
    assert "Канаркенко" not in str(outcome)
    assert sev.whole == []


def test_asking_later(sev: SevNode, url: str) -> None:
    """A poll tells that the addressee has fetched it, that SEV still works, or that SEV gave up."""
    adapter = SoapAdapter(AdapterContext())
    to = channel(url)
    assert adapter.polls(to)
    for state, kind, proves in (
        (TransferState.PROCESSED, OutcomeKind.DELIVERED, None),
        (TransferState.DELIVERED, OutcomeKind.DELIVERED, LegalClass.DELIVERED),
        (None, OutcomeKind.PERMANENT, LegalClass.SENT),
    ):
        sev.refuse, sev.received_state = (33, sev.received_state) if state is None else (None, state)
        send(url)
        asked = delivery(appeal(), to, external_id=f"sev:{len(sev.transfers._transfers)}")
        with adapter.session(to) as session:
            outcome = session.poll(asked, 5.0)
        assert (outcome.kind, outcome.proves) == (kind, proves)
    with adapter.session(to) as session:
        assert session.poll(delivery(appeal(), to), 5.0).code == "sevovv.no_session"
        assert session.poll(delivery(appeal(), to, external_id="sev:999"), 5.0).code == "sevovv.26"
