"""Places in JSON of other systems, as mappings name them: ``result.items.0.id``, or a JSON Pointer (RFC 6901):
``/@odata.nextLink``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hub.schemas import foreign_json


def find(tree: Any, path: str) -> str | None:
    """Text at a place; numbers and booleans as JSON writes them, None for all else."""
    value = at(tree, path)
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, foreign_json.Fraction):
        return value.text
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def subtrees(tree: Any, path: str | None) -> list[Any]:
    """Values at a place one by one: the items of a list, or the one value; absent = the document itself."""
    value = tree if path is None else at(tree, path)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def rows(tree: Any, path: str | None) -> Sequence[Callable[[str], str | None]]:
    """Finders in what stands at a place one by one."""
    return [partial(find, each) for each in subtrees(tree, path)]


def is_list(tree: Any, path: str | None) -> bool:
    """True if a list stands at a place."""
    return isinstance(tree if path is None else at(tree, path), list)


def finder(said: Any) -> Callable[[str], str | None]:
    """Finds in what a test shows: a document, or its JSON as text. ``InvalidInput`` for what is none."""
    return partial(find, _tree(said))


def row_finder(said: Any) -> Callable[[str | None], Sequence[Callable[[str], str | None]]]:
    """Finds rows in what a test shows."""
    return partial(rows, _tree(said))


def _tree(said: Any) -> Any:
    return foreign_json.parse(said.encode()) if isinstance(said, str) else said


def at(tree: Any, path: str) -> Any:
    """The value at a place; None if there is none."""
    value = tree
    for step in _steps(path):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and step.isascii() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _steps(path: str) -> list[str]:
    if not path.startswith("/"):
        return path.split(".")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
