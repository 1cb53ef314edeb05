"""The documents are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.session import FENCE, run
from tests.ports import free_port

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s{?]+)[)#]")


@pytest.mark.slow
def test_the_quickstart_works_as_written(tmp_path: Path) -> None:
    """A new user who types the quickstart's commands connects an authority and gets an answer."""
    run(
        ROOT / "docs" / "quickstart.md",
        tmp_path,
        {"8080": str(free_port()), "9101": str(free_port())},
    )


@pytest.mark.slow
def test_the_tutorial_works_as_written(tmp_path: Path) -> None:
    """An engineer who types the tutorial's commands connects a system that nobody here wrote: token, files both ways,
    the list of changes, an answer with a PDF.
    """
    run(
        ROOT / "docs" / "tutorial.md",
        tmp_path,
        {"8080": str(free_port()), "9301": str(free_port()), "$HUB_CHECKOUT": str(ROOT)},
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file that exists."""
    prose = re.sub(r"`[^`]*`", "", FENCE.sub("", document.read_text("utf-8")))
    missing = [t for t in LINK.findall(prose) if not (document.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_are_well_made(document: Path) -> None:
    """Every JSON and YAML example of a document parses; every Python example compiles."""
    for language, _, body in FENCE.findall(document.read_text("utf-8")):
        if language == "json":
            json.loads(body)
        elif language == "yaml":
            yaml.safe_load(body)
        elif language == "python":
            compile(body, str(document), "exec")
