"""Messages are laid down whole or not at all, once, on OpenSSH's own server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.errors import ConfigurationError, PeerChanged, TemporaryFailure
from hub.ports import Outcome, Prepared
from hub.protocols.sftp import Sftp
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.testing.samples import appeal, parcel
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.proxy import Proxy
from tests.adapters.sftp.sshd import Sshd, make_key
from tests.conftest import leave_out

pytestmark = pytest.mark.slow  # all of it together

BIG = 8 * 1024 * 1024
ON_THE_WAY = 7 * 512 * 1024
"""What sshd may have in its buffers when a connection breaks (its window is 2 MiB), and what the rest costs."""
SECS = 20.0


def scan(box: Box, data: bytes, name: str = "скан.pdf") -> Attachment:
    """A file in the hub's store."""
    sha256, size = box.attachments.put(iter([data]), limit=len(data))
    return Attachment(sha256=sha256, size=size, media_type="application/pdf", name=name)


def ready(box: Box, channel: Channel, *files: Attachment) -> Prepared:
    """A new appeal, made ready."""
    envelope = appeal(files)
    return box.adapter.prepare(parcel(envelope, box.adapter.rendering(channel)), channel)


def send(box: Box, channel: Channel, prepared: Prepared, secs: float = SECS) -> Outcome:
    """One attempt over a connection of its own."""
    with box.adapter.session(channel) as session:
        return session.send(prepared, secs)


def big(box: Box) -> tuple[bytes, Attachment]:
    """Eight mebibytes that do not compress or repeat."""
    data = os.urandom(BIG)
    return data, scan(box, data)


def whole(box: Box, prepared: Prepared, data: bytes, dialect: str) -> None:
    """The message is there, with exactly its content, and nothing beside it."""
    if dialect == "drop":
        assert box.names() == [str(prepared.message_id)]
        folder = box.inbox / str(prepared.message_id)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for entry in manifest["files"]:
            content = (folder / entry["path"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"])
        assert (folder / ".done").read_bytes() == b""
        assert (folder / "attachments" / "001.pdf").read_bytes() == data
    else:
        assert box.names() == [f"{prepared.message_id}.asice"]
        with zipfile.ZipFile(box.inbox / f"{prepared.message_id}.asice") as container:
            assert container.read("attachments/001.pdf") == data


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_message_is_laid_down_whole(box: Box, dialect: str) -> None:
    """Both envelopes, the manifest and the files arrive byte for byte; laid down again, it is known as a duplicate."""
    channel = box.channel(dialect)
    prepared = ready(box, channel, scan(box, b"%PDF-1"))
    first = send(box, channel, prepared)
    assert (first.kind, first.external_id) == (OutcomeKind.DELIVERED, box.names()[0])
    whole(box, prepared, b"%PDF-1", dialect)
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    whole(box, prepared, b"%PDF-1", dialect)


@pytest.mark.parametrize("dialect", ["drop", "asice"])
@pytest.mark.parametrize("percent", [0, 50, 99])
def test_a_break_in_the_middle_is_resumed(far_box: Box, proxy: Proxy, dialect: str, percent: int) -> None:
    """Broken at 0, 50, 99 % nothing is in place and nothing is lost: the next attempt sends only what is missing."""
    box, channel = far_box, far_box.channel(dialect)
    data, file = big(box)
    prepared = ready(box, channel, file)
    proxy.break_after(BIG * percent // 100)
    broken = send(box, channel, prepared)
    assert (broken.kind, broken.code) == (OutcomeKind.TEMPORARY, "sftp.broken")
    assert all(name.startswith(".tmp-") for name in box.names())
    proxy.reset()
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    whole(box, prepared, data, dialect)
    assert proxy.sent < BIG * (100 - percent) // 100 + ON_THE_WAY


@pytest.fixture
def at_rename(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What a test wants to happen when the rename is about to be asked for."""
    acts: list[object] = []
    real = Sftp.rename

    def rename(self: Sftp, old: str | bytes, new: str | bytes) -> None:
        while acts:
            act = acts.pop()
            assert callable(act)
            act(new)
        real(self, old, new)

    monkeypatch.setattr(Sftp, "rename", rename)
    return iter([acts])


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_break_before_the_rename(far_box: Box, proxy: Proxy, dialect: str, at_rename: Iterator[list[object]]) -> None:
    """The rename was asked for and never arrived: unknown; the next attempt finds all pieces there and renames."""
    box, channel = far_box, far_box.channel(dialect)
    data, file = big(box)
    prepared = ready(box, channel, file)
    next(at_rename).append(lambda _new: proxy.cut())
    assert send(box, channel, prepared).kind is OutcomeKind.UNKNOWN
    assert [name[:5] for name in box.names()] == [".tmp-"]
    proxy.reset()
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    whole(box, prepared, data, dialect)
    assert proxy.sent < BIG / 4


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_break_after_the_rename(far_box: Box, proxy: Proxy, dialect: str, at_rename: Iterator[list[object]]) -> None:
    """The rename happened and its answer was lost: unknown; the next attempt finds the message and sends it no more."""
    box, channel = far_box, far_box.channel(dialect)
    data, file = big(box)
    prepared = ready(box, channel, file)

    def cut_when_there(final: str) -> None:
        while not Path(final).exists():
            pass
        proxy.cut()

    def lose_the_answer(final: str) -> None:
        proxy.mute()
        threading.Thread(target=cut_when_there, args=(final,), daemon=True).start()

    next(at_rename).append(lose_the_answer)
    assert send(box, channel, prepared).kind is OutcomeKind.UNKNOWN
    proxy.reset()
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    whole(box, prepared, data, dialect)
    assert proxy.sent < BIG / 4


def test_a_changed_host_key_stops_the_lane(box: Box, tmp_path: Path) -> None:
    """Another key than the pinned: nothing is said to that server, and the outcome asks for a person."""
    other = make_key(tmp_path / "other")
    channel = box.channel(host_keys=[other])
    outcome = send(box, channel, ready(box, channel))
    assert (outcome.kind, outcome.code, outcome.stops_lane) == (OutcomeKind.TEMPORARY, "sftp.host_key", True)
    assert outcome.detail is not None
    assert "SHA256:" in outcome.detail
    assert box.names() == []
    with pytest.raises(PeerChanged), box.adapter.session(channel) as session:
        session.probe(SECS)


def test_a_server_without_a_key_of_the_pinned_type_is_another(box: Box) -> None:
    """A server cannot slip away from a pinned key by offering a key of another type only."""
    key = rsa.generate_private_key(65_537, 2_048).public_key()
    channel = box.channel(host_keys=[key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()])
    assert send(box, channel, ready(box, channel)).stops_lane


def test_two_keys_may_be_pinned_while_they_change(box: Box, sshd: Sshd, tmp_path: Path) -> None:
    """During a change of keys the old and the new one stand beside each other."""
    channel = box.channel(host_keys=[make_key(tmp_path / "other"), sshd.host_key])
    assert send(box, channel, ready(box, channel)).kind is OutcomeKind.DELIVERED


def test_a_refused_credential_is_the_channels_fault(box: Box, tmp_path: Path) -> None:
    """A key that is not let in costs no message: temporary, with what to do."""
    make_key(tmp_path / "stranger")
    channel = box.channel(key=f"file:{tmp_path}/stranger")
    outcome = send(box, channel, ready(box, channel))
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.auth_refused")


def test_a_key_that_is_none_is_a_configuration_error(box: Box, tmp_path: Path) -> None:
    """A key file with something else in it is named, never shown."""
    path = tmp_path / "none"
    path.touch(mode=0o600)
    path.write_text("canary-secret")
    channel = box.channel(key=f"file:{path}")
    outcome = send(box, channel, ready(box, channel))
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.key")
    assert "canary" not in str(outcome.detail)
    with pytest.raises(ConfigurationError), box.adapter.session(channel) as session:
        session.probe(SECS)


def test_a_full_disk_is_temporary_and_not_kept_full(box: Box, tmp_path: Path) -> None:
    """No room: the message waits, what was written of the file is removed; with room it is laid down."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if done.returncode:
        leave_out("no tmpfs can be mounted here (needs root)")
    try:
        channel = box.channel(inbox=str(disk))
        data, file = big(box)
        prepared = ready(box, channel, file)
        outcome = send(box, channel, prepared)
        assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.write_refused")
        assert sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) < 100_000
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
        assert (disk / str(prepared.message_id) / "attachments" / "001.pdf").read_bytes() == data
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_is_not_there_is_temporary(box: Box) -> None:
    """The authority has not made the folder yet: nothing is lost, the operator reads what is missing."""
    channel = box.channel(inbox=f"{box.inbox}/absent")
    outcome = send(box, channel, ready(box, channel))
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.refused")
    assert "no such file" in str(outcome.detail)
    with pytest.raises(TemporaryFailure, match=r"sftp\.folder"), box.adapter.session(channel) as session:
        session.probe(SECS)


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_damaged_piece_is_found_and_sent_anew(box: Box, dialect: str) -> None:
    """What lies under the temporary name is not believed: it is read back, removed, and sent again."""
    channel = box.channel(dialect)
    data, file = big(box)
    prepared = ready(box, channel, file)
    begun = box.inbox / (f".tmp-{prepared.message_id}" + (".asice" if dialect == "asice" else ""))
    if dialect == "drop":
        (begun / "attachments").mkdir(parents=True)
        begun = begun / "attachments" / "001.pdf"
    begun.write_bytes(b"garbage" * 1_000)
    damaged = send(box, channel, prepared)
    assert (damaged.kind, damaged.code) == (OutcomeKind.TEMPORARY, "sftp.damaged")
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    whole(box, prepared, data, dialect)


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_something_foreign_under_our_name_is_an_operators_matter(box: Box, dialect: str) -> None:
    """Nothing is written over what somebody else put there."""
    channel = box.channel(dialect)
    prepared = ready(box, channel)
    path = box.inbox / (str(prepared.message_id) + (".asice" if dialect == "asice" else ""))
    if dialect == "drop":
        path.mkdir()
    else:
        path.write_bytes(b"theirs")
    outcome = send(box, channel, prepared)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sftp.foreign")
    assert path.is_dir() or path.read_bytes() == b"theirs"


def test_what_they_moved_to_taken_is_not_sent_again(box: Box) -> None:
    """Where the authority moves what it took is looked at before anything is sent."""
    taken = box.inbox.parent / "taken"
    taken.mkdir()
    channel = box.channel(taken=str(taken))
    prepared = ready(box, channel)
    assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
    (box.inbox / str(prepared.message_id)).rename(taken / str(prepared.message_id))
    assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    assert box.names() == []


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_without_posix_rename_the_plain_one_does(sshd: Sshd, tmp_path: Path, dialect: str) -> None:
    """A server without OpenSSH's extension gets the plain rename, which replaces nothing."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = Sshd(folder, "-P", "posix-rename")
    try:
        box = Box(tmp_path, server)
        channel = box.channel(dialect)
        prepared = ready(box, channel, scan(box, b"x"))
        assert send(box, channel, prepared).kind is OutcomeKind.DELIVERED
        whole(box, prepared, b"x", dialect)
        assert send(box, channel, prepared).kind is OutcomeKind.DUPLICATE
    finally:
        server.close()


def test_one_connection_carries_many(far_box: Box, proxy: Proxy) -> None:
    """A session connects once for all its messages, and anew when its connection broke meanwhile."""
    channel = far_box.channel()
    with far_box.adapter.session(channel) as session:
        for _ in range(3):
            assert session.send(ready(far_box, channel), SECS).kind is OutcomeKind.DELIVERED
        assert proxy.connections == 1
        proxy.cut()
        kinds = [session.send(ready(far_box, channel), SECS).kind for _ in range(2)]
        assert kinds[-1] is OutcomeKind.DELIVERED
    assert proxy.connections == 2


def test_the_deadline_is_a_total(far_box: Box, proxy: Proxy) -> None:
    """A server that says nothing more does not hold a worker: the attempt ends by its deadline."""
    channel = far_box.channel()
    with far_box.adapter.session(channel) as session:
        session.probe(SECS)
        proxy.mute()
        outcome = session.send(ready(far_box, channel), 0.3)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "sftp.deadline")


def test_a_damaged_attachment_never_arrives(box: Box) -> None:
    """A bit that flipped in the hub's own store ends the delivery before the message has its name."""
    for dialect in ("drop", "asice"):
        channel = box.channel(dialect)
        file = scan(box, os.urandom(100_000))
        prepared = ready(box, channel, file)
        box.attachments.damage(file.sha256)
        outcome = send(box, channel, prepared)
        assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "attachment.missing")
    assert all(name.startswith(".tmp-") for name in box.names())


def test_addresses_are_checked_as_for_http(box: Box) -> None:
    """A private address that the channel does not name is not connected to."""
    channel = box.channel(allow_private=[])
    outcome = send(box, channel, ready(box, channel))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "sftp.address_refused")
