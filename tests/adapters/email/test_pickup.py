"""The pickup folder: mails that another program lays down, taken once, acknowledged last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.errors import ConfigurationError, Unavailable
from hub.schemas.envelope import AnswerBody
from tests.adapters.email.making import PaperSink, box_channel, reply
from tests.adapters.email.test_replies import wire


def collect(folder: Path, sink: PaperSink, **settings: object) -> int:
    channel = box_channel(pickup=str(folder), **settings)
    adapter = EmailAdapter(AdapterContext())
    assert adapter.collects(channel)
    with adapter.session(channel) as session:
        return session.collect(sink, 5.0)


def test_taken_mails_are_moved_and_refused_ones_explained(tmp_path: Path) -> None:
    """What the desk took is in done, what was refused in refused with the reason beside it; others stay."""
    sink = PaperSink()
    about = sink.sent()
    (tmp_path / "1.eml").write_bytes(wire(reply(about, "Так.")))
    (tmp_path / "2.eml").write_bytes(wire(reply(about, "Так.", To="box@x")))
    (tmp_path / ".3.eml.tmp").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"x")
    os.mkfifo(tmp_path / "4.eml")
    (tmp_path / "5.eml").symlink_to("/etc/passwd")
    assert collect(tmp_path, sink) == 1
    assert [spoken.body.text for spoken in sink.saids if isinstance(spoken.body, AnswerBody)] == ["Так."]
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["1.eml"]
    assert sorted(path.name for path in (tmp_path / "refused").iterdir()) == ["2.eml", "2.eml.reason"]
    assert (tmp_path / "refused" / "2.eml.reason").read_text().startswith("mail.no_token:")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".3.eml.tmp", "4.eml", "5.eml", "done", "notes.txt", "refused"]
    assert collect(tmp_path, sink) == 0


def test_what_cannot_be_kept_stays(tmp_path: Path) -> None:
    """While the hub cannot keep it, the file stays where it is; nothing is read twice afterwards."""
    sink = PaperSink(fails=Unavailable("away"))
    (tmp_path / "1.eml").write_bytes(wire(reply(sink.sent(), "Так.")))
    with pytest.raises(Unavailable):
        collect(tmp_path, sink)
    assert (tmp_path / "1.eml").exists()
    sink.fails = None
    assert collect(tmp_path, sink) == 1


@pytest.mark.slow
def test_too_large_a_mail_is_refused(tmp_path: Path) -> None:
    """The limit holds here too."""
    sink = PaperSink()
    (tmp_path / "1.eml").write_bytes(wire(reply(sink.sent(), "Так. " * 300_000)))
    assert collect(tmp_path, sink, max_received_mb=1) == 0
    assert (tmp_path / "refused" / "1.eml.reason").read_text().startswith("mail.too_large")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A probe finds it out."""
    channel = box_channel(pickup=str(tmp_path / "no"))
    with EmailAdapter(AdapterContext()).session(channel) as session, pytest.raises(ConfigurationError):
        session.probe(1.0)


def test_a_mailbox_only_takes(tmp_path: Path) -> None:
    """Nothing can be sent over it, and nobody can be asked."""
    adapter, channel = EmailAdapter(AdapterContext()), box_channel(pickup=str(tmp_path))
    with pytest.raises(ConfigurationError):
        adapter.prepare(None, channel)  # type: ignore[arg-type]
    assert not adapter.polls(channel)
    with pytest.raises(ConfigurationError):
        adapter.rendering(box_channel())
