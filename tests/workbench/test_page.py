"""docs/adapters/trying.md is true."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from hub.cli.skeletons import skeleton_command
from hub.workbench.messages import MARK
from hub.workbench.samples import samples
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "trying.md").read_text("utf-8")


def _block(title: str) -> str:
    found = re.search(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_draft_of_the_page_is_what_comes_out(tmp_path: Path) -> None:
    """The document of the page becomes the section of the page, line by line."""
    sample = tmp_path / "sample.json"
    sample.write_text(_block("skeleton-sample"), "utf-8")
    draft = CliRunner().invoke(skeleton_command, ["--json", str(sample)]).stdout
    assert _block("skeleton-draft") in draft


def test_samples_and_mark_are_those_of_the_page() -> None:
    """Each sample with what it shows, in the order of the command; the words that mark a test."""
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \|$", PAGE.partition("| sample | shows |")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert rows == [(each.name, each.about) for each in samples()]
    assert f"`{MARK}`" in PAGE
