"""The table of appeals over the drafted registry with every body connected: each goes where the table expects."""

from __future__ import annotations

import pytest

from hub.router import Decision, decide
from registry import LoadedDirectory
from tests.router.appeals import DAY, ROWS, Row, expected_body
from tests.router.conftest import connected

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_appeal_goes_to_the_body_that_is_competent(row: Row, everybody: LoadedDirectory) -> None:
    """The expected body, or the operators for the expected reason; the last step of the explanation says the same."""
    decision = decide(row.request(), everybody, DAY)
    expected = expected_body(row, everybody)
    assert decision.authority == (expected.code if expected is not None else None), told(decision)
    if expected is None:
        assert decision.reason == row.expected.operators, told(decision)
    last = decision.steps[-1].data
    assert last.get("authority", None) == decision.authority
    assert len(decision.steps) > 1
    assert all(step.text for step in decision.steps)


def told(decision: Decision) -> str:
    """The explanation, for whoever reads a failure."""
    return "\n".join(step.text for step in decision.steps)


def test_appeal_whose_council_waits_for_its_code_is_never_a_strangers(drafted: LoadedDirectory) -> None:
    """With all other bodies connected, the operators get it, and a step names the council."""
    directory = LoadedDirectory(
        authorities=[connected(body) for body in drafted.authorities()],
        awaited=drafted.awaited(),
        topics=drafted.topics(),
        stages=drafted.stages(),
        territories=drafted.territories,
    )
    waiting = {body.code: body.name for body in drafted.awaited() if body.kind == "local_self_government"}
    seen = 0
    for row in ROWS:
        decision = decide(row.request(), directory, DAY)
        names = [step.data["name"] for step in decision.steps if step.code == "awaited"]
        if row.expected.level == "community" and names:
            seen += 1
            assert decision.authority is None, (row.id, told(decision))
            assert set(names) <= set(waiting.values())
    assert seen > 20
