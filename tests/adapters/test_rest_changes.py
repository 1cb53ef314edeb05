"""The list of changes of a ``template`` channel, and files that come with answers: everything that is said is handed
over once, whatever the order, the pages and the faults on the way.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.json_places import find
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.changes import ChangesReader, ChangesSection, Reading
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template_session import TemplateSession
from hub.errors import TemporaryFailure
from hub.net.http import HttpAnswer
from hub.ports import Outcome, RawInbound, ReportedStatus
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnswerBody, Attachment, ReceiptBody
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import ReceiptStatus
from hub.storage.attachments import MemoryAttachments
from hub.testing.desk import NoDesk
from hub.testing.samples import SECRET, appeal, delivery, secret_file
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, http, read_request, serving

PDF = b"%PDF-1.4 answer"
CHANGES: dict[str, Any] = {
    "url": "https://edms.example.org/changes?after={cursor}&page={page}",
    "rows": "list",
    "cursor": {"path": "n", "overlap": 5},
    "pages": {"of": "pages"},
    "means": {
        "status": {"path": "state", "values": {"reg": "registered", "done": "answered"}},
        "id": "doc",
        "number": "number",
        "date": "date",
        "text": "text",
        "files": {"each": "files", "url": "href", "name": "name"},
    },
}
TEMPLATE: dict[str, Any] = {
    "leaves_out": ["channel", "kind", "sign", "reply_by", "received_at", "applicant", "attachments", "topics"],
    "request": {"id": "$message_id", "text": "$body.text"},
    "answer": {"status": {"path": "ok", "values": {"true": "accepted"}}, "id": "doc"},
}


@dataclass
class Desk(NoDesk):
    """A sink that knows the documents 1 to 999, and remembers what it was given."""

    channel: Channel
    mark: str | None = None
    statements: list[ReportedStatus] = field(default_factory=list)
    held_back: list[tuple[str, bytes]] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    _known: dict[str, Delivery] = field(default_factory=dict)

    def bookmark(self) -> str | None:
        return self.mark

    def save_bookmark(self, bookmark: str) -> None:
        self.mark = bookmark

    def knows(self, reported: ReportedStatus, delivery: Delivery) -> bool:
        return any(each.said_id == reported.said_id for each in self.statements)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        if external_id is None or not external_id.isdecimal() or int(external_id) > 999:
            return None
        return self._known.setdefault(external_id, delivery(appeal(), self.channel, external_id=external_id))

    def reported(self, spoken: ReportedStatus) -> None:
        self.statements.append(spoken)

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self.held_back.append((verdict, raw.body))

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        body = b"".join(source)
        sha256, size = MemoryAttachments().put(iter((body,)), limit=1_000)
        self.kept[name] = body
        return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

    def numbers(self) -> list[str | None]:
        """Numbers of the statements, in the order in which they came."""
        return [getattr(each.body, "number", None) for each in self.statements]


@dataclass
class Edms:
    """A system with a list of changes. ``fails``: a status with which page 2 is answered."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    per_page: int = 2
    fails: int | None = None
    asked: list[str] = field(default_factory=list)
    says: Callable[[str], tuple[int, bytes]] | None = None

    def answer(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        if self.says is not None:
            return self.says(url)
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        page = int(query.get("page", "1"))
        if self.fails is not None and page > 1:
            return self.fails, b"{}"
        fits = [each for each in self.entries if int(each.get("n", 0)) > int(query["after"])]
        shown = fits[(page - 1) * self.per_page : page * self.per_page]
        pages = max(1, -(-len(fits) // self.per_page))
        return 200, json.dumps({"list": shown, "pages": pages}, ensure_ascii=False).encode()

    def get(self, url: str, _deadline: float) -> HttpAnswer:
        status, body = self.answer(url)
        return HttpAnswer(status=status, headers={"Content-Type": "application/json"}, body=body)


def entry(n: int, doc: int = 1, **more: Any) -> dict[str, Any]:
    """An entry that says that a document is registered under ``n``."""
    return {"n": n, "doc": doc, "state": "reg", "number": f"17-{n}", "date": "2026-03-02", **more}


def visit(edms: Edms, desk: Desk, changes: dict[str, Any] | None = None, until: float = 1e12) -> int:
    """One reading without a network."""

    def ask(_delivery: Delivery, _deadline: float) -> Outcome:
        raise AssertionError("nothing was expected to be asked")

    reading = Reading(get=edms.get, ask=ask, enclose=lambda reported, *_: reported, failed=lambda: None)
    section = ChangesSection.model_validate({**CHANGES, **(changes or {})})
    return ChangesReader(section, section.means, reading, desk, until).read()


@pytest.fixture
def desk() -> Desk:
    """A desk of a channel."""
    return Desk(rest_channel("http://127.0.0.1:1/"))


def test_all_pages_are_read_and_nothing_twice(desk: Desk) -> None:
    """A visit reads every page; the next one begins a little before the end and hands over only what is new."""
    edms = Edms([entry(n) for n in (10, 11, 12, 13, 14)])
    assert visit(edms, desk) == 5
    assert desk.numbers() == ["17-10", "17-11", "17-12", "17-13", "17-14"]
    edms.entries.append(entry(15))
    assert visit(edms, desk) == 1
    assert parse_qs(urlsplit(edms.asked[-1]).query)["after"] == ["9"]


def test_a_list_may_begin_with_zero(desk: Desk) -> None:
    """The place 0 is a place: a list that has only that one is read like any other."""
    edms = Edms(says=lambda _url: (200, json.dumps({"list": [entry(0)], "pages": 1}).encode()))
    assert [visit(edms, desk), visit(edms, desk)] == [1, 0]
    assert desk.mark is not None
    assert json.loads(desk.mark)["seen"] == "0"


def test_a_late_entry_is_seen(desk: Desk) -> None:
    """Order is not trusted: what appears with a smaller number after a greater one was seen is found in the overlap."""
    edms = Edms([entry(10), entry(13)])
    visit(edms, desk)
    edms.entries.insert(0, entry(11))
    assert visit(edms, desk) == 1
    assert desk.numbers() == ["17-10", "17-13", "17-11"]


def test_a_broken_visit_goes_on_at_its_page(desk: Desk) -> None:
    """A page that fails ends the visit with the reason; the next one begins at that page, and nothing is lost."""
    edms = Edms([entry(n) for n in range(10, 16)], fails=503)
    with pytest.raises(TemporaryFailure) as failed:
        visit(edms, desk)
    assert (failed.value.stable_code, failed.value.http_status) == ("changes.http_503", 503)
    edms.fails = None
    edms.asked.clear()
    visit(edms, desk)
    assert sorted(filter(None, desk.numbers())) == [f"17-{n}" for n in range(10, 16)]
    assert parse_qs(urlsplit(edms.asked[0]).query) == {"after": ["0"], "page": ["2"]}


def test_a_visit_without_time_left_goes_on_later(desk: Desk) -> None:
    """A deadline ends a visit after a page; visits together read everything."""
    edms = Edms([entry(n) for n in range(10, 18)])
    visits = [visit(edms, desk, until=0.0) for _ in range(4)]
    assert visits == [2, 2, 2, 2]
    assert len(set(desk.numbers())) == 8


@given(
    st.lists(st.lists(st.integers(1, 40), max_size=6), min_size=1, max_size=6),
    st.integers(1, 4),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_each_change_is_handed_over_once(grown: list[list[int]], per_page: int, broken: list[bool]) -> None:
    """However a list grows between visits (in any order within the overlap), breaks off and is cut into pages: when a
    visit has come to its end, each entry was handed over exactly once.
    """
    desk, edms = Desk(rest_channel("http://127.0.0.1:1/")), Edms(per_page=per_page)
    for added, fails in zip(grown, broken, strict=False):
        edms.entries[:0] = [entry(n) for n in dict.fromkeys(added) if all(n != each["n"] for each in edms.entries)]
        edms.fails = 500 if fails else None
        try:
            visit(edms, desk, {"cursor": {"path": "n", "overlap": 50}})
        except TemporaryFailure:
            continue
    edms.fails = None
    visit(edms, desk, {"cursor": {"path": "n", "overlap": 50}})
    visit(edms, desk, {"cursor": {"path": "n", "overlap": 50}})
    assert sorted(filter(None, desk.numbers())) == sorted(each["number"] for each in edms.entries)


def test_others_documents_are_held_or_skipped(desk: Desk) -> None:
    """An entry about a document that the hub did not send goes to a person, or is passed over where that was said."""
    edms = Edms([entry(10, doc=5_000), entry(11)])
    visit(edms, desk)
    assert [verdict for verdict, _ in desk.held_back] == ["changes.unknown"]
    desk.held_back.clear()
    desk.mark = None
    visit(edms, desk, {"others": "skip"})
    assert (desk.held_back, desk.numbers()) == ([], ["17-11"])


def test_one_odd_entry_costs_itself(desk: Desk) -> None:
    """A state that the mapping does not know is held with its bytes; the entries beside it are taken in."""
    edms = Edms([entry(10), {"n": 11, "doc": 1, "state": "lost?"}, entry(12)])
    assert visit(edms, desk) == 2
    assert [(verdict, json.loads(body)["n"]) for verdict, body in desk.held_back] == [("poll.unreadable", 11)]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, b"<html>login</html>"), "changes.unreadable"),
        ((200, b'{"list": {"n": 1}}'), "changes.no_list"),
        ((200, b'{"list": [{"doc": 1, "state": "reg"}], "pages": 1}'), "changes.cursor"),
        ((200, b'{"list": []}'), "changes.pages"),
        ((401, b"{}"), "changes.http_401"),
        ((404, b"{}"), "changes.http_404"),
    ],
)
def test_an_answer_that_is_no_list_is_said(desk: Desk, answer: tuple[int, bytes], code: str) -> None:
    """What cannot be read ends the visit with a code, and the bookmark stays where it was."""
    edms = Edms(says=lambda _url: answer)
    with pytest.raises(TemporaryFailure) as failed:
        visit(edms, desk)
    assert (failed.value.stable_code, desk.mark) == (code, None)


def test_pages_by_address_and_by_token(desk: Desk) -> None:
    """A list may name its next page itself: as a URL, relative ones too, or as a token for a place in a URL."""
    pages = {
        "/changes?after=0": {"list": [entry(1)], "@next": "/more?p=b"},
        "/more?p=b": {"list": [entry(2)]},
        "/tokens?after=0": {"list": [entry(3)], "@next": "x/y"},
        "/tokens?t=x%2Fy": {"list": [entry(4)]},
    }
    edms = Edms()
    edms.says = lambda url: (200, json.dumps(pages[url.removeprefix("https://e.example.org")]).encode())
    base = "https://e.example.org"
    visit(edms, desk, {"url": base + "/changes?after={cursor}", "pages": {"next": "/@next"}})
    desk.mark = None
    token = {"next": "/@next", "token_url": base + "/tokens?t={token}"}
    visit(edms, desk, {"url": base + "/tokens?after={cursor}", "pages": token})
    assert desk.numbers() == ["17-1", "17-2", "17-3", "17-4"]


def test_a_list_without_an_end_is_given_up(desk: Desk) -> None:
    """A page that names itself as the next one ends the visit with a code."""
    edms = Edms()
    edms.says = lambda _url: (200, json.dumps({"list": [entry(1)], "next": "/changes?after=0"}).encode())
    with pytest.raises(TemporaryFailure) as failed:
        visit(edms, desk, {"url": "https://e.example.org/changes?after={cursor}", "pages": {"next": "next"}})
    assert failed.value.stable_code == "changes.endless"


@pytest.mark.parametrize(
    "said", ["https://evil.example.org/x", "//evil.example.org/", "http://e.example.org/x", "x:\0"]
)
def test_a_following_page_elsewhere_is_not_asked_for(desk: Desk, said: str) -> None:
    """Another host, or the same without TLS: credentials do not go there, and the visit ends with a code."""
    edms = Edms(says=lambda _url: (200, json.dumps({"list": [entry(1)], "next": said}).encode()))
    with pytest.raises(TemporaryFailure) as failed:
        visit(edms, desk, {"url": "https://e.example.org/changes?after={cursor}", "pages": {"next": "next"}})
    assert (failed.value.stable_code, len(edms.asked)) == ("changes.elsewhere", 1)


def test_moments_as_a_cursor(desk: Desk) -> None:
    """A list by time is asked for from an hour before the latest moment, as that system writes moments."""
    written = "%d.%m.%Y %H:%M:%S"
    cursor = {"type": "moment", "path": "at", "date": written}
    edms = Edms()
    answered = {"list": [{**entry(1), "at": "02.03.2026 12:00:00"}, {**entry(2), "at": "01.01.2099 00:00:00"}]}
    edms.says = lambda _url: (200, json.dumps(answered).encode())
    changed = {"url": "https://e.example.org/changes?since={cursor}", "cursor": cursor, "pages": None}
    visit(edms, desk, changed)
    visit(edms, desk, changed)
    assert edms.asked[1].endswith("since=02.03.2026%2011%3A00%3A00")
    assert desk.numbers() == ["17-1", "17-2"]


def channel_of(url: str, tmp_path: Path, **more: Any) -> Channel:
    """A channel whose list of changes stands on a server of the test's."""
    changes = {**CHANGES, "url": url.replace("/in", "/changes") + "?after={cursor}", "pages": None}
    plain = rest_channel(
        url,
        receipt="changes",
        auth={"type": "bearer", "token": secret_file(tmp_path)},
        template={**TEMPLATE, "changes": {**changes, **more}},
    )
    return plain.model_copy(update={"dialect": "template"})


@contextmanager
def edms_with(entries: list[dict[str, Any]] | str, files: dict[str, bytes]) -> Iterator[Server]:
    """A system with a list, or these words in its place, and files behind the channel's credential."""

    def script(conn: socket.socket) -> None:
        while True:
            head, _ = read_request(conn)
            if not head:
                return
            path = head.split(b" ")[1].decode()
            if f"Bearer {SECRET}".encode() not in head:
                conn.sendall(http("401 No", b""))
            elif path.startswith("/changes"):
                conn.sendall(http("200 OK", json.dumps({"list": entries}).encode()))
            else:
                conn.sendall(files.get(path, http("404 No", b"")))

    with serving(lambda _server, conn: script(conn)) as server:
        yield server


def collect(server: Server, desk: Desk, tmp_path: Path, **more: Any) -> int:
    """One visit over HTTP."""
    channel = channel_of(server.url(), tmp_path, **more)
    adapter = RestAdapter(AdapterContext(attachments=MemoryAttachments()))
    assert adapter.collects(channel)
    with adapter.session(channel) as session:
        return session.collect(desk, 5.0)


def answered(*files: dict[str, str], **more: Any) -> dict[str, Any]:
    """An entry that brings an answer to the appeal."""
    return entry(7, state="done", files=list(files), **more)


@pytest.mark.parametrize(
    ("date", "at", "asked"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2026-03-02T12:00:00Z", "2026-03-02T11:00:00Z"),
        ("%Y-%m-%d %H:%M:%S", "2026-03-02 12:00:00", "2026-03-02 11:00:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-03-02T12:00:00+0000", "2026-03-02T13:00:00+0200"),
        (None, "2026-03-02T14:00:00+02:00", "2026-03-02T11:00:00Z"),
    ],
)
def test_moments_are_asked_for_in_the_zone_that_they_are_written_in(
    desk: Desk, date: str | None, at: str, asked: str
) -> None:
    """A literal Z is UTC, both ways; without a zone it is Kyiv's time; an hour of overlap is an hour."""
    edms = Edms(says=lambda _url: (200, json.dumps({"list": [{**entry(1), "at": at}]}).encode()))
    cursor = {"type": "moment", "path": "at", **({"date": date} if date else {})}
    changed = {"url": "https://e.example.org/?s={cursor}", "cursor": cursor, "pages": None}
    visit(edms, desk, changed)
    visit(edms, desk, changed)
    assert parse_qs(urlsplit(edms.asked[1]).query)["s"] == [asked]


def test_files_are_fetched_with_the_credentials(desk: Desk, tmp_path: Path) -> None:
    """A file of an answer is fetched from where the answer says, with the channel's credential; its name and kind come
    from the answer, the header or the address. An answer that is only a file says so.
    """
    files = {
        "/files/1.pdf": http("200 OK", PDF, Content_Type="application/octet-stream"),
        "/files/2": http(
            "200 OK", b"scan", Content_Type="image/png", Content_Disposition='attachment; filename="a/b.png"'
        ),
    }
    said = answered({"href": "/files/1.pdf"}, {"href": "/files/2"})
    with edms_with([said], files) as server:
        collect(server, desk, tmp_path)
    (statement,) = desk.statements
    assert isinstance(statement.body, AnswerBody)
    assert statement.body.text == "Відповідь надано у доданому файлі."
    kinds = [(each.name, each.media_type) for each in statement.attachments]
    assert kinds == [("1.pdf", "application/pdf"), ("a_b.png", "image/png")]
    assert desk.kept == {"1.pdf": PDF, "a_b.png": b"scan"}


def test_a_file_that_cannot_be_had_costs_itself(desk: Desk, tmp_path: Path) -> None:
    """Not there, at a stranger's, or a word that is no address: the answer is taken in, and a person hears of each."""
    said = answered(
        {"href": "/gone.pdf"},
        {"href": "https://evil.example.org/x"},
        {"href": "//[x"},
        {"name": "nothing"},
        text="Так.",
    )
    with edms_with([said], {}) as server:
        assert collect(server, desk, tmp_path) == 1
    (statement,) = desk.statements
    assert (statement.attachments, statement.unclear is not None) == ((), True)
    for words in (
        "/gone.pdf: HTTP 404",
        "evil.example.org is no host of this channel",
        "entry 3 has no href",
        "names no address",
    ):
        assert words in (statement.unclear or "")


def test_a_file_that_may_come_later_is_waited_for(desk: Desk, tmp_path: Path) -> None:
    """A server that is busy ends the visit; nothing is taken in without the file, and the next visit brings both."""
    files = {"/f.pdf": http("503 Busy", b"")}
    with edms_with([answered({"href": "/f.pdf"})], files) as server:
        with pytest.raises(TemporaryFailure) as busy:
            collect(server, desk, tmp_path)
        assert (busy.value.stable_code, desk.statements) == ("file.try_later", [])
        files["/f.pdf"] = http("200 OK", PDF)
        collect(server, desk, tmp_path)
    assert [each.name for each in desk.statements[0].attachments] == ["f.pdf"]


def test_a_file_that_is_waited_for_holds_nobody_up(desk: Desk, tmp_path: Path) -> None:
    """Entries beside one whose file cannot be had now are taken in; the list is read again from before it."""
    files = {"/f.pdf": http("503 Busy", b"")}
    entries = [answered({"href": "/f.pdf"}), entry(8), entry(9)]
    with edms_with(entries, files) as server:
        for _ in range(2):
            with pytest.raises(TemporaryFailure):
                collect(server, desk, tmp_path)
        assert (desk.numbers(), desk.mark) == (["17-8", "17-9"], None)
        files["/f.pdf"] = http("200 OK", PDF)
        collect(server, desk, tmp_path)
    assert desk.numbers() == ["17-8", "17-9", "17-7"]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (base64.b64encode(PDF).decode(), PDF),
        ("data:application/pdf;base64," + base64.b64encode(PDF).decode(), PDF),
        (base64.urlsafe_b64encode(b"\xfb\xff").decode().rstrip("="), b"\xfb\xff"),
        (base64.encodebytes(PDF * 10).decode(), PDF * 10),
        ("не base64", None),
    ],
)
def test_files_in_the_answer(desk: Desk, tmp_path: Path, content: str, kept: bytes | None) -> None:
    """Bytes in base64 as systems write it; what is none costs the file, and a person hears of it."""
    means = {**CHANGES["means"], "files": {"each": "files", "content": "bytes", "name": "name"}}
    said = answered({"bytes": content, "name": "f.pdf"}, text="Так.")
    with edms_with([said], {}) as server:
        collect(server, desk, tmp_path, means=means)
    assert desk.kept.get("f.pdf") == kept
    assert ("no base64" in (desk.statements[0].unclear or "")) is (kept is None)


def test_a_poll_brings_files_too(tmp_path: Path) -> None:
    """The answer to a question about one message may bring files: they are put into the hub's store."""
    store = MemoryAttachments()
    body = json.dumps({"state": "done", "number": "1", "date": "2026-03-02", "text": "Так.", "f": "/f.pdf"}).encode()
    files = {"/docs/1": http("200 OK", body), "/f.pdf": http("200 OK", PDF)}
    with edms_with([], files) as server:
        poll = {**CHANGES["means"], "files": {"url": "f"}}
        channel = rest_channel(
            server.url(),
            receipt="poll",
            status_url=server.url("/docs/{external_id}"),
            auth={"type": "bearer", "token": secret_file(tmp_path)},
            template={**TEMPLATE, "poll": poll},
        ).model_copy(update={"dialect": "template"})
        with RestAdapter(AdapterContext(attachments=store)).session(channel) as session:
            outcome = session.poll(delivery(appeal(), channel, external_id="1"), 5.0)
    assert outcome.kind is OutcomeKind.DELIVERED
    (statement,) = outcome.reported
    (file,) = statement.attachments
    assert (file.name, statement.fetched, store.size(file.sha256)) == ("f.pdf", (file,), len(PDF))


def test_an_answer_in_parts(tmp_path: Path) -> None:
    """multipart/mixed: the part of JSON is the answer, the others are its files; one that is only a file says so."""
    said = json.dumps({"state": "done", "number": "1", "date": "2026-03-02"}).encode()
    body = b"\r\n".join(
        [
            *(b"--b", b"Content-Type: application/json", b"", said),
            *(b"--b", b"Content-Type: application/pdf", b'Content-Disposition: attachment; filename="a.pdf"', b"", PDF),
            *(b"--b", b"Content-Type: image/png", b"Content-Transfer-Encoding: base64", b"", b"c2Nhbg=="),
            b"--b--",
        ]
    )
    store = MemoryAttachments()
    with edms_with([], {"/docs/1": http("200 OK", body, Content_Type="multipart/mixed; boundary=b")}) as server:
        channel = rest_channel(
            server.url(),
            receipt="poll",
            status_url=server.url("/docs/{external_id}"),
            auth={"type": "bearer", "token": secret_file(tmp_path)},
            template={**TEMPLATE, "poll": {**CHANGES["means"], "files": None}},
        ).model_copy(update={"dialect": "template"})
        with RestAdapter(AdapterContext(attachments=store)).session(channel) as session:
            outcome = session.poll(delivery(appeal(), channel, external_id="1"), 5.0)
    (statement,) = outcome.reported
    assert isinstance(statement.body, AnswerBody)
    assert [(each.name, each.media_type, each.size) for each in statement.attachments] == [
        ("a.pdf", "application/pdf", len(PDF)),
        ("файл", "image/png", 4),
    ]
    assert (statement.body.text, statement.raw.body) == ("Відповідь надано у доданому файлі.", said)


@contextmanager
def asking(server: Server, tmp_path: Path) -> Iterator[TemplateSession]:
    """A conversation with a system whose list names documents only."""
    changes = {"url": server.url("/changes?a={cursor}"), "rows": "list", "cursor": {"path": "n"}, "document": "doc"}
    channel = rest_channel(
        server.url(),
        receipt="poll",
        status_url=server.url("/docs/{external_id}"),
        auth={"type": "bearer", "token": secret_file(tmp_path)},
        template={**TEMPLATE, "poll": CHANGES["means"], "changes": {**changes, "others": "skip"}},
    ).model_copy(update={"dialect": "template"})
    with RestAdapter(AdapterContext(attachments=MemoryAttachments())).session(channel) as session:
        assert isinstance(session, TemplateSession)
        yield session


def test_only_which_message_has_changed(desk: Desk, tmp_path: Path) -> None:
    """A list that names documents only: each of ours is asked for at the address of its state."""
    body = json.dumps({"state": "reg", "number": "17-3", "date": "2026-03-02"}).encode()
    entries, files = [{"n": 1, "doc": 3}, {"n": 2, "doc": 5_000}], {"/docs/3": http("200 OK", body)}
    with edms_with(entries, files) as server, asking(server, tmp_path) as session:
        assert session.collect(desk, 5.0) == 1
    assert desk.numbers() == ["17-3"]


def test_the_answer_over_which_a_visit_failed_is_kept(desk: Desk, tmp_path: Path) -> None:
    """People see the page that came instead of a list, and of one document that could not be asked for its answer, not
    that of the next one.
    """
    body = json.dumps({"state": "reg", "number": "17-4", "date": "2026-03-02"}).encode()
    files = {"/docs/3": http("503 Busy", b"no room for 3"), "/docs/4": http("200 OK", body)}
    with edms_with([{"n": 1, "doc": 3}, {"n": 2, "doc": 4}], files) as server, asking(server, tmp_path) as session:
        with pytest.raises(TemporaryFailure):
            session.collect(desk, 5.0)
        assert (desk.numbers(), b"no room for 3" in (session.heard() or b"")) == (["17-4"], True)
    with edms_with("<html>login</html>", {}) as server, asking(server, tmp_path) as session:
        with pytest.raises(TemporaryFailure):
            session.collect(desk, 5.0)
        assert b"<html>login</html>" in (session.heard() or b"")


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"url": "https://e.example.org/all"}, {}, "no {cursor}"),
        ({"pages": None}, {}, "{page} in the URL"),
        ({"others": "skip"}, {}, "others: skip needs poll"),
        ({"means": {"status": "accepted", "number": "n"}}, {}, "which message an entry is about"),
        ({"document": "doc"}, {}, "document or means"),
        ({"document": "doc", "means": None, "others": "hold"}, {}, "document is asked for at status_url"),
        ({"url": "http://e.example.org/?a={cursor}&p={page}"}, {}, "http://"),
        ({"cursor": {"type": "moment", "path": "n", "date": "%H:%M"}}, {}, "day, month and year"),
        ({}, {"receipt": "callback"}, "receipt: changes"),
        (None, {}, "receipt: changes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any] | None, more: dict[str, Any], words: str) -> None:
    """What would read everything each time, lose a word or ask for nothing is refused when the registry is read."""
    section = dict(TEMPLATE) if changes is None else {**TEMPLATE, "changes": {**CHANGES, **changes}}
    settings = {"url": "https://edms.example.org/in", "receipt": "changes", "template": section, **more}
    with pytest.raises(ValidationError, match=words.replace("{", r"\{").replace("}", r"\}")):
        RestSettings.model_validate(settings)


PAGE = {"list": [{"n": 1, "doc": 1}, {"n": 2, "doc": 2}], "pages": 2, "next": "/p2"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"rows": "lst"}, "0 are found at lst"),
        ({"cursor": {"path": "m"}}, "no place that can be read at m"),
        ({"pages": {"of": "page"}}, "comes 2, and nothing is found"),
        ({"url": "https://e.example.org/?a={cursor}", "pages": {"next": "nxt"}}, "and nothing is found"),
    ],
)
def test_an_example_shows_wrong_places(changes: dict[str, Any], words: str | None) -> None:
    """A page of theirs beside the section: slips in rows, cursor and pages are refused when the registry is read."""
    following = "/p2" if "next" in changes.get("pages", {}) else "2"
    section = {**CHANGES, "example": {"page": PAGE, "entries": 2, "following": following}, **changes}
    if words is None:
        assert ChangesSection.model_validate(section).example is not None
        return
    with pytest.raises(ValidationError, match=words):
        ChangesSection.model_validate(section)


def test_a_pointer_names_members_with_dots() -> None:
    """A place that begins with a slash is a JSON Pointer (RFC 6901): dots, slashes and tildes in names."""
    tree = {"@odata.nextLink": "u", "a/b": {"c~d": [1, {"e": "f"}]}}
    assert [find(tree, path) for path in ("/@odata.nextLink", "/a~1b/c~0d/1/e", "a/b")] == ["u", "f", None]


def test_words_of_a_system_in_between_are_heard(desk: Desk) -> None:
    """That the addressee's side has it is stated; that it could not be handed over goes to a person."""
    means = {**CHANGES["means"], "status": {"path": "state", "values": {"got": "received", "lost": "permanent"}}}
    edms = Edms([entry(1, doc=1, state="got"), entry(2, doc=2, state="lost")])
    visit(edms, desk, {"means": means})
    (statement,) = desk.statements
    assert statement.body == ReceiptBody(status=ReceiptStatus.DELIVERED, at=statement.at)
    assert [(verdict, json.loads(body)["n"]) for verdict, body in desk.held_back] == [("answer.permanent", 2)]


def test_an_echo_that_is_none_hides_no_document(desk: Desk) -> None:
    """An entry whose echo is not ours is about the document that its id names."""
    means = {**CHANGES["means"], "echo": "ours"}
    visit(Edms([entry(1, ours="-"), entry(2, ours="")]), desk, {"means": means, "others": "skip"})
    assert (len(desk.statements), [verdict for verdict, _ in desk.held_back]) == (1, ["answer.foreign"])


def test_a_leap_of_the_cursor_goes_to_a_person(desk: Desk) -> None:
    """One entry with an absurd number moves the list's end nowhere: what comes after is still read."""
    edms = Edms([entry(10), entry(999_999_999_999_999_999)])
    visit(edms, desk)
    edms.entries.append(entry(11))
    visit(edms, desk)
    assert desk.numbers() == ["17-10", "17-999999999999999999", "17-11"]
    assert {verdict for verdict, _ in desk.held_back} == {"changes.leap"}


def test_a_bookmark_of_another_list_is_none(desk: Desk) -> None:
    """Another address, cursor or way of pages: all is read again from the start, and nothing of the old one is used."""
    edms = Edms([entry(n) for n in range(10, 16)], fails=503)
    with pytest.raises(TemporaryFailure):
        visit(edms, desk)
    edms.fails, edms.asked = None, []
    visit(edms, desk, {"url": "https://other.example.org/changes?after={cursor}&page={page}"})
    assert edms.asked[0] == "https://other.example.org/changes?after=0&page=1"
    assert len(set(desk.numbers())) == 6


def test_a_page_that_has_expired_begins_the_reading_anew(desk: Desk) -> None:
    """A token that was kept and is no more: 410 once, then from the beginning of this reading."""
    base = "https://e.example.org"
    first = {"list": [entry(1)], "next": "t1"}
    edms = Edms(says=lambda url: (200, json.dumps(first).encode()) if "after" in url else (503, b""))
    pages = {"next": "next", "token_url": base + "/more?t={token}"}
    changed = {"url": base + "/changes?after={cursor}", "pages": pages}
    with pytest.raises(TemporaryFailure):
        visit(edms, desk, changed)
    last = {"list": [entry(2)]}
    edms.says = lambda url: (200, json.dumps(last).encode()) if "after" in url else (410, b"")
    visit(edms, desk, changed)
    assert desk.numbers() == ["17-1", "17-2"]


def test_a_member_told_twice_is_heard_of(desk: Desk) -> None:
    """What cannot be believed costs itself, and a person hears of it; numbers stay as they were written."""
    said = b'"n": 1, "doc": 1, "state": "reg", "date": "2026-03-02", "x": 1.10, "number": 1, "number": 2'
    body = b'{"pages": 1, "list": [{' + said + b"}]}"
    visit(Edms(says=lambda _url: (200, body)), desk)
    (statement,) = desk.statements
    assert "number: it cannot be read, or is told twice" in (statement.unclear or "")
    assert b'"x":1.10' in statement.raw.body


def test_documents_are_asked_for_over_several_visits(desk: Desk) -> None:
    """A page with more documents than a visit has time for is gone through; one whose state is refused costs itself."""
    asked: list[str] = []
    ends = [0.0]

    def ask(found: Delivery, _deadline: float) -> Outcome:
        asked.append(found.external_id or "")
        ends[0] = time.monotonic()  # the time of this visit is over
        if found.external_id == "2":
            return Outcome(kind=OutcomeKind.TEMPORARY, code="poll.http_403", http_status=403)
        return Outcome(kind=OutcomeKind.DELIVERED)

    edms = Edms([entry(n, doc=n) for n in (1, 2, 3)], per_page=10)
    section = ChangesSection.model_validate({**CHANGES, "means": None, "document": "doc"})
    for _ in range(4):
        ends[0] = time.monotonic() + 2.0
        reading = Reading(get=edms.get, ask=ask, enclose=lambda reported, *_: reported, failed=lambda: None)
        reader = ChangesReader(section, None, reading, desk, ends[0])
        reader._left = lambda: ends[0] - time.monotonic()  # type: ignore[method-assign]
        reader.read()
    assert asked[:3] == ["1", "2", "3"]
    assert [verdict for verdict, _ in desk.held_back] == ["poll.http_403"]


def test_a_moment_before_all_others_is_none(desk: Desk) -> None:
    """Year 1, as .NET writes «no date», is no place in a list: the visit says so, and the next one does not break."""
    answered = {"list": [{**entry(1), "at": "0001-01-01T00:00:00"}]}
    edms = Edms(says=lambda _url: (200, json.dumps(answered).encode()))
    changed = {"url": "https://e.example.org/?s={cursor}", "cursor": {"type": "moment", "path": "at"}, "pages": None}
    for _ in range(2):
        with pytest.raises(TemporaryFailure, match="place in the list"):
            visit(edms, desk, changed)
    assert desk.numbers() == ["17-1"]
