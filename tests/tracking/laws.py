"""A law of the package's own files with some lines changed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hub.tracking.law import CALENDAR_FILE, TERMS_FILE, Law, read

Edit = Callable[[Any], object]
"""Changes what a file says, in place."""


@cache
def _shipped(name: str) -> tuple[str, Any]:
    text = resources.files("hub.tracking").joinpath("data", name).read_text("utf-8")
    return text, yaml.safe_load(text)


def law_with(folder: Path, *, terms: Edit | None = None, calendar: Edit | None = None) -> Law:
    """The law that the package's files give when they are changed so."""
    for name, edit in ((TERMS_FILE, terms), (CALENDAR_FILE, calendar)):
        text, said = _shipped(name)
        if edit is not None:
            said = deepcopy(said)
            edit(said)
            text = yaml.safe_dump(said, allow_unicode=True)
        (folder / name).write_text(text, "utf-8")
    return read(folder)


def rule(terms: Any, code: str) -> Any:
    """The lines of one term."""
    return next(each for each in terms["terms"] if each["code"] == code)


def counting(name: str, value: object) -> Edit:
    """A rule of counting with another value."""
    return lambda said: said["counting"][name].update(value=value)


def length(code: str, **value: object) -> Edit:
    """A term of another length."""
    return lambda said: rule(said, code).update(length=value)
