"""docs/api.md is true: its examples are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.api.world import World

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.foreign("curl")
def test_the_examples_run_as_written(world: World, tmp_path: Path) -> None:
    """One shell session of all examples, with keys of every role, ends without an error."""
    script = "set -euo pipefail\n" + "\n".join(BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")))
    script = script.replace("transport.roads", "roads")  # the page's topic is the starter's, this world's is another
    environment = os.environ | {
        "HUB": world.url,
        "NCC_KEY": world.tokens["ncc"],
        "AUTHORITY_KEY": world.tokens["plain"],
        "OPERATOR_KEY": world.tokens["operator"],
        "AUDITOR_KEY": world.tokens["auditor"],
    }
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert '"repeat":false' in run.stdout
    assert (tmp_path / "copy.pdf").read_bytes() == b"scan"
