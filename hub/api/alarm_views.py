"""Answers of the doors of alarms and of what ends; as ``hub.api.views``."""

from __future__ import annotations

from datetime import datetime

from hub.alarms import wording
from hub.alarms.rules import AlarmRule
from hub.alarms.values import Alarm, ReceiverState
from hub.api.views import View
from hub.schemas.base import format_datetime
from hub.upkeep.expiry import ExpiryEntry


class AlarmView(View):
    """An alarm that stands or has closed. `value`: the figure last read; `detail`: codes, counts and ids beside it;
    `door`: where to look; docs/operations/alarms.md says by `rule` what to do.
    """

    rule: str
    subject: str | None
    severity: str
    value: int
    detail: str | None
    since: str
    opened_at: str | None
    closed_at: str | None
    says: str
    door: str

    @classmethod
    def of(cls, alarm: Alarm, rule: AlarmRule | None) -> AlarmView:
        """The view of an alarm."""
        return cls(**wording.entry(alarm, rule))


class ReceiverView(View):
    """Somebody who hears. `failing`: the newest message was given up, or one has failed three times and still waits."""

    name: str
    failing: bool
    waiting: int
    given_up: int
    told_at: str | None
    last_code: str | None

    @classmethod
    def of(cls, state: ReceiverState) -> ReceiverView:
        """The view of a receiver."""
        return cls(
            name=state.name,
            failing=state.failing,
            waiting=state.waiting,
            given_up=state.given_up,
            told_at=format_datetime(state.told_at) if state.told_at else None,
            last_code=state.last_code,
        )


class AlarmsView(View):
    """Alarms that stand, those that closed last, and who hears. `looked_at`: when the rules were last looked at."""

    looked_at: str | None
    open: tuple[AlarmView, ...]
    recent: tuple[AlarmView, ...]
    receivers: tuple[ReceiverView, ...]


class ExpiryView(View):
    """One thing that ends. `days`: whole days left, below 0 once it has ended, absent if no end is known; `fault`: why
    it cannot be read; `changed_at`: when its file was written; `succeeded`: another goes on when it ends.
    """

    kind: str
    name: str
    where: str | None
    ends: str | None
    days: int | None
    changed_at: str | None
    fault: str | None
    uses: int
    succeeded: bool

    @classmethod
    def of(cls, entry: ExpiryEntry, now: datetime) -> ExpiryView:
        """The view of an entry."""
        return cls(
            kind=entry.kind.value,
            name=entry.name,
            where=entry.where,
            ends=format_datetime(entry.ends) if entry.ends else None,
            days=entry.days(now),
            changed_at=format_datetime(entry.changed_at) if entry.changed_at else None,
            fault=entry.fault or None,
            uses=entry.uses,
            succeeded=entry.succeeded,
        )


class ExpiriesView(View):
    """The list: first what cannot be read, then by end, then what has none. `total`: how many there are."""

    total: int
    entries: tuple[ExpiryView, ...]
