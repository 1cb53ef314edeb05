"""Patrol: the promise that nothing is closed into nothing, checked over every case that is not finished.

A case that is not finished is held by a body, or something of it waits for an operator; and one of its terms runs, so
that it comes due. Every act keeps that; the patrol goes round all the same, a page at a time, for what a fault of ours
or a hand in the database broke: what it finds is logged, counted and brought to the operators.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from hub.cases.rows import case_fact, lost_copies
from hub.ports import CaseFilter, Clock, Store
from hub.schemas.delivery import CaseRow, Change, Fact, FactKind, OperatorItem, Source, joined
from hub.schemas.ids import CaseId
from hub.tracking.holding import is_held
from hub.tracking.law import Law
from hub.tracking.state import FINISHED, STATES
from hub.tracking.story import read
from hub.tracking.terms import case_facts, nearest_due, terms

log = logging.getLogger(__name__)

PAGE = 100
EVERY = timedelta(seconds=10)
GRACE = timedelta(minutes=2)
"""How long a case may look like nobody's before it counts as one: a duty, a replay or an assignment is quicker."""
NOBODY = "case.nobody_has_it"
_WORDS = "No body has this case, and nothing of it waited for a person. Assign it, or conclude it with a reason."
_UNFINISHED = tuple(state.value for state in STATES if state not in FINISHED)


class Patrol:
    """Goes round all unfinished cases. One instance per process, used by one thread; any number may go at once.

    ``found``: called with the number of cases that nobody had.
    """

    def __init__(self, *, store: Store, clock: Clock, law: Law, found: Callable[[int], None] = lambda _: None) -> None:
        self._store = store
        self._clock = clock
        self._law = law
        self._found = found
        self._pages: Iterator[Sequence[CaseRow]] = iter(())
        self._looked_at: datetime | None = None
        self._suspects: dict[CaseId, datetime] = {}

    def step(self) -> int:
        """Look at the next page, unless that is too soon; returns how many cases were found that nobody had.

        A case that somebody is at work on may look like one for a moment: it is looked at again before it counts.
        """
        now = self._clock.now()
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + EVERY:
            return 0
        self._looked_at = now
        self._suspects = {case_id: min(since, now) for case_id, since in self._suspects.items()}  # a clock set back
        for case_id in self._loose(self._next_page()):
            self._suspects.setdefault(case_id, now)
        ripe = [case_id for case_id, since in self._suspects.items() if now - since >= GRACE]
        for case_id in ripe:
            del self._suspects[case_id]
        again = [row for case_id in ripe if (row := self._store.case(case_id)) is not None]
        return self._bring(self._loose(again))

    def round(self) -> int:
        """Look at every unfinished case while nobody is at work; returns how many were found that nobody had."""
        return sum(self._bring(self._loose(page)) for page in list(self._round()))

    def _next_page(self) -> Sequence[CaseRow]:
        page = next(self._pages, None)
        if page is None:
            self._pages = self._round()
            page = next(self._pages, ())
        return page

    def _round(self) -> Iterator[Sequence[CaseRow]]:
        for state in _UNFINISHED:
            after: str | None = None
            while rows := self._store.cases(CaseFilter(state=state), after=after, limit=PAGE):
                yield rows
                after = rows[-1].cursor

    def _loose(self, page: Sequence[CaseRow]) -> list[CaseId]:
        """Cases of a page that no body holds and that wait for no operator."""
        facts = self._store.facts_of([row.case.id for row in page]) if page else {}
        unheld = [row.case.id for row in page if not self._is_kept(row, facts[row.case.id])]
        waiting = self._store.open_items(unheld) if unheld else {}
        return [case_id for case_id in unheld if case_id not in waiting]

    def _is_kept(self, row: CaseRow, facts: Sequence[Fact]) -> bool:
        """True if a body has the case and a term of it runs; by the facts of now, which may be later than the page."""
        case = case_facts(row.case.channel, read(facts), self._law)
        if case.finished:
            return True
        if nearest_due(terms(case, self._law)) is None:
            return False
        copies = frozenset(copy for executor in case.story.executors for copy in executor.copies)
        if is_held(case.story, copies):
            return True  # by what its body said, whatever became of the copies
        return is_held(case.story, lost_copies(self._store.deliveries(row.case.id)))

    def _bring(self, lost: Sequence[CaseId]) -> int:
        if lost:
            log.error("cases that nobody had were found", extra={"count": len(lost), "case": str(lost[0])})
            self._store.apply(joined(_brought(case_id, self._clock.now()) for case_id in lost))
            self._found(len(lost))
        return len(lost)


def _brought(case_id: CaseId, now: datetime) -> Change:
    """The case brought to the operators. Two patrols that find the same case at one moment write one item."""
    item = OperatorItem(
        id=str(uuid.uuid5(case_id, f"{NOBODY}:{now.isoformat()}")),
        case_id=case_id,
        reason=NOBODY,
        detail=_WORDS,
        opened_at=now,
    )
    fact = case_fact(FactKind.ESCALATED, case_id, now, Source.HUB, data={"reason": NOBODY})
    return Change(items=(item,), facts=(fact,))
