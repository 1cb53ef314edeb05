"""Files that a message names: whether they are there, for whom."""

from __future__ import annotations

from collections.abc import Sequence

from hub.errors import Fault
from hub.ports import Records
from hub.schemas.envelope import Attachment


def unknown_files(records: Records, attachments: Sequence[Attachment], party: str) -> list[Fault]:
    """A fault for each entry of a manifest that is not stored as it says, or that ``party`` may not read."""
    faults = []
    for index, entry in enumerate(attachments):
        stored = records.attachment(entry.sha256)
        if stored is None or stored.size != entry.size or not records.may_read(entry.sha256, party):
            message = "no attachment with this SHA-256 and size was uploaded by you"
            faults.append(Fault(pointer=f"/attachments/{index}", code="attachment.unknown", message=message))
    return faults
