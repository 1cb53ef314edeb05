"""The store on SQLite or PostgreSQL: the port ``Store``, method by method."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from hub.ports import CaseFilter, CaseGrouping
from hub.schemas.delivery import (
    Applied,
    Attempt,
    CaseRow,
    Change,
    Claim,
    Comparison,
    Delivery,
    Direction,
    Event,
    Fact,
    LaneDue,
    LaneState,
    Message,
    Note,
    OperatorItem,
    StoredAnswer,
    StoredAttachment,
    TransportState,
)
from hub.schemas.ids import CaseId, DeliveryId, MessageId
from hub.schemas.terms import Kind
from hub.storage import claims, horizon, listing, rows, rules, schema
from hub.storage.database import Database
from hub.storage.journal import SqlJournalReads
from hub.storage.listening import SqlListening
from hub.storage.rules import utc_now
from hub.storage.writing import Writer, counting
from hub.tracking.law import Law, shipped

V = TypeVar("V")
COUNTING_SHARE = 100
COUNTING_SECS = 0.25
"""Where counting takes longer than this, it may take one hundredth of the time; in between, the last figures stand."""

_DELIVERIES = sa.select(*rows.DELIVERY_COLUMNS, *rows.PAYLOAD_COLUMNS).select_from(
    schema.deliveries.outerjoin(schema.payloads, schema.payloads.c.delivery_id == schema.deliveries.c.id)
)


class SqlStore(SqlJournalReads, SqlListening):
    """The durable memory. Safe to use from many threads; several processes may share one database."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utc_now, law: Law | None = None) -> None:
        """``law``: what terms of cases count by, absent = the package's."""
        self._law = law or shipped()
        self.database = Database(engine)
        self._now = now
        self._txid_offset: int | None = None
        self._counted: tuple[float, Mapping[str, int]] | None = None
        self._counting = threading.Lock()

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()

    def apply(self, change: Change) -> Applied:
        """Write all of it durably, or nothing. ``NotFound`` if it hangs on a case or message that is not there."""
        offset = self._offset()
        return self.database.write(
            lambda connection: Writer(connection, change, now=self._now(), txid_offset=offset, law=self._law).run()
        )

    def _offset(self) -> int:
        if self._txid_offset is None:
            known = 0
            if self.database.postgres:
                known = self.database.write(lambda connection: horizon.offset(connection, self._now()))
            self._txid_offset = known
        return self._txid_offset

    def _all(self, statement: sa.Select[Any], make: Callable[[rows.Row], V]) -> tuple[V, ...]:
        return self.database.read(lambda connection: tuple(map(make, connection.execute(statement))))

    def _one(self, statement: sa.Select[Any], make: Callable[[rows.Row], V]) -> V | None:
        row = self.database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else make(row)

    def claim(
        self,
        limits: Mapping[str, int],
        *,
        now: datetime,
        begin: Callable[[Sequence[Claim], Mapping[str, LaneState]], Change],
    ) -> Applied:
        """Look at what is due and write what ``begin`` makes of it, in one transaction."""
        wanted = {channel_id: limit for channel_id, limit in limits.items() if limit > 0}
        offset = self._offset()
        look = claims.due if self.database.postgres else claims.due_alone

        def work(connection: Connection) -> Applied:
            found = look(connection, wanted, now)
            if not found:
                return Applied()
            # Read after the lanes are locked: what another worker wrote of them before is seen.
            names = {claim.delivery.channel_id for claim in found}
            change = begin(found, claims.states(connection, sorted(names)))
            return Writer(connection, change, now=self._now(), txid_offset=offset, law=self._law).run()

        return self.database.write(work) if wanted else Applied()

    def claim_polls(self, channel_id: str, *, now: datetime, next_at: datetime, limit: int) -> tuple[Delivery, ...]:
        """Deliveries to be asked about now; moved on to ``next_at``."""
        if limit <= 0:
            return ()
        return self.database.write(lambda c: claims.claim_polls(c, channel_id, now, next_at, limit))

    def claim_collect(self, channel_id: str, *, now: datetime, until: datetime) -> bool:
        """True if the caller may collect now; nobody else may before ``until``."""
        insert = self.database.insert(schema.collects)
        mine = insert.values(channel_id=channel_id, next_at=until).on_conflict_do_update(
            index_elements=["channel_id"], set_={"next_at": until}, where=schema.collects.c.next_at <= now
        )
        return self.database.write(lambda connection: connection.execute(counting(mine)).rowcount) > 0

    def plan_collect(self, channel_id: str, at: datetime, *, heard_at: datetime | None = None) -> None:
        """When to collect over this channel next, and when it went well."""
        planned = {"next_at": at} if heard_at is None else {"next_at": at, "heard_at": heard_at}
        self._upsert(schema.collects, "channel_id", {"channel_id": channel_id, **planned}, planned)

    def save_progress(self, delivery_id: DeliveryId, progress: str, *, owner: str) -> bool:
        """Note how far a delivery of several calls has come, while its lease holds."""
        p, d = schema.payloads.c, schema.deliveries.c
        held = sa.exists().where(d.id == delivery_id, d.lease_owner == owner)
        come = sa.update(schema.payloads).where(p.delivery_id == delivery_id, held).values(progress=progress)
        return self.database.write(lambda connection: connection.execute(counting(come)).rowcount) > 0

    def bookmark(self, channel_id: str) -> str | None:
        """Where a list was read to over this channel."""
        c = schema.collects.c
        return self._one(sa.select(c.bookmark).where(c.channel_id == channel_id), lambda row: row[0])

    def save_bookmark(self, channel_id: str, bookmark: str) -> None:
        """Keep where a list was read to."""
        c = schema.collects.c
        kept = sa.update(schema.collects).where(c.channel_id == channel_id).values(bookmark=bookmark)
        self.database.write(lambda connection: connection.execute(kept))

    def collects_later(self, now: datetime) -> frozenset[str]:
        """Channels over which it is not yet time to collect."""
        c = schema.collects.c
        return frozenset(self._all(sa.select(c.channel_id).where(c.next_at > now), lambda row: str(row[0])))

    def due_lanes(self, now: datetime, limit: int = 10_000) -> tuple[LaneDue, ...]:
        """Lanes with work now, by channel id; work is counted up to 1,000 a lane."""
        return self.database.read(lambda connection: claims.due_lanes(connection, now, limit))

    def waiting(self) -> Mapping[str, int]:
        """Deliveries that are still to go out, by channel."""
        d = schema.deliveries.c
        counted = sa.select(d.channel_id, sa.func.count()).where(d.due_at.is_not(None)).group_by(d.channel_id)
        return {str(channel_id): int(count) for channel_id, count in self._all(counted, tuple)}

    def lane(self, channel_id: str) -> LaneState:
        """State of a lane; a fresh one if nothing is known."""
        found = self._one(sa.select(schema.lanes).where(schema.lanes.c.channel_id == channel_id), rows.lane)
        return found or LaneState(channel_id=channel_id)

    def lane_states(self, channel_ids: Sequence[str]) -> Mapping[str, LaneState]:
        """States of those lanes that have one."""
        return self.database.read(lambda connection: claims.states(connection, channel_ids))

    def save_lane(self, state: LaneState) -> None:
        """Keep a lane's health; a pause that an operator made meanwhile stays, and a rest that a claim set."""
        values = rows.lane_values(state)
        changed = {name: value for name, value in values.items() if name not in ("channel_id", "paused", "rest_until")}
        self._upsert(schema.lanes, "channel_id", values | {"paused": False, "rest_until": None}, changed)

    def pause_lane(self, channel_id: str, *, paused: bool) -> LaneState:
        """Pause a lane, or let it run again with a closed breaker."""
        fresh = rows.lane_values(LaneState(channel_id=channel_id, paused=paused))
        changed = {"paused": True} if paused else {k: v for k, v in fresh.items() if k != "channel_id"}
        self._upsert(schema.lanes, "channel_id", fresh, changed)
        return self.lane(channel_id)

    def _upsert(self, table: sa.Table, key: str, values: rows.Values, changed: rows.Values) -> None:
        insert = self.database.insert(table)
        statement = insert.values(values).on_conflict_do_update(index_elements=[key], set_=changed)
        self.database.write(lambda connection: connection.execute(statement))

    def lanes(self) -> tuple[LaneState, ...]:
        """All lanes with a known state, by channel id."""
        return self._all(sa.select(schema.lanes).order_by(schema.lanes.c.channel_id), rows.lane)

    def release(self, owner_prefix: str) -> int:
        """End the leases of owners that are surely gone."""
        d = schema.deliveries.c
        statement = (
            sa.update(schema.deliveries)
            .where(
                schema.IS_UNFINISHED,
                d.state == sa.literal_column("'sending'"),
                sa.func.substr(d.lease_owner, 1, len(owner_prefix)) == owner_prefix,
            )
            .values(state=TransportState.UNKNOWN.value, lease_owner=None, lease_until=None, next_at=self._now())
        )
        return self.database.write(lambda connection: connection.execute(statement).rowcount)

    def case(self, case_id: CaseId) -> CaseRow | None:
        """One case."""
        return self._one(sa.select(schema.cases).where(schema.cases.c.id == case_id), rows.case)

    def cases(self, where: CaseFilter, *, after: str | None, limit: int, newest: bool = False) -> tuple[CaseRow, ...]:
        """Cases in order of arrival. ``authority``: cases that were sent to it."""
        statement = listing.page(where, after=after, newest=newest, postgres=self.database.postgres)
        return self._all(statement.limit(limit), rows.case)

    def take_numbers(self, owner: str, year: int, count: int) -> int:
        """Take numbers in a row; the first of them."""
        table = schema.case_numbers
        fresh = self.database.insert(table).values(owner=owner, year=year, last=count)
        raised = fresh.on_conflict_do_update(
            index_elements=["owner", "year"], set_={"last": table.c.last + count}
        ).returning(table.c.last)
        last: int = self.database.write(lambda connection: connection.execute(raised).scalar_one())
        return last - count + 1

    def count_cases(self, where: CaseFilter, by: CaseGrouping = CaseGrouping.STATE) -> Mapping[str, int]:
        """Number of cases by one of their columns."""
        statement = listing.counts(where, by, postgres=self.database.postgres)
        return dict(self._all(statement, lambda row: (row[0], row[1])))

    def claim_watched(
        self, *, now: datetime, until: datetime, limit: int, case_id: CaseId | None = None
    ) -> tuple[CaseRow, ...]:
        """Cases to be looked at now; moved on to ``until``. One statement over the index of those that wait."""
        c = schema.cases.c
        due = sa.select(c.id).where(c.watch_at <= now).order_by(c.watch_at, c.id).limit(max(limit, 0))
        if case_id is not None:
            due = due.where(c.id == case_id)
        taken = due.with_for_update(skip_locked=True, key_share=True).cte("due") if self.database.postgres else due
        chosen = c.id.in_(sa.select(taken.c.id)) if isinstance(taken, sa.CTE) else c.id.in_(taken)
        statement = sa.update(schema.cases).where(chosen).values(watch_at=until).returning(*schema.cases.c)
        return self.database.write(lambda connection: tuple(map(rows.case, connection.execute(statement))))

    def facts_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Facts of several cases."""
        f = schema.facts.c
        found: dict[CaseId, list[Fact]] = {case_id: [] for case_id in case_ids}
        statement = sa.select(schema.facts).where(f.case_id.in_(list(case_ids))).order_by(f.at, f.key)
        for fact in self._all(statement, rows.fact):
            found[fact.case_id].append(fact)
        return {case_id: tuple(facts) for case_id, facts in found.items()}

    def appeals_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The appeal of each of these cases as it was first made out."""
        m = schema.messages.c
        appeals = sa.and_(m.direction == Direction.OUT.value, m.kind == Kind.APPEAL.value)
        statement = sa.select(schema.messages).where(m.case_id.in_(list(case_ids)), appeals)
        found: dict[CaseId, Message] = {}
        for message in self._all(statement.order_by(m.created_at, m.id), rows.message):
            found.setdefault(message.case_id, message)
        return found

    def compared(self) -> tuple[Comparison, ...]:
        """Deliveries over shadow channels beside those that counted; found by the index of shadows alone."""
        tried, counted = schema.deliveries.alias("tried"), schema.deliveries.alias("counted")
        beside = sa.and_(counted.c.message_id == tried.c.message_id, counted.c.shadow.is_not(sa.true()))
        names = (tried.c.channel_id, tried.c.state, counted.c.channel_id, counted.c.state)
        statement = (
            sa.select(*names, sa.func.count())
            .select_from(tried.join(counted, beside))
            .where(tried.c.shadow, counted.c.state != TransportState.CANCELLED.value)
            .group_by(*names)
            .order_by(*names)
        )
        return self._all(
            statement,
            lambda row: Comparison(
                shadow=row[0],
                shadow_state=TransportState(row[1]),
                channel_id=row[2],
                state=TransportState(row[3]),
                count=row[4],
            ),
        )

    def facts(self, case_id: CaseId) -> tuple[Fact, ...]:
        """Facts of a case, by time, then key."""
        f = schema.facts.c
        return self._all(sa.select(schema.facts).where(f.case_id == case_id).order_by(f.at, f.key), rows.fact)

    def message(self, message_id: MessageId) -> Message | None:
        """One message."""
        return self._one(sa.select(schema.messages).where(schema.messages.c.id == message_id), rows.message)

    def messages(self, case_id: CaseId) -> tuple[Message, ...]:
        """Messages of a case, by time, then id."""
        m = schema.messages.c
        statement = sa.select(schema.messages).where(m.case_id == case_id).order_by(m.created_at, m.id)
        return self._all(statement, rows.message)

    def notes(self, case_id: CaseId) -> tuple[Note, ...]:
        """Notes about a case, by time, then id."""
        n = schema.notes.c
        return self._all(sa.select(schema.notes).where(n.case_id == case_id).order_by(n.at, n.id), rows.note)

    def delivery(self, delivery_id: DeliveryId) -> Delivery | None:
        """One delivery."""
        return self._one(_DELIVERIES.where(schema.deliveries.c.id == delivery_id), rows.delivery)

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        """Deliveries of a case, by time, then id."""
        d = schema.deliveries.c
        return self._all(_DELIVERIES.where(d.case_id == case_id).order_by(d.created_at, d.id), rows.delivery)

    def delivery_of(self, message_id: MessageId) -> Delivery | None:
        """The delivery that carries this message; the newest, if it was handed from channel to channel."""
        d = schema.deliveries.c
        newest = (
            _DELIVERIES.where(d.message_id == message_id, d.shadow.is_not(sa.true()))
            .order_by(d.created_at.desc(), d.id.desc())
            .limit(1)
        )
        return self._one(newest, rows.delivery)

    def deliveries_known_as(
        self, external_id: str, *, authority: str | None = None, channel_id: str | None = None, limit: int
    ) -> tuple[Delivery, ...]:
        """Deliveries that another system knows by this id, newest first."""
        d = schema.deliveries.c
        over = d.channel_id == channel_id if channel_id is not None else d.shadow.is_not(sa.true())
        found = _DELIVERIES.where(d.external_id == external_id, over)
        if authority is not None:
            found = found.where(d.authority == authority)
        return self._all(found.order_by(d.id.desc()).limit(limit), rows.delivery)

    def offered(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that wait in an authority's inbox, by id."""
        d = schema.deliveries.c
        statement = _DELIVERIES.where(
            schema.IS_UNFINISHED,
            d.state == sa.literal_column("'offered'"),
            d.authority == authority,
            d.id > rules.id_after(after),
        )
        return self._all(statement.order_by(d.id).limit(limit), rows.delivery)

    def attempts(self, delivery_id: DeliveryId) -> tuple[Attempt, ...]:
        """Attempts of a delivery, by number."""
        a = schema.attempts.c
        statement = sa.select(*rows.ATTEMPT_COLUMNS).where(a.delivery_id == delivery_id).order_by(a.number, a.id)
        return self._all(statement, rows.attempt)

    def dead(self, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries in state ``dead``, by id."""
        key = schema.deliveries.c.id
        statement = _DELIVERIES.where(schema.IS_DEAD, key > rules.id_after(after))
        return self._all(statement.order_by(key).limit(limit), rows.delivery)

    def items(self, *, open_only: bool, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """The operators' queue, by id."""
        statement = sa.select(schema.items).where(schema.items.c.id > (after or ""))
        if open_only:
            statement = statement.where(schema.IS_OPEN)
        return self._all(statement.order_by(schema.items.c.id).limit(limit), rows.item)

    def open_items(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[OperatorItem, ...]]:
        """Open items of these cases; each half of the condition has an index of its own."""
        i = schema.items.c
        of_them = i.case_id.in_(list(case_ids))
        wanted = sa.or_(
            *(sa.and_(schema.IS_OPEN, half, of_them) for half in (i.delivery_id.is_(None), i.delivery_id.is_not(None)))
        )
        found: dict[CaseId, tuple[OperatorItem, ...]] = {}
        for item in self._all(sa.select(schema.items).where(wanted).order_by(i.id), rows.item):
            found[item.case_id] = (*found.get(item.case_id, ()), item)
        return found

    def close_items(
        self,
        delivery_id: DeliveryId | None,
        case_id: CaseId,
        at: datetime,
        resolution: str,
        reasons: Collection[str] = (),
    ) -> int:
        """Close the open items of a case, or of one delivery of it."""
        i = schema.items.c
        statement = sa.update(schema.items).where(schema.IS_OPEN, i.case_id == case_id)
        if reasons:
            statement = statement.where(i.reason.in_(reasons))
        if delivery_id is not None:
            statement = statement.where(i.delivery_id == delivery_id)
        done = statement.values(closed_at=at, resolution=resolution)
        return self.database.write(lambda connection: connection.execute(done).rowcount)

    def events(self, *, after: str | None, limit: int, authority: str | None = None) -> tuple[Event, ...]:
        """Events after a cursor, in order of commit; ``InvalidInput`` for a cursor that is not ours."""
        f = schema.facts.c
        txid, seq = rules.cursor_place(after)
        statement = sa.select(schema.facts).limit(limit)
        if authority is not None:
            statement = statement.where(f.authority == authority)
        if self.database.postgres:
            place = sa.tuple_(f.txid, f.seq) > sa.tuple_(
                sa.literal(txid, sa.BigInteger), sa.literal(seq, sa.BigInteger)
            )
            settled = f.txid < horizon.XMIN + self._offset()
            statement = statement.where(place, settled).order_by(f.txid, f.seq)
        else:
            statement = statement.where(f.seq > seq).order_by(f.seq)
        return self._all(statement, rows.event)

    def newest_event(self) -> str | None:
        """The cursor of the newest event that ``events`` gives; None before the first."""
        f = schema.facts.c
        if not self.database.postgres:
            last = sa.select(sa.func.max(f.seq).label("seq"))
            return self._one(last, lambda row: None if row.seq is None else rules.cursor_text(0, row.seq))
        settled = sa.select(f.txid, f.seq).where(f.txid < horizon.XMIN + self._offset())
        newest = settled.order_by(f.txid.desc(), f.seq.desc()).limit(1)
        return self._one(newest, lambda row: rules.cursor_text(row.txid, row.seq))

    def answer(self, principal: str, key: str) -> StoredAnswer | None:
        """Answer that was given to this idempotency key before."""
        a = schema.answers.c
        return self._one(sa.select(schema.answers).where(a.principal == principal, a.key == key), rows.answer)

    def attachment(self, sha256: str) -> StoredAttachment | None:
        """An attachment that is known."""
        return self._one(sa.select(schema.attachments).where(schema.attachments.c.sha256 == sha256), rows.attachment)

    def may_read(self, sha256: str, party: str) -> bool:
        """True if this party was granted the attachment."""
        g = schema.grants.c
        return self._one(sa.select(g.party).where(g.sha256 == sha256, g.party == party), bool) is not None

    def counts(self) -> Mapping[str, int]:
        """Deliveries by state, and open items.

        Only what is unfinished is looked at row by row, but even counting the rest takes long where millions are
        stored: over a quarter of a second, figures are given again for up to 100 times the time it took.
        """
        with self._counting:
            began = time.monotonic()
            if self._counted is None or began >= self._counted[0]:
                figures = self.database.read(_count)
                ended = time.monotonic()
                keep = (ended - began) * COUNTING_SHARE if ended - began > COUNTING_SECS else 0.0
                self._counted = (ended + keep, figures)
            return self._counted[1]

    def ping(self) -> None:
        """Write one row durably; raises ``Unavailable`` if that cannot be done now."""
        now = self._now()
        self._upsert(schema.pulse, "id", {"id": 1, "beaten_at": now, "txid_offset": 0}, {"beaten_at": now})


def _count(connection: Connection) -> Mapping[str, int]:
    state = schema.deliveries.c.state
    unfinished = sa.select(state, sa.func.count()).where(schema.IS_UNFINISHED).group_by(state)
    figures = {f"delivery.{name}": 0 for name in TransportState}
    figures |= {f"delivery.{row[0]}": row[1] for row in connection.execute(unfinished)}
    total = connection.execute(sa.select(sa.func.count()).select_from(schema.deliveries)).scalar_one()
    figures["delivery.delivered"] = max(0, total - sum(figures.values()))
    items = sa.select(sa.func.count()).select_from(schema.items).where(schema.IS_OPEN)
    figures["items.open"] = connection.execute(items).scalar_one()
    return figures
