"""The order of events on PostgreSQL.

Numbers of a sequence are taken before the commit: a reader that has passed number 8 would never see number 7, committed
a moment later. So each fact carries the id of its transaction, events are read in order of (transaction, number), and
only those are shown whose transaction is older than every one still running (PostgreSQL manual, table 9.84,
``pg_snapshot_xmin``: "all transaction IDs less than xmin are either committed and visible, or rolled back and dead").
Whatever commits later has a higher id and stands after every cursor given out.

A logical restore into another cluster brings rows whose transaction ids are ahead of that cluster's counter. They would
stay invisible until it catches up, and new events would stand before old ones. So the counter is used with an offset,
kept in the table ``pulse``, which is raised at the first use of a store whose rows are ahead of its cluster.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from hub.storage.schema import facts, pulse


def _number(of: sa.ColumnElement[object]) -> sa.ColumnElement[int]:
    return sa.cast(sa.cast(of, sa.Text), sa.BigInteger)  # xid8 has no direct cast to bigint


XMIN = _number(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()))
"""Every transaction below this has ended."""
_XMAX = _number(sa.func.pg_snapshot_xmax(sa.func.pg_current_snapshot()))

_PULSE = sa.select(pulse.c.txid_offset).where(pulse.c.id == 1)
# Ordered by both columns of ix_facts_feed, so that the newest is one step in the index.
_NEWEST = sa.select(facts.c.txid).order_by(facts.c.txid.desc(), facts.c.seq.desc()).limit(1).scalar_subquery()


def offset(connection: Connection, now: datetime) -> int:
    """Number to add to this cluster's transaction ids; mends it if the rows are ahead of the cluster."""
    known: int = connection.execute(_PULSE).scalar_one_or_none() or 0
    if not _behind(connection, known):
        return known
    connection.execute(
        insert(pulse).values(id=1, beaten_at=now, txid_offset=0).on_conflict_do_nothing(),
    )
    known = connection.execute(_PULSE.with_for_update()).scalar_one()
    if _behind(connection, known):  # nobody else mended it meanwhile
        known = connection.execute(sa.select(_NEWEST)).scalar_one()
        connection.execute(sa.update(pulse).where(pulse.c.id == 1).values(txid_offset=known))
    return known


def _behind(connection: Connection, known: int) -> bool:
    return bool(connection.execute(sa.select(sa.func.coalesce(_NEWEST, -1) >= _XMAX + known)).scalar_one())
