"""Lists of cases: every filter, both directions, counts that agree with what is listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.ports import CaseFilter, CaseGrouping, Store
from hub.schemas.delivery import ARRIVED, CaseRow, Change, FactKind, TransportState
from hub.schemas.ids import territory_prefix
from tests.forms import UNHURRIED, examples
from tests.storage.making import AUTHORITY, NOW, OTHER, accepted, case, fact, joined, later, put

KYIV, KYIV_DISTRICT = "UA80000000000093317", "UA80000000001078669"
LVIV_OBLAST, LVIV_DISTRICT = "UA46000000000026241", "UA46060000000042587"
LVIV_COMMUNITY, LVIV_CITY = "UA46060250000025047", "UA46060250010015970"


def _listed(store: Store, **where: Any) -> list[CaseRow]:
    return list(store.cases(CaseFilter(**where), after=None, limit=99))


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        (KYIV, "UA80"),
        (KYIV_DISTRICT, "UA800000000010"),
        (LVIV_OBLAST, "UA46"),
        (LVIV_DISTRICT, "UA4606"),
        (LVIV_COMMUNITY, "UA4606025"),
        (LVIV_CITY, "UA4606025001"),
        ("UA", "UA"),
    ],
)
def test_what_lies_below_a_unit_begins_alike(code: str, prefix: str) -> None:
    """A unit's codes begin with its own digits, whatever its level."""
    assert territory_prefix(code) == prefix


def test_a_territory_brings_everything_below_it(store: Store) -> None:
    """A filter by oblast, district or community finds its own cases and those below, and nobody else's."""
    places = (KYIV, KYIV_DISTRICT, LVIV_OBLAST, LVIV_DISTRICT, LVIV_COMMUNITY, LVIV_CITY, None)
    for place in places:
        store.apply(Change(cases=(case(place=place),)))

    def found(territory: str) -> set[str | None]:
        return {row.case.place for row in _listed(store, territory=territory)}

    assert found("UA") == set(places)
    assert found(KYIV) == {KYIV, KYIV_DISTRICT}
    assert found(KYIV_DISTRICT) == {KYIV_DISTRICT}
    assert found(LVIV_OBLAST) == {LVIV_OBLAST, LVIV_DISTRICT, LVIV_COMMUNITY, LVIV_CITY}
    assert found(LVIV_DISTRICT) == {LVIV_DISTRICT, LVIV_COMMUNITY, LVIV_CITY}
    assert found(LVIV_COMMUNITY) == {LVIV_COMMUNITY, LVIV_CITY}
    assert found(LVIV_CITY) == {LVIV_CITY}
    counted = store.count_cases(CaseFilter(), CaseGrouping.TERRITORY)
    assert dict(counted) == {"UA80": 2, "UA46": 4, "": 1}


def test_a_body_lists_what_came_to_it(store: Store) -> None:
    """Delivered, waiting in its mailbox or refused; not what is on its way, was given up, or went to another body."""
    came = {put(store, state=state).case_id for state in sorted(ARRIVED)}
    for state in set(TransportState) - ARRIVED:
        put(store, state=state)
    put(store, state=TransportState.DELIVERED, authority=OTHER)
    assert {row.case.id for row in _listed(store, sent_to=AUTHORITY)} == came
    assert dict(store.count_cases(CaseFilter(sent_to=AUTHORITY), CaseGrouping.AUTHORITY)) == {AUTHORITY: 3}
    assert dict(store.count_cases(CaseFilter(sent_to=AUTHORITY), CaseGrouping.STATE)) == {"routed": 3}
    assert len(_listed(store, sent_to=AUTHORITY, state="routed")) == 3
    assert _listed(store, sent_to=AUTHORITY, state="answered") == []
    assert _listed(store, sent_to=AUTHORITY, overdue_at=later(1)) == []


def test_each_filter_bounds_the_list(store: Store) -> None:
    """Topic (the first named), kind, channel, period and who has it now."""
    one = case(topics=("roads", "lighting"), kind="complaint", channel="web", created_at=NOW)
    two = case(topics=("lighting",), kind="proposal", channel="phone", created_at=later(60))
    store.apply(Change(cases=(one, two), facts=(fact(two.id, FactKind.REGISTERED, authority=OTHER, number="1"),)))

    def found(**where: Any) -> list[str]:
        return ["one" if row.case.id == one.id else "two" for row in _listed(store, **where)]

    assert found(topic="roads") == found(kind="complaint") == found(channel="web") == ["one"]
    assert found(topic="lighting") == found(held_by=OTHER) == ["two"]
    assert found(created_from=later(60)) == ["two"]
    assert found(created_to=later(60)) == ["one"]
    assert found(created_from=NOW, created_to=later(61)) == ["one", "two"]
    assert found(topic="roads", kind="proposal") == []


def test_overdue_are_unfinished_cases_whose_term_is_over(store: Store) -> None:
    """A case that was received is overdue once its term has run out, and no more when it is answered."""
    change = accepted()
    born = change.cases[0]
    store.apply(change)
    store.apply(Change(facts=(fact(born.id, FactKind.DELIVERED, later(1)),)))
    (row,) = _listed(store)
    assert row.due_at is not None
    assert _listed(store, overdue_at=row.due_at) == []
    assert [r.case.id for r in _listed(store, overdue_at=row.due_at + timedelta(seconds=1))] == [born.id]
    store.apply(Change(facts=(fact(born.id, FactKind.ANSWERED, later(9), stage="final"),)))
    assert _listed(store, overdue_at=row.due_at + timedelta(days=999)) == []


@settings(max_examples=examples(15), suppress_health_check=[*UNHURRIED, HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.integers(0, 3), max_size=12), size=st.integers(1, 5), newest=st.booleans())
def test_pages_bring_every_case_once(sql_store: Store, moments: list[int], size: int, newest: bool) -> None:
    """Whatever the moments, pages of any size in both directions bring each case once, in order."""
    batch = [case(created_at=later(seconds), owner=f"{len(moments)}-{moments}") for seconds in moments]
    sql_store.apply(Change(cases=tuple(batch)))
    where = CaseFilter(owner=f"{len(moments)}-{moments}")
    seen: list[CaseRow] = []
    while page := sql_store.cases(where, after=seen[-1].cursor if seen else None, limit=size, newest=newest):
        seen += page
        if len(page) < size:
            break
    keys = [(row.case.created_at, row.case.id) for row in seen]
    assert keys == sorted(keys, reverse=newest)
    assert set(keys) >= {(c.created_at, c.id) for c in batch}


@pytest.mark.parametrize("by", list(CaseGrouping))
def test_counts_agree_with_what_is_listed(store: Store, by: CaseGrouping) -> None:
    """The counts of a filter add up to the number of cases that it lists."""
    store.apply(joined(*(accepted() for _ in range(3))))
    other = accepted(authority=OTHER)
    store.apply(replace(other, cases=(replace(other.cases[0], place=None, topics=("water",)),)))
    counted = store.count_cases(CaseFilter(), by)
    assert sum(counted.values()) == len(_listed(store)) == 4
    assert sum(store.count_cases(CaseFilter(topic="water"), by).values()) == 1
