"""``hub registry schema``: editors are told what the hub would refuse, and nothing that it would take."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hub.adapters import table
from registry import editor
from registry.yamlfile import parse
from tests.acceptance.processes import hub
from tests.conftest import ROOT

CHANNEL_PAGES = sorted([*(ROOT / "docs" / "adapters").glob("*.md"), *(ROOT / "docs" / "recipes").glob("*.md")])
_BLOCK = re.compile(r"^```yaml ([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def _validators() -> dict[str, jsonschema.Draft7Validator]:
    made = editor.documents(table())
    for schema in made.values():
        jsonschema.Draft7Validator.check_schema(schema)
    return {name: jsonschema.Draft7Validator(schema) for name, schema in made.items()}


def _faults(document: Any, name: str = editor.REGISTRY) -> list[str]:
    return [f"{list(each.absolute_path)}: {each.message[:200]}" for each in _validators()[name].iter_errors(document)]


def _blocks(page: Path, title: str) -> list[Any]:
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [parse(body).data for said, body in found if said.split()[0].partition("=")[0] == title]


def _of(channel: Any) -> dict[str, Any]:
    return {"channels": [{"authority": "00032106", "channel": channel}]}


@pytest.mark.parametrize("file", sorted((ROOT / "registry" / "starter").glob("*.yaml")), ids=lambda each: each.name)
def test_the_starter_is_taken(file: Path) -> None:
    """Each file of the registry that the project ships is sound for an editor too."""
    assert _faults(parse(file.read_text("utf-8")).data) == []


def test_examples_of_the_documents_are_taken() -> None:
    """Files of docs/registry.md and every channel of docs/adapters."""
    files = _blocks(ROOT / "docs" / "registry.md", "file")
    channels = [_of(block) for page in CHANNEL_PAGES for block in _blocks(page, "channel")]
    mappings = [block for page in CHANNEL_PAGES for block in _blocks(page, "mapping")]
    assert (len(files) >= 2, len(channels) >= 8, len(mappings) >= 3) == (True, True, True)
    assert [fault for each in (*files, *channels) for fault in _faults(each)] == []
    assert [fault for each in mappings for fault in _faults(each, editor.MAPPING)] == []


GOOD: dict[str, Any] = {
    "id": "00032106.edms",
    "adapter": "rest",
    "dialect": "template",
    "legal_class": "registered",
    "lane": {"rate_per_sec": 5},
    "settings": {
        "url": "https://edms.example.org/in",
        "auth": {"type": "bearer", "token": "file:/etc/hub/token"},
        "template": {
            "leaves_out": ["channel"],
            "request": {
                "id": "$message_id",
                "phone": "$body.applicant.contacts.phones.1",
                "kind": {"$from": "$body.kind", "values": {"complaint": 3}, "default": 1},
                "files": {"$each": "$attachments", "as": {"name": "$item.name"}},
                "price": "$$5",
                "key": {"$secret": "env:EDMS_KEY"},
            },
            "answer": {"status": {"path": "code", "values": {"0": "registered"}}, "number": "number", "date": "date"},
            "tests": [{"name": "a", "answer": {"code": 0}, "means": {"status": "registered"}}],
        },
    },
}


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


def _renamed(*path: str | int, to: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[to] = document.pop(path[-1])

    return change


TYPOS: dict[str, Callable[[Any], None]] = {
    "an adapter that is none": _set("adapter", to="http"),
    "a dialect of another adapter": _set("dialect", to="wsdl"),
    "a dialect without its section": _set("dialect", to="xroad"),
    "a key of the channel": _renamed("settings", to="setings"),
    "a setting": _set("settings", "allow_privat", to=[]),
    "no url": _renamed("settings", "url", to="ulr"),
    "a lane's figure": _set("lane", "rate_per_second", to=5),
    "a figure that is text": _set("lane", "rate_per_sec", to="5"),
    "a figure out of bounds": _set("lane", "rate_per_sec", to=0),
    "a kind of credential": _set("settings", "auth", "type", to="barer"),
    "a secret itself": _set("settings", "auth", "token", to="abcdef"),
    "a legal class": _set("legal_class", to="register"),
    "an id with capitals": _set("id", to="Edms"),
    "a section of a template": _renamed("settings", "template", "answer", to="anwser"),
    "a path": _set("settings", "template", "request", "phone", to="$body.applicant.phones.0"),
    "a path of a rule": _set("settings", "template", "request", "kind", "$from", to="$body.knd"),
    "a rule": _set("settings", "template", "request", "kind", to={"$form": "$body.kind"}),
    "a key of a rule": _set("settings", "template", "request", "kind", "joyn", to=", "),
    "each without as": _set("settings", "template", "request", "files", to={"$each": "$attachments"}),
    "a secret in a document": _set("settings", "template", "request", "key", "$secret", to="abcdef"),
    "a draft's mark": _set("settings", "template", "request", "id", to="$TODO"),
    "a fixed status": _set("settings", "template", "answer", "status", to="registred"),
    "a member of the answer": _set("settings", "template", "answer", "nomber", to="n"),
    "a word of a test": _set("settings", "template", "tests", 0, "means", "stats", to="x"),
}


def test_the_example_of_the_typos_is_taken() -> None:
    """Without a typo the channel is taken: what follows is told for the typo alone."""
    assert _faults(_of(GOOD)) == []


@pytest.mark.parametrize("typo", TYPOS)
def test_typos_are_told(typo: str) -> None:
    """Each slip that the registry refuses is told while it is written."""
    channel = copy.deepcopy(GOOD)
    TYPOS[typo](channel)
    assert _faults(_of(channel)), typo


@pytest.mark.parametrize(
    "document",
    [
        {"chanels": []},
        {"channels": {}},
        {"authorities": [{"code": 32106, "name": "X", "kind": "other"}]},
        {"authorities": [{"code": "00032106", "name": "X", "kind": "others"}]},
        {"topics": [{"code": "a"}]},
        [],
    ],
)
def test_slips_outside_of_channels_are_told(document: Any) -> None:
    """Sections, codes that are numbers, kinds that are none, missing keys."""
    assert _faults(document)


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    """Names, one schema, or all into a folder; what is written is what is printed."""
    assert hub("registry", "schema", home=tmp_path).stdout.split() == [editor.REGISTRY, editor.MAPPING]
    hub("registry", "schema", "--to", str(tmp_path / "schemas"), home=tmp_path)
    printed = hub("registry", "schema", editor.MAPPING, home=tmp_path).stdout
    assert json.loads((tmp_path / "schemas" / editor.MAPPING).read_text("utf-8")) == json.loads(printed)
