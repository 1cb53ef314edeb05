"""The example of docs/adapters/writing-an-adapter.md works as written: the adapter passes the test module."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.docs.session import FENCE

pytest_plugins = ["pytester"]

PAGE = (ROOT / "docs" / "adapters" / "writing-an-adapter.md").read_text("utf-8")


def test_the_example_of_an_adapter_passes_the_example_of_its_tests(pytester: pytest.Pytester) -> None:
    """Who copies both examples into two files has an adapter that keeps the contract."""
    adapter, tests = [body for language, _, body in FENCE.findall(PAGE) if language == "python"]
    pytester.makepyfile(telegraph_adapter=adapter, test_telegraph=tests)
    run = pytester.inline_run(*(f"-pno:{name}" for name in ("randomly", "cacheprovider", "schemathesis", "xdist")))
    passed, skipped, failed = run.listoutcomes()
    assert ([each.nodeid for each in failed], skipped) == ([], [])
    names = {each.nodeid.rpartition("::")[2] for each in passed}
    assert {"test_prepare_is_pure", "test_an_answer_about_another_message_is_unknown"} <= names
