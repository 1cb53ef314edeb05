"""A body's own part of a case: facts about its deliveries, its statements, and what the contact centre told it. Pure.

Everything that a body is shown of a case is derived from this part alone, so that nothing of another body's shows
through. A case that was only routed to a body, and never sent, is not its.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.schemas.delivery import CLOCK_MEMBERS, Event, Fact, FactKind
from hub.schemas.terms import Kind
from hub.tracking.law import Law
from hub.tracking.state import State, derive_story, state_of
from hub.tracking.story import Story, read
from hub.tracking.terms import CaseFacts, nearest_due, terms

ELSEWHERE: Final = "elsewhere"
"""State, for a body, of a case that it has no longer."""
CAME: Final = frozenset(
    {
        FactKind.SENT,
        FactKind.DELIVERED,
        FactKind.ACCEPTED,
        FactKind.REGISTERED,
        FactKind.REFUSED,
        FactKind.ANSWERED,
        FactKind.REDIRECTED,
        FactKind.EXTENDED,
        FactKind.CLARIFICATION_ASKED,
        FactKind.PUBLISHED,
    }
)
"""Facts that show that the appeal was sent to a body."""
_TERMS: Final = frozenset({FactKind.TERM_WARNED, FactKind.TERM_OVERDUE, FactKind.TERM_CORRECTED})
_TOLD: Final = frozenset({FactKind.PASSED_ON, FactKind.CLARIFIED, FactKind.RETURNED_FOR_WORK, FactKind.CORRECTED})
OWN: Final = CAME | _TERMS | _TOLD
"""Kinds of facts that a body is shown of its part."""
_ASSIGNED: Final = frozenset({FactKind.ROUTED, FactKind.HANDED_OVER})
"""Facts that its part is read with, and that it is not shown."""
_UNSENT: Final = frozenset({"unsent", "notice"})
"""Terms that run for the hub's sending, not for the body."""
_DATA: Final = frozenset(
    {"number", "date", "ground", "stage", "result", "to", "until", "channel", "kind", "question", "answer", "term"}
    | {"what", "law", "due", "provisional", "times", "sealed", "source", "authority", "delivery_id"}
    | CLOCK_MEMBERS
)
"""Members of facts and events that a body is shown."""


def is_own(kind: str, authority: str | None, data: Mapping[str, str], party: str) -> bool:
    """True if a fact is of the body's own part."""
    return authority == party and kind in OWN and not (kind in _TERMS and data.get("term") in _UNSENT)


def came(facts: Iterable[Fact], party: str) -> bool:
    """True if the appeal was sent to this body."""
    return any(fact.authority == party and fact.kind in CAME for fact in facts)


def bodies(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Bodies that the appeal was sent to, by code."""
    return tuple(sorted({fact.authority for fact in facts if fact.authority is not None and fact.kind in CAME}))


def own_event(event: Event, party: str) -> Event | None:
    """The event as the body may hear it; none if it is not of its part. The state of the case is left out: it may come
    from what another body did.
    """
    kind = event.type.removeprefix("case.")
    if not is_own(kind, event.data.get("authority"), event.data, party):
        return None
    return replace(event, data={name: value for name, value in event.data.items() if name in _DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPart:
    """A body's part of a case. ``story``: of its own facts; ``state``: of its own consideration; ``due_at``: end of its
    nearest running term that binds; ``updated_at``: moment of its latest fact.
    """

    case: CaseFacts
    state: str
    number: str | None
    due_at: datetime | None
    updated_at: datetime | None

    @property
    def story(self) -> Story:
        """Its own facts, read."""
        return self.case.story


def own_part(channel: str, facts: Iterable[Fact], party: str, law: Law) -> OwnPart:
    """The part of a body. ``channel``: how the citizen reached the centre."""
    known = tuple(facts)
    mine = [fact for fact in known if _read_with(fact, party)]
    story = read(mine)
    withdrawn = any(_withdrawn(fact) for fact in mine)
    derived = derive_story(story, all_must_answer=law.all_must_answer).state
    case = CaseFacts(channel=channel, story=story, state=State.WITHDRAWN if withdrawn else derived)
    gone = not withdrawn and _gone(known, party)
    last = story.executors[-1] if story.executors else None
    registered = last.of(FactKind.REGISTERED) if last is not None else []
    state = case.state if withdrawn or last is None else state_of(last)
    over = withdrawn or gone
    return OwnPart(
        case=case,
        state=ELSEWHERE if gone else state.value,
        number=registered[0].data.get("number") if registered and not gone else None,
        due_at=None if over else nearest_due(term for term in terms(case, law) if term.authority == party),
        updated_at=max((fact.at for fact in mine), default=None),
    )


def _read_with(fact: Fact, party: str) -> bool:
    own = is_own(fact.kind, fact.authority, fact.data, party)
    return own or (fact.authority == party and fact.kind in _ASSIGNED)


def _withdrawn(fact: Fact) -> bool:
    return fact.kind is FactKind.PASSED_ON and fact.data.get("kind") == Kind.WITHDRAWAL


def _gone(facts: Iterable[Fact], party: str) -> bool:
    """True if the case was taken from the body: each assignment of it was followed by another one in its place."""
    mine = [executor for executor in read(facts).executors if executor.authority == party]
    return bool(mine) and all(executor.superseded_by is not None for executor in mine)
