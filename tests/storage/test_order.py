"""Order and repetition do not matter: any way of bringing the same facts gives the same case."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.ports import Store
from hub.schemas.delivery import CaseRow, Change, Fact, FactKind, NewCase
from hub.storage.memory import MemoryStore
from tests.forms import UNHURRIED, examples
from tests.storage.making import AUTHORITY, NOW, OTHER, case, fact

_KINDS = [
    FactKind.ACCEPTED_BY_HUB,
    FactKind.ROUTED,
    FactKind.ESCALATED,
    FactKind.RESOLVED,
    FactKind.SENT,
    FactKind.DELIVERED,
    FactKind.REGISTERED,
    FactKind.REFUSED,
    FactKind.ANSWERED,
    FactKind.REDIRECTED,
]
_Statement = tuple[FactKind, int, str | None, str]
_STATEMENTS = st.lists(
    st.tuples(
        st.sampled_from(_KINDS),
        st.integers(0, 3),
        st.sampled_from([AUTHORITY, OTHER, None]),
        st.sampled_from(["form", "received_twice", "7"]),
    ),
    min_size=1,
    max_size=7,
)


def _facts(born: NewCase, statements: list[_Statement]) -> list[Fact]:
    return [
        fact(born.id, kind, NOW + timedelta(hours=hour), authority, number=word, ground=word)
        for kind, hour, authority, word in statements
    ]


def _brought(store: Store, changes: list[Change], born: NewCase) -> tuple[CaseRow | None, list[str], int]:
    new = sum(len(store.apply(change).new_facts) for change in changes)
    return store.case(born.id), sorted(f.key for f in store.facts(born.id)), new


@settings(max_examples=examples(25), suppress_health_check=[*UNHURRIED, HealthCheck.function_scoped_fixture])
@given(statements=_STATEMENTS, data=st.data())
def test_any_order_partition_and_repetition_gives_the_same_case(
    store: Store, statements: list[_Statement], data: st.DataObject
) -> None:
    """Facts in any order, in any number of calls, some of them twice: one case row, one set of facts."""
    born = case()
    facts = _facts(born, statements)
    expected = _brought(MemoryStore(), [Change(cases=(born,), facts=tuple(facts))], born)
    shuffled = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=3))))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(shuffled)), max_size=4)) | {0, len(shuffled)})
    changes = [Change(cases=(born,), facts=tuple(shuffled[begin:end])) for begin, end in pairwise(cuts)]
    assert _brought(store, changes, born) == expected
