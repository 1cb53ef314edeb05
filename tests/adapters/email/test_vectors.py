"""Mails that others collected: bounces, reports, broken and hostile mails, replies of many programs."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from hub.adapters.email import bounces, classify, parse, trim
from hub.adapters.email.classify import Voice
from hub.adapters.email.replies import receive
from hub.errors import HubError
from hub.schemas.ids import MessageId
from tests.adapters.email.making import RECEIVED, PaperSink, box, token

LIMIT = 1 << 26

DISAGREE = {
    "lhost-activehunter-02.eml": "user unknown, called filtered: that program filters",
    "lhost-exchange2003-04.eml": "recipient not found, called filtered: that program filters",
    "lhost-mailfoundry-01.eml": "no such user, called filtered: that program filters",
    "lhost-office365-04.eml": "unknown recipient or unavailable, called filtered",
    "lhost-opensmtpd-12.eml": "a notice of delay, called final",
    "lhost-postfix-07.eml": "user unknown, called filtered: the mail does not say after which command",
    "lhost-receivingses-02.eml": "5.1.1 mailbox does not exist, called filtered",
    "lhost-x1-01.eml": "user unknown, called filtered: that program filters",
    "lhost-x2-01.eml": "no such account, called filtered: that program filters",
    "rfc3464-01.eml": "5.1.1 user unknown, called a full box",
    "rfc3464-35.eml": "user unknown in the third record, called filtered",
    "rfc3464-42.eml": "the account does not exist, called filtered",
}
"""Where hard and soft differ, and what the mail says: a dead address in the words, soft by the other's convention."""


def bounced(vectors: Path) -> list[Path]:
    return sorted((vectors / "bounces-sisimai" / "maildir" / "bsd").glob("*.eml"))


@pytest.mark.slow
@pytest.mark.vectors("bounces-sisimai")
def test_hard_and_soft_agree(vectors: Path) -> None:
    """At least 95 % of the 255 records are called hard or soft as expected; the others are these, and no more."""
    expected = json.loads((vectors / "bounces-sisimai" / "expected-from-p5-sisimai.json").read_text("utf-8"))
    folder = vectors / "bounces-sisimai" / "maildir" / "bsd"
    agreed, disagreed = 0, set()
    for name, records in expected.items():
        mail = parse.read((folder / name).read_bytes(), limit=LIMIT)
        verdict = classify.judge(mail)
        each = bounces.reasons(mail) if verdict.voice is Voice.FAILED else ()
        for number, record in enumerate(records):
            hard = each[number] in bounces.HARD if len(each) == len(records) else verdict.permanent
            if hard == record["hardbounce"]:
                agreed += 1
            else:
                disagreed.add(name)
    total = sum(len(records) for records in expected.values())
    assert (total, disagreed) == (255, set(DISAGREE))
    assert agreed / total >= 0.95


@pytest.mark.slow
@pytest.mark.vectors("bounces-sisimai")
def test_no_bounce_is_an_answer(vectors: Path) -> None:
    """Of 315 bounces, complaints and auto-replies, each with our valid token in it, none says anything for a case."""
    sink = PaperSink()
    mark = token(MessageId(sink.sent().header.message_id))
    mails = bounced(vectors)
    assert len(mails) == 315
    for path in mails:
        raw = f"Delivered-To: zvernennia+{mark}@hub.example.org\r\n".encode() + path.read_bytes()
        receive(raw, RECEIVED, sink, box())
    said = {type(spoken.body).__name__ for spoken in sink.saids}
    assert said <= {"ReceiptBody"}
    assert not sink.envelopes
    assert len(sink.saids) + len(sink.returns) + len(sink.notes) + len(sink.holds) == len(mails)
    assert len(sink.returns) > 250


@pytest.mark.slow
@pytest.mark.vectors("email-flanker")
@pytest.mark.vectors("email-mikel-mail")
@pytest.mark.vectors("email-talon")
def test_every_mail_is_read_or_refused_by_name(vectors: Path) -> None:
    """Every stored mail, broken ones included, is read within a second or refused with an error of ours."""
    files = [
        path
        for folder in ("email-flanker/messages", "email-mikel-mail/emails", "email-talon")
        for path in sorted((vectors / folder).rglob("*"))
        if path.is_file()
    ]
    assert len(files) > 250
    refused = set()
    for path in files:
        sink = PaperSink()
        mark = token(MessageId(sink.sent().header.message_id))
        raw = f"Delivered-To: zvernennia+{mark}@hub.example.org\r\n".encode() + path.read_bytes()
        begun = time.process_time()
        try:
            receive(raw, RECEIVED, sink, box())
        except HubError as refusal:
            refused.add((path.name, refusal.stable_code))
        assert time.process_time() - begun < 5, path.name
    assert {code for _, code in refused} <= {"mail.headers", "mail.nesting", "smime.grammar", "smime.signature"}
    assert len(refused) <= 3, refused


@pytest.mark.vectors("email-flanker")
@pytest.mark.vectors("email-mikel-mail")
def test_reports_and_complaints_are_no_answers(vectors: Path) -> None:
    """Bounces and complaints of two mail libraries are recognised as what they are."""
    flanker = vectors / "email-flanker" / "messages"
    reports = [*(flanker / "bounce").iterdir(), *(flanker / "complaints").iterdir()]
    reports += (vectors / "email-mikel-mail" / "emails" / "multipart_report_emails").iterdir()
    assert len(reports) == 16
    for path in reports:
        assert classify.judge(parse.read(path.read_bytes(), limit=LIMIT)).voice is not Voice.PERSON, path.name


@pytest.mark.vectors("email-flanker")
def test_cyrillic_file_names_are_whole(vectors: Path) -> None:
    """An attachment's Russian name comes through a mail program's own encoding."""
    raw = (vectors / "email-flanker" / "messages" / "russian-attachment-yahoo.eml").read_bytes()
    (file,) = parse.read(raw, limit=LIMIT).files
    assert file.name.startswith("Картинка с очень, очень длинным предлинным именем преименем таким")


ZAPIER_WHOLE = {
    "email_gmail": "This is a test for inbox replying to a github message.",
    "email_2_1": "Outlook with a reply",
    "email_2_2": "Outlook with a reply directly above line",
    "email_2_3": "Outlook with a reply above headers using unusual format",
    "email_headers_no_delimiter": "And another reply!",
}
ZAPIER_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "email_1_1": (("folks",), ("riak-users mailing",)),
    "email_1_2": (("You can list the keys for the bucket",), ()),
    "email_1_4": (("Awesome",), ("Loader",)),
    "email_1_6": (("I get",), ("On ",)),
    "email_1_7": ((":+1:",), ("Steps 0-2",)),
    "email_1_8": (("I will reply", "and under this"), ()),
    "email_iPhone": ((), ("Sent from my iPhone",)),
    "email_BlackBerry": ((), ("Sent from",)),
    "email_multi_word_sent_from_my_mobile_device": ((), ("Sent from",)),
    "email_one_is_not_on": ((), ("On Oct 1, 2012, at 11:55 PM, Dave Tapley wrote:",)),
    "email_partial_quote_header": (("On your remote host you can run:", "telnet 127.0.0.1 52698"), ()),
    "greedy_on": (("On your remote host",), ("On 9 Jan 2014",)),
    "correct_sig": ((), ("--\n",)),
}
ZAPIER_NOTHING_SPLIT = ("email_1_5", "email_sig_delimiter_in_middle_of_line", "email_sent_from_my_not_signature")


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.vectors("email-talon")
@pytest.mark.vectors("email-zapier-reply-parser")
def test_replies_are_trimmed_as_people_read_them(vectors: Path) -> None:
    """At least 90 % of the cases of two reply parsers come out as their tests say (facts of those tests, above)."""
    talon, zapier = vectors / "email-talon", vectors / "email-zapier-reply-parser"
    cases: dict[str, bool] = {}
    for path in sorted((talon / "standard_replies").glob("*.eml")):
        told = path.with_name(f"{path.stem}_reply_text")
        expected = told.read_text("utf-8") if told.exists() else "Hello"
        got = trim.split(parse.read(path.read_bytes(), limit=LIMIT).text).reading
        cases[path.name] = squeezed(got) == squeezed(expected)
    for path in sorted((talon / "html_replies").glob("*.html")):
        got = trim.split(trim.text_of_html(path.read_text("utf-8"))).reading
        cases[path.name] = squeezed(got) == "Hi.Iamfine.Thanks,Alex"
    for name, expected in (("OLK_SRC_BODY_SECTION.html", "Reply"), ("reply-separated-by-hr.html", "Hithere")):
        cases[name] = squeezed(trim.split(trim.text_of_html((talon / name).read_text("utf-8"))).reading) == expected
    shared = parse.read((talon / "reply-quotations-share-block.eml").read_bytes(), limit=LIMIT)
    cases["share-block"] = "From" not in trim.split(shared.text).reading
    own = {path.stem: trim.split(path.read_bytes().decode()) for path in sorted(zapier.glob("email_*.txt"))}
    own |= {name: trim.split((zapier / f"{name}.txt").read_bytes().decode()) for name in ("greedy_on", "correct_sig")}
    cases |= {name: own[name].own.strip() == expected for name, expected in ZAPIER_WHOLE.items()}
    cases |= {
        name: all(word in own[name].own for word in inside) and not any(word in own[name].own for word in outside)
        for name, (inside, outside) in ZAPIER_PARTS.items()
    }
    cases |= {name: not own[name].quoted and not own[name].signature for name in ZAPIER_NOTHING_SPLIT}
    assert len(cases) >= 44
    assert sum(cases.values()) / len(cases) >= 0.9, sorted(name for name, good in cases.items() if not good)


@pytest.mark.vectors("email-zapier-reply-parser")
def test_nothing_is_lost_and_nothing_stalls(vectors: Path) -> None:
    """Joined parts are the text again, each within a second, the pathological one included."""
    for path in sorted((vectors / "email-zapier-reply-parser").glob("*.txt")):
        text = path.read_bytes().decode()
        for long in (text, text * 20):
            begun = time.process_time()
            parts = trim.split(long)
            assert time.process_time() - begun < 5, path.name
            assert parts.above + parts.own + parts.signature + parts.quoted == long
