"""The count itself can fail: each kind of fault is found, and a good run is good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.accounting import Arrival, Books, KeptCase, Line, count, render

CASE = KeptCase(case_id="c1", reference="R1", state="answered", needs_operator=False)
ARRIVAL = Arrival(authority="00012925", message_id="m1", reference="R1", digest="d1", taken=True)
GOOD = Books(
    submitted=frozenset({"R1"}),
    acknowledged={"R1": "c1"},
    uncertain=frozenset(),
    arrivals=(ARRIVAL,),
    kept=(CASE,),
    events={"c1": frozenset({"delivered", "answered"})},
)


def test_a_good_run_is_good() -> None:
    """One appeal that went the whole way leaves nothing to say."""
    verdict = count(GOOD)
    assert verdict.good
    assert not verdict.why


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"arrivals": ()}, "lost"),
        ({"kept": ()}, "lost"),
        ({"kept": (replace(CASE, state="routed"),)}, "lost"),
        ({"kept": (replace(CASE, state="refused", needs_operator=True, due=False),)}, "lost"),
        ({"submitted": frozenset()}, "unexpected"),
        ({"arrivals": (ARRIVAL, replace(ARRIVAL, message_id="m2"))}, "duplicated"),
        ({"arrivals": (ARRIVAL, ARRIVAL)}, "duplicated"),
        ({"arrivals": (ARRIVAL, replace(ARRIVAL, digest="d2", taken=False))}, "duplicated"),
        ({"kept": (CASE, replace(CASE, case_id="c2"))}, "duplicated"),
        ({"events": {"c1": frozenset({"delivered"})}}, "unheard"),
    ],
)
def test_each_fault_is_found(change: dict[str, object], kind: str) -> None:
    """What did not hold is counted under its own name, and makes the run fail."""
    verdict = count(replace(GOOD, **change))  # type: ignore[arg-type]
    assert getattr(verdict, kind) == frozenset({"R1"})
    assert not verdict.good
    assert not Line(cell="x", strikes=1, secs=1.0, verdict=verdict).good


def test_repeats_and_recoveries_are_no_faults() -> None:
    """The same bytes under the same id once more, after an answer that was lost, are as they should be."""
    again = replace(ARRIVAL, taken=False)
    verdict = count(replace(GOOD, arrivals=(ARRIVAL, again), uncertain=frozenset({"R1"})))
    assert verdict.good
    assert verdict.repeats == 1
    assert verdict.recovered == frozenset({"R1"})


def test_the_table_has_a_sum() -> None:
    """The last line says how many cells hold."""
    good = Line(cell="one", strikes=1, secs=1.0, verdict=count(GOOD))
    bad = Line(cell="two", strikes=0, secs=1.0, verdict=None, faults=("it died",))
    text = render([good, bad])
    assert len(text) == 4
    assert text[-1].split()[-1] == "1/2"
    assert bad.words() == ["it died"]
