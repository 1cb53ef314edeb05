"""Updates of deliveries, many in one statement: the same rules as ``rules.updated``, in SQL on PostgreSQL.

There a row is neither read nor sent back: an update names what changes, and the statement itself sees to it that a
lease still holds and that ``delivered`` is never lowered. SQLite reads, merges and writes, under its one writer's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from hub.schemas.delivery import Delivery, DeliveryUpdate
from hub.schemas.ids import DeliveryId
from hub.storage import rows, rules, schema
from hub.storage.bulk import Columns, Insert

_ALWAYS = ("state", "next_at", "poll_at", "lease_owner", "lease_until")
_IF_GIVEN = ("attempts", "first_attempt_at", "external_id", "last_code", "delivered_at", "looked_at")
_MOVING = (*_ALWAYS, *_IF_GIVEN)

_KEPT = "d.state = 'delivered'"
_SET = ", ".join(
    (
        f"state = CASE WHEN {_KEPT} THEN d.state ELSE u.state END",
        f"next_at = CASE WHEN {_KEPT} THEN NULL ELSE u.next_at END",
        "poll_at = u.poll_at",
        "lease_owner = CASE WHEN u.lease_until IS NOT NULL THEN u.lease_owner END",
        "lease_until = u.lease_until",
        *(f"{name} = coalesce(u.{name}, d.{name})" for name in _IF_GIVEN),
    )
)


class _OnPostgres:
    """One statement for all updates of different deliveries; those that were not applied lost their lease."""

    def __init__(self, dialect: Dialect) -> None:
        self._columns = Columns(
            schema.deliveries,
            ("id", "state", "next_at", "poll_at", "lease_until", *_IF_GIVEN),
            dialect,
        )
        source = self._columns.unnest(lease_owner="text")
        self._sql = (
            f"UPDATE deliveries d SET {_SET} FROM {source}"  # noqa: S608 - names of our own schema
            " WHERE d.id = u.id AND (u.lease_owner IS NULL OR u.lease_until IS NOT NULL"
            " OR u.lease_owner = d.lease_owner) RETURNING d.id"
        )

    def run(self, connection: Connection, updates: Sequence[DeliveryUpdate]) -> set[DeliveryId]:
        owners = [update.owner for update in updates]
        parameters = self._columns.arrays(updates, lease_owner=owners)
        done = connection.exec_driver_sql(self._sql, parameters)
        return {row[0] for row in done}


class _OnSqlite:
    """Read, merge and write under the lock of the one writer."""

    def run(self, connection: Connection, updates: Sequence[DeliveryUpdate]) -> set[DeliveryId]:
        found = connection.execute(_LOOK, {"ids": [update.id for update in updates]})
        after, _ = rules.merged({row.id: rows.delivery(row) for row in found}, updates)
        if after:
            connection.execute(_MOVE, [{"b_id": key} | _moved(after[key]) for key in sorted(after)])
        return set(after)


def _moved(delivery: Delivery) -> rows.Values:
    values = {name: getattr(delivery, name) for name in _MOVING}
    values["state"] = delivery.state.value
    return values


_LOOK = sa.select(*rows.DELIVERY_COLUMNS).where(
    schema.deliveries.c.id.in_(sa.bindparam("ids", expanding=True)),
)
_MOVE = (
    sa.update(schema.deliveries)
    .where(schema.deliveries.c.id == sa.bindparam("b_id"))
    .values({name: sa.bindparam(name) for name in _MOVING})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payload:
    delivery_id: DeliveryId
    payload_type: str | None
    payload: bytes
    progress: None = None


def payloads_of(values: Iterable[Delivery | DeliveryUpdate]) -> list[_Payload]:
    """The payloads that deliveries or updates bring."""
    return [
        _Payload(delivery_id=value.id, payload_type=value.payload_type, payload=value.payload)
        for value in values
        if value.payload is not None
    ]


class Updates:
    """Applies updates of deliveries."""

    def __init__(self, dialect: Dialect) -> None:
        run: Callable[[Connection, Sequence[DeliveryUpdate]], set[DeliveryId]] = (
            _OnPostgres(dialect).run if dialect.name == "postgresql" else _OnSqlite().run
        )
        self._run = run
        self._set_payload = Insert(
            schema.payloads,
            ("delivery_id", "payload_type", "payload"),
            dialect,
            tail="ON CONFLICT (delivery_id) DO UPDATE SET payload = excluded.payload,"
            " payload_type = coalesce(excluded.payload_type, payloads.payload_type)",
        )

    def apply(self, connection: Connection, updates: Sequence[DeliveryUpdate]) -> tuple[DeliveryId, ...]:
        """Apply updates one after another; ids of those that may not be applied, in the order given."""
        lost: list[DeliveryId] = []
        for turn in _turns(updates):
            done = self._run(connection, turn)
            lost += [update.id for update in turn if update.id not in done]
            self._set_payload.run(connection, payloads_of(update for update in turn if update.id in done))
        return tuple(lost)


def _turns(updates: Sequence[DeliveryUpdate]) -> Iterable[Sequence[DeliveryUpdate]]:
    """Updates in order of id; a second one of the same delivery waits for the next turn."""
    left: Sequence[DeliveryUpdate] = updates
    while left:
        turn: dict[DeliveryId, DeliveryUpdate] = {}
        later = [update for update in left if turn.setdefault(update.id, update) is not update]
        yield [turn[key] for key in sorted(turn)]
        left = later


@cache
def updates_for(dialect: Dialect) -> Updates:
    """Made once for each engine: building a statement costs more than a short one takes to run."""
    return Updates(dialect)


__all__ = ["Updates", "payloads_of", "updates_for"]
