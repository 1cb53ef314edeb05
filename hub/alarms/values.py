"""Values of alarms: readings, alarms that stand or stood, and messages about them. No personal data stands in any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """Weight of an alarm. ``critical``: somebody gets up at night; ``warning``: in working hours."""

    CRITICAL = "critical"
    WARNING = "warning"


class MessageKind(StrEnum):
    """Occasion of a message: alarms began or ended, the list of the day, a test."""

    CHANGES = "changes"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Figure that was read. ``subject``: a channel, endpoint, code of a body or name of a key; empty = the hub.

    ``words``: at most 200 characters beside the figure: counts, codes, ids.
    """

    subject: str = ""
    value: int = 1
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that holds, or held. ``since``: when it was first seen; ``opened_at``: when it had held long enough.

    ``absent_since``: since when it is not seen any more; ``step``: how many of the rule's further steps it passed.
    """

    id: str
    rule: str
    subject: str
    severity: Severity
    value: int
    words: str
    since: datetime
    opened_at: datetime | None = None
    absent_since: datetime | None = None
    closed_at: datetime | None = None
    step: int = 0

    @property
    def name(self) -> str:
        """AlarmRule and subject, as people read them."""
        return f"{self.rule} {self.subject}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmMessage:
    """Message to one receiver. ``body``: its document as JSON; ``next_at``: when it goes, none once it has ended.

    ``id`` is the same at each attempt, so that a receiver who hears it twice can tell.
    """

    id: str
    receiver: str
    kind: MessageKind
    body: str
    made_at: datetime
    next_at: datetime | None
    attempts: int = 0
    last_code: str | None = None
    ended_at: datetime | None = None
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """Health of a receiver, by what became of messages to it. ``failing``: the newest one that ended was given up, or
    one has failed three times and still waits.
    """

    name: str
    waiting: int = 0
    given_up: int = 0
    told_at: datetime | None = None
    last_code: str | None = None
    failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of one look. ``kept``: alarms that are new or changed; ``gone``: ids of those that never opened."""

    kept: tuple[Alarm, ...] = ()
    gone: tuple[str, ...] = ()
    opened: tuple[Alarm, ...] = ()
    worse: tuple[Alarm, ...] = ()
    closed: tuple[Alarm, ...] = ()
