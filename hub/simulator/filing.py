"""An authority with an SFTP server: what the hub lays into its inbox it takes, what it says it lays into its outbox.

A paramiko server on loopback with a folder of its own (``in``, ``out``, ``taken``), both dialects of the adapter
``sftp`` read, one public key let in. Paths cannot leave the folder. Nothing here is a model for a server on a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import logging
import os
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Final, Literal

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_FAILURE, SFTP_OK

from hub.errors import ConfigurationError, HubError, InvalidInput
from hub.ports import RawInbound
from hub.schemas import strict_json
from hub.simulator.authority import PlayedAuthority, SimulatedVerdict, digest_of
from hub.simulator.characters import TAKEN, SftpDoor

MAX_MANIFEST_BYTES: Final = 1_048_576
_LOG: Final = "hub.simulator.wire"
logging.getLogger(_LOG).disabled = True  # a client that hangs up is no news
_FOLDERS: Final = ("in", "out", "taken")
_CLOSE_SECS: Final = 10.0


class Filing:
    """One such authority. ``taken`` gets the verdict on each message that was laid down."""

    def __init__(
        self,
        authority: PlayedAuthority,
        door: SftpDoor,
        *,
        folder: Path,
        taken: Callable[[PlayedAuthority, SimulatedVerdict], None],
    ) -> None:
        self._authority = authority
        self._taken = taken
        self._user, self._let_in = door.user, door.public_key
        self._root = folder / door.folder
        for name in _FOLDERS:
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._host_key = paramiko.Ed25519Key.from_private_key_file(str(folder / door.host_key_file))
            self._listener = socket.create_server(("127.0.0.1", door.port))
        except (OSError, paramiko.SSHException) as error:
            raise ConfigurationError(f"The SFTP server of {authority.party.code} cannot start: {error}.") from None
        self.port: int = self._listener.getsockname()[1]
        self._numbers = itertools.count(1)
        self._open: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, name=f"sftp-{authority.party.code}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._open:
            transport.close()
        self._thread.join(_CLOSE_SECS)

    def say(self, body: bytes) -> Literal["taken"]:
        """Lay a report into the outbox: whole first, then its marker."""
        name = f"{next(self._numbers):06d}.json"
        making = self._root / "out" / f".{name}"
        making.write_bytes(body)
        making.rename(self._root / "out" / name)
        (self._root / "out" / f"{name}.done").touch()
        return "taken"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(sock)
            transport.set_log_channel(_LOG)
            transport.add_server_key(self._host_key)
            laid = partial(self._laid, transport)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self._root, laid)
            self._open = [each for each in self._open if each.is_active()] + [transport]
            transport.start_server(event=threading.Event(), server=_Guard(self._user, self._let_in))

    def _laid(self, transport: paramiko.Transport, path: Path) -> None:
        """A message is whole: read it, and move it to where it counts as taken. A file server cannot say that it fails:
        it hangs up, and what it did not take is gone.
        """
        try:
            raw = _from_folder(path) if path.is_dir() else _from_container(path)
            envelope = self._authority.open(raw)
        except (HubError, OSError, zipfile.BadZipFile, KeyError):
            self._authority.count("malformed")
            return
        verdict = self._authority.receive(envelope, digest_of(raw.body))
        if verdict.failure is not None:
            transport.close()
        if verdict.failure is not None and verdict.failure not in TAKEN:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            return
        path.rename(self._root / "taken" / path.name)
        self._taken(self._authority, verdict)


def _from_folder(path: Path) -> RawInbound:
    manifest = strict_json.parse((path / "manifest.json").read_bytes(), max_bytes=MAX_MANIFEST_BYTES)
    assert isinstance(manifest, dict)
    files = manifest["files"]
    assert isinstance(files, list)
    for entry in files:
        assert isinstance(entry, dict)
        with (path / str(entry["path"])).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                raise InvalidInput("A file is not as the manifest says.", code="attachment.differs")
    return RawInbound(content_type="application/json", body=(path / "envelope.json").read_bytes())


def _from_container(path: Path) -> RawInbound:
    with zipfile.ZipFile(path) as container:
        if container.testzip() is not None:
            raise InvalidInput("A file is not as the container says.", code="attachment.differs")
        return RawInbound(content_type="application/json", body=container.read("envelope.json"))


class _Guard(paramiko.ServerInterface):
    """Lets one user in with one key, to one subsystem."""

    def __init__(self, user: str, public_key: str) -> None:
        self._user = user
        self._key = public_key

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        shown = f"{key.get_name()} {key.get_base64()}"
        known = username == self._user and hmac.compare_digest(shown.encode(), self._key.encode())
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's signature
        session = kind == "session"
        return OPEN_SUCCEEDED if session else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Handle(paramiko.SFTPHandle):
    """An open file; ``closed`` hears that it was closed."""

    def __init__(self, file: IO[bytes], flags: int, closed: Callable[[], None]) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file
        self._closed = closed

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    def close(self) -> None:
        super().close()
        self._closed()


class _Files(paramiko.SFTPServerInterface):
    """A folder, served. ``laid`` hears of each message that is whole: a folder with ``.done``, or a container."""

    def __init__(self, server: paramiko.ServerInterface, root: Path, laid: Callable[[Path], None]) -> None:
        super().__init__(server)
        self._root = root
        self._laid = laid

    def _local(self, path: str) -> Path:
        return self._root / os.path.normpath("/" + path).lstrip("/")

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:  # noqa: ARG002
        local = self._local(path)
        try:
            mode: Literal["rb", "r+b"] = "r+b" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
            # Readable too, as one object serves both directions.
            wanted = (flags & ~os.O_WRONLY) | os.O_RDWR if mode == "r+b" else flags
            file = os.fdopen(os.open(local, wanted | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), mode, buffering=0)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        marks = local.name == ".done" and bool(flags & os.O_CREAT) and local.parent.parent.name == "in"
        return _Handle(file, flags, lambda: self._laid(local.parent) if marks else None)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        try:
            found = list(self._local(path).iterdir())
            return [paramiko.SFTPAttributes.from_stat(each.lstat(), each.name) for each in found]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(self._local(path).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    stat = lstat

    def remove(self, path: str) -> int:
        return self._do(self._local(path).unlink)

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:  # noqa: ARG002 - paramiko's signature
        return self._do(lambda: self._local(path).mkdir(mode=0o700))

    def rmdir(self, path: str) -> int:
        return self._do(self._local(path).rmdir)

    def rename(self, oldpath: str, newpath: str) -> int:
        """Refuses to replace anything (draft-ietf-secsh-filexfer-02 section 6.5)."""
        new = self._local(newpath)
        if new.exists():
            return SFTP_FAILURE
        done = self._do(lambda: self._local(oldpath).rename(new))
        if done == SFTP_OK and new.parent.name == "in" and new.suffix == ".asice":
            self._laid(new)
        return done

    @staticmethod
    def _do(work: Callable[[], object]) -> int:
        try:
            work()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return SFTP_OK
