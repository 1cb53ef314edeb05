"""A value that does not fit costs itself, never the statement: the strongest thing understood is believed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from lxml import etree

from hub.adapters.mapping import AnswerMapping, Codes, Meaning, day_of, meaning
from hub.adapters.outcomes import Heard, read_outcome, read_poll_outcome
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.statements import JsonAcknowledgement, from_list, read
from hub.errors import OutcomeUnknown
from hub.net.http import HttpAnswer
from hub.ports import Dating, Outcome, Prepared, RawInbound
from hub.protocols.sevovv import wire
from hub.protocols.sevovv.client import session_of
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.soap import own
from hub.schemas import json_rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.envelope import AnswerBody, ReceiptBody
from hub.schemas.terms import AnswerStage, ReceiptStatus
from hub.testing.samples import appeal, delivery, receipt
from tests.adapters.channels import rest_channel

CODES = Codes(
    mapping="t.mapping",
    kind="t.kind",
    left_out="t.left_out",
    no_external_id="t.no_external_id",
    foreign="t.foreign",
    no_receipt="t.no_receipt",
    unreadable="t.unreadable",
    verdict="t.",
    place="the test",
)
RULES = AnswerMapping.model_validate(
    {
        "status": "status",
        "id": "id",
        "number": "number",
        "date": "date",
        "text": "text",
        "result": {"path": "result", "values": {"1": "satisfied"}},
        "echo": "echo",
    }
    | {"status": {"path": "status"}}
)
HEARD = Heard(raw=RawInbound(content_type="application/json", body=b"{}"), http_status=200, codes=CODES)
SENT = appeal()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-25", date(2026, 11, 25)),
        ("2026-11-25Z", date(2026, 11, 25)),
        ("2026-11-25+02:00", date(2026, 11, 25)),
        ("2026-11-25-11:00", date(2026, 11, 25)),
        ("2026-11-25T23:30:00Z", date(2026, 11, 26)),
        ("2026-11-25T24:00:00", date(2026, 11, 26)),
        ("2026-11-25 10:00", date(2026, 11, 25)),
        ("2026-11-25T10:00:00.1234567+02:00", date(2026, 11, 25)),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01+02:00", None),
        ("1900-01-01", None),
        ("1753-01-01", None),
        ("1899-12-30T00:00:00", None),
        ("1970-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59.9999999Z", None),
        ("9999-12-31T24:00:00", None),
        ("1796032800000", None),
        ("1796032800", None),
        ("20261125", None),
        ("25.11.2026", None),
        ("2026-13-45", None),
        ("вчора", None),
    ],
)
def test_days_are_read_or_said_to_be_unread(text: str, day: date | None) -> None:
    """xs:date with its zone, midnight as 24:00, .NET's seven digits; what systems write for "no date" is none."""
    assert day_of(text) == day


def test_a_pattern_reads_what_it_describes_and_iso_all_the_same() -> None:
    """With a pattern a date in ISO 8601, which is unambiguous, is understood too."""
    assert [day_of(text, "%d.%m.%Y") for text in ("25.11.2026", "2026-11-25", "01.01.0001")] == [
        date(2026, 11, 25),
        date(2026, 11, 25),
        None,
    ]


def said(**values: str | None) -> Meaning:
    """An answer about our message, as a mapping reads it."""
    told = {"status": "registered", "echo": str(SENT.header.message_id).upper(), "number": "Ш-12", "date": "2026-03-03"}
    document = {**told, **values}
    return meaning(RULES, document.get)


def sent(**values: str | None) -> Outcome:
    prepared = Prepared(message_id=SENT.header.message_id, content_type="application/json", body=b"x")  # type: ignore[arg-type]
    return read_outcome(said(**values), RULES, HEARD, prepared)


def polled(**values: str | None) -> Outcome:
    return read_poll_outcome(said(**values), RULES, HEARD, delivery(SENT, rest_channel("https://edms.example.org/in")))


UNFIT = [
    ({"date": "0001-01-01T00:00:00"}, ReceiptStatus.ACCEPTED, "Ш-12", "date"),
    ({"date": "1796032800000"}, ReceiptStatus.ACCEPTED, "Ш-12", "date"),
    ({"date": "2099-01-01"}, ReceiptStatus.ACCEPTED, "Ш-12", "date"),
    ({"number": "Ш" * 101}, ReceiptStatus.ACCEPTED, None, "number"),
    ({"number": "Ш-1\r\n2"}, ReceiptStatus.REGISTERED, "Ш-1 2", "number"),
    ({"number": "Ш\x00-1"}, ReceiptStatus.REGISTERED, "Ш -1", "number"),
    ({"id": "x" * 201}, ReceiptStatus.REGISTERED, "Ш-12", "id"),
    ({"id": "a\tb"}, ReceiptStatus.REGISTERED, "Ш-12", "id"),
]


@pytest.mark.parametrize(("values", "status", "number", "named"), UNFIT)
@pytest.mark.parametrize("ask", [sent, polled])
def test_one_field_costs_itself(
    ask: object, values: dict[str, str], status: ReceiptStatus, number: str | None, named: str
) -> None:
    """In the answer to a sending and to a poll: the rest is believed, and a person hears what was not understood."""
    assert callable(ask)
    outcome = ask(**values)
    assert outcome.kind is OutcomeKind.DELIVERED
    (reported,) = outcome.reported
    assert isinstance(reported.body, ReceiptBody)
    assert (reported.body.status, reported.body.number) == (status, number)
    assert f"{named}: " in reported.unclear
    assert reported.raw is HEARD.raw


def test_what_fits_asks_nobody() -> None:
    """A whole statement has nothing unclear, and its id is as it always was."""
    (reported,) = polled().reported
    assert (reported.unclear, reported.said_id) == (None, f"{SENT.header.message_id}:registered:Ш-12:2026-03-03")


@pytest.mark.parametrize(
    ("day", "dated", "claims"),
    [
        ("2026-03-03", Dating.DAY, datetime(2026, 3, 2, 22, tzinfo=UTC)),
        ("2020-01-05", Dating.DAY, datetime(2020, 1, 4, 22, tzinfo=UTC)),
        (None, Dating.NONE, None),
        ("0001-01-01", Dating.NONE, None),
    ],
)
def test_an_answer_to_a_question_says_the_day_at_most(day: str | None, dated: Dating, claims: datetime | None) -> None:
    """A polled statement claims the beginning of its Kyiv day, or nothing; its id is the same at each look."""
    first, again = (polled(date=day).reported[0] for _ in range(2))
    assert (first.dated, first.claims) == (dated, claims)
    assert (first.at, first.said_id) == (again.at, again.said_id)


def test_an_answer_to_a_sending_says_no_moment() -> None:
    """It happened by then; nobody claims when."""
    assert [each.dated for each in sent().reported] == [Dating.NONE]


def test_what_is_read_better_later_is_another_statement() -> None:
    """The same again is a repeat; with a date that can be read it is news."""
    ids = [polled(date=day).reported[0].said_id for day in ("0001-01-01", "0001-01-01", "1900-01-01", "2026-03-03")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"number": None}, "number"),
        ({"date": "0001-01-01"}, "date"),
        ({"result": "7"}, "result"),
        ({"text": "а" * 100_001}, "text"),
    ],
)
def test_an_answer_that_is_not_whole_is_looked_at(values: dict[str, str | None], named: str) -> None:
    """Its words are kept; without number or day it ends nothing by itself."""
    (reported,) = polled(**{"status": "answered", "text": "Воду подано.", **values}).reported
    assert isinstance(reported.body, AnswerBody)
    final = named in ("result", "text")
    assert reported.body.stage is (AnswerStage.FINAL if final else AnswerStage.INTERIM)
    assert reported.unclear is not None
    assert named in reported.unclear


def test_an_answer_without_words_is_a_receipt() -> None:
    """``closed`` without a text says that they have it, and no more."""
    (reported,) = polled(status="answered", text=None).reported
    assert isinstance(reported.body, ReceiptBody)
    assert reported.body.status is ReceiptStatus.ACCEPTED


@pytest.mark.parametrize("values", [{"status": "?"}, {"echo": "another"}])
def test_an_answer_that_cannot_be_read_comes_with_its_bytes(values: dict[str, str]) -> None:
    """It is asked again, and the poller gets the bytes for a person."""
    outcome = polled(**values)
    assert (outcome.kind, outcome.unread) == (OutcomeKind.TEMPORARY, (HEARD.raw,))


def answer(document: object, status: int = 200) -> HttpAnswer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HttpAnswer(status=status, headers={"Content-Type": "application/json"}, body=body)


@pytest.mark.parametrize(
    "more", [{"id": 90017}, {"id": 2**80}, {"id": "x" * 201}, {"ground": "???"}, {"took": 0.01}, {"id": [1]}]
)
def test_an_acknowledgement_stands_whatever_stands_beside_it(more: dict[str, object]) -> None:
    """An id that is a number is its digits; one that does not fit is left out."""
    document = {"message_id": str(SENT.header.message_id), "status": "accepted", **more}
    found = read(answer(document))
    assert isinstance(found, JsonAcknowledgement)
    assert found.id == (str(more["id"]) if isinstance(more.get("id"), int) else None)


def entries() -> tuple[list[object], bytes]:
    good = json.loads(json_rendering.to_json(receipt(SENT)))
    return [{"envelope": {"header": "?"}}, good, 17, "no.jws.at all", {"f": 0.5}], json.dumps(good).encode()


def test_one_poisoned_document_of_a_list_costs_itself() -> None:
    """The envelope between documents that are none is heard; those go to a person."""
    listed, good = entries()
    found, unread = from_list(
        answer({"message_id": str(SENT.header.message_id), "envelopes": listed}), SENT.header.message_id
    )
    assert [json.loads(item.raw.body) for item in found] == [json.loads(good)]
    assert len(unread) == 4


def test_a_poll_hands_on_the_good_and_the_poisoned() -> None:
    """Both come with the outcome, and so does a document about another message."""
    channel = rest_channel(
        "https://edms.example.org/in", receipt="poll", status_url="https://edms.example.org/{message_id}"
    )
    dialect = RestEnvelopeDialect(RestSettings.model_validate(channel.settings))
    listed, _ = entries()
    listed.append(json.loads(json_rendering.to_json(receipt(appeal()))))
    outcome = dialect.judge_status(
        answer({"message_id": str(SENT.header.message_id), "envelopes": listed}), delivery(SENT, channel)
    )
    assert (outcome.kind, len(outcome.receipts), len(outcome.unread)) == (OutcomeKind.DELIVERED, 1, 5)
    lost = dialect.judge_status(answer(b'{"message_id": "'), delivery(SENT, channel))
    assert (lost.kind, lost.code, len(lost.unread)) == (OutcomeKind.TEMPORARY, "poll.unreadable", 1)
    page = HttpAnswer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>maintenance</html>")
    assert dialect.judge_status(page, delivery(SENT, channel)).unread == ()


def test_one_poisoned_receipt_over_soap_costs_itself() -> None:
    """Of two receipts one is no Base64: the other is handed on, and the acknowledgement stands."""

    def document(content: str) -> etree._Element:
        return own.element(
            "receipt", own.element("contentType", text="application/json"), own.element("content", text=content)
        )

    node = own.element(
        "DeliverEnvelopeResponse",
        own.element("messageId", text="1"),
        own.element("status", text="accepted"),
        own.element("id", text="x" * 201),
        own.element("ground", text="y" * 41),
        document("***"),
        document("e30="),
    )
    told = own.acknowledgement(node, ())
    assert (told.external_id, told.ground) == (None, None)
    assert [raw.body for raw in told.receipts] == [b"{}"]
    assert len(told.unread) == 1


def result(operation: str, inner: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{wire.SOAP}"><s:Body><{operation}Response xmlns="{wire.SERVICE}"><{operation}Result>'
        f"{inner}</{operation}Result></{operation}Response></s:Body></s:Envelope>"
    ).encode()


@pytest.mark.parametrize(
    "operation",
    ["GetInputMessages", "GetMessageValidationInfo", "DownloadMessageChunk", "GetSessionsInfo", "GetHistory"],
)
@pytest.mark.parametrize("error", ["<Error><Code>30</Code><Text>Ні</Text></Error>", "<Error><Text>Ні</Text></Error>"])
def test_an_error_inside_a_success_is_looked_for_first(operation: str, error: str) -> None:
    """Whatever SEV was asked: a list with an error in it is no empty one."""
    with pytest.raises(SevFault):
        wire.read_response(wire.OPERATIONS[operation], result(operation, error), max_bytes=10_000)


@pytest.mark.parametrize("error", ["", "<Error/>", "<Error><Code>0</Code><Text>ok</Text></Error>"])
def test_no_error_is_none(error: str) -> None:
    """An empty error, or one of code 0, leaves the queue empty."""
    found = wire.read_response(wire.OPERATIONS["GetInputMessages"], result("GetInputMessages", error), max_bytes=10_000)
    assert not [each for each in found or [] if each.get("MessageId")]


def test_a_session_that_failed_needs_no_id() -> None:
    """An error beside no session is a session that failed; without either nothing is known."""
    operation = wire.OPERATIONS["OpenUploadingSession"]
    body = result("OpenUploadingSession", "<Error><Code>9</Code></Error><MessageSize>many</MessageSize>")
    info = session_of(wire.read_response(operation, body, max_bytes=10_000))
    assert (info.status, info.error_code, info.size) == ("Failed", 9, 0)
    with pytest.raises(OutcomeUnknown):
        session_of(wire.read_response(operation, result("OpenUploadingSession", ""), max_bytes=10_000))


def test_a_day_to_come_is_none() -> None:
    """What claims to be registered the day after tomorrow is accepted until then."""
    today = datetime.now(UTC).date()
    later = (today + timedelta(days=3)).isoformat()
    (reported,) = sent(date=later).reported
    assert getattr(reported.body, "status", None) is ReceiptStatus.ACCEPTED
