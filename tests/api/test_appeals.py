"""The door for appeals: single, with files, in batches."""

from __future__ import annotations

import hashlib
import json
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub.api.appeals import QUICK_BYTES
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId
from hub.schemas.json_rendering import from_json
from tests.api.world import NCC, OTHER_NCC, PLAIN, World, form, problem

PDF = b"%PDF-1.4 small"


def _post(world: World, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    return world.call("POST", "/v1/appeals", data=body, headers={"Content-Type": kind, **headers})


def _envelope(world: World, case: str) -> AppealEnvelope:
    message = world.store.messages(CaseId(uuid.UUID(case)))[0]
    found = from_json(message.body)
    assert isinstance(found, AppealEnvelope)
    return found


def test_an_appeal_is_accepted_and_kept(world: World) -> None:
    """202 names the case, the authority and the reason, and the case is in the store with the caller as owner."""
    response = world.call("POST", "/v1/appeals", json=form(reference="НЦ-1", priority="urgent"))
    assert response.status_code == 202
    document = response.json()
    assert document["authority"] == PLAIN
    assert document["state"] == "routed"
    assert response.headers["Location"] == f"/v1/cases/{document['case_id']}"
    row = world.store.case(CaseId(uuid.UUID(document["case_id"])))
    assert row is not None
    assert (row.case.owner, row.case.reference, row.case.priority) == (NCC, "НЦ-1", 1)


def test_what_nobody_takes_goes_to_the_operators(world: World) -> None:
    """An appeal without a competent body is accepted too and says where it went."""
    document = world.submit(topics=["unheard-of"])
    assert document["state"] == "operators"
    assert "authority" not in document


def test_every_fault_is_named_at_once(world: World) -> None:
    """All faults come in one answer, by JSON pointer, without a value."""
    bad = form(channel="pigeon", text=None, priority="sometimes", surprise="таємниця")
    document = problem(_post(world, json.dumps(bad).encode()), 422, "input.invalid")
    assert {f["pointer"] for f in document["faults"]} == {"/channel", "/text", "/priority", "/surprise"}
    assert "pigeon" not in json.dumps(document)
    assert "таємниця" not in json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"text":"a","text":"b"}',
        b'{"a":NaN}',
        b'"\\ud800"',
        b"\xff",
        b"[" * 100 + b"]" * 100,
        b"\xef\xbb\xbf{}",
    ],
)
def test_bytes_that_are_no_json_are_400(world: World, body: bytes) -> None:
    """What cannot be read is refused with 400 before any model sees it."""
    assert problem(_post(world, body), 400, "input.invalid")["faults"][0]["code"].startswith("json.")


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonx", "application/x-www-form-urlencoded"])
def test_other_types_are_415(world: World, kind: str) -> None:
    """A body of a type that is not taken is refused before it is read."""
    problem(_post(world, b"{}", kind), 415, "input.media_type")


def test_compressed_bodies_are_refused(world: World) -> None:
    """A content encoding is refused, so nothing can swell."""
    problem(_post(world, b"{}", **{"Content-Encoding": "gzip"}), 415, "input.encoding")


def test_a_large_body_is_refused_unread(world: World) -> None:
    """Content-Length over the limit is answered before the body comes."""
    host, port = world.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = (
            f"POST /v1/appeals HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {world.tokens['ncc']}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2097153\r\n\r\n"
        )
        line.sendall(head.encode())
        assert line.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_large_chunked_body_is_counted(world: World) -> None:
    """A body without a length is cut off at the limit, and the caller still reads the answer."""
    pieces = (b" " * 65_536 for _ in range(64))
    problem(
        world.call("POST", "/v1/appeals", data=pieces, headers={"Content-Type": "application/json"}),
        413,
        "input.too_large",
    )


def test_the_same_key_and_body_give_the_same_answer(world: World) -> None:
    """A repeat with the same Idempotency-Key changes nothing and says that it is one."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = world.call("POST", "/v1/appeals", json=form(), headers=key)
    second = world.call("POST", "/v1/appeals", json=form(), headers=key)
    assert first.status_code == second.status_code == 202
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_body_is_a_conflict(world: World) -> None:
    """A key that stands for another request is refused."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    world.call("POST", "/v1/appeals", json=form(), headers=key)
    problem(world.call("POST", "/v1/appeals", json=form(text="Інше."), headers=key), 409, "idempotency.conflict")


def test_keys_of_two_callers_do_not_meet(world: World) -> None:
    """The same key of another caller is another key."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = world.call("POST", "/v1/appeals", json=form(), headers=key)
    other = world.call("POST", "/v1/appeals", "other_ncc", json=form(text="Інше."), headers=key)
    assert other.status_code == 202
    assert first.json()["case_id"] != other.json()["case_id"]


def test_a_batch_and_a_single_appeal_never_share_a_key(world: World) -> None:
    """Whatever keys a caller chooses for single appeals, the lines of its batches have others, and repeat."""
    name = uuid.uuid4().hex
    lines = json.dumps(form(text="Рядок пакета")).encode()
    for single in (f"{name}#1", f"{name}-1", name):
        head = {"Idempotency-Key": single}
        assert world.call("POST", "/v1/appeals", json=form(), headers=head).status_code == 202
    batch = {"Idempotency-Key": name, "Content-Type": "application/x-ndjson"}
    first, again = (world.call("POST", "/v1/appeals/batch", data=lines, headers=batch).json() for _ in range(2))
    assert (first["status"], first["repeat"], again["repeat"]) == (202, False, True)
    assert first["case_id"] == again["case_id"]


@pytest.mark.parametrize("key", ["", "a" * 129, "with space", "тест".encode().decode("latin-1")])
def test_a_bad_key_is_refused(world: World, key: str) -> None:
    """A key must be 1 to 128 visible ASCII characters."""
    response = world.call("POST", "/v1/appeals", json=form(), headers={"Idempotency-Key": key})
    assert problem(response, 422, "input.parameters")["faults"][0]["pointer"].lower() == "header/idempotency-key"


def test_many_repeats_at_once_make_one_case(world: World) -> None:
    """Thirty identical calls at the same moment make one case and thirty equal answers."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with ThreadPoolExecutor(10) as pool:
        calls = [pool.submit(world.call, "POST", "/v1/appeals", json=form(), headers=key) for _ in range(30)]
        answers = {call.result().content for call in calls}
    assert len(answers) == 1


def test_multipart_brings_files(world: World) -> None:
    """Files beside the appeal are kept by content, granted to caller and authority, named in the manifest."""
    files = [
        ("appeal", ("", json.dumps(form()), "application/json")),
        ("files", ("C:\\скан\\заява.pdf", PDF, "application/pdf")),
        ("files", ("photo.jpg", b"\xff\xd8 jpeg", "image/jpeg")),
    ]
    response = world.call("POST", "/v1/appeals", files=files)
    assert response.status_code == 202, response.text
    manifest = _envelope(world, response.json()["case_id"]).attachments
    assert [(a.name, a.media_type, a.size) for a in manifest] == [
        ("заява.pdf", "application/pdf", len(PDF)),
        ("photo.jpg", "image/jpeg", 7),
    ]
    assert manifest[0].sha256 == hashlib.sha256(PDF).hexdigest()
    assert world.store.may_read(manifest[0].sha256, NCC)
    assert world.store.may_read(manifest[0].sha256, PLAIN)


def test_multipart_is_repeatable(world: World) -> None:
    """The same parts under the same key are the same request; another file is another one."""
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def send(content: bytes) -> Any:
        files = [("appeal", ("", json.dumps(form()), "application/json")), ("f", ("a.txt", content, "text/plain"))]
        return world.call("POST", "/v1/appeals", files=files, headers=key)

    first, second = send(b"one"), send(b"one")
    assert first.content == second.content
    problem(send(b"two"), 409, "idempotency.conflict")


def _parts(*parts: bytes, end: bytes = b"--XX--\r\n") -> bytes:
    return b"".join(b"--XX\r\n" + part + b"\r\n" for part in parts) + end


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "multipart.end"),
        (b"nonsense", "multipart.end"),
        (_parts(b'Content-Disposition: form-data; name="x"\r\n\r\n{}'), "multipart.appeal"),
        (_parts(b"Content-Type: text/plain\r\n\r\n{}"), "multipart.disposition"),
        (_parts(b'Content-Disposition: attachment; name="appeal"\r\n\r\n{}'), "multipart.disposition"),
        (_parts(b'A: b\r\nA: b\r\nContent-Disposition: form-data; name="appeal"\r\n\r\n{}'), "multipart.header"),
    ],
)
def test_broken_multipart_is_400(world: World, body: bytes, code: str) -> None:
    """Parts that are not well made are refused with 400."""
    response = _post(world, body, "multipart/form-data; boundary=XX")
    document = problem(response, 400, code)
    assert document["faults"]


def test_multipart_without_end_is_refused(world: World) -> None:
    """A body that breaks off makes no case."""
    body = _parts(
        b'Content-Disposition: form-data; name="appeal"\r\n\r\n' + json.dumps(form()).encode(),
        b'Content-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhalf',
        end=b"",
    )
    problem(_post(world, body, "multipart/form-data; boundary=XX"), 400, "multipart.end")


def test_multipart_without_boundary_is_400(world: World) -> None:
    """Content-Type must name the boundary."""
    problem(_post(world, b"", "multipart/form-data"), 400, "multipart.boundary")


def test_an_unknown_attachment_is_named(world: World) -> None:
    """A manifest may only name what the caller uploaded."""
    entry = {"sha256": "0" * 64, "size": 1, "media_type": "text/plain", "name": "a.txt"}
    document = problem(_post(world, json.dumps(form(attachments=[entry])).encode()), 422, "input.invalid")
    assert document["faults"][0] == {
        "pointer": "/attachments/0",
        "code": "attachment.unknown",
        "message": document["faults"][0]["message"],
    }


def _batch(world: World, lines: list[Any], **headers: str) -> Any:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return world.call(
        "POST", "/v1/appeals/batch", data=body, headers={"Content-Type": "application/x-ndjson", **headers}
    )


def test_a_batch_answers_line_by_line(world: World) -> None:
    """Good lines are accepted though others are bad; answers come in order."""
    response = _batch(
        world, [form(), b"{broken", form(channel="pigeon"), form(earlier=[str(uuid.UUID(int=7))]), form()]
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in response.content.splitlines()]
    assert [(a["line"], a["status"]) for a in answers] == [(1, 202), (2, 400), (3, 422), (4, 422), (5, 202)]
    assert answers[1]["code"] == "input.invalid"
    assert world.store.case(CaseId(uuid.UUID(answers[4]["case_id"]))) is not None


def test_one_bad_line_does_not_stop_its_transaction(world: World) -> None:
    """A line that only the store can refuse leaves the other lines of its group accepted."""
    unknown = {"sha256": "0" * 64, "size": 1, "media_type": "text/plain", "name": "a.txt"}
    answers = [json.loads(x) for x in _batch(world, [form(), form(attachments=[unknown]), form()]).content.splitlines()]
    assert [a["status"] for a in answers] == [202, 422, 202]


def test_a_batch_is_repeatable_line_by_line(world: World) -> None:
    """With a key a repeated batch brings the same cases."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = [json.loads(x) for x in _batch(world, [form()] * 60, **key).content.splitlines()]
    again = [json.loads(x) for x in _batch(world, [form()] * 60, **key).content.splitlines()]
    assert [a["case_id"] for a in first] == [a["case_id"] for a in again]
    assert len({a["case_id"] for a in first}) == 60
    assert {a["repeat"] for a in again} == {True}


def test_a_batch_has_limits(world: World) -> None:
    """No line, and more than 1,000 lines, are refused before anything is accepted."""
    problem(_batch(world, []), 400, "ndjson.empty")
    problem(_batch(world, [b"{}"] * 1_001), 413, "batch.too_many")


SUBMISSION = """<submission xmlns="urn:ua:appeal-hub:envelope:1">
  <priority>urgent</priority>
  <appeal>
    <channel>web</channel><kind>complaint</kind><received_at>2026-03-02T10:15:00+02:00</received_at>
    <applicant>
      <type>individual</type><name><surname>Шевченко</surname><given>Оксана</given></name>
      <address><text>м. Київ</text></address>
    </applicant>
    <topics><item>roads</item></topics>
    <text>На вулиці яма.</text>
  </appeal>
</submission>"""


def _by_quick_json(world: World, who: str, key: str, text: str) -> Any:
    return world.call("POST", "/v1/appeals", who, json=form(text=text), headers={"Idempotency-Key": key})


def _by_large_json(world: World, who: str, key: str, text: str) -> Any:
    body = json.dumps(form(text=text)).encode() + b" " * QUICK_BYTES
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return world.call("POST", "/v1/appeals", who, data=body, headers=headers)


def _by_documented_json(world: World, who: str, key: str, text: str) -> Any:
    headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key}
    return world.call("POST", "/v1/appeals", who, data=json.dumps(form(text=text)).encode(), headers=headers)


def _by_xml(world: World, who: str, key: str, text: str) -> Any:
    body = SUBMISSION.replace("На вулиці яма.", text).encode()
    headers = {"Content-Type": "application/xml", "Idempotency-Key": key}
    return world.call("POST", "/v1/appeals", who, data=body, headers=headers)


def _by_multipart(world: World, who: str, key: str, text: str) -> Any:
    files = [("appeal", ("", json.dumps(form(text=text)), "application/json")), ("f", ("a.txt", b"x", "text/plain"))]
    return world.call("POST", "/v1/appeals", who, files=files, headers={"Idempotency-Key": key})


def _by_batch(world: World, who: str, key: str, text: str) -> Any:
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
    return world.call("POST", "/v1/appeals/batch", who, data=json.dumps(form(text=text)).encode(), headers=headers)


WAYS_IN = [_by_quick_json, _by_large_json, _by_documented_json, _by_xml, _by_multipart, _by_batch]


@pytest.mark.parametrize("send", WAYS_IN, ids=lambda way: way.__name__.removeprefix("_by_"))
@pytest.mark.parametrize("same_words", [False, True])
def test_keys_of_two_callers_do_not_meet_on_any_way_in(
    world: World, send: Callable[[World, str, str, str], Any], same_words: bool
) -> None:
    """One key of two contact centres, with other bodies or equal ones: two appeals, and each hears of its own only."""
    key = str(uuid.uuid4())
    said = {"ncc": "Яма перша.", "other_ncc": "Яма перша." if same_words else "Яма друга."}
    first = {who: send(world, who, key, text) for who, text in said.items()}
    again = {who: send(world, who, key, text) for who, text in said.items()}
    cases = {}
    for who, text in said.items():
        assert first[who].status_code in (200, 202), first[who].text
        document, repeated = first[who].json(), again[who].json()
        assert document.get("status", 202) == 202, document
        assert "Idempotent-Replayed" not in first[who].headers
        assert not document.get("repeat", False)
        assert repeated["case_id"] == document["case_id"]
        assert repeated.get("repeat") or again[who].headers.get("Idempotent-Replayed") == "true"
        cases[who] = document["case_id"]
        row = world.store.case(CaseId(uuid.UUID(cases[who])))
        assert row is not None
        assert row.case.owner == (NCC if who == "ncc" else OTHER_NCC)
        assert _envelope(world, cases[who]).body.text == text
    assert cases["ncc"] != cases["other_ncc"]


def test_the_form_comes_as_xml_too(world: World) -> None:
    """The same form as XML makes the same case."""
    response = _post(world, SUBMISSION.encode(), "application/xml; charset=utf-8")
    assert response.status_code == 202, response.text
    envelope = _envelope(world, response.json()["case_id"])
    assert envelope.body.text == "На вулиці яма."
    assert envelope.header.priority == "urgent"


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("urgent", "sometimes", "/submission/priority"),
        ("complaint", "poem", "/submission/appeal/kind"),
        ("<appeal>", "<appeal><x/>", "/submission/appeal/x"),
        ("roads", "", "/submission/appeal/topics/item[1]"),
        ("  <appeal>", "stray<appeal>", "/submission"),
        ("</appeal>", "</appeal><surprise/>", "/submission/surprise"),
    ],
)
def test_faults_in_xml_are_named_by_xpath(world: World, old: str, new: str, pointer: str) -> None:
    """Paths are those of the document that was sent."""
    response = _post(world, SUBMISSION.replace(old, new, 1).encode(), "application/xml")
    assert response.status_code in (400, 422)
    assert pointer in {fault["pointer"] for fault in response.json()["faults"]}


@pytest.mark.parametrize("body", ["", "<a/>", "<!DOCTYPE a><a/>", "<submission", '<submission xmlns="urn:x"/>'])
def test_what_is_no_submission_is_400(world: World, body: str) -> None:
    """Broken XML and foreign roots are refused."""
    problem(_post(world, body.encode(), "application/xml"), 400, "input.invalid")
