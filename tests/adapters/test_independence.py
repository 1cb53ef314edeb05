"""The import contract names every adapter that there is."""

from __future__ import annotations

import tomllib

from hub.adapters import _TABLE
from tests.conftest import ROOT


def test_the_contract_of_independence_names_every_adapter() -> None:
    """An adapter that the contract does not name could import another one, and nobody would hear of it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (modules,) = [contract["modules"] for contract in contracts if contract["type"] == "independence"]
    assert modules == [f"hub.adapters.{name}" for name in sorted(_TABLE)]
