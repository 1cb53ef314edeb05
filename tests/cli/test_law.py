"""``hub law``: the terms in force, a folder of one's own, and where terms end."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli.law import law_group
from hub.errors import ConfigurationError, InvalidInput


def test_terms_are_shown_with_their_source() -> None:
    """Each term with its length, source and what happens when it is over."""
    run = CliRunner().invoke(law_group, ["show", "--json"], catch_exceptions=False)
    rows = {row["term"]: row for row in json.loads(run.output)}
    assert rows["answer"] | {"from": ""} == {
        "term": "answer",
        "length": "1 months",
        "from": "",
        "binding": True,
        "overdue": "superior",
        "law": "Law 393/96, article 20",
        "knowledge": "retold",
    }


def test_where_terms_end_that_begin_on_a_day() -> None:
    """The calendar counts: five days from a Tuesday end on a Monday, for the Sunday is a day off."""
    run = CliRunner().invoke(law_group, ["due", "2026-11-24", "--json"], catch_exceptions=False)
    ends = {row["term"]: row["ends"] for row in json.loads(run.output)}
    assert (ends["answer"], ends["forward"], ends["notice"]) == (
        "2026-12-24 23:59",
        "2026-11-30 23:59",
        "2026-11-24 16:00",
    )


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """A day that is none, and a folder with a term that has no length."""
    with pytest.raises(InvalidInput):
        CliRunner().invoke(law_group, ["due", "24.11.2026"], catch_exceptions=False)
    data = resources.files("hub.tracking").joinpath("data")
    for name in ("terms.yaml", "calendar.yaml"):
        text = data.joinpath(name).read_text("utf-8").replace("length: {months: 1}", "length: {}", 1)
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        CliRunner().invoke(law_group, ["show", str(tmp_path)], catch_exceptions=False)
    assert "terms.4.length" in refused.value.message
