"""What comes back by mail: people's words become statements, machines' words never, and nobody speaks for another."""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
import time
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters import AdapterContext
from hub.adapters.email import parse, words
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.email.replies import receive
from hub.errors import HubError, InvalidInput, NotFound, SealRefused, TooLarge, Unavailable
from hub.ports import Rendering
from hub.schemas import charsets, json_rendering, xml_rendering
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    AnswerBody,
    AppealEnvelope,
    Attachment,
    AuthorityBody,
    ClarificationBody,
    ExtensionBody,
    ReceiptBody,
    RedirectBody,
)
from hub.schemas.ids import MessageId
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus, RefusalGround
from hub.sealed import seal_envelope
from hub.seals import HubSeal, make_key_file
from hub.seals.keys import verification_key
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import NOW, appeal, parcel, receipt
from tests.adapters.email.making import (
    HUB_ADDRESS,
    RECEIVED,
    PaperSink,
    box,
    certified,
    out_channel,
    parsed,
    reply,
    token,
)

NO_STALL_SECS = 10
"""Processor time that tells a stall: one takes minutes, and the machine may be slow."""
CRLF = re.compile(rb"\r?\n")


def wire(mail: EmailMessage | bytes) -> bytes:
    """As it comes over IMAP."""
    raw = mail if isinstance(mail, bytes) else mail.as_bytes()
    return CRLF.sub(b"\r\n", raw)


def taken(mail: EmailMessage | bytes, sink: PaperSink) -> AuthorityBody:
    """The one statement that a mail makes."""
    receive(wire(mail), RECEIVED, sink, box())
    return sink.saids[-1].body


def form(**values: str) -> str:
    """The form as people fill it in, under a word of theirs."""
    names = {
        "status": words.STATUS,
        "number": words.NUMBER,
        "date": words.DATE,
        "result": words.RESULT,
        "ground": words.GROUND,
        "until": words.UNTIL,
        "to": words.TO,
    }
    lines = [f"{names[name]}: {value}" for name, value in values.items()]
    return "\n".join(["Доброго дня!", words.FORM_BEGINS, *lines, words.FORM_ENDS])


def test_a_persons_reply_is_an_answer() -> None:
    """Own words become the answer, with number and date found in them; the quotation is left out, the mail kept."""
    sink = PaperSink()
    about = sink.sent()
    text = "Воду подано, лист № 18-05/77 від 01.03.2026.\n\n02.03.2026 12:00, Центр пише:\n> Немає води.\n> Стан: \n"
    mail = reply(about, text)
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="акт обстеження.pdf")
    body = taken(mail, sink)
    assert isinstance(body, AnswerBody)
    assert body.text == "Воду подано, лист № 18-05/77 від 01.03.2026."
    assert (body.stage, body.number, body.date) == (AnswerStage.INTERIM, "18-05/77", date(2026, 3, 1))
    (said,) = sink.saids
    assert said.unclear
    assert said.in_reply_to == MessageId(about.header.message_id)
    assert (said.at, said.reaches) == (NOW + timedelta(hours=2), LegalClass.DELIVERED)
    assert [file.name for file in said.attachments] == ["лист.eml", "акт обстеження.pdf"]
    with sink.attachments.open(said.attachments[0].sha256) as kept:
        assert kept.read() == wire(mail) == said.raw.body


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        (
            {"status": "Зареєстровано", "number": "К-17/26", "date": "02.03.2026"},
            ReceiptBody(
                status=ReceiptStatus.REGISTERED, at=NOW + timedelta(hours=2), number="К-17/26", date=date(2026, 3, 2)
            ),
        ),
        (
            {"status": "відповідь.", "number": "9", "date": "2026-03-02", "result": "Роз’яснено"},
            AnswerBody(
                stage=AnswerStage.FINAL,
                result=AnswerResult.EXPLAINED,
                number="9",
                date=date(2026, 3, 2),
                at=NOW + timedelta(hours=2),
                text="Доброго дня!",
            ),
        ),
        (
            {"status": "відмовлено у реєстрації", "ground": "помилковий адресат"},
            ReceiptBody(
                status=ReceiptStatus.REFUSED,
                at=NOW + timedelta(hours=2),
                ground=RefusalGround.WRONG_ADDRESSEE,
                note="Доброго дня!",
            ),
        ),
        (
            {"status": "надіслано за належністю", "to": "00032684"},
            RedirectBody(at=NOW + timedelta(hours=2), to="00032684", reason="Доброго дня!"),
        ),
        (
            {"status": "строк продовжено", "until": "15.04.2026"},
            ExtensionBody(at=NOW + timedelta(hours=2), until=date(2026, 4, 15), reason="Доброго дня!"),
        ),
    ],
)
def test_the_form_makes_statements(filled: dict[str, str], expected: AuthorityBody) -> None:
    """Each state of our form becomes its statement; none of them proves more than a mail can."""
    sink = PaperSink()
    assert taken(reply(sink.sent(), form(**filled)), sink) == expected
    assert sink.saids[0].unclear is None
    assert sink.saids[0].reaches is LegalClass.DELIVERED


def test_a_question_by_form() -> None:
    """``потрібне уточнення`` asks the applicant."""
    sink = PaperSink()
    body = taken(reply(sink.sent(), "Яка адреса?\n" + form(status="потрібне уточнення")), sink)
    assert isinstance(body, ClarificationBody)
    assert body.text.startswith("Яка адреса?")


def test_the_form_in_the_quotation_counts_when_it_was_filled_there() -> None:
    """Many fill in the quoted form itself; an untouched one says nothing."""
    sink = PaperSink()
    about = sink.sent()
    quoted = "\n".join(f"> {line}" for line in form(status="зареєстровано", number="5").splitlines())
    body = taken(reply(about, f"Див. картку.\n\n02.03.2026 12:00, Центр <a@b.example> пише:\n{quoted}\n"), sink)
    assert isinstance(body, ReceiptBody)
    assert body.number == "5"


@pytest.mark.parametrize(
    "filled",
    [
        {"status": "зареєстровано"},
        {"status": "щось інше", "number": "5"},
        {"status": "відповідь", "number": "5", "date": "31.02.2026", "result": "задоволено"},
        {"status": "надіслано за належністю", "to": "до міськради"},
        {"status": "строк продовжено", "until": "скоро"},
    ],
)
def test_a_form_that_is_not_whole_is_read_by_people(filled: dict[str, str]) -> None:
    """Nothing is guessed: the mail becomes an interim answer that a person reads."""
    sink = PaperSink()
    body = taken(reply(sink.sent(), form(**filled)), sink)
    assert isinstance(body, AnswerBody)
    assert body.stage is AnswerStage.INTERIM


def test_our_own_letter_comes_back_readable() -> None:
    """The form that we send is the form that we read: a reply above the whole quoted letter says only what it says."""
    sink = PaperSink()
    about = sink.sent()
    sent = parsed(EmailAdapter(AdapterContext()).prepare(parcel(about), out_channel()).body)
    letter = next(part for part in sent.walk() if part.get_content_type() == "text/plain")
    text = base64.b64decode(str(letter.get_payload())).decode().replace("\r\n", "\n")
    assert all(f"\n{name}: \n" in text for name in words.FIELDS)
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    body = taken(reply(about, f"Дякуємо, отримали.\n\n02.03.2026, Центр пише:\n{quoted}\n"), sink)
    assert isinstance(body, AnswerBody)
    assert (body.text, body.stage) == ("Дякуємо, отримали.", AnswerStage.INTERIM)
    filled = text.replace(f"{words.STATUS}: ", f"{words.STATUS}: зареєстровано").replace(
        f"\n{words.NUMBER}: ", f"\n{words.NUMBER}: 77"
    )
    assert isinstance(taken(reply(about, filled, Message_ID="<2@x>"), sink), ReceiptBody)


def test_html_only_replies_are_read() -> None:
    """A program that sends HTML only is understood, scripts and styles left out."""
    sink = PaperSink()
    mail = reply(sink.sent(), "x")
    mail.set_content(
        "<style>p{}</style><script>x()</script><p>Відключення <b>усунуто</b>.</p><blockquote>Немає води</blockquote>",
        subtype="html",
    )
    body = taken(mail, sink)
    assert isinstance(body, AnswerBody)
    assert body.text == "Відключення усунуто."


@pytest.mark.parametrize("charset", ["windows-1251", "koi8-u", "utf-8", "x-unknown", "hex", "idna", "us-ascii"])
def test_charsets_of_ukraine_are_read(charset: str) -> None:
    """KOI8-U and Windows-1251 are read, under their own label, a wrong one or none (Python's own codecs are none)."""
    words_in = "Їжак і ґава з'їли шматок. Відповідь надано."
    for real in ("windows-1251", "koi8-u", "utf-8"):
        if charset in ("windows-1251", "koi8-u", "utf-8") and charset != real:
            continue
        sink = PaperSink()
        mark = token(MessageId(sink.sent().header.message_id))
        head = f"To: box+{mark}@x\r\nFrom: a@b\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
        body = taken(head.encode() + words_in.encode(real), sink)
        assert isinstance(body, AnswerBody)
        assert body.text == words_in


REPLIED = [
    {"Auto-Submitted": "auto-replied"},
    {"Subject": "Автовідповідь: Звернення"},
    {"Subject": "Out of office"},
    {"Return-Path": "<>"},
    {"X-Autoreply": "yes"},
]
PASSED = [
    {"Auto-Submitted": "auto-generated"},
    {"Precedence": "bulk"},
    {"Precedence": "list"},
    {"List-Unsubscribe": "<https://mta.example.org/u/1>"},
    {"X-Loop": "rada@gromada.example.org"},
]


def marked(about: AppealEnvelope, headers: dict[str, str], text: str) -> EmailMessage:
    """A reply with headers that programs and relays write."""
    mail = reply(about, text)
    for name, value in headers.items():
        del mail[name]
        mail[name] = value
    return mail


@pytest.mark.parametrize("headers", [*REPLIED, *PASSED])
def test_what_is_marked_automatic_counts_by_what_is_in_it(headers: dict[str, str]) -> None:
    """A filled form is the statement that it is; words or a file of a person are held; a machine's words are noted."""
    sink = PaperSink()
    about = sink.sent()
    body = taken(marked(about, headers, form(status="зареєстровано", number="1")), sink)
    assert isinstance(body, ReceiptBody)
    receive(wire(marked(about, headers, "Дивіться на сайті.")), RECEIVED, sink, box())
    filed = marked(about, headers, "Я у відпустці до 14.12.2026.")
    filed.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="відповідь.pdf")
    receive(wire(filed), RECEIVED, sink, box())
    assert sink.holds == ["mail.automatic"] * 2
    assert sink.holds_about == [MessageId(about.header.message_id)] * 2
    receive(wire(marked(about, headers, "Я у відпустці до 14.12.2026.")), RECEIVED, sink, box())
    assert (sink.notes, len(sink.saids)) == (["mail.automatic"], 1)


ACKNOWLEDGED = [
    "Ваше звернення отримано, заявку № 1547 створено. Очікуйте відповіді.",
    "Повідомляємо, що Ваш запит зареєстровано. Номер заявки 1547.",
    "Ваше обращение принято в работу, ожидайте.",
    "Your ticket 1547 was created. We have installed a new portal.",
]


@pytest.mark.parametrize("headers", PASSED)
def test_an_answer_that_a_relay_marked_is_an_answer(headers: dict[str, str]) -> None:
    """Ticket systems, mailbox rules and relays mark people's mail too: words that answer are an answer, which ends
    nothing by itself; an acknowledgement is none.
    """
    sink = PaperSink()
    about = sink.sent()
    for text in ("Воду подано 25.11.2026.", "На Ваше звернення повідомляємо: борг перераховано."):
        receive(wire(marked(about, headers, text)), RECEIVED, sink, box(AnswerStage.FINAL))
        said = sink.saids[-1]
        assert isinstance(said.body, AnswerBody)
        assert (said.body.stage, said.body.text, bool(said.unclear)) == (AnswerStage.INTERIM, text, True)
    filed = marked(about, headers, "Див. додаток.")
    filed.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="відповідь.pdf")
    assert isinstance(taken(filed, sink), AnswerBody)
    for text in ACKNOWLEDGED:
        receive(wire(marked(about, headers, text)), RECEIVED, sink, box(AnswerStage.FINAL))
    assert (len(sink.saids), sink.holds) == (3, ["mail.automatic"] * len(ACKNOWLEDGED))


@pytest.mark.parametrize("headers", REPLIED)
def test_what_replied_by_itself_is_no_answer(headers: dict[str, str]) -> None:
    """A program that says that it replied is not believed to be a person: its words are held."""
    sink = PaperSink()
    receive(wire(marked(sink.sent(), headers, "Воду подано 25.11.2026.")), RECEIVED, sink, box())
    assert (sink.saids, sink.holds) == ([], ["mail.automatic"])


def test_our_own_mail_and_a_mail_servers_do_not_answer() -> None:
    """Our mail sent back to us is noted, a mail server's is a bounce, whatever form stands in them."""
    sink = PaperSink()
    about = sink.sent()
    mark = token(MessageId(about.header.message_id))
    ours = EmailAdapter(AdapterContext()).prepare(parcel(about), out_channel()).body
    receive(wire(f"Delivered-To: box+{mark}@x\r\n".encode() + ours), RECEIVED, sink, box())
    assert (sink.notes, sink.holds, sink.saids) == (["mail.automatic"], [], [])
    daemon = {"From": "MAILER-DAEMON@x.example.org"}
    receive(wire(marked(about, daemon, form(status="зареєстровано", number="1"))), RECEIVED, sink, box())
    assert (len(sink.returns), sink.saids) == (1, [])


def report(about: AppealEnvelope, action: str, status: str = "2.0.0", diagnostic: str = "smtp; 250 ok") -> bytes:
    """A delivery report (RFC 3464) that carries our Message-ID only in the returned headers."""
    mark = token(MessageId(about.header.message_id))
    return wire(
        f"From: MAILER-DAEMON@mx\nTo: {HUB_ADDRESS}\nDate: Mon, 02 Mar 2026 12:30:00 +0200\nMessage-ID: <r@mx>\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nreport\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@b\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}\n\n--b\nContent-Type: text/rfc822-headers\n\n"
        f"Message-ID: <{mark}@hub>\n\n--b--\n".encode()
    )


def test_reports_say_what_they_prove() -> None:
    """Delivered is a receipt; relayed and delayed are noted; failed comes back as undelivered, hard or soft."""
    sink = PaperSink()
    about = sink.sent()
    body = taken(report(about, "delivered"), sink)
    assert isinstance(body, ReceiptBody)
    assert body.status is ReceiptStatus.DELIVERED
    for action in ("relayed", "delayed", "expanded"):
        receive(report(about, action), RECEIVED, sink, box())
    assert sink.notes == ["mail.relayed", "mail.delayed", "mail.relayed"]
    receive(report(about, "failed", "5.1.1", "smtp; 550 user unknown"), RECEIVED, sink, box())
    receive(report(about, "failed", "4.2.2", "smtp; 452 mailbox full"), RECEIVED, sink, box())
    assert [(each.permanent, each.code) for each in sink.returns] == [
        (True, "mail.returned_userunknown"),
        (False, "mail.returned_mailboxfull"),
    ]
    assert len(sink.saids) == 1


@pytest.mark.parametrize(
    ("disposition", "receipts"), [("displayed", 1), ("deleted", 1), ("processed", 1), ("failed", 0)]
)
def test_a_reading_notice_shows_that_it_arrived(disposition: str, receipts: int) -> None:
    """MDN (RFC 8098): whatever was done with the mail, it had arrived; never more than ``delivered``."""
    sink = PaperSink()
    mark = token(MessageId(sink.sent().header.message_id))
    raw = wire(
        f"From: a@b\nTo: box+{mark}@hub\nMIME-Version: 1.0\nContent-Type: multipart/report;"
        ' report-type=disposition-notification; boundary="b"\n\n--b\nContent-Type: text/plain\n\nread\n--b\n'
        "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; a@b\n"
        f"Original-Message-ID: <{mark}@h>\n"
        f"Disposition: manual-action/MDN-sent-manually; {disposition}\n\n--b--\n".encode()
    )
    receive(raw, RECEIVED, sink, box())
    assert [spoken.body.status for spoken in sink.saids if isinstance(spoken.body, ReceiptBody)] == [
        ReceiptStatus.DELIVERED
    ] * receipts


def test_a_forged_token_is_refused() -> None:
    """One letter changed: refused and journalled; so are a mail without a token and one about an unknown message."""
    sink = PaperSink()
    about = sink.sent()
    mark = token(MessageId(about.header.message_id))
    forged = mark[:-1] + ("a" if mark[-1] != "a" else "b")
    stranger = appeal()
    for to, code in (
        (f"box+{forged}@x", "mail.forged_token"),
        ("box@x", "mail.no_token"),
        (f"box+{token(MessageId(stranger.header.message_id))}@x", "mail.unknown_message"),
    ):
        with pytest.raises(NotFound) as caught:
            receive(wire(reply(about, "Так.", To=to)), RECEIVED, sink, box())
        assert caught.value.stable_code == code == sink.holds[-1]
    assert sink.statements == 0


def test_the_same_mail_by_another_way_is_the_same() -> None:
    """Other Received lines or line ends: one id; other words under the same Message-ID: another."""
    sink = PaperSink()
    about = sink.sent()
    first = wire(reply(about, "Так."))
    receive(first, RECEIVED, sink, box())
    receive(b"Received: from x by y; today\r\n" + first, RECEIVED + timedelta(hours=1), sink, box())
    receive(first.replace(b"\r\n", b"\n"), RECEIVED, sink, box())
    receive(wire(reply(about, "Ні.")), RECEIVED, sink, box())
    ids = [spoken.said_id for spoken in sink.saids]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert sink.saids[0].at == sink.saids[1].at


@pytest.mark.parametrize(
    ("moment", "claims"),
    [
        ("Mon, 02 Mar 2099 12:00:00 +0000", datetime(2099, 3, 2, 12, tzinfo=UTC)),
        ("Fri, 99 Foo 0000", None),
        ("", None),
        ("Mon, 01 Jan 1990 1:00", datetime(1990, 1, 1, 1, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 12:00:00 +0000", None),
    ],
)
def test_a_date_that_cannot_be_is_not_believed(moment: str, claims: datetime | None) -> None:
    """A mail from the future or the past is dated by its coming to the box, and keeps what it claims."""
    sink = PaperSink()
    mail = wire(reply(sink.sent(), "Так.")).replace(
        b"Date: Mon, 02 Mar 2026 12:00:00 +0000", f"Date: {moment}".encode()
    )
    receive(mail, RECEIVED, sink, box())
    (said,) = sink.saids
    assert (said.claims, said.heard) == (claims, RECEIVED)
    own = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert said.at == (own if moment == "Mon, 02 Mar 2026 12:00:00 +0000" else RECEIVED)


class Sealer:
    """An authority that seals."""

    def __init__(self, folder: Path) -> None:
        key = make_key_file(folder / "body.pem", common_name="body", organization="Test")
        self.seal = HubSeal(key)
        self.key = verification_key(key).model_copy(update={"valid_from": NOW - timedelta(days=1)})

    def sealed(
        self, about: AppealEnvelope, rendering: Rendering = Rendering.JSON, files: tuple[Attachment, ...] = ()
    ) -> bytes:
        made = receipt(about).model_copy(update={"attachments": files})
        return seal_envelope(made, json_rendering.to_json(made), rendering, self.seal)


@pytest.mark.parametrize("rendering", [Rendering.JSON, Rendering.XML])
@pytest.mark.parametrize("automatic", [False, True])
def test_a_sealed_envelope_proves_itself(rendering: Rendering, automatic: bool, tmp_path: Path, umask: None) -> None:
    """Attached and sealed: handed on as it came, whoever sent the mail, a program included."""
    sink = PaperSink()
    about = sink.sent()
    data = Sealer(tmp_path).sealed(about, rendering)
    mail = reply(about, "Додаток.", To="box@x")
    mail.add_attachment(data, maintype="application", subtype="octet-stream", filename="receipt.bin")
    if automatic:
        mail["Auto-Submitted"] = "auto-generated"
    receive(wire(mail), RECEIVED, sink, box())
    assert [raw.body for raw in sink.envelopes] == [data]
    assert not sink.saids


def test_files_are_kept_for_a_seal_that_holds_only(tmp_path: Path, umask: None) -> None:
    """What the sealed manifest names is kept first; under a seal that does not hold nothing is laid into the hub."""
    sealer = Sealer(tmp_path)
    entry = store_file(MemoryAttachments(), b"scan")
    for known in (True, False):
        sink = PaperSink(registry={"00032106": (sealer.key,)} if known else {})
        about = sink.sent()
        mail = reply(about, "Додатки.")
        data = sealer.sealed(about, files=(entry,))
        mail.add_attachment(data, maintype="application", subtype="json", filename="receipt.json")
        for content in (b"scan", b"other"):
            mail.add_attachment(content, maintype="application", subtype="pdf", filename="a.pdf")
        receive(wire(mail), datetime.now(UTC), sink, box())  # the certificate was made just now
        assert [file.sha256 for file in sink.files] == ([entry.sha256] if known else [])
        assert len(sink.envelopes) == 1


@pytest.mark.parametrize("rendering", [json_rendering.to_json, xml_rendering.to_xml])
def test_an_envelope_without_a_seal_is_only_words(rendering: object, tmp_path: Path) -> None:
    """Unsealed it must answer the very message of the token, and proves no registration."""
    assert callable(rendering)
    sink = PaperSink()
    about = sink.sent()
    mail = reply(about, "Додаток.")
    mail.add_attachment(rendering(receipt(about)), maintype="application", subtype="json", filename="r.json")
    body = taken(mail, sink)
    assert isinstance(body, ReceiptBody)
    assert (body.status, sink.saids[0].reaches) == (ReceiptStatus.REGISTERED, LegalClass.DELIVERED)
    foreign = reply(about, "Додаток.", Message_ID="<other@x>")
    foreign.add_attachment(rendering(receipt(appeal())), maintype="application", subtype="json", filename="r.json")
    assert isinstance(taken(foreign, sink), AnswerBody)


def test_our_own_envelope_quoted_back_says_nothing() -> None:
    """A reply that keeps our attachments is a plain reply."""
    sink = PaperSink()
    about = sink.sent()
    mail = reply(about, "Отримали.")
    mail.add_attachment(parcel(about).sealed, maintype="application", subtype="json", filename="envelope.json")
    assert isinstance(taken(mail, sink), AnswerBody)
    assert not sink.envelopes


def signed(folder: Path, about: AppealEnvelope, cert: Path, key: Path, *more: str, text: str = "Так.") -> bytes:
    """A reply that openssl signed."""
    body = EmailMessage()
    body.set_content(text)
    (folder / "body.txt").write_bytes(body.as_bytes())
    words_ = ["openssl", "cms", "-sign", "-in", "body.txt", "-signer", str(cert), "-inkey", str(key), *more]
    done = subprocess.run(words_, cwd=folder, capture_output=True, check=True)
    head = "".join(f"{k}: {v}\n" for k, v in reply(about, "").items() if k.lower() not in parse_names)
    return wire(head.encode() + done.stdout)


parse_names = {"content-type", "content-transfer-encoding", "mime-version"}


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("form_", ["detached", "opaque"])
def test_a_signature_by_the_registrys_key_is_known(kind: str, form_: str, tmp_path: Path, umask: None) -> None:
    """What openssl signed with the registered key verifies, and the statement is that authority's."""
    cert, key, entry = certified(tmp_path, "body", kind=kind)
    sink = PaperSink(registry={"00032106": (entry,)})
    raw = signed(tmp_path, sink.sent(), cert, key, *(["-nodetach"] if form_ == "opaque" else []))
    body = taken(raw, sink)
    assert isinstance(body, AnswerBody)
    assert (body.text, sink.saids[0].party) == ("Так.", "00032106")
    assert "smime.p7s" not in [file.name for file in sink.saids[0].attachments]


def other_signature(good: bytes) -> bytes:
    """The mail with the last byte of its signature changed."""
    begin = good.rindex(b"\r\n\r\n", 0, good.rindex(b"\r\n\r\n------")) + 4
    end = good.rindex(b"\r\n\r\n------")
    der = base64.b64decode(good[begin:end])
    return good[:begin] + base64.b64encode(der[:-1] + bytes([der[-1] ^ 1])) + good[end:]


def test_a_tampered_mail_is_refused(tmp_path: Path, umask: None) -> None:
    """A letter changed after signing: refused, journalled, no statement; so is a changed signature."""
    cert, key, entry = certified(tmp_path, "body")
    sink = PaperSink(registry={"00032106": (entry,)})
    about = sink.sent()
    good = signed(tmp_path, about, cert, key, text="We agree.")
    with pytest.raises(SealRefused) as caught:
        receive(good.replace(b"We agree.", b"We agree!"), RECEIVED, sink, box())
    assert caught.value.stable_code == "smime.tampered" == sink.holds[-1]
    with pytest.raises(SealRefused) as caught:
        receive(other_signature(good), RECEIVED, sink, box())
    assert caught.value.stable_code == "smime.signature" == sink.holds[-1]
    assert sink.statements == 0


def test_a_signer_nobody_knows_proves_nothing(tmp_path: Path, umask: None) -> None:
    """An intact signature by a key that the registry does not have: a mail like any other."""
    cert, key, _ = certified(tmp_path, "clerk")
    _, _, entry = certified(tmp_path, "body")
    sink = PaperSink(registry={"00032106": (entry,)})
    taken(signed(tmp_path, sink.sent(), cert, key), sink)
    assert sink.saids[0].party is None


def test_words_outside_the_signature_are_not_read(tmp_path: Path, umask: None) -> None:
    """Text before and after the signed part is no part of the mail that is read."""
    cert, key, entry = certified(tmp_path, "body")
    sink = PaperSink(registry={"00032106": (entry,)})
    raw = signed(tmp_path, sink.sent(), cert, key)
    head, blank, rest = raw.partition(b"\r\n\r\n")
    evil = "Стан: зареєстровано\r\nНомер: 666\r\n\r\n".encode()
    body = taken(head + blank + evil + rest + evil, sink)
    assert isinstance(body, AnswerBody)
    assert body.text == "Так."


def test_what_is_encrypted_to_nobody_here_waits_for_a_person(tmp_path: Path, umask: None) -> None:
    """Without a key there is nothing to read: refused by name."""
    cert, _, _ = certified(tmp_path, "hub", kind="rsa", encrypting=True)
    sink = PaperSink()
    about = sink.sent()
    (tmp_path / "in").write_bytes(b"Content-Type: text/plain\n\nx\n")
    done = subprocess.run(
        ["openssl", "cms", "-encrypt", "-in", "in", str(cert)], cwd=tmp_path, capture_output=True, check=True
    )
    head = "".join(f"{k}: {v}\n" for k, v in reply(about, "").items() if k.lower() not in parse_names)
    with pytest.raises(InvalidInput, match="encrypted"):
        receive(wire(head.encode() + done.stdout), RECEIVED, sink, box())


def bomb(depth: int, header: str = "") -> bytes:
    """Multiparts nested in each other."""
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return wire(f"To: a@b\n{header}{head}Content-Type: text/plain\n\nx\n".encode())


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (bomb(150), "mail.nesting"),
        (bomb(20_000), "mail.nesting"),
        (b"To: a@b\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\nx", "mail.headers"),
        (b"Subject: " + b"a" * 200_000 + b"\r\n\r\nx", "mail.headers"),
        (
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 2_000 + b"--b--\r\n",
            "mail.nesting",
        ),
        (b"Content-Type: message/rfc822\r\n\r\n" * 5_000 + b"x", "mail.nesting"),
    ],
)
def test_bombs_are_refused_quickly(raw: bytes, code: str) -> None:
    """A21: depth, parts and headers have limits; over them the mail is journalled and refused at once."""
    sink = PaperSink()
    begun = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        receive(raw, RECEIVED, sink, box())
    assert time.process_time() - begun < NO_STALL_SECS
    assert caught.value.stable_code == code == sink.holds[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        "From: " + "kddi" * 24_000,
        "Subject: " + "=?a?q?x" * 14_000,
        "Content-Type: text/plain" + ';a="' * 4_000,
        'Content-Disposition: attachment; filename="' + "=?a?q?x" * 2_000 + '"',
        "Subject: " + "-" * 90_000,
    ],
)
def test_headers_made_to_stall_do_not(head: str) -> None:
    """A31: no header, and no text, makes reading stall."""
    sink = PaperSink()
    mark = token(MessageId(sink.sent().header.message_id))
    for body in ("x", "-" * 900_000, "> " * 400_000, "On 1" * 200_000, " " * 900_000, "From: a\n" * 100_000):
        begun = time.process_time()
        raw = wire(f"To: b+{mark}@x\nReturn-Path: <a@b>\n{head}\n\n{body}\n".encode())
        receive(raw, RECEIVED, sink, box())
        assert time.process_time() - begun < NO_STALL_SECS, body[:10]


def test_long_fields_of_parts_are_refused() -> None:
    """Parameters of a part that would take ``email`` minutes are refused before it reads them."""
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: a/b' + b';"' * 500_000 + b"\r\n\r\nx"
    )
    begun = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        receive(raw, RECEIVED, PaperSink(), box())
    assert (caught.value.stable_code, time.process_time() - begun < NO_STALL_SECS) == ("mail.headers", True)


def test_too_large_a_mail_is_refused_before_it_is_read() -> None:
    """The limit of the mailbox holds."""
    with pytest.raises(TooLarge):
        parse.read(b"a" * 101, limit=100)


@given(st.binary(max_size=400), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "8bit", "zip"]))
def test_no_bytes_raise_anything_else(noise: bytes, encoding: str) -> None:
    """Whatever stands in a mail, it is taken or refused with an error of ours."""
    sink = PaperSink()
    mark = token(MessageId(sink.sent().header.message_id))
    for head in (
        f"To: b+{mark}@x\r\nContent-Transfer-Encoding: {encoding}\r\n",
        f'To: b+{mark}@x\r\nContent-Type: multipart/report; boundary="-"\r\n',
        f"To: b+{mark}@x\r\nContent-Type: application/pkcs7-mime\r\n",
    ):
        with contextlib.suppress(HubError):
            receive(head.encode() + noise + b"\r\n\r\n" + noise, RECEIVED, sink, box())


@given(st.binary(max_size=200), st.text(max_size=30))
def test_any_bytes_become_text(data: bytes, label: str) -> None:
    """No charset label makes reading fail."""
    assert isinstance(charsets.decode(data, label), str)


def test_what_cannot_be_kept_stays_in_the_box() -> None:
    """While the hub cannot keep it, the error says so and the caller leaves the mail where it is."""
    sink = PaperSink(fails=Unavailable("away"))
    with pytest.raises(Unavailable):
        receive(wire(reply(sink.sent(), "Так.")), RECEIVED, sink, box())


def test_names_of_files_are_only_names() -> None:
    """Paths, controls and bad types of attachments are cleaned; the content is kept as it is."""
    sink = PaperSink()
    mail = reply(sink.sent(), "Так.")
    mail.add_attachment(b"1", maintype="application", subtype="pdf", filename="../../etc/passwd")
    mail.add_attachment(b"2", maintype="application", subtype="x", filename="C:\\temp\\звіт\u202e.exe")
    taken(mail, sink)
    names = [file.name for file in sink.saids[0].attachments]
    assert names == ["лист.eml", "passwd", "звіт\u202e.exe"]
