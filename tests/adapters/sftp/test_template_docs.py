"""The pages on documents and on the dialect ``template`` are true: the worked example is laid down and read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from lxml import etree

from hub.adapters.documents.csv_form import CsvForm
from hub.adapters.documents.section import Answers, DocumentSection
from hub.adapters.documents.xml_form import XmlForm
from hub.adapters.sftp.template import SftpAnswers, SftpTemplate
from hub.adapters.template import CODES
from hub.schemas.envelope import ReceiptBody
from hub.testing.samples import delivery
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.test_docs import PAGE, examples
from tests.adapters.sftp.test_template import Desk, collect, numbered, ready, scan, send
from tests.conftest import ROOT

COMMON = (ROOT / "docs" / "adapters" / "documents.md").read_text("utf-8")


def block(title: str) -> str:
    """The one code block with this title."""
    (body,) = examples(title)
    return body


def canonical(text: str) -> str:
    """XML without the blanks between elements."""
    return str(etree.canonicalize(text, strip_text=True))


def test_the_worked_example_is_what_happens(box: Box, tmp_path: Path) -> None:
    """The channel lays down the tree and the document of the page, and the answer of the page registers the case."""
    (tmp_path / "zvernennia.xsd").write_text(block("xsd"))
    settings = yaml.safe_load(block("channel-template"))["settings"]
    template = {**settings["template"], "xml": {"xsd": str(tmp_path / "zvernennia.xsd")}}
    channel = box.channel("template", template=template)
    made = numbered((scan(box, b"scan").model_copy(update={"name": "скан.pdf"}),))
    day = made.header.created_at.replace(month=12, day=1)
    body = made.body.model_copy(update={"reference": "ЗВ-17/26", "received_at": day})
    header = made.header.model_copy(update={"created_at": day})
    made = made.model_copy(update={"header": header, "body": body})
    send(box, channel, ready(box, channel, made))
    root, *shown = block("tree-template").splitlines()
    folder = box.inbox / root.removeprefix("/in/")
    assert {line.strip() for line in shown} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    assert canonical((folder / "ZV-ЗВ-17_26.xml").read_text().partition("?>")[2]) == canonical(block("document"))
    (box.outbox / "VIDP-17.xml").write_text(block("answer"))
    (box.outbox / "VIDP-17.ok").touch()
    about = delivery(made, channel, external_id="ЗВ-17/26")
    desk = Desk(about)
    assert collect(box, channel, desk) == 1
    (spoken,) = desk.spoken
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number, str(spoken.body.date)) == ("registered", "17-К", "2026-12-02")


def listed(page: str, heading: str) -> dict[str, str]:
    """Names and defaults of the table with this heading."""
    body = page.partition(f"| {heading} | default |")[2].partition("\n\n")[0]
    return {name: default.strip("`") for name, default in re.findall(r"^\| `([\w.]+)` \| (.*?) \|", body, re.MULTILINE)}


@pytest.mark.parametrize(
    ("heading", "model"),
    [("section `template`", DocumentSection), ("`xml`", XmlForm), ("`csv`", CsvForm), ("`answers`", Answers)],
)
def test_every_setting_is_listed_with_its_default(heading: str, model: type[DocumentSection]) -> None:
    """Each table has exactly the model's settings, each with the default it has."""
    rows = listed(COMMON, heading)
    assert set(rows) == set(model.model_fields)
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if default is None:
            assert rows[name] in ("–", "as `format", "as `csv"), name
        else:
            plain = default.model_dump(exclude_defaults=True) if hasattr(default, "model_dump") else default
            shown = rows[name] if rows[name] in (";", "*") else yaml.safe_load(rows[name])
            assert shown == json.loads(json.dumps(plain)), name


def test_every_setting_of_the_way_is_listed() -> None:
    """Those that SFTP adds."""
    rows = listed(PAGE, "section `template`, besides those of [documents](documents.md)")
    own = set(SftpTemplate.model_fields) - set(DocumentSection.model_fields)
    more = set(SftpAnswers.model_fields) - set(Answers.model_fields)
    assert set(rows) == own | {f"answers.{name}" for name in more}
    assert rows["answers.flag"] == SftpTemplate.model_fields["answers"].get_default(call_default_factory=True).flag


def test_codes_of_the_page_are_those_of_the_code() -> None:
    """Every code that documents give is explained, and no other."""
    rooms = [
        *(ROOT / "hub" / "adapters" / "documents").glob("*.py"),
        ROOT / "hub" / "adapters" / "sftp" / "template.py",
    ]
    source = "\n".join(path.read_text("utf-8") for path in sorted(rooms))
    given = set(re.findall(r'"((?:template|answer|csv|document)\.[a-z_]+)"', source)) - {"csv.row"}
    given |= {CODES.mapping, CODES.kind, CODES.left_out, CODES.no_receipt, CODES.foreign}
    assert (
        set(re.findall(r"`((?:template|answer|csv|document)\.[a-z_]+)`", COMMON.partition("## Troubleshooting")[2]))
        == given
    )
