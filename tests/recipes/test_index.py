"""docs/recipes/README.md names every page, and each page is run by a test of its own."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "recipes"


def test_every_recipe_is_listed_and_run() -> None:
    """A page that no test reads could say anything."""
    pages = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    index = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == pages
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {name for name in pages if f'page("{name}")' in tests} == pages
