"""Dialect ``template``: mails with the authority's own document, and replies with documents of theirs."""

from __future__ import annotations

from contextlib import nullcontext
from email.message import EmailMessage
from typing import Any

import pytest
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.email import compose
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.email.replies import receive
from hub.adapters.email.settings import EmailSettings
from hub.adapters.email.template import EmailTemplate
from hub.errors import ConfigurationError, HubError, InvalidInput, UnsupportedFeature
from hub.ports import Prepared, Rendering
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AnswerBody, AppealEnvelope, Attachment, ReceiptBody
from hub.schemas.ids import MessageId
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import appeal, parcel
from tests.adapters.email.making import RECEIVED, PaperSink, box, out_channel, out_settings, parsed, reply
from tests.adapters.email.test_replies import wire

TEMPLATE: dict[str, Any] = {
    "format": "csv",
    "csv": {"encoding": "windows-1251"},
    "name": "ЗВ {reference} {date:%d.%m.%Y}.csv",
    "subject": "Звернення № {reference} від {date}",
    "leaves_out": ["channel", "kind", "sign", "received_at", "applicant", "attachments", "topics"],
    "request": {"Номер": "$body.reference", "Суть": "$body.text"},
    "answers": {"names": "ВІДП*.xml", "format": "xml"},
    "answer": {
        "status": {"path": "@стан", "values": {"1": "registered", "2": "answered"}},
        "echo": "Звернення",
        "number": "Номер",
        "date": {"path": "Дата", "date": "%d.%m.%Y"},
        "text": "Текст",
    },
}


def channel(**changes: Any) -> Channel:
    """A channel that sends documents."""
    return out_channel(template={**TEMPLATE, **changes})


def numbered(files: tuple[Attachment, ...] = ()) -> AppealEnvelope:
    """An appeal with a number of the centre's."""
    made = appeal(files)
    return made.model_copy(update={"body": made.body.model_copy(update={"reference": "К-17/26"})})


def prepared(envelope: AppealEnvelope, to: Channel, store: MemoryAttachments | None = None) -> Prepared:
    """The mail."""
    adapter = EmailAdapter(AdapterContext(attachments=store))
    return adapter.prepare(parcel(envelope, adapter.rendering(to)), to)


def answered(
    about: AppealEnvelope, content: str, name: str = "Відп 7.xml", text: str = "", **headers: str
) -> EmailMessage:
    """A reply with a document."""
    mail = reply(about, text, **headers)
    mail.add_attachment(content.encode(), maintype="application", subtype="xml", filename=name)
    return mail


def registered(echo: str) -> str:
    """Their words for a registration."""
    return f'<a стан="1"><Звернення>{echo}</Звернення><Номер>17-К</Номер><Дата>02.03.2026</Дата></a>'


@pytest.fixture
def sink() -> PaperSink:
    """A desk whose messages went out in the dialect."""
    return PaperSink(channel=channel())


def test_the_document_is_attached_under_its_name() -> None:
    """A fixed text, the document in their form, the files; no envelope of ours, and no word of the appeal outside."""
    store = MemoryAttachments()
    mail = prepared(numbered((store_file(store, b"scan"),)), channel(), store)
    whole = parsed(b"".join(compose.filled(mail.body, mail.files, store)))
    assert whole["subject"] == "Звернення № К-17/26 від 2026-03-02"
    parts = {part.get_filename(): part for part in whole.walk() if not part.is_multipart()}
    assert list(parts) == [None, "ЗВ К-17_26 02.03.2026.csv", "скан «1».pdf"]
    document = parts["ЗВ К-17_26 02.03.2026.csv"]
    assert document.get_payload(decode=True) == "Номер;Суть\r\nК-17/26;Немає води.\r\n".encode("cp1251")
    assert document["content-type"] == 'text/csv; charset="windows-1251"'
    assert parts["скан «1».pdf"].get_payload(decode=True) == b"scan"
    assert "не змінюючи адреси" in str(parts[None].get_payload(decode=True).decode())  # type: ignore[union-attr]


def test_files_that_have_no_room_stop_the_message() -> None:
    """A mail by a mapping has no links: what does not fit is refused, with the size that is allowed."""
    store = MemoryAttachments()
    files = (store_file(store, b"x" * 2_000_000),)
    small = channel().model_copy(update={"settings": {**channel().settings, "max_mail_mb": 1}})
    with pytest.raises(UnsupportedFeature, match="larger than max_mail_mb"):
        prepared(numbered(files), small, store)


@pytest.mark.parametrize("echo", ["id", "case", "К-17/26", "к-17/26 ", "ЗВ К-17_26 02.03.2026.csv"])
def test_a_document_in_a_reply_is_their_statement(sink: PaperSink, echo: str) -> None:
    """However it names our message; by mail it proves no registration, and the whole mail is kept beside it."""
    about = sink.sent(numbered())
    named = {"id": str(about.header.message_id).upper(), "case": str(about.header.case_id)}.get(echo, echo)
    receive_(answered(about, registered(named), text="Доброго дня!"), sink)
    (said,) = sink.saids
    assert isinstance(said.body, ReceiptBody)
    assert (said.body.status, said.body.number, str(said.body.date)) == ("registered", "17-К", "2026-03-02")
    assert (said.reaches, said.in_reply_to) == (LegalClass.DELIVERED, MessageId(about.header.message_id))
    assert said.raw.body.decode() == registered(named)
    assert [file.name for file in said.attachments] == ["лист.eml", "Відп 7.xml"]
    assert said.heard == RECEIVED


def receive_(mail: EmailMessage, sink: PaperSink) -> None:
    """Take one mail in."""
    receive(wire(mail), RECEIVED, sink, box())


def test_a_program_that_replies_by_itself_may_send_documents(sink: PaperSink) -> None:
    """What relays and programs mark as automatic is their system's word, if it has the document."""
    about = sink.sent(numbered())
    content = f'<a стан="2"><Звернення>{about.header.message_id}</Звернення><Текст>Так.</Текст></a>'
    receive_(answered(about, content, Auto_Submitted="auto-replied"), sink)
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)
    assert (said.body.text, said.body.stage) == ("Так.", "interim")
    assert said.unclear is not None


def test_a_reply_without_such_a_document_is_a_letter(sink: PaperSink) -> None:
    """People write, too: files under other names, and our own document that they give back, change nothing."""
    about = sink.sent(numbered())
    receive_(answered(about, "<a/>", name="акт.xml", text="Воду подано."), sink)
    receive_(answered(about, "x", name="ЗВ К-17_26 02.03.2026.csv", text="Воду подано."), sink)
    assert [said.body.text for said in sink.saids if isinstance(said.body, AnswerBody)] == ["Воду подано."] * 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (registered("К-18/26"), "answer.foreign"),
        (registered("019aa001-0000-7000-8000-000000000009"), "answer.foreign"),
        ('<a стан="7"/>', "answer.no_receipt"),
        ("<a", "input.invalid"),
    ],
)
def test_a_document_that_cannot_count_reaches_a_person(sink: PaperSink, content: str, code: str) -> None:
    """About another appeal, without a meaning, unreadable: held about its case, once, and the mail is put aside."""
    about = sink.sent(numbered())
    with pytest.raises(HubError) as caught:
        receive_(answered(about, content), sink)
    assert caught.value.stable_code == code
    assert (sink.saids, sink.holds, sink.holds_about) == ([], [code], [MessageId(about.header.message_id)])


def test_one_bad_document_stops_no_other(sink: PaperSink) -> None:
    """Two documents in one mail are two statements."""
    about = sink.sent(numbered())
    mail = answered(about, "<a", name="Відп 1.xml")
    mail.add_attachment(registered("К-17/26").encode(), maintype="application", subtype="xml", filename="відп 2.xml")
    with pytest.raises(InvalidInput):
        receive_(mail, sink)
    assert (len(sink.saids), sink.holds) == (1, ["input.invalid"])


def test_where_only_the_inside_names_us_the_document_must(sink: PaperSink) -> None:
    """A mail that was passed on names our message somewhere within: then the document has to say which it answers."""
    about = sink.sent(numbered())
    inner = reply(about, "Переслане.")
    for content, count in ((registered("К-17/26"), 1), ('<a стан="1"/>', 0)):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "rada@gromada.example.org", "x@hub.example.org", "Fwd"
        mail.set_content("Пересилаю.")
        mail.add_attachment(content.encode(), maintype="application", subtype="xml", filename="відп.xml")
        mail.add_attachment(inner)
        sink.saids.clear()
        with nullcontext() if count else pytest.raises(InvalidInput, match=r"answer\.no_receipt"):
            receive_(mail, sink)
        assert len(sink.saids) == count


def test_a_channel_whose_section_is_wrong_by_now_reads_letters() -> None:
    """The registry changed between sending and answer: a person's words are still taken in."""
    sink = PaperSink(channel=channel(format="yaml"))
    about = sink.sent(numbered())
    receive_(answered(about, registered("К-17/26"), text="Так."), sink)
    assert [said.body.text for said in sink.saids if isinstance(said.body, AnswerBody)] == ["Так."]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "{date}/{reference}.csv"}, "without folders"),
        ({"subject": "Звернення {surname}"}, "no name has {surname}"),
        ({"text": "{date:%A}"}, "takes %Y"),
        ({"answers": {}}, "must tell their documents from other files"),
        ({"answers": {"names": "*.csv"}}, "and from ours"),
        ({"format": "json", "request": {"f": "$attachments.0.content"}}, "«content» is not there"),
    ],
)
def test_a_section_that_cannot_work_is_refused(change: dict[str, Any], told: str) -> None:
    """Before it is used, with its place."""
    with pytest.raises(ValidationError, match=told):
        EmailTemplate.model_validate({**TEMPLATE, **change})


def test_the_section_fits_its_channel() -> None:
    """Dialect and section together; no notice and no links; the mail asks for the text form of the envelope."""
    adapter = EmailAdapter(AdapterContext())
    assert adapter.rendering(channel()) is Rendering.JWS
    for made, dialect in ((channel(), "envelope"), (out_channel(), "template")):
        wrong = made.model_copy(update={"dialect": dialect})
        with pytest.raises(ConfigurationError, match="go together"):
            adapter.rendering(wrong)
    for change in ({"content": "notice"}, {"attachments": "link"}):
        with pytest.raises(ValidationError, match="a template's mail is"):
            EmailSettings.model_validate({**out_settings(25), "template": TEMPLATE, **change})
    assert any("no test shows an answer" in note for note in adapter.notes(channel()))
    failing = {"name": "one", "answer": registered("x"), "means": {"status": "refused"}}
    (tried,) = adapter.tests(channel(tests=[failing]))
    assert (tried.name, [fault.message for fault in tried.faults]) == (
        "one",
        ["expected «refused», understood is «registered»"],
    )
    assert adapter.understood(channel(), registered("x").encode(), poll=False) == {
        "status": "registered",
        "echo": "x",
        "number": "17-К",
        "date": "2026-03-02",
    }
