"""Sessions of chunked transfer and waiting notices: one suite for the database and its twin; and the spool's bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import NotFound, Unavailable
from hub.ports import Transfers
from hub.schemas.transfer import QueuedNotice, Transfer, TransferKind, TransferState
from hub.storage.database import Database
from hub.storage.engine import open_engine
from hub.storage.memory_transfers import MemoryTransfers
from hub.storage.spool import Spool
from hub.storage.transfers import SqlTransfers

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def transfers(request: pytest.FixtureRequest) -> Iterator[Transfers]:
    """Each kind, empty."""
    if request.param == "memory":
        yield MemoryTransfers()
        return
    database = Database(open_engine(str(request.getfixturevalue(f"{request.param}_url"))))
    yield SqlTransfers(database)
    database.close()


def upload(message_id: str = "m-1", party: str = "00032684", at: datetime = NOW) -> Transfer:
    """A session that is to be opened."""
    return Transfer(
        id=0,
        party=party,
        kind=TransferKind.UPLOAD,
        message_id=message_id,
        message_type="Notification",
        size=100,
        sha256="A" * 64,
        opened_at=at,
    )


def test_a_session_is_kept_as_it_is(transfers: Transfers) -> None:
    """What was opened is read back, under an id that was given to no other."""
    first, second = transfers.open(upload()), transfers.open(upload())
    assert first.id != second.id
    assert transfers.get(first.id) == first
    assert transfers.latest("00032684", TransferKind.UPLOAD, "m-1") == second
    assert transfers.latest("00032106", TransferKind.UPLOAD, "m-1") is None
    assert transfers.latest("00032684", TransferKind.DOWNLOAD, "m-1") is None
    assert transfers.get(10**12) is None


def test_bytes_are_counted_once(transfers: Transfers) -> None:
    """Of two that add at the same place one wins; a session that ended grows no more."""
    made = transfers.open(upload())
    assert transfers.advance(made.id, before=0, after=40)
    assert not transfers.advance(made.id, before=0, after=50)
    grown = transfers.get(made.id)
    assert grown is not None
    assert (grown.transferred, grown.state) == (40, TransferState.IN_PROGRESS)
    assert transfers.end(made.id, TransferState.FAILED, 28, "хеш")
    assert not transfers.end(made.id, TransferState.DELIVERED)
    assert not transfers.advance(made.id, before=40, after=100)
    ended = transfers.get(made.id)
    assert ended is not None
    assert (ended.state, ended.code, ended.text) == (TransferState.FAILED, 28, "хеш")
    transfers.count(made.id, "B" * 64)
    counted = transfers.get(made.id)
    assert counted is not None
    assert counted.sha256 == "B" * 64


def test_many_add_at_once(transfers: Transfers) -> None:
    """Twenty threads add the same part: one of them did."""
    made = transfers.open(upload())
    won: list[bool] = []
    threads = [
        threading.Thread(target=lambda: won.append(transfers.advance(made.id, before=0, after=10))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 19 + [True]


def test_history_is_in_order_of_time(transfers: Transfers) -> None:
    """By party, kind and time, oldest first, only so many."""
    for hour in (3, 1, 2):
        transfers.open(upload(f"m-{hour}", at=NOW + timedelta(hours=hour)))
    transfers.open(upload("other", party="00032106"))
    ended = transfers.open(upload("m-0", at=NOW - timedelta(hours=1)))
    transfers.end(ended.id, TransferState.DELIVERED)
    assert transfers.unfinished("00032684", TransferKind.UPLOAD, NOW - timedelta(hours=2)) == 3
    assert transfers.unfinished("00032684", TransferKind.UPLOAD, NOW + timedelta(hours=2)) == 2
    last = NOW + timedelta(hours=9)
    found = transfers.since("00032684", TransferKind.UPLOAD, NOW, last, 2)
    assert [each.message_id for each in found] == ["m-1", "m-2"]
    assert transfers.since("00032684", TransferKind.UPLOAD, NOW + timedelta(hours=3), last, 9)[0].message_id == "m-3"


def test_notices_wait_until_taken(transfers: Transfers) -> None:
    """Once each, for their party, oldest first; taken ones can still be read."""
    one = QueuedNotice(id="n-1", party="00032684", created_at=NOW, body=b"<Header/>")
    two = QueuedNotice(id="n-2", party="00032684", created_at=NOW - timedelta(hours=1), body=b"<Header/>")
    for each in (one, two, one):
        transfers.queue(each)
    assert transfers.queued("00032684", 10) == (two, one)
    assert transfers.queued("00032684", 1) == (two,)
    assert transfers.queued("00032106", 10) == ()
    transfers.mark_fetched("n-2", NOW)
    transfers.mark_fetched("n-2", NOW)
    assert transfers.queued("00032684", 10) == (one,)
    assert transfers.notice("00032684", "n-2") == two
    assert transfers.notice("00032106", "n-2") is None


def test_the_spool_keeps_what_was_counted(tmp_path: Path) -> None:
    """What a crash left behind the counted bytes is cut off; a gap is an error; files are the owner's alone."""
    spool = Spool(tmp_path / "spool")
    with spool.turn(7) as file:
        file.write(0, b"abc")
        file.write(3, b"lost in a crash")
        file.write(3, b"def")
        with pytest.raises(NotFound):
            file.write(7, b"gap")
    with spool.open(7) as content:
        assert content.read() == b"abcdef"
    (path,) = (tmp_path / "spool").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    spool.remove(7)
    spool.remove(7)
    with pytest.raises(NotFound):
        spool.open(7)


def test_a_folder_that_is_none_is_unavailable(tmp_path: Path) -> None:
    """A disk that fails is said so, and nothing is counted."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        Spool(tmp_path / "file")
