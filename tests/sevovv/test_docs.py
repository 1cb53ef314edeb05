"""The page on SEV is true: settings, codes and examples are held against the code, and the example is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hub.adapters import table
from hub.adapters.pull import ServedSevSection as Served
from hub.adapters.soap.settings import SevOvvSection as Called
from hub.protocols.sevovv.codes import ERRORS, ErrorClass
from hub.schemas.directory import Channel
from hub.simulator.characters import Simulation
from tests.conftest import ROOT
from tests.sevovv.world import BODY, SYSTEM, world

PAGE = (ROOT / "docs" / "adapters" / "sevovv.md").read_text("utf-8")
ROOMS = ("hub/protocols/sevovv", "hub/adapters/soap/sevovv.py")


def examples(title: str) -> Iterator[str]:
    """Bodies of the code blocks with this title."""
    for match in re.finditer(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        yield match[1]


def test_every_setting_is_listed_with_its_default() -> None:
    """Both tables have exactly the models' settings, each with the default it has."""
    client, _, rest = PAGE.partition("### Server")
    for text, model in ((client, Called), (rest.partition("## How an appeal")[0], Served)):
        rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
        assert set(rows) == set(model.model_fields)
        for name, field in model.model_fields.items():
            shown = rows[name].strip("`")
            assert shown == "–" if field.is_required() else yaml.safe_load(shown) == field.default


def test_channels_of_the_page_are_valid() -> None:
    """Each example channel passes its adapter's model and is read by it."""
    adapters = table()
    channels = [Channel.model_validate(yaml.safe_load(body), strict=False) for body in examples("channel")]
    assert [channel.adapter for channel in channels] == ["soap", "soap", "pull"]
    for channel in channels:
        adapters[channel.adapter].settings_model.model_validate(channel.settings)
        adapters[channel.adapter].rendering(channel)
    assert [adapters[each.adapter].collects(each) for each in channels] == [False, True, False]
    assert [adapters[each.adapter].pulled(each) for each in channels] == [False, False, True]


def test_all_codes_stand_in_their_class() -> None:
    """The page's table of 46 codes is the code's."""
    for meaning in ErrorClass:
        row = re.search(rf"^\| {meaning} \| (.*?) \|$", PAGE, re.MULTILINE)
        assert row is not None
        listed = {int(each) for each in row[1].split(", ")}
        assert listed == {code for code, line in ERRORS.items() if line.meaning is meaning}
    assert len(ERRORS) == 46


def test_codes_of_the_page_are_those_of_the_code() -> None:
    """Every named code is raised somewhere, and every one that is raised is named."""
    sources = ""
    for room in ROOMS:
        path = Path(ROOT / room)
        sources += "\n".join(each.read_text("utf-8") for each in (path.rglob("*.py") if path.is_dir() else [path]))
    named = set(re.findall(r"`(sevovv\.[a-z_]+)`", PAGE))
    raised = set(re.findall(r'"(sevovv\.[a-z_]+)"', sources))
    assert named == raised - {"sevovv.answer", "sevovv.fault", "sevovv.soap", "sevovv.operation"}


def test_the_simulation_of_the_page_is_valid() -> None:
    """The example loads."""
    (body,) = examples("simulation")
    Simulation.model_validate_json(json.dumps(yaml.safe_load(body)))


@pytest.mark.slow
def test_the_example_registers_an_appeal(tmp_path: Path) -> None:
    """The page's program, run as it stands against a hub: the case is registered under the number of the page."""
    (program,) = examples("example")
    with world(tmp_path / "home") as hub:
        case = hub.submit()["case_id"]
        hub.carry(f"{BODY}.sev")
        exec(program, {"URL": hub.service, "PASSWORD": hub.keys[BODY], "SYSTEM": SYSTEM})
        (registered,) = [fact for fact in hub.facts(case) if fact.kind == "registered"]
        assert registered.data["number"] in PAGE
        assert registered.data["number"] == "Ш-12/34"
