"""docs/seals.md is true: every command in it is run, every code it lists exists and none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.session import run

DOCUMENT = ROOT / "docs" / "seals.md"
CODE = re.compile(r"`((?:seal|json|xml)\.[a-z_0-9]+)`")


@pytest.mark.slow
@pytest.mark.foreign("jose")
@pytest.mark.foreign("openssl")
@pytest.mark.foreign("xmllint")
@pytest.mark.foreign("xmlsec1")
def test_the_commands_work_as_written(tmp_path: Path) -> None:
    """An integrator who types the commands makes a key, verifies both seals with others' programs, and seals."""
    run(DOCUMENT, tmp_path, {})


def test_every_code_is_documented() -> None:
    """The tables list exactly the codes that the modules raise."""
    documented = set(CODE.findall(DOCUMENT.read_text("utf-8")))
    raised = set()
    for file in (ROOT / "hub" / "seals").glob("*.py"):
        text = file.read_text("utf-8")
        raised |= set(re.findall(r'code="(seal\.[a-z_]+)"', text))
        if file.name == "xml_rules.py":
            raised |= {f"seal.{rule}" for rule in re.findall(r'_refuse\("([a-z_]+)"', text)}
            raised |= {f"seal.{rule}" for rule in re.findall(r'"(algorithm|reference)", frozenset', text)}
    raised |= {f"json.{rule}" for rule in rules("strict_json.py")} | {f"xml.{rule}" for rule in rules("strict_xml.py")}
    assert documented == raised


def rules(name: str) -> set[str]:
    """The rules that a strict parser names in its docstring."""
    text = (ROOT / "hub" / "schemas" / name).read_text("utf-8")
    return set(re.findall(r"``(?:json|xml)\.([a-z_0-9]+)``", text))
