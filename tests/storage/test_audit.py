"""The audit trail keeps what it was given, in order, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.errors import InvalidInput
from hub.ports import AuditFilter
from hub.schemas.audit import AuditEntry
from hub.schemas.ids import new_id
from hub.storage import SqlStore
from hub.storage.audit import SqlAudit
from hub.storage.pruning import SqlPruning

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _entry(number: int, **changes: object) -> AuditEntry:
    values: dict[str, object] = {
        "id": new_id(),
        "at": NOON + timedelta(minutes=number),
        "actor": "key:abc",
        "role": "operator",
        "act": "GET /v1/cases/{id}",
        "status": 200,
        **changes,
    }
    return AuditEntry(**values)  # type: ignore[arg-type]


def test_entries_come_back_as_they_were_given(sql_store: SqlStore) -> None:
    """Every member survives; the newest comes first; a cursor goes on behind it; a cursor of others is refused."""
    trail = SqlAudit(sql_store.database)
    kept = [_entry(n, subject=f"s{n}", why="Чому", detail="by phone", holder="Оксана") for n in range(3)]
    kept.append(_entry(3, actor="terminal:root", role="terminal", act="hub find", status=None))
    for entry in kept:
        trail.append(entry)
    assert trail.entries(AuditFilter(), limit=10) == tuple(reversed(kept))
    assert trail.entries(AuditFilter(), limit=10, after=kept[2].cursor) == (kept[1], kept[0])
    with pytest.raises(InvalidInput):
        trail.entries(AuditFilter(), limit=10, after="no id")


def test_all_that_is_asked_must_hold(sql_store: SqlStore) -> None:
    """By actor, act, subject and time, the first moment inclusive, the last exclusive."""
    trail = SqlAudit(sql_store.database)
    first, second = _entry(0, subject="a"), _entry(5, subject="b", actor="key:xyz")
    for entry in (first, second):
        trail.append(entry)
    assert trail.entries(AuditFilter(subject="a"), limit=10) == (first,)
    assert trail.entries(AuditFilter(actor="key:xyz"), limit=10) == (second,)
    assert trail.entries(AuditFilter(act="GET /v1/cases/{id}", subject="c"), limit=10) == ()
    assert trail.entries(AuditFilter(at_from=first.at, at_to=second.at), limit=10) == (first,)


@pytest.mark.slow
def test_the_latest_use_of_a_key_stays(sql_store: SqlStore) -> None:
    """An earlier moment that comes later changes nothing."""
    trail = SqlAudit(sql_store.database)
    for minutes in (0, 10, 5):
        trail.key_used("k", NOON + timedelta(minutes=minutes))
    assert trail.key_uses() == {"k": NOON + timedelta(minutes=10)}


def test_entries_go_when_their_days_are_over(sql_store: SqlStore) -> None:
    """Pruning takes what is older than the moment, and nothing else."""
    trail = SqlAudit(sql_store.database)
    old, young = _entry(0), _entry(10)
    for entry in (old, young):
        trail.append(entry)
    assert SqlPruning(sql_store.database).prune_audit(young.at, 100) == 1
    assert trail.entries(AuditFilter(), limit=10) == (young,)
