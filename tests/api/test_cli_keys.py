"""``hub keys``: make, list and revoke API keys at a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.api.auth import KEY_FILE, read_keys
from hub.cli.keys import keys_group
from hub.errors import ConfigurationError


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    """The plain key is printed once; the list never shows a secret or its digest."""
    (tmp_path / "keys").mkdir()
    home, runner = ["--home", str(tmp_path), "--json"], CliRunner()
    made = json.loads(runner.invoke(keys_group, ["add", "authority", "00032106", "--days", "30", *home]).output)
    assert made["key"].startswith(f"hub_{made['id']}_")
    listed = runner.invoke(keys_group, ["list", *home]).output
    assert [entry["id"] for entry in json.loads(listed)] == [made["id"]]
    assert read_keys(tmp_path / KEY_FILE)[0].sha256 not in listed
    assert runner.invoke(keys_group, ["revoke", made["id"], *home]).exit_code == 0
    assert read_keys(tmp_path / KEY_FILE) == ()


def test_a_home_is_needed(tmp_path: Path) -> None:
    """Without a home the command says what to do first."""
    result = CliRunner().invoke(keys_group, ["add", "ncc", "36521731", "--home", str(tmp_path / "none")])
    assert isinstance(result.exception, ConfigurationError)


@pytest.mark.parametrize("arguments", [["add", "admin", "36521731"], ["add", "ncc"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    """An unknown role or a missing party is wrong usage: exit code 2."""
    assert CliRunner().invoke(keys_group, arguments).exit_code == 2
