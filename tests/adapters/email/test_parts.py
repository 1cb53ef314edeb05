"""Parts of a mail as programs really make them: every word and every file comes out, whatever they are wrapped in."""

from __future__ import annotations

import base64
import binascii
import contextlib
import quopri
import struct
import time
import tracemalloc
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters import parameters
from hub.adapters.email import filenames, inline, parse, passages, rtf, tnef
from hub.adapters.email.replies import receive
from hub.errors import InvalidInput
from hub.schemas.envelope import MAX_ATTACHMENTS, AnswerBody
from hub.schemas.ids import MessageId
from hub.schemas.terms import AnswerStage
from tests.adapters.email.making import RECEIVED, PaperSink, box, reply, token
from tests.adapters.email.test_replies import wire

PDF = b"%PDF-1.4\n" + bytes(range(256)) + b"\n%%EOF\n"
WORDS = "Воду подано 25.11.2026."
APOSTROPHE = "КП «Об'єднання», лист п'ять.pdf"


def read(body: str | bytes, head: str = "") -> parse.Mail:
    """A mail of these bytes under a plain head."""
    raw = f"From: a@b.example\n{head}".encode() + (body.encode() if isinstance(body, str) else body)
    return parse.read(wire(raw), limit=1 << 24)


def mixed(*parts: str, kind: str = "mixed") -> str:
    """A multipart of parts, each with its own head."""
    return (
        f'Content-Type: multipart/{kind}; boundary="=_{kind}"\n\n'
        + "".join(f"--=_{kind}\n{part}\n" for part in (*parts, "")).removesuffix(f"--=_{kind}\n\n")
        + f"--=_{kind}--\n"
    )


def text(words: str, kind: str = "plain", more: str = "") -> str:
    """A part of text."""
    return f"Content-Type: text/{kind}; charset=utf-8{more}\nContent-Transfer-Encoding: 8bit\n\n{words}"


def pdf(disposition: str) -> str:
    """A part with a file."""
    coded = base64.encodebytes(PDF).decode()
    return f"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n{disposition}\n\n{coded}"


@pytest.mark.parametrize("encode", [base64.encodebytes, quopri.encodestring])
@pytest.mark.parametrize("label", ["{}", "{} ", '"{}"', "{};"])
def test_composite_parts_that_are_encoded_are_opened(encode: object, label: str) -> None:
    """A multipart, and a mail inside a mail, in an encoding that RFC 2045 forbids there: their parts come out."""
    assert callable(encode)
    name = label.format("base64" if encode is base64.encodebytes else "quoted-printable")
    inner = mixed(text(WORDS), pdf("Content-Disposition: attachment; filename=a.pdf"))
    head, body = inner.split("\n\n", 1)
    mail = read(encode(body.encode()), f"{head}\nContent-Transfer-Encoding: {name}\n\n")
    assert (passages.text_of(mail), [(f.name, f.data) for f in mail.files]) == (WORDS, [("a.pdf", PDF)])
    letter = f"From: x@y.example\nIn-Reply-To: <z@hub>\n{text(WORDS)}\n".encode()
    coded = encode(letter).decode()
    kind = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {name}\n\n{coded}"
    mail = read(mixed(text("Див. лист."), kind))
    assert [file.data.replace(b"\r\n", b"\n").strip() for file in mail.files] == [letter.strip()]
    assert mail.inner[0]["in-reply-to"] == ("<z@hub>",)


def test_a_report_in_base64_is_a_report() -> None:
    """The fields of an encoded delivery report are read."""
    fields = base64.encodebytes(b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\nAction: failed\n").decode()
    part = f"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n{fields}"
    assert [group.get("action") for group in read(mixed(text("x"), part, kind="report")).status] == [None, "failed"]


def test_a_lost_boundary_is_found() -> None:
    """Parts stand behind another boundary than the header names: they are read; where none stands, the words are."""
    body = mixed(text(WORDS), pdf("Content-Disposition: attachment; filename=a.pdf"))
    mail = read(body.replace('boundary="=_mixed"', 'boundary="=_other"'))
    assert (passages.text_of(mail), [f.name for f in mail.files]) == (WORDS, ["a.pdf"])
    assert passages.text_of(read(WORDS, "Content-Type: multipart/mixed; boundary=x\n\n")) == WORDS


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (f"filename*=UTF-8''{quote(APOSTROPHE)}", APOSTROPHE),
        (f"filename*=UTF-8'uk'{quote(APOSTROPHE, safe=chr(39))}", APOSTROPHE),
        (f"filename*0*=UTF-8''{quote(APOSTROPHE[:12])}; filename*1*={quote(APOSTROPHE[12:])}", APOSTROPHE),
        (f"filename*1*={quote(APOSTROPHE[12:])}; filename*0*=UTF-8''{quote(APOSTROPHE[:12])}", APOSTROPHE),
        ("filename*0*=windows-1251''%CB%E8%F1%F2; filename*1=\" 5'.pdf\"", "Лист 5'.pdf"),
        ("filename*=windows-1251''%CB%E8%F1%F2%20%B9%205.pdf", "Лист № 5.pdf"),
        ("filename*=x-unknown''%D0%9B%D0%B8%D1%81%D1%82.pdf", "Лист.pdf"),
        (f"filename*={APOSTROPHE}", APOSTROPHE),
        ("filename*=it's Bob's.pdf", "it's Bob's.pdf"),
        (f"filename=\"UTF-8''{quote(APOSTROPHE)}\"", APOSTROPHE),
        (f'filename="{quote("Лист.pdf")}"', "Лист.pdf"),
        (f'filename="=?UTF-8?B?{base64.b64encode(APOSTROPHE.encode()).decode()}?="', APOSTROPHE),
        ("filename==?windows-1251?Q?=CE=E1'=BA=EA=F2.pdf?=", "Об'єкт.pdf"),
        ('filename="=?utf-8?Q?=D0=9E=D0=B1\'?= =?utf-8?Q?=D1=94=D0=BA=D1=82.pdf?="', "Об'єкт.pdf"),
        ('filename*0="=?UTF-8?B?0JvQuNGB"; filename*1="0YIucGRm?="', "Лист.pdf"),
        ('filename="КП "Водоканал".pdf"', 'КП "Водоканал".pdf'),
        ("filename=Лист; звіт.pdf", "Лист; звіт.pdf"),
        ('filename="Лист; звіт.pdf"', "Лист; звіт.pdf"),
        ('filename="a.pdf"; size=5; creation-date="x"', "a.pdf"),
        ('filename="100%25 b.pdf"', "100%25 b.pdf"),
        ('filename="a.pdf', "a.pdf"),
        (f"filename=a.pdf; filename*=UTF-8''{quote('Лист.pdf')}", "Лист.pdf"),
        ("FileName = a.pdf", "a.pdf"),
    ],
)
def test_names_are_read_as_they_are_written(disposition: str, name: str) -> None:
    """RFC 2231 and encoded words, right and wrong, with apostrophes, marks and semicolons in the name."""
    mail = read(mixed(text(WORDS), pdf(f"Content-Disposition: attachment; {disposition}")))
    assert [(file.name, file.data) for file in mail.files] == [(name, PDF)]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60), st.integers(1, 20))
def test_any_name_in_pieces_comes_back(name: str, length: int) -> None:
    """What RFC 2231 can say, is read."""
    coded = quote(name, safe="")
    cut = [coded[at : at + length] for at in range(0, len(coded), length)]
    said = "; ".join(f"filename*{n}*={'utf-8' + chr(39) * 2 if n == 0 else ''}{piece}" for n, piece in enumerate(cut))
    assert parameters.read(f"attachment; {said}")["filename"].replace("\ufeff", "") == name.replace("\ufeff", "")


@given(st.text(max_size=200))
def test_any_header_has_parameters(value: str) -> None:
    """Nothing raises."""
    assert isinstance(parameters.read(value), dict)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("Лист № 18-05/77 від 26.11.2026.pdf", "Лист № 18-05_77 від 26.11.2026.pdf"),
        ("18-05\\77.pdf", "18-05_77.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\a\\звіт.pdf", "звіт.pdf"),
        ("~/a.pdf", "a.pdf"),
        ("..", ".."),
        ("a\nb\x00.pdf", "a b.pdf"),
        (" ", "без назви"),
        ("../", "без назви"),
    ],
)
def test_a_slash_in_a_name_is_no_folder(given_: str, kept: str) -> None:
    """Of a path the last piece counts; a number keeps its parts."""
    assert filenames.safe(given_) == kept


def test_parts_without_names_get_one_that_opens() -> None:
    """A name in the description counts; without any, the ending tells what it is."""
    mail = read(
        mixed(
            text(WORDS),
            pdf("Content-Disposition: attachment"),
            pdf("Content-Description: Акт.pdf"),
            pdf("X-Nothing: 1"),
        )
    )
    assert [file.name for file in mail.files] == ["без назви.pdf", "Акт.pdf", "без назви.pdf"]


LONGER = "Воду подано, перерахунок буде у грудні цього року."
OTHER = "Чотири, п'ять."


def either(plain: str, rich: str) -> str:
    """Two forms of a passage."""
    return mixed(text(plain), text(f"<p>{rich}</p>", "html"), kind="alternative")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (either("Ваша програма не підтримує HTML.", WORDS), WORDS),
        (either("\u200b\ufeff \u00a0", WORDS), WORDS),
        (either("View this email in your browser", WORDS), WORDS),
        (either(WORDS, "\u200b"), WORDS),
        (either(WORDS, f"<b>{WORDS}</b>"), WORDS),
        (either("Воду", LONGER), LONGER),
        (either("Один. Два. Три.", OTHER), f"Один. Два. Три.\n\n{OTHER}"),
        (mixed(text("Доброго дня!"), text(f"<p>{WORDS}</p>", "html")), f"Доброго дня!\n{WORDS}"),
        (mixed(either("x html", WORDS), text("Голова")), f"{WORDS}\nГолова"),
        (mixed(text(WORDS, more='; name="message.txt"')), WORDS),
        (mixed(text(WORDS, more="\nContent-Disposition: attachment")), WORDS),
        (mixed(text(" "), text(WORDS, more='; name="ATT00001.txt"\nContent-Disposition: attachment')), WORDS),
        (mixed(text("Доброго дня!"), text(WORDS, more='; name="a.txt"')), "Доброго дня!"),
    ],
)
def test_the_words_are_those_that_somebody_wrote(body: str, words: str) -> None:
    """Stubs, empty and cut alternatives give way; what stands one after the other is read one after the other."""
    assert passages.text_of(read(body)) == words


@given(st.binary(min_size=1, max_size=500), st.sampled_from(["\n", "\r\n"]))
def test_files_as_letters_in_a_text_are_taken_out(data: bytes, ending: str) -> None:
    """uuencode, and its sister in base64, between words: both files and all words come out."""
    lines = [binascii.b2a_uu(data[at : at + 45]).decode().rstrip("\n") for at in range(0, len(data), 45)]
    coded = base64.encodebytes(data).decode().splitlines()
    whole = ["Вище.", "begin 644 Акт №5.pdf", *lines, "`", "end", "begin-base64 600 b.bin", *coded, "====", "Нижче."]
    left, files = inline.taken_out(ending.join(whole))
    assert (left, [(file.name, file.data) for file in files]) == (
        f"Вище.{ending}Нижче.",
        [("Акт №5.pdf", data), ("b.bin", data)],
    )


@pytest.mark.parametrize(
    "words",
    ["begin 644 a.pdf\nНемає кінця", "begin 644 a.pdf\nслова\nend", "begin 1 a\nx\nend", "begin 644 a.pdf\nend"],
)
def test_what_is_no_uuencode_stays_text(words: str) -> None:
    """Words that only begin like a file are words."""
    assert inline.taken_out(words) == (words, ())


def record(name: int, value: bytes, level: int = 1, kind: int = 6) -> bytes:
    """One record of a winmail.dat."""
    return struct.pack("<BHHI", level, name, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def properties(*each: tuple[int, int, bytes]) -> bytes:
    """MAPI properties of variable length."""
    blob = struct.pack("<I", len(each))
    for kind, name, value in each:
        blob += struct.pack("<HHII", kind, name, 1, len(value)) + value + bytes(-len(value) % 4)
    return blob


def winmail(*records: bytes) -> bytes:
    """A winmail.dat."""
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(records)


FILE = (
    record(0x9002, bytes(14)),
    record(0x8010, "Акт.pdf".encode("cp1251") + b"\0"),
    record(0x800F, PDF),
)
LZFU = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


def with_winmail(data: bytes, words: str = "") -> parse.Mail:
    """A mail with it."""
    coded = base64.encodebytes(data).decode()
    part = f"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n{coded}"
    return read(mixed(text(words), part))


def test_winmail_is_opened() -> None:
    """Files with long names, a letter as text, HTML or rich text: what Outlook packed, others can read."""
    long = properties((0x1F, 0x3707, "Довга назва.pdf".encode("utf-16-le") + b"\0\0"), (0x0102, 0x3701, PDF + b"!"))
    mail = with_winmail(winmail(record(0x9007, struct.pack("<II", 1251, 0)), *FILE, *FILE[:1], record(0x9005, long)))
    assert [(f.name, f.data, f.media_type) for f in mail.files] == [
        ("Акт.pdf", PDF, "application/pdf"),
        ("Довга назва.pdf", PDF + b"!", "application/pdf"),
    ]
    for told in (
        record(0x9003, properties((0x1F, 0x1000, WORDS.encode("utf-16-le")))),
        record(0x9003, properties((0x1E, 0x1000, WORDS.encode("cp1251")))),
        record(0x9003, properties((0x0102, 0x1013, f"<p>{WORDS}</p>".encode()))),
        record(0x800C, WORDS.encode("cp1251") + b"\0"),
    ):
        mail = with_winmail(winmail(told, *FILE))
        assert (passages.text_of(mail), len(mail.files)) == (WORDS, 1)
        assert passages.text_of(with_winmail(winmail(told, *FILE), "Слова.")) == "Слова."
    rich = with_winmail(winmail(record(0x9003, properties((0x0102, 0x1009, LZFU)))))
    assert [(f.name, f.data) for f in rich.files] == [("лист.rtf", b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}")]


def test_winmail_that_cannot_be_opened_is_kept_and_told() -> None:
    """A broken one is a file, and a person is told to open it in Outlook; the answer ends nothing."""
    sink = PaperSink()
    mail = reply(sink.sent(), WORDS)
    mail.add_attachment(winmail(*FILE)[:-20], maintype="application", subtype="ms-tnef", filename="winmail.dat")
    receive(wire(mail), RECEIVED, sink, box(AnswerStage.FINAL))
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)
    assert (said.body.stage, [file.name for file in said.attachments]) == (
        AnswerStage.INTERIM,
        ["лист.eml", "winmail.dat"],
    )
    assert "Outlook" in str(said.unclear)


def huge(kind: int, count: int) -> bytes:
    """A property that announces more values than there are bytes."""
    return winmail(record(0x9003, struct.pack("<IHHI", 1, kind, 0x1000, count)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        huge(0x1003, 2**32 - 1),
        huge(0x101E, 2**32 - 1),
        huge(0x9999, 1),
        winmail(record(0x9003, struct.pack("<I", 2**32 - 1) + b"\0")),
        winmail(*(record(0x9005, b"") for _ in range(100_000))),
        winmail(record(0x9003, properties((0x0102, 0x1009, b"\0" * 4 + b"\xff" * 4 + b"LZFu" + b"\0" * 500_000)))),
        b"\x78\x9f\x3e\x22",
    ],
)
def test_winmail_made_to_stall_does_not(data: bytes) -> None:
    """Announced billions, a hundred thousand records, rich text without an end: refused or read in moments."""
    begun = time.process_time()
    with_winmail(data)
    assert time.process_time() - begun < 10


@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_behind_the_sign_of_winmail(noise: bytes, at: int) -> None:
    """One error of ours or none."""
    good = winmail(*FILE, record(0x9003, properties((0x0102, 0x1009, LZFU))))
    for data in (winmail(noise), good[:at] + noise[:8] + good[at + 8 :]):
        with contextlib.suppress(InvalidInput):
            tnef.opened(data)
        assert isinstance(tnef.message_class(data), str)
    assert len(rtf.decompressed(LZFU[:12] + noise)) <= rtf.MAX_BYTES


@pytest.mark.parametrize("filled", ["", "Стан: зареєстровано\nНомер: 5\n"])
def test_more_files_than_one_statement_holds_are_told(filled: str) -> None:
    """The first hundred are kept beside it, the rest inside the kept mail, and a person is told how many."""
    sink = PaperSink()
    mail = EmailMessage()
    mail["From"], mail["To"] = "a@b.example", f"box+{token(MessageId(sink.sent().header.message_id))}@x"
    mail.set_content(filled or WORDS)
    for number in range(MAX_ATTACHMENTS + 4):
        mail.add_attachment(b"%d" % number, maintype="image", subtype="png", filename=f"{number}.png")
    receive(wire(mail), RECEIVED, sink, box(AnswerStage.FINAL))
    (said,) = sink.saids
    assert len(said.attachments) == MAX_ATTACHMENTS
    assert "5 of them" in str(said.unclear)


def report(body: bytes, kind: str = "message/delivery-status", encoded: bool = False) -> bytes:
    """A mail of one part of this kind."""
    label = "Content-Transfer-Encoding: base64\r\n" if encoded else ""
    head = f"From: a@b.example\r\nContent-Type: {kind}\r\n{label}\r\n"
    return head.encode() + (base64.encodebytes(body) if encoded else body)


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        report(b"&\n\n" * 400_000),
        report(b"Action: failed\n\n" * 100_000),
        report(b"a: b\n\n" * 300_000, encoded=True),
        report(b"a:\n" * 500_000, "message/rfc822"),
        report(b"a:\n" * 500_000, "message/rfc822", encoded=True),
        report(b"a:\n" * 500_000, "text/rfc822-headers"),
        report(b"--b\n" + b"a:\n" * 500_000, "multipart/mixed; boundary=b"),
        report((b"--b\n" + b"a:\n" * 600 + b"\n\n") * 900, "multipart/mixed; boundary=b"),
    ],
    ids=["blanks", "groups", "encoded groups", "inner head", "encoded head", "head alone", "a part's head", "heads"],
)
def test_a_mail_of_small_things_without_number_costs_little(raw: bytes) -> None:
    """Groups of reports and fields of heads are counted: a megabyte is not taken apart into hundreds in memory."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        with contextlib.suppress(InvalidInput):
            parse.read(raw, limit=1 << 24)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 15
    assert held < 120_000_000


def test_many_lines_like_those_of_a_head_are_words() -> None:
    """A log in a text, each line with a colon: read as it is, as long as nobody could take it for an attack."""
    words = "".join(f"12:30:{number % 60:02d} рядок {number}\n" for number in range(20_000))
    mail = parse.read(report(words.encode(), "text/plain; charset=utf-8"), limit=1 << 24)
    assert passages.text_of(mail).count("\n") == 19_999


def test_a_report_about_a_thousand_recipients_is_read() -> None:
    """As many groups as a report really has."""
    groups = b"Reporting-MTA: dns; x\n\n" + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n" * 999
    for encoded in (False, True):
        assert len(parse.read(report(groups, encoded=encoded), limit=1 << 24).status) == 1_000
