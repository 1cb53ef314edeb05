"""The store on SQLite and PostgreSQL. Implements the port ``Store``; every method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, Engine, Row, Select, Text, and_, cast, func, or_, select, text, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from hub.errors import InvalidInput
from hub.ports import CaseFilter
from hub.schemas.delivery import (
    Applied,
    Attempt,
    CaseRow,
    Change,
    Claim,
    Delivery,
    Event,
    Fact,
    InboundRecord,
    LaneDue,
    LaneState,
    Message,
    OperatorItem,
    StoredAnswer,
    StoredAttachment,
    TransportState,
)
from hub.schemas.ids import CaseId, DeliveryId, MessageId
from hub.storage import cursors, migrations, rows
from hub.storage import schema as t
from hub.storage.engine import engines, guarded
from hub.storage.write import Writer, chunks

V = TypeVar("V")


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def open_store(url: str, *, migrate: bool = False) -> SqlStore:
    """Open a store; ``migrate``: bring its tables up to date first. Raises ``ConfigurationError``, ``Unavailable``."""
    writing, reading = engines(url)
    if migrate:
        with guarded():
            migrations.upgrade(writing)
    return SqlStore(writing, reading)


def _after(column: Any, after: str | None) -> Any:
    """Rows after a cursor that is an id; ``InvalidInput`` if it is none."""
    if after is None:
        return column.is_not(None)
    try:
        return column > UUID(after)
    except ValueError:
        raise InvalidInput("The cursor is not one that was given out.", code="input.cursor") from None


class SqlStore:
    """See ``hub.ports.Store`` for what each method promises."""

    def __init__(self, writing: Engine, reading: Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._postgresql = writing.dialect.name == "postgresql"

    def close(self) -> None:
        """Close all connections."""
        self._writing.dispose()
        self._reading.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with guarded(), self._writing.begin() as connection:
            yield connection

    def _all(self, query: Select[Any], read: Callable[[Row[Any]], V]) -> tuple[V, ...]:
        with guarded(), self._reading.connect() as connection:
            return tuple(read(row) for row in connection.execute(query))

    def _one(self, query: Select[Any], read: Callable[[Row[Any]], V]) -> V | None:
        found = self._all(query.limit(1), read)
        return found[0] if found else None

    # Writing

    def apply(self, change: Change) -> Applied:
        with self._write() as connection:
            return Writer(connection, _now()).apply(change)

    def claim(
        self, channel_id: str, *, owner: str, now: datetime, lease_until: datetime, limit: int
    ) -> tuple[Claim, ...]:
        d = t.deliveries.c
        due = (
            select(d.id)
            .where(d.channel_id == channel_id, d.due_at <= now)
            .order_by(d.priority.desc(), d.due_at, d.id)
            .limit(limit)
        )
        if self._postgresql:
            due = due.with_for_update(skip_locked=True, key_share=True)
        taking = (
            update(t.deliveries)
            .where(d.id.in_(due.scalar_subquery()))
            .values(state=TransportState.SENDING, lease_owner=owner, lease_until=lease_until, due_at=lease_until)
            .returning(*t.deliveries.columns)
        )
        with self._write() as connection:
            taken = [rows.delivery(row) for row in connection.execute(taking)]
            bodies: dict[MessageId, bytes] = {}
            m = t.messages.c
            for part in chunks([delivery.message_id for delivery in taken]):
                bodies.update(connection.execute(select(m.id, m.body).where(m.id.in_(part))).tuples())
        taken.sort(key=lambda each: (-each.priority, each.next_at or each.created_at, each.id))
        return tuple(Claim(delivery=each, body=bodies[each.message_id]) for each in taken)

    def claim_polls(self, channel_id: str, *, now: datetime, next_at: datetime, limit: int) -> tuple[Delivery, ...]:
        d = t.deliveries.c
        due = select(d.id).where(d.channel_id == channel_id, d.poll_at <= now).order_by(d.poll_at).limit(limit)
        if self._one(due, lambda row: row) is None:
            return ()
        if self._postgresql:
            due = due.with_for_update(skip_locked=True, key_share=True)
        taking = (
            update(t.deliveries)
            .where(d.id.in_(due.scalar_subquery()))
            .values(poll_at=next_at)
            .returning(*t.deliveries.columns)
        )
        with self._write() as connection:
            return tuple(rows.delivery(row) for row in connection.execute(taking))

    def release(self, owner_prefix: str) -> int:
        d = t.deliveries.c
        now = _now()
        freeing = (
            update(t.deliveries)
            .where(d.state == TransportState.SENDING, d.lease_owner.startswith(owner_prefix, autoescape=True))
            .values(state=TransportState.UNKNOWN, next_at=now, due_at=now, lease_owner=None, lease_until=None)
        )
        with self._write() as connection:
            return connection.execute(freeing).rowcount

    def save_lane(self, state: LaneState) -> None:
        values = rows.values_of(state)
        dialect = postgresql if self._postgresql else sqlite
        changed = {name: value for name, value in values.items() if name != "channel_id"}
        statement = (
            dialect.insert(t.lanes).values(values).on_conflict_do_update(index_elements=["channel_id"], set_=changed)
        )
        with self._write() as connection:
            connection.execute(statement)

    def close_items(self, delivery_id: DeliveryId | None, case_id: CaseId, at: datetime, resolution: str) -> int:
        i = t.items.c
        where = and_(i.case_id == case_id, i.closed_at.is_(None))
        if delivery_id is not None:
            where = and_(where, i.delivery_id == delivery_id)
        with self._write() as connection:
            done = connection.execute(update(t.items).where(where).values(closed_at=at, resolution=resolution))
            return done.rowcount

    # Lanes

    def _able(self, now: datetime) -> Any:
        lane = t.lanes.c
        return or_(
            lane.channel_id.is_(None),
            and_(lane.paused.is_(False), or_(lane.open_until.is_(None), lane.open_until <= now)),
        )

    def due_lanes(self, now: datetime, limit: int = 10_000) -> tuple[LaneDue, ...]:
        d = t.deliveries.c
        sends = select(d.channel_id, func.count().label("sends"), text("0 AS polls")).where(d.due_at <= now)
        polls = select(d.channel_id, text("0 AS sends"), func.count().label("polls")).where(d.poll_at <= now)
        both = union_all(sends.group_by(d.channel_id), polls.group_by(d.channel_id)).subquery()
        query = (
            select(
                both.c.channel_id,
                func.sum(both.c.sends).label("sends"),
                func.sum(both.c.polls).label("polls"),
                t.lanes.c.suspect,
            )
            .select_from(both.outerjoin(t.lanes, t.lanes.c.channel_id == both.c.channel_id))
            .where(self._able(now))
            .group_by(both.c.channel_id, t.lanes.c.suspect)
            .order_by(both.c.channel_id)
            .limit(limit)
        )
        return self._all(
            query,
            lambda row: LaneDue(
                channel_id=row.channel_id, sends=int(row.sends), polls=int(row.polls), suspect=bool(row.suspect)
            ),
        )

    def next_due(self, now: datetime) -> datetime | None:
        d = t.deliveries.c
        found = [
            self._one(select(d.due_at).where(d.due_at.is_not(None)).order_by(d.due_at), lambda row: row.due_at),
            self._one(select(d.poll_at).where(d.poll_at.is_not(None)).order_by(d.poll_at), lambda row: row.poll_at),
        ]
        return min((moment for moment in found if moment is not None), default=None)

    def lane(self, channel_id: str) -> LaneState:
        found = self._one(select(t.lanes).where(t.lanes.c.channel_id == channel_id), rows.lane)
        return found or LaneState(channel_id=channel_id)

    def lanes(self) -> tuple[LaneState, ...]:
        return self._all(select(t.lanes).order_by(t.lanes.c.channel_id), rows.lane)

    # Cases and what belongs to them

    def case(self, case_id: CaseId) -> CaseRow | None:
        return self._one(select(t.cases).where(t.cases.c.id == case_id), rows.case_row)

    @staticmethod
    def _matching(where: CaseFilter) -> list[Any]:
        c = t.cases.c
        conditions = []
        if where.owner is not None:
            conditions.append(c.owner == where.owner)
        if where.authority is not None:
            mine = select(t.deliveries.c.case_id).where(t.deliveries.c.authority == where.authority)
            conditions.append(c.id.in_(mine))
        if where.state is not None:
            conditions.append(c.state == where.state)
        if where.needs_operator is not None:
            conditions.append(c.needs_operator.is_(where.needs_operator))
        if where.reference is not None:
            conditions.append(c.reference == where.reference)
        return conditions

    def cases(self, where: CaseFilter, *, after: str | None, limit: int) -> tuple[CaseRow, ...]:
        query = select(t.cases).where(_after(t.cases.c.id, after), *self._matching(where))
        return self._all(query.order_by(t.cases.c.id).limit(limit), rows.case_row)

    def count_cases(self, where: CaseFilter) -> Mapping[str, int]:
        c = t.cases.c
        query = select(c.state, func.count().label("n")).where(*self._matching(where)).group_by(c.state)
        return dict(self._all(query, lambda row: (row.state, int(row.n))))

    def facts(self, case_id: CaseId) -> tuple[Fact, ...]:
        f = t.facts.c
        return self._all(select(t.facts).where(f.case_id == case_id).order_by(f.at, f.key), rows.fact)

    def message(self, message_id: MessageId) -> Message | None:
        return self._one(select(t.messages).where(t.messages.c.id == message_id), rows.message)

    def messages(self, case_id: CaseId) -> tuple[Message, ...]:
        m = t.messages.c
        return self._all(select(t.messages).where(m.case_id == case_id).order_by(m.created_at, m.id), rows.message)

    def delivery(self, delivery_id: DeliveryId) -> Delivery | None:
        return self._one(select(t.deliveries).where(t.deliveries.c.id == delivery_id), rows.delivery)

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        d = t.deliveries.c
        return self._all(select(t.deliveries).where(d.case_id == case_id).order_by(d.created_at, d.id), rows.delivery)

    def delivery_of(self, message_id: MessageId) -> Delivery | None:
        return self._one(select(t.deliveries).where(t.deliveries.c.message_id == message_id), rows.delivery)

    def offered(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        d = t.deliveries.c
        query = select(t.deliveries).where(
            d.authority == authority, d.state == TransportState.OFFERED, _after(d.id, after)
        )
        return self._all(query.order_by(d.id).limit(limit), rows.delivery)

    def attempts(self, delivery_id: DeliveryId) -> tuple[Attempt, ...]:
        a = t.attempts.c
        return self._all(select(t.attempts).where(a.delivery_id == delivery_id).order_by(a.number), rows.attempt)

    # Operators, events, journal

    def dead(self, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        d = t.deliveries.c
        query = select(t.deliveries).where(d.state == TransportState.DEAD, _after(d.id, after))
        return self._all(query.order_by(d.id).limit(limit), rows.delivery)

    def items(self, *, open_only: bool, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        i = t.items.c
        query = select(t.items)
        if open_only:
            query = query.where(i.closed_at.is_(None))
        if after is not None:
            query = query.where(i.id > after)
        return self._all(query.order_by(i.id).limit(limit), rows.item)

    def events(self, *, after: str | None, limit: int) -> tuple[Event, ...]:
        e = t.events.c
        query = select(t.events)
        if after is not None:
            tx, seq = cursors.read(after)
            query = query.where(or_(e.tx > tx, and_(e.tx == tx, e.seq > seq)))
        if self._postgresql:
            # What an unfinished transaction wrote has a number already and is not to be seen: nobody may pass it.
            horizon = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
            query = query.where(e.tx < horizon)
        return self._all(query.order_by(e.tx, e.seq).limit(limit), cursors.event)

    def inbound(self, channel_id: str, *, limit: int) -> tuple[InboundRecord, ...]:
        i = t.inbound.c
        query = select(t.inbound).where(i.channel_id == channel_id).order_by(i.id.desc()).limit(limit)
        return self._all(query, rows.inbound)

    def answer(self, principal: str, key: str) -> StoredAnswer | None:
        a = t.answers.c
        return self._one(select(t.answers).where(a.principal == principal, a.key == key), rows.answer)

    # Attachments, health

    def attachment(self, sha256: str) -> StoredAttachment | None:
        return self._one(select(t.attachments).where(t.attachments.c.sha256 == sha256), rows.attachment)

    def may_read(self, sha256: str, party: str) -> bool:
        g = t.grants.c
        return self._one(select(g.sha256).where(g.sha256 == sha256, g.party == party), lambda row: row) is not None

    def counts(self) -> Mapping[str, int]:
        d, i = t.deliveries.c, t.items.c
        by_state = select(d.state, func.count().label("n")).group_by(d.state)
        counts = {f"delivery.{state}": 0 for state in TransportState}
        counts.update(self._all(by_state, lambda row: (f"delivery.{row.state}", int(row.n))))
        open_items = select(func.count().label("n")).select_from(t.items).where(i.closed_at.is_(None))
        counts["items.open"] = self._all(open_items, lambda row: int(row.n))[0]
        counts["cases"] = self._all(select(func.count().label("n")).select_from(t.cases), lambda row: int(row.n))[0]
        return counts

    def ping(self) -> None:
        """A write transaction that changes nothing: fails if the database could not keep anything now."""
        with self._write() as connection:
            connection.execute(t.lanes.delete().where(t.lanes.c.channel_id == ""))


def known_tables() -> Sequence[str]:
    """Names of all tables, for documentation and tests."""
    return sorted(t.metadata.tables)
