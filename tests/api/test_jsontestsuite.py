"""JSONTestSuite through the door for appeals: what must be refused is 400, what must be read gets to the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.world import World


def _files(vectors: Path, prefix: str) -> list[Path]:
    found = sorted((vectors / "jsontestsuite").rglob(f"{prefix}_*.json"))
    assert found
    return found


def _status(world: World, body: bytes) -> tuple[int, str]:
    response = world.call("POST", "/v1/appeals", data=body, headers={"Content-Type": "application/json"})
    return response.status_code, response.text


@pytest.mark.slow
@pytest.mark.vectors("jsontestsuite")
def test_all_that_must_be_refused_is_400(world: World, vectors: Path) -> None:
    """Every n_ file: 400, never 500."""
    wrong = {p.name: s for p in _files(vectors, "n") if (s := _status(world, p.read_bytes())[0]) != 400}
    assert wrong == {}


@pytest.mark.vectors("jsontestsuite")
def test_all_that_must_be_read_reaches_the_model(world: World, vectors: Path) -> None:
    """Every y_ file is refused by the form's rules or by one of our narrower ones, never for syntax."""
    narrower = ("json.number", "json.duplicate_key", "json.surrogate", "json.depth")
    wrong = {}
    for path in _files(vectors, "y"):
        status, text = _status(world, path.read_bytes())
        if status != 422 and not (status == 400 and any(code in text for code in narrower)):
            wrong[path.name] = text
    assert wrong == {}


@pytest.mark.vectors("jsontestsuite")
def test_what_may_be_either_never_breaks_the_hub(world: World, vectors: Path) -> None:
    """Every i_ file: 400, 413 or 422."""
    wrong = {p.name: s for p in _files(vectors, "i") if (s := _status(world, p.read_bytes())[0]) not in (400, 413, 422)}
    assert wrong == {}
