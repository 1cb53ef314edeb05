"""docs/operations/settings.md is true: every setting stands there with the default of the code, and no other."""

from __future__ import annotations

import re

from hub.settings import Settings
from tests.conftest import ROOT

ROW = re.compile(r"^\| `(\w+)` \| `?([^|`]*)`? \|", re.MULTILINE)


def test_every_setting_is_explained_with_its_default() -> None:
    """The page's rows are the settings of the code."""
    rows = dict(ROW.findall((ROOT / "docs" / "operations" / "settings.md").read_text("utf-8")))
    defaults = {
        name: {None: "absent", (): "empty"}.get(field.default, str(field.default))
        for name, field in Settings.model_fields.items()
    }
    assert {name: text.removeprefix("./") for name, text in rows.items()} == defaults
