"""Dialects ``wsdl`` and ``trembita``: what a mapping makes of an appeal, what of an answer, through real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from hub.adapters import AdapterContext
from hub.adapters.soap import mapping as maps
from hub.adapters.soap.adapter import SoapAdapter
from hub.adapters.xml_places import find
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.ports import Outcome, Rendering
from hub.protocols.soap import xroad
from hub.protocols.soap.fetching import pin
from hub.protocols.soap.wire import SOAP11, SoapVersion, read_envelope, serialise, write_envelope
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import appeal, parcel
from tests.adapters.servers import Server, http, read_request, serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap import soap_channel
from tests.protocols.xroad_reading import read_message

WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:e="urn:edms" targetNamespace="urn:edms">
<types><xs:schema targetNamespace="urn:edms" elementFormDefault="qualified">
<xs:element name="RegisterAppeal"><xs:complexType><xs:sequence>
 <xs:element name="requestId" type="xs:string"/>
 <xs:element name="kind" type="xs:int"/>
 <xs:element name="received" type="xs:string"/>
 <xs:element name="person"><xs:complexType><xs:sequence>
  <xs:element name="surname" type="xs:string"/><xs:element name="name" type="xs:string"/>
  <xs:element name="address" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="topics" type="xs:string" minOccurs="0"/>
 <xs:element name="text" type="xs:string"/>
 <xs:element name="file" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
  <xs:element name="name" type="xs:string"/><xs:element name="ref" type="xs:anyURI"/></xs:sequence></xs:complexType>
 </xs:element>
 <xs:element name="original" type="xs:base64Binary" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="RegisterAppealResponse"><xs:complexType><xs:sequence>
 <xs:element name="result" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="GetState"><xs:complexType><xs:sequence>
 <xs:element name="docId" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="GetStateResponse"><xs:complexType><xs:sequence>
 <xs:element name="state" type="xs:string"/><xs:element name="number" type="xs:string" minOccurs="0"/>
 <xs:element name="date" type="xs:date" minOccurs="0"/><xs:element name="answer" type="xs:string" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
</xs:schema></types>
<message name="ask"><part name="p" element="e:GetState"/></message>
<message name="told"><part name="p" element="e:GetStateResponse"/></message>
<message name="in"><part name="p" element="e:RegisterAppeal"/></message>
<message name="out"><part name="p" element="e:RegisterAppealResponse"/></message>
<portType name="P"><operation name="RegisterAppeal"><input message="e:in"/><output message="e:out"/></operation>
<operation name="GetState"><input message="e:ask"/><output message="e:told"/></operation>
</portType>
<binding name="B" type="e:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="RegisterAppeal"><soap:operation soapAction="urn:edms/Register"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
<operation name="GetState"><soap:operation soapAction="urn:edms/GetState"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="Q" binding="e:B"><soap:address location="http://elsewhere.example/"/></port></service>
</definitions>"""
MAPPING: dict[str, Any] = {
    "operation": "RegisterAppeal",
    "leaves_out": ["channel", "sign"],
    "request": {
        "requestId": "$message_id",
        "kind": {"$from": "$body.kind", "values": {"complaint": 3}, "default": 1},
        "received": {"$from": "$body.received_at", "date": "%d.%m.%Y %H:%M"},
        "person": {
            "surname": "$body.applicant.name.surname",
            "name": "$body.applicant.name.given",
            "address": "$body.applicant.address.text",
        },
        "topics": {"$from": "$body.topics", "join": ", "},
        "text": "$body.text",
        "file": {"$each": "$attachments", "as": {"name": "$item.name", "ref": "$item.cid"}},
    },
    "answer": {
        "status": {
            "path": "result/@code",
            "values": {"0": "registered", "2": "refused", "5": "retry", "7": "duplicate"},
        },
        "echo": "result/requestId",
        "id": "result/id",
        "number": "result/number",
        "date": {"path": "result/date", "date": "%d.%m.%Y"},
        "ground": {"path": "result/reason", "values": {"13": "wrong_addressee"}},
        "note": "result/message",
    },
}


def lay_down(folder: Path, mapping: dict[str, Any]) -> dict[str, str]:
    """The section of the channel's settings."""
    files = {"service.wsdl": WSDL.encode(), "mapping.yaml": yaml.safe_dump(mapping, allow_unicode=True).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {"folder": str(folder), "sha256": pin(folder, "service.wsdl", files)}


def channel_of(folder: Path, url: str = "http://127.0.0.1:1/", **changes: Any) -> Channel:
    mapping = {**MAPPING, **changes}
    return soap_channel(url, "wsdl", wsdl={**lay_down(folder / "wsdl", mapping), "attachments": "swa"})


@pytest.fixture
def store() -> MemoryAttachments:
    return MemoryAttachments()


@pytest.fixture
def adapter(store: MemoryAttachments) -> SoapAdapter:
    return SoapAdapter(AdapterContext(attachments=store))


def result(code: str, about: str, *, number: str = "МВС-17/26", more: str = "") -> bytes:
    inner = f"<requestId>{about}</requestId><id>77</id><number>{number}</number><date>25.11.2026</date>{more}"
    body = f'<RegisterAppealResponse xmlns="urn:edms"><result code="{code}">{inner}</result></RegisterAppealResponse>'
    return write_envelope(SoapVersion.V11, etree.fromstring(body))


class Edms:
    """A system that answers with what ``say`` makes of the request's id."""

    def __init__(self, code: str = "0", **more: str) -> None:
        self.code, self.more = code, more
        self.requests: list[bytes] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            self.requests.append(body)
            root = body[body.index(b"<soap-env:Envelope") : body.index(b"</soap-env:Envelope>") + 20]
            asked = etree.fromstring(root).findtext(".//{urn:edms}requestId") or ""
            conn.sendall(http("200 OK", result(self.code, self.more.get("about", asked)), Content_Type="text/xml"))


def test_an_appeal_becomes_the_operation_that_the_mapping_says(adapter: SoapAdapter, tmp_path: Path) -> None:
    """Codes are translated, dates written in Kyiv time, lists joined; the same parcel gives the same bytes."""
    channel = channel_of(tmp_path)
    made = parcel(appeal(), Rendering.XML)
    prepared = adapter.prepare(made, channel)
    assert prepared == adapter.prepare(made, channel)
    content = read_envelope(prepared.body).content
    assert content is not None
    said = {etree.QName(node).localname: node.text for node in content.iter() if not len(node)}
    assert said == {
        "requestId": str(made.message_id),
        "kind": "3",
        "received": "02.03.2026 12:00",
        "surname": "Канаркенко",
        "name": "Олена",
        "address": "вул. Садова, 1",
        "topics": "utilities.water",
        "text": "Немає води.",
    }


def test_the_receipt_in_the_answer_registers_the_case(tmp_path: Path) -> None:
    """The whole way: the answer's number and date are the registration, its id is kept, the raw bytes are the proof."""
    edms = Edms()
    with serving(edms.script) as server:
        world = SoapWorld(tmp_path, channel_of(tmp_path, server.url()))
        accepted = world.submit()
        assert world.run().outcomes == {OutcomeKind.DELIVERED: 1}
    assert (world.case(accepted).state, world.case(accepted).number) == ("registered", "МВС-17/26")
    assert world.delivery(accepted).external_id == "77"
    (received,) = [m for m in world.store.messages(accepted.case_id) if m.kind == "receipt"]
    assert received.raw is not None
    assert b"RegisterAppealResponse" in received.raw


@pytest.mark.parametrize(
    ("code", "kind", "outcome_code"),
    [
        ("0", OutcomeKind.DELIVERED, None),
        ("7", OutcomeKind.DUPLICATE, None),
        ("2", OutcomeKind.REFUSED, "soap.refused"),
        ("5", OutcomeKind.TEMPORARY, "soap.retry"),
        ("99", OutcomeKind.UNKNOWN, "soap.no_receipt"),
    ],
)
def test_their_codes_become_outcomes(
    adapter: SoapAdapter, tmp_path: Path, code: str, kind: OutcomeKind, outcome_code: str | None
) -> None:
    """By the mapping's table; a code that it does not have proves nothing."""
    outcome = sent(adapter, tmp_path, Edms(code))
    assert (outcome.kind, outcome.code) == (kind, outcome_code)
    assert outcome.ground == ("other" if code == "2" else None)


def sent(adapter: SoapAdapter, folder: Path, edms: Edms) -> Outcome:
    with serving(edms.script) as server:
        channel = channel_of(folder, server.url())
        with adapter.session(channel) as session:
            return session.send(adapter.prepare(parcel(appeal(), Rendering.XML), channel), 5.0)


POLL = {
    "operation": "GetState",
    "request": {"docId": "$external_id"},
    "answer": {
        "status": {
            "path": "state",
            "values": {"new": "delivered", "reg": "registered", "done": "answered", "no": "refused"},
        },
        "number": "number",
        "date": "date",
        "text": "answer",
        "result": {"path": "result", "values": {}, "default": "satisfied"},
    },
}


class AskedEdms(Edms):
    """Accepts, and says what became of it when it is asked. ``state``: the elements it tells."""

    state = "<state>new</state>"

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            _, body = read_request(conn)
            if not body:
                return
            self.requests.append(body)
            if b"GetState" in body:
                said = etree.fromstring(f'<GetStateResponse xmlns="urn:edms">{self.state}</GetStateResponse>')
                answer = write_envelope(SoapVersion.V11, said)
            else:
                said = etree.fromstring(
                    '<RegisterAppealResponse xmlns="urn:edms"><result id="77"/></RegisterAppealResponse>'
                )
                answer = write_envelope(SoapVersion.V11, said)
            conn.sendall(http("200 OK", answer, Content_Type="text/xml"))


def test_what_became_of_it_is_asked_by_the_mapping(tmp_path: Path) -> None:
    """Accepted with their id; asked with it: nothing yet, registered, answered. The same word twice is one fact."""
    edms = AskedEdms()
    taken = {"status": "delivered", "id": "result/@id"}
    with serving(edms.script) as server:
        world = SoapWorld(tmp_path, channel_of(tmp_path, server.url(), answer=taken, poll=POLL))
        accepted = world.submit()
        world.run()
        sent = world.delivery(accepted)
        assert (sent.state, sent.external_id, world.case(accepted).state) == ("delivered", "77", "delivered")
        registered = "<state>reg</state><number>Р-1</number><date>2026-11-20</date>"
        answered = "<state>done</state><number>В-2</number><date>2026-11-24</date><answer>Воду дано.</answer>"
        states = []
        for state in ("<state>new</state>", registered, registered, "<state>?</state>", answered, answered):
            edms.state = state
            with world.adapter.session(world.channel) as session:
                outcome = session.poll(world.delivery(accepted), 5.0)
            world.receiver.receive_outcome(world.delivery(accepted), outcome)
            states.append(world.case(accepted).state)
    assert b">77<" in edms.requests[1]
    assert states == ["delivered", "registered", "registered", "registered", "answered", "answered"]
    assert world.case(accepted).number == "Р-1"
    kinds = [message.kind for message in world.store.messages(accepted.case_id)]
    assert sorted(kinds) == ["answer", "appeal", "receipt"]


def test_an_answer_about_another_message_is_not_believed(adapter: SoapAdapter, tmp_path: Path) -> None:
    """The echo must be our id."""
    outcome = sent(adapter, tmp_path, Edms(about="other"))
    assert (outcome.kind, outcome.code, outcome.reported) == (OutcomeKind.UNKNOWN, "soap.foreign", ())


def test_files_go_along_as_the_mapping_refers_to_them(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """SwA: the part's Content-ID is what the body says; the file arrives byte for byte."""
    edms, data = Edms(), bytes(range(256)) * 100
    with serving(edms.script) as server:
        channel = channel_of(tmp_path, server.url())
        file = store_file(store, data)
        prepared = adapter.prepare(parcel(appeal((file,)), Rendering.XML), channel)
        with adapter.session(channel) as session:
            assert session.send(prepared, 5.0).kind is OutcomeKind.DELIVERED
    assert data in edms.requests[0]
    assert f"cid:{file.sha256}@hub".encode() in edms.requests[0]
    assert f"Content-ID: <{file.sha256}@hub>".encode() in edms.requests[0]


def test_nothing_is_left_out_in_silence(adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path) -> None:
    """A member or file without a place is an error that names it; the sealed envelope as a whole is a place for all."""
    request = {k: v for k, v in MAPPING["request"].items() if k not in ("topics", "file")}
    channel = channel_of(tmp_path / "a", request=request)
    with pytest.raises(UnsupportedFeature, match="attachments, topics"):
        adapter.prepare(parcel(appeal((store_file(store, b"x"),)), Rendering.XML), channel)
    whole = channel_of(tmp_path / "b", request={**request, "original": "$sealed"})
    made = parcel(appeal(), Rendering.XML)
    body = read_envelope(adapter.prepare(made, whole).body).body
    assert base64.b64decode(body.findtext(".//{urn:edms}original") or "") == made.sealed


def test_what_the_schema_demands_and_the_appeal_lacks_is_named(adapter: SoapAdapter, tmp_path: Path) -> None:
    """A demanded element without a value stops this message, before anything is sent."""
    request = {**MAPPING["request"], "kind": "$body.place"}
    with pytest.raises(UnsupportedFeature, match="kind"):
        adapter.prepare(parcel(appeal(), Rendering.XML), channel_of(tmp_path, request=request))


def test_tests_beside_the_mapping() -> None:
    """An answer and what it means, an appeal and the tree that it becomes: what differs is named with its place."""
    answer: dict[str, Any] = {
        "name": "registered",
        "answer": "<r><code>0</code><number>17</number><date>25.11.2026</date></r>",
        "means": {"status": "registered", "number": "17", "date": "2026-11-25"},
    }
    form = json.loads(appeal().body.model_dump_json(exclude_none=True))
    sent = {"name": "sealed", "appeal": form, "request": {"original": "(sealed)"}}
    rules = {"path": "code", "values": {"0": "registered"}}
    said = {"status": rules, "number": "number", "date": {"path": "date", "date": "%d.%m.%Y"}}
    changes = {"answer": said, "request": {"original": "$sealed"}}
    made = maps.load(yaml.safe_dump({**MAPPING, **changes, "tests": [answer, sent]}).encode())
    assert len(made.tests) == 2
    answer["means"]["number"] = "18"
    sent["request"]["original"] = "x"
    with pytest.raises(ConfigurationError) as refused:
        maps.load(yaml.safe_dump({**MAPPING, **changes, "tests": [answer, sent]}).encode())
    assert "#/tests/0/means/number: expected «18», understood is «17»" in refused.value.message
    assert "#/tests/1/request/original: expected «x», the mapping sends «(sealed)»" in refused.value.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"operation": "Nothing"}, "RegisterAppeal"),
        ({"answer": {"status": "registered"}}, "echo, id or number"),
        ({"typo": 1}, "typo"),
        ({"answer": {"status": {"path": ""}}}, "status"),
    ],
)
def test_a_wrong_mapping_is_named_before_anything_is_sent(
    adapter: SoapAdapter, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    """Unknown operation, a fixed status that nothing proves, a misspelt key: the channel is refused."""
    with pytest.raises(ConfigurationError, match=named):
        adapter.rendering(channel_of(tmp_path, **changes))


def test_a_changed_mapping_is_refused(adapter: SoapAdapter, tmp_path: Path) -> None:
    """The pin covers the mapping too."""
    channel = channel_of(tmp_path)
    (tmp_path / "wsdl" / "mapping.yaml").write_text("operation: Other")
    with pytest.raises(ConfigurationError) as caught:
        adapter.rendering(channel)
    assert caught.value.stable_code == "wsdl.pin"


@pytest.mark.parametrize(
    ("place", "path"),
    [("<faultcode>x:-4</faultcode>", "faultcode"), ("<detail><e><code>-4</code></e></detail>", "detail/e/code")],
)
@pytest.mark.parametrize(
    ("verdict", "kind", "code"),
    [
        ("duplicate", OutcomeKind.DUPLICATE, None),
        ("refused", OutcomeKind.REFUSED, "soap.refused"),
        ("retry", OutcomeKind.TEMPORARY, "soap.retry"),
        ("permanent", OutcomeKind.PERMANENT, "soap.permanent"),
        ("unknown", OutcomeKind.UNKNOWN, "soap.unknown"),
    ],
)
def test_a_mapping_says_what_their_own_fault_codes_mean(
    adapter: SoapAdapter, tmp_path: Path, place: str, path: str, verdict: str, kind: OutcomeKind, code: str | None
) -> None:
    """A code of the authority's own, in faultcode or in its detail; others stay as they were."""
    body = f"<s:Envelope xmlns:s='{SOAP11}'><s:Body><s:Fault>{{}}</s:Fault></s:Body></s:Envelope>"
    said = [body.format(place), body.format("<faultcode>Client</faultcode>")]

    def script(server: Server, conn: socket.socket) -> None:
        for each in said:
            read_request(conn)
            conn.sendall(http("500 Fault", each.encode(), Content_Type="text/xml"))

    with serving(script) as server:
        channel = channel_of(tmp_path, server.url(), fault={"path": path, "values": {"-4": verdict}})
        prepared = adapter.prepare(parcel(appeal(), Rendering.XML), channel)
        with adapter.session(channel) as session:
            first, second = session.send(prepared, 5.0), session.send(prepared, 5.0)
    assert (first.kind, first.code, first.http_status) == (kind, code, 500)
    assert (second.kind, second.code) == (OutcomeKind.PERMANENT, "soap.fault_permanent")


ENCODED = "http://schemas.xmlsoap.org/soap/encoding/"
ONE = "<multiRef id='a' {root}><code>0</code><number href='#b'/></multiRef><multiRef id='b' {root}>Ш-1</multiRef>"
ANSWERS = {
    "in place": "<r><x><code>0</code><number>Ш-1</number></x></r>",
    "beside": "<r><x href='#a'/></r>" + ONE,
    "before": ONE + "<r><x href='#a'/></r>",
    "the answer itself": "<r><x href='#c'/></r><y id='c' href='#a'/>" + ONE,
    "SOAP 1.2": "<r><x n:ref='a'/></r><m n:id='a'><code>0</code><number>Ш-1</number></m>",
    "escaped": "<r><x>&lt;code>0&lt;/code></x>"
    "<number>&lt;?xml version='1.0' encoding='utf-16'?>\n&lt;n>Ш-1&lt;/n></number></r>",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_values_are_found_where_rpc_encoded_puts_them(name: str) -> None:
    """multiRef of Axis in any order, references to references, SOAP 1.2's own; XML in a text."""
    marked = ANSWERS[name].format(root="c:root='0'")
    data = (
        f"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:c='{ENCODED}'"
        f" xmlns:n='http://www.w3.org/2003/05/soap-encoding'><s:Body>{marked}</s:Body></s:Envelope>"
    )
    node = read_envelope(data.encode()).content
    assert node is not None
    places = ("x/code", "number/n") if name == "escaped" else ("x/code", "x/number")
    assert [find(node, place) for place in places] == ["0", "Ш-1"]


@pytest.mark.parametrize(
    "body",
    [
        "<r><x href='#a'/></r><m id='a' href='#b'/><m id='b' href='#a'/>",
        "<r><x href='#a'/></r><m id='a'><code>0</code></m><m id='a'><code>1</code></m>",
        "<r><x href='#none'/></r>",
        "<r><x>&lt;!DOCTYPE code>&lt;code>0&lt;/code></x></r>",
        "<r><x>&lt;code></x></r>",
        "<r><x>&lt; 5</x></r>",
    ],
)
def test_a_reference_that_leads_nowhere_is_no_value(body: str) -> None:
    """Circles, an id that stands twice or nowhere, a text that is hostile or no XML: nothing is found or fails."""
    data = f"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body></s:Envelope>"
    node = read_envelope(data.encode()).content
    assert node is not None
    assert find(node, "x/code") is None


# Trembita

CLIENT, SERVICE = "SEVDEIR-TEST/GOV/36521731/NCC_prod", "SEVDEIR-TEST/GOV/00032106/10_MIA_prod/RegisterAppeal/v1"


class Gateway:
    """A gateway that copies the headers back, ``userId`` first, as Trembita's does. ``change`` spoils the answer."""

    def __init__(self, change: str = "") -> None:
        self.change = change
        self.requests: list[tuple[bytes, bytes]] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            self.requests.append((head, body))
            conn.sendall(http("200 OK", self.answer(body), Content_Type="text/xml; charset=utf-8"))

    def answer(self, body: bytes) -> bytes:
        headers = xroad.read_headers(read_envelope(body))
        if self.change == "id":
            headers = replace(headers, id="other")
        blocks = xroad.write_headers(headers)
        blocks.sort(key=lambda block: etree.QName(block).localname, reverse=True)
        if self.change == "missing":
            blocks = [block for block in blocks if etree.QName(block).localname != "client"]
        digest = base64.b64encode(hashlib.sha256(body + (b"x" if self.change == "hash" else b"")).digest()).decode()
        hashed = etree.Element(f"{{{xroad.XROAD}}}requestHash", algorithmId="http://www.w3.org/2001/04/xmlenc#sha256")
        hashed.text = digest
        wrapper = etree.Element("{urn:service}RegisterAppealResponse")
        for name, text in (("messageId", headers.id), ("status", "accepted"), ("id", "ТР-5")):
            etree.SubElement(wrapper, f"{{urn:service}}{name}").text = text
        return write_envelope(SoapVersion.V11, wrapper, [*blocks, hashed])


def trembita(url: str, **more: Any) -> Channel:
    return soap_channel(url, "trembita", trembita={"client": CLIENT, "service": SERVICE, **more})


def test_trembita_carries_the_sealed_envelope_and_the_appeals_number(adapter: SoapAdapter) -> None:
    """X-Road 4.0 headers, ``_`` in codes, ``issue`` with the number, opaque base64 in the service's wrapper; the
    answer counts with its headers in another order.
    """
    gateway = Gateway()
    mine = appeal()
    mine = mine.model_copy(update={"body": mine.body.model_copy(update={"reference": "НКЦ-2026-1"})})
    made = parcel(mine, Rendering.XML)
    with serving(gateway.script) as server:
        channel = trembita(server.url())
        prepared = adapter.prepare(made, channel)
        with adapter.session(channel) as session:
            outcome = session.send(prepared, 5.0)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "ТР-5")
    message = read_message(gateway.requests[0][1], "text/xml")
    assert message.headers is not None
    assert (message.headers.issue, message.headers.id) == ("НКЦ-2026-1", str(made.message_id))
    assert dict(message.headers.service.parts)["subsystemCode"] == "10_MIA_prod"
    assert base64.b64decode(message.envelope.body.findtext(".//{*}EnvelopeXml") or "") == made.sealed


@pytest.mark.parametrize(
    ("change", "code"), [("id", "xroad.headers"), ("missing", "soap.no_receipt"), ("hash", "xroad.request_hash")]
)
def test_an_answer_of_another_exchange_is_not_believed(adapter: SoapAdapter, change: str, code: str) -> None:
    """Another id, a missing header, the hash of another request: unknown, never success."""
    gateway = Gateway(change)
    with serving(gateway.script) as server:
        channel = trembita(server.url())
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal(), Rendering.XML), channel), 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, code)


@pytest.mark.parametrize("lost", ["namespaces of parts", "all namespaces", "types", "version", "all headers"])
def test_headers_that_a_service_copied_by_hand_are_read(adapter: SoapAdapter, lost: str) -> None:
    """The answer is to our request: its id and parts fit, or its body names the message; it does not go again."""
    gateway = Gateway()
    whole = gateway.answer

    def answer(body: bytes) -> bytes:
        said = whole(body)
        root = etree.fromstring(said)
        header = root[0]
        for each in list(header.iter(etree.Element)):
            name, inner = etree.QName(each), each.getparent() is not header
            if lost == "types" and each is not header:
                each.attrib.clear()
            if each is not header and (lost == "all namespaces" or (lost == "namespaces of parts" and inner)):
                each.tag = name.localname
            if lost == "version" and name.localname in ("protocolVersion", "requestHash"):
                header.remove(each)
        if lost == "all headers":
            root.remove(header)
        return etree.tostring(root)

    gateway.answer = answer  # type: ignore[method-assign]
    with serving(gateway.script) as server:
        channel = trembita(server.url())
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal(), Rendering.XML), channel), 5.0)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "ТР-5")


@pytest.mark.parametrize("echo", [True, False])
def test_without_headers_only_a_body_that_names_our_message_counts(
    adapter: SoapAdapter, tmp_path: Path, echo: bool
) -> None:
    """A mapping without echo, or another message's id: not believed, whatever the body says."""
    answer = {**MAPPING["answer"]} if echo else {k: v for k, v in MAPPING["answer"].items() if k != "echo"}
    section = {**lay_down(tmp_path / "wsdl", {**MAPPING, "answer": answer}), "attachments": "link"}
    gateway = Gateway()
    gateway.answer = lambda body: result("0", "other")  # type: ignore[method-assign]
    with serving(gateway.script) as server:
        channel = trembita(server.url(), description=section)
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal(), Rendering.XML), channel), 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "soap.foreign" if echo else "soap.no_receipt")


def test_trembita_with_readable_elements(adapter: SoapAdapter, tmp_path: Path) -> None:
    """With a description the body is what its mapping says, under the same headers."""
    section = {**lay_down(tmp_path / "wsdl", MAPPING), "attachments": "link"}
    channel = trembita("http://127.0.0.1:1/", description=section)
    message = read_message(adapter.prepare(parcel(appeal(), Rendering.XML), channel).body, "text/xml")
    assert message.headers is not None
    assert message.envelope.body.findtext(".//{urn:edms}text") == "Немає води."


def test_another_trembita_fault_says_whose_it_is(adapter: SoapAdapter) -> None:
    """A fault of the gateway: access denied stops the lane, a broken network is tried again."""
    for path, kind in (
        ("Server.ServerProxy.AccessDenied", "temporary"),
        ("Server.ClientProxy.NetworkError", "unknown"),
    ):
        fault = etree.Element("{http://schemas.xmlsoap.org/soap/envelope/}Fault")
        etree.SubElement(fault, "faultcode").text = path
        etree.SubElement(fault, "faultstring").text = "why"
        gateway = Gateway()
        said = write_envelope(SoapVersion.V11, fault)
        gateway.answer = lambda body, said=said: said  # type: ignore[method-assign,misc]
        with serving(gateway.script) as server:
            channel = trembita(server.url())
            with adapter.session(channel) as session:
                outcome = session.send(adapter.prepare(parcel(appeal(), Rendering.XML), channel), 5.0)
        assert outcome.kind == kind
    assert serialise(fault)
