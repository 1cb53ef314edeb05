"""Migrations give exactly the tables that the code knows, on both databases, once, however many start at a time."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from hub.errors import ConfigurationError, HubError, Unavailable
from hub.storage import migrations, open_store
from hub.storage.engine import open_engine
from hub.storage.schema import metadata
from tests.storage.conftest import drop_database, new_database, text_of
from tests.storage.making import put

pytestmark = pytest.mark.slow  # all of it together

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       a.attstorage, pg_get_expr(d.adbin, d.adrelid), coll.collname, array_to_string(c.reloptions, ',')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation coll ON coll.oid = a.attcollation
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
_ONE_DIALECT = {"ix_facts_feed", "ix_cases_topic", "ix_cases_oblast", "ix_cases_place", "ix_inbound_kind"}
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URLs of two databases without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.sqlite'}", f"sqlite:///{tmp_path / 'b.sqlite'}"
        return
    urls = (new_database(), new_database())
    yield text_of(urls[0]), text_of(urls[1])
    for url in urls:
        drop_database(url)


def _described(engine: Engine) -> set[tuple[object, ...]]:
    """Everything the database says about its tables, Alembic's own left out."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = connection.execute(sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master"))
            rows = {(row[0], row[1], row[2], _unordered(row[3])) for row in found}
        else:
            rows = {
                tuple(row) for query in (_COLUMNS, _INDEXES, _CONSTRAINTS) for row in connection.execute(sa.text(query))
            }
    return {row for row in rows if not any("alembic_version" in str(part) for part in row)}


def _unordered(sql: str | None) -> tuple[str, ...]:
    """The clauses of a CREATE statement; a column that was added later stands behind the constraints."""
    head, _, clauses = re.sub(r"\s+", " ", sql or "").partition("(")
    inside, _, tail = clauses.rpartition(")")
    parts = re.split(r",(?![^(]*\))", inside)
    return (head, *sorted(part.strip() for part in parts), tail)


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrated_tables_are_those_of_the_code(empty_urls: tuple[str, str]) -> None:
    """Tables made by migrations and tables made from the metadata are the same, down to index and constraint."""
    migrated, made = open_engine(empty_urls[0]), open_engine(empty_urls[1])
    migrations.upgrade(migrated)
    metadata.create_all(made)
    assert _described(migrated) == _described(made)
    with migrated.connect() as connection:
        # Alembic does not know that an index may be for one dialect only; the comparison above does.
        options = {"include_object": lambda _object, name, *_: name not in _ONE_DIALECT}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    migrated.dispose()
    made.dispose()


def test_the_known_revision_is_the_newest_script(empty_urls: tuple[str, str]) -> None:
    """``HEAD`` names the newest script, and that is what an upgrade leaves."""
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_heads() == [migrations.HEAD]
    engine = open_engine(empty_urls[0])
    assert migrations.revision(engine) is None
    migrations.upgrade(engine)
    migrations.upgrade(engine)
    assert migrations.revision(engine) == migrations.HEAD
    engine.dispose()


def test_many_may_start_at_once(empty_urls: tuple[str, str]) -> None:
    """Four that migrate an empty database at the same moment all succeed."""
    failures: list[HubError] = []
    done: list[int] = []

    def start() -> None:
        try:
            open_store(empty_urls[0], migrate=True).close()
            done.append(1)
        except HubError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(done)) == ([], 4)


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Of eight that make the same SQLite file none is told that it is busy (of 200 tries without waiting, 18 were)."""
    failures: list[Exception] = []
    for turn in range(30):
        gate = threading.Barrier(8)

        def connect(gate: threading.Barrier = gate, turn: int = turn) -> None:
            engine = open_engine(f"sqlite:///{tmp_path}/{turn}.db")
            gate.wait()
            try:
                engine.connect().close()
            except sa.exc.DBAPIError as failure:
                failures.append(failure)
            engine.dispose()

        threads = [threading.Thread(target=connect) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_store_that_is_not_migrated_says_so(empty_urls: tuple[str, str]) -> None:
    """Without tables the store is unavailable, and says why."""
    store = open_store(empty_urls[0], migrate=False)
    with pytest.raises(Unavailable) as failure:
        store.counts()
    assert failure.value.stable_code == "store.schema"
    store.close()


def test_a_database_of_a_newer_hub_is_left_alone(empty_urls: tuple[str, str]) -> None:
    """An older hub does not touch tables that a newer one has made."""
    open_store(empty_urls[0], migrate=True).close()
    engine = open_engine(empty_urls[0])
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError) as failure:
        migrations.upgrade(engine)
    assert failure.value.stable_code == "store.newer"
    engine.dispose()


def test_a_migrated_store_opens_without_alembic(sqlite_url: str) -> None:
    """An ordinary start does not load Alembic: it would cost time and memory."""
    code = (
        "import sys; from hub.storage import open_store\n"
        "open_store(sys.argv[1], migrate=True).ping(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, sqlite_url], check=True, timeout=60)


def test_the_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """Appeals are personal data: nobody else can read the database file or its log."""
    store = open_store(f"sqlite:///{tmp_path / 'hub.sqlite'}", migrate=True)
    put(store)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}
    assert "hub.sqlite-wal" in modes


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense", "sqlite:///f?mode=memory"]
)
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    """Databases that are not durable or not supported are refused at once."""
    with pytest.raises(ConfigurationError):
        open_engine(url)
