"""``hub registry show``: entries with their defaults, and where what is written stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub import adapters
from hub.cli.registry import registry_group
from hub.errors import RegistryRefused
from registry import load
from registry.loader import judge, read
from registry.showing import SECTIONS, entry
from tests.registry.builders import LVIV, LVIV_DISTRICT, SOUND, write

CHANNELS = """\
channels:
  - authority: "00000003"
    channel:
      id: 00000003.rest
      adapter: rest
      settings:
        url: https://a.example/
        auth: {type: bearer, token: "file:/etc/hub/a.token"}
      lane: {rate_per_sec: 5}
keys: []
"""

KEYED = '{type: api_key, in: query, name: key, key: "file:/etc/hub/a.key"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small registry in two files."""
    return write(tmp_path, a=SOUND, b=CHANNELS)


def show(folder: Path, *words: str) -> str:
    """Output of one call."""
    result = CliRunner().invoke(registry_group, ["show", *words, "--registry", str(folder)])
    assert result.exit_code == 0
    return result.stdout


def rows(folder: Path, *words: str) -> dict[str, list[str]]:
    """Cells of a table by the first one."""
    split = (line.split("  ") for line in show(folder, *words).splitlines())
    cells = ([cell.strip() for cell in line if cell.strip()] for line in split)
    return {line[0]: line[1:] for line in cells if line}


def test_a_channel_is_shown_with_defaults_and_where_the_rest_is_written(folder: Path) -> None:
    """Settings of the adapter and of the lane are whole; a secret is its reference; a default says that it is one."""
    told = rows(folder, "00000003.rest")
    assert told["authority"] == ["00000003", "b.yaml:3"]
    assert told["settings.url"] == ["https://a.example/", "b.yaml:7"]
    assert told["settings.auth.token"] == ["file:/etc/hub/a.token", "b.yaml:8"]
    assert told["settings.receipt"][-1] == told["lane.batch"][-1] == told["legal_class"][-1] == "default"
    assert told["lane.rate_per_sec"] == ["5", "b.yaml:9"]
    document = json.loads(show(folder, "00000003.rest", "--json"))
    assert (document["what"], document["lane"]["rate_per_sec"], document["lane"]["batch"]) == ("channel", 5, 50)
    assert (document["at"][""], document["at"]["/lane/rate_per_sec"]) == ("b.yaml:3", "b.yaml:9")
    assert document["settings"]["receipt"]
    assert "/settings/receipt" not in document["at"]


def test_a_body_is_shown_with_what_stands_apart(folder: Path) -> None:
    """Its channels are told with the file in which each stands."""
    assert rows(folder, "00000003")["channels.0"][-1] == "b.yaml:3"
    told = rows(folder, "04055896")
    assert (told["superior"][-1], told["competences.0"][-1], told["channels.0"][-1]) == (
        "a.yaml:13",
        "a.yaml:16",
        "a.yaml:18",
    )
    assert rows(folder, "utilities.heating")["parent"] == ["utilities", "a.yaml:4"]
    assert rows(folder, LVIV)["parent"] == [LVIV_DISTRICT, "table of territories"]


@pytest.mark.parametrize("section", list(SECTIONS))
def test_everything_can_be_listed(section: str, folder: Path) -> None:
    """Each list has rows with a code and a place, and agrees with what is shown of one entry."""
    listed = json.loads(show(folder, "--list", section, "--json"))[section]
    assert all({"code", "at"} <= row.keys() for row in listed)
    assert show(folder, "--list", section).splitlines()[0].startswith("code")
    expected = {"territories": 1_949, "channels": 2, "lanes": 2, "authorities": 2, "topics": 2, "keys": 0, "awaited": 0}
    assert len(listed) == expected.get(section, 1)


def test_a_list_takes_a_pattern(folder: Path) -> None:
    """With --list, CODE is a pattern of codes: the one that ``set`` would take."""
    (lane,) = json.loads(show(folder, "0000*", "--list", "lanes", "--json"))["lanes"]
    assert (lane["code"], lane["rate_per_sec"], lane["at"]) == ("00000003.rest", 5, "b.yaml:9")
    (competence,) = json.loads(show(folder, "--list", "competences", "--json"))["competences"]
    assert (competence["topics"], competence["territories"], competence["at"]) == (["utilities"], [LVIV], "a.yaml:16")


def test_a_channel_whose_package_cannot_be_loaded_is_shown_as_written(folder: Path) -> None:
    """What nobody can check now is shown without the adapter's defaults."""
    known = adapters.table()
    loaded = judge(folder, read(folder), known)
    without = {name: each for name, each in known.items() if name != "rest"}
    assert set(entry(loaded, "00000003.rest", without).document["settings"]) == {"url", "auth"}


def test_a_setting_is_shown_and_named_as_the_file_says_it(tmp_path: Path) -> None:
    """`in: query` is shown as `in`, with its line; the model's own name for it is no key, and the hint says `in`."""
    keyed = CHANNELS.replace('{type: bearer, token: "file:/etc/hub/a.token"}', KEYED)
    told = rows(write(tmp_path, a=SOUND, b=keyed), "00000003.rest")
    assert told["settings.auth.in"] == ["query", "b.yaml:8"]
    assert "settings.auth.place" not in told
    with pytest.raises(RegistryRefused, match="there are: in"):
        load(write(tmp_path, a=SOUND, b=keyed.replace("in:", "place:")), adapters.table())


def test_a_difference_names_channel_setting_and_both_values(tmp_path: Path) -> None:
    """A change of a rate is told as that, a secret as its reference, and a channel that came with its settings."""
    changed = CHANNELS.replace("rate_per_sec: 5", "rate_per_sec: 9").replace("a.token", "b.token")
    old, new = write(tmp_path / "old", a=SOUND, b=CHANNELS), write(tmp_path / "new", a=SOUND, b=changed)
    said = CliRunner().invoke(registry_group, ["diff", str(old), str(new)]).stdout.splitlines()
    assert said[1:] == [
        "changed  authorities 00000003: channels",
        "         channels[00000003.rest].settings.auth.token: file:/etc/hub/a.token → file:/etc/hub/b.token",
        "         channels[00000003.rest].lane.rate_per_sec: 5 → 9",
    ]
    without = write(tmp_path / "none", a=SOUND)
    came = CliRunner().invoke(registry_group, ["diff", str(without), str(new)]).stdout.splitlines()
    assert came[2].startswith("         channels[00000003.rest]: — → {")
