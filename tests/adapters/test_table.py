"""The table of adapters: ours, and those of outside packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import hub.adapters
from hub.adapters import AdapterContext, adapter, table
from hub.errors import ConfigurationError


def test_every_line_of_the_table_loads() -> None:
    """Each name leads to an adapter that calls itself so."""
    made = table()
    assert {"email", "pull", "rest", "sftp", "soap"} <= set(made)
    assert all(name == each.name for name, each in made.items())


def outside(name: str) -> EntryPoint:
    return EntryPoint(name=name, value="hub.adapters.pull:PullAdapter", group=hub.adapters.GROUP)


def test_outside_packages_bring_adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point adds an adapter, which gets the tools like ours."""
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [outside("telegraph")])
    assert "telegraph" in table(AdapterContext())
    assert adapter("telegraph").name == "pull"


@pytest.mark.parametrize("names", [["rest"], ["a", "a"]])
def test_two_adapters_of_one_name_are_refused(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody replaces an adapter by installing a package."""
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [outside(name) for name in names])
    with pytest.raises(ConfigurationError):
        table()
