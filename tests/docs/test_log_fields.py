"""The fields that the hub gives to its log are those that the log writes."""

from __future__ import annotations

import ast

import pytest

from hub.logs import FIELDS
from tests.conftest import ROOT


@pytest.mark.slow
def test_every_field_that_is_given_is_written() -> None:
    """A field that the formatter does not know would be given and never read by anybody."""
    given = {
        (key.value, str(path.relative_to(ROOT)))
        for path in (ROOT / "hub").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }
    assert len(given) > 40
    assert {(field, place) for field, place in given if field not in FIELDS} == set()
