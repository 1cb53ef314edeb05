"""Forwarding: a case goes to another body after its birth, by a redirect, a refusal for competence or an operator.

Article 7 of the Law on citizens' appeals: a body that is not competent sends the appeal on within five days. Here the
hub does it: to the body that was named, if it can be reached, or to whom the router finds; a redirect back to a body
that had it (a loop, ping-pong), and a chain that grows too long, go to a person with the chain told in words.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from hub.cases.assignment import Assignment, assign
from hub.cases.building import accused_by, route
from hub.cases.rows import resolved
from hub.cases.submission import Accepted
from hub.delivery.fallback import WITHDRAWABLE
from hub.delivery.records import escalate
from hub.errors import Fault, InvalidInput, NotFound
from hub.ports import Clock, Directory, Doorbell, Registry, Store
from hub.router import Decision
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    CaseRow,
    Change,
    DeliveryUpdate,
    Direction,
    Fact,
    NewCase,
    Source,
    TransportState,
)
from hub.schemas.directory import Authority, routed_to
from hub.schemas.envelope import AppealEnvelope, Party
from hub.schemas.ids import CaseId, DeliveryId
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Kind, Role
from hub.tracking import chain
from hub.tracking.law import Law
from hub.tracking.state import FINISHED, State
from hub.tracking.story import Executor, Story, read

NAMED, BY_HAND = "redirect_named", "assigned_by_operator"


def original_of(store: Store, case_id: CaseId) -> AppealEnvelope:
    """The appeal as it was first made out. Raises ``NotFound``."""
    for message in store.messages(case_id):
        if message.direction is Direction.OUT and message.kind is Kind.APPEAL:
            envelope = json_rendering.from_trusted(message.body)
            assert isinstance(envelope, AppealEnvelope)
            return envelope
    raise NotFound("There is no case with this id.", code="case.unknown")


def name_in(directory: Directory, code: str) -> str:
    """How a body is called, for people."""
    known = directory.authority(code)
    return (known.short_name or known.name) if known is not None else code


class Forwarding:
    """Forwards cases. ``party``: who the hub is towards authorities; ``law``: what terms count by."""

    def __init__(
        self, *, store: Store, registry: Registry, clock: Clock, doorbell: Doorbell, party: Party, law: Law
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell
        self._party = party
        self._law = law

    # What an authority's statement asks for

    def follow(self, row: CaseRow, story: Story, executor: Executor, fact: Fact, because: str) -> Assignment:
        """Result of a redirect, or of a refusal as wrongly addressed: the next body, or an operator."""
        now = self._clock.now()
        if row.state in FINISHED:
            return self._ask(story, fact, because, "redirect.too_late", "The case was answered before.")
        bodies = chain.path(story, executor)
        named = fact.data.get("to")
        wrong = chain.fault(bodies, named, max_hops=self._law.max_hops)
        if wrong is not None:
            return self._ask(story, fact, because, wrong, "")
        directory = self._registry.current()
        original = original_of(self._store, row.case.id)
        decision = self._next(original, directory, bodies, named, now)
        authority = directory.authority(decision.authority) if decision.authority else None
        if authority is None:
            steps = " ".join(step.text for step in decision.steps)
            return self._ask(story, fact, because, f"redirect.{decision.reason}", steps)
        assignment = assign(
            original,
            row.case.id,
            authority,
            directory,
            party=self._party,
            law=self._law,
            role=executor.role,
            source=Source.HUB,
            now=now,
            duty=(fact.at, because),
            data={**decision.data(), "instead_of": executor.key, "because": because},
        )
        return self._stop(assignment, row, executor)

    def _next(
        self, original: AppealEnvelope, directory: Directory, bodies: tuple[str, ...], named: str | None, now: datetime
    ) -> Decision:
        """The body that was named, if it can be reached and is not complained of; else whom the router finds."""
        asked = route(original.body, directory, now, declined=bodies, addressee=named)
        if named is None or (asked.authority is not None and asked.reason.startswith("requested")):
            return asked
        named_authority = directory.authority(named)
        alone = named_authority is not None and not any(step.code == "accused" for step in asked.steps)
        if alone and named_authority is not None and reachable(named_authority, original, directory, now):
            # The registry does not list it as competent; the body that sends it on knows better (article 7).
            ways = tuple(channel.id for channel in named_authority.ways(kyiv_day(now)))
            return Decision(
                authority=named,
                channel_ids=ways,
                reason=NAMED,
                steps=asked.steps,
                registry_version=directory.version,
            )
        return asked

    def _ask(self, story: Story, fact: Fact, because: str, reason: str, why: str) -> Assignment:
        """An operator decides; the chain is told in words."""
        directory = self._registry.current()
        told = chain.told(chain.hops(story), lambda code: name_in(directory, code))
        delivery = self._store.delivery(DeliveryId(fact.delivery_id)) if fact.delivery_id is not None else None
        if delivery is None:
            raise NotFound("The delivery of a statement is not there.", code="delivery.unknown")
        words = " ".join(part for part in (why, told) if part)
        facts, items = escalate(delivery, reason=reason, detail=words, now=self._clock.now(), because=because)
        return Assignment(change=Change(facts=facts, items=items))

    def _stop(self, assignment: Assignment, row: CaseRow, executor: Executor) -> Assignment:
        """Stop copies to the body that has it no longer, where nothing is on its way."""
        stops = tuple(
            DeliveryUpdate(id=d.id, state=TransportState.CANCELLED, last_code="superseded")
            for d in self._store.deliveries(row.case.id)
            if str(d.id) in {*executor.copies, *executor.supplements} and d.state in WITHDRAWABLE
        )
        return replace(assignment, change=replace(assignment.change, updates=stops))

    # What operators do

    def assign(self, case_id: CaseId, authority: str, *, by: str, role: Role = Role.MAIN, reason: str = "") -> Accepted:
        """An operator gives a case to an authority: as its main executor (instead of the one that has it), as a
        co-executor, or for information. As main executor the open items of the case are closed.

        Raises ``NotFound`` for a case that does not exist, ``InvalidInput`` for an authority without a valid channel,
        for one that the complaint is about or that stands below it, or for a case that was withdrawn.
        """
        now = self._clock.now()
        row = self._store.case(case_id)
        if row is None:
            raise NotFound("There is no case with this id.", code="case.unknown")
        if row.state == State.WITHDRAWN:
            raise InvalidInput("The applicant withdrew the appeal.", code="assign.withdrawn")
        directory = self._registry.current()
        original = original_of(self._store, case_id)
        body = _assignable(directory, authority, original, now)
        story = read(self._store.facts(case_id))
        before = holder(story) if role is Role.MAIN else None
        data = {"reason": BY_HAND, "by": by, "registry_version": directory.version}
        if reason:
            data["why"] = reason[:500]
        assignment = assign(
            original,
            case_id,
            body,
            directory,
            party=self._party,
            law=self._law,
            role=role,
            source=Source.OPERATOR,
            now=now,
            data={**data, **({"instead_of": before.key} if before is not None else {})},
        )
        if role is Role.MAIN:  # another copy settles nothing that is open about the one that must answer
            done = resolved(case_id, now, by=by, how=f"given to {authority} as {role.value}")
            assignment = replace(assignment, change=replace(assignment.change, facts=(done, *assignment.change.facts)))
        if before is not None:
            assignment = self._stop(assignment, row, before)
        self._store.apply(assignment.change)
        if role is Role.MAIN:
            self._store.close_items(None, case_id, now, f"given to {authority} as {role.value} by {by}")
        for lane in assignment.lanes:
            self._doorbell.ring(lane, suspect=False)
        return _accepted(assignment, row.case, authority, directory)


def holder(story: Story) -> Executor | None:
    """The main executor that has the case now."""
    holding = [executor for executor in story.mains() if executor.superseded_by is None]
    return holding[-1] if holding else None


def reachable(authority: Authority, original: AppealEnvelope, directory: Directory, now: datetime) -> bool:
    """True if it is in force, connected, and takes this kind of appeal at this stage of the roll-out."""
    day = kyiv_day(now)
    taken = routed_to(directory.stages(), authority.kind, original.body.channel, day)
    return authority.holds_on(day) and bool(authority.ways(day)) and taken


def _assignable(directory: Directory, code: str, original: AppealEnvelope, now: datetime) -> Authority:
    authority = directory.authority(code)
    day = kyiv_day(now)
    if authority is None or not authority.holds_on(day) or not authority.ways(day):
        raise InvalidInput(
            "This authority does not exist on this day or has no channel.",
            code="assign.not_connected",
            faults=[Fault(pointer="/authority", code="assign.not_connected", message="has no valid channel")],
            action="Choose an authority with a channel; `hub registry show CODE` tells.",
        )
    accused = accused_by(original.body, authority, directory, now)
    if accused is not None:
        raise InvalidInput(
            f"The complaint is about {accused}: neither it nor a body below it may get it (article 7).",
            code="assign.accused",
            faults=[Fault(pointer="/authority", code="assign.accused", message="is complained of, or stands below")],
            action="Choose the body above the one that is complained of.",
        )
    return authority


def _accepted(assignment: Assignment, case: NewCase, authority: str, directory: Directory) -> Accepted:
    message = assignment.change.messages[0]
    document = {
        "case_id": str(case.id),
        **({"case_number": case.case_number} if case.case_number is not None else {}),
        "message_id": str(message.id),
        "authority": authority,
        "state": "routed",
        "reason": BY_HAND,
        "registry_version": directory.version,
    }
    return Accepted(
        case_id=case.id,
        message_id=message.id,
        authority=authority,
        reason=BY_HAND,
        answer=json.dumps(document).encode(),
    )
