"""docs/registry.md and docs/routing.md say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.router import Reason, StepCode
from hub.schemas.directory import AuthorityKind
from registry import load
from tests.conftest import ROOT
from tests.docs.session import FENCE
from tests.registry.builders import ADAPTERS

DOCS = ROOT / "docs"


def test_example_registry_loads(tmp_path: Path) -> None:
    """The files that the page shows are a sound registry."""
    for _, title, body in FENCE.findall((DOCS / "registry.md").read_text("utf-8")):
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
