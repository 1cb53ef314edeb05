"""docs/operations/deploy.md leads from nothing to a production set-up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, leave_out
from tests.docs.session import free_port, run


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def name() -> Iterator[str]:
    """Name of a database and a vhost that are this test's own and are gone afterwards."""
    missing = [tool for tool in ("createdb", "rabbitmqctl", "curl") if shutil.which(tool) is None]
    if missing or not _listens(5432) or not _listens(5672):
        leave_out("PostgreSQL and RabbitMQ with their tools are not on this machine")
    made = f"hub_doc_{uuid.uuid4().hex[:8]}"
    yield made
    subprocess.run(["dropdb", "-h", "127.0.0.1", "--force", "--if-exists", made], check=False, capture_output=True)
    subprocess.run(["rabbitmqctl", "-q", "delete_vhost", made], check=False, capture_output=True)


@pytest.mark.timeout(180)
def test_the_way_to_production_works_as_written(tmp_path: Path, name: str) -> None:
    """Two API processes, two workers, one for suspects and a sweeper, started by the document's own commands."""
    replace = {"hub_prod": name, "8081": str(free_port()), "8082": str(free_port())}
    run(ROOT / "docs" / "operations" / "deploy.md", tmp_path, replace, timeout=150)


def test_the_compose_file_names_what_the_hub_needs() -> None:
    """The compose file parses and runs exactly the commands that the hub has."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    commands = {name: service["command"] for name, service in compose["services"].items() if "command" in service}
    assert commands == {
        "api": ["api"],
        "worker": ["worker", "--healthy"],
        "suspect": ["worker", "--suspect"],
        "beat": ["beat"],
    }
    assert all(compose["services"][name]["environment"]["HUB_DATABASE_URL"] for name in commands)


def test_every_unit_starts_a_command_of_the_hub() -> None:
    """Each systemd unit runs one of the production commands, without privileges."""
    for unit in (ROOT / "deploy" / "systemd").iterdir():
        text = unit.read_text("utf-8")
        command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        assert command.partition("/hub ")[2].split()[0] in ("api", "worker", "beat"), unit.name
        assert "NoNewPrivileges=yes" in text
        assert os.linesep == "\n"
