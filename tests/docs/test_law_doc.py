"""docs/law.md names every term, ground, fault and breach that the code knows, with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.schemas.delivery import CLOCK_MEMBERS, ClockMark
from hub.schemas.terms import RefusalGround
from hub.tracking import law
from hub.tracking.chain import ChainFault

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "law.md").read_text("utf-8")
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}


@pytest.mark.parametrize("code", law.shipped().rules)
def test_every_term_stands_with_its_source_and_length(code: str) -> None:
    """Act, article and length of each term in the data are those that the page tells."""
    rule = law.shipped().rules[code]
    row = ROWS[code]
    article = rule.article if rule.article.startswith(("article", "item")) else ""
    number = next(iter(rule.length.model_dump(exclude_none=True).values()))
    assert article.removesuffix(" part 1") in row
    assert rule.knowledge in row
    assert str(number) in row
    assert ("**binds**" in row) is rule.binding


@pytest.mark.parametrize("ground", RefusalGround)
def test_every_ground_stands_with_its_number(ground: RefusalGround) -> None:
    """The ten grounds with their numbers, and what has none."""
    known = law.shipped().grounds.get(ground)
    assert known is None or f"| {known.item}, " in ROWS[ground]


@pytest.mark.parametrize(
    "word", [*ChainFault, "late_forward", "late_return_defective", "extension_too_long", "no_ground"]
)
def test_every_fault_and_breach_is_told(word: str) -> None:
    """Codes that an operator or a report meets."""
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("word", [*ClockMark, *CLOCK_MEMBERS])
def test_both_clocks_are_told(word: str) -> None:
    """Marks and members that a timeline shows stand on this page and on that of the doors."""
    api = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
    assert f"`{word}`" in PAGE
    assert f"`{word}`" in api


@pytest.mark.parametrize("rule", [rule for rule in law.shipped().rules.values() if rule.clock == "heard"])
def test_terms_that_count_by_the_hearing_are_told(rule: law.Rule) -> None:
    """Those whose law asks for it, and no others."""
    assert rule.per == "copy"
    assert "hears" in ROWS[rule.code]


def test_a_broken_file_of_the_law_is_refused(tmp_path: Path) -> None:
    """A folder with a wrong line stops the start and names it."""
    from importlib import resources

    from hub.errors import ConfigurationError

    source = resources.files("hub.tracking").joinpath("data")
    for name in (law.TERMS_FILE, law.CALENDAR_FILE):
        text = source.joinpath(name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("{days: 5}", "{days: 5, months: 1}"), "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        law.read(tmp_path)
    assert "must give one of" in refused.value.message
    with pytest.raises(ConfigurationError) as absent:
        law.read(tmp_path / "nowhere")
    assert absent.value.stable_code == "law.absent"
