"""Sessions of chunked transfer, and the bytes of uploads that are not whole yet."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol

from hub.schemas.transfer import QueuedNotice, Transfer, TransferKind, TransferState


class Transfers(Protocol):
    """Sessions and queued notices. A session that ended is never changed."""

    def open(self, transfer: Transfer) -> Transfer:
        """Write a new session; its ``id`` is given here."""
        ...

    def get(self, session_id: int) -> Transfer | None:
        """One session."""
        ...

    def latest(self, party: str, kind: TransferKind, message_id: str) -> Transfer | None:
        """The newest session of a party for this message."""
        ...

    def advance(self, session_id: int, *, before: int, after: int) -> bool:
        """Count bytes; False if somebody else did meanwhile, or the session ended."""
        ...

    def count(self, session_id: int, sha256: str) -> None:
        """Keep the hash that was counted."""
        ...

    def end(self, session_id: int, state: TransferState, code: int | None = None, text: str | None = None) -> bool:
        """End a session; False if it had ended before."""
        ...

    def since(
        self, party: str, kind: TransferKind, first: datetime, last: datetime, limit: int
    ) -> tuple[Transfer, ...]:
        """Sessions that a party opened within a time, oldest first."""
        ...

    def unfinished(self, party: str, kind: TransferKind, first: datetime) -> int:
        """How many sessions that a party opened since then have not ended."""
        ...

    def queue(self, notice: QueuedNotice) -> None:
        """Keep a notice until it is taken; one that is known is left as it is."""
        ...

    def queued(self, party: str, limit: int) -> tuple[QueuedNotice, ...]:
        """Notices that wait for a party, oldest first."""
        ...

    def notice(self, party: str, notice_id: str) -> QueuedNotice | None:
        """One notice, taken or not."""
        ...

    def mark_fetched(self, notice_id: str, at: datetime) -> None:
        """It was taken; it waits no more."""
        ...


class UploadFile(Protocol):
    """The bytes of one upload, held by one writer."""

    def write(self, position: int, data: bytes) -> None:
        """Write ``data`` at ``position``, durably. ``NotFound`` (``transfer.lost``) if the bytes before are gone."""
        ...


class Uploads(Protocol):
    """Bytes of uploads, one file a session."""

    def sweep(self) -> None:
        """Remove what nobody has added to for long."""
        ...

    def turn(self, session_id: int) -> AbstractContextManager[UploadFile]:
        """The session's file, for one writer at a time, whatever process it is in."""
        ...

    def open(self, session_id: int) -> BinaryIO:
        """The bytes so far. ``NotFound`` if there are none."""
        ...

    def remove(self, session_id: int) -> None:
        """Nothing of this upload is needed any more."""
        ...
