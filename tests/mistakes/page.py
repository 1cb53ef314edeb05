"""The page of mistakes: its tables, made of what was shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.mistakes.mistake import Mistake, Shown

PAGE: Final = Path(__file__).parents[2] / "docs" / "operations" / "mistakes.md"
_HEAD: Final = "| mistake | seen by | shown | place | next step | in a lane |\n| --- | --- | --- | --- | --- | --- |\n"
_TABLE: Final = r"(^## {title}\n(?:(?!^## |^\|).*\n)*)((?:^\|.*\n)*)"


def table(rows: Sequence[tuple[Mistake, Shown]]) -> str:
    """One group's table."""
    return _HEAD + "".join(_row(mistake, shown) for mistake, shown in rows)


def _row(mistake: Mistake, shown: Shown) -> str:
    code = f"`{shown.code}`: " if shown.code else ""
    place = f"`{shown.place}`" if shown.place else ""
    cells = (mistake.title, f"`{mistake.seen}`", code + shown.text, place, shown.next_step, shown.lane)
    return f"| {' | '.join(_cell(each) for each in cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or "–"


def of_group(text: str, title: str) -> str:
    """The table that a page has under a heading."""
    found = re.search(_TABLE.format(title=re.escape(title)), text, re.MULTILINE)
    assert found is not None, title
    return found[2]


def written(text: str, tables: Mapping[str, str]) -> str:
    """The page with these tables."""
    for title, made in tables.items():
        text = _with(text, title, made)
    return text


def _with(text: str, title: str, made: str) -> str:
    pattern = re.compile(_TABLE.format(title=re.escape(title)) + r"\n*", re.MULTILINE)
    return pattern.sub(lambda found: f"{found[1]}{made}\n", text).rstrip("\n") + "\n"
