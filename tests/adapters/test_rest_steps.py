"""Several calls for one delivery over a ``template`` channel: each is made once, whatever breaks in between; files go
as they are, in forms, and as addresses of the hub's.
"""

from __future__ import annotations

import email
import email.policy
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.message import EmailMessage, MIMEPart
from typing import Any

import pytest
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.section import TemplateSection
from hub.adapters.rest.settings import RestSettings
from hub.errors import UnsupportedFeature
from hub.ports import Outcome, Prepared, Stepwise
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment, ReceiptBody
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, http, read_request, serving

LEFT = ["channel", "kind", "sign", "reply_by", "received_at", "applicant", "topics", "attachments.description"]
ANSWER = {
    "status": {"path": "ok", "values": {"true": "registered"}},
    "id": "doc",
    "number": "number",
    "date": "date",
}
REGISTERED = {"ok": True, "doc": 7, "number": "17-1", "date": "2026-03-02"}


@dataclass
class Edms:
    """A system that wants uploads, then the document, then an attachment of each, then its submission. ``breaks``: a
    call by its number, and how it ends: ``500`` before anything is taken in, or ``lost`` after it.
    """

    breaks: dict[int, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    attached: list[tuple[str, str, bytes]] = field(default_factory=list)
    submitted: int = 0
    seen: dict[str, bytes] = field(default_factory=dict)

    def script(self, _server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            way = self.breaks.pop(len(self.calls), None)
            lines = dict(each.split(b": ", 1) for each in head.split(b"\r\n")[1:] if b": " in each)
            path, key = head.split(b" ")[1].decode(), lines[b"Idempotency-Key"].decode()
            self.calls.append(path)
            if way == "500":
                conn.sendall(http("500 No", b""))
                continue
            if key not in self.seen:
                self.seen[key] = json.dumps(self.handle(path, lines, body)).encode()
            if way == "lost":
                return
            conn.sendall(http("201 Created", self.seen[key], Content_Type="application/json"))

    def handle(self, path: str, lines: dict[bytes, bytes], body: bytes) -> dict[str, Any]:
        if path.startswith("/uploads"):
            self.uploads.append(body)
            return {"upload": {"token": f"t{len(self.uploads)}", "n": 100 + len(self.uploads)}}
        if path == "/docs":
            self.documents.append(json.loads(body))
            return REGISTERED
        if path == "/docs/7/files":
            part = _parts(lines[b"Content-Type"], body)
            self.attached.append((part["meta"], part["title"], part["file"]))
            return {}
        assert path == "/docs/7/submit"
        self.submitted += 1
        return {}


def _parts(kind: bytes, body: bytes) -> dict[str, Any]:
    """Fields of a form as Python's own reader of mails sees them; a file as its bytes under ``file``."""
    message = email.message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    assert isinstance(message, EmailMessage)
    found: dict[str, Any] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is not None:
            found["file"] = content
        else:
            found[name] = content.decode()
    return found


def steps(base: str) -> dict[str, Any]:
    """Calls before and after the document."""
    return {
        "leaves_out": LEFT,
        "before": [
            {
                "name": "upload",
                "each": "attachments",
                "url": base + "/uploads?name={file.name}",
                "send": "file",
                "keep": {"token": "upload.token", "number": "upload.n"},
            }
        ],
        "request": {
            "text": "$body.text",
            "files": {"$each": "$attachments", "as": {"token": "$item.kept.token", "n": "$item.kept.number"}},
        },
        "answer": ANSWER,
        "after": [
            {
                "name": "attach",
                "each": "attachments",
                "url": base + "/docs/{external_id}/files",
                "send": "form",
                "form": {"files": "file"},
                "request": {"title": "$item.name", "meta": "$item.kept.token"},
            },
            {"name": "submit", "url": base + "/docs/{external_id}/submit", "request": {"as": "$message_id"}},
        ],
    }


def channel(server: Server, template: dict[str, Any] | None = None, **more: Any) -> Channel:
    """A channel to the system."""
    section = {**steps(server.url("")), **(template or {})}
    return rest_channel(server.url("/docs"), template=section, **more).model_copy(update={"dialect": "template"})


@dataclass
class Way:
    """The hub's side: a message with files, and what a store keeps of its progress."""

    store: MemoryAttachments = field(default_factory=MemoryAttachments)
    progress: str | None = None
    files: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        for name, body in (("скан.pdf", b"first"), ("b.pdf", b"second")):
            sha256, size = self.store.put(iter((body,)), limit=100)
            self.files += (Attachment(sha256=sha256, size=size, media_type="application/pdf", name=name),)
        self.message = appeal(self.files)

    def prepared(self, channel: Channel) -> Prepared:
        """The message, as it comes out of the store again at a later attempt."""
        made = self.adapter().prepare(parcel(self.message), channel)
        return replace(made, files=self.files)

    def adapter(self) -> RestAdapter:
        return RestAdapter(AdapterContext(attachments=self.store))

    def clean(self, said: str) -> str:
        return said.replace("secret-word", "[cut]")

    def keep(self, progress: str) -> bool:
        self.progress = progress
        return True

    def attempt(self, channel: Channel, keep: Callable[[str], bool] | None = None) -> Outcome:
        """One attempt over a session of its own, as another process would make it."""
        with self.adapter().session(channel) as session:
            assert isinstance(session, Stepwise)
            session.resume(self.progress, keep or self.keep, self.clean)
            return session.send(self.prepared(channel), 5.0)


def whole(edms: Edms) -> None:
    """Everything is there once."""
    assert sorted(edms.uploads) == [b"first", b"second"]
    (document,) = edms.documents
    assert document["files"] == [{"token": "t1", "n": 101}, {"token": "t2", "n": 102}]
    assert edms.attached == [("t1", "скан.pdf", b"first"), ("t2", "b.pdf", b"second")]
    assert edms.submitted == 1


def test_all_calls_are_made_in_their_order() -> None:
    """Uploads, the document with their tokens, an attachment of each, the submission; the registration is that of the
    document.
    """
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        outcome = way.attempt(channel(server))
    whole(edms)
    assert edms.calls == [
        "/uploads?name=%D1%81%D0%BA%D0%B0%D0%BD.pdf",
        "/uploads?name=b.pdf",
        "/docs",
        "/docs/7/files",
        "/docs/7/files",
        "/docs/7/submit",
    ]
    (statement,) = outcome.reported
    assert isinstance(statement.body, ReceiptBody)
    assert (outcome.kind, outcome.external_id, statement.body.number) == (OutcomeKind.DELIVERED, "7", "17-1")
    assert outcome.answer is not None
    assert outcome.answer.count(b"HTTP 201") == 6


@pytest.mark.parametrize("way_of_it", ["500", "lost"])
@pytest.mark.parametrize("call", range(6))
def test_an_attempt_goes_on_where_the_last_one_stopped(call: int, way_of_it: str) -> None:
    """A call that fails, or whose answer is lost, is made again by the next attempt under the same key; those before it
    are not, and what they gave is known.
    """
    edms, way = Edms({call: way_of_it}), Way()
    with serving(edms.script) as server:
        first = way.attempt(channel(server))
        assert first.kind is OutcomeKind.UNKNOWN
        assert first.external_id == ("7" if call > 2 else None)
        second = way.attempt(channel(server))
    assert (second.kind, second.external_id) == (OutcomeKind.DELIVERED, "7")
    assert [type(each.body) for each in second.reported] == [ReceiptBody]
    whole(edms)
    assert len(edms.calls) == 7


@pytest.mark.parametrize("calls", range(1, 7))
def test_a_process_that_dies_after_a_call_loses_nothing(calls: int) -> None:
    """Killed right after its progress was kept, the next process makes only the calls that are left."""
    edms, way = Edms(), Way()
    counted = 0

    def dies(progress: str) -> bool:
        nonlocal counted
        counted += 1
        way.keep(progress)
        if counted == calls:
            raise KeyboardInterrupt
        return True

    with serving(edms.script) as server:
        with pytest.raises(KeyboardInterrupt):
            way.attempt(channel(server), dies)
        outcome = way.attempt(channel(server))
    whole(edms)
    assert (outcome.kind, len(outcome.reported), len(edms.calls)) == (OutcomeKind.DELIVERED, 1, 6)


def test_a_message_that_another_has_goes_no_further() -> None:
    """If progress cannot be kept, because another worker holds the message, no further call is made."""
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        outcome = way.attempt(channel(server), lambda _progress: False)
    assert (outcome.kind, outcome.code, len(edms.calls)) == (OutcomeKind.UNKNOWN, "steps.taken_over", 1)


def test_a_call_that_is_refused_names_itself() -> None:
    """A 422 of a later call is permanent, names the call, and keeps their id; the document is not handed in again."""
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        strict = steps(server.url(""))["after"][1] | {"statuses": [202]}
        made = channel(server, {"after": [strict]})
        outcome = way.attempt(made)
        assert (outcome.kind, outcome.code, outcome.external_id) == (OutcomeKind.UNKNOWN, "answer.no_receipt", "7")
        assert "They have the document (7), and a later call failed. submit: HTTP 201" in (outcome.detail or "")
        way.attempt(made)
    assert len(edms.documents) == 1


def test_what_a_call_has_to_give_and_does_not_is_said() -> None:
    """An upload without its token stops before the document."""
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        broken = steps(server.url(""))["before"][0] | {"keep": {"token": "id", "number": "upload.n"}}
        outcome = way.attempt(channel(server, {"before": [broken]}))
    assert (outcome.kind, outcome.code, edms.documents) == (OutcomeKind.UNKNOWN, "answer.no_receipt", [])
    assert "has no id" in (outcome.detail or "")


def test_the_registration_may_come_with_the_last_call() -> None:
    """``answer`` at a later call: its number counts."""
    edms, way = Edms(), Way()

    def answer(path: str, lines: dict[bytes, bytes], body: bytes) -> dict[str, Any]:
        return {"doc": 7} if path == "/docs" else {**REGISTERED, "number": "last"}

    edms.handle = answer  # type: ignore[method-assign]
    with serving(edms.script) as server:
        submit = {"name": "submit", "url": server.url("") + "/docs/{external_id}/submit", "answer": ANSWER}
        made = channel(
            server,
            {
                "before": [],
                "after": [submit],
                "request": {"all": "$sealed"},
                "answer": {"status": "delivered", "id": "doc"},
            },
        )
        outcome = way.attempt(made)
    (statement,) = outcome.reported
    assert isinstance(statement.body, ReceiptBody)
    assert statement.body.number == "last"


def test_a_form_holds_the_document_and_the_files() -> None:
    """multipart/form-data: members as fields, a list as several, files under their own names; or the document as one
    part of JSON. Python's reader of mails agrees.
    """
    said: list[tuple[bytes, bytes]] = []

    def script(_server: Server, conn: socket.socket) -> None:
        head, body = read_request(conn)
        said.append((head, body))
        conn.sendall(http("200 OK", json.dumps(REGISTERED).encode()))

    way = Way()
    request = {"text": "$body.text", "tags": ["a", "b"], "deep": {"n": 1}}
    with serving(script) as server:
        for form in ({"files": "document"}, {"files": "document", "document": "data"}):
            made = channel(server, {"before": [], "after": [], "request": request, "form": form})
            with way.adapter().session(made) as session:
                assert session.send(way.prepared(made), 5.0).kind is OutcomeKind.DELIVERED
    bodies = []
    for head, body in said:
        kind = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type"))
        message = email.message_from_bytes(kind + b"\r\n\r\n" + body, policy=email.policy.HTTP)
        assert isinstance(message, EmailMessage)
        bodies.append(
            [
                (
                    part.get_param("name", header="content-disposition"),
                    part.get_filename(),
                    _bytes(part),
                )
                for part in message.iter_parts()
            ]
        )
    files = [("document", "скан.pdf", b"first"), ("document", "b.pdf", b"second")]
    text = "Немає води.".encode()
    fields = [("text", None, text), ("tags", None, b"a"), ("tags", None, b"b"), ("deep", None, b'{"n": 1}')]
    assert bodies[0] == [*fields, *files]
    assert bodies[1][1:] == files
    assert json.loads(bodies[1][0][2]) == {"text": "Немає води.", "tags": ["a", "b"], "deep": {"n": 1}}


def _bytes(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_files_as_addresses_of_the_hubs() -> None:
    """``$item.url`` says where the authority gets a file from the hub; without an address of the hub's it is said that
    the file has no place.
    """
    template = {"leaves_out": LEFT, "answer": ANSWER, "request": {"text": "$body.text", "files": _EACH}}
    made = rest_channel("http://127.0.0.1:1/", template=template).model_copy(update={"dialect": "template"})
    adapter, message = RestAdapter(AdapterContext()), appeal(Way().files[:1])
    given = parcel(message)
    given.reply_url = "https://hub.example.org/"
    body = json.loads(adapter.prepare(given, made).body)
    assert body["files"][0]["href"] == f"https://hub.example.org/v1/attachments/{message.attachments[0].sha256}"
    with pytest.raises(UnsupportedFeature, match="sha256"):
        adapter.prepare(parcel(message), made)


_EACH = {"$each": "$attachments", "as": {"name": "$item.name", "href": "$item.url"}}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"before": [{"name": "a", "url": "https://e.example.org/{external_id}"}]}, "nothing stands for {external_id}"),
        ({"after": [{"name": "a", "url": "https://e.example.org/{kept.x}"}]}, "nothing stands for {kept.x}"),
        ({"after": [{"name": "a", "url": "https://e.example.org/{file.name}"}]}, "nothing stands for {file.name}"),
        ({"after": [{"name": "a", "url": "https://e.example.org/"}] * 2}, "two calls are named a"),
        ({"after": [{"name": "document", "url": "https://e.example.org/"}]}, "the document's own call"),
        ({"after": [{"name": "a", "url": "https://e.example.org/", "send": "file"}]}, "needs each: attachments"),
        ({"after": [{"name": "a", "url": "http://e.example.org/"}]}, "http://"),
        ({"after": [{"name": "a", "url": "https://e.example.org/", "request": {"x": "$item.name"}}]}, "item"),
        ({"after": [{"name": "a", "url": "https://e.example.org/", "request": {"x": "$body.txt"}}]}, "txt"),
        ({"request": {"x": "$kept.token"}}, "kept"),
    ],
)
def test_calls_that_do_not_fit_are_refused(template: dict[str, Any], words: str) -> None:
    """Places of URLs that nothing stands for, names twice, files where there is none: told with the registry's line."""
    section = {"leaves_out": [], "request": {"all": "$sealed"}, "answer": ANSWER, **template}
    with pytest.raises(ValidationError) as refused:
        RestSettings.model_validate({"url": "https://edms.example.org/in", "template": section})
    assert words in str(refused.value)


def test_what_only_a_further_call_says_is_said() -> None:
    """Nothing is lost in silence, in all calls together: a name that only an upload's address says counts as sent."""
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        base = server.url("")
        upload = steps(base)["before"][0]
        nameless = upload | {"url": base + "/uploads"}
        request = {"text": "$body.text", "files": {"$each": "$attachments", "as": "$item.kept.token"}}
        way.adapter().prepare(
            parcel(way.message), channel(server, {"before": [upload], "after": [], "request": request})
        )
        with pytest.raises(UnsupportedFeature, match=r"attachments\.0\.name"):
            way.adapter().prepare(
                parcel(way.message), channel(server, {"before": [nameless], "after": [], "request": request})
            )


def test_a_later_call_that_fails_for_good_leaves_the_document_with_them() -> None:
    """They have the document: the outcome says so with their id, no other channel takes the message over, and only the
    call that failed is made again.
    """
    edms, way = Edms(), Way()
    handle = edms.handle
    with serving(edms.script) as server:
        edms.handle = lambda *call: {"status": 422} if "submit" in call[0] else handle(*call)  # type: ignore[method-assign]
        strict = {**steps(server.url(""))["after"][1], "keep": {"ok": "ok"}}
        made = channel(server, {"before": [], "after": [strict], "request": {"all": "$sealed"}})
        first = way.attempt(made)
        assert (first.begun, first.external_id, first.reported) == (True, "7", ())
        assert (first.detail or "").startswith("They have the document (7), and a later call failed.")
        way.attempt(made)
    assert edms.calls == ["/docs", "/docs/7/submit", "/docs/7/submit"]


def test_what_is_kept_is_clean_and_whole() -> None:
    """An answer with a secret in one of its values is kept without it, and the next attempt goes on from there."""
    edms, way = Edms({1: "500"}), Way()
    linked = {**REGISTERED, "link": "https://e/?access_token=secret-word"}
    edms.handle = lambda *call: linked if call[0] == "/docs" else {}  # type: ignore[method-assign]
    with serving(edms.script) as server:
        submit = {"name": "submit", "url": server.url("") + "/docs/{external_id}/submit"}
        made = channel(server, {"before": [], "after": [submit], "request": {"all": "$sealed"}})
        way.attempt(made)
        assert "secret-word" not in (way.progress or "")
        outcome = way.attempt(made)
    assert (outcome.kind, edms.calls.count("/docs")) == (OutcomeKind.DELIVERED, 1)
    assert b"[cut]" in outcome.reported[0].raw.body


def test_progress_that_cannot_be_read_stops_before_anything_goes_out() -> None:
    """What was done is not known then: an operator looks, and no document is handed in twice."""
    edms, way = Edms(), Way()
    way.progress = '{"done": ["doc'
    with serving(edms.script) as server:
        outcome = way.attempt(channel(server))
    assert (outcome.kind, outcome.code, edms.calls) == (OutcomeKind.PERMANENT, "steps.progress", [])


def test_a_message_prepared_for_other_calls_does_not_go_out() -> None:
    """The channel had further calls when a message was prepared and has none now, or the other way round."""
    edms, way = Edms(), Way()
    with serving(edms.script) as server:
        several = channel(server)
        plain = channel(server, {"before": [], "after": [], "request": {"text": "$body.text", "files": "$attachments"}})
        for one, other in ((several, plain), (plain, several)):
            with way.adapter().session(other) as session:
                outcome = session.send(way.prepared(one), 5.0)
            assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "steps.changed")
    assert edms.calls == []


@pytest.mark.parametrize(
    ("given", "kept"), [(1, True), (0, True), ("a", True), (False, False), ("", False), ("a\0", False)]
)
def test_values_that_are_kept(given: object, kept: bool) -> None:
    """Numbers and words of visible characters, the number one too; a control could be taken for a mark of ours."""
    edms, way = Edms(), Way()
    edms.handle = lambda *call: REGISTERED if call[0] == "/docs" else {"upload": {"token": given, "n": 1}}  # type: ignore[method-assign]
    with serving(edms.script) as server:
        upload = steps(server.url(""))["before"][0]
        outcome = way.attempt(channel(server, {"before": [upload], "after": []}))
    assert (outcome.kind is OutcomeKind.DELIVERED) is kept


def test_the_same_bytes_under_two_names_are_two_files() -> None:
    """Each is attached under its own name; a name of dots leads nowhere else."""
    edms, way = Edms(), Way()
    way.files = tuple(way.files[0].model_copy(update={"name": name}) for name in ("а.pdf", ".."))
    way.message = appeal(way.files)
    with serving(edms.script) as server:
        way.attempt(channel(server))
    assert [name for _, name, _ in edms.attached] == ["а.pdf", ".."]
    assert edms.calls[:2] == ["/uploads?name=%D0%B0.pdf", "/uploads?name=__"]


@pytest.mark.parametrize("breaks", [{}, {1: "500"}])
def test_files_of_the_documents_answer_are_kept(breaks: dict[int, str]) -> None:
    """An answer in parts that answers the appeal at once brings its file, also over two attempts."""
    edms, way = Edms(dict(breaks)), Way()
    said = json.dumps({"ok": "done", "doc": 7, "number": "1", "date": "2026-03-02"}).encode()
    parts = [
        b"--b",
        b"Content-Type: application/json",
        b"",
        said,
        b"--b",
        b"Content-Type: application/pdf",
        b"",
        b"PDF",
    ]
    body = b"\r\n".join([*parts, b"--b--"])

    def script(server: Server, conn: socket.socket) -> None:
        good = http("200 OK", body, Content_Type="multipart/mixed; boundary=b")
        while (head := read_request(conn)[0]) != b"":
            edms.calls.append(head.split(b" ")[1].decode())
            broken = edms.breaks.pop(len(edms.calls) - 1, None)
            plain = good if edms.calls[-1] == "/docs" else http("200 OK", b"{}")
            conn.sendall(http("500 No", b"") if broken else plain)

    with serving(script) as server:
        submit = {"name": "submit", "url": server.url("") + "/docs/{external_id}/submit"}
        answer = {**ANSWER, "status": {"path": "ok", "values": {"done": "answered"}}}
        made = channel(server, {"before": [], "after": [submit], "request": {"all": "$sealed"}, "answer": answer})
        for _ in range(len(breaks) + 1):
            outcome = way.attempt(made)
    (statement,) = outcome.reported
    assert [(each.media_type, each.size) for each in statement.fetched] == [("application/pdf", 3)]


def _tested(*tests: dict[str, Any]) -> list[tuple[str, str]]:
    """Faults of a channel whose submission registers, with these tests."""
    section = steps("https://edms.example.org")
    section["after"][1] |= {"answer": ANSWER}
    section |= {"answer": {"status": "delivered", "id": "doc"}, "keep": {"ref": "doc"}, "tests": list(tests)}
    try:
        read = TemplateSection.model_validate(section)
    except ValidationError as error:
        return [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
    return [(".".join(map(str, place)), "unshown") for place in read.unshown()]


SUBMITTED: dict[str, Any] = {
    "name": "submitted",
    "call": "submit",
    "answer": REGISTERED,
    "means": {"status": "registered", "id": "7", "number": "17-1", "date": "2026-03-02"},
}


def test_tests_show_the_answers_of_further_calls() -> None:
    """Meaning and kept values are shown call by call; what no test shows of them is named."""
    whole = [
        {"name": "taken", "answer": {"doc": 7}, "means": {"status": "delivered", "id": "7"}, "keeps": {"ref": "7"}},
        SUBMITTED,
        {
            "name": "up",
            "call": "upload",
            "answer": {"upload": {"token": "t1", "n": 101}},
            "keeps": {"token": "t1", "number": "101"},
        },
    ]
    assert _tested(*whole) == []
    without = {name: value for name, value in whole[0].items() if name != "keeps"}
    assert sorted(_tested(without)) == [
        ("after.1.answer", "unshown"),
        ("before.0.keep.number", "unshown"),
        ("before.0.keep.token", "unshown"),
        ("keep.ref", "unshown"),
    ]


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"means": {"number": "18"}}, "tests.0.means.number", "expected «18», understood is «17-1»"),
        ({"call": "submitt"}, "tests.0.call", "no call has this name; did you mean «submit»?"),
        ({"call": "attach"}, "tests.0.means", "the call attach has no answer: its HTTP status says all"),
        ({"keeps": {"x": "1"}}, "tests.0.keeps.x", "the call submit keeps nothing of this name"),
        ({"call": "upload", "means": None, "keeps": {"token": "t"}}, "tests.0.keeps.token", "kept is nothing"),
        ({"answer": None, "means": None, "appeal": {}, "request": {}}, "tests.0", "call and keeps go with answer"),
    ],
)
def test_a_test_of_a_call_that_does_not_fit_is_told(change: dict[str, Any], place: str, words: str) -> None:
    """A wrong meaning, a call or a kept value that is not there."""
    (fault,) = _tested({**SUBMITTED, **change})
    assert fault[0] == place
    assert words in fault[1]


def test_an_unknown_place_in_a_calls_url_is_told_with_those_that_there_are() -> None:
    """A name that ``keep`` cannot have: what a further call knows is said, not what other URLs know."""
    section = steps("https://edms.example.org")
    section["after"][1]["url"] += "/{kept.caseId}"
    with pytest.raises(ValidationError, match=r"a further call knows \{message_id\}.*\{kept\.NAME\}") as told:
        TemplateSection.model_validate(section)
    assert "all others" not in str(told.value)
