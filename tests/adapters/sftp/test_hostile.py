"""Servers that are no SSH, never end, say too much, or ask for a password."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.ports import Outcome, Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.simulator.filing import _Files
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel
from tests.adapters.servers import Server, drip, serving
from tests.adapters.sftp.sshd import make_key

PASSWORD = "canary-пароль"


def channel(port: int, folder: Path, **settings: object) -> Channel:
    """A channel with a key of its own."""
    if not (folder / "key").exists():
        make_key(folder / "key")
    base = {
        "host": "127.0.0.1",
        "port": port,
        "user": "hub",
        "host_keys": [make_key(folder / f"host-{port}")],
        "inbox": "/in",
        "allow_private": ["127.0.0.0/8"],
        "key": f"file:{folder}/key",
    }
    return Channel(id="00032106.sftp", adapter="sftp", dialect="drop", settings={**base, **settings})


def send(to: Channel, secs: float = 5.0) -> Outcome:
    """One attempt."""
    adapter = SftpAdapter(AdapterContext(attachments=MemoryAttachments()))
    prepared = adapter.prepare(parcel(appeal(), Rendering.BOTH), to)
    with adapter.session(to) as session:
        return session.send(prepared, secs)


def noise(server: Server, conn: socket.socket) -> None:
    conn.sendall(b"SSH-2.0-noise\r\n" + os.urandom(5_000))
    conn.recv(65_536)


def http(server: Server, conn: socket.socket) -> None:
    conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)


def silence(server: Server, conn: socket.socket) -> None:
    server.pause(30)


def flood(server: Server, conn: socket.socket) -> None:
    while not server.stopped.is_set():
        conn.sendall(b"x" * 65_536)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "codes"),
    [
        (noise, {"sftp.broken"}),
        (http, {"sftp.broken"}),
        (flood, {"sftp.broken", "sftp.protocol", "sftp.deadline"}),
        (silence, {"sftp.deadline"}),
        (drip(b"SSH-2.0-slow\r\n"), {"sftp.deadline"}),
    ],
    ids=["noise", "http", "flood", "silence", "drip"],
)
def test_what_is_no_ssh_is_temporary(
    script: Callable[[Server, socket.socket], None], codes: set[str], tmp_path: Path
) -> None:
    """Whatever listens there, the attempt ends by its deadline with a word for the operator, and nothing hangs."""
    with serving(script) as server:
        outcome = send(channel(server.port, tmp_path), 0.6)
    assert outcome.kind is OutcomeKind.TEMPORARY
    assert outcome.code in codes


class Guard(paramiko.ServerInterface):
    """Asks for a password; with ``sftp`` false it knows no subsystem."""

    def __init__(self, sftp: bool) -> None:
        self._sftp = sftp

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == PASSWORD else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return self._sftp and super().check_channel_subsystem_request(channel, name)


@contextmanager
def guarded(root: Path, host_key: Path, sftp: bool) -> Iterator[int]:
    """A paramiko server with a password."""
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(sock)
            transport.set_log_channel("hub.simulator.wire")
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key)))
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, root, lambda _path: None)
            transports.append(transport)
            transport.start_server(event=threading.Event(), server=Guard(sftp))

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


@pytest.mark.parametrize(
    ("password", "sftp", "code"),
    [(PASSWORD, True, None), ("wrong", True, "sftp.auth_refused"), (PASSWORD, False, "sftp.broken")],
)
def test_a_password_opens_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, sftp: bool, code: str | None
) -> None:
    """By reference, and to the pinned server only; a wrong one is the channel's fault and stands in no outcome."""
    (tmp_path / "in").mkdir()
    host_key = make_key(tmp_path / "host")
    monkeypatch.setenv("SFTP_PASSWORD", password)
    with guarded(tmp_path, tmp_path / "host", sftp) as port:
        settings = {"key": None, "password": "env:SFTP_PASSWORD", "host_keys": [host_key]}
        outcome = send(channel(port, tmp_path, **settings))
    assert outcome.code == code
    assert outcome.kind is (OutcomeKind.DELIVERED if code is None else OutcomeKind.TEMPORARY)
    assert "canary" not in str(outcome.detail)
    assert len(list((tmp_path / "in").iterdir())) == (code is None)


@pytest.mark.slow
def test_a_key_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted key is opened with its own reference; with a wrong one it is a fault of the configuration."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    path = tmp_path / "locked"
    path.touch(mode=0o600)
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"right")
        )
    )
    for password, code in (("right", "sftp.connect"), ("wrong", "sftp.key")):
        monkeypatch.setenv("KEY_PASSWORD", password)
        outcome = send(channel(1, tmp_path, key=f"file:{path}", key_password="env:KEY_PASSWORD"))
        assert outcome.code == code
