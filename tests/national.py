"""The drafted registry of the whole country, made once for all workers of a run: it takes seconds, and is only read."""

from __future__ import annotations

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from registry import drafting
from registry.drafting.run import DraftReport
from tests.pace import within


def drafted(factory: pytest.TempPathFactory) -> tuple[Path, DraftReport]:
    """The folder, made within ten seconds, and its report. Nobody may write there."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, report = shared / "national", shared / "national.report"
    with (shared / "national.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            with within(10):
                made = drafting.draft(folder)
            report.write_bytes(pickle.dumps(made))
    return folder, pickle.loads(report.read_bytes())
