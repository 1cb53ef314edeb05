"""A database that fails: nothing is half kept, the hub's own words say so, and it recovers by itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.errors import InvalidInput, Unavailable
from hub.ports import CaseFilter, Store
from hub.schemas.delivery import AttemptEnd, Change, FactKind, OutcomeKind
from hub.storage import SqlStore, database, open_store
from hub.storage.engine import open_engine
from tests.storage.making import CHANNEL, NOW, accepted, attempt, case, claim_one, fact, later, message, put

pytestmark = pytest.mark.slow  # all of it together


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[SqlStore]:
    """A store on a SQLite file."""
    store = SqlStore(open_engine(sqlite_url))
    yield store
    store.close()


def test_commits_reach_the_disk(sql_store: SqlStore) -> None:
    """Every connection runs with full synchronisation and foreign keys, PostgreSQL with synchronous commits in UTC."""
    with sql_store.database.engine.connect() as connection:
        if sql_store.database.postgres:
            names = ("synchronous_commit", "timezone", "application_name", "statement_timeout", "jit")
            assert [connection.execute(sa.text(f"SHOW {name}")).scalar_one() for name in names] == [
                "on",
                "UTC",
                "hub",
                "30s",
                "off",
            ]
        else:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            assert [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas] == [
                "wal",
                2,
                1,
                10_000,
            ]


def test_a_full_disk_is_unavailable_and_passes(on_sqlite: SqlStore) -> None:
    """SQLITE_FULL: the change is not kept at all, the store says when to come back, and takes it once there is room."""
    put(on_sqlite)
    engine = on_sqlite.database.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    @sa.event.listens_for(engine, "checkout")
    def no_room(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    born = case()
    big = Change(cases=(born,), messages=(message(born.id, bytes(200_000)),))
    with pytest.raises(Unavailable) as failure:
        on_sqlite.apply(big)
    assert failure.value.stable_code == "store.full"
    assert failure.value.retry_after == 60
    assert on_sqlite.case(born.id) is None
    sa.event.remove(engine, "checkout", no_room)
    engine.dispose()
    on_sqlite.apply(big)
    assert on_sqlite.case(born.id) is not None


def test_a_database_that_cannot_be_written_is_unavailable(on_sqlite: SqlStore) -> None:
    """A read-only database answers questions but takes nothing in."""
    kept = put(on_sqlite)
    engine = on_sqlite.database.engine

    @sa.event.listens_for(engine, "checkout")
    def read_only(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    for refused in (on_sqlite.ping, lambda: on_sqlite.apply(accepted())):
        with pytest.raises(Unavailable):
            refused()
    assert on_sqlite.delivery(kept.id) == kept


def test_a_lock_that_is_held_too_long_is_unavailable(
    on_sqlite: SqlStore, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that holds the file's lock, and another thread that holds the turn, end in a clear answer."""
    engine = on_sqlite.database.engine

    @sa.event.listens_for(engine, "checkout")
    def impatient(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    other = sqlite3.connect(sa.make_url(sqlite_url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as failure:
        on_sqlite.apply(accepted())
    assert failure.value.stable_code == "store.busy"
    other.execute("ROLLBACK")
    other.close()
    on_sqlite.apply(accepted())
    monkeypatch.setattr(database, "BUSY_SECS", 0.05)
    turn = on_sqlite.database._turn
    assert turn is not None
    with turn, pytest.raises(Unavailable) as failure:
        on_sqlite.apply(accepted())
    assert failure.value.stable_code == "store.busy"


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """Neither a folder that does not exist nor a file of something else is taken for a store."""
    (tmp_path / "text").write_text("no database at all, but long enough to be read as the head of one" * 30)
    for url in (f"sqlite:///{tmp_path / 'none' / 'hub.sqlite'}", f"sqlite:///{tmp_path / 'text'}"):
        with pytest.raises(Unavailable):
            open_store(url, migrate=True)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Connection refused is told in the hub's words, without the URL."""
    with pytest.raises(Unavailable) as failure:
        open_store("postgresql://someone:secret@127.0.0.1:9/none", migrate=True)
    assert failure.value.stable_code == "store.unreachable"
    assert "secret" not in str(failure.value)


@pytest.mark.postgres
def test_dead_connections_are_replaced(postgres_url: str) -> None:
    """After the server cut every connection the next read and the next write succeed."""
    store = SqlStore(open_engine(postgres_url))
    other = open_engine(postgres_url)
    cut = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for act in (lambda: store.apply(accepted()), lambda: store.count_cases(CaseFilter())):
        act()
        with other.connect() as connection:
            connection.execute(cut)
        act()
    other.dispose()
    store.close()


def test_hostile_words_of_the_other_side_are_kept(store: Store) -> None:
    """NUL and lone surrogates in an answer's text cannot keep the hub from noting the outcome."""
    carried = put(store)
    tried = attempt(carried)
    end = AttemptEnd(id=tried.id, finished_at=NOW, outcome=OutcomeKind.REFUSED, code="\x00", detail="ні\x00\ud800так")
    registered = fact(carried.case_id, FactKind.REGISTERED, later(1), number="7\x00\ud800", date="2026-11-24")
    store.apply(Change(attempts=(tried,), attempt_ends=(end,), facts=(registered,)))
    assert store.attempts(carried.id)[0].outcome is OutcomeKind.REFUSED
    assert registered.key in {f.key for f in store.facts(carried.case_id)}
    assert store.case(carried.case_id) is not None


def test_keys_that_cannot_be_kept_are_refused(sql_store: SqlStore) -> None:
    """A key is never mended in silence: what the database cannot hold is bad input."""
    with pytest.raises(InvalidInput):
        sql_store.answer("ncc", "\ud800")
    if sql_store.database.postgres:
        with pytest.raises(InvalidInput):
            sql_store.answer("ncc", "\x00")
    with pytest.raises(InvalidInput):
        put(sql_store, priority=7)


_CHILD = """
import sys
from hub.storage import open_store
from tests.storage.making import accepted

store = open_store(sys.argv[1])
while True:
    change = accepted()
    store.apply(change)
    print(change.cases[0].id, flush=True)
"""


@pytest.mark.parametrize("_round", range(3))
def test_what_was_accepted_survives_a_kill(database_url: str, _round: int) -> None:
    """A process that takes appeals in is killed: all it had reported is there, whole, and nothing is half there."""
    child = subprocess.Popen([sys.executable, "-c", _CHILD, database_url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    reported = [child.stdout.readline().strip() for _ in range(20)]
    child.kill()
    reported += child.stdout.read().split()
    child.wait()
    child.stdout.close()
    store = open_store(database_url, migrate=True)
    rows = store.cases(CaseFilter(), after=None, limit=10_000)
    kept = {str(row.case.id) for row in rows}
    assert {line for line in reported if len(line) == 36} <= kept
    assert len(kept) - len(reported) <= 1
    for row in rows:
        assert (row.state, len(store.deliveries(row.case.id)), len(store.facts(row.case.id))) == ("routed", 1, 2)
    claims = claim_one(store, CHANNEL, owner="w", now=NOW, lease_until=later(9), limit=10_000)
    assert len(claims) == len(kept)
    store.close()
