"""The contract of all adapters catches what it is for: each broken law fails in the test that names it."""

from __future__ import annotations

import pytest

from tests.testing.telegraph import TelegraphContract

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time

pytest_plugins = ["pytester"]

SECRET_SHOWS = "test_a_secret_shows_nowhere"
COLLECTS = {"test_collecting_acknowledges_after_the_sink_returned", "test_what_cannot_be_kept_stays_there"}


def ended(pytester: pytest.Pytester, adapter: str) -> tuple[set[str], set[str]]:
    """Names of the tests of the suite that an adapter passes, and of those that it fails."""
    pytester.makepyfile(
        f"from tests.testing.telegraph import TelegraphContract, {adapter}\n"
        f"class TestIt(TelegraphContract):\n    adapter_type = {adapter}\n"
    )
    run = pytester.inline_run(*(f"-pno:{name}" for name in ("randomly", "cacheprovider", "schemathesis", "xdist")))
    passed, skipped, failed = run.listoutcomes()
    assert not skipped
    return tuple({each.nodeid.rpartition("::")[2] for each in part} for part in (passed, failed))  # type: ignore[return-value]


def test_a_good_adapter_passes_the_whole_suite(pytester: pytest.Pytester) -> None:
    """An adapter that keeps the law passes every test that its class line leaves it."""
    passed, failed = ended(pytester, "Telegraph")
    assert failed == set()
    assert passed == {name for name in dir(TelegraphContract) if name.startswith("test_") and _is_there(name)}


def _is_there(name: str) -> bool:
    return getattr(TelegraphContract, name) is not None


@pytest.mark.parametrize(
    ("adapter", "caught"),
    [
        ("BelievesAnything", {"test_an_answer_about_another_message_is_unknown"}),
        ("WaitsForEver", {"test_the_deadline_is_a_total"}),
        ("ReadsItAll", {"test_an_answer_without_an_end_is_not_read_whole"}),
        ("Unbounded", {"test_it_claims_no_more_than_its_way_proves"}),
        ("PlainSecret", {"test_secrets_are_references", SECRET_SHOWS}),
        ("SecretInRepr", {SECRET_SHOWS}),
        ("SecretInLog", {SECRET_SHOWS}),
        ("SecretInOutcome", {SECRET_SHOWS}),
        ("SecretKept", {SECRET_SHOWS}),
        ("Stamps", {"test_prepare_is_pure"}),
        ("StampsByTheOldClock", {"test_prepare_is_pure"}),
        ("AcknowledgesFirst", COLLECTS),
    ],
)
def test_a_broken_law_is_caught_where_it_is_named(pytester: pytest.Pytester, adapter: str, caught: set[str]) -> None:
    """An adapter that breaks one law fails the tests of that law and no other."""
    _, failed = ended(pytester, adapter)
    assert failed == caught


def test_what_is_left_out_stands_on_the_class_line(pytester: pytest.Pytester) -> None:
    """A feature without a peer, a peer without a feature, a secret that is not shown and a way that claims more than it
    proves fail; none is left out unseen.
    """
    pytester.makepyfile(
        """
        from dataclasses import replace

        from hub.testing.contract import Feature
        from tests.testing.telegraph import Telegraph, TelegraphContract

        class TestMore(TelegraphContract):
            adapter_type = Telegraph
            features = TelegraphContract.features | {Feature.CARRIES_FILES}

        class TestLess(TelegraphContract):
            adapter_type = Telegraph
            features = TelegraphContract.features - {Feature.FLOODS}

        class TestSilent(TelegraphContract):
            adapter_type = Telegraph
            features = TelegraphContract.features - {Feature.CONFIDES}

            def test_secrets_are_references(self, harness):
                super().test_secrets_are_references(replace(harness, confides=None))

        class TestStronger(TelegraphContract):
            adapter_type = Telegraph
            proves = "registered"
        """
    )
    run = pytester.inline_run(
        "-pno:randomly", "-pno:cacheprovider", "-pno:schemathesis", "-k", "peer or proves or references"
    )
    _, _, failed = run.listoutcomes()
    names = {each.nodeid.partition("::")[2] for each in failed}
    pinned = "test_each_declared_feature_has_its_peer"
    assert {f"TestMore::{pinned}", f"TestLess::{pinned}"} <= names
    assert "TestSilent::test_secrets_are_references" in names
    assert "TestStronger::test_it_claims_no_more_than_its_way_proves" in names
