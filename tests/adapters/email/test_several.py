"""Where our token can stand, and mails that are for several messages of ours."""

from __future__ import annotations

import pytest

from hub.adapters.email.replies import receive, too_large
from hub.errors import Conflict
from hub.ports import ReportedStatus
from hub.schemas.envelope import AnswerBody
from hub.schemas.ids import MessageId
from hub.schemas.terms import AnswerStage
from tests.adapters.email.making import HUB_ADDRESS, RECEIVED, PaperSink, box, reply, token
from tests.adapters.email.test_replies import wire

TEXT = "Воду подано 25.11.2026."
PLAIN = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"


def letter(*headers: str, text: str = TEXT) -> bytes:
    """A mail to the plain address of the hub."""
    lines = ["From: rada@b.example", f"To: {HUB_ADDRESS}", "Message-ID: <m-1@b.example>", "Subject: Re", *headers]
    return wire(("\n".join(lines) + f"\n{PLAIN}\n{text}\n").encode())


def inside(token_line: str) -> bytes:
    """A mail that carries another, which carries a third; the line stands in the innermost head."""
    third = f"{token_line}\nSubject: x\n{PLAIN}\n{TEXT}"
    second = (
        f'From: a@b\nContent-Type: multipart/mixed; boundary="2"\n\n--2\nContent-Type: message/rfc822\n\n{third}\n--2--'
    )
    return wire(
        f'From: s@b.example\nTo: {HUB_ADDRESS}\nSubject: Fwd\nContent-Type: multipart/mixed; boundary="1"\n\n'
        f"--1\n{PLAIN}\nПересилаю.\n--1\nContent-Type: message/rfc822\n\n{second}\n--1--\n".encode()
    )


PLACES = {
    "received": lambda t: letter(f"Received: from mx by hub\n with esmtps id 4 for <zvernennia+{t}@x>; Mon, 30 Nov"),
    "received without brackets": lambda t: letter(f"Received: by mail.hub for zvernennia+{t.upper()}@x; Mon, 30 Nov"),
    "bcc": lambda t: letter(f"Bcc: zvernennia+{t}@x"),
    "x-forwarded-to": lambda t: letter(f"X-Forwarded-To: zvernennia+{t}@x"),
    "escaped plus": lambda t: letter(f"X-Rcpt-To: <prvs=1=zvernennia=2B{t}@x>"),
    "references": lambda t: letter(f"References: <a@b> <{t}@hub>"),
    "a header of their own": lambda t: letter(f"X-Ticket-Parent: {t}"),
    "text": lambda t: letter(text=f"{TEXT}\n\n{t}"),
    "inner to": lambda t: inside(f"To: zvernennia+{t}@x"),
    "inner in-reply-to": lambda t: inside(f"In-Reply-To: <{t}@hub>"),
    "inner references": lambda t: inside(f"References: <{t}@hub>"),
    "inner received": lambda t: inside(f"Received: by mail.hub for <zvernennia+{t}@x>; Mon, 30 Nov"),
    "a file .eml": lambda t: wire(
        f'From: s@b\nTo: {HUB_ADDRESS}\nContent-Type: multipart/mixed; boundary="1"\n\n--1\n{PLAIN}\nДив.\n'
        f"--1\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=LIST.EML\n\n"
        f"To: zvernennia+{t}@x\n\nx\n--1--\n".encode()
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_token_is_found_wherever_it_stands(place: str) -> None:
    """In every header, in Received, and in mails inside mails: the case hears of the mail."""
    sink = PaperSink()
    message_id = MessageId(sink.sent().header.message_id)
    receive(PLACES[place](token(message_id)), RECEIVED, sink, box())
    assert [said.in_reply_to for said in sink.saids] == [message_id]


@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith(("inner", "text"))])
def test_a_message_named_inside_only_ends_nothing(place: str) -> None:
    """Where plain words are final, those that came with a forwarded mail are looked at first."""
    sink = PaperSink()
    receive(PLACES[place](token(MessageId(sink.sent().header.message_id))), RECEIVED, sink, box(AnswerStage.FINAL))
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)
    assert (said.body.stage, bool(said.unclear)) == (AnswerStage.INTERIM, True)


@pytest.mark.parametrize(
    "headers",
    [
        ("Cc: zvernennia+{0}@x, zvernennia+{1}@x",),
        ("Delivered-To: zvernennia+{0}@x", "Cc: zvernennia+{1}@x"),
        ("Delivered-To: zvernennia+{0}@x", "In-Reply-To: <{1}@hub>"),
        ("References: <{0}@hub> <{1}@hub>",),
        ("Received: by mx for <zvernennia+{0}@x>; Mon", "Received: by mx2 for <zvernennia+{1}@x>; Mon"),
    ],
)
def test_one_mail_answers_all_that_it_is_for(headers: tuple[str, ...]) -> None:
    """Each message of ours gets its own statement, under an id of its own."""
    sink = PaperSink()
    both = [MessageId(sink.sent().header.message_id) for _ in range(2)]
    receive(letter(*(each.format(*map(token, both)) for each in headers)), RECEIVED, sink, box())
    assert [said.in_reply_to for said in sink.saids] == both
    assert len({said.said_id for said in sink.saids}) == 2


def test_what_is_only_mentioned_is_told_to_a_person() -> None:
    """A letter of ours that is quoted below an answer to another is no answer to it, and is not passed over."""
    sink = PaperSink()
    first, second = (MessageId(sink.sent().header.message_id) for _ in range(2))
    mail = letter(f"Delivered-To: zvernennia+{token(first)}@x", text=f"{TEXT}\n\n> {token(second)}")
    receive(mail, RECEIVED, sink, box())
    assert [said.in_reply_to for said in sink.saids] == [first]
    assert (sink.holds, sink.holds_about) == (["mail.also_named"], [second])


def test_a_refusal_for_one_stops_no_other() -> None:
    """The second message hears of it although the first one's statement was refused."""

    class Picky(PaperSink):
        def reported(self, spoken: ReportedStatus) -> None:
            if not self.refusals:
                self.refusals.append(spoken)
                raise Conflict("This message_id was used before for another message.")
            super().reported(spoken)

        refusals: list[ReportedStatus] = []  # noqa: RUF012

    sink = Picky()
    both = [MessageId(sink.sent().header.message_id) for _ in range(2)]
    mail = letter(*(f"Cc: zvernennia+{token(each)}@x" for each in both))
    with pytest.raises(Conflict):
        receive(mail, RECEIVED, sink, box())
    assert [said.in_reply_to for said in sink.saids] == both[1:]


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"\xef\xbb\xbf\r\n", b"\r\n\xef\xbb\xbf"])
def test_bytes_before_the_head_are_passed_over(before: bytes) -> None:
    """A byte order mark or empty lines: the mail is read as without them, and is the same mail."""
    sink = PaperSink()
    mail = wire(reply(sink.sent(), TEXT))
    receive(mail, RECEIVED, sink, box())
    receive(before + mail, RECEIVED, sink, box())
    first, second = sink.saids
    assert (first.said_id, first.body) == (second.said_id, second.body)
    assert second.raw.body == before + mail


@pytest.mark.slow
def test_a_long_mail_that_says_nothing_is_noted_whole() -> None:
    """A notice of delay with our mail in it, of 2 MiB: nothing to decide, and nothing of it is lost."""
    sink = PaperSink()
    message_id = MessageId(sink.sent().header.message_id)
    token_line = f"Delivered-To: zvernennia+{token(message_id)}@x"
    mail = letter(token_line, "Auto-Submitted: auto-replied", text="Я у відпустці." + "\r\n> рядок" * 200_000)
    receive(mail, RECEIVED, sink, box())
    assert (sink.notes, [raw.body == mail for raw in sink.noted_bytes]) == (["mail.automatic"], [True])


@pytest.mark.slow
def test_a_long_statement_goes_with_the_whole_mail() -> None:
    """What stands with the statement is the head, for the mail is one of its files; a refusal keeps all of it."""
    sink = PaperSink()
    mail = wire(reply(sink.sent(), TEXT + " слово" * 200_000))
    receive(mail, RECEIVED, sink, box())
    (said,) = sink.saids
    assert len(said.raw.body) < len(mail)
    assert said.came.body == mail


def test_too_large_a_mail_is_held_by_its_first_part() -> None:
    """Of a mail over the limit the first MiB is kept with length and digest of the whole, at the case that it names."""
    sink = PaperSink()
    message_id = MessageId(sink.sent().header.message_id)
    mail = letter(f"Delivered-To: zvernennia+{token(message_id)}@x") + b"x" * 3_000_000
    too_large(iter([mail[:2_000_000], mail[2_000_000:]]), len(mail), sink, box())
    (raw,) = sink.held_bytes
    assert (sink.holds, sink.holds_about) == (["mail.too_large"], [message_id])
    assert (len(raw.body), raw.whole_size) == (1_048_576, len(mail))
    assert raw.body == mail[: len(raw.body)]
