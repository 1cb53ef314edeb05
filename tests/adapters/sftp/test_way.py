"""The whole way over SFTP: an appeal out, its registration and answer back, between the hub and an authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.schemas.delivery import FactKind, OutcomeKind, TransportState
from hub.tracking.state import State
from tests.adapters.sftp.way import CODE, Way


@pytest.fixture
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    made = Way(tmp_path, **request.param)
    with made.simulator:
        yield made


@pytest.mark.parametrize(
    "way", [{"dialect": "drop", "copies": 2}, {"dialect": "asice", "answer_first": True}], indirect=True
)
def test_an_appeal_goes_out_and_its_answer_comes_back(way: Way) -> None:
    """Delivered once, registered with number and date, answered; repeats and disorder change nothing."""
    accepted = way.submit()
    way.run_until(accepted, FactKind.REGISTERED, FactKind.ANSWERED)
    facts = way.store.facts(accepted.case_id)
    assert sum(fact.kind in (FactKind.REGISTERED, FactKind.ANSWERED) for fact in facts) == 2
    row = way.store.case(accepted.case_id)
    assert row is not None
    assert row.state == State.ANSWERED
    (registered,) = [fact for fact in facts if fact.kind is FactKind.REGISTERED]
    assert set(registered.data) == {"number", "date", "heard_at"}
    (delivery,) = way.store.deliveries(accepted.case_id)
    assert delivery.state is TransportState.DELIVERED
    assert [attempt.outcome for attempt in way.store.attempts(delivery.id)] == [OutcomeKind.DELIVERED]
    state = way.simulator.state()["authorities"]
    assert isinstance(state, dict)
    assert (state[CODE]["received"], state[CODE]["unique"], state[CODE]["duplicates"]) == (1, 1, 0)
    assert not list((way.out / "refused").iterdir())


@pytest.mark.parametrize("way", [{"dialect": "drop", "refuse_percent": 100}], indirect=True)
def test_a_refusal_comes_back(way: Way) -> None:
    """A refusal with its ground is fetched and stands in the case."""
    accepted = way.submit()
    way.run_until(accepted, FactKind.REFUSED)
    (fact,) = [fact for fact in way.store.facts(accepted.case_id) if fact.kind is FactKind.REFUSED]
    assert fact.data["ground"] == "wrong_addressee"
