"""A keeper of alarms over a real store, with a clock, readings and receivers that a test sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hub.alarms.keeper import AlarmKeeper
from hub.alarms.ports import AlarmBook
from hub.alarms.rules import AlarmRule, Watched
from hub.alarms.values import AlarmMessage, Reading
from hub.storage import SqlStore
from hub.storage.alarms import SqlAlarms
from hub.storage.following import SqlFollowing

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def rule(code: str = "lanes.failing", **more: object) -> AlarmRule:
    """A small rule: above 0, an alarm for each subject."""
    members = {
        "code": code,
        "watch": Watched.LANES_FAILING,
        "above": 0,
        "each": True,
        "quiet_minutes": 30,
        "door": "/v1/ops/lanes",
        "says": "A lane fails.",
        **more,
    }
    return AlarmRule.model_validate({name: value for name, value in members.items() if value is not None})


@dataclass
class Desk:
    """Receivers that are told: what each got, and who is away now."""

    got: list[tuple[str, AlarmMessage]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    before: Callable[[], None] = lambda: None

    def tell(self, receiver: str, message: AlarmMessage) -> str | None:
        """One attempt."""
        self.before()
        if receiver in self.broken:
            raise RuntimeError("a fault of the teller")
        if receiver in self.away:
            return "smtp.timeout"
        self.got.append((receiver, message))
        return None

    def lists(self, receiver: str = "duty") -> list[dict[str, list[str]]]:
        """Names of the alarms in each message to a receiver, in order."""
        return [
            {
                name: [f"{each['rule']} {each['subject'] or ''}".strip() for each in found]
                for name, found in json.loads(message.body).items()
                if name != "counts"
            }
            for to, message in self.got
            if to == receiver
        ]


@dataclass
class World:
    """One hub's alarms. ``read``: readings by code of the rule, or the fault of reading them."""

    store: SqlStore
    book: AlarmBook
    read: dict[str, Sequence[Reading] | Exception] = field(default_factory=dict)
    desk: Desk = field(default_factory=Desk)
    at: datetime = START

    def __post_init__(self) -> None:
        self.memory = SqlAlarms(self.store.database)
        self.followers = SqlFollowing(self.store.database)
        self.keeper = self.new_keeper("one")

    def now(self) -> datetime:
        """The moment that the clock was put to."""
        return self.at

    def look(self, of: AlarmRule, _: datetime) -> Sequence[Reading]:
        """What is seen."""
        found = self.read.get(of.code, ())
        if isinstance(found, Exception):
            raise found
        return found

    def new_keeper(self, owner: str) -> AlarmKeeper:
        """Another process's keeper."""
        return AlarmKeeper(
            book=lambda: self.book,
            looks=self,
            memory=self.memory,
            followers=self.followers,
            tells=self.desk,
            clock=self,
            owner=owner,
        )

    def after(self, **span: float) -> int:
        """Time goes on, then the keeper steps."""
        self.at += timedelta(**span)
        return self.keeper.step()

    def fails(self, *lanes: str) -> None:
        """These lanes fail now, no others."""
        self.read["lanes.failing"] = [Reading(subject=lane) for lane in lanes]
