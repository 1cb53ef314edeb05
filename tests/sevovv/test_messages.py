"""Messages 1207/1.5: what the hub writes is valid in every case, what others wrote is read with a note or refused."""

from __future__ import annotations

import base64
import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from hub.errors import HubError, InvalidInput, UnsupportedFeature
from hub.ports import AssignedExecutor, Parcel, Rendering
from hub.protocols.sevovv.building import Ends, acknowledgement, build, prepare
from hub.protocols.sevovv.handing import Arrived, load, text_of
from hub.protocols.sevovv.meaning import ground_of, meaning, subjects
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import SevMessage, read
from hub.protocols.sevovv.split import Skeleton, split
from hub.schemas import json_rendering
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, Attachment, Party
from hub.schemas.ids import MessageId, new_id
from hub.schemas.terms import Kind, RefusalGround, Role
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel
from tests.conftest import leave_out
from tests.forms import UNHURRIED, examples
from tests.sevovv.world import SPEC
from tests.strategies import envelopes

ENDS = Ends(from_sys_id="019aa000-0000-7000-8000-00000000aaaa", from_system="Хаб")
WRITTEN = {Kind.APPEAL, Kind.WITHDRAWAL, Kind.RETURN, Kind.SUPPLEMENT}


@pytest.fixture(scope="module")
def official() -> etree.XMLSchema:
    """The published schema."""
    if not SPEC.is_dir():
        leave_out("the official SEV files are absent (HUB_VECTORS/../spec/sevovv)")
    return etree.XMLSchema(etree.parse(str(SPEC / "xsd" / "Header.xsd")))


def whole(skeleton: bytes, store: MemoryAttachments) -> etree._Element:
    """The finished document, read by a parser that is not ours."""
    document = b"".join(Package(skeleton, store).chunks())
    return etree.fromstring(document, etree.XMLParser(huge_tree=True, resolve_entities=False))


def stored(envelope: AnyEnvelope, store: MemoryAttachments) -> AnyEnvelope:
    """The envelope with files that are really there in place of those that were made up."""
    files = []
    for index, entry in enumerate(envelope.attachments[:3]):
        sha256, size = store.put(iter([bytes([index]) * (index * 7 + 1)]), limit=100)
        files.append(entry.model_copy(update={"sha256": sha256, "size": size}))
    return envelope.model_copy(update={"attachments": tuple(files)})


@pytest.mark.slow
@settings(max_examples=examples(120), suppress_health_check=[*UNHURRIED, HealthCheck.filter_too_much])
@given(envelope=envelopes(), first=st.booleans())
def test_every_message_of_ours_is_valid(official: etree.XMLSchema, envelope: AnyEnvelope, first: bool) -> None:
    """Whatever an envelope says, its message passes the published schema, and reads back; or SEV cannot say it."""
    store = MemoryAttachments()
    envelope = stored(envelope, store)
    canonical = json_rendering.to_json(envelope)
    made = Parcel(message_id=MessageId(envelope.header.message_id), envelope=envelope, sealed=canonical, reply_url=None)
    try:
        skeleton = build(made, ends=ENDS, rendering_type="application/json", applicant_first=first)
    except UnsupportedFeature:
        assert envelope.kind not in WRITTEN
        return
    root = whole(skeleton, store)
    assert official.validate(root), str(official.error_log)
    again = read(split([etree.tostring(root)], lambda chunks: store.put(chunks, limit=10**9)))
    assert again.notes == ()
    assert again.msg_id == str(envelope.header.message_id)
    assert again.sealed() == ("application/json", canonical)
    assert [file.sha256 for file in again.files[1:]] == [entry.sha256 for entry in envelope.attachments]


@given(number=st.text(max_size=50), text=st.text(max_size=300), kind=st.integers(1, 5))
@settings(max_examples=examples(50))
def test_every_notice_of_ours_is_valid(official: etree.XMLSchema, number: str, text: str, kind: int) -> None:
    """Any words and numbers; the same notice has the same id and the same bytes."""
    at = datetime(2026, 11, 24, tzinfo=UTC)
    made = [
        acknowledgement(
            about="X-1",
            ack_type=kind,
            at=at,
            sender=Party(code="36521731"),
            recipient=Party(code="00032106"),
            ends=ENDS,
            number=(number, at.date()) if kind == 3 else None,
            text=text,
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    root = etree.fromstring(made[0][1])
    assert official.validate(root), str(official.error_log)


def listing(envelope: AppealEnvelope, executors: tuple[AssignedExecutor, ...]) -> Parcel:
    """A parcel of a case with several executors."""
    return Parcel(
        message_id=MessageId(envelope.header.message_id),
        envelope=envelope,
        sealed=b"{}",
        reply_url=None,
        executors=lambda: executors,
    )


def test_an_appeal_says_who_and_what_and_by_when(official: etree.XMLSchema) -> None:
    """Main and co-executors with the term, the applicant as author, the case in the document and the task's own id."""
    envelope = appeal()
    executors = (
        AssignedExecutor(party=envelope.header.recipient, role=Role.MAIN),
        AssignedExecutor(party=Party(code="00034186"), role=Role.CO_EXECUTOR),
        AssignedExecutor(party=Party(code="00037256"), role=Role.INFORMATION),
    )
    root = etree.fromstring(build(listing(envelope, executors), ends=ENDS, rendering_type="application/json"))
    assert official.validate(root)
    listed = [
        (each.get("responsible"), each.find("Organization").get("ogrn"), each.get("deadline"))  # type: ignore[union-attr]
        for each in root.iterfind("TaskList/Task/Executor")
    ]
    assert listed == [("1", "00032106", "2026-04-01"), ("0", "00034186", "2026-04-01"), ("2", "00037256", "2026-04-01")]
    document, task = root.find("Document"), root.find("TaskList/Task")
    assert document is not None
    assert task is not None
    assert (document.get("idnumber"), task.get("idnumber")) == (
        str(envelope.header.case_id),
        str(envelope.header.message_id),
    )
    two = (executors[0], AssignedExecutor(party=Party(code="00034186"), role=Role.MAIN))
    with pytest.raises(UnsupportedFeature):
        build(listing(envelope, two), ends=ENDS, rendering_type="application/json")


def test_replacement_and_addition(official: etree.XMLSchema) -> None:
    """РДС1 for an appeal that replaces an earlier one, РДС2 for what follows: one folder, naming the first document."""
    envelope = appeal()
    head = envelope.header.model_copy(update={"in_reply_to": new_id()})
    replaces = envelope.model_copy(update={"header": head})
    assert isinstance(replaces, AppealEnvelope)
    withdrawal = json_rendering.from_json(
        (
            '{"version":"1.0","kind":"withdrawal","header":'
            + head.model_copy(update={"in_reply_to": None}).model_dump_json(exclude_none=True)
            + ',"body":{"at":"2026-03-02T10:00:00Z","reason":"Вже полагоджено."}}'
        ).encode()
    )
    for made, kind in ((replaces, "3"), (withdrawal, "4")):
        canonical = json_rendering.to_json(made)
        root = etree.fromstring(
            build(
                Parcel(message_id=MessageId(head.message_id), envelope=made, sealed=canonical, reply_url=None),
                ends=ENDS,
                rendering_type="application/json",
            )
        )
        assert official.validate(root), str(official.error_log)
        (folder,) = root.iterfind("AddDocuments/Folder")
        assert folder.get("add_type") == kind
        link = folder.find("Document")
        assert link is not None
        assert link.get("idnumber") == str(head.case_id)
        document = root.find("Document")
        assert document is not None
        assert document.get("idnumber") == str(head.message_id)


def test_too_large_is_refused_before_it_is_sent() -> None:
    """The size with files is known beforehand; nothing is cut."""
    file = Attachment(sha256="a" * 64, size=900_000, media_type="application/pdf", name="скан.pdf")
    with pytest.raises(UnsupportedFeature) as caught:
        prepare(
            parcel(appeal((file,))),
            ends=ENDS,
            rendering_type="application/json",
            applicant_first=True,
            max_bytes=1_048_576,
        )
    assert caught.value.stable_code == "sevovv.too_large"


def samples() -> list[Path]:
    """The published samples."""
    return sorted((SPEC / "samples").glob("*.xml")) if SPEC.is_dir() else []


def open_sample(data: bytes, store: MemoryAttachments, piece: int = 4_096) -> SevMessage:
    """Read a message that comes in pieces."""
    sha256, size = store.put(iter([data[at : at + piece] for at in range(0, len(data), piece)]), limit=10**9)
    return load(Arrived(open=lambda: store.open(sha256), size=size), store)


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.stem.split(".")[0])
def test_samples_are_read_and_written_again(official: etree.XMLSchema, path: Path) -> None:
    """All 12: the files come out byte for byte, what is written again passes the schema, the mark is noted."""
    data, store = path.read_bytes(), MemoryAttachments()
    message = open_sample(data, store)
    assert ("bom" in message.notes) == data.startswith(b"\xef\xbb\xbf")
    original = etree.fromstring(data)
    root = whole(message.to_xml(), store)
    assert official.validate(root), str(official.error_log)
    assert [each.tag for each in root.iter()] == [each.tag for each in original.iter()]
    files = [base64.b64decode(each.text or "") for each in original.iter("DocTransfer")]
    assert [store.open(each.sha256).read() for each in message.files] == files
    assert ("file_cp1251" in message.notes) == path.stem.startswith("ДС11.")


def test_there_are_twelve_samples(official: etree.XMLSchema) -> None:
    """The parametrised test above had something to do."""
    assert len(samples()) == 12


def test_text_of_windows_is_read(official: etree.XMLSchema) -> None:
    """ДС11: ``charset`` says UTF-8, the text file inside is windows-1251; its words come out."""
    store = MemoryAttachments()
    (path,) = (each for each in samples() if each.stem.startswith("ДС11."))
    message = open_sample(path.read_bytes(), store)
    assert text_of(store.open(message.files[0].sha256).read()) == ("Тестовый документ", True)


EXPANSION = (
    '<Expansion organization="x" exp_ver="1"><LegalAct><Stage>1</Stage></LegalAct><StaticExpansion/>'
    '<Econtact type="п">a@b.ua</Econtact></Expansion>'
)


def header(inner: str, **more: str) -> bytes:
    """A message with this inside."""
    values = {
        "standart": "1207",
        "version": "1.5",
        "charset": "UTF-8",
        "time": "2026-11-24T08:00:00Z",
        "msg_type": "0",
        "msg_id": "{ABC}",
        "from_org_id": "00032106",
        "from_organization": "x",
        "from_sys_id": "1",
        "from_system": "x",
        "to_org_id": "36521731",
        "to_organization": "x",
        "to_sys_id": "1",
        "to_system": "x",
        **more,
    }
    attributes = " ".join(f'{name}="{value}"' for name, value in values.items())
    return f"<Header {attributes}>{inner}</Header>".encode()


def parse(data: bytes) -> SevMessage:
    """Read, files into nowhere."""
    store = MemoryAttachments()
    return read(split([data], lambda chunks: store.put(chunks, limit=10**9)))


def test_lenient_cases_are_noted(official: etree.XMLSchema) -> None:
    """Expansion out of order, a part out of order, windows-1251: mended, said, and valid when written again."""
    ack = '<Acknowledgement msg_id="1" ack_type="1"><AckResult errorcode="0" errortext=""/></Acknowledgement>'
    message = parse(header(ack + EXPANSION))
    assert message.notes == ("part_order", "expansion_order")
    assert official.validate(etree.fromstring(message.to_xml())), str(official.error_log)
    text = '<?xml version="1.0" encoding="windows-1251"?>' + header(ack, from_organization="Орган").decode()
    message = parse(text.encode("cp1251"))
    assert (message.notes, message.from_organization, message.msg_id) == (("encoding",), "Орган", "abc")


@pytest.mark.parametrize("declared", ["utf8", "windows-1251", "utf-16", "KOI8-U"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "koi8-u"])
def test_a_message_is_read_in_the_encoding_that_it_is_in(charset: str, declared: str) -> None:
    """Whatever a template's declaration says, with a blank line before it too; files in it come out byte for byte."""
    document = '<Document kind="Лист відповіді"><DocTransfer type="txt" idnumber="1">0LDQsQ==</DocTransfer></Document>'
    body = header(document, from_organization="Управління житлового господарства").decode()
    store = MemoryAttachments()
    message = open_sample(f'\n<?xml version="1.0" encoding="{declared}"?>{body}'.encode(charset), store)
    assert message.from_organization == "Управління житлового господарства"
    assert [store.open(each.sha256).read() for each in message.files] == ["аб".encode()]


HOSTILE = {
    "doctype": b"<!DOCTYPE Header><Header/>",
    "entity": b"<!DOCTYPE h [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Header>&x;</Header>",
    "root": b"<header/>",
    "namespace": b"<Header xmlns='urn:x'/>",
    "type": header("", msg_type="5"),
    "no id": header("", msg_id="{}"),
    "no sender": header("", from_org_id=" "),
    "ack zero-less": header('<Acknowledgement msg_id="1" ack_type="9"/>'),
    "not base64": header('<Document><DocTransfer type="a">!!!!</DocTransfer></Document>'),
    "bad padding": header('<Document><DocTransfer type="a">YQ==YQ==</DocTransfer></Document>'),
    "cdata": header('<Document><DocTransfer type="a"><![CDATA[YQ==]]></DocTransfer></Document>'),
    "cut": header('<Document><DocTransfer type="a">YWJj').removesuffix(b"</Header>"),
    "deep": header("<a>" * 100 + "</a>" * 100),
    "utf-16": '<?xml version="1.0" encoding="utf-16"?><Header/>'.encode("utf-16"),
    "beginnings": b"<Header>" + b"<DocTransfer " * 600_000,
    "empty ones": header("<Document>" + '<DocTransfer type="a"/>' * 10_001 + "</Document>"),
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_refused(name: str) -> None:
    """Each is refused with a named error, never a crash."""
    with pytest.raises(InvalidInput) as caught:
        parse(HOSTILE[name])
    assert caught.value.stable_code
    assert caught.value.faults or caught.value.stable_code.startswith("sevovv.")


@given(data=st.binary(max_size=300), seed=st.integers(0, 2**32))
@settings(max_examples=examples(150))
def test_damaged_bytes_never_crash(data: bytes, seed: int) -> None:
    """A message with damage anywhere is read or refused, nothing else."""
    dice = random.Random(seed)
    good = bytearray(header('<Document><DocTransfer type="a">YWJj</DocTransfer></Document>' + EXPANSION))
    at = dice.randrange(len(good))
    good[at : at + dice.randrange(4)] = data
    with contextlib.suppress(HubError):
        parse(bytes(good))


@given(content=st.binary(max_size=2_000), cuts=st.lists(st.integers(1, 60), min_size=1, max_size=5), wrap=st.booleans())
@settings(max_examples=examples(150))
def test_files_come_out_whatever_the_pieces(content: bytes, cuts: list[int], wrap: bool) -> None:
    """Base64 in one line or wrapped as .NET writes it (with &#xD;), cut anywhere by the network: the same bytes."""
    text = base64.b64encode(content).decode()
    if wrap:
        text = "&#xD;\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    document = f'<Header><DocTransfer description="a&gt;b" x=">">{text}</DocTransfer><DocTransfer/></Header>'.encode()

    def pieces() -> Iterator[bytes]:
        at, turn = 0, 0
        while at < len(document):
            step = cuts[turn % len(cuts)]
            yield document[at : at + step]
            at, turn = at + step, turn + 1

    kept: list[bytes] = []

    def keep(chunks: Iterator[bytes]) -> tuple[str, int]:
        kept.append(b"".join(chunks))
        return "0" * 64, len(kept[-1])

    skeleton: Skeleton = split(pieces(), keep)
    assert b"".join(kept) == content
    root = etree.fromstring(skeleton.body)
    assert [each.text for each in root] == [next(iter(skeleton.files), None), None]


@given(size=st.integers(0, 700), start=st.integers(0, 2_000), count=st.integers(1, 900))
@settings(max_examples=examples(200))
def test_a_package_can_be_read_from_anywhere(size: int, start: int, count: int) -> None:
    """Any part equals that part of the whole: that is what makes resuming safe."""
    store = MemoryAttachments()
    sha256, _ = store.put(iter([random.Random(size).randbytes(size)]), limit=10**6)
    file = f'<DocTransfer type="a">hub-file:{sha256}</DocTransfer>'
    package = Package(f"<Header>{file}<x/>{file}</Header>".encode(), store)
    data = b"".join(package.chunks())
    assert len(data) == package.size
    assert package.read(start, count) == data[start : start + count]


def test_a_damaged_file_is_noticed() -> None:
    """A file whose bytes are not those of its name stops the message before it is opened."""
    store = MemoryAttachments()
    sha256, _ = store.put(iter([b"scan"]), limit=10)
    store.damage(sha256)
    package = Package(f'<Header><DocTransfer type="a">hub-file:{sha256}</DocTransfer></Header>'.encode(), store)
    with pytest.raises(HubError) as caught:
        package.sha256()
    assert caught.value.stable_code == "sevovv.file_damaged"


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("Документ надійшов не за адресою", RefusalGround.WRONG_ADDRESSEE),
        ("Надійшов повторно", RefusalGround.RECEIVED_TWICE),
        ("Відсутній електронний підпис підписувача", RefusalGround.SIGNATURE_MISSING),
        ("Підпис не перевіряється", RefusalGround.SIGNATURE_UNVERIFIABLE),
        ("Відсутня електронна позначка часу", RefusalGround.TIMESTAMP_MISSING),
        ("Візуальна форма не читається", RefusalGround.UNREADABLE),
        ("Порушено вимоги до оформлення", RefusalGround.FORM),
        ("Реквізити не збігаються", RefusalGround.REQUISITES_DIFFER),
        ("Документ відхилено", RefusalGround.OTHER),
        ("", RefusalGround.OTHER),
    ],
)
def test_grounds_are_read_from_words(text: str, ground: RefusalGround) -> None:
    """The law's grounds have no codes in SEV."""
    assert ground_of(text) is ground


def _statement(inner: str, kind: str = "0") -> object:
    said = meaning(parse(header(inner, msg_type=kind)))
    return type(said.body).__name__, said.body.model_dump(mode="json", exclude_none=True), bool(said.unclear)


def ack(kind: int, inner: str = "", text: str = "") -> str:
    """A notice."""
    result = f'<AckResult errorcode="0" errortext="{text}"/>'
    return f'<Acknowledgement msg_id="1" ack_type="{kind}">{inner}{result}</Acknowledgement>'


AT = "2026-11-24T08:00:00.000Z"


def test_notices_one_to_five() -> None:
    """Each becomes its statement; registration without a number is no registration; closing moves nothing."""
    number = '<RegNumber regdate="2026-11-24">З-1</RegNumber>'
    assert _statement(ack(1)) == ("ReceiptBody", {"status": "delivered", "at": AT}, False)
    assert _statement(ack(2)) == ("ReceiptBody", {"status": "accepted", "at": AT}, False)
    registered = {"status": "registered", "at": AT, "number": "З-1", "date": "2026-11-24"}
    assert _statement(ack(3, number)) == ("ReceiptBody", registered, False)
    assert _statement(ack(3)) == ("ReceiptBody", {"status": "accepted", "at": AT}, True)
    words = "Надійшов не за адресою; 25.11.2026 09:40; реєстратор Вигадана О. П., 044 000-00-00"
    assert _statement(ack(4, text=words)) == (
        "ReceiptBody",
        {
            "status": "refused",
            "at": AT,
            "ground": "wrong_addressee",
            "registrar": {"name": "Вигадана О. П.", "phone": "044 000-00-00"},
            "note": words,
        },
        False,
    )
    closed = {"status": "accepted", "at": AT, "note": "Закрито отримувачем (сповіщення про закриття)."}
    assert _statement(ack(5)) == ("ReceiptBody", closed, False)
    with pytest.raises(InvalidInput):
        _statement(ack(0))


def test_examples_of_the_proposal(official: etree.XMLSchema) -> None:
    """The answer and the redirect of the written examples are understood, and name our case and our task."""
    store = MemoryAttachments()
    said = {}
    for name in ("answer", "redirect", "receipt-refused", "receipt-registered"):
        message = open_sample((SPEC / "examples" / f"{name}.xml").read_bytes(), store)
        said[name] = meaning(message)
        assert subjects(message)[0] in (
            "019aa001-0000-7000-8000-0000000000d1",
            "019aa001-0000-7000-8000-000000000001",
        )
    assert said["answer"].body.result == "satisfied"  # type: ignore[union-attr]
    assert said["answer"].unclear is None
    assert said["redirect"].body.to == "43220851"  # type: ignore[union-attr]
    assert said["receipt-refused"].body.ground == "wrong_addressee"  # type: ignore[union-attr]


def test_longer_terms_and_questions() -> None:
    """Extension and clarification in our element; a broken date is refused, not guessed."""

    def ours(name: str, inner: str) -> str:
        element = f'<{name} xmlns="urn:ncc-hub:sev-expansion:1">{inner}</{name}>'
        return f'<Document/><Expansion organization="x" exp_ver="1"><StaticExpansion/>{element}</Expansion>'

    made = _statement(ours("Extension", "<Until>2027-01-10</Until><Reason>Експертиза</Reason>"), "3")
    assert made == ("ExtensionBody", {"at": AT, "until": "2027-01-10", "reason": "Експертиза"}, False)
    made = _statement(ours("Clarification", "<Text>Яка адреса?</Text>"), "3")
    assert made == ("ClarificationBody", {"step": "question", "at": AT, "text": "Яка адреса?"}, False)
    with pytest.raises(InvalidInput):
        _statement(ours("Extension", "<Until>завтра</Until>"), "3")


def test_the_rendering_is_any_of_three() -> None:
    """The sealed envelope travels in the form that the channel wants, byte for byte."""
    for rendering, kind in ((Rendering.JWS, "application/jose"), (Rendering.XML, "application/xml")):
        made = parcel(appeal(), rendering)
        message = parse(build(made, ends=ENDS, rendering_type=kind))
        assert message.sealed() == (kind, made.sealed)
