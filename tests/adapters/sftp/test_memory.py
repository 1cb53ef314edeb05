"""Large files are streamed both ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.sftp.conftest import Box
from tests.conftest import ROOT


@pytest.mark.slow
def test_a_hundred_megabytes_go_and_come_in_fifty(box: Box, tmp_path: Path) -> None:
    """100 MB laid down, read back for their hash, and fetched again: memory grows by at most 50 MB."""
    words = ["-m", "tests.adapters.sftp.memory_run", box.channel("asice").model_dump_json(), str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 50, done.stdout
