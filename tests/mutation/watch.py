"""pytest as the mutation run needs it: its arguments, and plugins that run chosen tests until one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import pytest
from hypothesis import Phase, settings

from tests.mutation.forks import Ending, Teller, TimedTest

ARGUMENTS = (
    "-q", "-s", "--assert=plain", "-m", "not slow and not nightly and not postgres and not rabbitmq",
    "-o", "timeout=0", "-p", "no:randomly", "-p", "no:faulthandler", "-p", "no:xdist", "--hypothesis-seed=0",
)  # fmt: skip
"""No order and no example by chance: what a mutant changes is all that changes."""
ASIDE = (
    *("acceptance", "benchmarks", "chaos", "demo", "mutation", "api/test_openapi.py"),
    *("docs/test_docs.py", "docs/test_deploy.py", "docs/test_adapter_doc.py", "docs/test_names.py"),
    *("adapters", "net", "protocols", "registry", "reported", "schemas", "simulator", "storage", "testing"),
    "cli/test_first_steps.py",
)
"""Tests that start processes, or are about other things than what the packages do."""


class Calm:
    """Examples are made, not shrunk, and none is kept: only whether a law fails is of interest."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """After the profile of the tests, before their modules ask for it."""
        phases = (Phase.explicit, Phase.generate)
        parent = settings.get_profile(settings.get_current_profile_name())
        settings.register_profile("mutation", parent, database=None, phases=phases)
        settings.load_profile("mutation")


class FirstFailure:
    """Ends the process at the first test that fails."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Setting up and cleaning up count as the test."""
        if report.failed:
            self._teller.ends(Ending.NOTICED)


class Loop:
    """What is done when all tests are collected, in place of running them one after another."""

    def __init__(self, work: Callable[[pytest.Session], None]) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own loop."""
        self._work(session)
        return True


def run_items(items: Sequence[pytest.Item], begins: Callable[[pytest.Item], None]) -> None:
    """Run these tests in this order, as pytest does."""
    for item, following in zip_longest(items, items[1:]):
        begins(item)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def run_chosen(session: pytest.Session, tests: Sequence[TimedTest], teller: Teller) -> None:
    """Run the chosen tests; the process ends with the first that fails."""
    if session.testsfailed:
        teller.ends(Ending.NOTICED)  # a module could not be loaded
    session.config.pluginmanager.register(FirstFailure(teller))
    items = {item.nodeid: item for item in session.items}
    run_items([items[test.id] for test in tests if test.id in items], lambda item: teller.begins(item.nodeid))
