"""The adapter ``soap`` with the dialect ``envelope``: the contract, and every kind of answer."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.errors import ConfigurationError
from hub.ports import Outcome, Rendering
from hub.protocols.soap import own
from hub.protocols.soap.client import unpack
from hub.protocols.soap.wire import SoapVersion, read_envelope, write_envelope, write_fault
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.ids import new_id
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Harness, attempt, fresh, store_file
from hub.testing.samples import SECRET, appeal, delivery, parcel, receipt, render, secret_file
from tests.adapters.servers import SICK, Server, http, read_request, serving, sick

XML = "text/xml; charset=utf-8"


def soap_channel(url: str, dialect: str = "envelope", **settings: object) -> Channel:
    """A channel of the adapter ``soap`` to a server on loopback."""
    loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    return Channel(id="00032106.soap", adapter="soap", dialect=dialect, settings={"url": url, **loopback, **settings})


def header(head: bytes, name: str) -> str:
    """A header of a request; empty if absent."""
    for line in head.decode().split("\r\n"):
        if line.lower().startswith(name.lower() + ":"):
            return line.partition(":")[2].strip()
    return ""


def asked(head: bytes, body: bytes) -> etree._Element:
    """The first element of the body of a request."""
    soap, charset, _ = unpack(body, header(head, "content-type"))
    content = read_envelope(soap, charset=charset).content
    assert content is not None
    return content


def said(head: bytes, body: bytes, status: str, *more: etree._Element, about: str | None = None) -> bytes:
    """A DeliverEnvelopeResponse about the message of a request."""
    request = asked(head, body)
    answer = own.element(
        "DeliverEnvelopeResponse",
        own.element("messageId", text=about or request.findtext(own.tag("messageId"))),
        own.element("status", text=status),
        *more,
    )
    version = SoapVersion.V12 if b"www.w3.org/2003/05/soap-envelope" in body else SoapVersion.V11
    return write_envelope(version, answer)


@dataclass
class SoapPeer:
    """A scripted server and the channel to it. ``kind``: how it behaves."""

    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    server: Server | None = None
    poured: int = 0
    secret: str = SECRET
    answer: Callable[[bytes, bytes], bytes] | None = None

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            self.received.append(body)
            server.requests.append((head, body))
            if self.kind == "loses_answer" and len(self.received) == 1:
                return
            if self.kind in SICK:
                self.poured = sick(self.kind, conn, server.stopped)
                return
            conn.sendall(self.say(head, body))

    def say(self, head: bytes, body: bytes) -> bytes:
        if self.answer is not None:
            return self.answer(head, body)
        match self.kind:
            case "garbles":
                return http("200 OK", b"<html>\x1b[31m\xe2\x80\xaelogin</html>", Content_Type="text/html")
            case "refuses":
                ground = own.element("ground", text="wrong_addressee")
                return http("200 OK", said(head, body, "refused", ground), Content_Type=XML)
            case "busy":
                return http("503 Busy", b"", Retry_After="7")
            case "loses_answer":
                return http("200 OK", said(head, body, "duplicate"), Content_Type=XML)
            case "answers_another":
                return http("200 OK", said(head, body, "accepted", about=str(new_id())), Content_Type=XML)
            case _:
                return http("200 OK", said(head, body, "accepted", own.element("id", text="їх-1")), Content_Type=XML)

    def channel(self) -> Channel:
        assert self.server is not None
        return soap_channel(self.server.url(), "envelope", **self.settings)


class TestContract(AdapterContract):
    """The suite over real HTTP on loopback."""

    features = CALLS
    proves = LegalClass.REGISTERED

    @pytest.fixture(params=["1.1", "1.2"])
    def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
        attachments = MemoryAttachments()
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def peer(kind: str, **settings: object) -> SoapPeer:
                made = SoapPeer(kind, {"soap": request.param, **settings})
                made.server = stack.enter_context(serving(made.script))
                return made

            nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
            closed.close()
            yield Harness(
                adapter=SoapAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer("accepts"),
                wrong=soap_channel("ftp://example.org/"),
                garbles=peer("garbles"),
                refuses=peer("refuses"),
                busy=peer("busy"),
                absent=soap_channel(nobody),
                loses_answer=peer("loses_answer"),
                carries_files=lambda: peer("accepts", envelope={"attachments": "swa"}),
                refuses_files=soap_channel(nobody, envelope={"attachments": "refuse"}),
                answers_another=peer("answers_another"),
                trickles=peer("trickles"),
                floods=peer("floods"),
                confides=peer("accepts", auth={"type": "bearer", "token": secret_file(tmp_path)}),
            )


@pytest.fixture
def store() -> MemoryAttachments:
    return MemoryAttachments()


@pytest.fixture
def adapter(store: MemoryAttachments) -> SoapAdapter:
    return SoapAdapter(AdapterContext(attachments=store))


def one(adapter: SoapAdapter, answer: bytes, **settings: object) -> tuple[Outcome, bytes]:
    """Send one appeal to a server that gives one answer; the outcome and what was received."""
    peer = SoapPeer("fixed", dict(settings))
    peer.answer = lambda head, body: answer
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal(), adapter.rendering(channel)), channel), 5.0)
    return outcome, peer.received[0]


def test_the_sealed_envelope_travels_opaque(adapter: SoapAdapter) -> None:
    """What the body carries in base64 is, byte for byte, what was sealed; no name of the applicant stands beside it."""
    channel = soap_channel("http://127.0.0.1:1/", envelope={"format": "xml"})
    made = parcel(appeal(), Rendering.XML)
    body = read_envelope(adapter.prepare(made, channel).body).content
    assert body is not None
    assert base64.b64decode(body.findtext(own.tag("content")) or "") == made.sealed
    assert body.findtext(own.tag("contentType")) == "application/xml"


def test_mtom_carries_the_envelope_and_the_files_as_parts(adapter: SoapAdapter, store: MemoryAttachments) -> None:
    """With ``content: mtom`` the sealed bytes and each file are parts that xop:Include names."""
    peer = SoapPeer("accepts", {"envelope": {"content": "mtom", "attachments": "mtom", "format": "jws"}})
    data = bytes(range(256)) * 300
    file = store_file(store, data)
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        made = parcel(appeal((file,)), Rendering.JWS)
        with adapter.session(channel) as session:
            prepared = adapter.prepare(made, channel)
            assert session.send(prepared, 5.0).kind is OutcomeKind.DELIVERED
            assert session.send(prepared, 5.0).kind is OutcomeKind.DELIVERED
        head, body = server.requests[0]
    assert peer.received[0] == peer.received[1]
    soap, _, parts = unpack(body, header(head, "content-type"))
    content = read_envelope(soap).content
    assert content is not None
    assert own.document(content, parts).body == made.sealed
    entry = content.find(own.tag("file"))
    assert entry is not None
    node = entry.find(own.tag("content"))
    assert node is not None
    assert own.binary(node, parts) == data


def test_a_damaged_file_cuts_the_call(adapter: SoapAdapter, store: MemoryAttachments) -> None:
    """A file that is not as its manifest says never arrives whole."""
    peer = SoapPeer("garbles", {"envelope": {"attachments": "mtom"}})
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        file = store_file(store, bytes(200_000))
        prepared = adapter.prepare(parcel(appeal((file,)), Rendering.JSON), channel)
        store.damage(file.sha256)
        with adapter.session(channel) as session:
            outcome = session.send(prepared, 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "attachment.missing")
    assert not peer.received or b"--hub-" + prepared.message_id.hex.encode() + b"--" not in peer.received[0]


def test_a_receipt_comes_with_the_answer(adapter: SoapAdapter) -> None:
    """``receipt: response``: the document is handed on unread; an acceptance without it is unknown."""
    mine = appeal()
    body = render(receipt(mine), Rendering.JWS)
    peer = SoapPeer("accepts", {"envelope": {"receipt": "response"}})
    document = own.element(
        "receipt",
        own.element("contentType", text="application/jose"),
        own.element("content", text=base64.b64encode(body).decode()),
    )
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        prepared = adapter.prepare(parcel(mine), channel)
        assert attempt_of(adapter, channel, prepared).code == "soap.no_receipt"
        peer.answer = lambda head, sent: http("200 OK", said(head, sent, "accepted", document), Content_Type=XML)
        outcome = attempt_of(adapter, channel, prepared)
    assert outcome.kind is OutcomeKind.DELIVERED
    assert [(raw.content_type, raw.body) for raw in outcome.receipts] == [("application/jose", body)]


def attempt_of(adapter: SoapAdapter, channel: Channel, prepared: object) -> Outcome:
    from hub.ports import Prepared

    assert isinstance(prepared, Prepared)
    with adapter.session(channel) as session:
        return session.send(prepared, 5.0)


def test_receipts_are_asked_for(adapter: SoapAdapter) -> None:
    """``receipt: poll``: GetReceipts names our id and theirs; what comes is handed on; a foreign id is not believed."""
    mine = appeal()
    body = render(receipt(mine), Rendering.JSON)
    document = own.element(
        "receipt",
        own.element("contentType", text="application/json"),
        own.element("content", text=base64.b64encode(body).decode()),
    )
    peer = SoapPeer("accepts", {"envelope": {"receipt": "poll"}})

    def tell(about: str) -> bytes:
        answer = own.element("GetReceiptsResponse", own.element("messageId", text=about))
        answer.append(document)
        return http("200 OK", write_envelope(SoapVersion.V11, answer), Content_Type=XML)

    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        assert adapter.polls(channel)
        sent = delivery(mine, channel, "їх-1")
        with adapter.session(channel) as session:
            peer.answer = lambda head, _: tell(str(sent.message_id))
            found = session.poll(sent, 5.0)
            peer.answer = lambda head, _: tell(str(uuid.uuid4()))
            foreign = session.poll(sent, 5.0)
        question = asked(*server.requests[0])
    assert (found.kind, [raw.body for raw in found.receipts]) == (OutcomeKind.DELIVERED, [body])
    assert (foreign.kind, foreign.code, foreign.receipts) == (OutcomeKind.TEMPORARY, "soap.foreign", ())
    assert question.findtext(own.tag("id")) == "їх-1"


@pytest.mark.parametrize(
    ("code", "kind"),
    [("Server", OutcomeKind.UNKNOWN), ("Client", OutcomeKind.PERMANENT), ("MustUnderstand", OutcomeKind.TEMPORARY)],
)
def test_faults_become_outcomes(adapter: SoapAdapter, code: str, kind: OutcomeKind) -> None:
    """Retry, permanent, operator: as the table of the page says; the reason is shown to the operator."""
    outcome, _ = one(adapter, http("500 F", write_fault(SoapVersion.V11, code, "диск повний"), Content_Type=XML))
    assert outcome.kind is kind
    assert "диск повний" in (outcome.detail or "")


@pytest.mark.parametrize("form", ["json", "jws", "xml"])
def test_a_fault_that_repeats_what_was_sent_is_not_shown(adapter: SoapAdapter, form: str) -> None:
    """The applicant's words do not come into the journal of attempts by way of their fault, in whatever form sent."""
    fault = write_fault(SoapVersion.V11, "Client", "Прізвище Канаркенко задовге, вул. Садова")
    outcome, _ = one(adapter, http("500 F", fault, Content_Type=XML), envelope={"format": form})
    assert "Канаркенко" not in (outcome.detail or "")
    assert "Садова" not in (outcome.detail or "")
    assert "задовге" in (outcome.detail or "")


@pytest.mark.parametrize("answer", ["other message", "no status", "wrong status", "foreign element"])
def test_what_is_no_acknowledgement_is_unknown(adapter: SoapAdapter, answer: str) -> None:
    """Another message's id, no status, an unknown one, another element: never success."""
    fields = {
        "other message": [("messageId", str(uuid.uuid4())), ("status", "accepted")],
        "no status": [("messageId", str(uuid.uuid4()))],
        "wrong status": [("messageId", str(uuid.uuid4())), ("status", "fine")],
        "foreign element": [("messageId", str(uuid.uuid4())), ("status", "accepted")],
    }[answer]
    name = "SomethingElse" if answer == "foreign element" else "DeliverEnvelopeResponse"
    body = write_envelope(SoapVersion.V11, own.element(name, *(own.element(n, text=v) for n, v in fields)))
    outcome, _ = one(adapter, http("200 OK", body, Content_Type=XML))
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.code in ("soap.foreign", "soap.no_receipt")


@pytest.mark.parametrize(
    ("dialect", "settings", "named"),
    [
        ("telegraph", {}, "telegraph"),
        ("envelope", {"wsdl": {"folder": "/x", "sha256": "0" * 64}}, "dialect is envelope"),
        ("envelope", {"envelope": {"content": "mtom", "attachments": "swa"}}, "do not go together"),
        (
            "envelope",
            {
                "envelope": {"content": "mtom"},
                "security": {"type": "username_token", "user": "a", "password": "env:A"},
            },
            "base64 only",
        ),
        ("envelope", {"security": {"type": "username_token", "user": "a", "password": "secret"}}, "reference"),
        ("trembita", {"trembita": {"client": "a/b", "service": "a/b/c/d/e"}}, "client"),
        ("envelope", {"auth": {"type": "mtls"}}, "client_cert"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    adapter: SoapAdapter, dialect: str, settings: dict[str, object], named: str
) -> None:
    """Each refusal names the rule, and never a secret."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        adapter.rendering(soap_channel("http://127.0.0.1:1/", dialect, **settings))
    assert "secret" not in str(caught.value)


def test_the_same_file_twice_goes_once(adapter: SoapAdapter, store: MemoryAttachments) -> None:
    """Two names of one content are one part."""
    peer = SoapPeer("accepts", {"envelope": {"attachments": "mtom"}})
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        file = store_file(store, b"scan")
        twice = (file, file.model_copy(update={"name": "другий.pdf"}))
        assert attempt(_harness(adapter, store, peer), channel, fresh(_harness(adapter, store, peer), channel, twice))
    assert peer.received[0].count(b"application/pdf") >= 1
    assert peer.received[0].count(b"\r\nscan\r\n") == 1


def _harness(adapter: SoapAdapter, store: MemoryAttachments, peer: SoapPeer) -> Harness:
    return Harness(adapter=adapter, attachments=store, accepts=peer, wrong=soap_channel("ftp://example.org/"))
