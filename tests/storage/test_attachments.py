"""Files by content: whole or not there, never outside their folder, never large in memory."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import NotFound, TooLarge, Unavailable
from hub.ports import Attachments
from hub.storage.attachments import FileAttachments, MemoryAttachments

CONTENT = "Фото ями".encode() * 100
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["files", "memory"])
def attachments(request: pytest.FixtureRequest, tmp_path: Path) -> Attachments:
    """Both kinds, empty."""
    return MemoryAttachments() if request.param == "memory" else FileAttachments(tmp_path / "files")


def files_under(root: Path) -> list[str]:
    """Relative names of all files."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, os.urandom(700_000)])
def test_a_file_comes_back_by_its_digest(attachments: Attachments, content: bytes) -> None:
    """A stream is named by its SHA-256 and read back equal, however it came; no bytes at all are a file too."""
    pieces = [content[at : at + 1000] for at in range(0, len(content), 1000)]
    expected = (hashlib.sha256(content).hexdigest(), len(content))
    for source in (io.BytesIO(content), iter(pieces), iter([content])):
        assert attachments.put(source, limit=len(content)) == expected
    with attachments.open(expected[0]) as file:
        assert file.read() == content
    assert attachments.size(expected[0]) == len(content)


@pytest.mark.parametrize(
    "name", ["", "ab", "../" * 21 + "a", NAME.upper(), NAME + "\n", "/" * 64, NAME[:-1] + "٣", "0" * 64]
)
def test_only_a_known_digest_opens(attachments: Attachments, name: str) -> None:
    """Anything but the digest of a file that is there gives the same answer."""
    attachments.put(io.BytesIO(CONTENT), limit=10_000)
    for look in (attachments.open, attachments.size):
        with pytest.raises(NotFound) as refused:
            look(name)
        assert refused.value.stable_code == "attachment.unknown"


def test_one_byte_over_the_limit_is_refused(tmp_path: Path, attachments: Attachments) -> None:
    """The limit holds to the byte, reading stops there, and nothing stays behind."""
    read: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(1)
            yield bytes(1000)

    with pytest.raises(TooLarge):
        attachments.put(endless(), limit=2_999)
    assert len(read) == 3
    assert files_under(tmp_path) == []
    assert attachments.put(io.BytesIO(bytes(3_000)), limit=3_000)[1] == 3_000


def test_the_same_content_is_one_private_file(tmp_path: Path) -> None:
    """Content that comes twice is stored once, under a path made of its digest, readable by the owner only."""
    root = tmp_path / "files"
    for _ in range(2):
        FileAttachments(root).put(io.BytesIO(CONTENT), limit=10_000)
    assert files_under(root) == [f"{NAME[:2]}/{NAME[2:4]}/{NAME}"]
    assert (root / NAME[:2] / NAME[2:4] / NAME).stat().st_mode & 0o777 == 0o600
    assert root.stat().st_mode & 0o077 == 0


def test_a_source_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    """When the sender goes away in the middle, its own error goes on and no bytes stay."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    files = FileAttachments(tmp_path)
    with pytest.raises(ConnectionResetError):
        files.put(broken(), limit=100)
    assert files_under(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "attachment.full"), (errno.EIO, "hub.unavailable")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, call: str
) -> None:
    """No room and broken disks are told apart from bad input; nothing is named, nothing stays."""
    files = FileAttachments(tmp_path)

    def failing(*_: object) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as broken:
        broken.setattr(os if call == "fsync" else Path, call, failing)
        with pytest.raises(Unavailable) as failure:
            files.put(io.BytesIO(CONTENT), limit=10_000)
    assert failure.value.stable_code == code
    assert files_under(tmp_path) == []
    assert files.put(io.BytesIO(CONTENT), limit=10_000)[0] == NAME


@pytest.mark.slow
def test_a_disk_without_room_stops_the_stream(tmp_path: Path) -> None:
    """A file size limit of the system, hit while writing, gives ``Unavailable`` and leaves no file."""
    code = (
        "import io, resource, signal, sys; from pathlib import Path\n"
        "from hub.errors import Unavailable; from hub.storage.attachments import FileAttachments\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); files = FileAttachments(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: files.put(io.BytesIO(bytes(300_000)), limit=400_000)\n"
        "except Unavailable: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60).returncode == 7
    assert files_under(tmp_path) == []


def test_a_disk_that_fails_while_it_is_read_is_unavailable(tmp_path: Path) -> None:
    """Whoever streams a file hears that the disk of the hub failed, not an error that could be the peer's."""
    files = FileAttachments(tmp_path)
    files.put(io.BytesIO(CONTENT), limit=10_000)
    for count in (10, -1):
        with files.open(NAME) as file:
            folder = os.open(tmp_path, os.O_RDONLY)
            os.dup2(folder, file.fileno())  # the system refuses to read a folder
            os.close(folder)
            with pytest.raises(Unavailable, match="EISDIR"):
                file.read(count)


def test_a_disk_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """A folder that was unmounted says nothing about a file: what needs it waits, and is not given up."""
    files = FileAttachments(tmp_path / "files")
    files.put(io.BytesIO(CONTENT), limit=10_000)
    (tmp_path / "files").rename(tmp_path / "away")
    for empty in (False, True):
        if empty:
            (tmp_path / "files").mkdir()
        with pytest.raises(Unavailable):
            files.open(NAME)


def test_links_and_folders_are_not_followed(tmp_path: Path) -> None:
    """What somebody put in a file's place is not read."""
    files = FileAttachments(tmp_path / "files")
    (tmp_path / "secret").write_bytes(b"secret")
    for number, trap in enumerate(("symlink", "folder", "fifo")):
        name = f"{number:064x}"
        path = tmp_path / "files" / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if trap == "symlink":
            path.symlink_to(tmp_path / "secret")
        elif trap == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
        with pytest.raises(NotFound):
            files.open(name)


def test_leftovers_of_a_crash_are_swept_after_a_day(tmp_path: Path) -> None:
    """Temporary files of the day before are removed at the start; those of a running neighbour stay."""
    FileAttachments(tmp_path)
    old, new = tmp_path / "tmp" / "old", tmp_path / "tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 86_500,) * 2)
    FileAttachments(tmp_path)
    assert files_under(tmp_path) == ["tmp/new"]


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A file where the folder should be is told at the start, not at the first appeal."""
    (tmp_path / "files").write_bytes(b"")
    with pytest.raises(Unavailable):
        FileAttachments(tmp_path / "files")


def test_the_file_is_synced_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content reaches the disk before the name, and the name before anyone is told."""
    files = FileAttachments(tmp_path)
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("dir" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        sync(descriptor)

    def named(path: Path, target: Path) -> Path:
        steps.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    files.put(io.BytesIO(CONTENT), limit=10_000)
    assert steps == ["file", "dir", "dir", "name", "dir"]


def test_a_hundred_megabytes_stay_out_of_memory(tmp_path: Path) -> None:
    """Storing and reading 100 MB grows the process by less than 8 MB."""
    files = FileAttachments(tmp_path)
    block = os.urandom(1_000_000)
    files.put(iter([block]), limit=2_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    name, size = files.put((block for _ in range(100)), limit=100_000_000)
    with files.open(name) as file:
        while file.read(262_144):
            pass
    assert size == 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000
