"""Servers with habits of their own: what may be left out, denied or done at once, and the settings that meet it."""

from __future__ import annotations

import io
import random
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.adapters.sftp.reading import from_zip
from hub.adapters.sftp.settings import SftpSettings
from hub.protocols.sftp import Sftp
from tests.reported.players import sftp_server
from tests.reported.players.sftp_lanes import Rig, rig
from tests.reported.players.sftp_server import PASSWORD, Habits

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILTzFxm44spDjrDMBXzNcew6bbPk/MSEZQOMHQulnZTG"
GOOD = {"host": "sftp.example.org", "user": "hub", "key": "file:/k", "host_keys": [KEY], "inbox": "/in"}


def _sent(at: Rig, times: int = 2, size: int = 1_000) -> list[str]:
    at.send(times, size)
    return [line.removeprefix(f"send {n}: ") for n, line in enumerate(at.lines, 1) if line.startswith("send ")]


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_server_that_takes_at_once_is_believed_if_so_set(dialect: str) -> None:
    """`lay: direct`: each file goes once, under its own name, and the message counts as delivered."""
    with rig(Habits(takes_on_close=True), dialect, settings={"lay": "direct"}) as at:
        at.send(1, 1_000)
        assert at.lines[0].startswith("send 1: delivered")
        assert len(at.habits.taken) == len(set(at.habits.taken))
        assert not [name for name in at.habits.taken if name.startswith(".tmp-")]


def test_laid_down_at_once_on_a_common_server() -> None:
    """`lay: direct` where nothing is taken away: a repeat finds what is there, the marker stands last."""
    with rig(Habits(), settings={"lay": "direct"}) as at:
        at.send(2, 1_000)
        assert [line.split(" ")[2] for line in at.lines] == ["delivered", "duplicate"]
        assert list((at.folder / "root" / "in").glob("*/.done"))


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_other_names_where_dots_are_denied(dialect: str) -> None:
    """With `temporary` and `marker` of other names everything goes, the probe and the clock of `stable` too."""
    settings = {"temporary": "tmp_", "marker": "_done", "ready": "stable", "stable_secs": 1}
    with rig(Habits(denies_dots=True), dialect, settings=settings) as at:
        at.send(2, 1_000)
        at.probe()
        at.lay("a.json", marker="")
        at.collect(1)
        told = [line.partition(": ")[2].partition(" ")[0].rstrip(";") for line in at.lines if not line.startswith("  ")]
        assert told == ["delivered", "duplicate", "well", "1"]


def test_a_folder_is_whole_by_the_marker_that_is_set() -> None:
    """An answer as a folder with the marker of the settings is taken; so is one with `.done`."""
    with rig(Habits(), settings={"marker": "_done"}) as at:
        at.lay_folder("m1")
        at.lay_folder("m2")
        (at.outbox / "m2" / ".done").rename(at.outbox / "m2" / "_done")
        at.collect(1)
        assert len(at.desk.spoken) == 2


def test_key_and_password_together() -> None:
    """A server that asks for the password behind the key gets both."""
    with rig(Habits(auth="both"), password=PASSWORD) as at:
        key = f"file:{at.folder / 'user'}"
        at.channel = at.channel.model_copy(update={"settings": {**at.channel.settings, "key": key}})
        at.send(1)
        assert at.lines[0].startswith("send 1: delivered")


@pytest.mark.parametrize(("verify", "ends"), [("hash", "delivered"), ("size", "temporary")])
def test_an_end_without_a_yes_is_read_back(verify: str, ends: str) -> None:
    """A close that is answered with a failure counts if the content was read back, not if its size is known."""
    with rig(Habits(close=sftp_server.FAILURE), settings={"verify": verify}) as at:
        at.send(1, 1_000)
        assert at.lines[0].startswith(f"send 1: {ends}")


@given(most=st.integers(1, 40_000), size=st.integers(0, 200_000), limit=st.integers(0, 50_000))
def test_short_reads_bring_the_whole(most: int, size: int, limit: int) -> None:
    """However little a server gives in one read, the content comes whole and in order, unless it is over the limit."""
    content = random.Random(size).randbytes(size)
    server = _Reads(content, max(most, 64))
    got = b"".join(Sftp(server).read("a", limit=size + limit))
    assert got == content
    assert server.given <= 2 * size + 70 * 32_768


class _Reads:
    """A server that gives at most so many bytes in one read. ``given``: how many it gave in all."""

    def __init__(self, content: bytes, most: int) -> None:
        self._content, self._most, self._out, self.given = content, most, io.BytesIO(), 0
        self._read_at = 0

    def recv(self, count: int) -> bytes:
        data = self._out.getvalue()[self._read_at : self._read_at + count]
        self._read_at += len(data)
        return data

    def sendall(self, data: bytes) -> None:
        kind, body = data[4], data[5:]
        number = body[:4]
        if kind == 1:
            self._put(2, (3).to_bytes(4, "big"))
        elif kind == 3:
            self._put(102, number + (1).to_bytes(4, "big") + b"h")
        elif kind == 5:
            offset, wanted = int.from_bytes(body[9:17], "big"), int.from_bytes(body[17:21], "big")
            piece = self._content[offset : offset + min(wanted, self._most)]
            self.given += len(piece)
            status = number + (1).to_bytes(4, "big") + bytes(8)
            self._put(103, number + len(piece).to_bytes(4, "big") + piece) if piece else self._put(101, status)
        else:
            self._put(101, number + bytes(12))

    def _put(self, kind: int, payload: bytes) -> None:
        self._out.write((len(payload) + 1).to_bytes(4, "big") + bytes([kind]) + payload)


@pytest.mark.parametrize("charset", ["cp866", "cp1125", "cp1251", "utf-8"])
@pytest.mark.parametrize("name", ["Заява громадянки.pdf", "Додаток 1.docx", "ответ.pdf", "ЗАПЕРЕЧЕННЯ.PDF"])
def test_names_in_a_zip_are_read_in_the_code_page_of_their_archiver(name: str, charset: str) -> None:
    """Names in DOS, Windows and UTF-8 without its flag come out as people wrote them."""
    raw = f"attachments/{name}".encode(charset)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("envelope.json", b"{}")
        archive.writestr(_Named(raw), b"%PDF-1")
    with zipfile.ZipFile(packed) as archive:
        _, (enclosed,) = from_zip(archive)
    assert enclosed.name == name


class _Named(zipfile.ZipInfo):
    """A member whose name stands in a code page, without a word of it."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("attachments/o.pdf")
        self._raw = raw

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the base class's name
        return self._raw, self.flag_bits


@pytest.mark.parametrize(
    "change",
    [
        {"inbox": "/Вхідні/Звернення громадян"},
        {"inbox": "/C:/sftp/in"},
        {"inbox": "in (1)"},
        {"user": "RADA\\hub"},
        {"user": "hub+ncc@rada.gov.ua"},
        {"key": "file:/k", "password": "file:/p"},
        {"temporary": "tmp-"},
    ],
)
def test_names_that_servers_have_may_be_set(change: dict[str, Any]) -> None:
    """Letters of any alphabet, blanks, drives and domains are no faults."""
    assert SftpSettings.model_validate({**GOOD, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"inbox": "/in/../etc"},
        {"inbox": "/in/.ssh"},
        {"inbox": "in\\out"},
        {"inbox": "/in\n"},
        {"inbox": "/ in"},
        {"inbox": "/in//a"},
        {"user": "a\nb"},
        {"user": ""},
        {"user": " hub"},
        {"temporary": ""},
        {"temporary": "a/b"},
        {"key": None},
    ],
)
def test_names_that_could_mean_another_place_may_not(change: dict[str, Any]) -> None:
    """No way up, no hidden folder, no second separator, no line break, nothing empty."""
    with pytest.raises(ValidationError):
        SftpSettings.model_validate({**GOOD, **change})
