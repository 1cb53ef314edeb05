"""Contracts of alarms: who says what is seen, who keeps alarms and messages, who is told.

``hub.storage.alarms`` keeps, ``hub.upkeep`` sees and tells. All methods may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Protocol

from hub.alarms.rules import AlarmRule
from hub.alarms.values import Alarm, AlarmMessage, Reading, ReceiverState


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmBook:
    """The rules in force and who may be told. ``digests``: receivers of the list of the day, told at ``digest_at`` in
    Kyiv; ``gather_minutes``: a receiver gets one message about changes in so long, the first at once.
    """

    rules: tuple[AlarmRule, ...]
    receivers: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    digest_at: time = time(8)
    gather_minutes: int = 5

    def hears(self, receiver: str, rule_code: str) -> bool:
        """True if this receiver is told of the rule; of one that is gone everybody is."""
        rule = next((rule for rule in self.rules if rule.code == rule_code), None)
        return rule is None or not rule.tell or receiver in rule.tell


class Looks(Protocol):
    """Condition that is seen."""

    def look(self, rule: AlarmRule, now: datetime) -> Sequence[Reading]:
        """Figures that a rule watches. Raises ``HubError`` or ``OSError`` if they cannot be read."""
        ...


class Tells(Protocol):
    """How receivers are reached."""

    def tell(self, receiver: str, message: AlarmMessage) -> str | None:
        """Bring a message to a receiver within seconds; None if it was taken, else a stable code of what was not well.
        Never raises for what the other side does.
        """
        ...


class AlarmCounts(Protocol):
    """Counts of the durable memory that rules watch. Raise ``Unavailable``."""

    def held_before(self, moment: datetime) -> int:
        """Entries in the holding pen that came before a moment."""
        ...

    def open_items(self, *, before: datetime | None = None, reason: str | None = None) -> int:
        """Operators' items that are open; opened before a moment; of one reason."""
        ...

    def overdue_cases(self, now: datetime) -> int:
        """Unfinished cases one of whose terms has run out."""
        ...

    def dead_deliveries(self) -> int:
        """Deliveries that were given up."""
        ...

    def late_deliveries(self, before: datetime, now: datetime) -> Sequence[Reading]:
        """Deliveries that have been due since before a moment in lanes that may run, by channel."""
        ...

    def given_up_events(self) -> Sequence[Reading]:
        """Events that were given up, by webhook endpoint."""
        ...

    def endpoints_off(self) -> Sequence[Reading]:
        """Webhook endpoints that are switched off."""
        ...

    def refused_logins(self, since: datetime) -> int:
        """The most refused credentials in one minute since then."""
        ...

    def refused_seals(self, since: datetime) -> Sequence[Reading]:
        """Inputs since then whose seal was refused, by authority."""
        ...

    def collected(self) -> dict[str, datetime | None]:
        """Channels that were ever collected from, and when that last went well."""
        ...


class AlarmMemory(Protocol):
    """Alarms and messages, kept. Raise ``Unavailable``."""

    def standing(self) -> tuple[Alarm, ...]:
        """Alarms that are not closed, those that wait to open included."""
        ...

    def recent(self, limit: int) -> tuple[Alarm, ...]:
        """Alarms that closed, the last one first."""
        ...

    def write(
        self,
        owner: str,
        *,
        looked_at: datetime,
        alarms: Sequence[Alarm] = (),
        gone: Sequence[str] = (),
        messages: Sequence[AlarmMessage] = (),
    ) -> bool:
        """Keep all of it; False, and nothing, if ``owner`` does not hold the lease. A message that is known is changed
        only while it has not been tried.
        """
        ...

    def looked_at(self) -> datetime | None:
        """When somebody last looked."""
        ...

    def latest(self, receiver: str) -> AlarmMessage | None:
        """The newest message about changes to a receiver."""
        ...

    def due(self, now: datetime, limit: int) -> tuple[AlarmMessage, ...]:
        """Messages whose time has come, those first that wait longest."""
        ...

    def settle(self, message: AlarmMessage) -> None:
        """Keep how an attempt ended."""
        ...

    def receivers(self) -> tuple[ReceiverState, ...]:
        """Health of all receivers that a message was made for, by name."""
        ...

    def prune(self, before: datetime) -> int:
        """Forget messages that ended and alarms that closed before a moment; how many."""
        ...
