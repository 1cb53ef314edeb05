"""docs/operations/lanes.md names every setting of a lane as the code has it."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from hub.cases.operators import Standing
from hub.schemas.directory import Channel, LaneSettings
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "operations" / "lanes.md").read_text("utf-8")
_SETTINGS, _, _SEEING = PAGE.partition("\n## Seeing\n")
_ROW = re.compile(r"^\| `(\w+)` \| (.+) \| .*$", re.MULTILINE)
ROWS = dict(_ROW.findall(_SETTINGS))


def test_every_setting_stands_there_with_its_default() -> None:
    """The table has one row for each setting, with the default that holds."""
    fields = LaneSettings.model_fields
    assert sorted(ROWS) == sorted(fields)
    for name, field in fields.items():
        default: Any = field.default
        text = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        assert ROWS[name].split(" | ")[0] == text, name


@pytest.mark.parametrize("name", sorted(set(LaneSettings.model_fields) - {"retry_secs"}))
def test_the_bounds_are_those_of_the_code(name: str) -> None:
    """The lowest and the highest value that the page names are taken, and the next ones refused."""
    low, high = map(int, ROWS[name].split(" | ")[1].split("–"))
    for value in (low, high):
        assert getattr(LaneSettings.model_validate({name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError):
            LaneSettings.model_validate({name: value})


def test_every_standing_is_explained() -> None:
    """Each word of `hub lanes` has its row."""
    assert {name for name, _ in _ROW.findall(_SEEING)} == set(get_args(Standing))


def test_the_example_is_a_channel() -> None:
    """What the page shows can be pasted into a registry file."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (channel,) = yaml.safe_load(found[1])["channels"]
    assert Channel.model_validate_json(json.dumps(channel)).lane.concurrency == 4
