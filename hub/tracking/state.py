"""State of a case from the set of its facts (DESIGN: facts, not a status column).

``derive`` looks at the set only: any permutation and any repetition of the same facts gives the same state. Where two
facts compete, rank decides, and within a rank the earliest moment, then the fact's key. The rule of completion stands
here and nowhere else: ``_of_case``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.schemas.delivery import Fact, FactKind
from hub.schemas.terms import AnswerStage, Role
from hub.tracking.story import Executor, Story, is_refusal


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
    RETURNED = "returned"
    CONCLUDED = "concluded"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


FINISHED = frozenset({State.CONCLUDED, State.ANSWERED, State.WITHDRAWN})
"""States in which no term runs any more."""

STATES = tuple(State)
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
    FactKind.RETURNED_FOR_WORK: State.RETURNED,
    FactKind.ANSWERED: State.ANSWERED,
    FactKind.WITHDRAWN: State.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorState:
    """Where one addressee stands. ``number``: theirs, of a registration if ``registered_on`` is there.

    ``contradiction``: it said things that cannot both be true; an operator looks. ``delivery_id``: the delivery it was
    given the case with. ``superseded``: another body has the case instead; ``relieved``: as an operator decided.
    ``returns``: answers sent back.
    """

    authority: str
    state: State
    number: str | None
    registered_on: str | None
    ground: str | None
    contradiction: bool
    role: Role = Role.MAIN
    delivery_id: str | None = None
    superseded: bool = False
    relieved: bool = False
    returns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """Where a case stands. ``authority`` and ``number`` are those of the executor that decides it."""

    state: State
    authority: str | None
    number: str | None
    needs_operator: bool
    executors: tuple[ExecutorState, ...]


def _state_of(fact: Fact) -> State | None:
    if fact.kind is FactKind.REFUSED and not is_refusal(fact):
        # CMU 55/2018 item 21 ground 3: it came a second time, so the appeal is there.
        return State.DELIVERED
    if fact.kind is FactKind.ANSWERED and fact.data.get("stage") == AnswerStage.INTERIM:
        return State.ANSWERED_INTERIM
    return _STATE_OF.get(fact.kind)


def state_of(executor: Executor) -> State:
    """The furthest that this executor got. An answer that was sent back for more work is no answer."""
    best = max((_RANK[state] for fact in executor.facts if (state := _state_of(fact)) is not None), default=0)
    if STATES[best] is State.ANSWERED and executor.standing() is None:
        return State.RETURNED
    return STATES[best]


def _contradicted_at(executor: Executor) -> datetime | None:
    """When it said the last of things that cannot both be true: two numbers; refused after it registered; answered
    finally and forwarded.
    """
    registered = executor.of(FactKind.REGISTERED)
    moments: list[datetime] = []
    if len({(fact.data.get("number"), fact.data.get("date")) for fact in registered}) > 1:
        moments.append(registered[-1].at)
    if registered:
        moments += [fact.at for fact in executor.facts if is_refusal(fact) and fact.at >= registered[0].at]
    redirected, finals = executor.of(FactKind.REDIRECTED), executor.finals()
    if redirected and finals:
        moments.append(max(redirected[-1].at, finals[-1].at))
    return max(moments, default=None)


def _executor(executor: Executor, resolved: datetime | None) -> ExecutorState:
    registered = executor.of(FactKind.REGISTERED)
    refused = [fact for fact in executor.facts if is_refusal(fact)]
    contradicted = _contradicted_at(executor)
    return ExecutorState(
        authority=executor.authority,
        state=state_of(executor),
        number=executor.number,
        registered_on=registered[0].data.get("date") if registered else None,
        ground=refused[0].data.get("ground") if refused and not registered else None,
        contradiction=contradicted is not None and (resolved is None or contradicted > resolved),
        role=executor.role,
        delivery_id=executor.root,
        superseded=executor.superseded_by is not None,
        relieved=executor.relieved,
        returns=len(executor.returns()),
    )


def _of_case(executors: list[ExecutorState], *, all_must_answer: bool) -> ExecutorState | None:
    """The executor whose state is the case's.

    A main executor's final answer ends the case, whoever else was asked; where the law's file says ``all``, the case is
    as far as the one that is furthest behind of those that still have it. Without an answer it is the main executor
    that has the case now: redirects and refusals of those that had it before do not count, nor does the answer of one
    that an operator relieved of it.
    """
    deciding = [e for e in executors if e.role is not Role.INFORMATION]
    mains = [e for e in deciding if e.role is Role.MAIN] or deciding
    holding = [e for e in mains if not e.superseded] or mains
    furthest = max(holding, key=lambda e: (_RANK[e.state], e.authority, e.delivery_id or ""), default=None)
    answered = [e for e in mains if e.state is State.ANSWERED and not e.relieved]
    if answered:
        furthest = min(answered, key=lambda e: (e.superseded, e.authority, e.delivery_id or ""))
        waiting = [e for e in deciding if not e.superseded and e.state not in FINISHED]
        if all_must_answer and waiting:
            return min(waiting, key=lambda e: (_RANK[e.state], e.authority, e.delivery_id or ""))
    return furthest


def derive_story(story: Story, *, all_must_answer: bool = False) -> CaseState:
    """The state of a case whose facts were read."""
    resolved = max((fact.at for fact in story.of(FactKind.RESOLVED) if fact.delivery_id is None), default=None)
    executors = [_executor(executor, resolved) for executor in story.executors]
    deciding = _of_case(executors, all_must_answer=all_must_answer)
    own = max((_RANK[s] for f in story.facts if f.authority is None and (s := _state_of(f)) is not None), default=0)
    state = max(State.ACCEPTED, deciding.state if deciding else State.ACCEPTED, STATES[own], key=_RANK.__getitem__)
    if story.concluded is not None:
        state = max(state, State.CONCLUDED, key=_RANK.__getitem__)
    if story.withdrawn_at is not None:
        state = State.WITHDRAWN
    return CaseState(
        state=state,
        authority=deciding.authority if deciding else None,
        number=deciding.number if deciding else None,
        needs_operator=story.escalated_at is not None or any(e.contradiction for e in executors),
        executors=tuple(sorted(executors, key=lambda e: (e.authority, e.delivery_id or ""))),
    )
