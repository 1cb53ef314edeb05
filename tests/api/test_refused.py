"""Refused credentials are counted, whenever what was counted is written, and never cost more than a bounded number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.api.refused import MOST, RefusedLogins
from hub.errors import Unavailable
from hub.ports import InboundFilter
from hub.storage.memory import MemoryStore

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


class _Clock:
    time = NOON

    def now(self) -> datetime:
        return self.time


def _counted(store: MemoryStore) -> list[int]:
    return [entry.count for entry in store.inbound(InboundFilter(), limit=5_000)]


def test_what_is_written_within_a_minute_is_counted_on() -> None:
    """A process that stops writes its count; one more of the same minute and door is added to it."""
    store, clock = MemoryStore(), _Clock()
    refused = RefusedLogins(store, clock, process="a")
    for _ in range(3):
        refused.note("10.0.0.1", "/v1/inbox")
    refused.flush()
    assert _counted(store) == [3]
    for _ in range(2):
        refused.note("10.0.0.1", "/v1/inbox")
        refused.flush()
    assert _counted(store) == [5]
    clock.time += timedelta(minutes=1)
    refused.note("10.0.0.1", "/v1/inbox")
    assert sorted(_counted(store)) == [1, 5]


def test_a_flood_from_many_addresses_is_bounded() -> None:
    """Beyond so many addresses in a minute the rest is one entry, and all are counted."""
    store = MemoryStore()
    refused = RefusedLogins(store, _Clock(), process="a")
    for number in range(MOST + 200):
        refused.note(f"10.0.{number // 256}.{number % 256}", "/v1/inbox")
    refused.flush()
    counts = _counted(store)
    assert (len(counts), sum(counts)) == (MOST + 1, MOST + 200)


def test_what_the_store_could_not_take_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away nothing is raised, and nothing counted is forgotten."""
    store, clock = MemoryStore(), _Clock()
    refused = RefusedLogins(store, clock, process="a")

    def away(_: Any) -> None:
        raise Unavailable("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "apply", away)
        for _ in range(3):
            refused.note("10.0.0.1", "/v1/inbox")
        refused.flush()
    clock.time += timedelta(minutes=2)
    refused.note("10.0.0.1", "/v1/inbox")
    assert sum(_counted(store)) == 4
