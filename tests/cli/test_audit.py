"""Commands leave the same trail as the doors: ``hub keys``, ``hub find``, ``hub audit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli import cli
from hub.cli.init import make_home
from hub.settings import load


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home."""
    return make_home(load(home=str(tmp_path_factory.mktemp("audit") / "home"))).folder


def _run(home: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done.output


def _trail(home: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(_run(home, "audit", "--json"))
    return entries


def test_keys_that_come_and_go_stand_in_the_trail(home: Path) -> None:
    """Who made which key and who revoked it can be read afterwards, when the file knows nothing of it any more."""
    made = json.loads(_run(home, "keys", "add", "auditor", "36521731", "--holder", "Марія Коваль", "--json"))
    assert (made["holder"], made["used_at"]) == ("Марія Коваль", None)
    _run(home, "keys", "revoke", made["id"])
    acts = [(entry["act"], entry["detail"]) for entry in _trail(home) if entry["subject"] == made["id"]]
    assert acts == [("hub keys revoke", "auditor 36521731"), ("hub keys add", "auditor 36521731")]


def test_a_key_of_a_person_names_the_person(home: Path) -> None:
    """Without a holder no key of a person's role is made; systems may be without."""
    assert "--holder" in _run(home, "keys", "add", "operator", "36521731", code=2)
    _run(home, "keys", "add", "ncc", "36521731")


def test_a_search_at_the_terminal_is_kept_without_its_words(home: Path) -> None:
    """`hub find` with a name leaves an entry of the account that asked, and the name nowhere."""
    _run(home, "find", "Бондаренко")
    entries = _trail(home)
    found = [entry for entry in entries if entry["act"] == "hub find"]
    assert found[0]["actor"].startswith("terminal:")
    assert "Бондаренко" not in json.dumps(entries, ensure_ascii=False)
    assert "hub find" in _run(home, "audit", "--act", "hub find")
