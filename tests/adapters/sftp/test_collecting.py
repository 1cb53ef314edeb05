"""What authorities lay into their outbox is taken once, whole, and put away; nothing in a listing is believed."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from hub.adapters.sftp.collecting import choose, claim_name
from hub.errors import HubError, NotFound, PeerChanged, SealRefused, TemporaryFailure, Unavailable
from hub.ports import Dating, RawInbound, Rendering, ReportedStatus
from hub.protocols.sftp import FolderEntry
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AppealEnvelope, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import ReceiptStatus
from hub.testing.desk import NoDesk
from hub.testing.samples import AUTHORITY, NOW, appeal, delivery, parcel, receipt, render
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.proxy import Proxy
from tests.adapters.sftp.sshd import make_key

SECS = 20.0


@dataclass
class RecordingDesk(NoDesk):
    """A desk that takes everything, unless it has something against it."""

    about: Delivery | None = None
    against: HubError | None = None
    envelopes: list[RawInbound] = field(default_factory=list)
    spoken: list[ReportedStatus] = field(default_factory=list)
    kept: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    holds: list[tuple[str, RawInbound]] = field(default_factory=list)

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self.holds.append((verdict, raw))

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        if self.against is not None:
            raise self.against
        self.envelopes.append(raw)

    def reported(self, spoken: ReportedStatus) -> None:
        if self.about is None:
            raise NotFound("No such appeal.", code="inbound.unknown_case")
        self.spoken.append(spoken)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        return self.about if self.about is not None and self.about.message_id == message_id else None

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        assert not isinstance(source, io.IOBase)
        data = b"".join(source)
        self.kept.append((party, name, media_type, data))
        return Attachment(sha256="0" * 64, size=len(data), media_type=media_type, name=name)


def collect(box: Box, sink: RecordingDesk, channel: Channel | None = None) -> int:
    """One visit, over a connection of its own."""
    with box.adapter.session(channel or box.channel()) as session:
        return session.collect(sink, SECS)


def lay(box: Box, name: str | bytes, content: bytes, *, mark: bool = True) -> Path:
    """A file in the outbox, with its marker."""
    path = box.outbox / os.fsdecode(name)
    path.write_bytes(content)
    if mark:
        path.with_name(path.name + ".done").touch()
    return path


def put_away(box: Box, folder: str) -> list[str]:
    """What is in ``done`` or ``refused``, without the part that the hub made up."""
    return sorted(name.split("-", 2)[2] for name in box.names(box.outbox / folder))


SEALED = render(receipt(appeal()), Rendering.JSON)


@pytest.mark.parametrize("rendering", [Rendering.JSON, Rendering.JWS, Rendering.XML])
def test_an_envelope_is_taken_once_and_put_away(box: Box, rendering: Rendering) -> None:
    """A sealed receipt in any of the three forms reaches the desk byte for byte, once, and lies in ``done`` then."""
    sealed, name = render(receipt(appeal()), rendering), f"r.{rendering}"
    lay(box, name, sealed)
    sink = RecordingDesk()
    assert [collect(box, sink), collect(box, sink)] == [1, 0]
    assert [raw.body for raw in sink.envelopes] == [sealed]
    assert put_away(box, "done") == [name]
    assert box.names(box.outbox) == ["done", "refused", "work"]


def test_what_has_no_marker_is_not_whole(box: Box) -> None:
    """Without its marker a file or folder is still being written; a name with a dot before it is in the making."""
    lay(box, "r.json", SEALED, mark=False)
    lay(box, ".hidden.json", SEALED)
    (box.outbox / "folder").mkdir()
    (box.outbox / "folder" / "envelope.json").write_bytes(SEALED)
    sink = RecordingDesk()
    assert collect(box, sink) == 0
    (box.outbox / "r.json.done").touch()
    (box.outbox / "folder" / ".done").touch()
    assert collect(box, sink) == 2
    assert len(sink.envelopes) == 2


def test_the_marker_of_the_last_file_does_not_speak_for_the_next(box: Box) -> None:
    """Markers go with their file, and those that were left alone are removed: the next file needs its own."""
    lay(box, "r.json", SEALED)
    (box.outbox / "next.json.done").touch()
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    lay(box, "r.json", SEALED[:10], mark=False)
    lay(box, "next.json", SEALED[:10], mark=False)
    assert collect(box, sink) == 0


def test_stable_is_what_was_not_written_to_by_the_servers_clock(box: Box) -> None:
    """With ``ready: stable`` a file is taken once it is old enough; whoever still writes to it keeps it there."""
    channel = box.channel(ready="stable", stable_secs=3_000)
    old = lay(box, "old.json", SEALED)
    lay(box, "new.json", SEALED)
    os.utime(old, (1, old.stat().st_mtime - 3_100))
    sink = RecordingDesk()
    assert collect(box, sink, channel) == 1
    assert put_away(box, "done") == ["old.json"]


def folder(box: Box, name: str, sealed: bytes, **files: bytes) -> None:
    """A message laid out as the hub lays out its own."""
    root = box.outbox / name
    (root / "attachments").mkdir(parents=True)
    (root / "envelope.json").write_bytes(sealed)
    for path, content in files.items():
        (root / "attachments" / path.replace("_", ".")).write_bytes(content)
    (root / ".done").touch()


def test_a_folder_brings_its_files(box: Box) -> None:
    """Files go to the desk before the envelope that names them, with type and name, for the party that it names."""
    folder(box, "answer", SEALED, a_pdf=b"%PDF", b_bin=b"")
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    assert sink.kept == [
        (AUTHORITY.code, "a.pdf", "application/pdf", b"%PDF"),
        (AUTHORITY.code, "b.bin", "application/octet-stream", b""),
    ]
    assert [raw.body for raw in sink.envelopes] == [SEALED]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_container_brings_its_files(box: Box, method: int) -> None:
    """The same in one file, packed by Python's zipfile."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as container:
        container.writestr("envelope.json", SEALED)
        container.writestr("attachments/a.pdf", b"%PDF" * 100_000)
        container.writestr("../../etc/passwd", b"never written anywhere")
    lay(box, "answer.asice", data.getvalue())
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    assert [(name, len(content)) for _, name, _, content in sink.kept] == [("a.pdf", 400_000)]
    assert [raw.body for raw in sink.envelopes] == [SEALED]


def test_our_own_layout_can_come_back(box: Box) -> None:
    """What the hub lays down in either dialect, it reads: both sides may use one program."""
    for dialect in ("drop", "asice"):
        channel = box.channel(dialect, inbox=str(box.outbox), outbox=None)
        envelope = appeal()
        prepared = box.adapter.prepare(parcel(envelope, Rendering.BOTH), channel)
        with box.adapter.session(channel) as session:
            session.send(prepared, SECS)
        if dialect == "asice":
            (box.outbox / f"{prepared.message_id}.asice.done").touch()
    sink = RecordingDesk()
    assert collect(box, sink) == 2
    assert len(sink.envelopes) == 2


def test_plain_words_are_understood(box: Box) -> None:
    """A system that cannot make envelopes writes ``message_id`` and a receipt; it proves what the channel can."""
    about: AppealEnvelope = appeal()
    channel = box.channel().model_copy(update={"legal_class": LegalClass.DELIVERED})
    at = NOW.isoformat()
    lay(
        box,
        "r.json",
        f'{{"message_id":"{about.header.message_id}","receipt":'
        f'{{"status":"registered","at":"{at}","number":"К-1","date":"2026-03-02"}}}}'.encode(),
    )
    sink = RecordingDesk(about=delivery(about, channel))
    assert collect(box, sink, channel) == 1
    (spoken,) = sink.spoken
    assert (spoken.in_reply_to, spoken.reaches) == (about.header.message_id, LegalClass.DELIVERED)
    assert getattr(spoken.body, "status", None) is ReceiptStatus.REGISTERED
    assert len(spoken.said_id) == 64


@pytest.mark.parametrize(
    ("moment", "claims", "asks"),
    [
        ('"at":"0001-01-01T00:00:00Z",', datetime(1, 1, 1, tzinfo=UTC), False),
        ('"at":"9999-12-31T23:59:59+02:00",', datetime(9999, 12, 31, 21, 59, 59, tzinfo=UTC), False),
        ('"at":"2026-03-02",', datetime(2026, 3, 2, tzinfo=UTC), False),
        ('"at":"вчора",', None, True),
        ('"at":7,', None, True),
        ("", None, True),
    ],
)
def test_a_moment_that_no_envelope_holds_costs_itself(
    box: Box, moment: str, claims: datetime | None, asks: bool
) -> None:
    """Year 1, year 9999, no zone, no words at all, or none said: the receipt is believed, the same at each repeat."""
    about: AppealEnvelope = appeal()
    body = f'{{{moment}"status":"registered","number":"К-1","date":"2026-03-02"}}'
    content = f'{{"message_id":"{about.header.message_id}","receipt":{body}}}'.encode()
    sink = RecordingDesk(about=delivery(about, box.channel()))
    for name in ("r.json", "again.json"):
        lay(box, name, content)
        assert collect(box, sink, box.channel()) == 1
    first, again = sink.spoken
    assert (first.dated, first.claims, first.unclear is not None) == (Dating.NONE, claims, asks)
    assert (first.at, first.said_id) == (again.at, again.said_id)
    assert getattr(first.body, "number", None) == "К-1"


def _before_its_beginning() -> bytes:
    """A zip whose files would lie before its first byte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("envelope.json", SEALED)
    data = packed.getvalue()
    return data[:-6] + b"\xff\xff" + data[-4:]


def _packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members; names may stand in it twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(name, content)
    return out.getvalue()


SWOLLEN = _packed(("envelope.json", b" " * 60_000_000))
"""60 kB that unpack to 60 MB."""
REFUSED = [
    ("sftp.form", "letter.pdf", b"%PDF"),
    ("sftp.statement", "r.json", b'{"message_id":"x","receipt":{}}'),
    ("sftp.statement", "r.json", b'{"message_id":"01920000-0000-7000-8000-000000000001","receipt":{"status":"?"}}'),
    ("sftp.statement", "r.json", b'{"message_id":"ffffffff-ffff-7fff-bfff-ffffffffffff","publication":{}}'),
    ("sftp.statement", "r.json", b'{"message_id":"01920000-0000-7000-8000-000000000001","receipt":[]}'),
    ("inbound.unknown_case", "r.json", b'{"message_id":"01920000-0000-7000-8000-000000000001","receipt":'
     b'{"status":"accepted","at":"2026-03-02T10:00:00Z"}}'),
    ("sftp.container", "c.asice", b"PK\x05\x06 no zip"),
    ("sftp.container", "c.zip", b"PK\x05\x06" + b"\xff" * 18),
    ("sftp.container", "c.zip", _before_its_beginning()),
    ("input.too_large", "c.zip", SWOLLEN),
    ("input.too_large", "c.asice", _packed(("envelope.xml", b"<" * 30_000_000), method=zipfile.ZIP_LZMA)),
    ("sftp.container", "c.zip", _packed(("envelope.json", SEALED), ("envelope.json", b"{}"))),
    ("sftp.too_many", "c.zip", _packed(("envelope.json", SEALED), *((f"attachments/{n}", b"") for n in range(101)))),
    ("sftp.no_envelope", "c.zip", _packed(("../envelope.json", SEALED), ("attachments/../../x", b"x"))),
    ("input.too_large", "r.json", b" " * 1_100_000),
]  # fmt: skip


@pytest.mark.parametrize(("code", "name", "content"), REFUSED)
def test_what_is_wrong_is_refused_with_a_reason(box: Box, code: str, name: str, content: bytes) -> None:
    """Moved to ``refused`` with a file that says why and what to do; the next thing is taken all the same."""
    lay(box, name, content)
    lay(box, "z-good.json", SEALED)
    sink = RecordingDesk()
    collect(box, sink)
    assert len(sink.envelopes) == 1
    assert put_away(box, "refused") == [name, f"{name}.reason.txt"]
    (reason,) = box.outbox.glob("refused/*.reason.txt")
    assert reason.read_text("utf-8").startswith(f"{code}: ")


def test_a_swollen_container_is_never_held_whole(box: Box) -> None:
    """What unpacks to sixty megabytes is given up at its limit."""
    lay(box, "c.zip", SWOLLEN)
    tracemalloc.start()
    try:
        collect(box, RecordingDesk())
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert put_away(box, "refused") == ["c.zip", "c.zip.reason.txt"]
    assert held < 20_000_000


def test_what_the_desk_refuses_is_put_aside(box: Box) -> None:
    """A seal that does not hold is journalled by the desk; the file is kept for whoever asks."""
    lay(box, "r.json", SEALED)
    assert collect(box, RecordingDesk(against=SealRefused("No.", code="seal.signature"))) == 1
    assert put_away(box, "refused") == ["r.json", "r.json.reason.txt"]


def test_what_cannot_be_kept_now_stays(box: Box) -> None:
    """While the hub cannot keep anything nothing is put away; as soon as it can, it is taken."""
    lay(box, "r.json", SEALED)
    with pytest.raises(Unavailable):
        collect(box, RecordingDesk(against=Unavailable("The disk is full.")))
    assert put_away(box, "done") == put_away(box, "refused") == []
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    assert put_away(box, "done") == ["r.json"]


@pytest.mark.slow
def test_two_workers_never_take_the_same(box: Box) -> None:
    """Four at once over one outbox: each file reaches exactly one desk."""
    for number in range(40):
        lay(box, f"{number}.json", SEALED + b" " * number)
    sink = RecordingDesk()
    workers = [threading.Thread(target=collect, args=(box, sink)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(SECS)
    assert sorted(len(raw.body) - len(SEALED) for raw in sink.envelopes) == list(range(40))
    assert len(put_away(box, "done")) == 40


def test_what_a_killed_worker_left_is_taken_over(box: Box) -> None:
    """A claim older than two deadlines is taken over, a younger one is not touched."""
    work = box.outbox / "work"
    work.mkdir()
    now = int(time.time() * 1000)
    (work / claim_name(b"old.json", now - int(2_100 * SECS))).write_bytes(SEALED)
    (work / claim_name(b"young.json", now - int(1_000 * SECS))).write_bytes(SEALED)
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    assert put_away(box, "done") == ["old.json"]


def test_a_break_while_reading_loses_nothing(far_box: Box, proxy: Proxy) -> None:
    """The connection breaks before the desk has it all: an error, and the file stays where the next worker finds it."""
    lay(far_box, "big.asice", os.urandom(4_000_000))
    sink = RecordingDesk()
    with far_box.adapter.session(far_box.channel()) as session:
        session.probe(SECS)

        def cut_when_taken() -> None:
            while (far_box.outbox / "big.asice").exists():
                pass
            proxy.cut()

        watcher = threading.Thread(target=cut_when_taken, daemon=True)
        watcher.start()
        with pytest.raises(TemporaryFailure):
            session.collect(sink, SECS)
        watcher.join(SECS)
    assert put_away(far_box, "work") == ["big.asice"]
    assert sink.envelopes == []


def test_links_and_pipes_are_not_followed(box: Box, tmp_path: Path) -> None:
    """A link to a secret, a pipe, a socket, a folder that links out: put aside unread, nothing reaches the hub."""
    secret = tmp_path / "secret.json"
    secret.write_bytes(SEALED)
    (box.outbox / "link.json").symlink_to(secret)
    (box.outbox / "link.json.done").touch()
    os.mkfifo(box.outbox / "pipe.json")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(box.outbox / "s.json"))
    folder(box, "evil", SEALED)
    (box.outbox / "evil" / "attachments" / "x.pdf").symlink_to(secret)
    (box.outbox / "evil2").mkdir()
    (box.outbox / "evil2" / ".done").touch()
    (box.outbox / "evil2" / "envelope.json").symlink_to(secret)
    sink = RecordingDesk()
    collect(box, sink)
    assert (sink.envelopes, sink.kept) == ([], [])
    names = [name for name in put_away(box, "refused") if not name.endswith(".reason.txt")]
    assert names == ["evil", "evil2", "link.json", "pipe.json", "s.json"]
    assert secret.read_bytes() == SEALED


@pytest.mark.parametrize(
    "name",
    ["Відповідь № 5.json", "a b\nc.json", "-rf.json", "x" * 200 + ".json", b"\xc2\xb3\xe4\xef.json", "%2e%2e.json"],
)
def test_names_are_only_names(box: Box, name: str | bytes) -> None:
    """Whatever people call a file, in whatever encoding, it is taken, and kept under a name that the hub made."""
    lay(box, name, SEALED)
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    (kept,) = box.names(box.outbox / "done")
    assert kept.isascii()
    assert len(kept) <= 103
    assert kept.endswith(".json")


def test_a_lying_server_leads_nowhere() -> None:
    """Names that no folder can have are never used: slashes, zero bytes, the hub's own folders, dots."""
    lies = [
        b"../../etc/passwd",
        b"a/b.json",
        b"/etc/shadow",
        b"a\0.json",
        b"",
        b".",
        b"..",
        b"work",
        b"done",
        b"refused",
    ]
    files = [FolderEntry(name=name, size=1, mode=0o100644, modified=0) for name in lies]
    folders = [FolderEntry(name=name, size=1, mode=0o040755, modified=0) for name in lies]
    assert choose(files + folders, stable_before=10) == ([], [])


def test_the_oldest_comes_first() -> None:
    """Order of writing, then of name, whatever the listing's order is."""
    entries = [
        FolderEntry(name=name, size=1, mode=0o100644, modified=at) for name, at in ((b"c", 2), (b"b", 1), (b"a", 2))
    ]
    ready, _ = choose(entries, stable_before=5)
    assert [entry.name for entry in ready] == [b"b", b"a", b"c"]


def test_a_changed_host_key_is_said_loudly(box: Box, tmp_path: Path) -> None:
    """Nothing is fetched from a server that is not the pinned one."""
    lay(box, "r.json", SEALED)
    with pytest.raises(PeerChanged):
        collect(box, RecordingDesk(), box.channel(host_keys=[make_key(tmp_path / "other")]))
    assert (box.outbox / "r.json").exists()
