"""Mails that are about others, or by others: passed on answers are answers, reports about other boxes are not ours."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.email.replies import receive
from hub.schemas.envelope import AnswerBody, ReceiptBody
from hub.schemas.ids import MessageId
from hub.schemas.terms import AnswerStage
from hub.testing.samples import parcel
from tests.adapters.email.making import BODY_ADDRESS, RECEIVED, PaperSink, box, out_channel, parsed, reply, token
from tests.adapters.email.test_replies import wire

ANSWER = "Лист № 77/05 від 26.02.2026. Воду подано."


def clerks(text: str, **headers: str) -> EmailMessage:
    """A mail of somebody behind the secretary, with a file."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "kp@b.example", BODY_ADDRESS, "вода"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="акт.pdf")
    return mail


def said_by(mail: EmailMessage, sink: PaperSink) -> AnswerBody:
    """The one answer of a mail, where plain words are final."""
    receive(wire(mail), RECEIVED, sink, box(AnswerStage.FINAL))
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)
    return said.body


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("deeper", [False, True])
def test_an_attached_answer_is_the_answer(as_file: bool, deeper: bool) -> None:
    """Passed on as a mail or as an .eml, also within another: its words, number and files are those of the answer,
    and a person sees whose it is.
    """
    sink = PaperSink()
    mail, inner = reply(sink.sent(), "Пересилаю."), clerks(ANSWER)
    if deeper:
        between = clerks("Прошу переслати.")
        between.add_attachment(inner)
        inner = between
    if as_file:
        mail.add_attachment(inner.as_bytes(), maintype="application", subtype="octet-stream", filename="в.eml")
    else:
        mail.add_attachment(inner)
    body = said_by(mail, sink)
    assert body.text == "\n\n".join(["Пересилаю.", *(["Прошу переслати."] if deeper else []), ANSWER])
    assert (body.number, body.stage, bool(sink.saids[0].unclear)) == ("77/05", AnswerStage.INTERIM, True)
    assert "акт.pdf" in [file.name for file in sink.saids[0].attachments]


def test_a_form_in_an_attached_mail_counts() -> None:
    """Filled in by the clerk, passed on by the secretary."""
    sink = PaperSink()
    mail = reply(sink.sent(), "Пересилаю.")
    mail.add_attachment(clerks("Стан: зареєстровано\nНомер: К-5\n"))
    receive(wire(mail), RECEIVED, sink, box())
    assert isinstance(sink.saids[0].body, ReceiptBody)


def test_attached_machines_and_our_own_letter_say_nothing() -> None:
    """A bounce, a vacation note and our appeal beside an answer are files."""
    sink = PaperSink()
    about = sink.sent()
    mail = reply(about, "Відповідь.")
    mail.add_attachment(clerks("Undelivered", From="MAILER-DAEMON@b.example"))
    mail.add_attachment(clerks("Я у відпустці.", Auto_Submitted="auto-replied"))
    mail.add_attachment(parsed(EmailAdapter(AdapterContext()).prepare(parcel(about), out_channel()).body))
    mail.add_attachment(b"\xff\xfe" * 40, maintype="application", subtype="octet-stream", filename="broken.eml")
    assert said_by(mail, sink).text == "Відповідь."


def report(sink: PaperSink, *groups: str) -> bytes:
    """A delivery report about these recipients."""
    mark = token(MessageId(sink.sent().header.message_id))
    fields = "\n".join(f"{group}\n" for group in groups)
    return wire(
        f"From: MAILER-DAEMON@mx\nTo: box+{mark}@x\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nreport\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx\n\n{fields}\n--b--\n".encode()
    )


def group(final: str, action: str, original: str = "") -> str:
    """One recipient of a report."""
    named = f"Original-Recipient: rfc822; {original}\n" if original else ""
    status = "2.0.0" if action == "delivered" else "5.1.1"
    return f"{named}Final-Recipient: rfc822; {final}\nAction: {action}\nStatus: {status}"


@pytest.mark.parametrize(
    ("groups", "ends"),
    [
        ((group("petrenko@b.example", "failed"),), "note"),
        ((group("petrenko@b.example", "delivered"),), "note"),
        ((group("petrenko@b.example", "failed", BODY_ADDRESS),), "returned"),
        ((group(BODY_ADDRESS.upper(), "failed"),), "returned"),
        ((group("petrenko@b.example", "failed"), group(BODY_ADDRESS, "delivered")), "delivered"),
        ((group("petrenko@b.example", "delivered"), group(BODY_ADDRESS, "failed")), "returned"),
        (("Action: failed\nStatus: 5.1.1",), "returned"),
    ],
)
def test_a_report_counts_for_those_whom_we_wrote_to(groups: tuple[str, ...], ends: str) -> None:
    """Members of a list and private boxes behind an address neither return our message nor deliver it."""
    sink = PaperSink(channel=out_channel())
    receive(report(sink, *groups), RECEIVED, sink, box())
    assert {"note": len(sink.notes), "returned": len(sink.returns), "delivered": len(sink.saids)} == {
        each: int(each == ends) for each in ("note", "returned", "delivered")
    }
    assert sink.notes in ([], ["mail.others"])


@pytest.mark.parametrize(
    ("text", "headers", "ours"),
    [
        ("<petrenko@b.example>: user unknown", {}, False),
        (f"<petrenko@b.example> (expanded from <{BODY_ADDRESS}>): user unknown", {}, True),
        ("user unknown", {"X-Failed-Recipients": "petrenko@b.example"}, False),
        ("user unknown", {"X-Failed-Recipients": f"x@b.example, {BODY_ADDRESS}"}, True),
        ("user unknown", {}, True),
    ],
)
def test_a_bounce_in_words_counts_for_those_whom_we_wrote_to(text: str, headers: dict[str, str], ours: bool) -> None:
    """Without a report the addresses stand in the words or in a header."""
    sink = PaperSink(channel=out_channel())
    mail = reply(sink.sent(), text, From="MAILER-DAEMON@mx.b.example", Subject="Undelivered", **headers)
    receive(wire(mail), RECEIVED, sink, box())
    assert (len(sink.returns), sink.notes) == ((1, []) if ours else (0, ["mail.others"]))
