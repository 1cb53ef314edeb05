"""Applying a change in one transaction: few statements whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Table, Text, bindparam, cast, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from hub.errors import Conflict
from hub.schemas.delivery import Applied, Change, Delivery, DeliveryUpdate, Fact
from hub.schemas.ids import CaseId, DeliveryId
from hub.storage import rows, rules
from hub.storage import schema as t
from hub.tracking.state import CaseState, derive

CHUNK = 500
"""Rows per statement: SQLite takes at most 32,766 parameters."""


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Slices of at most ``CHUNK``."""
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))


def _insert_new(connection: Connection, table: Table, values: list[dict[str, Any]], returning: str) -> set[Any]:
    """Insert rows that are not there yet; returns the keys of those that were new."""
    new: set[Any] = set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for part in chunks(values):
        statement = dialect.insert(table).values(part).on_conflict_do_nothing().returning(table.c[returning])
        new.update(connection.execute(statement).scalars())
    return new


class Writer:
    """One change, one transaction. ``now``: when it is recorded."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._c = connection
        self._now = now
        self._postgresql = connection.dialect.name == "postgresql"

    def apply(self, change: Change) -> Applied:
        """Write everything; raises ``Conflict`` (and the caller rolls back)."""
        self._answers(change)
        new_cases = self._new(t.cases, [rows.case_values(c) for c in change.cases])
        self._messages(change)
        self._new(t.deliveries, [rows.values_of(d, due_at=rules.due_at(d)) for d in change.deliveries])
        self._new(t.attempts, [rows.values_of(a) for a in change.attempts])
        self._new(t.attachments, [rows.values_of(a) for a in change.attachments], "sha256")
        self._new(t.grants, [rows.values_of(g) for g in change.grants], "sha256")
        self._new(t.inbound, [rows.values_of(r) for r in change.inbound])
        self._new(
            t.items, [rows.values_of(i, slot=rules.slot(i.case_id, i.delivery_id, i.reason)) for i in change.items]
        )
        lost = self._updates(change.updates)
        self._attempt_ends(change)
        return Applied(new_facts=self._facts(change.facts, new_cases), lost=lost)

    def _new(self, table: Table, values: list[dict[str, Any]], returning: str = "id") -> set[Any]:
        return _insert_new(self._c, table, values, returning) if values else set()

    def _answers(self, change: Change) -> None:
        for answer in change.answers:
            where = (t.answers.c.principal == answer.principal) & (t.answers.c.key == answer.key)
            stored = self._c.execute(select(t.answers).where(where)).one_or_none()
            if stored is not None:
                raise rules.repeated_answer(rows.answer(stored), answer.request_sha256)
        if change.answers:
            try:
                self._c.execute(insert(t.answers), [rows.values_of(a) for a in change.answers])
            except IntegrityError:
                # Another transaction was first by a moment; who asks again finds its answer.
                raise Conflict("This request was answered before.", code="idempotency.repeat") from None

    def _messages(self, change: Change) -> None:
        if not change.messages:
            return
        given = {m.id: m for m in change.messages}
        if len(given) < len(change.messages) and any(given[m.id].sha256 != m.sha256 for m in change.messages):
            raise rules.message_conflict()
        known = given.keys() - self._new(t.messages, [rows.values_of(m) for m in given.values()])
        if known:
            same = self._c.execute(select(t.messages.c.id, t.messages.c.sha256).where(t.messages.c.id.in_(known)))
            if any(given[row.id].sha256 != row.sha256 for row in same):
                raise rules.message_conflict()

    def _updates(self, updates: Sequence[DeliveryUpdate]) -> tuple[DeliveryId, ...]:
        if not updates:
            return ()
        current: dict[DeliveryId, Delivery] = {}
        for part in chunks(sorted({u.id for u in updates})):
            query = select(t.deliveries).where(t.deliveries.c.id.in_(part)).order_by(t.deliveries.c.id)
            if self._postgresql:
                query = query.with_for_update(key_share=True)
            current.update((row.id, rows.delivery(row)) for row in self._c.execute(query))
        lost: list[DeliveryId] = []
        for change in updates:
            after = rules.updated(current[change.id], change) if change.id in current else None
            if after is None:
                lost.append(change.id)
            else:
                current[change.id] = after
        gone = set(lost)
        written = [self._delivery_values(d) for d in current.values() if d.id not in gone]
        if written:
            columns = {name: bindparam(name) for name in written[0] if name != "key"}
            self._c.execute(update(t.deliveries).where(t.deliveries.c.id == bindparam("key")).values(columns), written)
        return tuple(lost)

    @staticmethod
    def _delivery_values(delivery: Delivery) -> dict[str, Any]:
        changing = (
            "state",
            "next_at",
            "attempts",
            "first_attempt_at",
            "lease_owner",
            "lease_until",
            "payload",
            "payload_type",
            "external_id",
            "poll_at",
            "last_code",
            "delivered_at",
        )
        values = {name: getattr(delivery, name) for name in changing}
        return values | {"due_at": rules.due_at(delivery), "key": delivery.id}

    def _attempt_ends(self, change: Change) -> None:
        if not change.attempt_ends:
            return
        ends = [rows.values_of(end) for end in change.attempt_ends]
        for end in ends:
            end["key"] = end.pop("id")
        # The first end stands: a late word about an attempt that was given up changes nothing.
        where = (t.attempts.c.id == bindparam("key")) & t.attempts.c.finished_at.is_(None)
        columns = {name: bindparam(name) for name in ends[0] if name != "key"}
        self._c.execute(update(t.attempts).where(where).values(columns), ends)

    def _facts(self, facts: Sequence[Fact], new_cases: set[Any]) -> tuple[Fact, ...]:
        if not facts:
            return ()
        given = {fact.key: fact for fact in facts}
        old_cases = sorted({f.case_id for f in facts} - new_cases)
        self._lock(old_cases)
        new = self._new(t.facts, [rows.fact_values(fact) for fact in given.values()], "key")
        fresh = [fact for key, fact in given.items() if key in new]
        if not fresh:
            return ()
        touched = {fact.case_id for fact in fresh}
        by_case: dict[CaseId, list[Fact]] = {case_id: [] for case_id in touched}
        for fact in fresh:
            by_case[fact.case_id].append(fact)
        for part in chunks([case_id for case_id in old_cases if case_id in touched]):
            for row in self._c.execute(select(t.facts).where(t.facts.c.case_id.in_(part))):
                by_case[row.case_id].append(rows.fact(row))
        states = {case_id: derive(of) for case_id, of in by_case.items()}
        self._states(states)
        self._events(fresh, states)
        return tuple(fresh)

    def _lock(self, case_ids: Sequence[CaseId]) -> None:
        """Two writers of one case must not derive its state from halves; in order of id, so that none deadlock."""
        if self._postgresql:
            for part in chunks(case_ids):
                where = t.cases.c.id.in_(part)
                self._c.execute(
                    select(t.cases.c.id).where(where).order_by(t.cases.c.id).with_for_update(key_share=True)
                )

    def _states(self, states: dict[CaseId, CaseState]) -> None:
        values = [
            {
                "key": case_id,
                "state": state.state,
                "authority": state.authority,
                "number": state.number,
                "needs_operator": state.needs_operator,
                "updated_at": self._now,
            }
            for case_id, state in states.items()
        ]
        columns = {name: bindparam(name) for name in values[0] if name != "key"}
        self._c.execute(update(t.cases).where(t.cases.c.id == bindparam("key")).values(columns), values)

    def _events(self, fresh: Sequence[Fact], states: dict[CaseId, CaseState]) -> None:
        tx = cast(cast(func.pg_current_xact_id(), Text), BigInteger) if self._postgresql else literal(0)
        values = [
            {
                "type": rules.event_type(fact),
                "case_id": fact.case_id,
                "at": fact.at,
                "recorded_at": self._now,
                "data": rows.dumps(rules.event_data(fact, states[fact.case_id])),
            }
            for fact in fresh
        ]
        self._c.execute(insert(t.events).values(tx=tx), values)
