"""What documents of theirs state: the bytes that are kept, and what is told twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.adapters.documents.bound import AnswerDocuments
from hub.adapters.documents.section import DocumentSection
from hub.adapters.documents.statements import Source, take_in
from hub.errors import InvalidInput
from hub.ports import RawInbound, ReportedStatus
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import ReceiptBody
from hub.schemas.ids import MessageId
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, delivery

ABOUT = delivery(appeal(), Channel(id="00032106.sftp", adapter="sftp"))
ANSWER = {"status": {"path": "state", "values": {"reg": "registered"}}, "number": "number", "date": "day"}


@dataclass
class Desk(NoDesk):
    """Keeps what it is told and what it holds."""

    spoken: list[ReportedStatus] = field(default_factory=list)
    holds: list[tuple[str, str]] = field(default_factory=list)

    def reported(self, spoken: ReportedStatus) -> None:
        self.spoken.append(spoken)

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self.holds.append((verdict, detail))


def documents(form: str, **answers: Any) -> AnswerDocuments:
    """Reads answers in a form."""
    section = {"format": form, "request": {"a": "$message_id"}, "answer": ANSWER, "answers": answers}
    return AnswerDocuments(DocumentSection.model_validate({**section, "leaves_out": ["text"]}))


def taken(reader: AnswerDocuments, data: bytes, about: Delivery = ABOUT) -> Desk:
    """Take a document in."""
    assert reader.section.answer is not None
    desk = Desk()
    source = Source(content_type="application/json", reaches=LegalClass.REGISTERED, about=about)
    take_in(reader.pieces(data), reader.section.answer, desk, source)
    return desk


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("json", b'\xef\xbb\xbf{ "state": "reg", "number": "7",\r\n "day": "2026-03-02", "x": 1.10 }\n'),
        ("json", '{"state": "reg", "number": "7-Ж", "day": "2026-03-02"}'.encode("cp1251")),
        ("xml", b'<?xml version="1.0"?>\r\n<a><state>reg</state><number>7</number><day>2026-03-02</day></a>\n'),
    ],
)
def test_of_a_document_the_bytes_that_came_are_kept(form: str, data: bytes) -> None:
    """Byte for byte, so that what is proved is what they wrote."""
    (spoken,) = taken(documents(form), data).spoken
    assert spoken.raw.body == data
    assert spoken.said_id.endswith(hashlib.sha256(data).hexdigest())


def test_one_of_several_is_the_same_at_each_reading() -> None:
    """What was said is known again, whatever process reads it, with a member that is told twice in it."""
    data = b'{"list": [{"state": "reg", "number": "A", "number": "B", "sum": 1.10, "big": 1e999}]}'
    (spoken,) = taken(documents("json", each="list"), data).spoken
    assert spoken.raw.body == b'{"state":"reg","number":null,"sum":1.10,"big":1e999}'


def test_a_member_told_twice_is_told_to_a_person() -> None:
    """Neither value is believed; the statement is, as far as it is clear."""
    data = b'{"state": "reg", "number": "A", "number": "B", "day": "2026-03-02"}'
    (spoken,) = taken(documents("json"), data).spoken
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number) == ("accepted", None)
    assert "number: it cannot be read, or is told twice" in (spoken.unclear or "")
    assert (documents("json").understood(data) or {})["unclear"] == "number: it cannot be read, or is told twice"


@pytest.mark.parametrize("header", ["state;number;number;day", "state;NUMBER;Number;day"])
def test_a_column_that_stands_twice_is_told_to_a_person(header: str) -> None:
    """Neither cell is believed, however the names are cased."""
    data = f"{header}\nreg;A-1;B-2;2026-03-02\n".encode()
    (spoken,) = taken(documents("csv"), data).spoken
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number) == ("accepted", None)
    assert "number: the header has 2 columns of this name, and they differ" in (spoken.unclear or "")


@pytest.mark.parametrize(
    "rows",
    [
        "state;number;day;note;note\nreg;A-1;2026-03-02;x;y\n",
        "state;number;Number;day\nreg;A-1;B-2;2026-03-02\n",
        "state;Number;NUMBER;day\nreg;A-1;A-1;2026-03-02\n",
    ],
)
def test_a_column_that_stands_twice_and_is_sure_is_told_nowhere(rows: str) -> None:
    """The mapping does not use it, names one of them exactly, or both say the same."""
    (spoken,) = taken(documents("csv"), rows.encode()).spoken
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number, spoken.unclear) == ("registered", "A-1", None)


@pytest.mark.parametrize(
    ("form", "data"),
    [("json", b'{"state": "reg", "state": "no"}'), ("csv", b"state;state;number\nreg;no;7\n")],
)
def test_a_statement_that_hangs_on_it_is_held_with_the_reason(form: str, data: bytes) -> None:
    """The state is told twice: nothing is stated, and a person hears why."""
    desk = Desk()
    reader = documents(form)
    assert reader.section.answer is not None
    source = Source(content_type="text/csv", reaches=LegalClass.REGISTERED, about=ABOUT)
    with pytest.raises(InvalidInput, match="Not understood: state: "):
        take_in(reader.pieces(data), reader.section.answer, desk, source)
    assert ["Not understood: state: " in detail for _, detail in desk.holds] == [True]
