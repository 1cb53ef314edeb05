"""The OpenAPI document: 3.1, whole, equal to the published file, and survived by schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.api.app import routes_only
from hub.api.openapi import OPEN, build
from tests.api.world import World
from tests.forms import NIGHTLY

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,unsupported_method"
)


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, operations in document["paths"].items() for operation in operations.values()]


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(inner) for inner in value.values()))
    return set().union(*(_references(inner) for inner in value)) if isinstance(value, list) else set()


def test_the_document_is_published(world: World) -> None:
    """The served document is the one in docs/openapi.json (renew: python -m hub.api.openapi > docs/openapi.json)."""
    served = world.call("GET", "/openapi.json", None).json()
    assert served == json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert served["openapi"] == "3.1.0"


@pytest.mark.slow
def test_every_operation_lists_its_problems() -> None:
    """Each operation names its problem documents; each but the open three needs a credential."""
    document = build(routes_only())
    for path, operation in _operations(document):
        assert "500" in operation["responses"], path
        assert (operation["security"] == []) == (path in OPEN)
        if path not in OPEN:
            assert {"401", "403"} <= operation["responses"].keys()


@pytest.mark.slow
def test_every_reference_leads_somewhere() -> None:
    """No $ref of the document is broken."""
    document = build(routes_only())
    for reference in _references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


LARGE_BODIES = "/(appeals|envelopes|callbacks|receipt|messages$)"
APART = f"{LARGE_BODIES}|/events/stream"  # a stream does not end by itself


def _at_night(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.nightly)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("who", "phases", "choice"),
    [
        ("ncc", "coverage", ("--exclude-path-regex", APART)),
        _at_night("ncc", "fuzzing", ("--exclude-path-regex", APART)),
        _at_night("plain", "coverage,fuzzing", ("--exclude-path-regex", APART)),
        _at_night("operator", "coverage,fuzzing", ("--exclude-path-regex", APART)),
        # Coverage of the form's every member alone would make 15,000 calls.
        _at_night("ncc", "fuzzing", ("--include-path-regex", LARGE_BODIES)),
        _at_night("plain", "fuzzing", ("--include-path-regex", LARGE_BODIES)),
    ],
)
def test_schemathesis_finds_nothing(
    world: World, tmp_path: Path, who: str, phases: str, choice: tuple[str, str]
) -> None:
    """A bounded run over real HTTP, at night with a key of each role: no 5xx, no answer that the document forbids."""
    world.submit()  # so that a long poll has an event at once
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{world.url}/openapi.json",
        *choice,
        *("--header", f"Authorization: Bearer {world.tokens[who]}"),
        *("--checks", CHECKS),
        *("--phases", phases),
        *("--max-examples", "60" if NIGHTLY else "5"),
        *("--seed", "1"),
        *("--generation-database", "none"),
        *("--request-timeout", "120"),
        "--no-color",
    ]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1_100, check=False
    )
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
