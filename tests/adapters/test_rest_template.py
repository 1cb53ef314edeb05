"""The adapter ``rest`` with the dialect ``template``: the contract with a system that speaks its own JSON, what a
mapping may say, and every kind of answer.
"""

from __future__ import annotations

import base64
import io
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.json_places import find
from hub.adapters.mapping import day_of
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template import TemplateDialect
from hub.errors import PermanentFailure, UnsupportedFeature
from hub.net.http import HttpAnswer
from hub.ports import Outcome
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AnswerBody, AppealEnvelope, Attachment, ReceiptBody
from hub.schemas.ids import new_id
from hub.schemas.people import Contacts
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness
from hub.testing.samples import SECRET, appeal, delivery, parcel, secret_file
from tests.adapters.channels import rest_channel
from tests.adapters.servers import SICK, Server, http, read_request, serving, sick

JSON = "application/json"
TEMPLATE: dict[str, Any] = {
    "leaves_out": ["channel", "kind", "sign", "reply_by", "received_at", "applicant.address", "attachments"],
    "request": {
        "reqId": "$message_id",
        "person": {"last": "$body.applicant.name.surname", "first": "$body.applicant.name.given", "cost": "$$5"},
        "topics": {"$from": "$body.topics", "join": "; "},
        "text": "$body.text",
        "version": 2,
    },
    "answer": {
        "status": {
            "path": "result.code",
            "values": {"0": "accepted", "1": "duplicate", "2": "registered", "7": "refused", "9": "retry"},
        },
        "echo": "reqId",
        "id": "result.doc",
        "number": "result.number",
        "date": {"path": "result.date", "date": "%d.%m.%Y"},
        "ground": {"path": "result.why", "values": {"не наше": "wrong_addressee"}, "default": "other"},
        "note": "result.message",
    },
}


@dataclass
class Edms:
    """A document system with a form of its own. ``kind``: how it behaves."""

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
            conn.sendall(self.say(json.loads(body)["reqId"]))

    def say(self, name: str) -> bytes:
        def said(status: str, **result: object) -> bytes:
            return http(status, json.dumps({"reqId": name, "result": result}).encode(), Content_Type=JSON)

        match self.kind:
            case "garbles":
                return http("200 OK", b"<html>login</html>", Content_Type="text/html")
            case "refuses":
                return said("422 No", code=7, why="не наше")
            case "busy":
                return http("503 Busy", b"", Retry_After="7")
            case "loses_answer":
                return said("409 Conflict", code=1, doc=7)
            case "answers_another":
                name = str(new_id())
                return said("200 OK", code=0, doc=7)
            case _:
                return said("200 OK", code=0, doc=7)

    def channel(self) -> Channel:
        assert self.server is not None
        return channel(self.server.url(), **self.settings)


def channel(url: str, **more: object) -> Channel:
    plain = rest_channel(url, template=TEMPLATE, **more)
    return plain.model_copy(update={"dialect": "template", "id": "00032106.edms"})


class TestContract(AdapterContract):
    """The suite over real HTTP on loopback."""

    features = CALLS - {Feature.CARRIES_FILES}
    proves = LegalClass.REGISTERED

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        attachments = MemoryAttachments()
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def peer(kind: str, **settings: object) -> Edms:
                made = Edms(kind, settings)
                made.server = stack.enter_context(serving(made.script))
                return made

            nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
            closed.close()
            yield Harness(
                adapter=RestAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer("accepts"),
                wrong=channel(nobody, attachments="multipart"),
                garbles=peer("garbles"),
                refuses=peer("refuses"),
                busy=peer("busy"),
                absent=channel(nobody),
                loses_answer=peer("loses_answer"),
                refuses_files=channel(nobody, attachments="refuse"),
                answers_another=peer("answers_another"),
                trickles=peer("trickles"),
                floods=peer("floods"),
                confides=peer("accepts", auth={"type": "bearer", "token": secret_file(tmp_path)}),
            )


def dialect(template: dict[str, Any] | None = None, **more: object) -> TemplateDialect:
    section = {**TEMPLATE, **(template or {})}
    return TemplateDialect(
        RestSettings.model_validate({"url": "https://edms.example.org/in", "template": section, **more})
    )


def judge(status: int, document: object, *, mine: AppealEnvelope | None = None, **more: Any) -> Outcome:
    """What the dialect makes of an answer; ``{id}`` in it is our message's id."""
    made = dialect(**more)
    sent = made.prepare(parcel(mine or appeal()))
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    body = body.replace(b"{id}", str(sent.message_id).encode())
    return made.judge(HttpAnswer(status=status, headers={"Content-Type": JSON}, body=body), sent)


def test_the_document_is_what_the_template_says() -> None:
    """Paths, joins, fixed values and a dollar sign; what is absent is left out."""
    sent = dialect().prepare(parcel(mine := appeal()))
    assert json.loads(sent.body) == {
        "reqId": str(mine.header.message_id),
        "person": {"last": "Канаркенко", "first": "Олена", "cost": "$5"},
        "topics": "utilities.water",
        "text": "Немає води.",
        "version": 2,
    }


def test_the_hubs_own_number_needs_no_place() -> None:
    """Where the centre gave no number, the case's stands in ``reference``: a template that does not know it goes on
    working; the centre's own number stops the message as every word does.
    """
    mine = appeal()
    numbered = mine.model_copy(update={"body": mine.body.model_copy(update={"reference": "2026-000-1234-6"})})
    assert dialect().prepare(parcel(numbered)).body
    theirs = mine.model_copy(update={"body": mine.body.model_copy(update={"reference": "НКЦ-1"})})
    with pytest.raises(UnsupportedFeature, match="reference"):
        dialect().prepare(parcel(theirs))


def test_nothing_is_dropped_in_silence() -> None:
    """What has no place and is not named stops the message and says where to give it one; ``$sealed`` holds all."""
    with pytest.raises(UnsupportedFeature, match="received_at") as stopped:
        dialect({"leaves_out": ["channel", "kind", "sign", "reply_by"]}).prepare(parcel(appeal()))
    assert (stopped.value.stable_code, "leaves_out" in stopped.value.next_step) == ("template.left_out", True)
    assert dialect({"leaves_out": [], "request": {"all": "$sealed"}}).prepare(parcel(appeal())).body
    file = Attachment(sha256="0" * 64, size=1, media_type="application/pdf", name="скан.pdf")
    with pytest.raises(UnsupportedFeature, match="attachments"):
        dialect({"leaves_out": TEMPLATE["leaves_out"][:-1]}).prepare(parcel(appeal((file,))))


def test_half_of_an_applicant_stops_the_message() -> None:
    """Each value counts by itself: a second phone, an e-mail, a patronymic without a place are named, and nothing else;
    a conversion that comes to nothing sends nothing.
    """
    mine = appeal()
    name = mine.body.applicant.name.model_copy(update={"patronymic": "Іванівна"})
    contacts = Contacts(phones=("+380440000001", "+380440000002"), emails=("a@example.org",))
    person = mine.body.applicant.model_copy(update={"name": name, "contacts": contacts})
    rich = parcel(mine.model_copy(update={"body": mine.body.model_copy(update={"applicant": person})}))
    request = {**TEMPLATE["request"], "tel": "$body.applicant.contacts.phones.0"}
    with pytest.raises(UnsupportedFeature) as stopped:
        dialect({"request": request}).prepare(rich)
    lost = "applicant.contacts.emails, applicant.contacts.phones.1, applicant.name.patronymic"
    assert f"no place for: {lost}." in str(stopped.value)
    left = [*TEMPLATE["leaves_out"], "applicant.contacts.emails", "applicant.name.patronymic"]
    phones = {"$each": "$body.applicant.contacts.phones", "as": {"n": "$item"}}
    body = json.loads(dialect({"request": {**request, "tel": phones}, "leaves_out": left}).prepare(rich).body)
    assert body["tel"] == [{"n": "+380440000001"}, {"n": "+380440000002"}]
    nothing = {**TEMPLATE["request"], "text": {"$from": "$body.text", "values": {"x": "y"}}}
    with pytest.raises(UnsupportedFeature, match="no place for: text"):
        dialect({"request": nothing}).prepare(parcel(mine))


def test_files_go_in_the_members_that_the_template_gives_them() -> None:
    """Of each file the bytes in base64, streamed; a damaged one is never sent; in the journal stands a mark."""
    store = MemoryAttachments()
    contents = [b"", b"a", secrets.token_bytes(200_000)]
    files = []
    for number, content in enumerate(contents):
        sha256, size = store.put(io.BytesIO(content), limit=10**6)
        files.append(Attachment(sha256=sha256, size=size, media_type="application/pdf", name=f"скан {number}.pdf"))
    rows = {"$each": "$attachments", "as": {"name": "$item.name", "bytes": "$item.content"}}
    made = dialect({"request": {**TEMPLATE["request"], "files": rows}, "leaves_out": TEMPLATE["leaves_out"][:-1]})
    prepared = made.prepare(parcel(appeal(tuple(files))))
    request = made.request(prepared)
    assert request.upload is not None
    streamed = request.upload(prepared, store)
    body = b"".join(streamed.chunks())
    assert streamed.length == len(body)
    assert [base64.b64decode(each["bytes"], validate=True) for each in json.loads(body)["files"]] == contents
    assert len(prepared.body) < 5_000
    with pytest.raises(PermanentFailure):
        request.upload(prepared, MemoryAttachments())
    names = {**TEMPLATE["request"], "f": {"$each": "$attachments", "as": "$item.name"}}
    nameless = dialect({"request": names, "leaves_out": TEMPLATE["leaves_out"][:-1]})
    with pytest.raises(UnsupportedFeature, match=r"attachments\.0\.sha256"):
        nameless.prepare(parcel(appeal(tuple(files))))


def test_what_is_absent_is_left_out() -> None:
    """A member without a value is not there, in lists and in rows too."""
    request = {
        **TEMPLATE["request"],
        "by": "$body.representative.name.surname",
        "pair": ["$body.place_text", "$message_id"],
        "rows": {"$each": "$body.topics", "as": {"none": "$body.place_text"}},
    }
    body = json.loads(dialect({"request": request}).prepare(parcel(appeal())).body)
    assert "by" not in body
    assert (len(body["pair"]), body["rows"]) == (1, [])


def test_other_kinds_are_an_operators_matter() -> None:
    """An envelope that the template does not say is not forced into it."""
    other = parcel(appeal())
    with pytest.raises(UnsupportedFeature) as stopped:
        dialect({"kinds": ["withdrawal"], "leaves_out": [], "request": {"all": "$sealed"}}).prepare(other)
    assert stopped.value.stable_code == "template.kind"


@pytest.mark.parametrize(
    ("status", "result", "kind", "code"),
    [
        (200, {"code": 0}, OutcomeKind.DELIVERED, None),
        (200, {"code": "0"}, OutcomeKind.DELIVERED, None),
        (200, {"code": 1}, OutcomeKind.DUPLICATE, None),
        (409, {"code": 1}, OutcomeKind.DUPLICATE, None),
        (200, {"code": 7}, OutcomeKind.REFUSED, "answer.refused"),
        (400, {"code": 7}, OutcomeKind.REFUSED, "answer.refused"),
        (200, {"code": 9}, OutcomeKind.TEMPORARY, "answer.retry"),
        (200, {"code": 42}, OutcomeKind.UNKNOWN, "answer.no_receipt"),
        (200, {}, OutcomeKind.UNKNOWN, "answer.no_receipt"),
        (204, {"code": 0}, OutcomeKind.UNKNOWN, "answer.contradiction"),
        (400, {"code": 0}, OutcomeKind.PERMANENT, "answer.http_400"),
        (401, {"code": 42}, OutcomeKind.TEMPORARY, "answer.unauthorized"),
        (302, {"code": 0}, OutcomeKind.UNKNOWN, "answer.redirect"),
        (500, {"code": 0}, OutcomeKind.UNKNOWN, "answer.server_error"),
        (503, {"code": 0}, OutcomeKind.TEMPORARY, "answer.try_later"),
    ],
)
def test_status_and_mapping_together_make_the_outcome(
    status: int, result: dict[str, object], kind: OutcomeKind, code: str | None
) -> None:
    """Success needs a status that allows it and an answer that says it; what neither knows is unknown."""
    outcome = judge(status, {"reqId": "{id}", "result": result})
    assert (outcome.kind, outcome.code) == (kind, code)


def test_an_answer_about_another_message_is_not_believed() -> None:
    """The echo must be our id, and must be there if the template names its place."""
    assert judge(200, {"reqId": "x", "result": {"code": 0}}).code == "answer.foreign"
    assert judge(200, {"result": {"code": 0}}).kind is OutcomeKind.UNKNOWN


def test_a_registration_is_a_receipt_in_their_words() -> None:
    """With number and date it is a registration, without them an acceptance; ``receipt: response`` insists on one."""
    result = {"code": 2, "number": "К-7/26", "date": "02.03.2026"}
    (spoken,) = judge(200, {"reqId": "{id}", "result": result}, receipt="response").reported
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number, spoken.body.date) == ("registered", "К-7/26", date(2026, 3, 2))
    (weaker,) = judge(200, {"reqId": "{id}", "result": {"code": 2, "number": "К-7/26", "date": "невідомо"}}).reported
    assert isinstance(weaker.body, ReceiptBody)
    assert weaker.body.status == "accepted"
    bare = {"status": {"path": "ok", "values": {"true": "delivered"}}, "echo": "reqId"}
    insisted = judge(200, {"reqId": "{id}", "ok": True}, template={"answer": bare}, receipt="response")
    assert (insisted.kind, insisted.code) == (OutcomeKind.UNKNOWN, "answer.no_receipt")


def test_what_they_repeat_of_the_appeal_stays_out_of_the_journal() -> None:
    """A note that quotes the applicant is shown without his words."""
    result = {"code": 7, "message": "Заявник Канаркенко Олена не знайдений"}
    outcome = judge(200, {"reqId": "{id}", "result": result})
    assert "Канаркенко" not in (outcome.detail or "")
    assert "знайдений" in (outcome.detail or "")


POLL = {
    "status": {"path": "state", "values": {"new": "delivered", "reg": "registered", "done": "answered"}},
    "number": "number",
    "date": "date",
    "text": "answer.0.text",
    "result": {"path": "code", "values": {"1": "satisfied"}, "default": "explained"},
}


def _sent() -> Delivery:
    return delivery(appeal(), channel("https://edms.example.org/in"))


def asked(status: int, document: object) -> Outcome:
    made = dialect({"poll": POLL}, receipt="poll", status_url="https://edms.example.org/docs/{external_id}")
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return made.judge_status(HttpAnswer(status=status, headers={"Content-Type": JSON}, body=body), _sent())


def test_their_state_is_asked_for_and_understood() -> None:
    """Nothing yet, a registration, an answer to the citizen; what cannot be read is asked again."""
    assert (asked(200, {"state": "new"}).kind, asked(404, {}).reported) == (OutcomeKind.DELIVERED, ())
    (registered,) = asked(200, {"state": "reg", "number": "7", "date": "2026-03-02"}).reported
    assert isinstance(registered.body, ReceiptBody)
    document = {"state": "done", "number": "8", "date": "2026-03-20", "code": 1, "answer": [{"text": "Воду подано."}]}
    (answered,) = asked(200, document).reported
    assert isinstance(answered.body, AnswerBody)
    assert (answered.body.result, answered.body.text) == ("satisfied", "Воду подано.")
    for status, wrong in ((200, b"<html>"), (200, {"state": "?"}), (500, {"state": "reg"})):
        outcome = asked(status, wrong)
        assert (outcome.kind, outcome.reported) == (OutcomeKind.TEMPORARY, ())


def test_asking_needs_the_id_that_the_address_wants() -> None:
    """Their id stands in the address, encoded; without one nobody is asked."""
    made = dialect({"poll": POLL}, receipt="poll", status_url="https://edms.example.org/docs/{external_id}")
    with pytest.raises(PermanentFailure):
        made.status_request(_sent())
    request = made.status_request(replace(_sent(), external_id="17/а"))
    assert (request.method, request.url) == ("GET", "https://edms.example.org/docs/17%2F%D0%B0")


@pytest.mark.parametrize(
    ("section", "more", "word"),
    [
        ({"request": {"a": "$boby.text"}}, {}, "did you mean «body»"),
        ({"request": {"a": {"$form": "$body.text"}}}, {}, "did you mean «\\$from»"),
        ({"request": {"a": [{"$each": "$attachments", "as": "$it.name"}]}}, {}, "did you mean «item»"),
        ({"request": {"a": "$body.applicant.phones.0"}}, {}, "did you mean «\\$body.applicant.contacts.phones»"),
        ({"request": {"a": "$body.topics.first"}}, {}, "a list is there"),
        ({"request": {"a": "$body.text.line"}}, {}, "«text» has no members"),
        ({"request": {"a": "$item.name"}}, {}, "stands in «as» only"),
        ({"request": {"a": {"$each": "$attachments", "as": "$item.nama"}}}, {}, "did you mean «name»"),
        ({"request": {"a": {"$each": "$attachments", "az": "$item"}}}, {}, "needs «as»"),
        ({"request": {"a": {"$each": "$body.text", "as": "$item"}}}, {}, "no list is there"),
        ({"request": {"a": {"$from": "$body.text", "$each": "$attachments", "as": 1}}}, {}, "one rule at one place"),
        ({"request": {"a": {"$from": "$body.topics", "joyn": ", "}}}, {}, "did you mean «join»"),
        ({"request": {"a": {"$from": "$body.text", "join": ", "}}}, {}, "no list is there"),
        (
            {"request": {"a": {"$from": "$body.kind", "values": {"complaint": 3}}}},
            {},
            "application; name them",
        ),
        ({"request": {"a": {"$from": "$body.kind", "values": {"complain": 3}, "default": 1}}}, {}, "mean «complaint»"),
        ({"request": {"a": {"$from": "$body.kind", "values": []}}}, {}, "what becomes of each word"),
        ({"request": {"a": {"$from": "$body.received_at", "date": "dd.mm.yyyy"}}}, {}, "pattern such as"),
        ({"request": {"a": {"$from": "$body.received_at", "date": "%d.%m.%-y"}}}, {}, "not written alike"),
        ({"request": {"a": {"$from": "$body.text", "date": "%d.%m.%Y"}}}, {}, "no day or moment"),
        ({"request": {"a": {"$each": ["$body.text"], "as": "$item"}}}, {}, "no list is there"),
        (
            {"request": {"a": {"$each": "$attachments", "as": "$item.content"}}},
            {"auth": {"type": "hmac", "secret": "env:HUB_TEST_SECRET"}},
            "hmac signs the document without files",
        ),
        ({"leaves_out": ["chanel"]}, {}, "did you mean «channel»"),
        ({"leaves_out": ["applicant.contacts.mails"]}, {}, "did you mean «applicant.contacts.emails»"),
        ({"answer": {**TEMPLATE["answer"], "date": {"path": "d", "date": "%d.%m"}}}, {}, "day, month and year"),
        ({"answer": {**TEMPLATE["answer"], "number": {"path": "d", "date": "%d.%m.%Y"}}}, {}, "only the member date"),
        ({"answer": {"status": {"path": "s", "values": {"a": "registred"}}}}, {}, "did you mean «registered»"),
        ({"answer": {"status": {"path": "s", "default": "ok"}}}, {}, "no word of ours"),
        (
            {"answer": {**TEMPLATE["answer"], "ground": {"path": "g", "default": "wrong_adresse"}}},
            {},
            "«wrong_address",
        ),
        ({"answer": {**TEMPLATE["answer"], "result": {"path": "g", "default": "satisfyed"}}}, {}, "mean «satisfied»"),
        ({"headers": {"Authorization": "Bearer x"}}, {}, "not a template's to set"),
        ({"headers": {"X-A": "a\r\nB: c"}}, {}, "headers"),
        ({"headers": {"X A": "a"}}, {}, "headers"),
        ({"path": "/../{external_id}"}, {}, "path"),
        ({"kinds": []}, {}, "kinds"),
        ({"answer": {"status": "accepted"}}, {}, "a bare answer proves nothing"),
        ({"answer": {"status": "wonderful", "id": "x"}}, {}, "status"),
        ({"poll": POLL}, {}, "belong together"),
        ({}, {"receipt": "poll", "status_url": "https://edms.example.org/{message_id}"}, "belong together"),
        ({}, {"attachments": "multipart"}, "attachments"),
        ({"path": "/a"}, {"url": "https://edms.example.org/?a=1"}, "no query"),
        ({"typo": 1}, {}, "typo"),
    ],
)
def test_templates_that_could_not_work_are_refused_early(
    section: dict[str, Any], more: dict[str, object], word: str
) -> None:
    """A slip in a template is named when the registry is checked."""
    with pytest.raises(ValidationError, match=word):
        dialect(section, **more)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["result", "code", "reqId"]), inner),
    max_leaves=8,
)


@given(document=_ANY, status=st.sampled_from([200, 202, 204, 301, 400, 409, 422, 429, 500, 503]))
def test_no_answer_delivers_what_it_does_not_say(document: Any, status: int) -> None:
    """Whatever JSON comes, with whatever status: no exception, and success only for our id with its code."""
    outcome = judge(status, document)
    assert outcome.kind not in (OutcomeKind.DELIVERED, OutcomeKind.REFUSED)  # no drawn document has our id
    if outcome.kind is OutcomeKind.DUPLICATE:
        assert status == 409


@given(tree=_ANY, path=st.text(alphabet="abc01.", max_size=12))
def test_a_place_is_text_or_nothing(tree: Any, path: str) -> None:
    """Looking for a place in any document gives a text that is not empty, or None."""
    found = find(tree, path)
    assert found is None or (isinstance(found, str) and found)


def test_a_moment_is_written_and_read_in_the_zone_of_its_pattern() -> None:
    """A pattern that ends with Z is UTC, both ways; an offset of its own would lie for half of the year."""
    written = {"$from": "$body.received_at", "date": "%Y-%m-%dT%H:%MZ"}
    made = dialect({"request": {**TEMPLATE["request"], "at": written}, "leaves_out": TEMPLATE["leaves_out"]})
    mine = appeal()
    body = json.loads(made.prepare(parcel(mine)).body)
    assert body["at"] == f"{mine.body.received_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    assert day_of("2026-03-02T22:30:00Z", "%Y-%m-%dT%H:%M:%SZ") == date(2026, 3, 3)
    for pattern in ("%Y-%m-%dT%H:%M+02:00", "%d.%m.%Y -0300"):
        rules = {**TEMPLATE["answer"], "date": {"path": "d", "date": pattern}}
        with pytest.raises(ValidationError, match="write %z"):
            dialect({"answer": rules})
