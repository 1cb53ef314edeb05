"""What an outbox holds and the hub cannot take in reaches a person, with its bytes; a probe finds it out before."""

from __future__ import annotations

import io
import zipfile

import pytest

from hub.errors import ConfigurationError, NotFound, TemporaryFailure
from hub.ports import RawInbound
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.test_collecting import REFUSED, SEALED, RecordingDesk, collect, lay, put_away
from tests.reported.players import sftp_server
from tests.reported.players.sftp_lanes import STABLE, rig
from tests.reported.players.sftp_server import Habits


@pytest.mark.parametrize(("code", "name", "content"), REFUSED)
def test_what_cannot_be_read_is_held_with_its_bytes(box: Box, code: str, name: str, content: bytes) -> None:
    """Before it is put aside a person gets it, whole."""
    lay(box, name, content)
    sink = RecordingDesk()
    collect(box, sink)
    ((verdict, raw),) = sink.holds
    assert (verdict, raw.body, raw.whole_size) == (code, content, None)


def test_of_what_is_long_the_first_part_is_held(box: Box) -> None:
    """Beyond 8 MiB the first MiB with the whole length: the file itself stays where it was put aside."""
    lay(box, "r.json", b"x" * 9_000_000)
    sink = RecordingDesk()
    collect(box, sink)
    ((verdict, raw),) = sink.holds
    assert (verdict, len(raw.body), raw.whole_size) == ("input.too_large", 1_048_576, 9_000_000)


def test_what_the_desk_journalled_is_not_held_twice(box: Box) -> None:
    """A refusal that stands in the journal already makes no second entry."""
    refusal = NotFound("No such appeal.", code="inbound.unknown_case")
    refusal.journalled = True
    lay(box, "r.json", SEALED)
    sink = RecordingDesk(against=refusal)
    collect(box, sink)
    assert (sink.holds, put_away(box, "refused")) == ([], ["r.json", "r.json.reason.txt"])


def test_links_are_held_by_their_name(box: Box) -> None:
    """A link is not followed: what a person sees is that it was there."""
    (box.outbox / "answer.json").symlink_to("/etc/passwd")
    sink = RecordingDesk()
    collect(box, sink)
    ((verdict, raw),) = sink.holds
    assert verdict == "sftp.kind"
    assert raw.body.endswith(b"answer.json")


@pytest.mark.parametrize(
    ("name", "marker"),
    [
        ("R1.JSON", "R1.JSON.DONE"),
        ("r1.json", "r1.json.Done"),
        ("R1.Json", "r1.json.done"),
        ("R1.JSON", "R1.JSON.done"),
    ],
)
def test_markers_in_capitals_count(box: Box, name: str, marker: str) -> None:
    """Systems that write names in capitals are understood; the marker goes with its file."""
    lay(box, name, SEALED, mark=False)
    (box.outbox / marker).touch()
    sink = RecordingDesk()
    assert collect(box, sink) == 1
    assert (put_away(box, "done"), box.names(box.outbox)) == ([name], ["done", "refused", "work"])


def test_a_marker_belongs_to_the_file_that_it_names(box: Box) -> None:
    """Of two names that differ in capitals only the one whose marker is there is whole."""
    lay(box, "R1.json", SEALED, mark=False)
    lay(box, "r1.json", SEALED)
    assert collect(box, RecordingDesk()) == 1
    assert put_away(box, "done") == ["r1.json"]


def test_folders_and_containers_in_capitals_count(box: Box) -> None:
    """``ENVELOPE.JSON``, ``ATTACHMENTS`` and ``.DONE`` inside a folder, and inside a ZIP."""
    folder = box.outbox / "M1"
    (folder / "ATTACHMENTS").mkdir(parents=True)
    (folder / "ENVELOPE.JSON").write_bytes(SEALED)
    (folder / "ATTACHMENTS" / "A.PDF").write_bytes(b"%PDF-1")
    (folder / ".DONE").touch()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ENVELOPE.JSON", SEALED)
        archive.writestr("Attachments/B.pdf", b"%PDF-2")
    lay(box, "M2.ZIP", packed.getvalue())
    sink = RecordingDesk()
    assert collect(box, sink) == 2
    assert [raw.body for raw in sink.envelopes] == [SEALED] * 2
    assert sorted(data for *_, data in sink.kept) == [b"%PDF-1", b"%PDF-2"]


def test_one_file_that_breaks_the_reader_costs_that_file(box: Box) -> None:
    """A fault of the hub's own holds this file; the next one is taken."""

    class Broken(RecordingDesk):
        def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
            if raw.body.endswith(b"  "):
                raise KeyError("Іваненко Іван")
            super().envelope(raw, party=party)

    lay(box, "a.json", SEALED + b"  ")
    lay(box, "b.json", SEALED)
    sink = Broken()
    collect(box, sink)
    assert [(verdict, raw.body) for verdict, raw in sink.holds] == [("item.failed", SEALED + b"  ")]
    assert (put_away(box, "done"), put_away(box, "refused")) == (["b.json"], ["a.json", "a.json.reason.txt"])
    (reason,) = box.outbox.glob("refused/*.reason.txt")
    assert "Іваненко" not in reason.read_text("utf-8")


@pytest.mark.parametrize(
    ("habits", "code"),
    [(Habits(rename=sftp_server.DENIED), "sftp.not_taken"), (Habits(mkdir=sftp_server.DENIED), "sftp.no_folders")],
)
def test_what_may_never_be_taken_is_held(habits: Habits, code: str) -> None:
    """Where the hub may not rename, or make its folders, a person gets the bytes at the first visit."""
    with rig(habits) as at:
        at.lay("a.json")
        at.lay("B.JSON", marker=".DONE")
        try:
            with at.adapter.session(at.channel) as session:
                session.collect(at.desk, 20.0)
        except TemporaryFailure as failure:
            assert failure.stable_code == code  # noqa: PT017 - either way is right
        assert sorted((verdict, raw.body) for verdict, raw in at.desk.holds) == [(code, at.words("Воду подано."))] * 2


@pytest.mark.parametrize(
    ("habits", "settings", "missing"),
    [
        (Habits(mkdir=sftp_server.DENIED), {}, "make the folder work in /out"),
        (Habits(rename=sftp_server.DENIED), {}, "rename in /in"),
        (Habits(denies_dots=True), {}, "make folders in /in"),
        (Habits(attrs=sftp_server.HAS_MODE | sftp_server.HAS_SIZE), STABLE, "ready: stable"),
    ],
)
def test_a_probe_says_what_is_missing(habits: Habits, settings: dict[str, object], missing: str) -> None:
    """It does what placing and collecting do, and names what is refused."""
    with rig(habits, settings=settings) as at, at.adapter.session(at.channel) as session:
        with pytest.raises(ConfigurationError) as caught:
            session.probe(10.0)
        assert missing in caught.value.message
        assert caught.value.stable_code in ("sftp.rights", "sftp.no_times")


@pytest.mark.parametrize("dialect", ["drop", "asice"])
def test_a_probe_leaves_nothing_behind(box: Box, dialect: str) -> None:
    """Over a server that lets the hub do all, both folders are as they were, beside the hub's own."""
    with box.adapter.session(box.channel(dialect)) as session:
        session.probe(10.0)
    assert list(box.inbox.iterdir()) == []
    assert [path for path in box.outbox.rglob("*") if path.is_file()] == []
