"""SOAP by mapping: files in their places, header blocks, types that a value names, and what waits at the other side."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml
from lxml import etree

from hub.adapters import AdapterContext
from hub.adapters.soap import collecting
from hub.adapters.soap.adapter import SoapAdapter
from hub.adapters.xml_places import elements, find
from hub.errors import ConfigurationError, NotFound, TemporaryFailure, Unavailable, UnsupportedFeature
from hub.ports import RawInbound, Rendering, ReportedStatus
from hub.protocols.soap.fetching import pin
from hub.protocols.soap.wire import read_envelope
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, delivery, parcel, secret_file
from tests.adapters.servers import Server, answering, http, read_request, serving
from tests.adapters.test_soap import soap_channel

WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:e="urn:edms" targetNamespace="urn:edms">
<types><xs:schema targetNamespace="urn:edms" elementFormDefault="qualified">
<xs:element name="Caller"><xs:complexType><xs:sequence><xs:element name="system" type="xs:string"/>
 <xs:element name="number" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
<xs:complexType name="Document"><xs:sequence><xs:element name="title" type="xs:string"/></xs:sequence></xs:complexType>
<xs:complexType name="Letter"><xs:complexContent><xs:extension base="e:Document"><xs:sequence>
 <xs:element name="text" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:element name="Put"><xs:complexType><xs:sequence>
 <xs:element name="document" type="e:Document"/>
 <xs:element name="properties" minOccurs="0"><xs:complexType><xs:choice maxOccurs="unbounded">
  <xs:element name="word" type="xs:string"/><xs:element name="count" type="xs:int"/></xs:choice></xs:complexType>
 </xs:element>
 <xs:element name="file" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
  <xs:element name="name" type="xs:string"/><xs:element name="data" type="xs:base64Binary" minOccurs="0"/>
  <xs:element name="text" type="xs:string" minOccurs="0"/><xs:element name="hex" type="xs:hexBinary" minOccurs="0"/>
 </xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="Told"><xs:complexType><xs:sequence>
 <xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="List"><xs:complexType/></xs:element>
<xs:complexType name="One"><xs:sequence><xs:element name="id" type="xs:string"/></xs:sequence></xs:complexType>
<xs:element name="Fetch" type="e:One"/><xs:element name="Done" type="e:One"/>
</xs:schema></types>
<message name="put"><part name="p" element="e:Put"/><part name="caller" element="e:Caller"/></message>
<message name="list"><part name="p" element="e:List"/></message>
<message name="fetch"><part name="p" element="e:Fetch"/></message>
<message name="done"><part name="p" element="e:Done"/></message>
<message name="told"><part name="p" element="e:Told"/></message>
<portType name="P">
<operation name="Put"><input message="e:put"/><output message="e:told"/></operation>
<operation name="List"><input message="e:list"/><output message="e:told"/></operation>
<operation name="Fetch"><input message="e:fetch"/><output message="e:told"/></operation>
<operation name="Done"><input message="e:done"/><output message="e:told"/></operation></portType>
<binding name="B" type="e:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Put"><soap:operation soapAction="put"/><input>
 <soap:header message="e:put" part="caller" use="literal"/><soap:body parts="p" use="literal"/></input>
 <output><soap:body use="literal"/></output></operation>
<operation name="List"><soap:operation soapAction="list"/><input><soap:body use="literal"/></input>
 <output><soap:body use="literal"/></output></operation>
<operation name="Fetch"><soap:operation soapAction="fetch"/><input><soap:body use="literal"/></input>
 <output><soap:body use="literal"/></output></operation>
<operation name="Done"><soap:operation soapAction="done"/><input><soap:body use="literal"/></input>
 <output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="Q" binding="e:B"><soap:address location="http://elsewhere.example/"/></port></service>
</definitions>"""
LEFT: list[str] = ["channel", "kind", "received_at", "applicant", "topics", "attachments.description"]
FILE = {"name": "$item.name", "data": "$item.content"}
COLLECT: dict[str, Any] = {
    "list": {"operation": "List", "each": "id"},
    "fetch": {
        "operation": "Fetch",
        "request": {"id": "$id"},
        "answer": {
            "status": {"path": "kind", "values": {"reg": "registered", "reply": "answered"}},
            "echo": "about",
            "number": "number",
            "date": "date",
            "text": "text",
            "files": {"each": "file", "content": "data", "name": "name"},
        },
    },
    "done": {"operation": "Done", "request": {"id": "$id"}},
}


def mapping(**changes: Any) -> dict[str, Any]:
    return {
        "operation": "Put",
        "leaves_out": LEFT,
        "header": {"caller": {"system": "$message_id"}},
        "request": {
            "document": {"$type": "Letter", "title": "$case_id", "text": "$body.text"},
            "file": {"$each": "$attachments", "as": FILE},
        },
        "answer": {"status": "delivered", "id": "id"},
        **changes,
    }


def channel_of(
    folder: Path, said: dict[str, Any], url: str = "http://127.0.0.1:1/", files: str = "inline", **more: Any
) -> Channel:
    laid = {"service.wsdl": WSDL.encode(), "mapping.yaml": yaml.safe_dump(said, allow_unicode=True).encode()}
    folder = folder / "wsdl"
    folder.mkdir(exist_ok=True)
    for name, data in laid.items():
        (folder / name).write_bytes(data)
    section = {"folder": str(folder), "sha256": pin(folder, "service.wsdl", laid), "attachments": files}
    return soap_channel(url, "wsdl", wsdl=section, **more)


@pytest.fixture
def store() -> MemoryAttachments:
    return MemoryAttachments()


@pytest.fixture
def adapter(store: MemoryAttachments) -> SoapAdapter:
    return SoapAdapter(AdapterContext(attachments=store))


def prepared(adapter: SoapAdapter, channel: Channel, *files: Attachment, text: str | None = None) -> bytes:
    made = appeal(files)
    if text is not None:
        made = made.model_copy(update={"body": made.body.model_copy(update={"text": text})})
    return adapter.prepare(parcel(made, Rendering.XML), channel).body


class Taker:
    """Takes one call of ``Put``; the bytes that came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        _, body = read_request(conn)
        self.bodies.append(body)
        conn.sendall(http("200 OK", said("<id>7</id>"), Content_Type="text/xml"))


def said(inside: str) -> bytes:
    told = f'<Told xmlns="urn:edms">{inside}</Told>'
    return f'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>{told}</Body></Envelope>'.encode()


@pytest.mark.parametrize("security", ["none", "username_token"])
def test_a_file_stands_where_the_mapping_puts_it(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path, security: str
) -> None:
    """In base64, streamed, beside a security header too; header block and named type stand where the WSDL has them."""
    data, taker = bytes(range(256)) * 700, Taker()
    guard = {"type": "username_token", "user": "hub", "password": secret_file(tmp_path)}
    more: dict[str, Any] = {} if security == "none" else {"security": guard}
    with serving(taker.script) as server:
        channel = channel_of(tmp_path, mapping(), server.url(), **more)
        made = parcel(appeal((store_file(store, data),)), Rendering.XML)
        ready = adapter.prepare(made, channel)
        with adapter.session(channel) as session:
            assert session.send(ready, 5.0).external_id == "7"
    assert data[:50] not in ready.body
    assert b"<?hub-file " in ready.body
    came = read_envelope(taker.bodies[0])
    assert base64.b64decode(came.body.findtext(".//{urn:edms}data") or "") == data
    assert came.header[0].findtext("{urn:edms}system") == str(made.message_id)
    document = came.body.find(".//{urn:edms}document")
    assert document is not None
    assert document.get("{http://www.w3.org/2001/XMLSchema-instance}type", "").endswith("Letter")


def test_a_text_element_takes_a_file_in_base64_too(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """Many systems declare xs:string where they want base64."""
    request = {**mapping()["request"], "file": {"$each": "$attachments", "as": {**FILE, "text": "$item.content"}}}
    del request["file"]["as"]["data"]
    body = prepared(adapter, channel_of(tmp_path, mapping(request=request)), store_file(store, b"x"))
    assert body.count(b"<?hub-file ") == 1


def test_no_words_of_anybody_become_a_file(adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path) -> None:
    """What looks like a place for a file in the applicant's text stays text."""
    file = store_file(store, b"x")
    words = f"<?hub-file {file.sha256}?>"
    body = prepared(adapter, channel_of(tmp_path, mapping()), file, text=words)
    assert body.count(b"<?hub-file ") == 1
    assert etree.fromstring(body).findtext(".//{urn:edms}text") == words


def test_what_cannot_hold_a_file_is_named(adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path) -> None:
    """xs:hexBinary; a type that no schema has; an unknown header block: each by its name."""
    request = mapping()["request"]
    hexed = {**request, "file": {"$each": "$attachments", "as": {"name": "$item.name", "hex": "$item.content"}}}
    with pytest.raises(UnsupportedFeature, match="hex is xs:hexBinary"):
        prepared(adapter, channel_of(tmp_path, mapping(request=hexed)), store_file(store, b"x"))
    typed = {**request, "document": {"$type": "Telegram", "title": "$body.text"}}
    with pytest.raises(UnsupportedFeature, match="document: Telegram is no complex type"):
        prepared(adapter, channel_of(tmp_path, mapping(request=typed)))
    with pytest.raises(UnsupportedFeature, match="stranger"):
        prepared(adapter, channel_of(tmp_path, mapping(header={"stranger": {"system": "x"}})))
    with pytest.raises(UnsupportedFeature, match="number is no xs:int"):
        prepared(adapter, channel_of(tmp_path, mapping(header={"caller": {"system": "x", "number": "many"}})))


def test_a_choice_that_repeats_and_rows_beside_others(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """Members of the choice in their order; rows of ``$each`` join the list that they stand in."""
    request = {
        **mapping()["request"],
        "properties": {"_value_1": [{"word": "$kind"}, {"count": 3}, {"word": "$body.kind"}]},
        "file": [{"name": "appeal.xml", "data": "$sealed"}, {"$each": "$attachments", "as": FILE}],
    }
    body = prepared(adapter, channel_of(tmp_path, mapping(request=request)), store_file(store, b"x"))
    root = etree.fromstring(body)
    assert [each.text for each in root.findall(".//{urn:edms}properties/*")] == ["appeal", "3", "complaint"]
    assert [each.text for each in root.iter("{urn:edms}name")] == ["appeal.xml", "скан «1».pdf"]


@pytest.mark.parametrize(
    ("files", "more", "words"),
    [
        ("link", {}, "does not send them there"),
        ("inline", {"security": {"type": "x509", "cert": "file:/c.pem", "key": "file:/k.pem"}}, "what is signed"),
        ("mtom", {"auth": {"type": "hmac", "secret": "env:X"}}, "what is signed"),
        ("inline", {"wsdl_poll": "ftp://x"}, "poll_url"),
    ],
)
def test_settings_that_do_not_go_together(
    adapter: SoapAdapter, tmp_path: Path, files: str, more: dict[str, Any], words: str
) -> None:
    """A place for files needs a channel that fills it; what is signed first would not be what goes out."""
    channel = channel_of(tmp_path, mapping(), files=files)
    poll_url = {"poll_url": more.pop("wsdl_poll")} if "wsdl_poll" in more else {}
    settings = {**channel.settings, **more, "wsdl": {**channel.settings["wsdl"], **poll_url}}
    with pytest.raises(ConfigurationError, match=words):
        prepared(adapter, channel.model_copy(update={"settings": settings}))


class Desk(NoDesk):
    """A hub that knows one message of ours, and may be unable to keep."""

    def __init__(self, store: MemoryAttachments, known: Delivery) -> None:
        self.store, self.known = store, known
        self.told: list[ReportedStatus] = []
        self.holds: list[tuple[str, bytes]] = []
        self.against: Exception | None = None

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        return self.known if message_id == self.known.message_id or external_id == self.known.external_id else None

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        sha256, size = self.store.put(source, limit=100)
        return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

    def reported(self, spoken: ReportedStatus) -> None:
        if self.against is not None:
            raise self.against
        self.told.append(spoken)

    def held(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None, **_: Any) -> None:
        self.holds.append((verdict, raw.body))


class ListDesk(Desk):
    """A hub that remembers where a list was left."""

    mark: str | None = None

    def bookmark(self) -> str | None:
        return self.mark

    def save_bookmark(self, bookmark: str) -> None:
        self.mark = bookmark

    def knows(self, reported: ReportedStatus, delivery: Delivery) -> bool:
        raise AssertionError("nobody was expected to ask")

    def numbers(self) -> list[str]:
        """Numbers that were told since the last question."""
        told, self.told = self.told, []
        return [getattr(each.body, "number", "") for each in told]


class Queue:
    """Messages that wait; one whose word is ``fault`` cannot be fetched. ``shrinks``: what is done leaves the list."""

    shrinks = False

    def __init__(self, **waiting: str) -> None:
        self.waiting = waiting
        self.done: list[str] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            _, body = read_request(conn)
            if not body:
                return
            conn.sendall(self._answer(read_envelope(body).body[0]))

    def _answer(self, asked: etree._Element) -> bytes:
        about = asked.findtext("{urn:edms}id") or ""
        name = etree.QName(asked).localname
        if name == "List":
            return http("200 OK", said("".join(f"<id>{each}</id>" for each in self.waiting)), Content_Type="text/xml")
        if name == "Done":
            self.done.append(about)
            if self.shrinks:
                del self.waiting[about]
            return http("200 OK", said(""), Content_Type="text/xml")
        if self.waiting[about] == "fault":
            return http("503 Later", b"", Content_Type="text/xml")
        return http("200 OK", said(self.waiting[about]), Content_Type="text/xml")


def collected(adapter: SoapAdapter, folder: Path, queue: Queue, desk: Desk, rules: dict[str, Any] = COLLECT) -> int:
    with serving(queue.script) as server:
        channel = channel_of(folder, mapping(collect=rules), server.url())
        assert adapter.collects(channel)
        with adapter.session(channel) as session:
            return session.collect(desk, 5.0)


def known() -> Delivery:
    return delivery(appeal(), soap_channel("http://127.0.0.1:1/"), "77")


def test_what_waits_is_fetched_with_its_files(adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path) -> None:
    """By our id or by theirs of our message; a file that is no base64 costs itself, and a person hears of it."""
    one = known()
    number = "<number>В-2</number><date>2026-03-09</date>"
    files = "<file><name>a/відповідь.pdf</name><data>YWJj</data></file><file><name>b</name><data>?!</data></file>"
    queue = Queue(
        a=f"<kind>reg</kind><about>{one.message_id}</about><number>Р-1</number><date>2026-03-05</date>",
        b=f"<kind>reply</kind><about>77</about>{number}{files}",
    )
    desk = Desk(store, one)
    assert collected(adapter, tmp_path, queue, desk) == 2
    registered, answered = desk.told
    assert registered.in_reply_to == one.message_id
    (file,) = answered.attachments
    assert (file.name, store.size(file.sha256)) == ("a_відповідь.pdf", 3)
    assert "b: its content is no base64" in (answered.unclear or "")
    assert registered.said_id.startswith("a:")
    assert queue.done == ["a", "b"]


def test_files_of_an_answer_that_is_asked_for_are_kept(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """With the answer to a question, in an MTOM part and as SwA: in the store, named by the statement."""
    told = (
        "<kind>reply</kind><number>В-2</number><date>2026-03-09</date><file><name>a.pdf</name><data><x:Include "
        'xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:one@them"/></data></file>'
        '<file><name>b.pdf</name><data href="cid:two@them"/></file>'
    )
    parts = [("application/xop+xml", "root@them", said(told)), ("application/pdf", "one@them", b"one")]
    parts.append(("application/pdf", "two@them", b"two"))
    heads = (f"--b\r\nContent-Type: {kind}\r\nContent-ID: <{name}>\r\n\r\n" for kind, name, _ in parts)
    body = b"".join(head.encode() + data + b"\r\n" for head, (_, _, data) in zip(heads, parts, strict=True)) + b"--b--"
    answer = http("200 OK", body, Content_Type='multipart/related; boundary="b"; start="<root@them>"')
    rules = {name: rule for name, rule in COLLECT["fetch"]["answer"].items() if name != "echo"}
    poll = {"operation": "Fetch", "request": {"id": "$external_id"}, "answer": rules}
    with serving(answering(answer)) as server:
        channel = channel_of(tmp_path, mapping(poll=poll), server.url())
        with adapter.session(channel) as session:
            outcome = session.poll(known(), 5.0)
    (spoken,) = outcome.reported
    assert [(each.name, each.size) for each in spoken.fetched] == [("a.pdf", 3), ("b.pdf", 3)]
    assert spoken.attachments == spoken.fetched
    assert all(store.size(each.sha256) == 3 for each in spoken.fetched)


def test_what_says_nothing_is_held_and_what_fails_holds_up_nothing(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """A stranger's message and an unknown word go to a person; one that cannot be fetched stays there, and the
    collection fails after the rest; what the hub refuses was journalled by it.
    """
    one = known()
    about = f"<about>{one.message_id}</about>"
    stranger = "<kind>reg</kind><about>other</about>"
    queue = Queue(x=stranger, y="fault", z=f"<kind>?</kind>{about}", w=f"<kind>reg</kind>{about}")
    desk = Desk(store, one)
    desk.against = NotFound("No such case.")
    desk.against.journalled = True
    with pytest.raises(Exception, match="come later") as failure:
        collected(adapter, tmp_path, queue, desk)
    assert failure.value.stable_code == "soap.try_later"  # type: ignore[attr-defined]
    assert [verdict for verdict, _ in desk.holds] == ["inbound.unknown_case", "soap.unreadable"]
    assert queue.done == ["x", "z", "w"]


def test_what_the_hub_cannot_keep_stays_there(adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path) -> None:
    """Nothing is said to be done before the hub has it."""
    one = known()
    queue = Queue(a=f"<kind>reg</kind><about>{one.message_id}</about><number>1</number><date>2026-03-05</date>")
    desk = Desk(store, one)
    desk.against = Unavailable("The disk is full.")
    with pytest.raises(Unavailable):
        collected(adapter, tmp_path, queue, desk)
    assert queue.done == []


def registered(about: Delivery, number: int) -> str:
    return f"<kind>reg</kind><about>{about.message_id}</about><number>{number}</number><date>2026-03-05</date>"


def test_an_id_that_cannot_be_asked_for_goes_to_a_person(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path
) -> None:
    """Once for a list, with what stands there; the others are fetched, and an empty entry is nothing."""
    one = known()
    queue = Queue(**{"x" * 256: "", "a\u200bb": "", "": "", "ok": registered(one, 2)})
    desk = ListDesk(store, one)
    assert collected(adapter, tmp_path, queue, desk) == 1
    ((verdict, body),) = desk.holds
    assert (verdict, desk.numbers(), queue.done) == ("soap.listed", ["2"], ["ok"])
    assert b"x" * 256 in body
    assert "a\u200bb" in body.decode()
    assert b"ok" not in body


def test_a_list_that_does_not_grow_shorter_is_read_to_its_end(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visit begins where the last one left it, and at the end anew: nothing is never fetched."""
    monkeypatch.setattr(collecting, "MAX_LISTED", 2)
    one = known()
    queue = Queue(**{f"m{each}": registered(one, each) for each in range(3)})
    desk = ListDesk(store, one)
    rules = {name: rule for name, rule in COLLECT.items() if name != "done"}

    def visit() -> list[str]:
        assert collected(adapter, tmp_path, queue, desk, rules) == 2
        return desk.numbers()

    assert [visit(), visit()] == [["0", "1"], ["2", "0"]]
    desk.mark = "{not a mark"
    assert visit() == ["0", "1"]


def test_messages_that_fail_for_ever_do_not_hide_those_behind_them(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although they alone are as many as a visit fetches; what is done is not begun behind."""
    monkeypatch.setattr(collecting, "MAX_LISTED", 2)
    one = known()
    queue = Queue(a="fault", b=registered(one, 1), c=registered(one, 2), d="fault")
    queue.shrinks = True
    desk, told = ListDesk(store, one), []
    for _ in range(2):
        with pytest.raises(TemporaryFailure):
            collected(adapter, tmp_path, queue, desk)
        told.append(desk.numbers())
    assert told == [["1"], ["2"]]
    assert list(queue.waiting) == ["a", "d"]


def test_what_is_refused_before_the_journal_has_it_is_held_before_it_is_done(
    adapter: SoapAdapter, store: MemoryAttachments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No store for its files, a fault in reading it: a person gets its bytes; the next one goes on."""
    one = known()
    file = "<file><name>b.pdf</name><data>YWJj</data></file>"
    queue = Queue(a=registered(one, 1).replace("reg", "reply") + file, b=registered(one, 2))
    desk = Desk(store, one)

    def no_store(*_: Any, **__: Any) -> Attachment:
        raise NotFound("This process has no attachment store.", code="attachment.no_store")

    monkeypatch.setattr(desk, "keep", no_store)
    assert collected(adapter, tmp_path, queue, desk) == 2
    ((verdict, body),) = desk.holds
    assert (verdict, b"YWJj" in body, len(desk.told)) == ("attachment.no_store", True, 1)
    assert queue.done == ["a", "b"]
    desk.against = KeyError("Канаренко")
    assert collected(adapter, tmp_path, Queue(c=registered(one, 3)), desk) == 1
    assert desk.holds[1][0] == "item.failed"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".", "x"),
        ("@id", "7"),
        ("property[@name=number]", "N-1"),
        ("property[@name=number]/@type", "s"),
        ("property[2]", "2026"),
        ("property[@name=other]", None),
        ("/Header/about", "m"),
        ("/Header/nothing/at/all", None),
    ],
)
def test_places_in_an_answer(path: str, text: str | None) -> None:
    """The element itself, attributes, siblings told apart by an attribute, and the envelope's header."""
    inside = '<property name="number" type="s">N-1</property><property name="date">2026</property>'
    root = etree.fromstring(f'<E><Header><about>m</about></Header><Body><a id="7">{inside}</a></Body></E>')
    node = etree.fromstring("<a id='7'>x</a>") if path == "." else root[1][0]
    assert find(node, path) == text
    assert len(elements(root[1][0], "property")) == 2
