"""The contract of all adapters, in both dialects, against OpenSSH's sshd."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.sftp import archive
from hub.adapters.sftp.adapter import SftpAdapter
from hub.ports import Outcome, Prepared, Rendering, Session
from hub.protocols.sftp import Sftp
from hub.schemas.directory import Channel
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.proxy import Proxy
from tests.adapters.sftp.sshd import Sshd, free_port


class Inbox:
    """An authority's inbox as a peer: after each attempt it looks at what lies there for that message."""

    def __init__(self, box: Box, dialect: str, **settings: object) -> None:
        self._box = box
        self._channel = box.channel(dialect, **settings)
        self.received: list[bytes] = []

    def channel(self) -> Channel:
        return self._channel

    def look(self, prepared: Prepared) -> None:
        """Keep what is there, as it would look in one archive with the files behind it."""
        for path in self._box.inbox.glob(f"{prepared.message_id}*"):
            if path.is_file():
                self.received.append(path.read_bytes())
                continue
            small = {name: (path / name).read_bytes() for name in archive.unpack(prepared.body)}
            files = sorted(path.glob("attachments/*"))
            self.received.append(archive.pack(small) + b"".join(file.read_bytes() for file in files))


class Watched(SftpAdapter):
    """The adapter, with its inboxes looked at after each attempt."""

    inboxes: list[Inbox]

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        return self._watched(channel)

    @contextmanager
    def _watched(self, channel: Channel) -> Iterator[Session]:
        with super().session(channel) as session:
            send = session.send

            def watched(prepared: Prepared, deadline_secs: float) -> Outcome:
                outcome = send(prepared, deadline_secs)
                for inbox in self.inboxes:
                    if inbox.channel() is channel:
                        inbox.look(prepared)
                return outcome

            session.send = watched  # type: ignore[method-assign]
            yield session


def lose_one_answer(proxy: Proxy, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rename into this inbox happens, and nobody hears of it."""
    real = Sftp.rename

    def rename(self: Sftp, old: str | bytes, new: str | bytes) -> None:
        path = Path(str(new))
        if path.parent == inbox:
            monkeypatch.setattr(Sftp, "rename", real)
            proxy.mute()
            threading.Thread(target=cut_when_there, args=(path,), daemon=True).start()
        real(self, old, new)

    def cut_when_there(path: Path) -> None:
        while not path.exists():
            pass
        proxy.cut()
        proxy.reset()

    monkeypatch.setattr(Sftp, "rename", rename)


@pytest.fixture(params=["drop", "asice"])
def harness(
    request: pytest.FixtureRequest, sshd: Sshd, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Harness:
    """Both dialects; nobody garbles, refuses or is busy over SFTP: a file server has no words for that."""
    dialect: str = request.param
    box = Box(tmp_path, sshd)
    adapter = Watched(AdapterContext(attachments=box.attachments))
    near, files = Inbox(box, dialect), Inbox(box, dialect)
    far_root = tmp_path / "far"
    far_root.mkdir()
    far = Box(far_root, sshd, proxy.port)
    losing = Inbox(far, dialect)
    adapter.inboxes = [near, files, losing]
    lose_one_answer(proxy, far.inbox, monkeypatch)
    return Harness(
        adapter=adapter,
        attachments=box.attachments,
        accepts=near,
        wrong=box.channel(dialect, host_keys=["ssh-ed25519 AAAA"]),
        absent=box.channel(dialect, port=free_port()),
        loses_answer=losing,
        carries_files=lambda: files,
        refuses_files=box.channel(dialect, attachments="refuse"),
        renderings=frozenset({Rendering.BOTH}),
    )


class TestSftp(AdapterContract):
    """The suite."""

    features = CALLS - {Feature.GARBLES, Feature.REFUSES, Feature.BUSY}
