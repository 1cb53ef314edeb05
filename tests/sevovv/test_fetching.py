"""Fetching from SEV's input queue: handed over, then ended; never the other way round."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from lxml import etree

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.errors import DeliveryError, HubError, NotFound, TemporaryFailure, Unavailable
from hub.ports import Dating, RawInbound, ReportedStatus
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.wire import SOAP, XSI
from hub.schemas.delivery import Delivery
from hub.schemas.envelope import AnswerBody, Attachment, ReceiptBody
from hub.schemas.ids import CaseId, MessageId
from hub.storage.attachments import MemoryAttachments
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, delivery
from tests.sevovv.node import SevNode, served
from tests.sevovv.test_client import SYSTEM, channel

FROM = "00032106"


class Desk(NoDesk):
    """A desk that knows one delivery."""

    def __init__(self, known: Delivery, files: MemoryAttachments) -> None:
        self.known = known
        self.files = files
        self.heard: list[ReportedStatus] = []
        self.sealed: list[RawInbound] = []
        self.raises: HubError | None = None
        self.journalled: list[bytes] = []

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        self.sealed.append(raw)

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self.journalled.append(raw.body)

    def reported(self, spoken: ReportedStatus) -> None:
        if self.raises is not None:
            raise self.raises
        if spoken.in_reply_to is None and spoken.reference is None:
            self.journalled.append(spoken.raw.body)
            refusal = NotFound("No appeal of yours.", code="inbound.unknown_case")
            refusal.journalled = True
            raise refusal
        self.heard.append(spoken)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        if message_id is not None and message_id == self.known.message_id:
            return self.known
        return self.known if case_id == self.known.case_id and authority == self.known.authority else None

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        sha256, size = self.files.put(source, limit=10**9)
        return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)


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


@pytest.fixture
def sink() -> Desk:
    """A desk with one delivery to the authority."""
    return Desk(delivery(appeal(), channel("http://127.0.0.1:1/")), MemoryAttachments())


def collect(url: str, sink: Desk, **settings: object) -> int:
    """One round."""
    adapter = SoapAdapter(AdapterContext(attachments=sink.files))
    to = channel(url, collect=True, **settings)
    assert adapter.collects(to)
    assert not adapter.polls(to)
    with adapter.session(to) as session:
        return session.collect(sink, 20.0)


def header(kind: int, sender: str = FROM, to: str = "36521731") -> etree._Element:
    """A message as SEV hands it on."""
    return etree.Element(
        "Header",
        standart="1207",
        version="1.5",
        charset="UTF-8",
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        msg_type=str(kind),
        msg_id=str(uuid.uuid4()).upper(),
        from_org_id=sender,
        from_organization="Орган",
        from_sys_id="99999999",
        from_system="СЕВ",
        to_org_id=to,
        to_organization="НКЦ",
        to_sys_id=SYSTEM,
        to_system="Хаб",
    )


def put(sev: SevNode, root: etree._Element) -> str:
    """Put a message into the queue; its id there."""
    name = root.get("msg_id", "").lower()
    sev.queue[name] = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return name


def notice(about: str, kind: int = 3) -> etree._Element:
    """A notice about one of our messages."""
    root = header(0)
    ack = etree.SubElement(root, "Acknowledgement", msg_id=about, ack_type=str(kind))
    etree.SubElement(ack, "RegNumber", regdate="2026-11-24").text = "З-123/26"
    etree.SubElement(ack, "AckResult", errorcode="0", errortext="")
    return root


def reply(case: str) -> etree._Element:
    """A reply to one of our documents, with a scan."""
    root = header(3)
    document = etree.SubElement(
        root, "Document", idnumber="7", type="0", title="Відповідь", annotation="Полагоджено", purpose_type="4"
    )
    etree.SubElement(document, "RegNumber", regdate="2026-11-25").text = "17/З"
    etree.SubElement(document, "Confident", flag="0")
    etree.SubElement(document, "DocTransfer", type="pdf", description="скан", idnumber="1").text = "JVBERg=="
    addressee = etree.SubElement(document, "Addressee", type="0")
    etree.SubElement(addressee, "Referred", idnumber=case, retype="д")
    return root


def test_a_notice_becomes_a_statement(sev: SevNode, url: str, sink: Desk) -> None:
    """Whatever the id looks like on the way: braces, capitals. The exact bytes are kept with it."""
    name = put(sev, notice("{" + str(sink.known.message_id).upper() + "}"))
    raw = sev.queue[name]
    assert collect(url, sink) == 1
    (spoken,) = sink.heard
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number) == ("registered", "З-123/26")
    assert (spoken.in_reply_to, spoken.party, spoken.raw.body) == (sink.known.message_id, FROM, raw)
    assert sev.ended == [(name, None)]
    assert sev.whole == []  # nobody acknowledges an acknowledgement


def test_a_reply_brings_its_files_and_is_acknowledged(sev: SevNode, url: str, sink: Desk) -> None:
    """The file is kept under a name for people; two notices go back under the id by which SEV knows the reply."""
    name = put(sev, reply(str(sink.known.case_id)))
    assert collect(url, sink) == 1
    (spoken,) = sink.heard
    assert isinstance(spoken.body, AnswerBody)
    assert spoken.unclear
    assert [(file.name, file.media_type, file.size) for file in spoken.attachments] == [
        ("скан.pdf", "application/pdf", 4)
    ]
    acks = [etree.fromstring(message).find("Acknowledgement") for message in sev.whole]
    assert [(ack.get("msg_id"), ack.get("ack_type")) for ack in acks if ack is not None] == [(name, "1"), (name, "2")]


@pytest.mark.parametrize(
    ("time", "dated", "claims"),
    [
        ("2026-11-24T10:00:00Z", Dating.MOMENT, None),
        ("0001-01-01T00:00:00", Dating.NONE, datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59", Dating.NONE, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("учора", Dating.NONE, None),
        (None, Dating.NONE, None),
    ],
)
def test_a_notice_without_a_time_that_can_be_counts(
    sev: SevNode, url: str, sink: Desk, time: str | None, dated: Dating, claims: datetime | None
) -> None:
    """A time of year 1, 9999, in words or not there costs itself, not the registration."""
    root = notice(str(sink.known.message_id))
    del root.attrib["time"]
    if time is not None:
        root.set("time", time)
    put(sev, root)
    assert collect(url, sink) == 1
    (spoken,) = sink.heard
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.number, spoken.dated, spoken.claims) == ("З-123/26", dated, claims)


def test_killed_between_desk_and_end(sev: SevNode, url: str, sink: Desk) -> None:
    """The end was never said: the same message comes again with the same ids, its notices are known (9), it ends."""
    name = put(sev, reply(str(sink.known.case_id)))
    sev.fail = lambda name, _count: "reset" if name == "EndProcessingDownloadedMessage" else None
    with pytest.raises(HubError):
        collect(url, sink)
    sev.fail = lambda _name, _count: None
    assert collect(url, sink) == 1
    first, second = sink.heard
    assert first == second
    assert len(sev.whole) == 2
    assert sev.ended == [(name, None)]


def test_what_cannot_be_kept_now_stays(sev: SevNode, url: str, sink: Desk) -> None:
    """The desk cannot write: nothing is ended, nothing is acknowledged."""
    put(sev, reply(str(sink.known.case_id)))
    sink.raises = Unavailable("no room")
    with pytest.raises(Unavailable):
        collect(url, sink)
    assert (sev.ended, sev.whole, len(sev.queue)) == ([], [], 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>", 33),
        (b"<?xml version='1.0'?><!DOCTYPE Header><Header/>", 33),
        (b"<Header msg_type='9' msg_id='1' from_org_id='1'/>", 33),
    ],
)
def test_what_cannot_be_read_is_put_aside(sev: SevNode, url: str, sink: Desk, body: bytes, code: int) -> None:
    """It ends as ``Failed`` with a code of the table, and what stands behind it is fetched."""
    sev.queue["broken"] = body
    put(sev, notice(str(sink.known.message_id)))
    assert collect(url, sink) == 2
    assert ("broken", code) in sev.ended
    assert sink.journalled == [body]
    assert len(sink.heard) == 1


def test_what_is_not_ours_is_put_aside(sev: SevNode, url: str, sink: Desk) -> None:
    """Another addressee; no case of ours; another sender than the one the appeal went to; a forged sender."""
    elsewhere = put(sev, header(1, to="00000001"))
    unknown = put(sev, notice(str(uuid.uuid4())))
    stranger = notice(str(sink.known.message_id))
    stranger.set("from_org_id", "11111111")
    foreign = put(sev, stranger)
    sev.senders[foreign] = "11111111"
    forged = put(sev, notice(str(sink.known.message_id)))
    sev.senders[forged] = "11111111"
    assert collect(url, sink) == 4
    assert set(sev.ended) == {(elsewhere, 4), (unknown, 2), (foreign, 2), (forged, 33)}
    assert sink.heard == []
    assert len(sink.journalled) == 4


def test_one_that_cannot_be_fetched_stands_before_nobody(sev: SevNode, url: str, sink: Desk) -> None:
    """SEV fails on the first message each time; the second is taken, the first stays."""
    bad = put(sev, notice(str(sink.known.message_id), 1))
    good = put(sev, notice(str(sink.known.message_id), 2))
    sev.fail = lambda name, count: "1" if name == "OpenDownloadingSession" and count == 1 else None
    assert collect(url, sink) == 1
    assert sev.ended == [(good, None)]
    assert list(sev.queue) == [bad]


@pytest.mark.slow
def test_a_broken_line_goes_on_from_the_bytes_we_have(sev: SevNode, url: str, sink: Desk) -> None:
    """A large reply in parts; two answers are lost: only those parts are asked for again."""
    root = reply(str(sink.known.case_id))
    transfer = root.find("Document/DocTransfer")
    assert transfer is not None
    transfer.text = "JVBERi0x" * 500_000
    put(sev, root)
    sev.fail = lambda name, count: "lost" if name == "DownloadMessageChunk" and count in (2, 4) else None
    assert collect(url, sink) == 1
    assert sev.calls.count("DownloadMessageChunk") == 4 + 2
    assert sink.heard[0].attachments[0].size == 3_000_000
    assert sink.heard[0].raw.content_type.startswith("application/xml; profile=sev-1207-1.5; sha256=")


def test_another_hash_leaves_it_there(sev: SevNode, url: str, sink: Desk) -> None:
    """Bytes that are not those that SEV counted are not believed and not ended."""
    name = put(sev, notice(str(sink.known.message_id)))
    whole = sev.queue[name]

    def damaged(operation: str, _count: int) -> str | None:
        if operation == "GetMessageValidationInfo":
            sev.queue[name] = whole + b" "
        return None

    sev.fail = damaged
    assert collect(url, sink) == 0
    assert (sev.ended, sink.heard) == ([], [])


def test_a_locked_account_is_said_by_its_code(sev: SevNode, url: str, sink: Desk) -> None:
    """Code 30 on the queue: an error of the channel, not of a message."""
    sev.fail = lambda _name, _count: "30"
    with pytest.raises(TemporaryFailure) as caught:
        collect(url, sink)
    assert caught.value.stable_code == "sevovv.30"


def test_nothing_is_sent_over_a_channel_that_collects(sink: Desk) -> None:
    """And a file store is needed for fetching."""
    adapter = SoapAdapter(AdapterContext())
    to = channel("http://127.0.0.1:1/", collect=True)
    with adapter.session(to) as session, pytest.raises(HubError):
        session.collect(sink, 1.0)


def test_a_sealed_envelope_goes_to_the_desk_as_it_is(sev: SevNode, url: str, sink: Desk) -> None:
    """An authority with a hub of its own answers in our words: the sealed bytes reach the desk untouched."""
    root = header(3)
    expansion = etree.SubElement(root, "Expansion", organization="x", exp_ver="1")
    etree.SubElement(expansion, "StaticExpansion")
    ours = etree.SubElement(expansion, "{urn:ncc-hub:sev-expansion:1}Envelope")
    etree.SubElement(ours, "{urn:ncc-hub:sev-expansion:1}MediaType").text = "application/jose"
    etree.SubElement(ours, "{urn:ncc-hub:sev-expansion:1}Sealed").text = "YS5iLmM="
    put(sev, root)
    assert collect(url, sink) == 1
    assert sink.sealed == [RawInbound(content_type="application/jose", body=b"a.b.c")]


def _large(case: str, text: str) -> etree._Element:
    root = reply(case)
    transfer = root.find("Document/DocTransfer")
    assert transfer is not None
    transfer.text = text
    return root


def test_a_large_message_can_be_put_together_again(sev: SevNode, url: str, sink: Desk) -> None:
    """What is kept of it gives the very bytes that came, by the hash that stands beside it; nothing is kept twice."""
    name = put(sev, _large(str(sink.known.case_id), "JVBERi0x" * 300_000))
    whole = sev.queue[name]
    assert collect(url, sink) == 1
    (spoken,) = sink.heard
    assert spoken.raw.content_type.endswith(hashlib.sha256(whole).hexdigest())
    assert len(spoken.raw.body) < 10_000
    assert b"".join(Package(spoken.raw.body, sink.files).chunks()) == whole
    assert len(spoken.attachments) == 1
    assert len(sink.files._files) == 1


def test_a_large_message_in_lines_is_kept_whole(sev: SevNode, url: str, sink: Desk) -> None:
    """Base64 in lines could not be made again from the file: the message itself is one attachment more."""
    name = put(sev, _large(str(sink.known.case_id), ("JVBERi0x" * 8 + "\n") * 40_000))
    whole = sev.queue[name]
    assert collect(url, sink) == 1
    (spoken,) = sink.heard
    assert [file.name for file in spoken.attachments] == ["скан.pdf", "sev-message.xml"]
    assert sink.files.open(spoken.attachments[1].sha256).read() == whole


NIL = f'<GetInputMessagesResult i:nil="true" xmlns:i="{XSI}"/>'
REFUSALS = {
    "in the result": "<R><Error><Code>30</Code><Text>Невірний пароль</Text></Error></R>",
    "as an item": "<R><MessageInfo><Error><Code>30</Code></Error></MessageInfo></R>",
    "beside the result": "<Error><Code>30</Code></Error><R/>",
    "without a result": "<Error><Code>30</Code></Error>",
    "by its long name": "<R><CommunicationError><Code>30</Code></CommunicationError></R>",
    "text only": "<R><Error>Невірний пароль</Error></R>",
    "code as a word": "<R><Error><Code>AuthorityFailed</Code><Text>Невірний пароль</Text></Error></R>",
    "mere words": "<R>Невірний пароль</R>",
    "an item without an id": "<R><MessageInfo><Size>0</Size></MessageInfo></R>",
}


def answers(inner: str) -> bytes:
    """The bus's answer to GetInputMessages."""
    said = f"<GetInputMessagesResponse>{inner}</GetInputMessagesResponse>"
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{said}</s:Body></s:Envelope>'.encode()


@pytest.mark.parametrize("name", REFUSALS)
def test_a_bad_password_is_never_an_empty_queue(
    sev: SevNode, url: str, sink: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the bus says it with HTTP 200: the round fails with an error, and says nothing of an empty queue."""
    inner = REFUSALS[name].replace("R>", "GetInputMessagesResult>").replace("R/>", "GetInputMessagesResult/>")
    monkeypatch.setattr(sev, "answer", lambda _: (None, 200, answers(inner)))
    with pytest.raises(DeliveryError) as caught:
        collect(url, sink)
    assert caught.value.stable_code in ("sevovv.30", "sevovv.0", "sevovv.no_answer")


@pytest.mark.parametrize("inner", ["", "<GetInputMessagesResult/>", NIL])
def test_an_empty_queue_is_empty(
    sev: SevNode, url: str, sink: Desk, inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No result, one without items, or one that is nil: nothing waits."""
    monkeypatch.setattr(sev, "answer", lambda _: (None, 200, answers(inner)))
    assert collect(url, sink) == 0
