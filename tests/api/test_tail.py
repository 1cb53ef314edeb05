"""Who waits for events is woken by those that concern him."""

from __future__ import annotations

import asyncio

import pytest

from hub.api import events
from hub.api.events import Tail
from hub.schemas.delivery import Change, FactKind
from hub.storage.memory import MemoryStore
from tests.storage.making import AUTHORITY, accepted, fact

OTHER = "00013480"


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECS", 0.0)


def _one_more(store: MemoryStore, authority: str) -> None:
    change = accepted()
    received = fact(change.cases[0].id, FactKind.ACCEPTED, authority=authority)
    store.apply(Change(cases=change.cases, facts=(received,)))


def test_a_body_sleeps_while_others_have_news() -> None:
    """Events about others wake the contact centre, and no body but their own."""
    store = MemoryStore()
    _one_more(store, OTHER)
    end = store.newest_event()

    async def main() -> None:
        tail = Tail(store)
        assert not await tail.beyond(end, AUTHORITY)
        _one_more(store, OTHER)
        assert not await tail.beyond(end, AUTHORITY)
        assert await tail.beyond(end, OTHER)
        assert await tail.beyond(end)
        _one_more(store, AUTHORITY)
        assert await tail.beyond(end, AUTHORITY)
        assert not await tail.beyond(store.newest_event(), AUTHORITY)

    asyncio.run(main())


def test_who_stands_before_what_is_known_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body behind whose cursor nobody has looked, and everybody after too much news, looks for itself."""
    monkeypatch.setattr(events, "NEWS", 3)
    store = MemoryStore()

    async def main() -> None:
        tail = Tail(store)
        assert not await tail.beyond(None, AUTHORITY)
        for _ in range(3):
            _one_more(store, OTHER)
        assert await tail.beyond(None, AUTHORITY)
        end = store.newest_event()
        assert not await tail.beyond(end, AUTHORITY)
        _one_more(store, AUTHORITY)
        assert await tail.beyond(end, AUTHORITY)

    asyncio.run(main())
