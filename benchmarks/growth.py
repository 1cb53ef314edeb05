"""``growth``: what a message costs when the hub has stored many and one lane has much waiting.

What is stored is made of rows that the hub itself wrote: each finished case is copied in the database, with ids of its
own that keep their time, so that tables and indexes look as they would after months. What waits are copies too, all due
now, behind one authority that hangs.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from benchmarks.home import LAGGARD_CODE, channel_id
from benchmarks.hub_run import HUB, HubRun, Load
from benchmarks.machine import POSTGRESQL, RABBITMQ

CHUNK = 20
"""Copies of all the original rows in one transaction."""
_IDS = ("id", "case_id", "message_id", "delivery_id", "in_reply_to")
_TABLES = ("cases", "messages", "deliveries", "payloads", "attempts", "facts", "answers")


def cost_us(load: Load) -> float:
    """CPU microseconds of hub, database and broker for one message."""
    return load.used.of(*HUB, POSTGRESQL, RABBITMQ) / len(load.accepted) * 1e6


def measure(hub: HubRun, count: int, stored: int, waiting: int) -> dict[str, Any]:
    """Cost of a message with ``stored`` and ``waiting``, as a multiple of that in the hub as it was.

    The authority for which much waits still hangs afterwards.
    """
    empty = [hub.submit(count) for _ in range(2)]
    for load in empty:
        hub.require_sound(load)
    hub.receiver.hang([LAGGARD_CODE])
    fill(hub.database, stored, waiting)
    hub.submit(max(count // 4, 1))  # the broken lane is found, plans and caches are warm
    full = [hub.submit(count) for _ in range(2)]
    before, after = min(map(cost_us, empty)), min(map(cost_us, full))
    return {
        "value": round(after / before, 3),
        "unit": "times",
        "detail": {
            "stored": stored,
            "waiting": waiting,
            "cpu_us_per_message_empty": round(before),
            "cpu_us_per_message_full": round(after),
            "per_s_empty": round(max(load.rate for load in empty), 1),
            "per_s_full": round(max(load.rate for load in full), 1),
            "accounting": [hub.require_sound(load) for load in full[-1:]],
        },
    }


def fill(database: psycopg.Connection[tuple[object, ...]], stored: int, waiting: int) -> None:
    """Copy finished cases until about ``stored`` are there, and make ``waiting`` of the copies due in one lane."""
    database.execute("CREATE TEMP TABLE model AS SELECT case_id AS id FROM deliveries WHERE state = 'delivered'")
    database.execute("CREATE TEMP TABLE model_answers AS SELECT key FROM answers")
    row = database.execute("SELECT count(*) FROM model").fetchone()
    have = int(str(row[0])) if row else 0
    copies = max((stored + waiting) // max(have, 1), 1)
    for first in range(0, copies, CHUNK):
        with database.transaction():
            for table in _TABLES:
                database.execute(_copy(database, table), {"first": first, "last": min(first + CHUNK, copies) - 1})
    database.execute(
        "UPDATE deliveries SET state = 'waiting', channel_id = %s, authority = %s, next_at = now(), delivered_at = NULL"
        " WHERE id IN (SELECT id FROM deliveries WHERE case_id NOT IN (SELECT id FROM model) LIMIT %s)",
        (channel_id(LAGGARD_CODE), LAGGARD_CODE, waiting),
    )
    database.execute("DROP TABLE model, model_answers")
    database.execute("VACUUM ANALYZE")


def _copy(database: psycopg.Connection[tuple[object, ...]], table: str) -> sql.Composed:
    """The statement that copies the model cases' rows of a table once for each number from first to last."""
    columns = [
        str(name)
        for (name,) in database.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
            " AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position",
            (table,),
        )
    ]
    made = [_value(table, column) for column in columns]
    return sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {made} FROM {table} t {join} CROSS JOIN generate_series"
        "(%(first)s::int, %(last)s::int) AS n"
    ).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        made=sql.SQL(", ").join(made),
        join=sql.SQL(_JOINS.get(table, "JOIN model m ON m.id = t.case_id")),
    )


def _value(table: str, column: str) -> sql.Composable:
    if column == "case_number":
        return sql.SQL("NULL")  # a number is one case's
    return _anew(column) if _changes(table, column) else sql.Identifier("t", column)


_JOINS = {
    "cases": "JOIN model m ON m.id = t.id",
    "payloads": "JOIN deliveries d ON d.id = t.delivery_id JOIN model m ON m.id = d.case_id",
    "attempts": "JOIN deliveries d ON d.id = t.delivery_id JOIN model m ON m.id = d.case_id",
    "answers": "JOIN model_answers m ON m.key = t.key",
}


def _changes(table: str, column: str) -> bool:
    return column in _IDS or (table == "answers" and column == "key")


def _anew(column: str) -> sql.Composed:
    """The same time, another rest: an id of version 7 keeps its first 14 characters, and so its place in the index."""
    if column == "key":
        return sql.SQL("{} || '-' || n").format(sql.Identifier("t", column))
    return sql.SQL(
        "(left({c}::text, 15) || right(overlay(md5({c}::text || n)::uuid::text placing '8' from 20), 21))::uuid"
    ).format(c=sql.Identifier("t", column))
