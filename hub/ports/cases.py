"""Reading cases: which to list, how to count them, and what is known of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hub.schemas.delivery import CaseRow, Event, Fact, Message, Note
from hub.schemas.ids import CaseId, MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; all that is given must hold. ``owner`` / ``authority`` bound what the caller may see.

    ``authority``: cases that were sent to it; ``held_by``: cases that it has now.
    ``registered``: the number under which a body registered it. ``topic``: the first one that the
    appeal names. ``territory``: a code of the codifier, with all that lies below it. ``created_from`` is inclusive,
    ``created_to`` exclusive. ``overdue_at``: a term of the law had run out at that moment. ``group``: members of a
    group of like appeals. ``case_number``: of the case, as it is kept. ``finders``: tokens of applicants, each of which
    must hold. ``message_id``: ours or theirs; ``external_id``: another system's id of what went out; ``failed``: the
    code with which a delivery failed that is not delivered yet. ``sent_to``: cases that came to this body, of which it
    sees its own part: ``state`` and ``overdue_at`` then ask for the state and the terms of that part.
    """

    owner: str | None = None
    sent_to: str | None = None
    authority: str | None = None
    held_by: str | None = None
    state: str | None = None
    needs_operator: bool | None = None
    reference: str | None = None
    registered: str | None = None
    case_number: str | None = None
    topic: str | None = None
    territory: str | None = None
    kind: str | None = None
    channel: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    overdue_at: datetime | None = None
    group: CaseId | None = None
    finders: tuple[str, ...] = ()
    message_id: MessageId | None = None
    external_id: str | None = None
    failed: str | None = None


class CaseGrouping(StrEnum):
    """Columns that cases are counted by. ``territory``: oblasts, cities with special status (first four characters)."""

    STATE = "state"
    AUTHORITY = "authority"
    TOPIC = "topic"
    TERRITORY = "territory"
    KIND = "kind"
    CHANNEL = "channel"


class CaseReads(Protocol):
    """Cases, and what was said and done about them."""

    def case(self, case_id: CaseId) -> CaseRow | None:
        """One case."""
        ...

    def cases(self, where: CaseFilter, *, after: str | None, limit: int, newest: bool = False) -> tuple[CaseRow, ...]:
        """Cases in order of arrival, or the newest first; ``after``: ``CaseRow.cursor`` of the last one seen."""
        ...

    def count_cases(self, where: CaseFilter, by: CaseGrouping = CaseGrouping.STATE) -> Mapping[str, int]:
        """Number of cases by one of their columns; cases without a value count under the empty text."""
        ...

    def facts(self, case_id: CaseId) -> tuple[Fact, ...]:
        """Facts of a case, by time, then key."""
        ...

    def facts_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Facts of several cases, by time, then key."""
        ...

    def appeals_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The appeal of each of these cases as the hub first made it out; a case without one is left out."""
        ...

    def message(self, message_id: MessageId) -> Message | None:
        """One message."""
        ...

    def messages(self, case_id: CaseId) -> tuple[Message, ...]:
        """Messages of a case, by time, then id."""
        ...

    def notes(self, case_id: CaseId) -> tuple[Note, ...]:
        """Notes of the contact centre's people about a case, by time, then id."""
        ...

    def events(self, *, after: str | None, limit: int, authority: str | None = None) -> tuple[Event, ...]:
        """Events after a cursor, in order of commit; an event that is returned is never followed by an earlier one.
        ``authority``: only those about this body.
        """
        ...

    def newest_event(self) -> str | None:
        """The cursor of the newest event that ``events`` gives; None before the first."""
        ...
