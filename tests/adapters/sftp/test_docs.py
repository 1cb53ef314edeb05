"""The page on ``sftp`` is true: its settings, channels, statements, tree and codes are held against the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from hub.adapters import table
from hub.adapters.sftp import archive
from hub.adapters.sftp.collecting import MAX_ENTRIES, MAX_TAKEN, OWN_FOLDERS
from hub.adapters.sftp.layout import DIALECTS, MARKER
from hub.adapters.sftp.reading import MAX_CONTAINER_BYTES, statement
from hub.adapters.sftp.settings import SftpSettings
from hub.ports import RawInbound, Rendering
from hub.schemas.directory import Channel
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment
from hub.simulator.characters import Simulation
from hub.testing.samples import appeal, parcel
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "sftp.md").read_text("utf-8")
FOLDER = ROOT / "hub" / "adapters" / "sftp"


def examples(title: str) -> Iterator[str]:
    """Bodies of the code blocks with this title."""
    for match in re.finditer(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        yield match[1]


def test_every_setting_is_listed_with_its_default() -> None:
    """The table has exactly the model's settings, each with the default it has."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE.partition("## What goes out")[0], re.MULTILINE))
    fields = {name: field for name, field in SftpSettings.model_fields.items() if name != "dialect"}
    assert set(rows) == set(fields)
    for name, field in fields.items():
        shown = rows[name].strip("`")
        if field.is_required() or field.default is None:
            assert shown == "–"
        else:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert yaml.safe_load(shown) == default


def test_channels_of_the_page_are_valid() -> None:
    """Each example channel, one in each dialect of the hub's own, passes the adapter; both are collected from."""
    channels = [Channel.model_validate_json(json.dumps(yaml.safe_load(body))) for body in examples("channel")]
    assert {channel.dialect for channel in channels} == DIALECTS - {"template"}
    sftp = table()["sftp"]
    assert [sftp.rendering(channel) for channel in channels] == [Rendering.BOTH] * 2
    assert all(sftp.collects(channel) for channel in channels)


def test_the_tree_of_the_page_is_what_is_laid_down() -> None:
    """The files that the page shows are those that a message with one file becomes."""
    (tree,) = examples("tree")
    shown = {line.split()[0] for line in tree.splitlines()[1:]}
    file = Attachment(sha256="0" * 64, size=1, media_type="application/pdf", name="скан.pdf")
    channel = Channel.model_validate_json(json.dumps(yaml.safe_load(next(examples("channel")))))
    prepared = table()["sftp"].prepare(parcel(appeal((file,)), Rendering.BOTH), channel)
    assert shown == {*archive.unpack(prepared.body), "attachments/001.pdf", MARKER}
    listed = json.loads(archive.unpack(prepared.body)["manifest.json"])["files"]
    assert {entry["path"] for entry in listed} == shown - {"manifest.json", MARKER}


def test_statements_of_the_page_are_understood() -> None:
    """Each is read as a statement about the message that it names."""
    raws = [RawInbound(content_type="application/json", body=body.encode()) for body in examples("statement")]
    said = [statement(raw) for raw in raws]
    assert [type(each.body).__name__ for each in said if each] == ["ReceiptBody", "ReceiptBody", "AnswerBody"]


def test_codes_of_the_page_are_those_of_the_code() -> None:
    """Every code named is raised somewhere, and every code of the adapter is named."""
    files = [*sorted(FOLDER.glob("*.py")), ROOT / "hub" / "protocols" / "sftp.py"]
    source = "\n".join(path.read_text("utf-8") for path in files)
    dialer = Path(ROOT / "hub" / "net" / "deadline.py").read_text("utf-8")
    raised = set(re.findall(r'"(sftp\.[a-z_]+)"', source))
    raised |= {f"sftp.{code}" for code in re.findall(r'"http\.(\w+)"', dialer)}
    assert set(re.findall(r"`(sftp\.[a-z_]+)`", PAGE)) == raised


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    """Limits, folders and times."""
    assert (MAX_TAKEN, MAX_ENTRIES, MAX_ATTACHMENTS) == (200, 10_000, 100)
    assert MAX_CONTAINER_BYTES == 4 << 30
    assert all(f"| `{folder}` |" in PAGE for folder in OWN_FOLDERS)


def test_the_simulation_of_the_page_is_valid() -> None:
    """The example loads."""
    (body,) = examples("simulation")
    Simulation.model_validate_json(json.dumps(yaml.safe_load(body)))
