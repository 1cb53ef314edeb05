"""The drafted registry, as it is and with every body connected."""

from __future__ import annotations

import pytest

from hub.schemas.directory import Authority, AwaitedBody, Channel
from registry import LoadedDirectory, load
from tests import national
from tests.registry.builders import ADAPTERS


def connected(body: Authority) -> Authority:
    """It, with a channel."""
    return body.model_copy(update={"channels": (Channel(id=f"{body.code}.rest", adapter="rest"),)})


def come(body: AwaitedBody, code: str) -> Authority:
    """It, with the code that it waited for."""
    values = {name: getattr(body, name) for name in ("name", "kind", "superior", "territory", "competences")}
    return Authority(code=code, **values)


@pytest.fixture(scope="session")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> LoadedDirectory:
    """What ``hub registry draft`` makes of the official lists."""
    return load(national.drafted(tmp_path_factory)[0], ADAPTERS)


@pytest.fixture(scope="session")
def everybody(drafted: LoadedDirectory) -> LoadedDirectory:
    """The same with every body connected; those that wait for their codes have got some."""
    awaited = [come(body, f"{9_000_000_000 + number}") for number, body in enumerate(drafted.awaited())]
    return LoadedDirectory(
        authorities=[connected(body) for body in (*drafted.authorities(), *awaited)],
        topics=drafted.topics(),
        stages=drafted.stages(),
        territories=drafted.territories,
    )
