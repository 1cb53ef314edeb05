"""Numbers of cases: given out once, however many take them, and found again; old cases get theirs by a migration."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from hub.cases.numbering import FIRST_BLOCK, Numbering
from hub.errors import Unavailable
from hub.ports import NUMBER_TAKEN, CaseFilter, Store
from hub.schemas.case_number import case_number
from hub.schemas.delivery import Change
from hub.storage import SqlStore, migrations
from hub.storage.engine import WRITE_OPTION, open_engine
from hub.storage.memory import MemoryStore
from tests.storage.conftest import drop_database, new_database, text_of
from tests.storage.making import NOW, OTHER, OWNER, case

NEW_YEAR_IN_KYIV = datetime(2026, 12, 31, 22, 0, tzinfo=UTC)


def test_numbers_are_taken_in_a_row_for_each_owner_and_year(store: Store) -> None:
    """Each owner and year has a counter of its own; what was taken is never given out again."""
    assert store.take_numbers(OWNER, 2026, 10) == 1
    assert store.take_numbers(OWNER, 2026, 1) == 11
    assert store.take_numbers(OWNER, 2027, 5) == 1
    assert store.take_numbers(OTHER, 2026, 5) == 1
    assert store.take_numbers(OWNER, 2026, 1) == 12


def test_many_processes_never_give_one_number_twice(store: Store) -> None:
    """Four that number at the same moment, each with blocks of its own."""
    taken: list[str] = []

    def work() -> None:
        numbering = Numbering(store)
        taken.extend([numbering.take(OWNER, NOW) for _ in range(60)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(set(taken))) == (240, 240)


def test_a_number_at_hand_costs_no_question() -> None:
    """The store is asked once for a block; with an empty block nothing is at hand, and the year is that of Kyiv."""
    numbering = Numbering(MemoryStore())
    assert numbering.at_hand(OWNER, NOW) is None
    assert numbering.take(OWNER, NOW) == case_number(2026, 1)
    given = [numbering.at_hand(OWNER, NOW) for _ in range(FIRST_BLOCK)]
    assert given == [*(case_number(2026, each) for each in range(2, FIRST_BLOCK + 1)), None]
    assert numbering.take(OWNER, NEW_YEAR_IN_KYIV - timedelta(milliseconds=1)) == case_number(2026, FIRST_BLOCK + 1)
    assert numbering.take(OWNER, NEW_YEAR_IN_KYIV) == case_number(2027, 1)


def test_a_case_is_found_by_its_number(store: Store) -> None:
    """Exactly; another owner's case may have the same number, and each finds its own."""
    number = case_number(2026, 1)
    mine, theirs = case(case_number=number), case(case_number=number, owner=OTHER)
    store.apply(Change(cases=(mine, theirs, case(case_number=case_number(2026, 2)), case())))

    def found(owner: str | None = None) -> set[object]:
        where = CaseFilter(case_number=number, owner=owner)
        return {row.case.id for row in store.cases(where, after=None, limit=9)}

    assert found() == {mine.id, theirs.id}
    assert found(OWNER) == {mine.id}
    row = store.case(mine.id)
    assert row is not None
    assert row.case == mine


def test_a_number_that_another_case_has_is_not_kept(store: Store) -> None:
    """Such a change is refused for now, and nothing of it is kept; the very same case again is a repeat."""
    first = case(case_number=case_number(2026, 1))
    store.apply(Change(cases=(first,)))
    with pytest.raises(Unavailable) as refusal:
        store.apply(Change(cases=(case(case_number=case_number(2026, 2)), case(case_number=first.case_number))))
    assert refusal.value.stable_code == NUMBER_TAKEN
    store.apply(Change(cases=(first,)))
    assert [row.case for row in store.cases(CaseFilter(), after=None, limit=9)] == [first]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def old_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of the version before numbers, without rows."""
    url = None if request.param == "sqlite" else new_database()
    engine = open_engine(f"sqlite:///{tmp_path / 'old.sqlite'}" if url is None else text_of(url))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
    yield engine
    engine.dispose()
    if url is not None:
        drop_database(url)


def test_old_cases_are_numbered_as_they_arrived(old_engine: Engine) -> None:
    """Per owner and Kyiv year, in order of arrival, over several pages; new ones go on behind them."""
    arrivals = [
        (OWNER, NOW + timedelta(hours=2)),
        (OWNER, NOW),
        (OTHER, NOW + timedelta(hours=1)),
        (OWNER, NEW_YEAR_IN_KYIV),
        (OWNER, NEW_YEAR_IN_KYIV - timedelta(milliseconds=1)),
    ]
    born = [case(owner=owner, created_at=at) for owner, at in arrivals]
    columns = ("id", "owner", "created_at", "channel", "kind", "topics", "priority")
    fixed = {"state": "accepted", "needs_operator": False, "updated_at": NOW}
    old = sa.Table("cases", sa.MetaData(), *(sa.Column(c.name, c.type) for c in _columns_of_cases()))
    with old_engine.begin() as connection:
        rows = [{name: getattr(each, name) for name in columns} | fixed for each in born]
        connection.execute(sa.insert(old), rows)
    migrations.upgrade(old_engine)
    store = SqlStore(old_engine)
    numbers = {row.case.id: row.case.case_number for row in store.cases(CaseFilter(), after=None, limit=9)}
    assert [numbers[each.id] for each in born] == [
        case_number(2026, 2),
        case_number(2026, 1),
        case_number(2026, 1),
        case_number(2027, 1),
        case_number(2026, 3),
    ]
    assert store.take_numbers(OWNER, 2026, 1) == 4
    assert store.take_numbers(OTHER, 2026, 1) == 2


def _columns_of_cases() -> list[sa.Column[object]]:
    from hub.storage.schema import cases

    return [column for column in cases.c if column.name != "case_number"]
