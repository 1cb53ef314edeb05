"""What all tests share: where the vectors are, which foreign programs are here, a loud word on what was left out."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.forms import FORM, NIGHTLY, STORED

settings.load_profile(FORM)
ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT: Counter[str] = Counter()


def vectors_root() -> Path:
    """Folder of vectors that others wrote."""
    return Path(os.environ.get("HUB_VECTORS", ROOT.parent / "shared" / "vectors")).resolve()


def leave_out(reason: str) -> None:
    """Skip this test, loudly; under CI fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI nothing is left out: {reason}", pytrace=False)
    pytest.skip(f"LEFT OUT: {reason}")


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("foreign"):
        if shutil.which(marker.args[0]) is None:
            leave_out(f"the program {marker.args[0]} is not installed")
    for marker in request.node.iter_markers("vectors"):
        if not (vectors_root() / marker.args[0]).is_dir():
            leave_out(f"vectors {marker.args[0]} are absent (HUB_VECTORS={vectors_root()})")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of vectors; mark the test with ``vectors("folder")``."""
    return vectors_root()


@pytest.fixture
def umask() -> Iterator[None]:
    """Files made in this test are private, as a service makes them."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long forms wait for the night. Slow tests begin early, among the others: in the random order one would often be
    all that still runs.
    """
    if not NIGHTLY:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("nightly")])
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    if STORED:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("one_store")])
        items[:] = [item for item in items if not item.get_closest_marker("one_store")]
    slow = [item for item in items if item.get_closest_marker("slow")]
    if not slow:
        return
    rest = [item for item in items if not item.get_closest_marker("slow")]
    step = len(rest) // 2 // len(slow)
    for place, item in enumerate(slow):
        rest.insert(place * (step + 1), item)
    items[:] = rest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what was left out."""
    if report.skipped and isinstance(report.longrepr, tuple) and "LEFT OUT: " in report.longrepr[2]:
        LEFT_OUT[report.longrepr[2].partition("LEFT OUT: ")[2]] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud closing line for each reason."""
    for reason, count in LEFT_OUT.items():
        terminalreporter.write_line(f"!!! {count} tests LEFT OUT: {reason}", red=True, bold=True)
