"""What must stay cheap is answered from the small indexes: finished rows cost nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from hub.ports import CaseFilter, InboundFilter
from hub.schemas.delivery import Change, DeliveryUpdate, TransportState
from hub.schemas.journal import Custody, Door
from hub.storage import SqlStore, journal, listing, rules
from hub.storage.engine import open_engine
from hub.storage.schema import metadata
from tests.storage.making import AUTHORITY, CHANNEL, NOW, OWNER, accepted, claim_one, delivery, joined, later, put

pytestmark = pytest.mark.slow  # all of it together

_WHOLE = ("Seq Scan on deliveries", "SCAN deliveries", "Seq Scan on facts", "SCAN facts", "Seq Scan on messages")


def _watched(store: SqlStore) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    @sa.event.listens_for(store.database.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, parameters: Any, _ctx: object, many: bool) -> None:
        if not statement.startswith(("BEGIN", "EXPLAIN", "INSERT")):
            seen.append((statement, parameters[0] if many else parameters))

    return seen


def _plans(store: SqlStore, seen: list[tuple[str, Any]]) -> str:
    explain = "EXPLAIN " if store.database.postgres else "EXPLAIN QUERY PLAN "
    lines: list[str] = []
    watched = list(seen)
    with store.database.engine.connect() as connection:
        if store.database.postgres:  # a table of seven rows is read whole by choice: ask whether an index could serve
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in watched:
            lines += [" ".join(map(str, row)) for row in connection.exec_driver_sql(explain + statement, parameters)]
    return "\n".join(lines)


def _fill(store: SqlStore) -> None:
    """Two thousand finished deliveries and a few that wait, so that planners choose as they would with a million."""
    first = accepted(state=TransportState.DELIVERED, next_at=None)
    done = [replace(delivery(first.messages[0]), state=TransportState.DELIVERED, next_at=None) for _ in range(2_000)]
    store.apply(replace(first, deliveries=(*first.deliveries, *done)))
    store.apply(joined(*(accepted() for _ in range(5))))
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")


def test_the_daily_work_reads_no_finished_rows(sql_store: SqlStore) -> None:
    """Claims, polls, due lanes, the inbox, dead letters, events and updates use an index in every step."""
    _fill(sql_store)
    seen = _watched(sql_store)
    (claim,) = claim_one(sql_store, CHANNEL, owner="w", now=NOW, lease_until=later(9), limit=1)
    sql_store.claim_polls(CHANNEL, now=NOW, next_at=later(9), limit=5)
    sql_store.due_lanes(NOW)
    sql_store.offered(AUTHORITY, after=None, limit=5)
    sql_store.dead(after=None, limit=5)
    sql_store.release("w")
    sql_store.events(after=rules.cursor_text(0, 3), limit=5)
    sql_store.events(after=rules.cursor_text(0, 3), limit=5, authority=AUTHORITY)
    sql_store.newest_event()
    sql_store.apply(Change(updates=(DeliveryUpdate(id=claim.delivery.id, state=TransportState.DELIVERED),)))
    plans = _plans(sql_store, seen)
    assert len(seen) >= 8
    assert not [whole for whole in _WHOLE if whole in plans], plans
    for index in ("ix_deliveries_due", "ix_deliveries_poll"):
        assert index in plans


def test_an_acceptance_takes_few_statements(sql_store: SqlStore) -> None:
    """One appeal or fifty: the same four statements, and no question before the answer."""
    put(sql_store)
    counted: list[str] = []

    @sa.event.listens_for(sql_store.database.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            counted.append(statement.split()[2])

    for number in (1, 50):
        counted.clear()
        sql_store.apply(joined(*(accepted() for _ in range(number))))
        assert counted == ["cases", "messages", "deliveries", "facts"]


@pytest.fixture
def new_tables(postgres_url: str) -> str:
    """URL of a database whose tables are as new: planners go by what was in them before, too."""
    engine = open_engine(postgres_url)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(sa.text(f"TRUNCATE {names}"))
    engine.dispose()
    return postgres_url


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("where", "index"),
    [
        (CaseFilter(), "ix_cases_created"),
        (CaseFilter(created_from=NOW), "ix_cases_created"),
        (CaseFilter(owner=OWNER), "ix_cases_owner"),
        (CaseFilter(state="registered"), "ix_cases_state"),
        (CaseFilter(topic="roads"), "ix_cases_topic"),
        (CaseFilter(territory="UA46000000000026241"), "ix_cases_oblast"),
    ],
)
@pytest.mark.parametrize("newest", [False, True])
def test_a_page_of_cases_is_a_walk_in_order(new_tables: str, where: CaseFilter, index: str, newest: bool) -> None:
    """Each filter that leaves few cases has an index in the order of the list: nothing is sorted, the rest not read."""
    statement = listing.page(where, after=None, newest=newest, postgres=True).limit(50)
    engine = open_engine(new_tables)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        connection.exec_driver_sql("SET enable_bitmapscan = off")
        if index != "ix_cases_created":
            # Almost empty tables make planners choose by chance: ask whether this index alone could serve.
            connection.exec_driver_sql("DROP INDEX ix_cases_created")
        text = statement.compile(engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}".replace("%", "%%")))
        connection.rollback()
    engine.dispose()
    assert index in plan
    assert "Sort" not in plan


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("where", "index"),
    [
        (InboundFilter(), "ix_inbound_received"),
        (InboundFilter(custody=Custody.HELD), "ix_inbound_held"),
        (InboundFilter(custody=Custody.DISMISSED), "ix_inbound_kind"),
        (InboundFilter(door=Door.LOGIN), "ix_inbound_kind"),
        (InboundFilter(code="sevovv.", received_from=NOW), "ix_inbound_kind"),
        (InboundFilter(custody=Custody.HELD, door=Door.SEV), "ix_inbound_kind"),
        (InboundFilter(authority=AUTHORITY, code="seal."), "ix_inbound_authority"),
        (InboundFilter(sha256="0" * 64), "ix_inbound_sha256"),
    ],
)
def test_a_page_of_the_journal_reads_what_it_shows(new_tables: str, where: InboundFilter, index: str) -> None:
    """Whatever is asked for, an index leads to it: a rare kind is not looked for among all that ever came in."""
    statement = journal.page(where, after=None, limit=50, postgres=True)
    engine = open_engine(new_tables)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        connection.exec_driver_sql("SET enable_bitmapscan = off")
        text = statement.compile(engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}".replace("%", "%%")))
    engine.dispose()
    assert index in plan
    assert "Seq Scan" not in plan
