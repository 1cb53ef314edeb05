"""An SFTP server (version 3) on loopback, packet by packet, with habits that real servers were reported to have."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import MappingProxyType

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

PASSWORD = "right"
OK, END, NO_FILE, DENIED, FAILURE, UNSUPPORTED, NO_PATH = 0, 1, 2, 3, 4, 8, 10
WRITE, TRUNCATE, EXCLUSIVE = 2, 16, 32
HAS_SIZE, HAS_MODE, HAS_TIMES = 1, 4, 8
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
RENAME, FSYNC = b"posix-rename@openssh.com", b"fsync@openssh.com"
_WORDS = MappingProxyType(
    {
        OK: "ok",
        END: "eof",
        NO_FILE: "No such file",
        DENIED: "Permission denied",
        FAILURE: "Failure",
        UNSUPPORTED: "unsupported",
    }
)
_BATCH = 100


@dataclass
class Habits:
    """How the server behaves; statuses other than OK are refusals. ``taken``: what it took away.

    ``attrs``: what attributes say (``HAS_…``); ``auth``: ``publickey``, ``password``, ``keyboard`` or ``both``;
    ``upper``: shows names in capitals and does not tell them apart; ``name_codec``: code page of names in listings.
    """

    max_read: int = 262_144
    missing: int = NO_FILE
    missing_text: str = "No such file"
    attrs: int = HAS_SIZE | HAS_MODE | HAS_TIMES
    fsync: int = OK
    close: int = OK
    mkdir: int = OK
    rename: int = OK
    rename_folder: int = OK
    denies_dots: bool = False
    write_once: bool = False
    takes_on_close: bool = False
    upper: bool = False
    name_codec: str = ""
    auth: str = "publickey"
    asked: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)


class Guard(paramiko.ServerInterface):
    """Lets in who comes as the habits want it."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._half = False

    def get_allowed_auths(self, username: str) -> str:
        if self._habits.auth == "keyboard":
            return "keyboard-interactive"
        return "password" if self._habits.auth == "password" or self._half else "publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self._habits.asked.append("password")
        wanted = self._habits.auth == "password" or (self._habits.auth == "both" and self._half)
        return AUTH_SUCCESSFUL if wanted and password == PASSWORD else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._habits.asked.append("publickey")
        if self._habits.auth == "both":
            self._half = True
            return AUTH_PARTIALLY_SUCCESSFUL
        return AUTH_SUCCESSFUL if self._habits.auth == "publickey" else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        self._habits.asked.append("keyboard-interactive")
        query = InteractiveQuery("", "", ("Password: ", False))
        return query if self._habits.auth == "keyboard" else AUTH_FAILED

    def check_auth_interactive_response(self, responses: Sequence[str]) -> int:
        return AUTH_SUCCESSFUL if list(responses) == [PASSWORD] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class Packet:
    """Fields of a packet, read one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self) -> int:
        value, self._data = int.from_bytes(self._data[:4]), self._data[4:]
        return value

    def long(self) -> int:
        value, self._data = int.from_bytes(self._data[:8]), self._data[8:]
        return value

    def text(self) -> bytes:
        size = self.number()
        value, self._data = self._data[:size], self._data[size:]
        return value


@dataclass
class Open:
    """What a handle stands for: a file, or what is left of a listing."""

    path: Path
    file: FileIO | None = None
    left: list[Path] = field(default_factory=list)
    wrote: bool = False


class Refused(Exception):
    """A status that is not OK."""

    def __init__(self, status: int, text: str = "") -> None:
        self.status = status
        self.text = text


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class Sftp(paramiko.SubsystemHandler):
    """One session."""

    def __init__(
        self, channel: paramiko.Channel, name: str, server: paramiko.ServerInterface, habits: Habits, root: Path
    ) -> None:
        super().__init__(channel, name, server)
        self._channel = channel
        self._habits = habits
        self._root = root
        self._open: dict[bytes, Open] = {}
        self._count = 0

    def start_subsystem(self, name: str, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                data = self._read(int.from_bytes(self._read(4)))
                self._answer(data[0], data[1:])
        for opened in self._open.values():
            if opened.file is not None:
                opened.file.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._channel.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _put(self, kind: int, payload: bytes) -> None:
        self._channel.sendall(struct.pack(">IB", len(payload) + 1, kind) + payload)

    def _answer(self, kind: int, data: bytes) -> None:
        if kind == 1:  # the greeting
            self._put(2, struct.pack(">I", 3) + b"".join(_string(each) + _string(b"1") for each in (RENAME, FSYNC)))
            return
        number, work = data[:4], _WORK.get(kind, Sftp.unknown)
        try:
            answer, payload = work(self, Packet(data[4:]))
            self._put(answer, number + payload)
        except Refused as refused:
            self._status(number, refused.status, refused.text)
        except FileNotFoundError:
            self._status(number, self._habits.missing, self._habits.missing_text)
        except OSError:
            self._status(number, FAILURE)

    def _status(self, number: bytes, status: int, text: str = "") -> None:
        words = (text or _WORDS.get(status, "refused")).encode()
        self._put(STATUS, number + struct.pack(">I", status) + _string(words) + _string(b""))

    @staticmethod
    def _done(status: int = OK) -> tuple[int, bytes]:
        if status != OK:
            raise Refused(status)
        return STATUS, struct.pack(">I", OK) + _string(b"ok") + _string(b"")

    # Names and attributes

    def _path(self, raw: bytes) -> Path:
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            name = raw.decode(self._habits.name_codec or "latin-1")
        path = self._root / os.path.normpath("/" + name).lstrip("/")
        if not self._habits.upper or path.exists():
            return path
        found = self._root
        for part in path.relative_to(self._root).parts:
            here = found.iterdir() if found.is_dir() else iter(())
            found /= next((each.name for each in here if each.name.lower() == part.lower()), part)
        return found

    def _named(self, packet: Packet, *, look: bool = False) -> Path:
        raw = packet.text()
        if self._habits.denies_dots and raw.rsplit(b"/", 1)[-1].startswith(b"."):
            if look:
                raise FileNotFoundError
            raise Refused(DENIED, "Forbidden filename")
        return self._path(raw)

    def _attrs(self, status: os.stat_result) -> bytes:
        said = self._habits.attrs
        data = struct.pack(">I", said)
        if said & HAS_SIZE:
            data += struct.pack(">Q", status.st_size)
        if said & HAS_MODE:
            data += struct.pack(">I", status.st_mode)
        if said & HAS_TIMES:
            data += struct.pack(">II", int(status.st_atime), int(status.st_mtime))
        return data

    def _handle(self, opened: Open) -> tuple[int, bytes]:
        self._count += 1
        name = str(self._count).encode()
        self._open[name] = opened
        return HANDLE, _string(name)

    def _held(self, packet: Packet) -> tuple[Open, FileIO]:
        opened = self._open[packet.text()]
        assert opened.file is not None
        return opened, opened.file

    # Operations

    def open(self, packet: Packet) -> tuple[int, bytes]:
        path, flags = self._named(packet), packet.number()
        if not flags & WRITE:
            return self._handle(Open(path, FileIO(path)))
        existed = path.exists()
        if existed and flags & EXCLUSIVE:
            raise Refused(FAILURE)
        if existed and self._habits.write_once:
            raise Refused(DENIED)
        return self._handle(Open(path, FileIO(path, "r+" if existed and not flags & TRUNCATE else "w+"), wrote=True))

    def close(self, packet: Packet) -> tuple[int, bytes]:
        opened = self._open.pop(packet.text())
        if opened.file is None:
            return self._done()
        opened.file.close()
        if opened.wrote and self._habits.takes_on_close:
            self._habits.taken.append(opened.path.name)
            opened.path.unlink()
        return self._done(self._habits.close if opened.wrote else OK)

    def read(self, packet: Packet) -> tuple[int, bytes]:
        _, file = self._held(packet)
        file.seek(packet.long())
        data = file.read(min(packet.number(), self._habits.max_read))
        if not data:
            raise Refused(END)
        return DATA, _string(data)

    def write(self, packet: Packet) -> tuple[int, bytes]:
        _, file = self._held(packet)
        file.seek(packet.long())
        file.write(packet.text())
        return self._done()

    def look(self, packet: Packet) -> tuple[int, bytes]:
        return ATTRS, self._attrs(self._named(packet, look=True).lstat())

    def look_open(self, packet: Packet) -> tuple[int, bytes]:
        return ATTRS, self._attrs(os.fstat(self._held(packet)[1].fileno()))

    def open_folder(self, packet: Packet) -> tuple[int, bytes]:
        path = self._path(packet.text())
        return self._handle(Open(path, left=sorted(path.iterdir())))

    def read_folder(self, packet: Packet) -> tuple[int, bytes]:
        opened = self._open[packet.text()]
        batch, opened.left = opened.left[:_BATCH], opened.left[_BATCH:]
        if not batch:
            raise Refused(END)
        data = struct.pack(">I", len(batch))
        for path in batch:
            name = path.name.upper() if self._habits.upper else path.name
            raw = name.encode(self._habits.name_codec or "utf-8")
            data += _string(raw) + _string(stat.filemode(path.lstat().st_mode).encode() + b" 1 " + raw)
            data += self._attrs(path.lstat())
        return NAME, data

    def remove(self, packet: Packet) -> tuple[int, bytes]:
        self._path(packet.text()).unlink()
        return self._done()

    def make_folder(self, packet: Packet) -> tuple[int, bytes]:
        path = self._named(packet)
        if self._habits.mkdir == OK:
            path.mkdir()
        return self._done(self._habits.mkdir)

    def remove_folder(self, packet: Packet) -> tuple[int, bytes]:
        self._path(packet.text()).rmdir()
        return self._done()

    def rename(self, packet: Packet, *, over: bool = False) -> tuple[int, bytes]:
        old, new = self._named(packet), self._named(packet)
        refusal = self._habits.rename or (self._habits.rename_folder if old.is_dir() else OK)
        if refusal == OK and new.exists() and not over:
            raise Refused(FAILURE)
        if refusal == OK:
            old.rename(new)
        return self._done(refusal)

    def unknown(self, packet: Packet) -> tuple[int, bytes]:
        return self._done(UNSUPPORTED)

    def extended(self, packet: Packet) -> tuple[int, bytes]:
        name = packet.text()
        if name == RENAME:
            return self.rename(packet, over=True)
        return self._done(self._habits.fsync if name == FSYNC else UNSUPPORTED)


_WORK = MappingProxyType(
    {
        3: Sftp.open,
        4: Sftp.close,
        5: Sftp.read,
        6: Sftp.write,
        7: Sftp.look,
        8: Sftp.look_open,
        11: Sftp.open_folder,
        12: Sftp.read_folder,
        13: Sftp.remove,
        14: Sftp.make_folder,
        15: Sftp.remove_folder,
        17: Sftp.look,
        18: Sftp.rename,
        200: Sftp.extended,
    }
)


@contextlib.contextmanager
def serving_sftp(root: Path, host_key: Path, habits: Habits) -> Iterator[int]:
    """Serve a folder; the port."""
    key = paramiko.Ed25519Key.from_private_key_file(str(host_key))
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                transport = paramiko.Transport(conn)
                transports.append(transport)
                transport.add_server_key(key)
                transport.set_subsystem_handler("sftp", Sftp, habits, root)
                transport.start_server(event=threading.Event(), server=Guard(habits))

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for transport in transports:
            transport.close()
            transport.join(10)
