"""Answers over REST as systems really write them: labels, charsets, numbers, spellings of ids, members nobody reads."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.errors import InvalidInput
from hub.ports import Rendering
from hub.schemas import foreign_json
from hub.schemas.delivery import OutcomeKind
from hub.schemas.foreign_json import UNREAD
from hub.schemas.ids import is_same, new_id
from hub.testing.samples import appeal, parcel, receipt, render
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, http, read_request, serving
from tests.adapters.test_rest import POLL, judge, status_of
from tests.adapters.test_rest_template import TEMPLATE
from tests.adapters.test_rest_template import asked as asked_by_template
from tests.adapters.test_rest_template import judge as judge_by_template

LABELS = [
    "",
    "text/html; charset=UTF-8",
    "text/plain",
    "text/json",
    "application/json, application/json",
    "application/octet-stream",
    "application/vnd.api+json",
    "application/x-javascript; charset=windows-1251",
    "text/xml",
]
SPELLINGS = [
    str,
    lambda one: str(one).upper(),
    lambda one: f"{{{one}}}".upper(),
    lambda one: one.hex,
    lambda one: one.urn,
]
WRITTEN = {
    "utf-8": lambda text: text.encode(),
    "mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16 without a mark": lambda text: text.encode("utf-16-le"),
    "blanks and zeros around": lambda text: b"\r\n\t " + text.encode() + b"\n\0\0",
}
ODD_MEMBERS = [
    '"took": 0.012',
    '"took": 1e400',
    '"serial": 1732527000000000017',
    f'"serial": {"9" * 1_500}',
    '"ratio": NaN, "limit": -Infinity',
    '"trace": {"a": 1, "a": 2}',
    '"note": "two\nlines and a \t tab"',
    '"note": "half a pair \\ud83d"',
    '"deep": ' + "[" * 60 + "]" * 60,
    f'"rows": [{",".join(["0"] * 11_000)}]',
    '"\\u0456\\u0308": 1, "\\u0457": 2',
]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_an_acknowledgement_is_read_whatever_its_label(label: str, spell: Any) -> None:
    """JSON is JSON by its bytes, and our id is our id however a database spells it."""
    mine = appeal()
    body = {"message_id": spell(mine.header.message_id), "status": "accepted", "id": "17-1/26"}
    outcome = judge(200, json.dumps(body).encode(), label, envelope=mine)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "17-1/26")


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_a_byte_order_mark_costs_nothing(write: Any) -> None:
    """Acknowledgements, problems, lists of a poll and answers by a template begin with a mark at many systems."""
    mine = appeal()
    name = str(mine.header.message_id)
    told = judge(202, write(json.dumps({"message_id": name, "status": "accepted"})), envelope=mine)
    refused = judge(422, write(json.dumps({"message_id": name, "ground": "form", "title": "Ні"})), envelope=mine)
    assert (told.kind, refused.kind, refused.ground) == (OutcomeKind.DELIVERED, OutcomeKind.REFUSED, "form")
    listed = write(
        json.dumps({"message_id": name.upper(), "envelopes": [render(receipt(mine), Rendering.JWS).decode()]})
    )
    polled = status_of((200, listed, "text/html"), rest_channel("https://edms.example.org/in", **POLL), mine)
    assert len(polled.receipts) == 1
    mapped = asked_by_template(200, write(json.dumps({"state": "reg", "number": "К-7", "date": "2026-03-02"})))
    assert [getattr(each.body, "number", None) for each in mapped.reported] == ["К-7"]


def test_a_receipt_with_a_mark_is_handed_on_as_json_that_the_intake_reads() -> None:
    """The intake is strict, so the mark is gone from what it gets; the answer as it came is kept with the attempt."""
    mine = appeal()
    body = render(receipt(mine), Rendering.JSON)
    outcome = judge(200, b"\xef\xbb\xbf" + body, "text/html", envelope=mine, receipt="response")
    assert [(raw.content_type, raw.body) for raw in outcome.receipts] == [("application/json", body)]


@pytest.mark.parametrize("rendering", [Rendering.JWS, Rendering.XML])
@pytest.mark.parametrize("label", ["text/plain", "", "text/xml", "application/octet-stream"])
def test_a_receipt_is_known_by_its_bytes(rendering: Rendering, label: str) -> None:
    """A token or a document with another label, and a line behind or before it, is a receipt all the same."""
    mine = appeal()
    body = b"\r\n" + render(receipt(mine), rendering)
    assert len(judge(200, body, label, envelope=mine, receipt="response").receipts) == 1


@pytest.mark.parametrize("label", ["application/json", "text/html", "text/plain", ""])
@pytest.mark.parametrize(
    "page", [b"<html>login</html>", b"\n<!DOCTYPE html><p>", b'<?xml version="1.0"?>\n<html xmlns="x">']
)
def test_a_page_is_a_page_whatever_its_label(page: bytes, label: str) -> None:
    """409 with a page for people is no "we have it": nobody of that system wrote it."""
    assert judge(409, page, label).kind is OutcomeKind.UNKNOWN
    assert judge(409, b'{"error":"exists"}', "text/html").kind is OutcomeKind.DUPLICATE


@pytest.mark.parametrize("odd", ODD_MEMBERS)
def test_a_member_that_nobody_reads_costs_nothing(odd: str) -> None:
    """Numbers that fit nowhere, NaN, control characters, keys told twice and deep trees beside what is read."""
    mine = appeal()
    body = f'{{{odd}, "message_id": "{mine.header.message_id}", "status": "accepted", "id": 7}}'.encode()
    assert judge(202, body, envelope=mine).external_id == "7"
    mapped = asked_by_template(200, f'{{{odd}, "state": "reg", "number": "7", "date": "2026-03-02"}}'.encode())
    assert [getattr(each.body, "status", None) for each in mapped.reported] == ["registered"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("90017", "90017"),
        ("1732527000000000017", "1732527000000000017"),
        ("90017.0", "90017"),
        ('"90017"', "90017"),
        ("0", "0"),
        ("90017.5", "90017.5"),
        ("null", None),
        ("true", None),
        ("[1]", None),
        ("NaN", None),
        (f'"{"x" * 300}"', None),
    ],
)
def test_an_id_of_theirs_is_kept_in_its_digits(written: str, read: str | None) -> None:
    """A number is an id to the last digit; what is none costs itself and not the delivery."""
    mine = appeal()
    body = f'{{"message_id":"{mine.header.message_id}","status":"accepted","id":{written}}}'.encode()
    outcome = judge(202, body, envelope=mine)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, read)


def test_what_counts_and_is_told_twice_is_not_believed() -> None:
    """Leniency ends where two values contradict each other in a member that is read; equal ones are one."""
    mine = appeal()
    name = mine.header.message_id
    both = f'{{"message_id":"{name}","status":"refused","status":"accepted"}}'.encode()
    assert judge(200, both, envelope=mine).kind is OutcomeKind.UNKNOWN
    same = f'{{"message_id":"{name}","status":"accepted","message_id":"{name}"}}'.encode()
    assert judge(200, same, envelope=mine).kind is OutcomeKind.DELIVERED
    other = f'{{"message_id":"{name}","message_id":"{new_id()}","status":"accepted"}}'.encode()
    assert judge(200, other, envelope=mine).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 207, 226, 299])
def test_any_success_may_bring_the_acknowledgement(status: int) -> None:
    """What names our message and accepts it is believed with every 2xx, unless the channel lists fewer."""
    mine = appeal()
    body: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "accepted"}
    assert judge(status, body, envelope=mine).kind is OutcomeKind.DELIVERED
    assert judge(status, body, envelope=mine, accept_statuses=[251]).code == "answer.contradiction"
    assert judge_by_template(status, {"reqId": "{id}", "result": {"code": 0}}).kind is OutcomeKind.DELIVERED


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206])
def test_any_success_may_bring_what_was_asked_for(status: int) -> None:
    """A poll is read with every 2xx; only a 202 that cannot be read means that they are still at it."""
    mine = appeal()
    channel = rest_channel("https://edms.example.org/in", **POLL)
    assert len(status_of((status, render(receipt(mine), Rendering.JSON), ""), channel, mine).receipts) == 1
    assert len(asked_by_template(status, {"state": "reg", "number": "7", "date": "2026-03-02"}).reported) == 1
    for outcome in (
        status_of((status, b'{"state":"queued"}', ""), channel, mine),
        asked_by_template(status, {"state": "?"}),
    ):
        assert outcome.kind is (OutcomeKind.DELIVERED if status == 202 else OutcomeKind.TEMPORARY)


def test_numbers_are_compared_as_they_are_written() -> None:
    """A template sees the digits of their JSON, with fraction or exponent too."""
    answer = {
        **TEMPLATE["answer"],
        "status": {"path": "c", "values": {"1.0": "delivered", "1E3": "duplicate"}},
        "echo": "reqId",
    }
    for written, kind in (("1.0", OutcomeKind.DELIVERED), ("1E3", OutcomeKind.DUPLICATE), ("1", OutcomeKind.UNKNOWN)):
        said = f'{{"reqId":"{{id}}","c":{written}}}'.encode()
        assert judge_by_template(200, said, template={"answer": answer}).kind is kind


@given(st.uuids(), st.sampled_from(SPELLINGS), st.booleans())
def test_an_id_has_many_spellings_and_one_meaning(one: uuid.UUID, spell: Any, blank: bool) -> None:
    """RFC 9562 section 4: every spelling names the same id, and no other."""
    text = f" {spell(one)} " if blank else spell(one)
    assert is_same(text, one)
    assert not is_same(text, uuid.UUID(int=one.int ^ 1))
    assert not is_same(text[:-2], one) or blank


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(
    tree=_TREES, ascii_only=st.booleans(), write=st.sampled_from(["utf-8", "mark", "utf-16", "blanks and zeros around"])
)
def test_what_was_written_is_read(tree: Any, ascii_only: bool, write: str) -> None:
    """Whatever JSON holds comes out as it went in, whatever the bytes around it."""
    data = WRITTEN[write](json.dumps({"a": tree}, ensure_ascii=ascii_only))
    assert foreign_json.is_json(data)
    assert json.dumps(foreign_json.parse(data)) == json.dumps({"a": tree})


def test_a_charset_that_is_named_counts_where_the_bytes_leave_it_open() -> None:
    """JSON in windows-1251 under its label, and under none, keeps the letters of their number."""
    mine = appeal()
    body = f'{{"message_id":"{mine.header.message_id}","status":"accepted","id":"ЖК-7/Ї"}}'.encode("cp1251")
    for label in ("application/json; charset=windows-1251", 'text/html;charset="CP1251"', "application/json"):
        assert judge(202, body, label, envelope=mine).external_id == "ЖК-7/Ї"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Hostile bytes end in a value or in ``InvalidInput``, never in another exception."""
    with contextlib.suppress(InvalidInput):
        foreign_json.parse(data)


@pytest.mark.parametrize("data", [b"", b"{", b"{}{}", b"[" * 100_000, b"{'a':1}", b"\xff\xfe{", b'{"a":1} <br>'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """Lenient is not blind: half a document, two of them, or one that would recurse too deep is none."""
    with pytest.raises(InvalidInput):
        foreign_json.parse(data)


def test_a_value_that_is_not_believed_is_no_text() -> None:
    """A contradiction is a mark of its own, which no model takes for a value."""
    assert foreign_json.parse(b'{"a":1,"a":true,"b":NaN}') == {"a": UNREAD, "b": UNREAD}


def test_nothing_crosses_from_one_channel_to_another() -> None:
    """A gateway that answers one channel's message twice, late, never gives the second answer to the other channel."""
    late = http("409 Conflict")

    def script(server: Server, conn: socket.socket) -> None:
        head, _ = read_request(conn)
        server.requests.append((head, b""))
        conn.sendall(http("503 Busy"))
        if read_request(conn)[0]:
            conn.sendall(late)

    adapter = RestAdapter(AdapterContext())
    with serving(script) as server:
        ended = []
        for number in (1, 2):
            channel = rest_channel(server.url()).model_copy(update={"id": f"0003210{number}.rest"})
            with adapter.session(channel) as session:
                ended.append(session.send(adapter.prepare(parcel(appeal()), channel), 5.0).code)
        assert (ended, server.connections) == (["answer.try_later", "answer.try_later"], 2)
