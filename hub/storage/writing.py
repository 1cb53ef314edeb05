"""Writing a change: every statement of it in one transaction, rows by the hundred.

Order of work, the same everywhere, so that two changes at once cannot wait for each other in a circle: idempotency
answers, new cases, locks on known cases, messages, deliveries, locks on updated deliveries, the rest; within each, rows
in order of their key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from hub.errors import NotFound
from hub.schemas.delivery import Applied, Change, Delivery, DeliveryUpdate, Fact, Message, StoredAnswer
from hub.schemas.ids import CaseId, DeliveryId
from hub.storage import horizon, rows, rules, schema

_by_id: Callable[[Any], Any] = attrgetter("id")


class Writer:
    """Writes one change over one connection. ``txid_offset``: see ``hub.storage.horizon``."""

    def __init__(self, connection: Connection, change: Change, *, now: datetime, txid_offset: int) -> None:
        self._connection = connection
        self._change = change
        self._now = now
        self._txid_offset = txid_offset
        self._postgres = connection.dialect.name == "postgresql"
        self._facts = rules.facts_by_case(change.facts)
        self._states: dict[CaseId, str] = {}
        self._new: set[str] = set()

    def run(self) -> Applied:
        """Write all of it. Raises ``Conflict``, ``NotFound``; the caller's transaction ends with it."""
        change = self._change
        self._answers(change.answers)
        self._cases()
        self._messages(change.messages)
        self._deliveries(change.deliveries)
        lost = self._updates(change.updates)
        self._insert(schema.attempts, map(rows.attempt_values, sorted(change.attempts, key=_by_id)))
        self._attempt_ends()
        new_facts = self._write_facts()
        self._insert(schema.items, map(rows.item_values, sorted(change.items, key=_by_id)))
        self._insert(schema.inbound, map(rows.inbound_values, sorted(change.inbound, key=_by_id)))
        files = sorted(change.attachments, key=attrgetter("sha256"))
        self._insert(schema.attachments, map(rows.attachment_values, files))
        grants = sorted({(grant.sha256, grant.party) for grant in change.grants})
        self._insert(schema.grants, ({"sha256": sha256, "party": party} for sha256, party in grants))
        return Applied(new_facts=new_facts, lost=lost)

    def _insert(self, table: sa.Table, values: Iterable[rows.Values]) -> bool:
        """Insert what is not there yet; whether all of it was new."""
        batch = list(values)
        if not batch:
            return True
        return self._connection.execute(_INSERTS[table.name, self._postgres], batch).rowcount == len(batch)

    def _answers(self, answers: tuple[StoredAnswer, ...]) -> None:
        rules.check_answers(answers)
        ordered = sorted(set(answers), key=attrgetter("principal", "key"))
        if self._insert(schema.answers, map(rows.answer_values, ordered)):
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
        made = [rules.case_row(born[key], self._facts.get(key, {}).values()) for key in sorted(born)]
        old = set(self._facts)
        if self._insert(schema.cases, map(rows.case_values, made)):
            old -= set(born)
            for row in made:
                self._states[row.case.id] = row.state
                self._new.update(self._facts.get(row.case.id, {}))
        if old:
            self._known_cases(sorted(old))

    def _known_cases(self, ids: Sequence[CaseId]) -> None:
        locked = self._connection.execute(_LOCK_CASES, {"ids": ids}).all()
        if len(locked) != len(ids):
            raise NotFound("The change states a fact about a case that is not there.", code="store.unknown_parent")
        known: dict[CaseId, dict[str, Fact]] = {key: {} for key in ids}
        for row in self._connection.execute(_FACTS_OF_CASES, {"ids": ids}):
            known[row.case_id][row.key] = rows.fact(row)
        moved = []
        for row in locked:
            fresh = self._facts[row.id].keys() - known[row.id].keys()
            if fresh:
                after = rules.case_row(rows.new_case(row), (self._facts[row.id] | known[row.id]).values())
                self._new |= fresh
                self._states[row.id] = after.state
                moved.append({"b_id": row.id} | rows.derived_values(after))
        if moved:
            self._connection.execute(_MOVE_CASE, moved)

    def _messages(self, messages: tuple[Message, ...]) -> None:
        ordered = sorted(messages, key=_by_id)
        if self._insert(schema.messages, map(rows.message_values, ordered)):
            return
        table = schema.messages
        found = self._connection.execute(
            sa.select(table.c.id, table.c.sha256).where(table.c.id.in_([m.id for m in ordered]))
        )
        stored = {row.id: row.sha256 for row in found}
        for message in ordered:
            rules.check_same_message(stored[message.id], message)

    def _deliveries(self, deliveries: tuple[Delivery, ...]) -> None:
        ordered = sorted(deliveries, key=_by_id)
        self._insert(schema.deliveries, map(rows.delivery_values, ordered))
        self._insert(schema.payloads, _payloads(ordered))

    def _updates(self, updates: tuple[DeliveryUpdate, ...]) -> tuple[DeliveryId, ...]:
        """Apply updates whose owner still holds the lease; returns those of the others."""
        if not updates:
            return ()
        found = self._connection.execute(_LOCK_DELIVERIES, {"ids": sorted({update.id for update in updates})})
        after, lost = rules.merged({row.id: rows.delivery(row) for row in found}, updates)
        if not after:
            return lost
        moved = [after[key] for key in sorted(after)]
        self._connection.execute(_MOVE_DELIVERY, [{"b_id": d.id} | _moved(d) for d in moved])
        # Payloads were not read above: what has one now got it from an update.
        payloads = _payloads(moved)
        if payloads:
            self._connection.execute(_SET_PAYLOAD[self._postgres], payloads)
        return lost

    def _attempt_ends(self) -> None:
        ends = sorted(self._change.attempt_ends, key=_by_id)
        if ends:
            self._connection.execute(_END_ATTEMPT, list(map(rows.attempt_end_values, ends)))

    def _write_facts(self) -> tuple[Fact, ...]:
        """Facts that are new, each with its event. The case is locked or was born here: nobody else adds to it."""
        fresh: dict[str, Fact] = {}
        for of_case in self._facts.values():
            fresh.update((key, fact) for key, fact in of_case.items() if key in self._new)
        if fresh:
            extra = {"recorded_at": self._now}
            self._connection.execute(
                _insert_facts(self._txid_offset, self._postgres),
                [
                    rows.fact_values(fact, key) | extra | {"state": self._states[fact.case_id]}
                    for key, fact in fresh.items()
                ],
            )
        return tuple(fresh.values())


def _payloads(deliveries: Iterable[Delivery]) -> list[rows.Values]:
    return [
        {"delivery_id": d.id, "payload": d.payload, "payload_type": d.payload_type}
        for d in deliveries
        if d.payload is not None
    ]


_MOVING = (
    "state",
    "next_at",
    "poll_at",
    "lease_owner",
    "lease_until",
    "attempts",
    "first_attempt_at",
    "external_id",
    "last_code",
    "delivered_at",
)


def _moved(delivery: Delivery) -> rows.Values:
    values = {name: getattr(delivery, name) for name in _MOVING}
    values["state"] = delivery.state.value
    return values


def insert_new(table: sa.Table, *, postgres: bool) -> sa.Executable:
    """INSERT that leaves rows alone whose key is known; its row count tells how many were new."""
    statement: Any = (postgresql.insert if postgres else sqlite.insert)(table)
    return counting(statement.on_conflict_do_nothing())


def counting(statement: Any) -> sa.Executable:
    """The statement, so that its row count can be read."""
    counted: sa.Executable = statement.execution_options(preserve_rowcount=True)
    return counted


@cache
def _insert_facts(offset: int, postgres: bool) -> sa.Executable:
    txid: Any = horizon.CURRENT + sa.bindparam("offset", offset) if postgres else sa.literal_column("0")
    return sa.insert(schema.facts).values(txid=txid)


def _set_payload(postgres: bool) -> sa.Executable:
    statement: Any = (postgresql.insert if postgres else sqlite.insert)(schema.payloads)
    done: sa.Executable = statement.on_conflict_do_update(
        index_elements=["delivery_id"],
        set_={
            "payload": statement.excluded.payload,
            "payload_type": sa.func.coalesce(statement.excluded.payload_type, schema.payloads.c.payload_type),
        },
    )
    return done


def _update(table: sa.Table, names: Iterable[str]) -> sa.Update:
    return sa.update(table).where(table.c.id == sa.bindparam("b_id")).values({n: sa.bindparam(n) for n in names})


# Made once: building and hashing a statement costs more than a short one takes to run.
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_LOCK_CASES = (
    sa.select(schema.cases)
    .where(schema.cases.c.id.in_(_IDS))
    .order_by(schema.cases.c.id)
    .with_for_update(key_share=True)
)
_FACTS_OF_CASES = sa.select(schema.facts).where(schema.facts.c.case_id.in_(_IDS))
_LOCK_DELIVERIES = (
    sa.select(*rows.DELIVERY_COLUMNS)
    .where(schema.deliveries.c.id.in_(_IDS))
    .order_by(schema.deliveries.c.id)
    .with_for_update(key_share=True)
)
_MOVE_CASE = _update(schema.cases, ("state", "authority", "number", "needs_operator", "updated_at"))
_MOVE_DELIVERY = _update(schema.deliveries, _MOVING)
_END_ATTEMPT = _update(schema.attempts, ("finished_at", "outcome", "code", "http_status", "detail")).where(
    schema.attempts.c.finished_at.is_(None)
)
_SET_PAYLOAD = {postgres: _set_payload(postgres) for postgres in (True, False)}
_INSERTS = {
    (table.name, postgres): insert_new(table, postgres=postgres)
    for table in schema.metadata.sorted_tables
    for postgres in (True, False)
}
