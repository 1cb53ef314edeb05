"""The adapter ``rest`` with the dialect ``envelope``: the contract, and every kind of answer (faults F17, F19, F20)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.adapters import AdapterContext, adapter
from hub.adapters.rest import multipart
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.session import RestSession
from hub.adapters.rest.settings import RestSettings
from hub.errors import ConfigurationError, HubError, TemporaryFailure
from hub.net.http import HttpAnswer
from hub.ports import Outcome, Prepared, Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import new_id
from hub.schemas.terms import ReceiptStatus
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Harness, store_file
from hub.testing.samples import SECRET, appeal, delivery, parcel, receipt, render, secret_file
from tests.adapters.channels import rest_channel
from tests.adapters.servers import SICK, Server, answering, http, read_request, serving, sick

JSON = "application/json"


def named(head: bytes) -> str:
    """The message id in a request's headers."""
    for line in head.decode().split("\r\n"):
        if line.lower().startswith("hub-message-id:"):
            return line.partition(":")[2].strip()
    raise AssertionError("no Hub-Message-Id")


def ack(head: bytes, status: str = "accepted", **more: str) -> bytes:
    return json.dumps({"message_id": named(head), "status": status, **more}).encode()


@dataclass
class HttpPeer:
    """A scripted server and the channel to it. ``kind``: how it behaves."""

    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    server: Server | None = None
    poured: int = 0
    secret: str = SECRET

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            self.received.append(body)
            if self.kind == "loses_answer" and len(self.received) == 1:
                return
            if self.kind in SICK:
                self.poured = sick(self.kind, conn, server.stopped)
                return
            conn.sendall(self.say(head))

    def say(self, head: bytes) -> bytes:
        match self.kind:
            case "garbles":
                return http("200 OK", b"<html>\x1b[31m\xe2\x80\xaelogin</html>", Content_Type="text/html")
            case "refuses":
                refusal = ack(head, "refused", ground="wrong_addressee")
                return http("422 No", refusal, Content_Type=JSON)
            case "busy":
                return http("503 Busy", b"", Retry_After="7")
            case "loses_answer":
                return http("409 Conflict", ack(head, "duplicate"), Content_Type=JSON)
            case "answers_another":
                return http("202 Accepted", ack(b"Hub-Message-Id: " + str(new_id()).encode()), Content_Type=JSON)
            case _:
                return http("202 Accepted", ack(head, id="их-1/26"), Content_Type=JSON)

    def channel(self) -> Channel:
        assert self.server is not None
        return rest_channel(self.server.url(), **self.settings)


class TestContract(AdapterContract):
    """The suite over real HTTP on loopback."""

    features = CALLS
    proves = LegalClass.REGISTERED

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        attachments = MemoryAttachments()
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def peer(kind: str, **settings: object) -> HttpPeer:
                made = HttpPeer(kind, settings)
                made.server = stack.enter_context(serving(made.script))
                return made

            nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
            closed.close()
            yield Harness(
                adapter=RestAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer("accepts"),
                wrong=rest_channel("ftp://example.org/"),
                garbles=peer("garbles"),
                refuses=peer("refuses"),
                busy=peer("busy"),
                absent=rest_channel(nobody),
                loses_answer=peer("loses_answer"),
                carries_files=lambda: peer("accepts", attachments="multipart"),
                refuses_files=rest_channel(nobody, attachments="refuse"),
                answers_another=peer("answers_another"),
                trickles=peer("trickles"),
                floods=peer("floods"),
                confides=peer("accepts", auth={"type": "bearer", "token": secret_file(tmp_path)}),
            )


def settings(**more: object) -> RestSettings:
    return RestSettings.model_validate({"url": "https://edms.example.org/in", **more})


def prepared_for(envelope: AppealEnvelope, dialect: RestEnvelopeDialect) -> Prepared:
    return dialect.prepare(parcel(envelope, dialect.rendering()))


def judge(
    status: int,
    body: bytes | dict[str, object],
    kind: str = JSON,
    envelope: AppealEnvelope | None = None,
    **more: object,
) -> Outcome:
    """What the dialect makes of one answer to one appeal."""
    dialect = RestEnvelopeDialect(settings(**more))
    sent = prepared_for(envelope or appeal(), dialect)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    return dialect.judge(HttpAnswer(status=status, headers={"Content-Type": kind}, body=data), sent)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ""),
        (b"OK", "text/plain"),
        (b"<html><form>login</form></html>", "text/html"),
        (b"{", JSON),
        (b"{}", JSON),
        (b"null", JSON),
        (b"[]", JSON),
        (b'{"status":"accepted"}', JSON),
        (b'{"message_id":"x","message_id":"y"}', JSON),
        (b"<receipt><header>", "application/xml"),
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "application/xml"),
        (b"a.b.c", "application/jose"),
        (b"\xff\xfe\x00", JSON),
        (b'{"envelope":{"header":{}},"seal":"x"}', JSON),
    ],
)
@pytest.mark.parametrize("mode", ["response", "callback"])
def test_success_without_a_valid_statement_is_unknown(status: int, body: bytes, kind: str, mode: str) -> None:
    """F17: garbage, a login page, nothing, half a document: never delivered, asked again, seen by the operator."""
    outcome = judge(status, body, kind, receipt=mode)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.detail is not None
    assert outcome.detail.startswith(f"HTTP {status}")
    assert outcome.receipts == ()


@pytest.mark.parametrize("status", [200, 202, 409, 422])
def test_a_statement_about_another_message_is_unknown(status: int) -> None:
    """F17: somebody else's acknowledgement or receipt proves nothing about ours, with whatever status it comes."""
    mine, other = appeal(), appeal()
    foreign_ack: dict[str, object] = {"message_id": str(other.header.message_id), "status": "accepted"}
    foreign_receipt = render(receipt(other), Rendering.JSON)
    for body in (foreign_ack, foreign_receipt):
        outcome = judge(status, body, envelope=mine)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "answer.foreign")


def test_an_acknowledgement_is_success_where_receipts_come_later() -> None:
    """With receipts by callback or poll the acknowledgement settles the delivery and brings their id."""
    mine = appeal()
    body: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "accepted", "id": "17", "more": 1}
    outcome = judge(202, body, envelope=mine)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "17")
    assert judge(202, body, envelope=mine, receipt="response").kind is OutcomeKind.UNKNOWN
    assert judge(204, body, envelope=mine).kind is OutcomeKind.UNKNOWN
    assert judge(202, {**body, "status": "done"}, envelope=mine).kind is OutcomeKind.UNKNOWN
    assert judge(202, body, "text/plain", envelope=mine).kind is OutcomeKind.DELIVERED


@pytest.mark.parametrize(
    ("rendering", "kind"),
    [
        (Rendering.JSON, JSON),
        (Rendering.JWS, "application/jose; charset=utf-8"),
        (Rendering.XML, "application/xml"),
        (Rendering.XML, "text/xml; charset=utf-8"),
    ],
)
def test_a_receipt_in_the_response_is_handed_on_unread(rendering: Rendering, kind: str) -> None:
    """The receipt goes to the common intake byte for byte; here only its in_reply_to was looked at."""
    mine = appeal()
    body = render(receipt(mine), rendering)
    outcome = judge(200, body, kind, envelope=mine, receipt="response")
    assert outcome.kind is OutcomeKind.DELIVERED
    assert [raw.body for raw in outcome.receipts] == [body]
    assert ";" not in outcome.receipts[0].content_type


def test_receipts_about_others_or_in_broken_xml_are_not_taken() -> None:
    """XML goes through the strict parser: what answers another message, or has two bodies, is no receipt of ours."""
    mine = appeal()
    body = render(receipt(mine), Rendering.XML)
    assert judge(200, body, "application/xml", receipt="response").code == "answer.foreign"
    doubled = body.replace(b"</envelope>", b"<receipt><status>registered</status></receipt></envelope>")
    assert judge(200, doubled, "application/xml", envelope=mine).code == "answer.no_receipt"


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_refusal_brings_ground_and_evidence(status: int) -> None:
    """A refusing receipt or acknowledgement is a refusal with its ground, whatever the status; evidence is kept."""
    mine = appeal()
    for rendering, kind in ((Rendering.JSON, JSON), (Rendering.XML, "application/xml")):
        body = render(receipt(mine, ReceiptStatus.REFUSED), rendering)
        outcome = judge(status, body, kind, envelope=mine)
        assert (outcome.kind, outcome.ground) == (OutcomeKind.REFUSED, "wrong_addressee")
        assert [raw.body for raw in outcome.receipts] == [body]
    words: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "refused", "ground": "unreadable"}
    assert judge(status, words, envelope=mine).ground == "unreadable"
    odd = judge(status, {**words, "ground": "because"}, envelope=mine)
    assert (odd.kind, odd.ground) == (OutcomeKind.REFUSED, None)


def test_problem_documents_are_read_for_title_and_ground() -> None:
    """RFC 9457: the title is shown to the operator; our extension members make it a refusal; others' ids do not."""
    mine = appeal()
    problem: dict[str, object] = {"type": "about:blank", "title": "Нема такого", "status": 404, "detail": "canary"}
    outcome = judge(404, problem, "application/problem+json", envelope=mine)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "answer.http_404")
    assert outcome.detail is not None
    assert outcome.detail.startswith("Нема такого — HTTP 404")
    refusal = {**problem, "message_id": str(mine.header.message_id), "ground": "form"}
    assert judge(422, refusal, "application/problem+json", envelope=mine).ground == "form"
    assert judge(422, refusal, "application/problem+json").code == "answer.foreign"


@pytest.mark.parametrize("status", [200, 409, 422])
@pytest.mark.parametrize(
    "more",
    [{}, {"type": "about:blank", "title": "Not ours", "status": 422}, {"title": "x" * 400}, {"title": "two\nlines"}],
)
def test_a_refusal_as_plain_json_is_a_refusal(status: int, more: dict[str, object]) -> None:
    """The label and an odd title do not cost the ground; about another message, or without a ground, it is none."""
    mine = appeal()
    about = {"message_id": str(mine.header.message_id), **more}
    refused = judge(status, {**about, "ground": "wrong_addressee"}, "application/json", envelope=mine)
    assert (refused.kind, refused.ground) == (OutcomeKind.REFUSED, "wrong_addressee")
    assert judge(status, {**about, "ground": "form"}, "application/json").code == "answer.foreign"
    assert judge(status, about, "application/json", envelope=mine).kind is not OutcomeKind.REFUSED


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, OutcomeKind.UNKNOWN),
        (307, OutcomeKind.UNKNOWN),
        (400, OutcomeKind.PERMANENT),
        (401, OutcomeKind.TEMPORARY),
        (403, OutcomeKind.TEMPORARY),
        (404, OutcomeKind.PERMANENT),
        (413, OutcomeKind.PERMANENT),
        (408, OutcomeKind.TEMPORARY),
        (425, OutcomeKind.TEMPORARY),
        (429, OutcomeKind.TEMPORARY),
        (503, OutcomeKind.TEMPORARY),
        (500, OutcomeKind.UNKNOWN),
        (502, OutcomeKind.UNKNOWN),
        (504, OutcomeKind.UNKNOWN),
        (409, OutcomeKind.DUPLICATE),
    ],
)
def test_a_bare_status_means_what_the_documentation_says(status: int, kind: OutcomeKind) -> None:
    """The table of docs/adapters/rest.md for answers without a statement."""
    assert judge(status, b"").kind is kind


def test_duplicates_are_what_the_channel_says() -> None:
    """Only listed statuses mean "we have it"; a page for people does not, nor a contradiction."""
    mine = appeal()
    body: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "accepted"}
    assert judge(409, body, envelope=mine).kind is OutcomeKind.DUPLICATE
    assert judge(410, b"", duplicate_statuses=[410]).kind is OutcomeKind.DUPLICATE
    assert judge(409, b"", duplicate_statuses=[]).kind is OutcomeKind.PERMANENT
    assert judge(409, b"<html>", "text/html").kind is OutcomeKind.UNKNOWN
    assert judge(400, body, envelope=mine).code == "answer.contradiction"
    assert judge(200, {**body, "status": "duplicate"}, envelope=mine).kind is OutcomeKind.DUPLICATE


def test_what_the_operator_sees_is_bounded_and_escaped() -> None:
    """A20: control characters and bidi marks of theirs are shown escaped, and not much of them."""
    outcome = judge(200, b"\x1b[31m\xe2\x80\xae\r\n" + b"x" * 100_000, "text/plain\x07")
    assert outcome.detail is not None
    assert len(outcome.detail) < 600
    assert outcome.detail.isprintable()
    assert "\\x1b[31m\\u202e" in outcome.detail


def test_an_echo_is_not_shown() -> None:
    """A33: who answers with what it got does not bring the applicant's words into the journal; our id may be shown."""
    mine = appeal()
    sent = render(mine, Rendering.JSON)
    start = sent.index("Канаркенко".encode()) - 50
    outcome = judge(500, b"<pre>" + sent[start:], "text/html", envelope=mine)
    assert outcome.detail is not None
    assert "Канаркенко" not in outcome.detail
    named: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "lost"}
    shown = judge(200, named, envelope=mine).detail
    assert shown is not None
    assert str(mine.header.message_id) in shown


def test_retry_after_reaches_the_outcome() -> None:
    """F19: what they ask for is passed on, within a day."""
    dialect = RestEnvelopeDialect(settings())
    headers = {"Retry-After": "999999999999", "Content-Type": ""}
    outcome = dialect.judge(HttpAnswer(status=429, headers=headers, body=b""), prepared_for(appeal(), dialect))
    assert outcome.retry_after == 86_400.0


def status_of(read_outcome: tuple[int, bytes, str], channel: Channel, envelope: AppealEnvelope) -> Outcome:
    status, body, kind = read_outcome
    dialect = RestEnvelopeDialect(RestSettings.model_validate(channel.settings))
    answer = HttpAnswer(status=status, headers={"Content-Type": kind}, body=body)
    try:
        return dialect.judge_status(answer, delivery(envelope, channel))
    except HubError as failure:
        return Outcome.of(failure)  # as the session does


POLL = {"receipt": "poll", "status_url": "https://edms.example.org/{message_id}?x={external_id}"}


def test_polling_brings_receipts_or_nothing_yet() -> None:
    """One envelope, a list of them, or "nothing yet"; what is about another case brings nothing."""
    mine, other = appeal(), appeal()
    channel = rest_channel("https://edms.example.org/in", **POLL)
    one = render(receipt(mine), Rendering.JSON)
    token = render(receipt(mine), Rendering.JWS).decode()
    listed = json.dumps({"message_id": str(mine.header.message_id), "envelopes": [json.loads(one), token]}).encode()
    for answer, count in (
        ((200, one, JSON), 1),
        ((200, listed, JSON), 2),
        ((204, b"", ""), 0),
        ((404, b"", ""), 0),
        ((202, b"", ""), 0),
    ):
        outcome = status_of(answer, channel, mine)
        assert (outcome.kind, len(outcome.receipts)) == (OutcomeKind.DELIVERED, count)
    for bad in ((200, one, JSON), (200, listed, JSON)):
        assert status_of(bad, channel, other).kind is OutcomeKind.TEMPORARY
    for broken in ((500, b"", ""), (200, b"<html>", "text/html"), (301, b"", ""), (200, b"", "")):
        outcome = status_of(broken, channel, mine)
        assert (outcome.kind, outcome.receipts) == (OutcomeKind.TEMPORARY, ())


def test_ids_of_theirs_cannot_leave_their_place_in_the_url() -> None:
    """An id that they gave is percent-encoded into the template; dots alone, or no id, are refused."""
    mine = appeal()
    channel = rest_channel(
        "http://127.0.0.1:1/in", receipt="poll", status_url="http://127.0.0.1:1/cases/{external_id}/state"
    )
    dialect = RestEnvelopeDialect(RestSettings.model_validate(channel.settings))
    request = dialect.status_request(delivery(mine, channel, "К-1/../../admin?x=1#й"))
    assert request.url.startswith("http://127.0.0.1:1/cases/%D0%9A-1%2F..%2F..%2Fadmin%3Fx%3D1%23")
    rest = RestAdapter(AdapterContext())
    for bad in ("..", ".", None):
        with rest.session(channel) as session:
            outcome = session.poll(delivery(mine, channel, bad), 1.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "poll.no_external_id")


def test_polling_over_the_wire() -> None:
    """The adapter asks the filled-in URL with its credential and hands the receipts on."""
    mine = appeal()
    body = render(receipt(mine), Rendering.JSON)
    with serving(answering(http("200 OK", body, Content_Type=JSON))) as server:
        channel = rest_channel(server.url(), receipt="poll", status_url=server.url("/s/{message_id}"))
        rest = RestAdapter(AdapterContext())
        assert rest.polls(channel)
        with rest.session(channel) as session:
            outcome = session.poll(delivery(mine, channel), 5.0)
        assert [raw.body for raw in outcome.receipts] == [body]
        assert server.requests[0][0].startswith(f"GET /s/{mine.header.message_id} HTTP/1.1".encode())


@pytest.mark.parametrize(
    ("answer", "code", "field"),
    [
        (http("200 OK", b"x" * 2_000, Content_Type=JSON), "http.too_large", "unread"),
        (http("200 OK", b"no\0gzip", Content_Type=JSON, Content_Encoding="gzip"), "http.encoding", "unread"),
        (http("200 OK", b"words", Content_Type="text/plain"), "poll.unreadable", "unread"),
        (http("500 Sick", b"stack trace", Content_Type="text/plain"), "poll.http_500", "noise"),
        (http("200 OK", b"<html>login", Content_Type="text/html"), "poll.unreadable", "noise"),
    ],
)
def test_no_answer_to_a_poll_is_thrown_away(answer: bytes, code: str, field: str) -> None:
    """What cannot be read to its end, or at all, goes to a person; a page that says nothing is noted."""
    mine = appeal()
    said = answer.partition(b"\r\n\r\n")[2]
    with serving(answering(answer)) as server:
        status = server.url("/s/{message_id}")
        channel = rest_channel(server.url(), receipt="poll", status_url=status, max_response_kb=1)
        with RestAdapter(AdapterContext()).session(channel) as session:
            outcome = session.poll(delivery(mine, channel), 5.0)
    assert outcome.code == code
    kept = {"unread": [raw.body for raw in outcome.unread], "noise": [raw.body for raw in outcome.noise]}
    assert kept == {"unread": [], "noise": [], field: [said[:1_024]]}


AUTHS: list[tuple[dict[str, object], str]] = [
    ({"type": "bearer", "token": "env:CANARY_SECRET"}, "Authorization: Bearer canary-secret"),
    ({"type": "api_key", "header": "X-Key", "key": "env:CANARY_SECRET"}, "X-Key: canary-secret"),
    (
        {"type": "basic", "user": "hub", "password": "env:CANARY_SECRET"},
        "Authorization: Basic " + base64.b64encode(b"hub:canary-secret").decode(),
    ),
]


@pytest.mark.parametrize(("auth", "line"), AUTHS)
def test_credentials_go_into_headers_and_nowhere_else(
    auth: dict[str, object], line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bearer, basic and API key by reference; the secret shows up in no log and in no outcome."""
    monkeypatch.setenv("CANARY_SECRET", "canary-secret")
    caplog.set_level("DEBUG")
    with serving(answering(http("401 No", b"denied"))) as server:
        channel = rest_channel(server.url(), auth=auth)
        rest = RestAdapter(AdapterContext())
        prepared = rest.prepare(parcel(appeal()), channel)
        with rest.session(channel) as session:
            outcome = session.send(prepared, 5.0)
        assert line in server.requests[0][0].decode().split("\r\n")
    assert "canary-secret" not in f"{outcome} {caplog.text} {channel}"


def test_hmac_follows_standard_webhooks(tmp_path: Path) -> None:
    """The signature is that of the Standard Webhooks specification over id, time and the envelope's bytes."""
    key = bytes(range(32))
    file = tmp_path / "secret"
    file.write_text("whsec_" + base64.b64encode(key).decode() + "\n", "ascii")
    file.chmod(0o600)
    with serving(answering(http("503 Busy"))) as server:
        channel = rest_channel(server.url(), auth={"type": "hmac", "secret": f"file:{file}"})
        rest = RestAdapter(AdapterContext())
        prepared = rest.prepare(parcel(appeal()), channel)
        with rest.session(channel) as session:
            session.send(prepared, 5.0)
        head, body = server.requests[0]
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    assert headers["Webhook-Id"] == headers["Idempotency-Key"] == headers["Hub-Message-Id"] == str(prepared.message_id)


def test_no_personal_data_in_headers() -> None:
    """What proxies log holds ids only."""
    with serving(answering(http("503 Busy"))) as server:
        rest = RestAdapter(AdapterContext())
        channel = rest_channel(server.url())
        with rest.session(channel) as session:
            session.send(rest.prepare(parcel(appeal()), channel), 5.0)
        assert "Канаркенко".encode() not in server.requests[0][0]
        assert "Канаркенко".encode() in server.requests[0][1]


def test_a_missing_secret_stops_the_conversation_before_it_begins() -> None:
    """The error names the reference; nothing is connected."""
    with serving(answering(http("200 OK"))) as server:
        channel = rest_channel(server.url(), auth={"type": "bearer", "token": "env:NO_SUCH_SECRET"})
        with (
            pytest.raises(ConfigurationError, match="env:NO_SUCH_SECRET"),
            RestAdapter(AdapterContext()).session(channel),
        ):
            pass
        assert server.connections == 0


def files_harness() -> tuple[RestAdapter, MemoryAttachments]:
    attachments = MemoryAttachments()
    return RestAdapter(AdapterContext(attachments=attachments)), attachments


def test_multipart_is_made_as_documented() -> None:
    """Part ``envelope`` first, then each distinct file once under its SHA-256; names of people's files stay inside."""
    rest, attachments = files_harness()
    file = store_file(attachments, b"%PDF-1.7 scan")
    envelope = appeal((file, file.model_copy(update={"name": "again.pdf"})))
    channel = rest_channel("http://127.0.0.1:1/", attachments="multipart")
    prepared = rest.prepare(parcel(envelope), channel)
    upload = multipart.upload(prepared, attachments)
    body = b"".join(upload.chunks())
    assert len(body) == upload.length
    boundary = f"--hub-{prepared.message_id.hex}".encode()
    parts = body.split(boundary)
    assert len(parts) == 4
    assert parts[1].startswith(b'\r\nContent-Disposition: form-data; name="envelope"; filename="envelope"\r\n')
    assert prepared.body in parts[1]
    assert f'name="file"; filename="{file.sha256}"'.encode() in parts[2]
    assert b"%PDF-1.7 scan\r\n" in parts[2]
    assert parts[3] == b"--\r\n"


def test_damaged_or_missing_files_are_never_sent_as_whole() -> None:
    """F25: a file that changed on our disk ends in a cut request, and the delivery in the operators' queue."""
    rest, attachments = files_harness()
    damaged = store_file(attachments, b"a" * 200_000)
    attachments.damage(damaged.sha256)
    gone = damaged.model_copy(update={"sha256": "0" * 64})
    longer = store_file(attachments, b"b").model_copy(update={"size": 2})
    for file in (damaged, gone, longer):
        with serving(answering(http("200 OK"))) as server:
            channel = rest_channel(server.url(), attachments="multipart")
            with rest.session(channel) as session:
                outcome = session.send(rest.prepare(parcel(appeal((file,))), channel), 5.0)
            assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "attachment.missing")
            bodies = [body for _, body in server.requests]
            assert all(not body.endswith(b"--\r\n") for body in bodies)


def test_links_leave_the_files_at_home() -> None:
    """With ``link`` the manifest goes alone, also when the carrier hands the files over again on a later attempt."""
    rest, attachments = files_harness()
    file = store_file(attachments, b"scan")
    with serving(answering(http("503 Busy"))) as server:
        channel = rest_channel(server.url())
        prepared = rest.prepare(parcel(appeal((file,))), channel)
        again = Prepared(
            message_id=prepared.message_id, content_type=prepared.content_type, body=prepared.body, files=(file,)
        )
        with rest.session(channel) as session:
            for each in (prepared, again):
                session.send(each, 5.0)
        assert [body for _, body in server.requests] == [prepared.body, prepared.body]


def test_files_without_a_store_are_a_configuration_error() -> None:
    """A process that was given no attachment store says so instead of sending half."""
    rest = RestAdapter(AdapterContext())
    file = store_file(MemoryAttachments(), b"scan")
    channel = rest_channel("http://127.0.0.1:1/", attachments="multipart")
    with rest.session(channel) as session:
        outcome = session.send(rest.prepare(parcel(appeal((file,))), channel), 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "configuration.wrong")


_BIG = """
import hashlib, resource, sys, tempfile, threading, socket, pathlib
from hub.net.http import HttpPolicy, HttpSession
from hub.adapters.rest import multipart
from hub.ports import Prepared
from hub.schemas.envelope import Attachment
from hub.schemas.ids import new_id
import ipaddress
folder = pathlib.Path(tempfile.mkdtemp())
size, digest = 100 * 1024 * 1024, hashlib.sha256()
with (folder / "f").open("wb") as out:
    for i in range(size // 65536):
        piece = i.to_bytes(4, "big") * 16384
        digest.update(piece); out.write(piece)
class Files:
    def open(self, sha256): return (folder / "f").open("rb")
    def size(self, sha256): return size
listener = socket.create_server(("127.0.0.1", 0))
def swallow():
    conn, _ = listener.accept()
    left, buffer, head = None, bytearray(65536), b""
    got = 0
    while left is None or got < left:
        n = conn.recv_into(buffer)
        if left is None:
            head += buffer[:n]
            if b"\\r\\n\\r\\n" in head:
                top, _, rest = head.partition(b"\\r\\n\\r\\n")
                left = int(top.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0]); got = len(rest)
        else:
            got += n
    conn.sendall(b"HTTP/1.1 202 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); conn.close()
thread = threading.Thread(target=swallow); thread.start()
file = Attachment(sha256=digest.hexdigest(), size=size, media_type="application/pdf", name="big.pdf")
prepared = Prepared(message_id=new_id(), content_type="application/json", body=b"{}", files=(file,))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with HttpSession(HttpPolicy(allow_http=True, allow_private=(ipaddress.ip_network("127.0.0.0/8"),))) as session:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    answer = session.call("POST", url, body=multipart.upload(prepared, Files()), deadline_secs=60)
thread.join(); (folder / "f").unlink(); folder.rmdir(); listener.close()
assert answer.status == 202
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_large_attachment_is_streamed() -> None:
    """F25: 100 MB go out with at most 50 MB more memory, hash checked on the way."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _BIG], cwd=root, capture_output=True, text=True, timeout=100, check=True
    )
    assert int(done.stdout) <= 50


def test_settings_say_everything_that_is_wrong() -> None:
    """One refusal names all faults by place, and repeats neither a URL nor a secret."""
    with pytest.raises(ValidationError) as caught:
        RestSettings.model_validate(
            {
                "url": "https://user:canary@example.org/",
                "auth": {"type": "bearer", "token": "canary"},
                "allow_private": ["0.0.0.0/0", "10.0.0.1/8"],
                "format": "yaml",
                "ports": [0],
                "ca_file": "relative.pem",
                "duplicate_statuses": [200],
            }
        )
    wrong = {".".join(map(str, e["loc"])) for e in caught.value.errors()}
    assert wrong == {
        "url",
        "auth.bearer.token",
        "allow_private.0",
        "allow_private.1",
        "format",
        "ports.0",
        "ca_file",
        "duplicate_statuses.0",
    }
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "http://example.org/"},
        {"receipt": "poll"},
        {"status_url": "https://example.org/{message_id}"},
        {"receipt": "poll", "status_url": "http://example.org/{message_id}"},
        {"auth": {"type": "mtls"}},
        {"ports": [8443]},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(bad: dict[str, object]) -> None:
    """http without allow_http, poll without URL, mTLS without certificate, a port that is not listed."""
    with pytest.raises(ValidationError):
        settings(**bad)


def test_settings_are_read_from_json_and_from_yaml_values_alike() -> None:
    """Lists stay lists in YAML and JSON; both give the same settings."""
    raw = {"url": "https://edms.example.org/in", "ports": [443], "allow_private": ["10.0.0.0/8"]}
    assert RestSettings.model_validate(raw) == RestSettings.model_validate_json(json.dumps(raw))


def test_settings_are_read_again_after_a_reload() -> None:
    """F27: a channel of the same id with new settings is understood anew."""
    rest = RestAdapter(AdapterContext())
    assert rest.rendering(rest_channel("https://a.example/", format="jws")) is Rendering.JWS
    assert rest.rendering(rest_channel("https://a.example/", format="xml")) is Rendering.XML
    with pytest.raises(ConfigurationError):
        rest.rendering(rest_channel("https://a.example/").model_copy(update={"dialect": "unknown"}))


def test_the_table_has_it() -> None:
    """The adapter is found by name, and an unknown name is refused with the list of those there are."""
    assert adapter("rest").name == "rest"
    with pytest.raises(ConfigurationError, match="pull, rest"):
        adapter("telegraph")


def test_an_address_that_is_not_allowed_goes_to_the_operators() -> None:
    """A26: a private address that the channel does not name is a permanent failure, before any connection."""
    with serving(answering(http("200 OK"))) as server:
        channel = Channel(
            id="a.rest", adapter="rest", settings={"url": server.url(), "allow_http": True, "allow_private": []}
        )
        rest = RestAdapter(AdapterContext())
        with rest.session(channel) as session:
            outcome = session.send(rest.prepare(parcel(appeal()), channel), 5.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "http.address_refused")
        assert server.connections == 0


def test_a_damaged_id_of_theirs_costs_the_id() -> None:
    """An acknowledgement whose id holds control characters stands, without it; one about another message does not."""
    mine = appeal()
    body: dict[str, object] = {"message_id": str(mine.header.message_id), "status": "accepted", "id": "a\nb"}
    outcome = judge(202, body, envelope=mine)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, None)
    assert judge(202, {**body, "message_id": str(uuid.uuid4()), "id": "1"}, envelope=mine).kind is OutcomeKind.UNKNOWN


def test_a_probe_connects_and_says_nothing() -> None:
    """``probe`` makes the connection that ``send`` then uses; nobody there is a temporary failure."""
    with serving(answering(http("503 Busy"))) as server:
        channel = rest_channel(server.url())
        rest = RestAdapter(AdapterContext())
        with rest.session(channel) as session:
            assert isinstance(session, RestSession)
            session.probe(5.0)
            assert server.requests == []
            session.send(rest.prepare(parcel(appeal()), channel), 5.0)
        assert (server.connections, len(server.requests)) == (1, 1)
        url = server.url()
    with RestAdapter(AdapterContext()).session(rest_channel(url)) as session:
        assert isinstance(session, RestSession)
        with pytest.raises(TemporaryFailure):
            session.probe(5.0)


def test_the_raw_answer_comes_with_the_outcome() -> None:
    """Status, headers and body as they came, also where the answer cannot be read; none where nobody answered."""
    rest = RestAdapter(AdapterContext())
    with serving(answering(http("422 No", b"<html>nein</html>", Content_Type="text/html"))) as server:
        channel = rest_channel(server.url())
        prepared = rest.prepare(parcel(appeal()), channel)
        with rest.session(channel) as session:
            outcome = session.send(prepared, 5.0)
    assert outcome.answer is not None
    head, _, body = outcome.answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP 422\r\n")
    assert b"content-type: text/html" in head
    assert body == b"<html>nein</html>"
    with rest.session(channel) as session:
        assert session.send(prepared, 5.0).answer is None
