"""docs/registry.md and docs/routing.md say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli.registry import registry_group
from hub.router import Reason, StepCode
from hub.schemas.directory import AuthorityKind
from registry import load
from tests.conftest import ROOT
from tests.docs.session import FENCE
from tests.registry.builders import ADAPTERS

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time

DOCS = ROOT / "docs"


def test_example_registry_loads(tmp_path: Path) -> None:
    """The files that the page shows are a sound registry."""
    for _, title, body in FENCE.findall((DOCS / "registry.md").read_text("utf-8")):
        if title.startswith("file="):
            (tmp_path / title.removeprefix("file=")).write_text(body, encoding="utf-8")
    directory = load(tmp_path, ADAPTERS)
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
