"""Duties: acts that the law asks of the hub when a term comes due, a notice fails to come, a body refuses,
sends on or breaks a term.

What is to be done follows from the facts alone (``hub.tracking.duties``); here it is done. Each deed leaves a fact that
names its duty, written together with what it does, so that a kill in between repeats nothing. A case is looked at under
a short lease, so any number of runners do no harm. A sweep is one indexed query a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hub.cases.assignment import Assignment, assign
from hub.cases.forwarding import Forwarding, name_in, original_of, reachable
from hub.delivery.fallback import fall_back, next_channel
from hub.delivery.records import escalate, fact_of
from hub.delivery.together import together_else_each
from hub.errors import HubError
from hub.ports import Clock, Directory, Doorbell, Registry, Store
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    Fact,
    FactKind,
    OperatorItem,
    Source,
    TransportState,
    joined,
)
from hub.schemas.directory import Authority
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId, DeliveryId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import RefusalGround, Role
from hub.tracking.duties import Act, Duty, duties
from hub.tracking.law import Law
from hub.tracking.story import Executor, Story, read
from hub.tracking.terms import CaseFacts, case_facts

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
BATCH = 200
_STILL_TRYING = frozenset({TransportState.WAITING, TransportState.SENDING, TransportState.UNKNOWN})


class DutyRunner:
    """Looks at cases whose moment has come. Safe to call from many threads and processes."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        doorbell: Doorbell,
        forwarding: Forwarding,
        party: Party,
        law: Law,
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell
        self._forwarding = forwarding
        self._law = law
        self._party = party

    def sweep(self, batches: int = 5) -> int:
        """Look at every case that is due, a batch at a time; returns how many were looked at."""
        looked = 0
        for _ in range(batches):
            now = self._clock.now()
            rows = self._store.claim_watched(now=now, until=now + LEASE, limit=BATCH)
            self._attend(rows, now)
            looked += len(rows)
            if len(rows) < BATCH:
                break
        return looked

    def look(self, case_id: CaseId) -> None:
        """Look at one case now, if it is due. Never raises: what fails is swept later."""
        now = self._clock.now()
        try:
            self._attend(self._store.claim_watched(now=now, until=now + LEASE, limit=1, case_id=case_id), now)
        except HubError as failure:
            log.warning("a case was not looked at", extra={"case": str(case_id), "code": failure.stable_code})

    def _attend(self, rows: Sequence[CaseRow], now: datetime) -> None:
        """All in one transaction; if one case stops it, each goes alone."""
        facts = self._store.facts_of([row.case.id for row in rows]) if rows else {}

        def done(some: Sequence[CaseRow]) -> list[tuple[str, ...]]:
            answers = [self._answer(row, facts[row.case.id], now) for row in some]
            self._store.apply(joined(assignment.change for assignment in answers))
            return [assignment.lanes for assignment in answers]

        lanes = together_else_each(rows, done, _not_done)
        for lane in dict.fromkeys(lane for each in lanes for lane in each):
            self._doorbell.ring(lane, suspect=False)

    def _answer(self, row: CaseRow, facts: Sequence[Fact], now: datetime) -> Assignment:
        """Results of all duties of a case that are due. One that cannot be done now is left for the next look."""
        rules = self._law
        case = case_facts(row.case.channel, read(facts), rules)
        deed = _Deed(self, row, case, rules, now)
        done: list[Assignment] = []
        for duty in _due(duties(case, rules), now):
            try:
                done.append(deed.do(duty))
            except HubError as failure:
                log.warning(
                    "a duty was not done",
                    extra={"case": str(row.case.id), "duty": duty.act, "code": failure.stable_code},
                )
        return Assignment(change=joined(d.change for d in done), lanes=tuple(lane for d in done for lane in d.lanes))

    # What a deed needs of the world

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    @property
    def directory(self) -> Directory:
        """The registry in force."""
        return self._registry.current()

    @property
    def forwarding(self) -> Forwarding:
        """Forwards cases."""
        return self._forwarding

    @property
    def party(self) -> Party:
        """Party that the hub is towards authorities."""
        return self._party


def _not_done(row: CaseRow, failure: HubError) -> tuple[str, ...]:
    """Its moment stays in the past, so the next sweep looks at it again."""
    log.warning("a duty was not done", extra={"case": str(row.case.id), "code": failure.stable_code})
    return ()


def _due(todo: Iterable[Duty], now: datetime) -> list[Duty]:
    """Duties whose moment has come; a warning before the end of a term is void once the end has come too."""
    come = [duty for duty in todo if duty.at <= now]
    over = {duty.term.subject for duty in come if duty.act is Act.OVERDUE and duty.term is not None}
    return [d for d in come if d.act is not Act.WARN or d.term is None or d.term.subject not in over]


class _Deed:
    """Does the duties of one case."""

    def __init__(self, runner: DutyRunner, row: CaseRow, case: CaseFacts, rules: Law, now: datetime) -> None:
        self._runner = runner
        self._row = row
        self._case = case
        self._law = rules
        self._now = now

    @property
    def _story(self) -> Story:
        return self._case.story

    def do(self, duty: Duty) -> Assignment:
        """Result of one duty."""
        match duty.act:
            case Act.REDIRECT:
                return self._redirect(duty)
            case Act.REFUSAL:
                return self._refusal(duty)
            case Act.NEXT_CHANNEL:
                return self._next_channel(duty)
            case Act.WARN:
                return Assignment(change=Change(facts=(self._of_term(duty, FactKind.TERM_WARNED),)))
            case Act.OVERDUE:
                return self._overdue(duty)
            case Act.CORRECT:
                return Assignment(change=Change(facts=(self._of_term(duty, FactKind.TERM_CORRECTED),)))
            case Act.BREACH:
                return self._breach(duty)

    # Statements of authorities

    def _redirect(self, duty: Duty) -> Assignment:
        assert duty.executor is not None
        assert duty.fact is not None
        return self._runner.forwarding.follow(self._row, self._story, duty.executor, duty.fact, duty.name)

    def _refusal(self, duty: Duty) -> Assignment:
        """Item 21: for a technical ground to the operator with what to mend, for competence to the router."""
        assert duty.executor is not None
        assert duty.fact is not None
        name = duty.fact.data.get("ground", RefusalGround.OTHER)
        ground = self._law.grounds.get(RefusalGround(name)) if name in set(RefusalGround) else None
        if ground is not None and ground.act == "router" and not duty.aside:
            return self._redirect(duty)
        if ground is None:
            mend = "No ground of CMU 55/2018 item 21 was named: rejecting without one is a violation (item 24)."
        else:
            mend = f"Ground {ground.item} of CMU 55/2018 item 21. {ground.mend}"
        delivery = self._delivery(duty.fact.delivery_id)
        facts, items = escalate(delivery, reason=f"refused.{name}", detail=mend, now=self._now, because=duty.name)
        return Assignment(change=Change(facts=facts, items=items))

    def _breach(self, duty: Duty) -> Assignment:
        breach = duty.breach
        assert breach is not None
        data = {"rule": breach.code, "law": breach.law, "because": duty.name}
        if breach.due_at is not None:
            data["due"] = kyiv_day(breach.due_at).isoformat()
        fact = Fact(
            kind=FactKind.BREACH,
            case_id=self._row.case.id,
            at=duty.at,
            source=Source.HUB,
            authority=breach.executor.authority,
            delivery_id=breach.fact.delivery_id,
            data=data,
        )
        return Assignment(change=Change(facts=(fact,)))

    # Terms

    def _of_term(self, duty: Duty, kind: FactKind) -> Fact:
        term = duty.term
        assert term is not None
        data = {
            "term": term.rule.code,
            "law": term.rule.law,
            "due": kyiv_day(term.due_at).isoformat(),
            "subject": term.subject,
            "because": duty.name,
        }
        if term.provisional:
            data["provisional"] = "yes"
        root = self._executor(term.executor)
        return Fact(
            kind=kind,
            case_id=self._row.case.id,
            at=duty.at,
            source=Source.HUB,
            authority=term.authority,
            delivery_id=DeliveryId(UUID(root.root)) if root is not None and root.root else None,
            data=data,
        )

    def _executor(self, key: str | None) -> Executor | None:
        return self._story.executor(key) if key is not None else None

    def _overdue(self, duty: Duty) -> Assignment:
        """A binding term that is over is a fact for the contact centre, and for the superior body or an operator; one
        that does not bind is a warning.
        """
        term = duty.term
        assert term is not None
        fact = self._of_term(duty, FactKind.TERM_OVERDUE if term.rule.binding else FactKind.TERM_WARNED)
        noted = Assignment(change=Change(facts=(fact,)))
        if term.rule.overdue == "nothing" or not term.rule.binding:
            return noted
        told = self._tell_superior(duty) if term.rule.overdue == "superior" else None
        if told is None:
            told = self._item(duty, f"overdue.{term.rule.code}")
        return Assignment(change=joined((noted.change, told.change)), lanes=told.lanes)

    def _tell_superior(self, duty: Duty) -> Assignment | None:
        """The nearest superior body that can be reached and is not complained of gets the appeal for information."""
        term = duty.term
        assert term is not None
        directory = self._runner.directory
        original = original_of(self._runner.store, self._row.case.id)
        above = next(
            (
                body
                for body in _superiors(directory, term.authority)
                if body.code not in original.body.about and reachable(body, original, directory, self._now)
            ),
            None,
        )
        if above is None:
            return None
        return assign(
            original,
            self._row.case.id,
            above,
            directory,
            party=self._runner.party,
            law=self._law,
            role=Role.INFORMATION,
            source=Source.HUB,
            now=self._now,
            duty=(duty.at, f"{duty.name}:{above.code}"),
            data={
                "reason": f"overdue.{term.rule.code}",
                "about": term.authority or "",
                "registry_version": directory.version,
            },
        )

    def _item(self, duty: Duty, reason: str) -> Assignment:
        term = duty.term
        assert term is not None
        name = name_in(self._runner.directory, term.authority) if term.authority else "the hub"
        words = f"{term.rule.title}: {name}, {term.rule.law}; the term ended on {kyiv_day(term.due_at):%d.%m.%Y}."
        root = self._executor(term.executor)
        item = OperatorItem(
            id=str(new_id()),
            case_id=self._row.case.id,
            delivery_id=DeliveryId(UUID(root.root)) if root is not None and root.root else None,
            authority=term.authority,
            reason=reason,
            detail=words,
            opened_at=self._now,
        )
        fact = Fact(
            kind=FactKind.ESCALATED,
            case_id=self._row.case.id,
            at=self._now,
            source=Source.HUB,
            authority=term.authority,
            delivery_id=item.delivery_id,
            data={"reason": reason},
        )
        return Assignment(change=Change(facts=(fact,), items=(item,)))

    def _next_channel(self, duty: Duty) -> Assignment:
        """Item 24: not received. The next channel takes the same message; without one, an operator."""
        term = duty.term
        assert term is not None
        delivery = self._delivery(DeliveryId(UUID(term.copy or "")))
        silent = fact_of(
            delivery,
            FactKind.NOT_RECEIVED,
            duty.at,
            Source.HUB,
            term=term.rule.code,
            law=term.rule.law,
            channel=delivery.channel_id,
            because=duty.name,
        )
        noted = Change(facts=(silent,))
        if delivery.state in (TransportState.DEAD, TransportState.REFUSED, TransportState.CANCELLED):
            return Assignment(change=noted)  # an operator has it already
        authority = self._runner.directory.authority(delivery.authority)
        onto = next_channel(authority, delivery.channel_id, kyiv_day(self._now))
        if onto is not None:
            following = fall_back(delivery, onto, why=f"delivery.{term.rule.code}", now=self._now)
            return Assignment(change=joined((noted, following.change())), lanes=(onto.id,))
        if delivery.state in _STILL_TRYING:
            return Assignment(change=noted)  # its own schedule goes on, and ends with an operator
        words = f"{term.rule.law}: no notice of delivery within 6 hours, and there is no other channel."
        facts, items = escalate(delivery, reason="delivery.not_received", detail=words, now=self._now)
        return Assignment(change=joined((noted, Change(facts=facts, items=items))))

    def _delivery(self, delivery_id: DeliveryId | None) -> Delivery:
        found = self._runner.store.delivery(delivery_id) if delivery_id is not None else None
        if found is None:
            raise HubError("The delivery that a duty is about is not there.", code="delivery.unknown")
        return found


def _superiors(directory: Directory, code: str | None) -> Iterator[Authority]:
    """The bodies above, nearest first."""
    seen: set[str] = set()
    at = directory.authority(code) if code is not None else None
    while at is not None and at.superior is not None and at.superior not in seen:
        seen.add(at.superior)
        at = directory.authority(at.superior)
        if at is not None:
            yield at
