"""The journal of what came in, on SQLite or PostgreSQL: its entries, their bytes, decisions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.ports import InboundFilter
from hub.schemas.ids import DeliveryId
from hub.schemas.journal import Custody, InboundDecision, InboundRecord
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
        statement = page(where, after=after, limit=limit, postgres=self.database.postgres)
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


def page(where: InboundFilter, *, after: str | None, limit: int, postgres: bool) -> sa.Select[Any]:
    """Entries behind a cursor, the newest first; ``InvalidInput`` for one that is not ours.

    On PostgreSQL a filter by custody, door or verdict alone is answered kind by kind (``_by_kind``): a rare kind among
    a million entries is not looked for one by one.
    """
    place = rules.inbound_place(after)
    if postgres and _only_kinds(where):
        return _by_kind(where, place, limit)
    kind = _of_kind(where, _I)
    if where.custody == Custody.HELD:
        kind[0] = schema.IS_HELD  # with a literal, as the partial index is, so that planners see it
    return _newest(_I, limit).where(*_named(where), *_times(where, place, _I), *kind)


def _newest(entries: Any, limit: int) -> sa.Select[Any]:
    return sa.select(*entries).order_by(entries.received_at.desc(), entries.id.desc()).limit(limit)


def _only_kinds(where: InboundFilter) -> bool:
    """True if nothing narrower is given than what an entry is: of what waits there are few, and they have an index."""
    narrower = (where.channel_id, where.authority, where.case_id, where.sha256)
    given = where.door is not None or where.code is not None or where.custody not in (None, Custody.HELD)
    return given and all(each is None for each in narrower)


def _by_kind(where: InboundFilter, place: tuple[datetime, str] | None, limit: int) -> sa.Select[Any]:
    """The newest entries of each kind that the filter wants, and of these the newest. There are some dozens of kinds
    (custody, door, verdict); each is one look into ``ix_inbound_kind``, and so is each of its pages.
    """
    kinds = _kinds()
    entry = schema.inbound.alias("entry").c
    same = (entry.custody == kinds.c.custody, entry.door == kinds.c.door, entry.verdict == kinds.c.verdict)
    found = _newest(entry, limit).where(*same, *_times(where, place, entry)).lateral("found")
    joined = sa.join(kinds, found, sa.true())
    return _newest(found.c, limit).select_from(joined).where(*_of_kind(where, kinds.c))


def _kinds() -> sa.CTE:
    """Kinds that there are, each found behind the one before, without reading what lies between."""
    first = sa.select(_I.custody, _I.door, _I.verdict).order_by(_I.custody, _I.door, _I.verdict).limit(1).subquery()
    kinds = sa.select(first).cte("kinds", recursive=True)
    other = schema.inbound.alias("other").c
    key = (other.custody, other.door, other.verdict)
    behind = sa.tuple_(*key) > sa.tuple_(kinds.c.custody, kinds.c.door, kinds.c.verdict)
    following = sa.select(*key).where(behind).order_by(*key).limit(1).lateral("following")
    return kinds.union_all(sa.select(following).select_from(sa.join(kinds, following, sa.true())))


def _named(where: InboundFilter) -> list[sa.ColumnElement[bool]]:
    equal = {
        _I.channel_id: where.channel_id,
        _I.authority: where.authority,
        _I.case_id: where.case_id,
        _I.sha256: where.sha256,
    }
    return [column == value for column, value in equal.items() if value is not None]


def _of_kind(where: InboundFilter, entries: Any) -> list[sa.ColumnElement[bool]]:
    """What an entry must be; its custody first."""
    found: list[sa.ColumnElement[bool]] = []
    if where.custody is not None:
        found.append(entries.custody == where.custody)
    if where.door is not None:
        found.append(entries.door == where.door)
    if where.code is not None:
        found.append(entries.verdict.contains(where.code, autoescape=True))
    return found


def _times(where: InboundFilter, place: tuple[datetime, str] | None, entries: Any) -> list[sa.ColumnElement[bool]]:
    """When it came, and behind which other entry it stands."""
    found: list[sa.ColumnElement[bool]] = []
    if where.received_from is not None:
        found.append(entries.received_at >= where.received_from)
    if where.received_to is not None:
        found.append(entries.received_at < where.received_to)
    if place is not None:
        there = sa.tuple_(sa.literal(place[0], _I.received_at.type), sa.literal(place[1], _I.id.type))
        found.append(sa.tuple_(entries.received_at, entries.id) < there)
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
