"""Looks: the figures that rules of alarms watch, read from the store, the registry, the disk and the list of ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hub.alarms.ports import AlarmCounts
from hub.alarms.rules import AlarmRule, Watched
from hub.alarms.values import Reading
from hub.cases.patrol import NOBODY
from hub.ports import Registry, Store
from hub.schemas.delivery import LaneState
from hub.tracking.law import Law
from hub.upkeep.expiry import ExpiryEntry

MIB = 1_048_576
LOGINS_WINDOW = timedelta(minutes=5)
SEALS_WINDOW = timedelta(hours=1)
NEVER = 525_600
"""Minutes that stand for never: a year."""
_FURTHEST = timedelta(days=60)


def overdue_before(law: Law, now: datetime) -> datetime | None:
    """The moment before which operators' items must have been opened to be overdue now; none without such a term.

    Later opened is never due earlier, so it is found by halving, to the minute.
    """
    if law.item_due(now) is None:
        return None
    early, late = now - _FURTHEST, now
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) / 2
        due = law.item_due(middle)
        early, late = (middle, late) if due is not None and due < now else (early, middle)
    return early


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """Things that are looked at. ``collecting``: channels that messages are collected over; ``absent``: adapters whose
    package cannot be loaded; ``behind``: when the first event was recorded that the follower has not seen.
    """

    store: Store
    counts: AlarmCounts
    registry: Registry
    law: Law
    home: Path
    collecting: Callable[[], Sequence[str]]
    absent: frozenset[str]
    behind: Callable[[], datetime | None]
    refused: Callable[[], str | None]
    ends: Callable[[], Sequence[ExpiryEntry]]


class HubLooks:
    """The port ``Looks``. Safe to call from many threads."""

    def __init__(self, world: LookedAt) -> None:
        self._world = world
        counts = world.counts
        self._by_name: dict[Watched, Callable[[AlarmRule, datetime], Sequence[Reading]]] = {
            Watched.PEN_HELD: lambda rule, now: _one(counts.held_before(now - _older(rule))),
            Watched.ITEMS_OPEN: lambda _, __: _one(counts.open_items()),
            Watched.ITEMS_OVERDUE: self._items_overdue,
            Watched.CASES_NOBODY: lambda _, __: _one(counts.open_items(reason=NOBODY)),
            Watched.TERMS_OVERDUE: lambda _, now: _one(counts.overdue_cases(now)),
            Watched.DELIVERIES_DEAD: lambda _, __: _one(counts.dead_deliveries()),
            Watched.DELIVERIES_LATE: lambda rule, now: counts.late_deliveries(now - _older(rule), now),
            Watched.LANES_FAILING: lambda _, now: self._lanes(lambda state: not state.paused and _fails(state, now)),
            Watched.LANES_PAUSED: lambda _, __: self._lanes(lambda state: state.paused),
            Watched.LANES_ABSENT: self._absent,
            Watched.LANES_UNHEARD: self._unheard,
            Watched.COLLECT_SILENT: self._silent,
            Watched.FOLLOWER_BEHIND: self._behind,
            Watched.WEBHOOKS_GIVEN_UP: lambda _, __: counts.given_up_events(),
            Watched.WEBHOOKS_OFF: lambda _, __: counts.endpoints_off(),
            Watched.LOGINS_REFUSED: lambda _, now: _one(counts.refused_logins(now - LOGINS_WINDOW)),
            Watched.SEALS_REFUSED: lambda _, now: counts.refused_seals(now - SEALS_WINDOW),
            Watched.REGISTRY_REFUSED: self._registry,
            Watched.DISK_FREE: lambda _, __: _one(shutil.disk_usage(world.home).free // MIB),
            Watched.EXPIRY_DAYS: self._ends,
            Watched.EXPIRY_UNREADABLE: self._unreadable,
        }

    def look(self, rule: AlarmRule, now: datetime) -> Sequence[Reading]:
        """Figures that a rule watches. Raises ``Unavailable``, ``OSError``."""
        return self._by_name[rule.watch](rule, now)

    def _items_overdue(self, _: AlarmRule, now: datetime) -> Sequence[Reading]:
        before = overdue_before(self._world.law, now)
        return () if before is None else _one(self._world.counts.open_items(before=before))

    def _lanes(self, holds: Callable[[LaneState], bool]) -> Sequence[Reading]:
        """Lanes with waiting messages of which something holds: an idle lane that once failed harms nobody."""
        waiting = self._world.store.waiting()
        states = self._world.store.lanes()
        return [
            Reading(subject=state.channel_id, words=f"{waiting[state.channel_id]} deliveries wait")
            for state in states
            if waiting.get(state.channel_id) and holds(state)
        ]

    def _absent(self, _: AlarmRule, __: datetime) -> Sequence[Reading]:
        channels = [c.adapter for _, c in self._world.registry.current().channels() if c.adapter in self._world.absent]
        return [Reading(subject=name, value=channels.count(name), words="channels") for name in sorted(set(channels))]

    def _unheard(self, _: AlarmRule, __: datetime) -> Sequence[Reading]:
        rows = self._world.store.unheard()
        return [Reading(subject=row.channel_id, value=row.failures, words=row.code) for row in rows]

    def _silent(self, _: AlarmRule, now: datetime) -> Sequence[Reading]:
        heard = self._world.counts.collected()
        paused = {state.channel_id for state in self._world.store.lanes() if state.paused}
        return [
            _since(channel, heard[channel], now)
            for channel in self._world.collecting()
            if channel in heard and channel not in paused
        ]

    def _behind(self, _: AlarmRule, now: datetime) -> Sequence[Reading]:
        behind = self._world.behind()
        return _one(0 if behind is None else int((now - behind).total_seconds() // 60))

    def _registry(self, _: AlarmRule, __: datetime) -> Sequence[Reading]:
        self._world.registry.current()
        refused = self._world.refused()
        return () if refused is None else [Reading(words=refused)]

    def _ends(self, _: AlarmRule, now: datetime) -> Sequence[Reading]:
        return [
            Reading(subject=entry.label, value=days, words=f"ends {entry.ends:%Y-%m-%d}")
            for entry in self._world.ends()
            if entry.ends is not None and not entry.succeeded and (days := entry.days(now)) is not None
        ]

    def _unreadable(self, _: AlarmRule, __: datetime) -> Sequence[Reading]:
        return [Reading(subject=entry.label, words=entry.fault) for entry in self._world.ends() if entry.fault]


def _one(value: int) -> Sequence[Reading]:
    return (Reading(value=value),)


def _older(rule: AlarmRule) -> timedelta:
    return timedelta(minutes=rule.older_minutes)


def _fails(state: LaneState, now: datetime) -> bool:
    return state.suspect or (state.open_until is not None and state.open_until > now)


def _since(channel: str, heard_at: datetime | None, now: datetime) -> Reading:
    if heard_at is None:
        return Reading(subject=channel, value=NEVER, words="never yet")
    return Reading(subject=channel, value=int((now - heard_at).total_seconds() // 60))
