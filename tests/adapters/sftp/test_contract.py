"""The contract of all adapters, in each dialect, against OpenSSH's sshd."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.sftp import archive
from hub.adapters.sftp.adapter import SftpAdapter
from hub.ports import Outcome, Prepared, Rendering, Session
from hub.protocols.sftp import Sftp
from hub.schemas.directory import Channel, LegalClass
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness, pour, shows, trickle
from hub.testing.samples import appeal, receipt, render
from tests.adapters.servers import Server, serving
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.proxy import Proxy
from tests.adapters.sftp.sshd import Sshd
from tests.ports import free_port


class Inbox:
    """An authority's inbox as a peer: after each attempt it looks at what lies there for that message."""

    def __init__(self, box: Box, dialect: str, **settings: object) -> None:
        self._box = box
        self._channel = box.channel(dialect, **settings)
        self.received: list[bytes] = []
        self.secret = box.key_text()

    def channel(self) -> Channel:
        return self._channel

    def look(self, prepared: Prepared) -> None:
        """Keep what is there, as it would look in one archive with the files behind it."""
        if self._channel.dialect == "template":
            self._look_at_document(prepared)
            return
        for path in self._box.inbox.glob(f"{prepared.message_id}*"):
            if path.is_file():
                self.received.append(path.read_bytes())
                continue
            small = {name: (path / name).read_bytes() for name in archive.unpack(prepared.body)}
            files = sorted(path.glob("attachments/*"))
            self.received.append(archive.pack(small) + b"".join(file.read_bytes() for file in files))

    def _look_at_document(self, prepared: Prepared) -> None:
        """The document stands in the archive that was prepared, beside its name; files follow."""
        (name,) = (part for part in archive.unpack(prepared.body) if part.startswith("document"))
        path = self._box.inbox / "2026" / f"{prepared.message_id}.xml"
        if path.is_file() and path.read_bytes() == archive.unpack(prepared.body)[name]:
            files = sorted(path.parent.glob(f"{prepared.message_id}-*"))
            self.received.append(prepared.body + b"".join(file.read_bytes() for file in files))


class Endless:
    """A server that greets without an end, slowly or fast."""

    server: Server

    def __init__(self, kind: str, box: Box, dialect: str) -> None:
        self._kind = kind
        self._make = partial(box.channel, dialect)
        self.received: list[bytes] = []
        self.poured = 0

    def script(self, server: Server, conn: socket.socket) -> None:
        if self._kind == "floods":
            self.poured = pour(conn)
        else:
            trickle(conn, server.stopped)

    def channel(self) -> Channel:
        return self._make(port=self.server.port)


class OutFolder:
    """An authority's outbox with one receipt in it."""

    def __init__(self, box: Box, dialect: str) -> None:
        self._box = box
        self._channel = box.channel(dialect)
        if dialect == "template":
            path = box.outbox / "receipt.xml"
            path.write_text(f"<r><id>{appeal().header.message_id}</id><number>1</number><at>2026-03-02</at></r>")
        else:
            path = box.outbox / "receipt.json"
            path.write_bytes(render(receipt(appeal()), Rendering.JSON))
        path.with_name(f"{path.name}.done").touch()

    def channel(self) -> Channel:
        return self._channel

    def waiting(self) -> int:
        """What lies there, or is being worked on, and was not put away."""
        places = (self._box.outbox, self._box.outbox / "work")
        found = [path for place in places if place.is_dir() for path in place.iterdir()]
        return sum(path.is_file() and path.suffix != ".done" for path in found)


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
    real = {name: getattr(Sftp, name) for name in ("rename", "rename_new")}

    def lose(name: str) -> Callable[[Sftp, str, str], None]:
        def rename(self: Sftp, old: str, new: str) -> None:
            path = Path(str(new))
            if inbox in path.parents:
                monkeypatch.setattr(Sftp, name, real[name])
                proxy.mute()
                threading.Thread(target=cut_when_there, args=(path,), daemon=True).start()
            real[name](self, old, new)

        return rename

    def cut_when_there(path: Path) -> None:
        while not path.exists():
            pass
        proxy.cut()
        proxy.reset()

    for name in real:
        monkeypatch.setattr(Sftp, name, lose(name))


@pytest.fixture(params=["drop", "asice", "template"])
def harness(
    request: pytest.FixtureRequest, sshd: Sshd, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """All dialects; nobody garbles, refuses, is busy or answers another over SFTP: a file server has no words for
    that.
    """
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
    slow, fast = Endless("trickles", box, dialect), Endless("floods", box, dialect)
    with serving(slow.script) as slow.server, serving(fast.script) as fast.server:
        yield Harness(
            adapter=adapter,
            attachments=box.attachments,
            accepts=near,
            wrong=box.channel(dialect, host_keys=["ssh-ed25519 AAAA"]),
            absent=box.channel(dialect, port=free_port()),
            loses_answer=losing,
            carries_files=lambda: files,
            refuses_files=box.channel(dialect, attachments="refuse"),
            trickles=slow,
            floods=fast,
            confides=near,
            collects=OutFolder(box, dialect),
            renderings=frozenset({Rendering.JWS if dialect == "template" else Rendering.BOTH}),
        )


class TestSftp(AdapterContract):
    """The suite."""

    features = (CALLS | {Feature.COLLECTS}) - {
        Feature.GARBLES,
        Feature.REFUSES,
        Feature.BUSY,
        Feature.ANSWERS_ANOTHER,
    }
    proves = LegalClass.REGISTERED

    @pytest.mark.slow
    @shows(Feature.FLOODS)
    def test_an_answer_without_an_end_is_not_read_whole(self, harness: Harness) -> None:
        """As for all; SSH's own library hears a banner without an end for ten seconds."""
        super().test_an_answer_without_an_end_is_not_read_whole(harness)
