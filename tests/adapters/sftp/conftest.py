"""One sshd per worker, a box of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from tests.adapters.sftp.proxy import Proxy
from tests.adapters.sftp.sshd import USER, Sshd, program
from tests.conftest import leave_out

CHANNEL_ID = "00032106.sftp"
TEMPLATE: dict[str, object] = {
    "format": "xml",
    "name": "{date:%Y}/{message_id}.xml",
    "files": "{date:%Y}/{message_id}-{n}.{ext}",
    "answers": {"names": "*.xml"},
    "request": {"Appeal": {"@id": "$message_id", "Text": "$body.text", "Sealed": "$sealed"}},
    "answer": {"status": "registered", "echo": "id", "number": "number", "date": "at"},
}
"""The smallest template: everything goes along in the sealed envelope."""


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """OpenSSH's server; it lets ``USER`` in with its key."""
    if program() is None:
        leave_out("the program sshd is not installed")
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    try:
        yield server
    finally:
        server.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the contract's tests the one that waits for an answer without an end takes 20 seconds here; it comes before
    any dialect is spoken, so that by day one of them meets it.
    """
    for item in items:
        if item.name.startswith("test_an_answer_without_an_end_is_not_read_whole") and "sftp" in item.path.parts:
            item.add_marker(pytest.mark.slow if item.name.endswith("[drop]") else pytest.mark.nightly)


class Box:
    """An authority's folders on a server, seen from the server's own disk, and the channel that leads there."""

    def __init__(self, root: Path, server: Sshd, port: int | None = None) -> None:
        self.inbox, self.outbox = root / "in", root / "out"
        self.inbox.mkdir()
        self.outbox.mkdir()
        self.attachments = MemoryAttachments()
        self.adapter = SftpAdapter(AdapterContext(attachments=self.attachments))
        self._server = server
        self._port = port or server.port

    def channel(self, dialect: str = "drop", **settings: object) -> Channel:
        """A channel to this box."""
        base: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self._port,
            "user": USER,
            "key": f"file:{self._server.key_file}",
            "host_keys": [self._server.host_key],
            "inbox": str(self.inbox),
            "outbox": str(self.outbox),
            "allow_private": ["127.0.0.0/8"],
        }
        if dialect == "template":
            base["template"] = TEMPLATE
        return Channel(id=CHANNEL_ID, adapter="sftp", dialect=dialect, settings={**base, **settings})

    def key_text(self) -> str:
        """A line out of the middle of the key that opens it."""
        return self._server.key_file.read_text("ascii").splitlines()[1]

    def names(self, folder: Path | None = None) -> list[str]:
        """What is in the inbox, temporary things included."""
        return sorted(path.name for path in (folder or self.inbox).iterdir())


@pytest.fixture
def box(sshd: Sshd, tmp_path: Path) -> Box:
    """Folders of this test."""
    return Box(tmp_path, sshd)


@pytest.fixture
def proxy(sshd: Sshd) -> Iterator[Proxy]:
    """A proxy before the server."""
    made = Proxy(sshd.port)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def far_box(sshd: Sshd, proxy: Proxy, tmp_path: Path) -> Box:
    """Folders behind the proxy."""
    return Box(tmp_path, sshd, proxy.port)
