"""Places in JSON of other systems, as mappings name them: ``result.items.0.id``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hub.schemas import foreign_json


def find(tree: Any, path: str) -> str | None:
    """Text at a dotted path (``result.items.0.id``); numbers and booleans as JSON writes them, None for all else."""
    value = tree
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and step.isascii() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, foreign_json.Fraction):
        return value.text
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def finder(said: Any) -> Callable[[str], str | None]:
    """Finds in what a test shows: a document, or its JSON as text. ``InvalidInput`` for what is none."""
    tree = foreign_json.parse(said.encode()) if isinstance(said, str) else said
    return partial(find, tree)
