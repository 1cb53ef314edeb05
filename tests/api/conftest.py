"""One hub for all tests that do not need one of their own: tests make their own cases in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import World, build, serve


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running hub."""
    with serve(build(tmp_path_factory.mktemp("api") / "home")) as running:
        yield running
