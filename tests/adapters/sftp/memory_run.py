"""Run as a process of its own: 100 MB out and back in again; prints by how many MB its memory grew at most.

Arguments: the channel as JSON, an empty folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from benchmarks.machine import forget_peak, peak_mb, rss_mb
from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.ports import RawInbound, Rendering, ReportedStatus
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.storage.attachments import FileAttachments
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, parcel

MEGABYTES = 100


class CountingDesk(NoDesk):
    """Counts and hashes what it is given."""

    digest = ""
    size = 0

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        """Taken."""

    def reported(self, spoken: ReportedStatus) -> None:
        """Taken."""

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        """Nothing."""
        return None

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        digest = hashlib.sha256()
        for chunk in source:
            digest.update(chunk)
            self.size += len(chunk)
        self.digest = digest.hexdigest()
        return Attachment(sha256=self.digest, size=self.size, media_type=media_type, name=name)


def pieces() -> Iterator[bytes]:
    """A hundred megabytes, no two of them alike."""
    for number in range(MEGABYTES):
        yield number.to_bytes(4, "big") * 262_144


def main(channel_text: str, folder: Path) -> int:
    """Growth in MB."""
    channel = Channel.model_validate_json(channel_text)
    store = FileAttachments(folder / "attachments")
    sha256, size = store.put(pieces(), limit=MEGABYTES << 20)
    file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name="big.pdf")
    adapter = SftpAdapter(AdapterContext(attachments=store))
    prepared = adapter.prepare(parcel(appeal((file,)), Rendering.BOTH), channel)
    # Not ru_maxrss: a process inherits the peak of the one that started it, and pytest is large.
    forget_peak(os.getpid())
    before = rss_mb(os.getpid())
    sink = CountingDesk()
    with adapter.session(channel) as session:
        outcome = session.send(prepared, 100)
        assert outcome.kind == "delivered", outcome
        outbox = Path(channel.settings["outbox"])
        (Path(channel.settings["inbox"]) / f"{prepared.message_id}.asice").rename(outbox / "back.asice")
        (outbox / "back.asice.done").touch()
        assert session.collect(sink, 100) == 1
    assert (sink.digest, sink.size) == (sha256, size)
    return round(peak_mb(os.getpid()) - before)


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2])))
