"""``hub schemas`` gives the published files to people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli.schemas import schemas_group
from hub.schemas import publish


@pytest.mark.slow
def test_show_prints_names_and_files() -> None:
    """Without a name all names are printed; with a name, the file as published."""
    names = CliRunner().invoke(schemas_group, ["show"])
    assert names.output.split() == sorted(path.name for path in publish.FOLDER.iterdir())
    for name in names.output.split():
        shown = CliRunner().invoke(schemas_group, ["show", name])
        assert shown.exit_code == 0
        assert shown.output.strip() == (publish.FOLDER / name).read_text("utf-8").strip()


def test_an_unknown_name_is_a_usage_error() -> None:
    """A name that is not published ends with exit code 2."""
    assert CliRunner().invoke(schemas_group, ["show", "nothing.xsd"]).exit_code == 2


def test_write_makes_the_same_files(tmp_path: Path) -> None:
    """All files are written as published, and named; the folder is made."""
    run = CliRunner().invoke(schemas_group, ["write", str(tmp_path / "new"), "--json"])
    assert run.exit_code == 0, run.output
    written = [Path(name) for name in json.loads(run.output)["written"]]
    assert {path.name: path.read_bytes() for path in written} == publish.documents()
