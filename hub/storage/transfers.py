"""Sessions of chunked transfer and waiting notices: in the database, and a twin in memory that passes the same tests.

Bytes of an upload are appended to a file of their own (``Spool``) before the row says that they are there; the row is
the truth, what a crash left behind it is cut off. Several processes may serve one session, one chunk at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hub.errors import NotFound, Unavailable
from hub.schemas.transfer import ENDED, QueuedNotice, Transfer, TransferKind, TransferState
from hub.storage import schema
from hub.storage.database import Database

STALE_SECS = 172_800
"""Spooled bytes that nobody has added to for two days belong to nobody any more."""
SWEEP_SECS = 3_600
_FIELDS = tuple(field.name for field in fields(Transfer))
_NOTICE = tuple(field.name for field in fields(QueuedNotice))


class Transfers(Protocol):
    """What both keep. A session that ended is never changed."""

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

    def take_notice(self, notice_id: str, at: datetime) -> None:
        """It was taken; it waits no more."""
        ...


class SqlTransfers:
    """``Transfers`` in the hub's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, transfer: Transfer) -> Transfer:
        """Write a new session."""
        values = {name: _stored(getattr(transfer, name)) for name in _FIELDS if name != "id"}
        statement = sa.insert(schema.transfers).values(values).returning(schema.transfers.c.id)
        return replace(transfer, id=self._database.write(lambda c: int(c.execute(statement).scalar_one())))

    def get(self, session_id: int) -> Transfer | None:
        """One session."""
        return self._one(sa.select(schema.transfers).where(schema.transfers.c.id == session_id))

    def latest(self, party: str, kind: TransferKind, message_id: str) -> Transfer | None:
        """The newest session of a party for this message."""
        t = schema.transfers.c
        statement = sa.select(schema.transfers).where(
            t.party == party, t.kind == kind.value, t.message_id == message_id
        )
        return self._one(statement.order_by(t.id.desc()).limit(1))

    def advance(self, session_id: int, *, before: int, after: int) -> bool:
        """Count bytes."""
        t = schema.transfers.c
        statement = (
            sa.update(schema.transfers)
            .where(t.id == session_id, t.transferred == before, t.state.not_in([state.value for state in ENDED]))
            .values(transferred=after, state=TransferState.IN_PROGRESS.value)
        )
        return self._database.write(lambda c: c.execute(statement).rowcount) == 1

    def count(self, session_id: int, sha256: str) -> None:
        """Keep the hash that was counted."""
        statement = sa.update(schema.transfers).where(schema.transfers.c.id == session_id).values(sha256=sha256)
        self._database.write(lambda c: c.execute(statement))

    def end(self, session_id: int, state: TransferState, code: int | None = None, text: str | None = None) -> bool:
        """End a session."""
        t = schema.transfers.c
        statement = (
            sa.update(schema.transfers)
            .where(t.id == session_id, t.state.not_in([ended.value for ended in ENDED]))
            .values(state=state.value, code=code, text=text)
        )
        return self._database.write(lambda c: c.execute(statement).rowcount) == 1

    def since(
        self, party: str, kind: TransferKind, first: datetime, last: datetime, limit: int
    ) -> tuple[Transfer, ...]:
        """Sessions that a party opened within a time."""
        t = schema.transfers.c
        statement = (
            sa.select(schema.transfers)
            .where(t.party == party, t.kind == kind.value, t.opened_at.between(first, last))
            .order_by(t.opened_at, t.id)
            .limit(limit)
        )
        return self._database.read(lambda c: tuple(_transfer(row) for row in c.execute(statement)))

    def unfinished(self, party: str, kind: TransferKind, first: datetime) -> int:
        """How many have not ended."""
        t = schema.transfers.c
        statement = sa.select(sa.func.count()).where(
            t.party == party,
            t.kind == kind.value,
            t.opened_at >= first,
            t.state.not_in([state.value for state in ENDED]),
        )
        return self._database.read(lambda c: int(c.execute(statement).scalar_one()))

    def queue(self, notice: QueuedNotice) -> None:
        """Keep a notice until it is taken."""
        insert: Any = (postgresql.insert if self._database.postgres else sqlite.insert)(schema.notices)
        statement = insert.values({name: getattr(notice, name) for name in _NOTICE}).on_conflict_do_nothing()
        self._database.write(lambda c: c.execute(statement))

    def queued(self, party: str, limit: int) -> tuple[QueuedNotice, ...]:
        """Notices that wait for a party."""
        n = schema.notices.c
        statement = sa.select(schema.notices).where(schema.IS_WAITING, n.party == party)
        ordered = statement.order_by(n.created_at, n.id).limit(limit)
        return self._database.read(lambda c: tuple(_notice(row) for row in c.execute(ordered)))

    def notice(self, party: str, notice_id: str) -> QueuedNotice | None:
        """One notice."""
        n = schema.notices.c
        statement = sa.select(schema.notices).where(n.id == notice_id, n.party == party)
        row = self._database.read(lambda c: c.execute(statement).one_or_none())
        return None if row is None else _notice(row)

    def take_notice(self, notice_id: str, at: datetime) -> None:
        """It was taken."""
        statement = sa.update(schema.notices).where(schema.notices.c.id == notice_id, schema.IS_WAITING)
        self._database.write(lambda c: c.execute(statement.values(taken_at=at)))

    def _one(self, statement: sa.Select[Any]) -> Transfer | None:
        row = self._database.read(lambda c: c.execute(statement).one_or_none())
        return None if row is None else _transfer(row)


def _stored(value: object) -> object:
    return value.value if isinstance(value, TransferKind | TransferState) else value


def _transfer(row: sa.Row[*tuple[Any, ...]]) -> Transfer:
    found: dict[str, Any] = {name: row._mapping[name] for name in _FIELDS}
    return Transfer(**{**found, "kind": TransferKind(found["kind"]), "state": TransferState(found["state"])})


def _notice(row: sa.Row[*tuple[Any, ...]]) -> QueuedNotice:
    found: dict[str, Any] = {name: row._mapping[name] for name in _NOTICE}
    return QueuedNotice(**found)


class MemoryTransfers:
    """The twin in memory, for tests and simulations. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transfers: dict[int, Transfer] = {}
        self._notices: dict[str, QueuedNotice] = {}
        self._taken: set[str] = set()

    def open(self, transfer: Transfer) -> Transfer:
        """Write a new session."""
        with self._lock:
            made = replace(transfer, id=len(self._transfers) + 1)
            self._transfers[made.id] = made
            return made

    def get(self, session_id: int) -> Transfer | None:
        """One session."""
        with self._lock:
            return self._transfers.get(session_id)

    def latest(self, party: str, kind: TransferKind, message_id: str) -> Transfer | None:
        """The newest session of a party for this message."""
        wanted = (party, kind, message_id)
        with self._lock:
            mine = [t for t in self._transfers.values() if (t.party, t.kind, t.message_id) == wanted]
        return mine[-1] if mine else None

    def advance(self, session_id: int, *, before: int, after: int) -> bool:
        """Count bytes."""
        with self._lock:
            transfer = self._transfers.get(session_id)
            if transfer is None or transfer.transferred != before or transfer.state in ENDED:
                return False
            self._transfers[session_id] = replace(transfer, transferred=after, state=TransferState.IN_PROGRESS)
            return True

    def count(self, session_id: int, sha256: str) -> None:
        """Keep the hash that was counted."""
        with self._lock:
            if session_id in self._transfers:
                self._transfers[session_id] = replace(self._transfers[session_id], sha256=sha256)

    def end(self, session_id: int, state: TransferState, code: int | None = None, text: str | None = None) -> bool:
        """End a session."""
        with self._lock:
            transfer = self._transfers.get(session_id)
            if transfer is None or transfer.state in ENDED:
                return False
            self._transfers[session_id] = replace(transfer, state=state, code=code, text=text)
            return True

    def since(
        self, party: str, kind: TransferKind, first: datetime, last: datetime, limit: int
    ) -> tuple[Transfer, ...]:
        """Sessions that a party opened within a time."""
        with self._lock:
            found = [t for t in self._transfers.values() if (t.party, t.kind) == (party, kind)]
        within = [t for t in found if first <= t.opened_at <= last]
        return tuple(sorted(within, key=lambda t: (t.opened_at, t.id))[:limit])

    def unfinished(self, party: str, kind: TransferKind, first: datetime) -> int:
        """How many have not ended."""
        with self._lock:
            mine = [t for t in self._transfers.values() if (t.party, t.kind) == (party, kind) and t.opened_at >= first]
        return sum(t.state not in ENDED for t in mine)

    def queue(self, notice: QueuedNotice) -> None:
        """Keep a notice until it is taken."""
        with self._lock:
            self._notices.setdefault(notice.id, notice)

    def queued(self, party: str, limit: int) -> tuple[QueuedNotice, ...]:
        """Notices that wait for a party."""
        with self._lock:
            waiting = [n for n in self._notices.values() if n.party == party and n.id not in self._taken]
        return tuple(sorted(waiting, key=lambda n: (n.created_at, n.id))[:limit])

    def notice(self, party: str, notice_id: str) -> QueuedNotice | None:
        """One notice."""
        with self._lock:
            found = self._notices.get(notice_id)
        return found if found is not None and found.party == party else None

    def take_notice(self, notice_id: str, at: datetime) -> None:  # noqa: ARG002 - the protocol's signature
        """It was taken."""
        with self._lock:
            self._taken.add(notice_id)


class Spool:
    """Bytes of uploads that are not whole yet: one file a session, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sweep_at = 0.0
        with _disk():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what nobody has added to for two days; looks at most once an hour."""
        now = time.time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECS
        with _disk():
            for path in self._root.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                    if path.lstat().st_mtime < now - STALE_SECS:
                        path.unlink()

    def _path(self, session_id: int) -> Path:
        return self._root / f"{session_id:020d}"

    @contextlib.contextmanager
    def turn(self, session_id: int) -> Iterator[SpoolFile]:
        """The session's file, for one writer at a time, whatever process it is in: look at the row inside."""
        with _disk():
            descriptor = os.open(self._path(session_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            with _disk():
                fcntl.flock(file, fcntl.LOCK_EX)
            yield SpoolFile(file, self._root)

    def open(self, session_id: int) -> BinaryIO:
        """The bytes so far. ``NotFound`` if there are none."""
        try:
            return self._path(session_id).open("rb")
        except FileNotFoundError:
            raise NotFound("This upload has no bytes here.", code="transfer.lost") from None

    def remove(self, session_id: int) -> None:
        """Nothing of this upload is needed any more."""
        with contextlib.suppress(OSError):  # swept later
            self._path(session_id).unlink()


class SpoolFile:
    """The bytes of one upload, held by one writer."""

    def __init__(self, file: io.FileIO, root: Path) -> None:
        self._file = file
        self._root = root

    def write(self, position: int, data: bytes) -> None:
        """Write ``data`` at ``position``, durably; what a crash left behind it is cut off. ``NotFound``
        (``transfer.lost``) if the bytes before are gone, ``Unavailable`` if the disk fails.
        """
        with _disk():
            if os.fstat(self._file.fileno()).st_size < position:
                raise NotFound("The first parts of this upload are not here any more.", code="transfer.lost")
            self._file.truncate(position)
            self._file.seek(position)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
            if not position:  # the file is new, and so is its name
                directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise Unavailable("Parts of uploads cannot be kept now.", code="transfer.disk", retry_after=30) from None
