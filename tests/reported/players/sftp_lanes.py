"""A lane over SFTP to a server that has one habit: what is laid down, taken, and left lying."""

from __future__ import annotations

import io
import json
import os
import random
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.adapters.sftp.settings import SftpSettings
from hub.ports import Rendering
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery, parcel
from tests.adapters.sftp.sshd import make_key
from tests.adapters.sftp.test_collecting import RecordingDesk
from tests.reported.players import sftp_server
from tests.reported.players.sftp_server import Habits, serving_sftp
from tests.reported.players.text import error, logged, outcome, settled

OLD = 1_000_000_000
"""A moment long ago, for files that have not changed since."""
Settings: TypeAlias = Mapping[str, object]
STABLE: Settings = {"ready": "stable", "stable_secs": 1}
_CLAIM = re.compile(r"\b\d{13}-[0-9a-f]{8}-")
_CLOCK = re.compile(r"clock-\d{10}\b")


@dataclass
class Rig:
    """A channel to a server with habits. ``lines``: what happened so far."""

    folder: Path
    habits: Habits
    channel: Channel
    adapter: SftpAdapter
    attachments: MemoryAttachments
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        envelope = appeal()
        self.message_id = str(envelope.header.message_id)
        self.desk = RecordingDesk(about=delivery(envelope, self.channel))

    @property
    def outbox(self) -> Path:
        """Where the authority lays its answers."""
        return self.folder / "root" / "out"

    def send(self, times: int = 2, size: int = 0, secs: float = 20.0) -> None:
        """Attempts for one message, with a file of so many bytes."""
        files: tuple[Attachment, ...] = ()
        if size:
            sha256, _ = self.attachments.put(iter([random.Random(size).randbytes(size)]), limit=size)
            files = (Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан.pdf"),)
        prepared = self.adapter.prepare(parcel(appeal(files), Rendering.BOTH), self.channel)
        for number in range(1, times + 1):
            try:
                with self.adapter.session(self.channel) as session:
                    first, *more = outcome(session.send(prepared, secs))
            except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                first, *more = [error(failure)]
            self.lines += [f"send {number}: {first}", *more]

    def collect(self, times: int = 2, secs: float = 20.0) -> None:
        """Visits to the outbox."""
        for number in range(1, times + 1):
            with logged() as log:
                try:
                    with self.adapter.session(self.channel) as session:
                        taken = str(session.collect(self.desk, secs))
                except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                    taken = error(failure)
            said, sealed = len(self.desk.spoken), len(self.desk.envelopes)
            self.lines += [f"collect {number}: {taken}; heard so far: {said} statements, {sealed} envelopes"]
            self.lines += [f"  {line}" for line in log]
            self.lines += [f"  held {verdict}: {len(raw.body)} bytes" for verdict, raw in self.desk.holds]
            self.desk.holds.clear()

    def probe(self) -> None:
        """What ``hub channel probe`` says."""
        try:
            with self.adapter.session(self.channel) as session:
                session.probe(10.0)
        except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
            self.lines.append(f"probe: {error(failure)}")
        else:
            self.lines.append("probe: well")

    def lay(self, name: str, text: str = "Воду подано.", *, marker: str = ".done") -> None:
        """An answer in the outbox, old enough, with its marker."""
        path = self.outbox / name
        path.write_bytes(self.words(text))
        os.utime(path, (OLD, OLD))
        if marker:
            path.with_name(f"{name}{marker}").touch()

    def lay_folder(self, name: str, *files: tuple[str, bytes]) -> None:
        """An answer with files, as a folder."""
        folder = self.outbox / name
        (folder / "attachments").mkdir(parents=True)
        (folder / "envelope.json").write_bytes(self.words("Відповідь із файлом."))
        for file, data in files:
            (folder / "attachments" / file).write_bytes(data)
        (folder / ".done").touch()

    def words(self, text: str) -> bytes:
        """An answer in words."""
        moment = {"date": "2026-11-26", "at": "2026-11-26T09:00:00+02:00"}
        words = {"stage": "interim", "result": "explained", "number": "К-1", **moment, "text": text}
        return json.dumps({"message_id": self.message_id, "answer": words}, ensure_ascii=False).encode()

    def tree(self) -> None:
        """What lies on the server."""
        for path in sorted((self.folder / "root").rglob("*")):
            if path.is_file():
                reason = f": {' '.join(path.read_text('utf-8').split())}" if path.name.endswith("reason.txt") else ""
                self.lines.append(f"  there: {path.relative_to(self.folder / 'root')}{reason}")

    def kept(self) -> None:
        """Names of the files that came."""
        self.lines += [f"  file {name!r}, {len(data)} bytes" for _, name, _, data in self.desk.kept]


@contextmanager
def rig(
    habits: Habits, dialect: str = "drop", *, password: str | None = None, settings: Settings | None = None
) -> Iterator[Rig]:
    """A server, and a channel to it by key or by password."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("in", "out", "taken"):
            (folder / "root" / each).mkdir(parents=True)
        host_key = make_key(folder / "host")
        make_key(folder / "user")
        secret = folder / "password"
        secret.write_text(password or "")
        secret.chmod(0o600)
        with serving_sftp(folder / "root", folder / "host", habits) as port:
            who = {"password": f"file:{secret}"} if password else {"key": f"file:{folder / 'user'}"}
            where = {"host": "127.0.0.1", "port": port, "user": "hub", "host_keys": [host_key]}
            boxes = {"inbox": "/in", "outbox": "/out", "allow_private": ["127.0.0.0/8"]}
            channel = Channel(
                id="00032106.sftp",
                adapter="sftp",
                dialect=dialect,
                settings={**where, **boxes, **who, **(settings or {})},
            )
            attachments = MemoryAttachments()
            yield Rig(folder, habits, channel, SftpAdapter(AdapterContext(attachments=attachments)), attachments)


def _told(*parts: tuple[str, Rig]) -> str:
    text = settled([line for title, each in parts for line in (title, *(f"  {line}" for line in each.lines))])
    return _CLOCK.sub("clock-MOMENT", _CLAIM.sub("CLAIM-", text))


def takes_at_once(case: Path) -> str:
    """The server takes each file away as soon as it is closed."""
    texts = []
    for dialect in ("drop", "asice"):
        with rig(Habits(takes_on_close=True), dialect) as at:
            at.send(3, 50_000)
            at.lines += [f"taken: {name}" for name in at.habits.taken]
            texts.append(_told((dialect, at)))
        with rig(Habits(takes_on_close=True), dialect, settings={"lay": "direct"}) as at:
            at.send(1, 50_000)
            at.lines += [f"taken: {name}" for name in at.habits.taken]
            texts.append(_told((f"{dialect}, lay: direct", at)))
    return "".join(texts)


def short_reads(case: Path) -> str:
    """Reads give less than was asked for."""
    texts = []
    for most, size in ((32_000, 100_000), (32_000, 1_000_000), (16_384, 3_000_000)):
        with rig(Habits(max_read=most)) as at:
            at.send(1, size, 60.0)
            texts.append(_told((f"reads of {most} bytes, a message with {size} bytes", at)))
    with rig(Habits(max_read=16_384)) as at:
        at.lay_folder("m1", ("a.pdf", random.Random(5).randbytes(5_000_000)))
        at.collect(2, 60.0)
        at.tree()
        texts.append(_told(("reads of 16384 bytes, an answer with 5000000 bytes", at)))
    return "".join(texts)


def missing_is_a_failure(case: Path) -> str:
    """Other statuses for what is not there."""
    texts = []
    known = ((4, "Failure"), (10, "No such path"), (3, "Permission denied"), (4, "File not found"))
    for status, words in known:
        with rig(Habits(missing=status, missing_text=words)) as at:
            at.send(2, 1_000)
            at.lay("a.json")
            at.collect(1)
            texts.append(_told((f"what is not there is answered {status}, {words}", at)))
    return "".join(texts)


def keyboard_interactive(case: Path) -> str:
    """Ways to log in."""
    texts = []
    for auth, password in (("keyboard", sftp_server.PASSWORD), ("password", sftp_server.PASSWORD), ("both", None)):
        with rig(Habits(auth=auth), password=password) as at:
            at.send(1)
            at.probe()
            at.lines.append(f"tried: {', '.join(at.habits.asked)}")
            texts.append(_told((f"the server wants {auth}, we have {'a password' if password else 'a key'}", at)))
    return "".join(texts)


def no_size(case: Path) -> str:
    """Attributes without size."""
    with rig(Habits(attrs=sftp_server.HAS_MODE)) as at:
        at.send(2, 1_000)
        at.lay("a.json")
        at.collect()
        at.tree()
        return _told(("attributes with the mode only, ready: marker", at))


def no_times(case: Path) -> str:
    """Attributes without times, and ``ready: stable``."""
    texts = []
    for what, attrs in (("mode only", sftp_server.HAS_MODE), ("no times", sftp_server.HAS_MODE | sftp_server.HAS_SIZE)):
        with rig(Habits(attrs=attrs), settings=STABLE) as at:
            at.lay("a.json", marker="")
            at.collect()
            at.tree()
            texts.append(_told((f"attributes: {what}, ready: stable", at)))
    return "".join(texts)


def fsync_fails(case: Path) -> str:
    """Fsync is advertised and fails; close fails."""
    texts = []
    for what, habits in (
        ("fsync is answered 4", Habits(fsync=sftp_server.FAILURE)),
        ("fsync is answered 8", Habits(fsync=sftp_server.UNSUPPORTED)),
        ("close is answered 4", Habits(close=sftp_server.FAILURE)),
    ):
        with rig(habits) as at:
            at.send(2, 1_000)
            texts.append(_told((what, at)))
    return "".join(texts)


def outbox_rights(case: Path) -> str:
    """In the outbox nothing may be made, or renamed."""
    texts = []
    for what, habits in (
        ("no folder may be made", Habits(mkdir=sftp_server.DENIED)),
        ("nothing may be renamed", Habits(rename=sftp_server.DENIED)),
    ):
        with rig(habits) as at:
            at.lay("a.json")
            at.collect()
            at.probe()
            at.tree()
            texts.append(_told((what, at)))
    return "".join(texts)


def write_once(case: Path) -> str:
    """No file may be written over."""
    with rig(Habits(write_once=True), settings=STABLE) as at:
        for number in (1, 2):
            at.lay(f"a{number}.json", f"Відповідь {number}.", marker="")
            at.collect(1)
        at.probe()
        at.tree()
        return _told(("nothing may be written over, ready: stable", at))


def dots_denied(case: Path) -> str:
    """Names that begin with a dot are denied; then other names are set."""
    texts = []
    names = {"temporary": "tmp-", "marker": "done"}
    for dialect in ("drop", "asice"):
        with rig(Habits(denies_dots=True), dialect) as at:
            at.send(2, 1_000)
            at.probe()
            texts.append(_told((dialect, at)))
    with rig(Habits(denies_dots=True), settings=STABLE) as at:
        at.lay("a.json", marker="")
        at.collect()
        at.tree()
        texts.append(_told(("ready: stable", at)))
    with rig(Habits(denies_dots=True), settings={**STABLE, **names}) as at:
        at.send(2, 1_000)
        at.probe()
        at.lay("a.json", marker="")
        at.collect(1)
        texts.append(_told(("temporary: tmp-, marker: done", at)))
    return "".join(texts)


class _OldName(zipfile.ZipInfo):
    """A member whose name stands in a code page, without a word of it."""

    raw: bytes = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the base class's name
        return self.raw, self.flag_bits


def cyrillic_names(case: Path) -> str:
    """Names in CP866 in a ZIP, and in CP1251 in a listing."""
    packed = io.BytesIO()
    member = _OldName("attachments/o.pdf")
    member.raw = "attachments/ответ.pdf".encode("cp866")
    with rig(Habits()) as at:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("envelope.json", at.words("Відповідь із файлом."))
            archive.writestr(member, b"%PDF-1")
        (at.outbox / "a.zip").write_bytes(packed.getvalue())
        (at.outbox / "a.zip.done").touch()
        at.collect(1)
        at.kept()
        text = _told(("CP866 in a ZIP", at))
    with rig(Habits(name_codec="cp1251")) as at:
        at.lay_folder("m1", ("відповідь № 5.pdf", b"%PDF-2"))
        at.collect(1)
        at.kept()
        at.tree()
        return text + _told(("CP1251 in a listing", at))


def capitals(case: Path) -> str:
    """A server that shows names in capitals; a marker in capitals."""
    texts = []
    for what, habits, settings in (
        ("all in capitals, ready: marker", Habits(upper=True), None),
        ("all in capitals, ready: stable", Habits(upper=True), STABLE),
    ):
        with rig(habits, settings=settings) as at:
            at.lay("R1.JSON", marker="" if settings else ".DONE")
            at.collect()
            at.tree()
            texts.append(_told((what, at)))
    with rig(Habits()) as at:
        at.lay("R2.json", marker=".DONE")
        at.collect()
        at.tree()
        texts.append(_told(("the marker in capitals", at)))
    return "".join(texts)


def folders_stay(case: Path) -> str:
    """Folders cannot be renamed."""
    texts = []
    for dialect in ("drop", "asice"):
        with rig(Habits(rename_folder=sftp_server.UNSUPPORTED), dialect) as at:
            at.send(2, 1_000)
            at.tree()
            texts.append(_told((dialect, at)))
    with rig(Habits(rename_folder=sftp_server.UNSUPPORTED)) as at:
        at.lay_folder("m1")
        at.collect()
        at.tree()
        texts.append(_told(("an answer as a folder", at)))
    return "".join(texts)


def odd_settings(case: Path) -> str:
    """Folders and users that settings may name."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILTzFxm44spDjrDMBXzNcew6bbPk/MSEZQOMHQulnZTG"
    good = {"host": "sftp.example.org", "user": "hub", "key": "file:/k", "host_keys": [key], "inbox": "/in"}
    lines = []
    inboxes = ("/Вхідні", "/In Box", "/C:/sftp/in", "/D/ncc(1)")
    users = ("RADA\\hub", "hub+ncc", "hub user", "вхід")
    for name, value in [*(("inbox", each) for each in inboxes), *(("user", each) for each in users)]:
        try:
            SftpSettings.model_validate({**good, name: value})
        except ValidationError as failure:
            lines.append(f"{name} {value}: {error(failure)}")
        else:
            lines.append(f"{name} {value}: taken")
    return settled(lines)
