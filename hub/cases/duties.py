"""Duties: acts that the law asks of the hub when a term comes due, a notice fails to come, a body refuses,
sends on or breaks a term.

What is to be done follows from the facts alone (``hub.tracking.duties``); here it is done. Each deed leaves a fact that
names its duty, written together with what it does, so that a kill in between repeats nothing. A case is looked at under
a short lease, so any number of runners do no harm. A sweep is one indexed query a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from hub.cases.assignment import Assignment
from hub.cases.deeds import Deed, Hands
from hub.cases.forwarding import Forwarding
from hub.delivery.together import together_else_each
from hub.errors import HubError
from hub.ports import Clock, Doorbell, Registry, Store
from hub.schemas.delivery import (
    CaseRow,
    Fact,
    joined,
)
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId
from hub.tracking.duties import Act, Duty, duties
from hub.tracking.law import Law
from hub.tracking.story import read
from hub.tracking.terms import case_facts

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
BATCH = 200


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

    def _hands(self) -> Hands:
        return Hands(
            store=self._store, directory=self._registry.current(), forwarding=self._forwarding, party=self._party
        )

    def _answer(self, row: CaseRow, facts: Sequence[Fact], now: datetime) -> Assignment:
        """Results of all duties of a case that are due. One that cannot be done now is left for the next look."""
        rules = self._law
        case = case_facts(row.case.channel, read(facts), rules)
        deed = Deed(self._hands(), row, case, rules, now)
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


def _not_done(row: CaseRow, failure: HubError) -> tuple[str, ...]:
    """Its moment stays in the past, so the next sweep looks at it again."""
    log.warning("a duty was not done", extra={"case": str(row.case.id), "code": failure.stable_code})
    return ()


def _due(todo: Iterable[Duty], now: datetime) -> list[Duty]:
    """Duties whose moment has come; a warning before the end of a term is void once the end has come too."""
    come = [duty for duty in todo if duty.at <= now]
    over = {duty.term.subject for duty in come if duty.act is Act.OVERDUE and duty.term is not None}
    return [d for d in come if d.act is not Act.WARN or d.term is None or d.term.subject not in over]
