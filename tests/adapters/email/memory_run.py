"""One signed mail with a file of 45 MiB, sent over loopback; prints by how many MB the peak of memory grew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.envelope import Attachment
from hub.storage.attachments import FileAttachments
from hub.testing.samples import appeal, parcel
from tests.adapters.email.making import certified, out_channel
from tests.adapters.email.smtp_peer import swallow
from tests.adapters.servers import serving

MIB = 1 << 20


def _peak_kb() -> int:
    """What this process itself reached: ``ru_maxrss`` is inherited from whoever started it."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def main(folder: Path) -> None:
    """Send a small mail first, so that only the file counts."""
    os.umask(0o077)
    store = FileAttachments(folder / "files")
    piece = os.urandom(MIB)
    sha256, size = store.put(iter([piece] * 45), limit=1 << 30)
    file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name="великий.pdf")
    cert, key, _ = certified(folder, "hub")
    adapter = EmailAdapter(AdapterContext(attachments=store))
    with serving(swallow) as server:
        channel = out_channel(server.port, max_mail_mb=150, smime={"cert": str(cert), "key": f"file:{key}"})
        peaks = []
        for files in ((), (file,)):
            mail = adapter.prepare(parcel(appeal(files), Rendering.BOTH), channel)
            with adapter.session(channel) as session:
                assert session.send(mail, 100.0).kind is OutcomeKind.DELIVERED
            peaks.append(_peak_kb())
    print((peaks[1] - peaks[0]) // 1024)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
