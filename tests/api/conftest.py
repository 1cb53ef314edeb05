"""One hub for all tests that do not need one of their own: tests make their own cases in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.storage import open_store
from tests.api.world import World, build, serve


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running hub on the embedded default, SQLite."""
    folder = tmp_path_factory.mktemp("api")
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}", migrate=True)
    with serve(build(folder / "home", store)) as running:
        yield running
    store.close()
