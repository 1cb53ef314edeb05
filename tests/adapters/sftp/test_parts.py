"""The parts without a network: zip writer, protocol against a server that lies, settings, layouts."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.sftp import archive
from hub.adapters.sftp.adapter import SftpAdapter
from hub.adapters.sftp.layout import lay_out
from hub.adapters.sftp.reading import check_directory
from hub.adapters.sftp.settings import SftpSettings
from hub.errors import InvalidInput
from hub.ports import Rendering
from hub.protocols.sftp import MAX_PACKET, FolderEntry, ProtocolError, Sftp, StatusError
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.strict_xml import parse
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel
from tests.forms import examples

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILTzFxm44spDjrDMBXzNcew6bbPk/MSEZQOMHQulnZTG"
GOOD = {"host": "sftp.example.org", "user": "hub", "key": "file:/k", "host_keys": [KEY], "inbox": "/in"}

SHORT_RSA = (
    rsa.generate_private_key(65_537, 1_024).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_./", min_size=1, max_size=40)


@given(st.dictionaries(NAMES, st.binary(max_size=2_000), max_size=12))
@settings(max_examples=examples(40))
def test_archives_are_read_by_others_and_always_the_same(parts: dict[str, bytes]) -> None:
    """Whatever is packed, Python's zipfile reads it back; packed twice it is the same; its length is known before."""
    packed = archive.pack(parts)
    assert packed == archive.pack(parts)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == parts
        assert all(info.flag_bits == 0 and info.date_time[0] == 1980 for info in file.infolist())
    assert archive.size([archive.member(name, content) for name, content in parts.items()]) == len(packed)


@pytest.mark.foreign("unzip")
def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    """Info-ZIP's unzip tests our container without a word."""
    path = tmp_path / "a.asice"
    path.write_bytes(archive.pack({"mimetype": b"application/zip", "a/b.txt": b"x" * 70_000, "empty": b""}))
    done = subprocess.run(["unzip", "-tqq", str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


class Sparse(io.RawIOBase):
    """A file whose long runs of zeros take no room."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")

    def put(self, chunk: bytes) -> None:
        if len(chunk) == 1 << 20:
            self._file.seek(len(chunk), io.SEEK_CUR)
        else:
            self._file.write(chunk)

    def done(self) -> io.BufferedRandom:
        return self._file


def test_more_than_four_gibibytes(tmp_path: Path) -> None:
    """Beyond 4 GiB the container goes over to zip64, and what stands behind is found."""
    zeros = bytes(1 << 20)

    def gibibyte() -> Iterator[bytes]:
        return (zeros for _ in range(1024))

    members = [archive.Member(name=f"{n}.bin", size=1 << 30, crc=0, chunks=gibibyte) for n in range(5)]
    members.append(archive.member("last.txt", b"the end"))
    sparse = Sparse(tmp_path / "big.zip")
    for chunk in archive.stream(members):
        sparse.put(chunk)
    with sparse.done() as file, zipfile.ZipFile(file) as container:
        assert container.read("last.txt") == b"the end"
        assert sum(info.file_size for info in container.infolist()) == (5 << 30) + 7
        assert file.seek(0, io.SEEK_END) == archive.size(members)


def test_a_directory_that_would_fill_the_memory_is_refused() -> None:
    """A zip that announces a huge directory, or a second one, is refused before it is read."""
    good = archive.pack({"envelope.json": b"{}"})
    check_directory(io.BytesIO(good), len(good))
    at = good.rfind(b"PK\x05\x06")
    huge = good[: at + 12] + struct.pack("<L", 0x7FFFFFFF) + good[at + 16 :]
    hidden = good[:at] + b"PK\x06\x07" + bytes(16) + good[at:]
    for bad in (huge, hidden, b"", good[:at]):
        with pytest.raises(InvalidInput):
            check_directory(io.BytesIO(bad), len(bad))


# The protocol, against a server that says what a test tells it to


class Script:
    """A stream: what was sent is kept, what comes back is made by a function of the request."""

    def __init__(self, answer: Callable[[int, bytes], bytes]) -> None:
        self._answer = answer
        self._out = b""
        self.requests: list[int] = []

    def sendall(self, data: bytes) -> None:
        while data:
            (size,) = struct.unpack(">I", data[:4])
            packet, data = data[4 : 4 + size], data[4 + size :]
            if packet[0] == 1:
                self._out += packed(2, struct.pack(">I", 3) + text(b"posix-rename@openssh.com") + text(b"1"))
            else:
                self.requests.append(packet[0])
                self._out += self._answer(packet[0], packet[1:5])

    def recv(self, count: int) -> bytes:
        piece, self._out = self._out[:count], self._out[count:]
        return piece


def packed(kind: int, payload: bytes) -> bytes:
    return struct.pack(">IB", len(payload) + 1, kind) + payload


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def status(number: bytes, code: int, words: bytes = b"") -> bytes:
    return packed(101, number + struct.pack(">I", code) + text(words) + text(b""))


HOSTILE = {
    "nothing": lambda _kind, _number: b"",
    "an answer to nobody": lambda _kind, _number: status(b"\xff\xff\xff\xff", 0),
    "a packet too long": lambda _kind, _number: struct.pack(">IB", MAX_PACKET + 1, 101),
    "a packet of nothing": lambda _kind, _number: struct.pack(">I", 0),
    "cut short": lambda _kind, number: packed(104, number + struct.pack(">I", 9)),
    "another kind": lambda _kind, number: packed(103, number + text(b"data")),
    "an empty listing for ever": lambda kind, number: packed(
        102 if kind == 11 else 104, number + (text(b"h") if kind == 11 else struct.pack(">I", 0))
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_server_that_does_not_keep_to_sftp(name: str) -> None:
    """Nothing it may say gets further than ``ProtocolError`` or the end of the connection."""
    sftp = Sftp(Script(HOSTILE[name]))
    with pytest.raises((ProtocolError, EOFError)):
        sftp.listing("/in", limit=10)


@given(st.binary(max_size=200))
@settings(max_examples=examples(150))
def test_noise_is_no_listing(noise: bytes) -> None:
    """Random bytes as an answer end in one of three errors, never in another one and never in a listing."""

    def answer(kind: int, number: bytes) -> bytes:
        return packed(102, number + text(b"h")) if kind == 11 else packed(104, number + noise)

    try:
        found = Sftp(Script(answer)).listing("/in", limit=5)
    except (ProtocolError, EOFError, StatusError):
        return
    assert len(found) <= 5


def test_an_endless_listing_ends() -> None:
    """A folder that never ends is read up to the limit."""
    one = text(b"x") + text(b"") + struct.pack(">I", 0)

    def answer(kind: int, number: bytes) -> bytes:
        if kind == 11:
            return packed(102, number + text(b"h"))
        return packed(104, number + struct.pack(">I", 100) + one * 100) if kind == 12 else status(number, 0)

    assert len(Sftp(Script(answer)).listing("/in", limit=250)) == 250


def test_an_endless_file_ends() -> None:
    """A file that never ends is an error at its limit."""

    def answer(kind: int, number: bytes) -> bytes:
        return packed(102, number + text(b"h")) if kind == 3 else packed(103, number + text(bytes(32_768)))

    with pytest.raises(ProtocolError):
        for _ in Sftp(Script(answer)).read("/f", limit=1_000_000):
            pass


def test_a_failed_write_is_heard_of(tmp_path: Path) -> None:
    """Of many writes under way the third fails: it is an error, the handle is closed, and the next request works."""
    writes = iter(range(1_000))

    def answer(kind: int, number: bytes) -> bytes:
        if kind == 3:
            return packed(102, number + text(b"h"))
        return status(number, 4 if kind == 6 and next(writes) == 2 else 0, b"No\nspace\x1b[2J")

    script = Script(answer)
    sftp = Sftp(script)
    with pytest.raises(StatusError, match=r"failure \(No\\x0aspace\\x1b\[2J\)"):
        sftp.write("/f", [bytes(32_768)] * 100)
    assert script.requests[-1] == 4
    sftp.rename("/a", "/b")


@pytest.mark.parametrize(
    ("mode", "file", "folder"),
    [
        (0o100644, True, False),
        (0o040755, False, True),
        (0o120777, False, False),
        (0o644, True, False),
        (0, True, False),
    ],
)
def test_types_are_those_that_the_server_says(mode: int, file: bool, folder: bool) -> None:
    """A link is neither file nor folder; a server that says permissions only, or nothing, shows files."""
    entry = FolderEntry(name=b"x", size=0, mode=mode, modified=0)
    assert (entry.is_file, entry.is_folder) == (file, folder)


# Settings and layouts


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"host": "exa mple"}, "host"),
        ({"host": "2130706433"}, "host"),
        ({"host_keys": []}, "host_keys"),
        ({"host_keys": ["ssh-dss AAAA"]}, "host_key"),
        ({"host_keys": ["ssh-ed25519 AAAAB3NzaC1yc2E"]}, "host_key"),
        ({"host_keys": [SHORT_RSA]}, "2,048"),
        ({"key": "secret"}, "key"),
        ({"key": None}, "key, password or both"),
        ({"inbox": "../up"}, "inbox"),
        ({"inbox": "/a/../b"}, "inbox"),
        ({"inbox": "/a /b"}, "inbox"),
        ({"outbox": "/in"}, "different"),
        ({"user": "-oProxyCommand=x"}, "user"),
        ({"allow_private": ["0.0.0.0/0"]}, "allow_private"),
    ],
)
def test_wrong_settings_are_found_without_a_network(change: dict[str, object], word: str) -> None:
    """Each fault is found by the model, and a secret is not repeated."""
    SftpSettings.model_validate(GOOD)
    with pytest.raises(ValidationError, match=word) as caught:
        SftpSettings.model_validate({**GOOD, **change})
    assert "'secret'" not in str(caught.value)


def test_the_container_is_laid_out_as_asic_e() -> None:
    """``mimetype`` first and readable at byte 38, the listing names every file with its type (EN 319 162-1)."""
    store = MemoryAttachments()
    sha256, size = store.put(iter([b"%PDF"]), limit=9)
    file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан «1».pdf")
    channel = Channel(id="00032106.sftp", adapter="sftp", dialect="asice", settings=GOOD)
    made = parcel(appeal((file,)), Rendering.BOTH)
    prepared = SftpAdapter(AdapterContext(attachments=store)).prepare(made, channel)
    (piece,) = lay_out(prepared, "asice", store).pieces
    content = b"".join(piece.chunks())
    assert len(content) == piece.size
    assert content[30:38] == b"mimetype"
    assert content[38:].startswith(b"application/vnd.etsi.asic-e+zip")
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        listing = parse(container.read("META-INF/manifest.xml"))
        names = {entry.get(f"{{{listing.nsmap['manifest']}}}full-path") for entry in listing}
        assert names == {"/", *container.namelist()} - {"mimetype", "META-INF/manifest.xml"}
        assert json.loads(container.read("manifest.json"))["files"][2]["name"] == "скан «1».pdf"
        assert zlib.crc32(container.read("attachments/001.pdf")) == zlib.crc32(b"%PDF")
