"""``hub registry set``: many channels changed by one pattern, in the files' own texts, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.registry import registry_group
from hub.errors import Conflict, InvalidInput, RegistryRefused
from registry import load
from registry.assignments import assignment
from registry.change import plan
from registry.replacing import replace_all
from tests.registry.builders import ADAPTERS, write

BODIES = """
authorities:
  - {code: "00000003", name: Перший, kind: cabinet}
  - {code: "04055896", name: Другий, kind: central, channels: [{id: 04055896.rest, adapter: rest, settings: {url: a}}]}
"""
CHANNELS = """\
# By hand
channels:
  - authority: "00000003"   # the first
    channel:
      id: 00000003.rest
      adapter: rest
      settings:
        url: https://a.example/   # their front door
      lane:
        rate_per_sec: 20   # agreed by letter
  # the second way
  - authority: "00000003"
    channel: {id: 00000003.second, adapter: rest, settings: {url: "https://b.example/"}}
"""


@pytest.fixture(autouse=True)
def _adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.adapters.table", lambda: ADAPTERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three channels in two files."""
    return write(tmp_path / "registry", bodies=BODIES, channels=CHANNELS)


def run(folder: Path, *arguments: str) -> Result:
    """One call of the command."""
    return CliRunner().invoke(registry_group, ["set", *arguments, "--registry", str(folder)])


def texts(folder: Path) -> dict[str, str]:
    """All files of a folder, those that no registry reads included."""
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def lane(folder: Path, channel_id: str) -> Any:
    """The lane of a channel, as the registry has it now."""
    entry = load(folder, ADAPTERS).channel(channel_id)
    assert entry is not None
    return entry[1].lane


def test_one_pattern_changes_channels_in_several_files_and_keeps_all_else(folder: Path) -> None:
    """Several settings at once; comments and layout stay; what a file says elsewhere stays byte for byte."""
    result = run(folder, "*.rest", "lane.rate_per_sec=5", "settings.timeout_secs=3", "settings.tags=[a, 'b c']")
    assert result.exit_code == 0
    assert "2 of 2 channels that fit change, in 2 files: 00000003.rest, 04055896.rest." in result.stdout
    new = texts(folder)
    assert new["channels.yaml"] == CHANNELS.replace(
        "front door\n", "front door\n        timeout_secs: 3\n        tags: [a, b c]\n"
    ).replace("rate_per_sec: 20", "rate_per_sec: 5")
    assert "settings: {url: a, timeout_secs: 3, tags: [a, b c]}, lane: {rate_per_sec: 5}}]}" in new["bodies.yaml"]
    assert set(new) == {"bodies.yaml", "channels.yaml"}
    assert lane(folder, "04055896.rest").rate_per_sec == lane(folder, "00000003.rest").rate_per_sec == 5
    assert lane(folder, "00000003.second").rate_per_sec == 50


def test_a_difference_names_each_channel_and_the_lines_of_its_file(folder: Path) -> None:
    """With --dry-run the difference is shown, with the numbers of its lines, and nothing is written."""
    before = texts(folder)
    result = run(folder, "00000003.*", "lane.rate_per_sec=5", "settings.timeout_secs=3", "--dry-run")
    assert "@@ -7,4 +7,5 @@ 00000003.rest" in result.stdout
    assert "@@ -13 +14 @@ 00000003.second" in result.stdout
    assert (
        "-        rate_per_sec: 20   # agreed by letter\n+        rate_per_sec: 5   # agreed by letter" in result.stdout
    )
    assert "Nothing was written (--dry-run)." in result.stdout
    document = json.loads(run(folder, "00000003.*", "lane.batch=7", "--dry-run", "--json").stdout)
    assert (document["ok"], document["written"], document["changed"]) == (
        True,
        False,
        ["00000003.rest", "00000003.second"],
    )
    assert [each["file"] for each in document["files"]] == ["channels.yaml"]
    assert document["version"] != load(folder, ADAPTERS).version
    assert texts(folder) == before


@pytest.mark.parametrize("words", [("lane.rate_per_sec=",), ("--unset", "lane.rate_per_sec"), ("/lane/rate_per_sec=",)])
def test_a_setting_is_taken_out(words: tuple[str, ...], folder: Path) -> None:
    """An empty value or --unset takes it out, and the default holds; channels that do not have it are left alone."""
    result = run(folder, "*", *words)
    assert "1 of 3 channels that fit change" in result.stdout
    assert lane(folder, "00000003.rest").rate_per_sec == 50
    again = run(folder, "*", *words)
    assert (again.exit_code, "nothing to change" in again.stdout) == (0, True)


def test_what_would_not_be_sound_is_refused_with_file_and_line(folder: Path) -> None:
    """One channel that would be wrong refuses all; file, line and path are of the files as they stand, no value."""
    before = texts(folder)
    refused = run(folder, "*", "lane.rate_per_sec=5", "settings.timeout_secs=0").exception
    assert isinstance(refused, RegistryRefused)
    assert [fault.pointer for fault in refused.faults] == [
        "bodies.yaml:4#/authorities/1/channels/0/settings/timeout_secs",
        "channels.yaml:7#/channels/0/channel/settings/timeout_secs",
        "channels.yaml:13#/channels/1/channel/settings/timeout_secs",
    ]
    assert texts(folder) == before


def test_a_setting_of_the_channel_itself_is_not_one_of_its_adapter(folder: Path) -> None:
    """A channel's own member among the settings is an unknown key, and the refusal says where it stands."""
    refused = run(folder, "*.second", "settings.legal_class=sent").exception
    assert isinstance(refused, RegistryRefused)
    (fault,) = refused.faults
    assert (fault.code, "legal_class stands beside settings" in fault.message) == ("registry.unknown_key", True)


def test_the_lane_is_found_where_many_look_for_it(folder: Path) -> None:
    """``settings.lane.…`` sets the channel's lane, as ``lane.…`` does."""
    run(folder, "*.second", "settings.lane.rate_per_sec=5")
    one = texts(folder)
    run(folder, "*.second", "lane.rate_per_sec=5")
    assert texts(folder) == one
    assert "rate_per_sec: 5" in "".join(one.values())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("absent*", "lane.batch=1"), "registry.set.no_channel"),
        (("*", "lane.batch"), "registry.set.form"),
        (("*", "lane..batch=1"), "registry.set.form"),
        (("*", "settings.url=00042"), "registry.yaml.quote"),
        (("*", "settings.tags=*all"), "registry.yaml.alias"),
        (("*", "settings.tags=[a"), "registry.yaml.syntax"),
        (("*", "settings={a: 1, a: 2}"), "registry.yaml.duplicate_key"),
        (("*", "settings.url.host=x"), "registry.set.place"),
    ],
)
def test_what_cannot_be_set_is_told_before_anything_is_read_or_written(
    words: tuple[str, ...], code: str, folder: Path
) -> None:
    """A pattern that nothing fits, a path or value that is none by the strict rules: refused with its code."""
    before = texts(folder)
    error = run(folder, *words).exception
    assert isinstance(error, InvalidInput)
    assert (error.stable_code, error.faults[0].code) == (code, code)
    assert texts(folder) == before


def test_wrong_usage_is_exit_code_2(folder: Path) -> None:
    """Without an assignment there is nothing to do."""
    assert run(folder, "*").exit_code == 2


def test_a_registry_that_is_broken_can_be_mended_and_is_not_broken_further(folder: Path) -> None:
    """What counts is the registry as it would be."""
    write(folder, more="channels: [{authority: '04055896', channel: {id: x.y, adapter: none, settings: {url: a}}}]")
    assert isinstance(run(folder, "00000003.rest", "lane.batch=3").exception, RegistryRefused)
    assert run(folder, "x.y", "adapter=rest", "settings.url=b").exit_code == 0
    assert load(folder, ADAPTERS).channel("x.y") is not None


def test_line_ends_and_marks_of_windows_stay(folder: Path) -> None:
    """A file with a byte order mark and CRLF keeps both; its other lines are the same bytes."""
    path = folder / "channels.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CHANNELS.replace("\n", "\r\n").encode())
    assert run(folder, "00000003.rest", "lane.batch=7", "valid_to=2030-01-01").exit_code == 0
    more = CHANNELS.replace("by letter\n", "by letter\n        batch: 7\n      valid_to: 2030-01-01\n")
    assert path.read_bytes() == b"\xef\xbb\xbf" + more.replace("\n", "\r\n").encode()


def test_files_keep_their_rights_and_links(folder: Path, tmp_path: Path) -> None:
    """A file that is a link stays one, and what it leads to is written, with the rights that it had."""
    real = tmp_path / "elsewhere.yaml"
    (folder / "channels.yaml").rename(real)
    real.chmod(0o640)
    (folder / "channels.yaml").symlink_to(real)
    assert run(folder, "00000003.rest", "lane.batch=7").exit_code == 0
    assert (folder / "channels.yaml").is_symlink()
    assert ("batch: 7" in real.read_text("utf-8"), real.stat().st_mode & 0o777) == (True, 0o640)


def test_if_one_file_cannot_be_written_all_are_as_they_were(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two fails: the first gets its old content back, and nothing is left beside them."""
    before = texts(folder)
    made = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "channels.yaml":
            raise OSError(28, os.strerror(28), str(target))
        return made(self, target)

    monkeypatch.setattr(Path, "replace", full)
    error = run(folder, "*", "lane.batch=7").exception
    assert isinstance(error, InvalidInput)
    assert (error.stable_code, error.faults[0].pointer) == ("registry.set.unwritable", "channels.yaml")
    assert texts(folder) == before


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(folder: Path) -> None:
    """A file that changed between the plan and its writing refuses all."""
    made = plan(folder, ADAPTERS, "*", [assignment("lane.batch=7")])
    with (folder / "channels.yaml").open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    before = texts(folder)
    with pytest.raises(Conflict, match=r"channels\.yaml"):
        replace_all(folder, made.files)
    assert texts(folder) == before


def test_a_file_keeps_its_owner_group_and_rights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed by another account, as root on a server does, a file belongs to whom it belonged, and is open to nobody
    else at any moment.
    """
    given: list[tuple[int, int, int]] = []
    target = folder / "channels.yaml"
    target.chmod(0o640)
    owned = _owned_by_another(monkeypatch, target)
    monkeypatch.setattr(
        os, "fchown", lambda handle, *whose: given.append((*whose, stat.S_IMODE(os.fstat(handle).st_mode)))
    )
    assert run(folder, "00000003.*", "lane.rate_per_sec=5").exit_code == 0
    assert given == [(*owned, 0o600)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_file_that_could_not_keep_its_owner_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that may not give files away is refused with the file and whose it is; all stays as it was."""
    before = texts(folder)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    user, group = _owned_by_another(monkeypatch, folder / "channels.yaml")
    monkeypatch.setattr(os, "fchown", refused)
    error = run(folder, "*", "lane.rate_per_sec=5").exception
    assert isinstance(error, InvalidInput)
    assert (error.stable_code, error.faults[0].pointer) == ("registry.set.unwritable", "channels.yaml")
    assert f"belongs to user {user} and group {group}" in error.faults[0].message
    assert texts(folder) == before


def _owned_by_another(monkeypatch: pytest.MonkeyPatch, target: Path) -> tuple[int, int]:
    """Have a file look as if it belonged to somebody else, for tests run as any user."""
    user, group = os.getuid() + 1, os.getgid() + 1
    plain = Path.stat

    def seen(path: Path, **more: Any) -> os.stat_result:
        said = plain(path, **more)
        return os.stat_result((*said[:4], user, group, *said[6:])) if path == target else said

    monkeypatch.setattr(Path, "stat", seen)
    return user, group


def test_a_hundred_channels_of_one_file_change_at_once(tmp_path: Path) -> None:
    """Each is changed in its own place, though all look the same."""
    codes = [f"{10_000_000 + number}" for number in range(100)]
    bodies = "\n".join(f'  - {{code: "{code}", name: x, kind: central}}' for code in codes)
    entries = "\n".join(
        f'  - authority: "{code}"\n    channel:\n      id: {code}.rest\n      adapter: rest\n'
        f"      settings: {{url: a}}\n      lane:\n        rate_per_sec: 20  # {code}"
        for code in codes
    )
    folder = write(tmp_path, bodies=f"authorities:\n{bodies}\n", channels=f"channels:\n{entries}\n")
    document = json.loads(run(folder, "*.rest", "lane.rate_per_sec=5", "lane.batch=10", "--json").stdout)
    assert (len(document["changed"]), document["written"]) == (100, True)
    text = (folder / "channels.yaml").read_text("utf-8")
    assert all(f"rate_per_sec: 5  # {code}\n        batch: 10\n" in text for code in codes)
    assert document["version"] == load(folder, ADAPTERS).version
