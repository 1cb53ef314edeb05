"""The table of adapters: ours, and those of outside packages."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import hub.adapters
from hub.adapters import AdapterContext, adapter, table
from hub.bootstrap import build
from hub.cli import cli
from hub.errors import ConfigurationError, RegistryRefused
from hub.settings import load


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


BROKEN = {
    "ModuleNotFoundError": "no_such_package.telegraph:Adapter",
    "AttributeError": "hub.adapters.pull:NoSuchAdapter",
    "TypeError": "hub.adapters.pull:SEV_SYSTEM",
}


@pytest.mark.parametrize("error", sorted(BROKEN))
def test_a_package_that_cannot_be_loaded_stops_nobody(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its package and the kind of its error; the others are there, and asking for it says why not."""
    point = EntryPoint(name="telegraph", value=BROKEN[error], group=hub.adapters.GROUP)
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [point, outside("semaphore")])
    made = table()
    assert {"rest", "semaphore"} <= set(made)
    assert "telegraph" not in made
    assert (made.absent["telegraph"].package, made.absent["telegraph"].error) == (BROKEN[error], error)
    with pytest.raises(ConfigurationError, match=rf"telegraph.*{error}") as caught:
        adapter("telegraph")
    assert caught.value.stable_code == "adapter.absent"


@pytest.mark.slow
def test_a_hub_runs_without_a_package_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The hub starts with a channel of such an adapter and says once in its log what is missing; `hub doctor` names it,
    and a channel of an adapter that nobody brings is refused as before.
    """
    home = tmp_path / "home"
    asked = CliRunner()
    assert asked.invoke(cli, ["init", "--home", str(home)]).exit_code == 0
    settings = load(home=str(home))
    point = EntryPoint(name="telegraph", value=BROKEN["ModuleNotFoundError"], group=hub.adapters.GROUP)
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [point])
    channel = {"id": "00032106.wire", "adapter": "telegraph", "settings": {"line": 1}}
    (settings.registry_folder / "channels.yaml").write_text(
        yaml.safe_dump({"channels": [{"authority": "00032106", "channel": channel}]}), "utf-8"
    )
    made = build(settings)
    made.close()
    assert [record.levelname for record in caplog.records if "telegraph" in record.getMessage()] == ["ERROR"]
    doctor = asked.invoke(cli, ["doctor", "--home", str(home), "--json"])
    (finding,) = [each for each in json.loads(doctor.stdout) if each["check"] == "adapters"]
    assert (doctor.exit_code, finding["ok"]) == (1, False)
    assert "telegraph" in finding["finding"]
    assert "ModuleNotFoundError" in finding["finding"]
    checked = asked.invoke(cli, ["registry", "check", "--registry", str(settings.registry_folder)])
    assert checked.exit_code == 1
    assert "channels.yaml:6#/channels/0/channel/settings: the adapter telegraph" in checked.output
    assert "adapter.absent" in checked.output
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [])
    with pytest.raises(RegistryRefused, match="no such adapter"):
        build(settings)


@pytest.mark.parametrize("names", [["rest"], ["a", "a"]])
def test_two_adapters_of_one_name_are_refused(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody replaces an adapter by installing a package."""
    monkeypatch.setattr(hub.adapters, "entry_points", lambda group: [outside(name) for name in names])
    with pytest.raises(ConfigurationError):
        table()
