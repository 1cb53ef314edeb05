"""docs/operations/deploy.md leads from nothing to a production set-up."""

from __future__ import annotations

import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, leave_out
from tests.docs.session import run
from tests.ports import free_port


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


@pytest.mark.slow
def test_the_way_to_production_works_as_written(tmp_path: Path, name: str) -> None:
    """Two API processes, two workers, one for suspects and a sweeper, started by the document's own commands."""
    replace = {"hub_prod": name, "8081": str(free_port()), "8082": str(free_port())}
    run(ROOT / "docs" / "operations" / "deploy.md", tmp_path, replace, timeout=270)


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


UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


def _lines(unit: Path) -> list[str]:
    return unit.read_text("utf-8").splitlines()


def test_every_unit_starts_a_command_of_the_hub() -> None:
    """Each systemd unit runs one of the production commands, and all of them in the same cage."""
    cages = set()
    for unit in UNITS:
        command = next(line for line in _lines(unit) if line.startswith("ExecStart="))
        assert command.partition("/hub ")[2].split()[0] in ("api", "worker", "beat"), unit.name
        cage = _lines(unit)[_lines(unit).index("UMask=0077") : _lines(unit).index("[Install]")]
        cages.add(tuple(cage))
    assert len(cages) == 1


@pytest.mark.foreign("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_the_unit_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    """systemd itself has nothing to say about the unit, and rates what the service could do at under 2 of 10."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text("utf-8").replace("/opt/hub/.venv/bin/hub", "/bin/true"), "utf-8")
    for words in (("verify",), ("security", "--offline=true", "--threshold=20")):
        run_ = subprocess.run(
            ["systemd-analyze", *words, str(copy)], capture_output=True, text=True, check=False, timeout=60
        )
        assert run_.returncode == 0, run_.stdout + run_.stderr
        assert words != ("verify",) or not run_.stderr
