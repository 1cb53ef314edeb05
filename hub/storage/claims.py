"""Due work, and who takes it. Every question here is answered from the partial indexes of what is still to be done.

Claims walk the priorities one by one, each a range of the index (channel, priority, due), so that neither finished rows
nor rows that wait for later cost anything. On PostgreSQL ``FOR UPDATE SKIP LOCKED`` keeps two claimers apart; on SQLite
the one writer does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from hub.schemas.delivery import Claim, Delivery, LaneDue, LaneState
from hub.storage import rows
from hub.storage.bulk import among
from hub.storage.rules import PRIORITIES, urgency
from hub.storage.schema import deliveries, lanes, messages, payloads

COUNT_LIMIT = 1_000
"""Up to where the work of one lane is counted; a lane with more is due all the same."""

_d = deliveries.c
_CHANNEL = sa.bindparam("channel", type_=_d.channel_id.type)
_NOW = sa.bindparam("now", type_=_d.due_at.type)
_MOST = sa.bindparam("most", type_=sa.Integer)
_UNTIL = sa.bindparam("until", type_=_d.lease_until.type)
_IDS = sa.bindparam("ids", expanding=True, type_=_d.id.type)


def _due_of(priority: int) -> sa.Select[Any]:
    found = (
        sa.select(_d.id, _d.message_id, _d.due_at)
        .where(_d.channel_id == _CHANNEL, _d.priority == sa.literal_column(str(priority)), _d.due_at <= _NOW)
        .order_by(_d.due_at, _d.id)
        .limit(_MOST)
        .subquery()
    )
    return sa.select(found)


def _with_bodies(found: Any, columns: Iterable[Any]) -> sa.Select[Any]:
    """Deliveries with the bytes of their envelopes and, after a first attempt, their payloads."""
    return sa.select(*columns, *rows.PAYLOAD_COLUMNS, messages.c.body).select_from(
        found.join(messages, messages.c.id == found.c.message_id).outerjoin(
            payloads, payloads.c.delivery_id == found.c.id
        )
    )


# A union is worked through lazily, in order: rows of lower priority are not read once the limit is met.
_PICKED = sa.select(sa.union_all(*map(_due_of, PRIORITIES)).subquery("due")).limit(_MOST).cte("picked")
_LOOK = _with_bodies(deliveries, rows.DELIVERY_COLUMNS).join(_PICKED, _PICKED.c.id == _d.id)

# PostgreSQL, many lanes at once: per lane a lateral walk along the index, all locked and read in one statement. As a
# materialized CTE the walk happens once. The columns are those of the locked row: the statement's own snapshot may be
# older, if another worker was done with the row a moment before.
_LANE_LOCK = 0x4C414E45
"""Space of the advisory locks on lanes: «LANE»."""
_ARMS = " UNION ALL ".join(
    "SELECT * FROM (SELECT d.* FROM deliveries d WHERE d.channel_id = lane.channel_id"
    f" AND d.priority = {priority} AND d.due_at <= :now"
    " ORDER BY d.due_at, d.id LIMIT lane.most FOR NO KEY UPDATE SKIP LOCKED) arm"
    for priority in PRIORITIES
)
_COLUMNS = ", ".join(f"taken.{column.name}" for column in rows.DELIVERY_COLUMNS)
_PAYLOADS = ", ".join(f"payloads.{column.name}" for column in rows.PAYLOAD_COLUMNS)
_DUE = (
    sa.text(
        "WITH taken AS MATERIALIZED (SELECT found.* FROM unnest(:channels, :limits) AS lane(channel_id, most)"
        f" CROSS JOIN LATERAL (SELECT * FROM ({_ARMS}) arms LIMIT lane.most) found"
        # One worker at a time for a lane, or its rate and order would hold in each process only. Not waited for.
        f" WHERE pg_try_advisory_xact_lock({_LANE_LOCK}, hashtext(lane.channel_id)))"
        f" SELECT {_COLUMNS}, {_PAYLOADS}, messages.body FROM taken"
        " JOIN messages ON messages.id = taken.message_id LEFT JOIN payloads ON payloads.delivery_id = taken.id"
    )
    .bindparams(
        sa.bindparam("channels", type_=postgresql.ARRAY(sa.Text)),
        sa.bindparam("limits", type_=postgresql.ARRAY(sa.Integer)),
        sa.bindparam("now", type_=_d.due_at.type),
    )
    .columns(*rows.DELIVERY_COLUMNS, *rows.PAYLOAD_COLUMNS, messages.c.body)
)


_STATES = {
    postgres: sa.select(lanes).where(among(lanes.c.channel_id, sa.Text(), postgres=postgres))
    for postgres in (True, False)
}


def states(connection: Connection, channel_ids: Sequence[str]) -> dict[str, LaneState]:
    """States of those lanes that have one."""
    found = connection.execute(_STATES[connection.dialect.name == "postgresql"], {"ids": list(channel_ids)})
    return {row.channel_id: rows.lane(row) for row in found}


def due(connection: Connection, limits: Mapping[str, int], now: datetime) -> tuple[Claim, ...]:
    """Lock and read what is due on PostgreSQL, in one statement: a few steps in the index for each lane."""
    found = connection.execute(_DUE, {"channels": list(limits), "limits": list(limits.values()), "now": now})
    return _in_order(Claim(delivery=rows.delivery(row), body=row.body) for row in found)


def due_alone(connection: Connection, limits: Mapping[str, int], now: datetime) -> tuple[Claim, ...]:
    """Read what is due on SQLite: the transaction is the only writer."""
    found: list[rows.Row] = []
    for channel_id, limit in limits.items():
        found += connection.execute(_LOOK, {"channel": channel_id, "now": now, "most": limit})
    return _in_order(Claim(delivery=rows.delivery(row), body=row.body) for row in found)


def _in_order(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    return tuple(sorted(claims, key=lambda claim: urgency(claim.delivery)))


_POLL_DUE = (
    sa.select(_d.id)
    .where(_d.channel_id == _CHANNEL, _d.poll_at <= _NOW)
    .order_by(_d.poll_at, _d.id)
    .limit(_MOST)
    .with_for_update(skip_locked=True)
    .cte("picked")
)
_POLL_IDS = sa.select(_POLL_DUE.c.id)
_POLL_MOVE = sa.update(deliveries).where(_d.id.in_(_IDS)).values(poll_at=_UNTIL)
_POLLED = (
    sa.select(*rows.DELIVERY_COLUMNS, *rows.PAYLOAD_COLUMNS)
    .select_from(deliveries.outerjoin(payloads, payloads.c.delivery_id == _d.id))
    .where(_d.id.in_(_IDS))
    .order_by(_d.id)
)


def claim_polls(
    connection: Connection, channel_id: str, now: datetime, next_at: datetime, limit: int
) -> tuple[Delivery, ...]:
    """Deliveries to be asked about; the next asking is moved on, so that no one else asks meanwhile."""
    ids = connection.execute(_POLL_IDS, {"channel": channel_id, "now": now, "most": limit}).scalars().all()
    if not ids:
        return ()
    connection.execute(_POLL_MOVE, {"ids": ids, "until": next_at})
    return tuple(rows.delivery(row) for row in connection.execute(_POLLED, {"ids": ids}))


def _next_channel(of: sa.ColumnElement[Any], after: sa.ColumnElement[Any] | None) -> sa.ScalarSelect[Any]:
    found = sa.select(sa.func.min(_d.channel_id)).where(of.is_not(None))
    return (found if after is None else found.where(_d.channel_id > after)).scalar_subquery()


def _channels(of: sa.ColumnElement[Any], name: str) -> sa.CTE:
    """Channels that have a row in a partial index: one step in the index per channel, however many rows it has."""
    first = sa.select(_next_channel(of, None).label("channel_id")).cte(name, recursive=True)
    following = sa.select(_next_channel(of, first.c.channel_id)).where(first.c.channel_id.is_not(None))
    return first.union_all(following)


_SENDING, _ASKING = _channels(_d.due_at, "sending"), _channels(_d.poll_at, "asking")
_BUSY = sa.union(
    sa.select(_SENDING.c.channel_id).where(_SENDING.c.channel_id.is_not(None)),
    sa.select(_ASKING.c.channel_id).where(_ASKING.c.channel_id.is_not(None)),
).cte("busy")
_LANE_IS_OPEN = sa.and_(
    sa.func.coalesce(lanes.c.paused, sa.false()).is_(sa.false()),
    sa.or_(lanes.c.open_until.is_(None), lanes.c.open_until <= _NOW),
    sa.or_(lanes.c.rest_until.is_(None), lanes.c.rest_until <= _NOW),
)


def _of_lane(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.literal(1).label("one")).where(_d.channel_id == _BUSY.c.channel_id, *conditions)


def _counted(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    found = _of_lane(*conditions).limit(COUNT_LIMIT).correlate(_BUSY).subquery()
    return sa.select(sa.func.count()).select_from(found).scalar_subquery()


# The list of priorities lets each of them be one range of the index.
_RANGES = _d.priority.in_([sa.literal_column(str(priority)) for priority in PRIORITIES])
_COUNTED = (
    sa.select(
        _BUSY.c.channel_id,
        _counted(_RANGES, _d.due_at <= _NOW).label("sends"),
        _counted(_d.poll_at <= _NOW).label("polls"),
        sa.func.coalesce(lanes.c.suspect, sa.false()).label("suspect"),
    )
    .select_from(_BUSY.outerjoin(lanes, lanes.c.channel_id == _BUSY.c.channel_id))
    .where(_LANE_IS_OPEN)
    .subquery("counted")
)
_DUE_LANES = (
    sa.select(_COUNTED)
    .where(sa.or_(_COUNTED.c.sends > 0, _COUNTED.c.polls > 0))
    .order_by(_COUNTED.c.channel_id)
    .limit(_MOST)
)


def due_lanes(connection: Connection, now: datetime, limit: int) -> tuple[LaneDue, ...]:
    """Lanes with work now. Costs one step per lane that has anything to do, not one per delivery."""
    found = connection.execute(_DUE_LANES, {"now": now, "most": limit})
    return tuple(
        LaneDue(channel_id=row.channel_id, sends=row.sends, polls=row.polls, suspect=bool(row.suspect)) for row in found
    )
