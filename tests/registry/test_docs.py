"""docs/registry.md and docs/routing.md say what the code does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.bootstrap import build
from hub.cases.submission import Submission
from hub.cli import main
from hub.cli.init import make_home
from hub.cli.registry import registry_group
from hub.router import Reason, StepCode
from hub.schemas.directory import AuthorityKind
from hub.schemas.envelope import AppealForm
from hub.settings import Settings
from registry import load
from tests.api.world import form
from tests.conftest import ROOT
from tests.docs.session import FENCE, shows, steps
from tests.registry.builders import ADAPTERS, KYIV, LVIV

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time

DOCS = ROOT / "docs"


def _example(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for _, title, body in FENCE.findall((DOCS / "registry.md").read_text("utf-8")):
        if title.startswith("file="):
            (folder / title.removeprefix("file=")).write_text(body, encoding="utf-8")
    return folder


def test_example_registry_loads(tmp_path: Path) -> None:
    """The files that the page shows are a sound registry."""
    directory = load(_example(tmp_path), ADAPTERS)
    assert directory.channel("04055896.rest") is not None
    assert len(list(directory.authorities())) == 2


@pytest.mark.parametrize("word", [*Reason, *StepCode])
def test_routing_page_names_every_code(word: str) -> None:
    """Each reason and each step code stands in the page."""
    assert f"`{word}`" in (DOCS / "routing.md").read_text("utf-8")


@pytest.mark.parametrize("kind", list(AuthorityKind))
def test_registry_page_names_every_kind(kind: AuthorityKind) -> None:
    """Each kind of authority stands in the page."""
    assert kind.value in (DOCS / "registry.md").read_text("utf-8")


def test_commands_of_the_page_draft_a_sound_registry_with_the_numbers_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell lines run one after the other; what the page counts is what the draft's report counts."""
    monkeypatch.chdir(tmp_path)
    page = " ".join((DOCS / "registry.md").read_text("utf-8").split())
    (commands,) = re.findall(r"```sh\n(.*?)```", (DOCS / "registry.md").read_text("utf-8"), re.DOTALL)
    told = {}
    for line in commands.splitlines():
        _, _, name, *options = line.split()
        told[name] = json.loads(CliRunner().invoke(registry_group, [name, *options, "--json"]).stdout)
    assert told["check"]["ok"]
    networks, councils = told["draft"]["networks"], told["draft"]["councils"].values()
    matched, awaited = (sum(oblast[key] for oblast in councils) for key in ("matched", "awaited"))
    districts = networks["administrations-district"]["awaited"]
    others = sum(counts["awaited"] for counts in networks.values()) - awaited - districts
    assert f"{matched:,} find their council so; the other {awaited:,} councils wait" in page
    assert f"{districts} administrations of districts and {others} bodies of networks" in page
    shares = told["coverage"]["kinds"]
    assert f"{shares['central']} % find a central body first" in page
    assert f"{shares['local_self_government']} % a council" in page
    assert f"{shares['nobody']} % find nobody" in page


@pytest.fixture
def _hub_with_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub with the page's registry, in the folder where its commands are typed: two cases of the council, one not."""
    settings = Settings(home=tmp_path / "home", registry=_example(tmp_path / "registry"))
    make_home(settings)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUB_HOME", str(settings.home))
    monkeypatch.setenv("HUB_REGISTRY", "registry")
    documents = [form(topics=["utilities.heating"], place=place) for place in (LVIV, LVIV, KYIV)]
    asked = [AppealForm.model_validate_json(json.dumps(document)) for document in documents]
    hub = build(settings)
    hub.intake.submit_all([Submission(form=each, owner=settings.party_code) for each in asked])
    hub.close()


@pytest.mark.usefixtures("_hub_with_cases")
def test_console_blocks_of_the_page_print_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands to show, change and compare registries, one after the other."""
    for step in steps("\n".join(_console_blocks())):
        command, _, otherwise = step.command.partition(" || echo ")
        words = shlex.split(command)
        if words[0] == "cp":
            shutil.copytree(words[2], words[3])
            continue
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) if otherwise else nullcontext() as left:
            main()
        printed = "".join(capsys.readouterr())
        if otherwise and left is not None:
            printed += otherwise.strip('"').replace("$?", str(left.value.code))
        assert shows(printed, step.expected), printed


def _console_blocks() -> list[str]:
    found = FENCE.finditer((DOCS / "registry.md").read_text("utf-8"))
    return [block[0] for block in found if block[1] == "console"]
