"""ProFTPD with mod_sftp on loopback: another server than OpenSSH's, with habits of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.errors import ConfigurationError
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery, parcel
from tests.adapters.sftp.sshd import make_key
from tests.adapters.sftp.test_collecting import RecordingDesk
from tests.conftest import leave_out
from tests.ports import free_port

pytestmark = pytest.mark.slow  # all of it together

PASSWORD = "right"
NOBODY = 65_534
SECS = 30.0
MODULE = Path("/usr/lib/proftpd/mod_sftp.so")
NO_DOTS = 'PathDenyFilter "(^|/)[.]"'
SHORT = "AllowOverwrite off"


def _program() -> str:
    found = shutil.which("proftpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None or not MODULE.exists():
        leave_out("the program proftpd with mod_sftp is not installed")
    if os.getuid() != 0:
        leave_out("proftpd is started by root only")
    assert found is not None
    return found


@contextmanager
def _serving(folder: Path, *directives: str) -> Iterator[dict[str, object]]:
    """A server for one user; the settings of a channel to it."""
    root = folder / "home"
    for name in ("in", "out", "taken"):
        (root / name).mkdir(parents=True)
    for path in (root, *root.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    asked = ["openssl", "passwd", "-6", PASSWORD]
    digest = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    users, host, port = folder / "users", folder / "host", free_port()
    users.write_text(f"hub:{digest}:{NOBODY}:{NOBODY}::{root}:/bin/false\n")
    users.chmod(0o600)
    host_key = make_key(host)
    config = folder / "proftpd.conf"
    lines = [
        "ModulePath /usr/lib/proftpd",
        "LoadModule mod_sftp.c",
        "ServerType standalone",
        f"Port {port}",
        "DefaultAddress 127.0.0.1",
        "SocketBindTight on",
        "UseIPv6 off",
        "UseReverseDNS off",
        "User nobody",
        "Group nogroup",
        f"PidFile {folder}/pid",
        f"ScoreboardFile {folder}/scoreboard",
        "DelayEngine off",
        f"SystemLog {folder}/system.log",
        "TransferLog none",
        f"AuthUserFile {users}",
        "AuthOrder mod_auth_file.c",
        "RequireValidShell off",
        "WtmpLog off",
        "DefaultRoot ~",
        "SFTPEngine on",
        f"SFTPLog {folder}/sftp.log",
        f"SFTPHostKey {host}",
        "SFTPAuthMethods password",
        *directives,
    ]
    config.write_text("\n".join([*lines, ""]))
    with (folder / "out.log").open("wb") as log:
        process = subprocess.Popen([_program(), "-n", "-c", str(config)], stdout=log, stderr=log)
        try:
            _wait(process, port, folder)
            yield {"host": "127.0.0.1", "port": port, "user": "hub", "host_keys": [host_key]}
        finally:
            process.terminate()
            process.wait(SECS)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Until it greets."""
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=SECS) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except ConnectionRefusedError:
            continue
    raise AssertionError((folder / "out.log").read_text("utf-8", "replace"))


class Rig:
    """A channel to the server. ``root``: what the server shows as ``/``."""

    def __init__(self, folder: Path, channel: Channel) -> None:
        self.root = folder / "home"
        self.channel = channel
        self.attachments = MemoryAttachments()
        self.adapter = SftpAdapter(AdapterContext(attachments=self.attachments))

    def send(self) -> tuple[OutcomeKind, OutcomeKind]:
        """One message with a file, twice."""
        sha256, size = self.attachments.put(iter([b"%PDF" * 50_000]), limit=1_000_000)
        file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан.pdf")
        self.envelope = appeal((file,))
        prepared = self.adapter.prepare(parcel(self.envelope, Rendering.BOTH), self.channel)
        with self.adapter.session(self.channel) as session:
            first, second = (session.send(prepared, SECS) for _ in range(2))
        return first.kind, second.kind

    def collect(self) -> RecordingDesk:
        """What the adapter takes out of the outbox."""
        desk = RecordingDesk(about=delivery(self.envelope, self.channel))
        with self.adapter.session(self.channel) as session:
            session.collect(desk, SECS)
        return desk

    def lay(self, path: str, data: bytes) -> None:
        """A file of the authority's, an hour old."""
        target = self.root / "out" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        os.utime(target, (1e9, 1e9))
        for each in (target, *target.parents):
            if each.is_relative_to(self.root):
                os.chown(each, NOBODY, NOBODY)

    def answer(self) -> bytes:
        """A receipt in plain words."""
        said = {"status": "accepted", "at": "2026-11-25T10:00:00+02:00", "number": "К-17", "date": "2026-11-25"}
        return json.dumps({"message_id": str(self.envelope.header.message_id), "receipt": said}).encode()


@contextmanager
def _rig(*directives: str, dialect: str = "drop", **settings: object) -> Iterator[Rig]:
    _program()
    with TemporaryDirectory() as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        with _serving(folder, *directives) as where:
            boxes = {"inbox": "/in", "outbox": "/out", "password": f"file:{secret}", "allow_private": ["127.0.0.0/8"]}
            channel = Channel(
                id="00032106.sftp", adapter="sftp", dialect=dialect, settings={**where, **boxes, **settings}
            )
            yield Rig(folder, channel)


@pytest.mark.parametrize("dialect", ["drop", "asice"])
@pytest.mark.parametrize("directive", ["AllowOverwrite on", SHORT])
def test_a_message_goes_and_an_answer_comes(directive: str, dialect: str) -> None:
    """Whether or not it lets files be written over: delivered, known again, two answers taken in, probe well."""
    with _rig(directive, dialect=dialect) as rig:
        with rig.adapter.session(rig.channel) as session:
            session.probe(SECS)
        assert rig.send() == (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE)
        assert not [path for path in (rig.root / "in").iterdir() if path.name.startswith(".")]
        rig.lay("a.json", rig.answer())
        rig.lay("a.json.done", b"")
        rig.lay("m/envelope.json", rig.answer())
        rig.lay("m/attachments/b.pdf", b"%PDF" * 1000)
        rig.lay("m/.done", b"")
        desk = rig.collect()
        assert len(desk.spoken) == 2
        assert [len(data) for _, _, _, data in desk.kept] == [4_000]


def test_nothing_written_over_and_no_markers() -> None:
    """`ready: stable` on a server that lets nothing be written over works at each visit, not only at the first."""
    with _rig(SHORT, ready="stable", stable_secs=1) as rig:
        rig.send()
        for number in range(3):
            rig.lay(f"a{number}.json", rig.answer())
            assert len(rig.collect().spoken) == 1


def test_names_with_a_dot_denied() -> None:
    """With `PathDenyFilter` against dots the probe says so; with other names all goes."""
    denied = _rig("AllowOverwrite on", NO_DOTS)
    with denied as rig, rig.adapter.session(rig.channel) as session, pytest.raises(ConfigurationError) as refused:
        session.probe(SECS)
    assert "set temporary and marker" in refused.value.next_step
    with _rig("AllowOverwrite on", NO_DOTS, temporary="tmp-", marker="_done") as rig:
        assert rig.send() == (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE)
