"""The harness itself: what cannot start is told, and nothing hangs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.chaos import __main__ as chaos
from tests.chaos import servers
from tests.conftest import leave_out


@pytest.fixture
def _signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.usefixtures("_signals")
def test_a_server_that_cannot_start_fails_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that ends at its start: each of its cells is a line that failed and says why, and the run ends."""
    if missing := servers.missing():
        leave_out(f"not installed: {', '.join(missing)}")
    broken = tmp_path / "rabbitmq-server"
    broken.write_text("#!/bin/sh\necho cannot run here\nexit 1\n", "ascii")
    broken.chmod(0o755)
    monkeypatch.setattr(servers, "rabbitmq_server", lambda: broken)
    monkeypatch.setattr(chaos, "_LINES", [])
    monkeypatch.setattr(servers, "LIVING", [])
    told = CliRunner().invoke(chaos.main, ["--cells", "production/poison", "--cells", "production/broker-*"])
    assert told.exit_code == 1, told.output
    assert told.output.count("FAILED  production/") == 3
    assert told.output.count("RabbitMQ ended at its start:\n") == 3
    assert not servers.LIVING
