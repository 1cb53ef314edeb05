"""Writing a change: every statement of it in one transaction, rows by the hundred.

Order of work, the same everywhere, so that two changes at once cannot wait for each other in a circle: idempotency
answers, new cases, locks on known cases, messages, deliveries, locks on updated deliveries, the rest; within each, rows
in order of their key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from hub.errors import NotFound
from hub.schemas.delivery import Applied, CaseRow, Change, Fact, Message, NewCase, StoredAnswer
from hub.schemas.ids import CaseId
from hub.schemas.journal import KeptBody
from hub.storage import journal, rows, rules, schema
from hub.storage.bulk import Columns, Insert, among, quoted
from hub.storage.journal import AGAIN
from hub.storage.updating import payloads_of, updates_for
from hub.tracking.law import Law

_by_id: Callable[[Any], Any] = attrgetter("id")
_CASE_BORN = tuple(field.name for field in fields(NewCase))
_CASE_MOVED = ("state", "authority", "number", "needs_operator", "updated_at", "due_at", "watch_at")
_ATTEMPT_END = ("finished_at", "outcome", "code", "http_status", "detail", "answer")
_FACT = ("case_id", "key", "kind", "at", "source", "authority", "delivery_id", "message_id", "data")
_FACT_EVENT = (*_FACT, "recorded_at", "state")


def _names(table: sa.Table, *without: str) -> tuple[str, ...]:
    return tuple(column.name for column in table.c if column.computed is None and column.name not in without)


class Statements:
    """Every statement that writes, made once for each engine: building one costs more than a short one takes to run."""

    def __init__(self, dialect: Dialect) -> None:
        def insert(table: sa.Table, **more: Any) -> Insert:
            return Insert(table, _names(table), dialect, **more)

        self.postgres = dialect.name == "postgresql"
        self.answers = insert(schema.answers)
        self.cases = insert(schema.cases)
        self.messages = insert(schema.messages)
        self.notes = insert(schema.notes)
        self.deliveries = insert(schema.deliveries)
        self.payloads = insert(schema.payloads)
        self.attempts = Insert(schema.attempts, _names(schema.attempts, "answer"), dialect)
        self.items = insert(schema.items)
        self.inbound = insert(schema.inbound, tail=AGAIN)
        # Touched again, so that the pruner leaves alone what an entry is about to name.
        again = "ON CONFLICT (sha256) DO UPDATE SET kept_at = excluded.kept_at"
        self.bodies = insert(schema.inbound_bodies, tail=again)
        self.attachments = insert(schema.attachments)
        self.grants = insert(schema.grants)
        self.throttles = Insert(
            schema.lanes,
            ("channel_id", "rest_until"),
            dialect,
            tail="ON CONFLICT (channel_id) DO UPDATE SET rest_until = excluded.rest_until",
            fixed={"failures": "0", "probing": "false", "paused": "false", "suspect": "false"},
        )
        # The number of the writing transaction orders events on PostgreSQL (hub.storage.horizon).
        txid = "pg_current_xact_id()::text::int8 + {offset}" if self.postgres else "0"
        self._facts: dict[int, Insert] = {}
        self._fact: Callable[[int], Insert] = lambda offset: Insert(
            schema.facts, _FACT_EVENT, dialect, tail="", fixed={"txid": txid.format(offset=int(offset))}
        )
        self.move_cases = Move(schema.cases, _CASE_MOVED, dialect)
        self.end_attempts = Move(schema.attempts, _ATTEMPT_END, dialect, only="finished_at IS NULL")
        self.updates = updates_for(dialect)

    def facts(self, offset: int) -> Insert:
        """Inserts facts with their events; see ``hub.storage.horizon`` for the offset."""
        if offset not in self._facts:
            self._facts[offset] = self._fact(offset)
        return self._facts[offset]


class Move:
    """Sets columns of rows named by their id. ``only``: a condition that begins with a column of the row as it is."""

    def __init__(self, table: sa.Table, names: Sequence[str], dialect: Dialect, *, only: str = "") -> None:
        self._columns = Columns(table, ("id", *names), dialect)
        self._arrays = dialect.name == "postgresql"
        condition = f" AND t.{only}" if only else ""
        if self._arrays:
            settings = ", ".join(f"{quoted(name)} = u.{quoted(name)}" for name in names)
            source = self._columns.unnest()
            self._sql = f"UPDATE {table.name} t SET {settings} FROM {source} WHERE t.id = u.id{condition}"  # noqa: S608
        else:
            settings = ", ".join(f"{quoted(name)} = ?" for name in names)
            self._sql = f"UPDATE {table.name} AS t SET {settings} WHERE id = ?{condition}"  # noqa: S608

    def run(self, connection: Connection, values: Sequence[object]) -> None:
        """Set what the values say, each of which has an ``id`` and the columns as attributes."""
        if not values:
            return
        if self._arrays:
            parameters: Any = self._columns.arrays(values)
        else:
            ids, *columns = self._columns.by_column(values)
            parameters = list(zip(*columns, ids, strict=True))
        connection.exec_driver_sql(self._sql, parameters)


@cache
def statements_for(dialect: Dialect) -> Statements:
    """Statements of this engine's dialect."""
    return Statements(dialect)


@dataclass(frozen=True, slots=True)
class _CaseColumns:
    """A case with its derived state, flat."""

    row: CaseRow

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row.case if name in _BORN else self.row, name)


_BORN = frozenset(_CASE_BORN)


@dataclass(frozen=True, slots=True)
class _Told:
    """A fact with what its event adds."""

    fact: Fact
    key: str
    recorded_at: datetime
    state: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fact, name)


class Writer:
    """Writes one change over one connection. ``txid_offset``: see ``hub.storage.horizon``."""

    def __init__(self, connection: Connection, change: Change, *, now: datetime, txid_offset: int, law: Law) -> None:
        self._law = law
        self._connection = connection
        self._change = change
        self._now = now
        self._txid_offset = txid_offset
        self._do = statements_for(connection.dialect)
        self._facts = rules.facts_by_case(change.facts)
        self._states: dict[CaseId, str] = {}
        self._new: set[str] = set()

    def run(self) -> Applied:
        """Write all of it. Raises ``Conflict``, ``NotFound``; the caller's transaction ends with it."""
        change, connection, do = self._change, self._connection, self._do
        self._answers(change.answers)
        self._cases()
        self._messages(change.messages)
        ordered = sorted(change.deliveries, key=_by_id)
        do.deliveries.run(connection, ordered)
        do.payloads.run(connection, payloads_of(ordered))
        lost = do.updates.apply(connection, change.updates)
        do.attempts.run(connection, sorted(change.attempts, key=_by_id))
        do.end_attempts.run(connection, sorted(change.attempt_ends, key=_by_id))
        new_facts = self._write_facts()
        do.items.run(connection, sorted(change.items, key=_by_id))
        do.notes.run(connection, sorted(change.notes, key=_by_id))
        self._journal()
        do.attachments.run(connection, sorted(change.attachments, key=attrgetter("sha256")))
        do.grants.run(connection, sorted(set(change.grants), key=attrgetter("sha256", "party")))
        do.throttles.run(connection, sorted(change.throttles, key=attrgetter("channel_id")))
        return Applied(new_facts=new_facts, lost=lost)

    def _journal(self) -> None:
        """Entries of what came in, their bytes once by content, decisions about them."""
        entries = rules.once(self._change.inbound)
        bodies = {r.kept_sha256: r.body for r in entries if r.kept_sha256 is not None and r.body is not None}
        kept = [KeptBody(sha256=name, body=bodies[name], kept_at=self._now) for name in sorted(bodies)]
        self._do.bodies.run(self._connection, kept)
        self._do.inbound.run(self._connection, entries)
        journal.decide(self._connection, self._change.decisions)

    def _answers(self, answers: tuple[StoredAnswer, ...]) -> None:
        rules.check_answers(answers)
        ordered = sorted(set(answers), key=attrgetter("principal", "key"))
        if self._do.answers.run(self._connection, ordered) == len(ordered):
            return
        keys = sa.tuple_(schema.answers.c.principal, schema.answers.c.key)
        found = self._connection.execute(
            sa.select(schema.answers).where(keys.in_([(a.principal, a.key) for a in ordered]))
        )
        stored = {(row.principal, row.key): rows.answer(row) for row in found}
        for answer in ordered:
            rules.check_same_answer(stored[answer.principal, answer.key], answer)

    def _cases(self) -> None:
        """Insert new cases with the state their facts give; lock and look up the facts of the others."""
        born = {case.id: case for case in self._change.cases}
        made = [rules.case_row(born[key], self._facts.get(key, {}).values(), self._law) for key in sorted(born)]
        old = set(self._facts) | set(born)
        if self._do.cases.run(self._connection, list(map(_CaseColumns, made))) == len(made):
            old -= set(born)
            for row in made:
                self._states[row.case.id] = row.state
                self._new.update(self._facts.get(row.case.id, {}))
        if old:
            self._known_cases(sorted(old), born)

    def _known_cases(self, ids: Sequence[CaseId], born: Mapping[CaseId, NewCase]) -> None:
        lock, look = _LOOKS[self._do.postgres]
        locked = self._connection.execute(lock, {"ids": ids}).all()
        if len(locked) != len(ids):
            if born.keys() - {row.id for row in locked}:
                raise rules.number_taken()
            raise NotFound("The change states a fact about a case that is not there.", code="store.unknown_parent")
        known: dict[CaseId, dict[str, Fact]] = {key: {} for key in ids}
        for row in self._connection.execute(look, {"ids": ids}):
            known[row.case_id][row.key] = rows.fact(row)
        moved = []
        for row in locked:
            if row.id in born:
                rules.check_same_case(rows.new_case(row), born[row.id])
            told = self._facts.get(row.id, {})
            fresh = told.keys() - known[row.id].keys()
            if fresh:
                after = rules.case_row(rows.new_case(row), (told | known[row.id]).values(), self._law)
                self._new |= fresh
                self._states[row.id] = after.state
                moved.append(_CaseColumns(after))
        self._do.move_cases.run(self._connection, moved)

    def _messages(self, messages: tuple[Message, ...]) -> None:
        ordered = sorted(messages, key=_by_id)
        if self._do.messages.run(self._connection, ordered) == len(ordered):
            return
        table = schema.messages
        found = self._connection.execute(
            sa.select(table.c.id, table.c.sha256).where(table.c.id.in_([m.id for m in ordered]))
        )
        stored = {row.id: row.sha256 for row in found}
        for message in ordered:
            rules.check_same_message(stored[message.id], message)

    def _write_facts(self) -> tuple[Fact, ...]:
        """Facts that are new, each with its event. The case is locked or was born here: nobody else adds to it."""
        told = [
            _Told(fact, key, self._now, self._states[case_id])
            for case_id, of_case in self._facts.items()
            for key, fact in of_case.items()
            if key in self._new
        ]
        self._do.facts(self._txid_offset).run(self._connection, told)
        return tuple(each.fact for each in told)


def counting(statement: Any) -> sa.Executable:
    """The statement, so that its row count can be read."""
    counted: sa.Executable = statement.execution_options(preserve_rowcount=True)
    return counted


def _looks(postgres: bool) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Lock known cases, and read their facts."""
    cases, facts = schema.cases.c, schema.facts.c
    named = sa.select(schema.cases).where(among(cases.id, sa.Uuid(), postgres=postgres))
    lock = named.order_by(cases.id).with_for_update(key_share=True)
    return lock, sa.select(schema.facts).where(among(facts.case_id, sa.Uuid(), postgres=postgres))


_LOOKS = {postgres: _looks(postgres) for postgres in (True, False)}
