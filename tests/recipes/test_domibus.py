"""docs/recipes/domibus.md is true: its channel sends an appeal with files over a WS plugin, and fetches the answer."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.ports import InboundFilter, Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import parcel
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap_docs import example
from tests.recipes.pages import PHOTO, SCAN, block, described, page, plain, sources, stored
from tests.recipes.standin import SOAP12, Called, Schemas, StandIn

PAGE = page("domibus")
ORIGINAL = "forms-domibus"
P, EB = "http://eu.domibus.wsplugin/", "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"
ANSWER = b"%PDF-1.7 answer"


def body(name: str, inside: str = "") -> str:
    return f'<e:Body><p:{name} xmlns:p="{P}">{inside}</p:{name}></e:Body>'


class Domibus:
    """An access point whose other side registers each message and answers it."""

    def __init__(self, source: Path) -> None:
        self.system = StandIn(
            Schemas(source),
            SOAP12,
            submitRequest=self.submit,
            statusRequest=lambda _: body("getStatusResponse", self.status),
            listPendingMessagesRequest=lambda _: body("listPendingMessagesResponse", "".join(self._ids())),
            retrieveMessageRequest=self.retrieve,
            markMessageAsDownloadedRequest=self.mark,
        )
        self.status = "SEND_ENQUEUED"
        self.ids: list[str] = []
        self.pending: dict[str, tuple[str, dict[str, str], str]] = {}

    def _ids(self) -> list[str]:
        return [f"<messageID>{each}</messageID>" for each in self.pending]

    def submit(self, call: Called) -> str:
        message_id = call.text(".//{*}MessageId")
        if message_id in self.ids:
            told = f"Message with id [{message_id}] already exists. Message identifiers must be unique"
            detail = f'<p:FaultDetail xmlns:p="{P}"><code>EBMS:0004</code><message>{told}</message></p:FaultDetail>'
            return (
                "!<e:Body><e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang='en'>"
                f"Message submission failed</e:Text></e:Reason><e:Detail>{detail}</e:Detail></e:Fault></e:Body>"
            )
        self.ids.append(message_id)
        registered = {"number": "МВС-17/26", "date": "2026-11-25"}
        answered = {"number": "МВС-17/26-в", "date": "2026-11-30", "result": "satisfied"}
        self.pending["r-1@mvs"] = ("registered", registered, message_id)
        self.pending["a-1@mvs"] = ("answer", answered, message_id)
        self.pending["x-1@mvs"] = ("registered", registered, "not-ours@elsewhere")
        return body("submitResponse", f"<messageID>{message_id}</messageID>")

    def retrieve(self, call: Called) -> str:
        assert call.content.get("markAsDownloaded") == "false"
        action, properties, about = self.pending[call.text(".//messageID")]
        said = "".join(f'<Property name="{name}">{value}</Property>' for name, value in properties.items())
        value = f"<value>{base64.b64encode(ANSWER).decode()}</value>"
        payload = f'<payload payloadId="answer.pdf" contentType="application/pdf">{value}</payload>'
        return (
            f'<e:Header><Messaging xmlns="{EB}"><UserMessage><MessageInfo><RefToMessageId>{about}</RefToMessageId>'
            "</MessageInfo><PartyInfo><From><PartyId>mvs-ua</PartyId><Role>responder</Role></From></PartyInfo>"
            f"<CollaborationInfo><Service>appeals</Service><Action>{action}</Action></CollaborationInfo>"
            f"<MessageProperties>{said}</MessageProperties></UserMessage></Messaging></e:Header>"
            + body("retrieveMessageResponse", payload if action == "answer" else "")
        )

    def mark(self, call: Called) -> str:
        done = call.text(".//messageID")
        del self.pending[done]
        return body("markMessageAsDownloadedResponse", f"<messageID>{done}</messageID>")


@pytest.fixture(params=sources("domibus", ORIGINAL), ids=lambda path: path.name)
def source(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMIBUS_PASSWORD", "Kanarkenko-7-secret")


def channel(source: Path, folder: Path, url: str) -> Channel:
    return described(PAGE, source, folder / "wsdl", "WebServicePlugin.wsdl", url)


def test_the_page_shows_what_goes_out(source: Path, tmp_path: Path) -> None:
    """The page's channel and mapping make the page's request of the page's appeal."""
    store = MemoryAttachments()
    photo, _ = stored(store)
    made = parcel(example().model_copy(update={"attachments": (photo,)}), Rendering.JSON)
    adapter = SoapAdapter(AdapterContext(attachments=store))
    prepared = adapter.prepare(made, channel(source, tmp_path, "https://domibus.example.org/"))
    assert plain(prepared.body) == plain(block(PAGE, "request"))


def test_an_appeal_with_two_files_goes_out_and_its_answer_is_fetched(source: Path, tmp_path: Path) -> None:
    """The whole way: payloads arrive byte for byte as MTOM parts; registration, answer and its file come back; what
    names no message of ours is held; each is marked as downloaded.
    """
    domibus = Domibus(source)
    with serving(domibus.system.script) as server:
        world = SoapWorld(tmp_path, channel(source, tmp_path, server.url()))
        accepted = world.submit(*stored(world.attachments))
        run = world.run()
    assert domibus.system.failure is None
    assert (dict(run.outcomes), run.retrieved) == ({OutcomeKind.DELIVERED: 1}, 3)
    (sent,) = domibus.system.named("submitRequest")
    payloads = [base64.b64decode(each.text or "") for each in sent.content.iter("value")]
    assert payloads[1:] == [PHOTO, SCAN]
    assert set(sent.parts) == {f"{hashlib.sha256(data).hexdigest()}@hub" for data in (PHOTO, SCAN)}
    assert "authorization: basic" in sent.head.lower()
    assert domibus.pending == {}
    row = world.case(accepted)
    assert (row.state, row.number) == ("answered", "МВС-17/26")
    (answer,) = [each for each in world.store.messages(accepted.case_id) if each.kind == "answer"]
    assert hashlib.sha256(ANSWER).hexdigest().encode() in answer.body
    entries = world.store.inbound(InboundFilter(channel_id=world.channel.id), limit=9)
    assert [each.verdict for each in entries if "unknown" in each.verdict] == ["inbound.unknown_case"]


def test_what_was_sent_twice_is_a_duplicate_and_arrival_is_asked_for(source: Path, tmp_path: Path) -> None:
    """The second try's fault means that the first succeeded; ACKNOWLEDGED proves delivery, SEND_FAILURE is final."""
    domibus = Domibus(source)
    with serving(domibus.system.script) as server:
        world = SoapWorld(tmp_path, channel(source, tmp_path, server.url()))
        accepted = world.submit()
        prepared = world.adapter.prepare(parcel(example(), Rendering.JSON), world.channel)
        with world.adapter.session(world.channel) as session:
            first, second = session.send(prepared, 5.0), session.send(prepared, 5.0)
            assert (first.kind, first.proves, first.external_id) == (
                OutcomeKind.DELIVERED,
                LegalClass.SENT,
                "019aa001-0000-7000-8000-000000000001",
            )
            assert second.kind is OutcomeKind.DUPLICATE
            world.run()
            told = []
            for status in ("SEND_ENQUEUED", "ACKNOWLEDGED", "SEND_FAILURE", "NOT_FOUND"):
                domibus.status = status
                outcome = session.poll(world.delivery(accepted), 5.0)
                told.append((outcome.kind, outcome.proves))
    assert told == [
        (OutcomeKind.DELIVERED, None),
        (OutcomeKind.DELIVERED, LegalClass.DELIVERED),
        (OutcomeKind.PERMANENT, LegalClass.SENT),
        (OutcomeKind.TEMPORARY, None),
    ]
    assert domibus.system.failure is None
