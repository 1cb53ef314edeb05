"""Dialect ``template``: documents in the authority's own form, under its own names, laid down and taken."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.adapters.sftp.settings import SftpSettings
from hub.adapters.sftp.template import SftpTemplate
from hub.errors import ConfigurationError, NotFound, UnsupportedFeature
from hub.ports import Dating, Outcome, Prepared, RawInbound, ReportedStatus
from hub.protocols.sftp import FolderEntry, Sftp, StatusError
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AnswerBody, AppealEnvelope, Attachment, ReceiptBody
from hub.schemas.ids import CaseId, MessageId
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, delivery, parcel
from tests.adapters.sftp.conftest import TEMPLATE, Box

SECS = 20.0
REQUEST = {
    "Номер": "$body.reference",
    "Дата": {"$from": "$body.received_at", "date": "%d.%m.%Y"},
    "Заявник": "$body.applicant.name.surname",
    "Суть": "$body.text",
    "Файли": {"$from": "$body.topics", "join": ", "},
}
LEFT = ["channel", "kind", "sign", "applicant", "attachments", "topics"]
CSV: dict[str, Any] = {
    "format": "csv",
    "name": "{date}/ZV-{reference}.csv",
    "files": "{date}/ZV-{reference}/{n}.{ext}",
    "flag": "{date}/ZV-{reference}.ready",
    "csv": {"encoding": "windows-1251"},
    "leaves_out": LEFT,
    "request": REQUEST,
    "answers": {"names": "*.csv", "flag": "{stem}.ok"},
    "answer": {
        "status": {"path": "Стан", "values": {"зареєстровано": "registered", "відмовлено": "refused"}},
        "echo": "Номер",
        "number": "Вхідний номер",
        "date": {"path": "Дата", "date": "%d.%m.%Y"},
        "ground": {"path": "Причина", "values": {"не наше": "wrong_addressee"}, "default": "other"},
    },
}


DIRECT: dict[str, Any] = {
    **CSV,
    "name": "ZV-{reference}.csv",
    "files": "{message_id}-{n}.{ext}",
    "flag": "{name}.ready",
}


@dataclass
class Desk(NoDesk):
    """A desk that knows one delivery by all its names, and keeps what it is given."""

    about: Delivery
    spoken: list[ReportedStatus] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def reported(self, spoken: ReportedStatus) -> None:
        known = spoken.in_reply_to == self.about.message_id or spoken.reference == "К-17/26"
        if not known:
            failure = NotFound("No such appeal.", code="inbound.unknown_case")
            failure.journalled = True
            raise failure
        self.spoken.append(spoken)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        mine = (self.about.message_id, self.about.external_id, self.about.case_id)
        return self.about if (message_id or external_id or case_id) in mine else None

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self.holds.append((verdict, detail, raw.body.decode()))

    def keep(self, source: Any, *, media_type: str, name: str, party: str) -> Attachment:
        self.kept.append(name)
        return Attachment(sha256="0" * 64, size=len(b"".join(source)), media_type=media_type, name=name)


def numbered(files: tuple[Attachment, ...] = (), text: str = "Немає води.") -> AppealEnvelope:
    """An appeal with a number of the centre's."""
    made = appeal(files)
    return made.model_copy(update={"body": made.body.model_copy(update={"reference": "К-17/26", "text": text})})


def ready(box: Box, channel: Channel, envelope: AppealEnvelope) -> Prepared:
    """A message, made ready."""
    return box.adapter.prepare(parcel(envelope, box.adapter.rendering(channel)), channel)


def send(box: Box, channel: Channel, prepared: Prepared) -> Outcome:
    """One attempt over a connection of its own."""
    with box.adapter.session(channel) as session:
        return session.send(prepared, SECS)


def scan(box: Box, data: bytes) -> Attachment:
    """A file in the hub's store."""
    sha256, size = box.attachments.put(iter([data]), limit=len(data))
    return Attachment(sha256=sha256, size=size, media_type="application/pdf", name="../скан.pdf")


def tree(root: Path) -> list[str]:
    """All files below a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def collect(box: Box, channel: Channel, desk: Desk) -> int:
    """One visit to the outbox."""
    with box.adapter.session(channel) as session:
        return session.collect(desk, SECS)


def put_away(box: Box, folder: str) -> list[str]:
    """Names in one of the hub's folders, without what the hub put before them."""
    return sorted(path.name[23:] for path in (box.outbox / folder).iterdir())


def test_a_message_becomes_their_document_with_files_and_a_flag(box: Box) -> None:
    """Under their names, in their form; nothing temporary is left, and nothing of what people called the files."""
    channel = box.channel("template", template=CSV)
    prepared = ready(box, channel, numbered((scan(box, b"one"), scan(box, b"two"), scan(box, b"one"))))
    outcome = send(box, channel, prepared)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "ZV-К-17_26.csv")
    day = "2026-03-02"
    assert tree(box.inbox) == [
        f"{day}/ZV-К-17_26.csv",
        f"{day}/ZV-К-17_26.ready",
        f"{day}/ZV-К-17_26/001.pdf",
        f"{day}/ZV-К-17_26/002.pdf",
    ]
    assert (box.inbox / day / "ZV-К-17_26" / "002.pdf").read_bytes() == b"two"
    document = (box.inbox / day / "ZV-К-17_26.csv").read_bytes().decode("cp1251")
    assert document == (
        "Номер;Дата;Заявник;Суть;Файли\r\nК-17/26;02.03.2026;Канаркенко;Немає води.;utilities.water\r\n"
    )
    assert box.adapter.outline(prepared, channel)[-1] == f"put {box.inbox}/{day}/ZV-К-17_26.ready"


def test_the_same_again_is_a_duplicate_and_raises_a_missing_flag(box: Box) -> None:
    """What an earlier attempt laid down is known by its bytes; what it did not come to is done."""
    channel = box.channel("template", template=CSV)
    prepared = ready(box, channel, numbered())
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    flag = next(box.inbox.rglob("*.ready"))
    flag.unlink()
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    assert flag.exists()


@pytest.mark.parametrize("verify", ["hash", "size"])
def test_another_message_with_the_same_name_is_never_written_over(box: Box, verify: str) -> None:
    """Two appeals with one number of the centre's: the second goes to a person, also where only sizes are asked for."""
    channel = box.channel("template", template=CSV, verify=verify)
    send(box, channel, ready(box, channel, numbered(text="Перше.")))
    before = {name: (box.inbox / name).read_bytes() for name in tree(box.inbox)}
    outcome = send(box, channel, ready(box, channel, numbered(text="Друге.")))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sftp.foreign")
    assert {name: (box.inbox / name).read_bytes() for name in tree(box.inbox)} == before


@pytest.mark.parametrize("place", ["taken/ZV-К-17_26.csv", "taken/2026-03-02/ZV-К-17_26.csv"])
def test_what_they_took_is_looked_for_among_what_they_took(box: Box, tmp_path: Path, place: str) -> None:
    """The same document there is a duplicate; another one of the same name is a person's matter."""
    channel = box.channel("template", template=CSV, taken=str(tmp_path / "taken"))
    prepared = ready(box, channel, numbered())
    (tmp_path / place).parent.mkdir(parents=True)
    send(box, channel, prepared)
    next(box.inbox.rglob("*.csv")).rename(tmp_path / place)
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    other = send(box, channel, ready(box, channel, numbered(text="Інше.")))
    assert (other.kind, other.code) == (OutcomeKind.PERMANENT, "sftp.foreign")


def test_an_attempt_that_broke_is_resumed(box: Box) -> None:
    """Files that are there already, whole or in part, are not in the way of the next attempt."""
    channel = box.channel("template", template=CSV)
    file = scan(box, b"0123456789")
    prepared = ready(box, channel, numbered((file, scan(box, b"second"))))
    folder = box.inbox / "2026-03-02"
    (folder / "ZV-К-17_26").mkdir(parents=True)
    (folder / "ZV-К-17_26" / "001.pdf").write_bytes(b"0123456789")
    (folder / "ZV-К-17_26" / f".tmp-{prepared.message_id}-2").write_bytes(b"sec")
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    assert (folder / "ZV-К-17_26" / "002.pdf").read_bytes() == b"second"
    assert not [name for name in tree(box.inbox) if ".tmp" in name]


def test_a_foreign_file_stops_the_message_before_its_document(box: Box) -> None:
    """A document without its files would be half a message."""
    channel = box.channel("template", template=CSV)
    folder = box.inbox / "2026-03-02" / "ZV-К-17_26"
    folder.mkdir(parents=True)
    (folder / "001.pdf").write_bytes(b"somebody's")
    outcome = send(box, channel, ready(box, channel, numbered((scan(box, b"ours"),))))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sftp.foreign")
    assert tree(box.inbox) == ["2026-03-02/ZV-К-17_26/001.pdf"]


def test_servers_that_take_files_at_once_get_them_directly(box: Box) -> None:
    """``lay: direct``: files, document and flag under their own names, in this order."""
    channel = box.channel("template", template=DIRECT, lay="direct")
    prepared = ready(box, channel, numbered((scan(box, b"one"),)))
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    assert len(tree(box.inbox)) == 3


def test_laid_directly_only_its_own_file_is_written_over(box: Box) -> None:
    """A smaller file under the message's own name is its upload that broke off; under a name that another message can
    have it is left as it is, also for what was made ready before the names were checked.
    """
    channel = box.channel("template", template=DIRECT, lay="direct")
    prepared = ready(box, channel, numbered((scan(box, b"0123456789"),)))
    begun = box.inbox / f"{prepared.message_id}-001.pdf"
    begun.write_bytes(b"0123")
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    assert begun.read_bytes() == b"0123456789"
    shared = box.channel("template", template={**DIRECT, "files": "{reference}-{n}.{ext}", "name": "{message_id}.csv"})
    prepared = ready(box, shared, numbered((scan(box, b"0123456789"),)))
    foreign = box.inbox / "К-17_26-001.pdf"
    foreign.write_bytes(b"0123")
    outcome = send(box, channel, prepared)
    assert (outcome.kind, outcome.code, foreign.read_bytes()) == (OutcomeKind.PERMANENT, "sftp.foreign", b"0123")


def test_a_file_that_came_meanwhile_is_not_written_over(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Laid directly, between the look and the writing: what came first stays, and the next attempt finds it."""
    channel = box.channel("template", template=DIRECT, lay="direct")
    prepared = ready(box, channel, numbered())
    document = box.inbox / "ZV-К-17_26.csv"
    look = Sftp.look

    def looked(sftp: Sftp, path: str | bytes) -> FolderEntry | None:
        found = look(sftp, path)
        if found is None and str(path).endswith(".csv"):
            document.write_bytes(b"another's")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Sftp, "look", looked)
        outcome = send(box, channel, prepared)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.write_refused")
    assert document.read_bytes() == b"another's"
    assert send(box, channel, prepared).code == "sftp.foreign"


def test_a_bare_name_in_taken_that_others_have_proves_nothing(box: Box, tmp_path: Path) -> None:
    """The id in a folder of the path is no proof for the bare name: another message is not taken for this one."""
    section = {**CSV, "name": "{message_id}/ZV-{reference}.csv"}
    channel = box.channel("template", template=section, taken=str(tmp_path / "taken"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "ZV-К-17_26.csv").write_bytes(b"another's")
    outcome = send(box, channel, ready(box, channel, numbered()))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sftp.foreign")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lay": "direct", "template": CSV}, "with lay: direct {message_id} must be in template.files"),
        ({"taken": "out/taken", "template": {**CSV, "name": "{message_id}/a.csv"}}, "in taken: must name the message"),
    ],
)
def test_names_that_their_way_of_taking_makes_unsafe_are_refused(box: Box, change: dict[str, Any], told: str) -> None:
    """Before the channel is used."""
    settings = {**box.channel("template").settings, "dialect": "template", **change}
    with pytest.raises(ValidationError, match=re.escape(told)):
        SftpSettings.model_validate(settings)


@pytest.mark.parametrize("flag", ["{name}", "ZV-{reference}/001.PDF"])
def test_a_flag_with_a_name_of_the_message_stops_it(box: Box, flag: str) -> None:
    """An empty file would stand for the document or a file of it."""
    section = {**CSV, "name": "ZV-{reference}.csv", "files": "ZV-{reference}/{n}.{ext}", "flag": flag}
    channel = box.channel("template", template=section)
    with pytest.raises(UnsupportedFeature, match="share a name"):
        ready(box, channel, numbered((scan(box, b"one"),)))


@pytest.mark.parametrize("form", ["json", "xml"])
def test_files_can_stand_in_the_document(box: Box, form: str) -> None:
    """``$item.content``: in base64 where the mapping puts them; the prepared bytes hold a mark only. What a citizen
    wrote in the form of a mark stays text.
    """
    data = bytes(range(256)) * 1_000
    file = scan(box, data)
    files = {"$each": "$attachments", "as": {"Name": "$item.name", "Data": "$item.content"}}
    text = f"<?hub-file {file.sha256}?> \\u0000{file.sha256}\\u0000"
    section = {
        "format": form,
        "name": "{message_id}",
        "request": {"A": {"Id": "$message_id", "Text": "$body.text", "File": files}},
        "leaves_out": [*(name for name in LEFT if name != "attachments"), "reference", "received_at"],
        "answer": TEMPLATE["answer"],
    }
    channel = box.channel("template", template=section)
    prepared = ready(box, channel, numbered((file,), text=text))
    assert len(prepared.body) < 3_000
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    (laid,) = box.inbox.iterdir()
    written = laid.read_text()
    assert re.findall(r"[A-Za-z0-9+/=]{1000,}", written) == [base64.b64encode(data).decode()]
    assert written.count(file.sha256) == 2
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE


def test_a_probe_tries_folders_of_the_inbox(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lets the hub write and make no folders is found out before the first message."""
    channel = box.channel("template", template=CSV)
    with box.adapter.session(channel) as session:
        session.probe(SECS)
        assert tree(box.inbox) == []
        make = Sftp.make_folder

        def deny(self: Sftp, path: str) -> None:
            if path.startswith(str(box.inbox)):
                raise StatusError(3, b"denied")
            make(self, path)

        monkeypatch.setattr(Sftp, "make_folder", deny)
        with pytest.raises(ConfigurationError, match="make folders in"):
            session.probe(SECS)


def answered(box: Box, name: str, content: str, *, flag: str | None = None) -> None:
    """Something in the outbox, with its flag."""
    (box.outbox / name).write_text(content)
    if flag is not None:
        (box.outbox / flag).touch()


def test_each_row_of_a_file_is_a_statement_and_a_bad_one_costs_itself(box: Box) -> None:
    """Three are taken in; the others reach a person each with its row, and the reason beside the file names them."""
    channel = box.channel("template", template=CSV)
    about = delivery(numbered(), channel, external_id="ZV-К-17_26.csv")
    rows = [
        "Номер;Стан;Вхідний номер;Дата;Причина",
        f"{about.message_id};зареєстровано;К-1;02.03.2026;",
        f"{about.case_id};зареєстровано;К-2;31.12.2098;",
        "ZV-К-17_26.csv;відмовлено;;;не наше",
        "К-17/26;зареєстровано;К-4;03.03.2026;",
        f"{MessageId(about.id)};зареєстровано;К-5;03.03.2026;",
        f"{about.message_id};хтозна;;;",
        ";зареєстровано;К-6;03.03.2026;",
        f"{about.message_id};зареєстровано",
    ]
    answered(box, "ANS 1.CSV", "\n".join(rows), flag="ans 1.ok")
    desk = Desk(about)
    assert collect(box, channel, desk) == 1
    said = [(type(each.body), getattr(each.body, "number", None), each.dated, each.reaches) for each in desk.spoken]
    assert said == [
        (ReceiptBody, "К-1", Dating.DAY, LegalClass.REGISTERED),
        (ReceiptBody, "К-2", Dating.NONE, LegalClass.REGISTERED),
        (ReceiptBody, None, Dating.NONE, LegalClass.REGISTERED),
        (ReceiptBody, "К-4", Dating.DAY, LegalClass.REGISTERED),
    ]
    assert desk.spoken[0].raw.body.decode() == rows[0] + "\n" + rows[1] + "\n"
    assert desk.spoken[1].unclear == "Not understood: date: 2098-12-31. The answer is kept as it came."
    assert [verdict for verdict, _, _ in desk.holds] == [
        "answer.no_receipt",
        "answer.no_receipt",
        "document.unreadable",
    ]
    assert desk.holds[0][2] == f"{rows[0]}\n{rows[6]}\n"
    (reason,) = (box.outbox / "refused").glob("*.reason.txt")
    text = reason.read_text()
    assert "4 of 8 statements were not taken in" in text
    assert [f"row {number}" in text for number in (6, 7, 8, 9)] == [True] * 4
    assert tree(box.outbox / "done") == []


def test_a_repeated_file_says_the_same_statements(box: Box) -> None:
    """A list that grows from day to day: a row that was there before is the same statement."""
    channel = box.channel("template", template=CSV)
    about = delivery(numbered(), channel)
    head, row = "Номер;Стан;Вхідний номер;Дата;Причина\n", f"{about.message_id};зареєстровано;К-1;02.03.2026;\n"
    desk = Desk(about)
    answered(box, "a.csv", head + row, flag="a.ok")
    answered(box, "b.csv", head + "\n" + row, flag="b.ok")
    assert collect(box, channel, desk) == 2
    assert len({(each.said_id, each.at) for each in desk.spoken}) == 1
    assert put_away(box, "done") == ["a.csv", "b.csv"]


def test_an_answer_in_a_folder_has_its_files(box: Box) -> None:
    """One document of the name that is agreed, all else in the folder belongs to it."""
    section = {
        "format": "xml",
        "name": "{message_id}.xml",
        "leaves_out": LEFT,
        "request": {"A": {"Id": "$message_id", "Text": "$body.text", "N": "$body.reference"}},
        "answer": {
            "status": {"path": "@state", "values": {"9": "answered"}},
            "echo": "Id",
            "number": "Number",
            "date": "Number.@date",
            "text": "Text",
        },
    }
    channel = box.channel("template", template={**section, "answers": {"names": "Відповідь*.xml"}})
    about = delivery(numbered(), channel)
    folder = box.outbox / "2026-12"
    folder.mkdir()
    (folder / "Відповідь 7.xml").write_text(
        f'<A state="9"><Id>{about.message_id}</Id><Number date="2026-03-03">7</Number><Text>Так.</Text></A>'
    )
    (folder / "скан.pdf").write_bytes(b"scan")
    (folder / ".done").touch()
    interim = f'<A state="9"><Id>{about.message_id}</Id><Text>…</Text></A>'
    answered(box, "Відповідь.xml", interim, flag="Відповідь.xml.done")
    answered(box, "readme.xml", "<A/>", flag="readme.xml.done")
    desk = Desk(about)
    assert collect(box, channel, desk) == 3
    answers = [(each.body, each.attachments) for each in desk.spoken if isinstance(each.body, AnswerBody)]
    assert {(body.text, body.stage, len(files)) for body, files in answers} == {
        ("…", "interim", 0),
        ("Так.", "final", 1),
    }
    assert desk.kept == ["скан.pdf"]
    assert [verdict for verdict, _, _ in desk.holds] == ["sftp.form"]


@pytest.mark.parametrize(
    ("form", "content", "code"),
    [
        ("xml", "<A><b></A>", "input.invalid"),
        ("xml", '<!DOCTYPE A [<!ENTITY e SYSTEM "file:///etc/passwd">]><A>&e;</A>', "input.invalid"),
        ("json", "{", "input.invalid"),
        ("csv", "Номер;Стан\n", "document.unreadable"),
    ],
)
def test_a_document_that_cannot_be_read_reaches_a_person_once(box: Box, form: str, content: str, code: str) -> None:
    """Whole, with the reason beside it; nothing of it is believed."""
    channel = box.channel("template", template={**CSV, "answers": {"format": form, "flag": "{stem}.ok"}})
    answered(box, "a.x", content, flag="a.ok")
    desk = Desk(delivery(numbered(), channel))
    assert collect(box, channel, desk) == 1
    assert [(verdict, body) for verdict, _, body in desk.holds] == [(code, content)]
    assert put_away(box, "refused") == ["a.x", "a.x.reason.txt"]


def test_an_answer_proves_no_more_than_its_channel(box: Box) -> None:
    """The weaker of what the channel and the mapping say."""
    channel = box.channel("template", template=CSV).model_copy(update={"legal_class": LegalClass.DELIVERED})
    about = delivery(numbered(), channel)
    rows = f"Номер;Стан;Вхідний номер;Дата;Причина\n{about.message_id};зареєстровано;К-1;02.03.2026;\n"
    answered(box, "a.csv", rows, flag="a.ok")
    desk = Desk(about)
    collect(box, channel, desk)
    assert [each.reaches for each in desk.spoken] == [LegalClass.DELIVERED]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "{date}.csv"}, "must name the message"),
        ({"name": "ZV-{reference}.csv", "request": {"Суть": "$body.text"}}, "must send .body.reference"),
        ({"kinds": ["appeal", "return"]}, "with several kinds"),
        ({"files": "{reference}/{ext}"}, "must tell messages and files apart"),
        ({"files": "{n}"}, "must tell messages and files apart"),
        ({"flag": "ready"}, "one flag for each message"),
        ({"flag": "{nam}.ready"}, "did you mean «name»"),
        ({"format": "yaml"}, "Input should be 'json', 'xml' or 'csv'"),
        ({"xml": {"xsd": "/etc/x.xsd"}}, "a schema is for format: xml"),
        ({"request": {**REQUEST, "Теми": "$body.topics"}}, "a column holds one value"),
        ({"request": {**REQUEST, "Хто": "$body.applicant"}}, "a column holds one value"),
        ({"request": {**REQUEST, "Хто": {"a": "$body.text"}}}, "a column holds one value"),
        ({"request": {**REQUEST, "Хто": "$body.aplicant.name.surname"}}, "did you mean «applicant»"),
        ({"format": "xml"}, "XML has one root"),
        ({"format": "xml", "request": {"A": {"b c": "$body.text", "n": "$body.reference"}}}, "no element and no"),
        ({"leaves_out": ["applicant.phones"]}, "an appeal has no"),
    ],
)
def test_a_section_that_cannot_work_is_refused(change: dict[str, Any], told: str) -> None:
    """Before it is used, with its place."""
    with pytest.raises(ValidationError, match=told):
        SftpTemplate.model_validate({**CSV, **change})


def test_two_faults_are_told_at_once_and_no_false_one() -> None:
    """A wrong setting beside a wrong path; ``$item.path`` is there, whatever else is wrong."""
    files = {"$from": {"$each": "$attachments", "as": "$item.path"}, "join": ", "}
    request = {**REQUEST, "Файли": files, "Хто": "$body.aplicant"}
    with pytest.raises(ValidationError) as caught:
        SftpTemplate.model_validate({**CSV, "format": "yaml", "request": request})
    assert [error["loc"] for error in caught.value.errors()] == [("format",), ("request", "Хто")]


def test_files_that_have_no_place_stop_the_message(box: Box) -> None:
    """Without ``files`` and without ``$item.content`` the bytes would be lost: the message stops, and says so."""
    section = {name: value for name, value in CSV.items() if name != "files"} | {"leaves_out": LEFT[:-2]}
    section["request"] = {**REQUEST, "Імена": {"$from": "$body.topics", "join": ", "}}
    channel = box.channel("template", template=section)
    with pytest.raises(UnsupportedFeature, match=r"no place for: attachments"):
        ready(box, channel, numbered((scan(box, b"x"),)))
    assert ready(box, channel, numbered()).files == ()


def test_dialect_section_outbox_and_answer_belong_together(box: Box) -> None:
    """The channel is refused by name, before it is used."""
    base = box.channel().settings
    without = {name: value for name, value in CSV.items() if name != "answer"}
    for settings in ({"template": CSV}, {}):
        dialect = "drop" if settings else "template"
        with pytest.raises(ValidationError, match="belong together"):
            SftpSettings.model_validate({**base, **settings, "dialect": dialect})
    with pytest.raises(ValidationError, match="outbox and the template's answer belong together"):
        SftpSettings.model_validate({**base, "template": without, "dialect": "template"})


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("json", '{"s": "9", "id": "%s", "t": "Так.", "f": [{"n": "а/б.pdf", "c": "c2Nhbg=="}, {"n": "x", "c": "!"}]}'),
        ("xml", "<a><s>9</s><id>%s</id><t>Так.</t><f><n>а/б.pdf</n><c>c2Nh\nbg==</c></f><f><n>x</n><c>!</c></f></a>"),
    ],
)
def test_files_in_an_answer_are_kept(box: Box, form: str, content: str) -> None:
    """In base64, as many as there are; one that is no base64 costs itself, and a person hears of it."""
    section = {
        **CSV,
        "answers": {"format": form, "flag": "{stem}.ok"},
        "answer": {
            "status": {"path": "s", "values": {"9": "answered"}},
            "echo": "id",
            "text": "t",
            "files": {"each": "f", "content": "c", "name": "n"},
        },
    }
    channel = box.channel("template", template=section)
    about = delivery(numbered(), channel)
    answered(box, "a.x", content % about.message_id, flag="a.ok")
    desk = Desk(about)
    collect(box, channel, desk)
    (spoken,) = desk.spoken
    assert [(file.name, file.size, file.media_type) for file in spoken.attachments] == [
        ("а_б.pdf", 4, "application/pdf")
    ]
    assert "x: its content is no base64" in (spoken.unclear or "")


def test_files_are_not_fetched_from_addresses(box: Box) -> None:
    """A mapping that names addresses is refused: over this way nothing is fetched."""
    answer = {**CSV["answer"], "files": {"url": "Файл"}}
    with pytest.raises(ValidationError, match="nothing is fetched here"):
        SftpTemplate.model_validate({**CSV, "answer": answer})


def test_secrets_are_not_said_in_documents(box: Box) -> None:
    """A document lies in a folder: a secret in it would be kept there and here."""
    with pytest.raises(ValidationError, match="secret"):
        SftpTemplate.model_validate({**CSV, "request": {**REQUEST, "Ключ": {"$secret": "env:KEY"}}})
