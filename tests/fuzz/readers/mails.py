"""Mails and what stands on them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date
from functools import cache

from hub.adapters.email import (
    bounces,
    classify,
    forms,
    forwarded,
    inline,
    letterhead,
    parse,
    passages,
    replies,
    rtf,
    tnef,
    trim,
)
from hub.ports import Rendering
from hub.schemas.envelope import AppealEnvelope
from hub.testing.samples import NOW, appeal, receipt, render
from tests.adapters.email import making
from tests.adapters.email.test_parts import FILE, LZFU, properties, record, winmail
from tests.fuzz.judging import Target
from tests.fuzz.readers import vectors

_LIMIT = 1 << 24


@cache
def _about() -> AppealEnvelope:
    return appeal()


def _mail(data: bytes) -> None:
    mail = parse.read(data, limit=_LIMIT)
    classify.judge(mail)
    bounces.about(mail, frozenset({"a@b.example"}))
    for inner in forwarded.passed_on(mail, limit=_LIMIT):
        passages.text_of(inner)
    own = trim.split(passages.text_of(mail), trim.letter("Звернення\nНемає води.", making.HUB_ADDRESS)).reading
    forms.statement(forms.read(own), at=NOW, today=NOW.date())
    letterhead.reference(own, "1")


def _received(data: bytes) -> None:
    """A whole mail at a desk that knows what it answers; ``@TOKEN@`` stands for our token."""
    sink = making.PaperSink()
    about = sink.sent(_about())
    raw = data.replace(b"@TOKEN@", making.token(about.header.message_id).encode())
    replies.receive(raw, making.RECEIVED, sink, making.box())


def _tnef(data: bytes) -> None:
    tnef.message_class(data)
    tnef.opened(data)


def _rtf(data: bytes) -> None:
    assert len(rtf.decompressed(data)) <= rtf.MAX_BYTES


def _inline(data: bytes) -> None:
    inline.taken_out(data.decode("utf-8", "replace"))


def _words(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parts = trim.split(text)
    trim.split(text, trim.letter(text[:200], making.HUB_ADDRESS))
    forms.words_of(text)
    filled = forms.read(parts.reading)
    forms.statement(filled, at=NOW, today=NOW.date())
    for reader in (letterhead.day_of, forms.day_of):
        assert isinstance(reader(text[:40]), date | None)
    letterhead.reference(text, "К-1")


def _html(data: bytes) -> None:
    trim.text_of_html(data.decode("utf-8", "replace"))


def _of_mails() -> Iterator[bytes]:
    for text in ("Воду подано 25.11.2026.", "Статус: зареєстровано\nНомер: К-1\nДата: 25.11.2026\n", "> цитата\nТак."):
        mail = making.reply(_about(), text)
        yield mail.as_bytes().replace(making.token(_about().header.message_id).encode(), b"@TOKEN@")
        mail.add_alternative(f"<p>{text}</p><blockquote>x</blockquote>", subtype="html")
        mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Акт.pdf")
        mail.add_attachment(
            render(receipt(_about()), Rendering.JSON), maintype="application", subtype="json", filename="r.json"
        )
        mail.add_attachment(winmail(*FILE), maintype="application", subtype="ms-tnef", filename="winmail.dat")
        yield mail.as_bytes().replace(making.token(_about().header.message_id).encode(), b"@TOKEN@")
    yield (
        b"From: MAILER-DAEMON@x\r\nTo: z+@TOKEN@@hub.example.org\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nno such user\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1"
        b"\r\n--b\r\nContent-Type: message/rfc822"
        b"\r\n\r\nSubject: y\r\nHub-Message-Id: 1\r\n\r\nz\r\n--b--\r\n"
    )
    for folder in ("bounces-sisimai", "email-flanker", "email-mikel-mail"):
        yield from list(vectors(folder))[:60]


def _of_tnef() -> Iterator[bytes]:
    yield winmail(*FILE, record(0x9003, properties((0x0102, 0x1009, LZFU))))
    long = properties((0x1F, 0x3707, "Назва.pdf".encode("utf-16-le") + b"\0\0"), (0x0102, 0x3701, b"%PDF"))
    yield winmail(record(0x9007, struct.pack("<II", 1251, 0)), *FILE, *FILE[:1], record(0x9005, long))
    yield winmail(record(0x9003, properties((0x1E, 0x1000, b"words"), (0x0102, 0x1013, b"<p>x</p>"))))


def _of_words() -> Iterator[bytes]:
    yield "Шановні!\n\nНа Ваш лист від 02.03.2026 № 12/3-а повідомляємо.\n--\nЗ повагою\n".encode()
    yield "Так.\n\n25.11.2026 10:00 Хаб <z@h.example> пише:\n> Немає води.\n> Статус: \n".encode()
    yield "Статус: зареєстровано\nНомер: К-1\nДата: 25 листопада 2026 року\nВідповідь: Воду подано\n".encode()
    yield b"begin 644 a.txt\n#86)C\n`\nend\n"
    for folder in ("email-talon", "email-zapier-reply-parser"):
        yield from list(vectors(folder))[:40]


def _of_html() -> Iterator[bytes]:
    yield b"<html><body><p>a<br>b</p><table><tr><td>c<td>d</table><pre>\n x\n</pre><blockquote type=cite>q</blockquote>"
    yield b'<div style="white-space:pre-wrap">a\nb</div><div class="gmail_quote">x</div><script>y</script><!-- c -->'
    yield b"<p>a" * 40


_MIME = (
    b"Content-Type: ",
    b"multipart/mixed; boundary=",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"message/rfc822",
    b"base64",
)
TARGETS = (
    Target(name="mail", reads=_mail, seeds=_of_mails, words=_MIME),
    Target(name="mail-received", reads=_received, seeds=_of_mails, words=(*_MIME, b"@TOKEN@")),
    Target(name="tnef", reads=_tnef, seeds=_of_tnef),
    Target(name="rtf", reads=_rtf, seeds=lambda: [LZFU, LZFU[:12] + bytes(200), b"\0" * 16]),
    Target(name="inline", reads=_inline, seeds=_of_words, words=(b"begin 644 ", b"\nend\n")),
    Target(name="mail-words", reads=_words, seeds=_of_words),
    Target(name="mail-html", reads=_html, seeds=_of_html),
)
