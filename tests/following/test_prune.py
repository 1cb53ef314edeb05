"""Pruning: what nobody needs goes by its days; what a case needs stays, whatever its age."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import NotFound
from hub.following.prune import Pruner, Retention
from hub.ports import InboundFilter
from hub.schemas.delivery import Change, Grant, StoredAttachment
from hub.schemas.envelope import Attachment
from hub.schemas.ids import CaseId
from hub.schemas.journal import Custody, InboundRecord
from hub.schemas.transfer import QueuedNotice, Transfer, TransferKind
from hub.storage.attachments import FileAttachments
from hub.storage.pruning import SqlPruning
from hub.storage.transfers import SqlTransfers
from tests.following.world import NCC, NOW, World
from tests.storage.making import answer, record


@pytest.fixture
def files(tmp_path: Path) -> FileAttachments:
    """A folder of files."""
    return FileAttachments(tmp_path / "files")


@pytest.fixture
def pruner(world: World, files: FileAttachments) -> Pruner:
    """A pruner with the default days."""
    return Pruner(pruning=SqlPruning(world.store.database), attachments=files, clock=world.clock, retention=Retention())


def _upload(world: World, files: FileAttachments, content: bytes) -> Attachment:
    sha256, size = files.put(io.BytesIO(content), limit=1_000)
    old = (NOW - timedelta(minutes=1)).timestamp()
    os.utime(files._path(sha256), (old, old))
    stored = StoredAttachment(sha256=sha256, size=size, media_type="text/plain", created_at=world.clock.at)
    world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=sha256, party=NCC),)))
    return Attachment(sha256=sha256, size=size, media_type="text/plain", name="a.txt")


def test_answers_go_by_their_days(world: World, pruner: Pruner) -> None:
    """Old answers to idempotency keys go, young ones stay."""
    world.store.apply(Change(answers=(answer("old"),)))
    assert pruner.run()["answers"] == 0
    world.clock.at = NOW + timedelta(days=31)
    young = replace(answer("young"), created_at=world.clock.at)
    world.store.apply(Change(answers=(young,)))
    assert pruner.run()["answers"] == 1
    assert world.store.answer("ncc", "old") is None
    assert world.store.answer("ncc", "young") == young


def test_the_journal_goes_by_what_became_of_it(world: World, pruner: Pruner) -> None:
    """Noise goes after 90 days, what was decided after a year; what is held or stands with a case stays whole."""
    case = world.submit()

    def entry(n: int, custody: Custody, case_id: CaseId | None = None) -> InboundRecord:
        body = b"noise" if custody is Custody.NOTED else b"shared"
        kept = hashlib.sha256(body).hexdigest()
        made = replace(record(n, "c.rest"), custody=custody, case_id=case_id)
        return replace(made, kept_sha256=kept, kept=len(body), body=body)

    held = entry(1, Custody.HELD)
    noted, kept = entry(2, Custody.NOTED), entry(3, Custody.NOTED, case)
    gone = [entry(n, custody) for n, custody in enumerate((Custody.DECIDED, Custody.DISMISSED), 4)]
    kept = replace(kept, kept_sha256=held.kept_sha256, body=held.body)
    world.store.apply(Change(inbound=(held, noted, kept, *gone)))
    world.clock.at = NOW + timedelta(days=100)
    pruned = pruner.run()
    assert (pruned["noise"], pruned["inbound"], pruned["bodies"]) == (1, 0, 1)
    world.clock.at = NOW + timedelta(days=400)
    pruned = pruner.run()
    assert (pruned["noise"], pruned["inbound"], pruned["bodies"]) == (0, 2, 0)
    left = world.store.inbound(InboundFilter(channel_id="c.rest"), limit=9)
    assert {each.id for each in left} == {held.id, kept.id}
    assert [world.store.inbound_body(each) for each in left] == [b"shared"] * 2


def test_events_can_be_read_for_their_days(world: World, pruner: Pruner) -> None:
    """After 90 days the floor moves behind old events; the facts themselves stay as evidence."""
    case = world.submit()
    (*_, last) = world.settle()
    pruning = SqlPruning(world.store.database)
    world.clock.at = last.recorded_at + timedelta(days=89)
    assert pruner.run()["events"] == 0
    assert pruning.floor() is None
    world.clock.at = last.recorded_at + timedelta(days=90, seconds=1)
    assert pruner.run()["events"] == 2
    assert pruning.floor() == last.cursor
    assert pruner.run()["events"] == 0
    assert len(world.store.facts(case)) == 2


def test_sessions_and_fetched_notices_go_by_their_days(world: World, pruner: Pruner) -> None:
    """After 90 days; a notice that nobody fetched waits for ever."""
    transfers = SqlTransfers(world.store.database)
    session = transfers.open(
        Transfer(
            id=0,
            party=NCC,
            kind=TransferKind.UPLOAD,
            message_id="m",
            message_type="Document",
            size=1,
            sha256="A" * 64,
            opened_at=NOW,
        )
    )
    fetched, waiting = (QueuedNotice(id=name, party=NCC, created_at=NOW, body=b"<Header/>") for name in ("1", "2"))
    transfers.queue(fetched)
    transfers.queue(waiting)
    transfers.mark_fetched("1", NOW)
    world.clock.at = NOW + timedelta(days=89)
    assert pruner.run()["transfers"] == 0
    world.clock.at = NOW + timedelta(days=91)
    gone = pruner.run()
    assert (gone["transfers"], gone["notices"]) == (1, 1)
    assert transfers.get(session.id) is None
    assert transfers.queued(NCC, 9) == (waiting,)


def test_texts_and_applicants_are_forgotten(world: World, pruner: Pruner) -> None:
    """After their days neither bands of texts nor hashes of applicants are left, and nothing is compared with them."""
    world.submit()
    world.follow()
    world.clock.at = NOW + timedelta(days=401)
    gone = pruner.run()
    assert gone["bands"] > 0
    assert gone["applicants"] == 1
    assert world.following.earlier(["0" * 64], NOW) == {}


def test_an_unused_upload_goes_in_two_steps(world: World, pruner: Pruner, files: FileAttachments) -> None:
    """After a week nobody may name it any more; a day later the file is deleted. A used one stays for ever."""
    unused, used = _upload(world, files, b"unused"), _upload(world, files, b"used")
    world.submit(files=(used,))
    world.follow()
    world.clock.at = NOW + timedelta(days=6)
    assert pruner.run()["uploads"] == 0
    assert world.store.attachment(unused.sha256) is not None
    world.clock.at = NOW + timedelta(days=8)
    pruner.run()
    assert world.store.attachment(unused.sha256) is None
    assert files.size(unused.sha256) == 6
    world.clock.at = NOW + timedelta(days=10)
    assert pruner.run()["uploads"] == 1
    with pytest.raises(NotFound):
        files.open(unused.sha256)
    assert files.size(used.sha256) == 4
    assert world.store.may_read(used.sha256, NCC)


def test_an_upload_named_at_the_last_moment_is_given_back(world: World, pruner: Pruner, files: FileAttachments) -> None:
    """An appeal that was being taken in while its file was revoked gets it back, with the right to read it."""
    entry = _upload(world, files, b"late")
    world.clock.at = NOW + timedelta(days=8)
    pruner.run()
    assert not world.store.may_read(entry.sha256, NCC)
    world.submit(files=(entry,))
    world.follow()
    world.clock.at = NOW + timedelta(days=20)
    pruner.run()
    assert world.store.may_read(entry.sha256, NCC)
    assert files.size(entry.sha256) == 4


def test_uploads_are_left_alone_while_the_follower_is_behind(
    world: World, pruner: Pruner, files: FileAttachments
) -> None:
    """What the follower has not seen may be used: nothing is revoked until it has caught up."""
    entry = _upload(world, files, b"perhaps")
    world.submit(files=(entry,))
    world.settle()
    world.clock.at = world.settle()[-1].recorded_at + timedelta(days=30)
    pruner.run()
    assert world.store.attachment(entry.sha256) is not None


def test_a_file_that_is_put_again_is_not_deleted(files: FileAttachments) -> None:
    """Whoever brings the same content again keeps it, though the old copy was about to go."""
    sha256, _ = files.put(io.BytesIO(b"again"), limit=9)
    assert not files.delete(sha256, older_than=NOW - timedelta(days=9_000))
    assert files.size(sha256) == 5
    assert files.delete(sha256, older_than=NOW + timedelta(days=9_000))
    assert not files.delete(sha256, older_than=NOW + timedelta(days=9_000))
    assert hashlib.sha256(b"again").hexdigest() == sha256
