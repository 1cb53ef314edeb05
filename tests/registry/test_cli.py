"""``hub registry`` and ``hub route``: what people see, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.registry import registry_group
from hub.cli.route import route_group
from hub.errors import NotFound, RegistryRefused
from registry import import_sev
from tests.registry.builders import ADAPTERS, LVIV, SOUND, write


@pytest.fixture(autouse=True)
def _adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.adapters.table", lambda: ADAPTERS)


def run(*arguments: object) -> Result:
    """One command of either group."""
    group = route_group if arguments[0] == "explain" else registry_group
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def as_json(*arguments: object) -> Any:
    """The document that ``--json`` prints."""
    return json.loads(run(*arguments, "--json").stdout)


def test_check_says_that_a_registry_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0, the version and counts; the folder may come from the environment."""
    write(tmp_path, a=SOUND)
    result = run("check", "--registry", tmp_path)
    assert result.exit_code == 0
    assert "2 authorities, 1 with channels" in result.stdout
    monkeypatch.setenv("HUB_REGISTRY", str(tmp_path))
    document = as_json("check")
    assert document["ok"] is True
    assert document["version"] in result.stdout


def test_check_lists_every_fault_and_fails(tmp_path: Path) -> None:
    """Exit code 1 and file, line, path, code of each fault, in words and as JSON."""
    write(tmp_path, a=SOUND.replace("kind: cabinet", "kind: cupboard"), b="topics: [x]")
    result = run("check", "--registry", tmp_path)
    assert result.exit_code == 1
    assert "a.yaml:8#/authorities/0/kind: " in result.stdout
    assert "2 faults" in result.stdout
    document = as_json("check", "--registry", tmp_path)
    assert [fault["code"] for fault in document["faults"]] == ["registry.enum", "registry.model_type"]


def test_other_commands_refuse_a_broken_registry(tmp_path: Path) -> None:
    """They raise the refusal, which the program's entry prints and turns into exit code 1."""
    write(tmp_path, a="topics: [x]")
    assert isinstance(run("show", "--registry", tmp_path).exception, RegistryRefused)
    assert isinstance(run("diff", tmp_path, tmp_path).exception, RegistryRefused)
    assert isinstance(run("explain", "--topic", "x", "--registry", tmp_path).exception, RegistryRefused)


@pytest.mark.parametrize(
    ("code", "what", "word"),
    [
        ("04055896", "authority", "Львівська міська рада"),
        ("04055896.rest", "channel", "04055896"),
        ("utilities.heating", "topic", "Тепло"),
        (LVIV, "territory", "Львівська"),
    ],
)
def test_show_finds_anything_by_its_code(code: str, what: str, word: str, tmp_path: Path) -> None:
    """An authority, a channel, a topic and a territory are shown by code."""
    write(tmp_path, a=SOUND)
    assert as_json("show", code, "--registry", tmp_path)["what"] == what
    assert word in run("show", code, "--registry", tmp_path).stdout


def test_show_finds_a_body_that_waits_for_its_code(tmp_path: Path) -> None:
    """It is shown by kind and territory, counted by ``check``, and told by ``diff`` when it comes or goes."""
    other = "UA46060230000093092"
    old = write(tmp_path / "old", a=SOUND)
    new = write(
        tmp_path / "new", a=SOUND, b=f"awaited: [{{kind: other, branch: land, territory: {other}, name: Рада}}]"
    )
    assert as_json("show", f"other.land@{other}", "--registry", new)["what"] == "awaited"
    assert as_json("check", "--registry", new)["awaited"] == 1
    found = as_json("diff", old, new)["differences"]
    assert [(d["section"], d["code"], d["change"]) for d in found] == [("awaited", f"other.land@{other}", "added")]


def test_show_lists_authorities_and_says_what_is_absent(tmp_path: Path) -> None:
    """Without a code all authorities are listed; an unknown code is ``NotFound``."""
    write(tmp_path, a=SOUND)
    assert [a["code"] for a in as_json("show", "--registry", tmp_path)["authorities"]] == ["00000003", "04055896"]
    assert "04055896" in run("show", "--registry", tmp_path).stdout
    assert isinstance(run("show", "29999999", "--registry", tmp_path).exception, NotFound)


def test_diff_names_entries_and_fields(tmp_path: Path) -> None:
    """What was added, removed and changed comes by section, code and field; territories and stages included."""
    old = write(tmp_path / "old", a=SOUND)
    changed = (
        SOUND.replace("Тепло", "Опалення")
        .replace("stage: 1,", "stage: 2,")
        .replace('code: "00000003"', 'code: "00000001"')
    )
    new = write(tmp_path / "new", a=changed.replace('superior: "00000003"', 'superior: "00000001"'))
    (new / "territories.csv").write_text(
        f"code;level;name;parent\n{LVIV};H;Інша;\nUA99000000000000001;O;Нова;\n", encoding="utf-8"
    )
    document = as_json("diff", old, new)
    found = {(d["section"], d["code"], d["change"], tuple(d["fields"])) for d in document["differences"]}
    assert {
        ("authorities", "00000003", "removed", ()),
        ("authorities", "00000001", "added", ()),
        ("authorities", "04055896", "changed", ("superior",)),
        ("topics", "utilities.heating", "changed", ("name",)),
        ("stages", "1/phone", "removed", ()),
        ("stages", "2/phone", "added", ()),
        ("territories", LVIV, "changed", ("name", "parent")),
        ("territories", "UA99000000000000001", "added", ()),
    } <= found
    assert "changed  topics utilities.heating: name" in run("diff", old, new).stdout
    assert as_json("diff", old, old)["differences"] == []


def test_import_prints_an_account_that_adds_up(tmp_path: Path) -> None:
    """Rows = clean + odd + refused, the kinds of oddity in words; exit code 1 only if a row was refused."""
    listed = tmp_path / "list.csv"
    head = ";".join(import_sev.HEADER) + "\n"
    listed.write_text(head + "00032106;НБУ;Національний банк України;01.01.2015;АСКОД ;Так\n", encoding="utf-8")
    result = run("import-sev", listed, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "1 rows = 0 clean + 1 odd + 0 refused" in result.stdout
    assert "odd blank_at_edge: 1" in result.stdout
    listed.write_text(head + "1;x;y;01.01.2015;;Ні\n", encoding="utf-8")
    refused = run("import-sev", listed, "--out", tmp_path / "out", "--overwrite", "--json")
    assert refused.exit_code == 1
    document = json.loads(refused.stdout)
    assert (document["rows"], document["refused"], document["refused_kinds"]["code"]["lines"]) == (1, 1, [2])


def test_import_katottg_writes_a_table_that_loads(tmp_path: Path) -> None:
    """The codifier's rows become the folder's table."""
    listed = tmp_path / "codifier.csv"
    head = (
        "Перший рівень;Другий рівень;Третій рівень;Четвертий рівень;Додатковий рівень;Категорія об’єкта;Назва об’єкта\n"
    )
    listed.write_text(head + "UA46000000000026241;;;;;O;Львівська\n", encoding="utf-8")
    assert as_json("import-katottg", listed, "--out", tmp_path)["imported"] == 1
    write(tmp_path, a="topics: []")
    assert as_json("check", "--registry", tmp_path)["territories"] == 1


def test_explain_tells_each_step_and_the_end(tmp_path: Path) -> None:
    """Steps are numbered sentences; the last line names the body, the reason and the registry's version."""
    write(tmp_path, a=SOUND)
    where = ("--registry", tmp_path, "--place", "UA46060250010015970", "--day", "2025-06-02")
    result = run("explain", "--topic", "utilities.heating", *where)
    assert result.exit_code == 0
    assert "1. Competent for utilities at UA46060250000025047: 04055896." in result.stdout
    assert "→ 04055896 Львівська міська рада (reason: competence" in result.stdout
    document = as_json("explain", "--topic", "utilities", "--kind", "complaint", "--about", "04055896", *where)
    assert document["authority"] is None
    assert document["reason"] == "only_accused"
    assert document["steps"][-1]["data"] == {"reason": "only_accused"}
    early = run("explain", "--topic", "utilities", "--registry", tmp_path, "--place", LVIV, "--day", "2015-12-31")
    assert "the operators' queue (reason: not_in_stage" in early.stdout


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    """A missing option or an unknown word is wrong usage."""
    assert run("explain").exit_code == 2
    assert run("explain", "--topic", "x", "--kind", "wish").exit_code == 2
    assert run("import-sev", tmp_path / "absent.csv", "--out", tmp_path).exit_code == 2
