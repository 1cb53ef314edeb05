"""State of a case from the set of its facts (DESIGN: facts, not a status column).

``derive`` looks at the set only: any permutation and any repetition of the same facts gives the same state. Where two
facts compete, rank decides, and within a rank the earliest moment, then the fact's key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.schemas.delivery import Fact, FactKind
from hub.schemas.terms import AnswerStage, RefusalGround


class State(StrEnum):
    """States of a case and of each executor, in order of rank."""

    ACCEPTED = "accepted"
    ROUTED = "routed"
    SENT = "sent"
    DELIVERED = "delivered"
    RECEIVED = "received"
    REFUSED = "refused"
    REGISTERED = "registered"
    REDIRECTED = "redirected"
    ANSWERED_INTERIM = "answered_interim"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


FINISHED = frozenset({State.ANSWERED, State.WITHDRAWN})
"""States in which no term runs any more."""

_RANK = {state: rank for rank, state in enumerate(State)}

_STATE_OF = {
    FactKind.ACCEPTED_BY_HUB: State.ACCEPTED,
    FactKind.ROUTED: State.ROUTED,
    FactKind.SENT: State.SENT,
    FactKind.DELIVERED: State.DELIVERED,
    FactKind.ACCEPTED: State.RECEIVED,
    FactKind.REFUSED: State.REFUSED,
    FactKind.REGISTERED: State.REGISTERED,
    FactKind.REDIRECTED: State.REDIRECTED,
    FactKind.ANSWERED: State.ANSWERED,
    FactKind.WITHDRAWN: State.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorState:
    """Where one addressee stands. ``contradiction``: it said things that cannot both be true; an operator looks."""

    authority: str
    state: State
    number: str | None
    registered_on: str | None
    ground: str | None
    contradiction: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """Where a case stands. ``authority`` and ``number`` are those of the executor that got furthest."""

    state: State
    authority: str | None
    number: str | None
    needs_operator: bool
    executors: tuple[ExecutorState, ...]


def _state_of(fact: Fact) -> State | None:
    if fact.kind is FactKind.REFUSED and fact.data.get("ground") == RefusalGround.RECEIVED_TWICE:
        # CMU 55/2018 item 21 ground 3: it came a second time, so the appeal is there.
        return State.DELIVERED
    if fact.kind is FactKind.ANSWERED and fact.data.get("stage") == AnswerStage.INTERIM:
        return State.ANSWERED_INTERIM
    return _STATE_OF.get(fact.kind)


def _executor(authority: str, facts: list[Fact]) -> ExecutorState:
    ranked = [(_RANK[state], fact) for fact in facts if (state := _state_of(fact)) is not None]
    best = max((rank for rank, _ in ranked), default=0)
    registered = [fact for fact in facts if fact.kind is FactKind.REGISTERED]
    refused = [fact for fact in facts if _state_of(fact) is State.REFUSED]
    numbers = {(fact.data.get("number"), fact.data.get("date")) for fact in registered}
    return ExecutorState(
        authority=authority,
        state=list(State)[best],
        number=registered[0].data.get("number") if registered else None,
        registered_on=registered[0].data.get("date") if registered else None,
        ground=refused[0].data.get("ground") if refused and not registered else None,
        contradiction=len(numbers) > 1 or bool(refused and registered),
    )


def _open_escalation(facts: list[Fact]) -> bool:
    escalated = [fact.at for fact in facts if fact.kind is FactKind.ESCALATED]
    resolved = [fact.at for fact in facts if fact.kind is FactKind.RESOLVED]
    return bool(escalated) and (not resolved or max(escalated) > max(resolved))


def derive(facts: Iterable[Fact]) -> CaseState:
    """The state of a case. ``facts``: all facts of one case, in any order, repeated or not."""
    unique = sorted({fact.key: fact for fact in facts}.values(), key=lambda fact: (fact.at, fact.key))
    by_authority: dict[str, list[Fact]] = {}
    for fact in unique:
        if fact.authority is not None and fact.kind is not FactKind.ESCALATED:
            by_authority.setdefault(fact.authority, []).append(fact)
    executors = tuple(_executor(code, of) for code, of in sorted(by_authority.items()))
    furthest = max(executors, key=lambda e: (_RANK[e.state], e.authority), default=None)
    own = max((_RANK[s] for f in unique if f.authority is None and (s := _state_of(f)) is not None), default=0)
    state = max(State.ACCEPTED, *(e.state for e in executors), list(State)[own], key=_RANK.__getitem__)
    return CaseState(
        state=state,
        authority=furthest.authority if furthest else None,
        number=furthest.number if furthest else None,
        needs_operator=_open_escalation(unique) or any(e.contradiction for e in executors),
        executors=executors,
    )
