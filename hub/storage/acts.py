"""Groups of failures and acts on many, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.schemas.acts import ActKind, ActState, ActThing, BulkAct, FailureGroup, GroupKind, Selection
from hub.schemas.delivery import Delivery, OperatorItem
from hub.storage import rows, rules, schema
from hub.storage.database import Database

_A, _D, _I = schema.acts.c, schema.deliveries.c, schema.items.c
_MOST_GROUPS = 1_000
_DELIVERIES = sa.select(*rows.DELIVERY_COLUMNS, *rows.PAYLOAD_COLUMNS).select_from(
    schema.deliveries.outerjoin(schema.payloads, schema.payloads.c.delivery_id == _D.id)
)


class SqlActs:
    """The port ``Acts``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def groups(self) -> tuple[FailureGroup, ...]:
        """Everything that failed or waits for a person, by cause, body and channel, the largest group first."""
        # PostgreSQL has no greatest uuid; their text sorts alike, as their digits do.
        key: sa.ColumnElement[Any] = sa.cast(_D.id, sa.Text) if self.database.postgres else sa.func.hex(_D.id)
        e = schema.inbound.c
        every = sa.union_all(
            _grouped(GroupKind.DEAD, _D.last_code, _D.authority, _D.channel_id, _D.created_at, key, schema.IS_DEAD),
            _grouped(GroupKind.ITEM, _I.reason, _I.authority, _I.channel_id, _I.opened_at, _I.id, schema.IS_OPEN),
            _grouped(GroupKind.HELD, e.verdict, e.authority, e.channel_id, e.received_at, e.id, schema.IS_HELD),
        )
        found = every.subquery().c
        largest = (found.number.desc(), found.kind, found.code, sa.func.coalesce(found.channel_id, ""))
        statement = sa.select(*found).order_by(*largest).limit(_MOST_GROUPS)
        return self.database.read(lambda connection: tuple(map(_group, connection.execute(statement).all())))

    def count_dead(self, where: Selection) -> int:
        """Dead letters of a selection."""
        return self._count(sa.select(sa.func.count()).select_from(schema.deliveries).where(*_dead(where)))

    def count_items(self, where: Selection) -> int:
        """Open items of a selection."""
        return self._count(sa.select(sa.func.count()).select_from(schema.items).where(*_items(where)))

    def dead_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Dead letters of a selection that were made until then, by id."""
        behind = _D.id > sa.literal(rules.id_after(after), _D.id.type)
        statement = _DELIVERIES.where(*_dead(where), behind, _D.created_at <= until).order_by(_D.id).limit(limit)
        return self.database.read(lambda connection: tuple(map(rows.delivery, connection.execute(statement))))

    def items_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """Open items of a selection that were opened until then, by id."""
        mine = (*_items(where), _I.opened_at <= until)
        statement = sa.select(schema.items).where(*mine, _I.id > (after or ""))
        ordered = statement.order_by(_I.id).limit(limit)
        return self.database.read(lambda connection: tuple(map(rows.item, connection.execute(ordered))))

    def item(self, item_id: str) -> OperatorItem | None:
        """One item, open or not."""
        wanted = sa.select(schema.items).where(_I.id == item_id)
        row = self.database.read(lambda connection: connection.execute(wanted).one_or_none())
        return None if row is None else rows.item(row)

    def order(self, act: BulkAct) -> None:
        """Keep a new act."""
        values = {**_values(act), "id": act.id, "kind": act.kind, "by": act.by, "why": act.why}
        values |= {"created_at": act.created_at, "total": act.total, "target": act.target}
        values |= {"selection": {k: v for k in _SELECTED if (v := getattr(act.where, k)) is not None}}
        self._write(sa.insert(schema.acts).values(values))

    def act(self, act_id: UUID) -> BulkAct | None:
        """One act."""
        found = self._acts(sa.select(schema.acts).where(_A.id == act_id))
        return found[0] if found else None

    def acts(self, *, limit: int) -> tuple[BulkAct, ...]:
        """Acts, the newest first."""
        return self._acts(sa.select(schema.acts).order_by(_A.created_at.desc(), _A.id.desc()).limit(limit))

    def acquire_act(self, *, owner: str, now: datetime, lease_until: datetime) -> BulkAct | None:
        """Hold the oldest act that runs and that nobody else holds; None if there is none."""
        free = sa.or_(_A.lease_until.is_(None), _A.lease_until <= now, _A.owner == owner)
        runs = sa.and_(_A.state == ActState.RUNNING, free)
        first = sa.select(_A.id).where(runs).order_by(_A.created_at, _A.id).limit(1)

        def work(connection: Connection) -> UUID | None:
            found: UUID | None = connection.execute(first).scalar_one_or_none()
            if found is None:
                return None
            hold = sa.update(schema.acts).where(_A.id == found, runs).values(owner=owner, lease_until=lease_until)
            return found if connection.execute(hold).rowcount == 1 else None

        held = self.database.write(work)
        return None if held is None else self.act(held)

    def note_things(self, things: Sequence[ActThing]) -> None:
        """Keep what an act is about to do something to; what is known already stays as it is."""
        if not things:
            return
        insert = self.database.insert(schema.act_things).on_conflict_do_nothing()
        values = [asdict(each) for each in things]
        self.database.write(lambda connection: connection.execute(insert, values))

    def things_of(self, act_id: UUID, *, after: str | None, limit: int) -> tuple[ActThing, ...]:
        """Things that an act did something to, by id."""
        t = schema.act_things.c
        statement = sa.select(schema.act_things).where(t.act_id == act_id, t.thing > (after or ""))
        ordered = statement.order_by(t.thing).limit(limit)
        found = self.database.read(lambda connection: connection.execute(ordered).all())
        return tuple(ActThing(**row._mapping) for row in found)

    def count_things(self, act_id: UUID) -> int:
        """Number of things that an act did something to."""
        mine = schema.act_things.c.act_id == act_id
        return self._count(sa.select(sa.func.count()).select_from(schema.act_things).where(mine))

    def save_act(self, act: BulkAct, *, owner: str) -> bool:
        """Keep how far an act has come and let it go; False if another holds it."""
        mine = (_A.id == act.id, _A.owner == owner)
        values = _values(act) | {"owner": None, "lease_until": None}
        if act.state is ActState.RUNNING:
            del values["state"]  # a pause that was ordered meanwhile stays
        return self._write(sa.update(schema.acts).where(*mine).values(values)) == 1

    def set_state(self, act_id: UUID, state: ActState, *, only: ActState) -> bool:
        """Pause or resume; False if it does not stand as ``only`` says."""
        return self._write(sa.update(schema.acts).where(_A.id == act_id, _A.state == only).values(state=state)) == 1

    def _count(self, statement: sa.Select[Any]) -> int:
        return self.database.read(lambda connection: int(connection.execute(statement).scalar_one()))

    def _write(self, statement: sa.Update | sa.Insert) -> int:
        return self.database.write(lambda connection: connection.execute(statement).rowcount)

    def _acts(self, statement: sa.Select[Any]) -> tuple[BulkAct, ...]:
        return self.database.read(lambda connection: tuple(map(_act, connection.execute(statement))))


_SELECTED = ("code", "authority", "channel_id")


def _values(act: BulkAct) -> dict[str, Any]:
    """Columns that change."""
    return {
        "state": act.state,
        "done": act.done,
        "failed": act.failed,
        "cursor": act.cursor,
        "codes": dict(act.codes),
    }


def _act(row: rows.Row) -> BulkAct:
    return BulkAct(
        id=row.id,
        kind=ActKind(row.kind),
        where=Selection(**row.selection),
        by=row.by,
        why=row.why,
        created_at=row.created_at,
        total=row.total,
        target=row.target,
        state=ActState(row.state),
        done=row.done,
        failed=row.failed,
        cursor=row.cursor,
        codes=row.codes,
    )


def _grouped(
    kind: GroupKind,
    code: sa.Column[Any],
    authority: sa.Column[Any],
    channel: sa.Column[Any],
    at: sa.Column[Any],
    key: sa.ColumnElement[Any],
    only: sa.ColumnElement[bool],
) -> sa.Select[Any]:
    named = sa.func.coalesce(code, "").label("code")
    counted = sa.select(
        sa.literal(kind.value).label("kind"),
        named,
        authority.label("authority"),
        channel.label("channel_id"),
        sa.func.count().label("number"),
        sa.func.min(at).label("first_at"),
        sa.func.max(at).label("last_at"),
        sa.func.max(key).label("example"),
    )
    return counted.where(only).group_by(named, authority, channel)


def _group(row: rows.Row) -> FailureGroup:
    kind = GroupKind(row.kind)
    return FailureGroup(
        kind=kind,
        code=row.code,
        authority=row.authority,
        channel_id=row.channel_id,
        count=row.number,
        first_at=row.first_at,
        last_at=row.last_at,
        example=str(UUID(row.example)) if kind is GroupKind.DEAD else row.example,
    )


def _dead(where: Selection) -> list[sa.ColumnElement[bool]]:
    return [schema.IS_DEAD, *_chosen(where, _D.last_code, _D.authority, _D.channel_id)]


def _items(where: Selection) -> list[sa.ColumnElement[bool]]:
    return [schema.IS_OPEN, *_chosen(where, _I.reason, _I.authority, _I.channel_id)]


def _chosen(where: Selection, *columns: sa.Column[Any]) -> Iterator[sa.ColumnElement[bool]]:
    for name, column in zip(_SELECTED, columns, strict=True):
        value = getattr(where, name)
        if value is not None:
            yield column == value
