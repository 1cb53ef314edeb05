"""The journal of what came in, on SQLite or PostgreSQL: its entries, their bytes, decisions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.ports import InboundFilter
from hub.schemas.ids import DeliveryId
from hub.schemas.journal import InboundDecision, InboundRecord
from hub.storage import rows, rules, schema
from hub.storage.database import Database

_I = schema.inbound.c
AGAIN = (
    "ON CONFLICT (id) DO UPDATE SET count = inbound.count + excluded.count, last_at = excluded.last_at "
    "WHERE excluded.last_at > coalesce(inbound.last_at, inbound.received_at)"
)
"""An entry that comes again later is counted; the same entry written twice is not."""


class SqlJournalReads:
    """The port ``InboundReads``. Safe to use from many threads and processes."""

    database: Database

    def inbound(self, where: InboundFilter, *, limit: int, after: str | None = None) -> tuple[InboundRecord, ...]:
        """Entries, the newest first; ``InvalidInput`` for a cursor that is not ours."""
        statement = sa.select(schema.inbound).where(*_conditions(where))
        place = rules.inbound_place(after)
        if place is not None:
            there = sa.tuple_(sa.literal(place[0], _I.received_at.type), sa.literal(place[1], _I.id.type))
            statement = statement.where(sa.tuple_(_I.received_at, _I.id) < there)
        statement = statement.order_by(_I.received_at.desc(), _I.id.desc()).limit(limit)
        return self.database.read(lambda connection: tuple(map(rows.inbound, connection.execute(statement))))

    def inbound_record(self, record_id: str) -> InboundRecord | None:
        """One entry."""
        statement = sa.select(schema.inbound).where(_I.id == record_id)
        row = self.database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else rows.inbound(row)

    def inbound_body(self, record: InboundRecord) -> bytes | None:
        """Kept bytes of an entry; those of its message if they are the same."""
        if record.kept_sha256 is not None:
            bodies = schema.inbound_bodies.c
            statement: sa.Select[Any] = sa.select(bodies.body).where(bodies.sha256 == record.kept_sha256)
        elif record.message_id is not None:
            messages = schema.messages.c
            statement = sa.select(sa.func.coalesce(messages.raw, messages.body)).where(messages.id == record.message_id)
        else:
            return None
        return self.database.read(lambda connection: connection.execute(statement).scalar_one_or_none())

    def attempt_answers(self, delivery_id: DeliveryId) -> Mapping[int, bytes]:
        """Answers that are kept with attempts of a delivery, by number of the attempt."""
        a = schema.attempts.c
        statement = sa.select(a.number, a.answer).where(a.delivery_id == delivery_id, a.answer.is_not(None))
        found = self.database.read(lambda connection: connection.execute(statement).all())
        return {row.number: row.answer for row in found}


def _conditions(where: InboundFilter) -> list[sa.ColumnElement[bool]]:
    equal = {
        _I.channel_id: where.channel_id,
        _I.authority: where.authority,
        _I.case_id: where.case_id,
        _I.door: where.door,
        _I.sha256: where.sha256,
    }
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if where.custody is not None:
        # With a literal, as the partial index is, so that planners see it.
        found.append(schema.IS_HELD if where.custody == "held" else _I.custody == where.custody)
    if where.code is not None:
        found.append(_I.verdict.contains(where.code, autoescape=True))
    if where.received_from is not None:
        found.append(_I.received_at >= where.received_from)
    if where.received_to is not None:
        found.append(_I.received_at < where.received_to)
    return found


def decide(connection: Connection, decisions: Sequence[InboundDecision]) -> None:
    """Write decisions. ``Conflict`` (``inbound.decided``) if an entry does not stand as it was seen."""
    for decision in decisions:
        seen = decision.seen
        undecided = _I.decided_at.is_(None) if seen.decided_at is None else _I.decided_at == seen.decided_at
        values: dict[str, Any] = {
            "custody": decision.custody,
            "decided_at": decision.at,
            "decided_by": decision.by,
            "decision": decision.words,
        }
        if decision.case_id is not None:
            values["case_id"] = decision.case_id
        statement = sa.update(schema.inbound).where(_I.id == seen.id, _I.custody == seen.custody, undecided)
        if connection.execute(statement.values(values)).rowcount != 1:
            raise rules.decided_meanwhile()
