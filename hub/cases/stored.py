"""Appeals that were taken in before, as questions to the router: for trying another registry on them. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.ports import CaseFilter, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import CaseRow, FactKind
from hub.schemas.envelope import AppealEnvelope, AppealForm
from hub.schemas.terms import Conclusion
from hub.tracking.state import State

PAGE: Final = 500
"""Appeals that are read at once; a text may have 100,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAppeal:
    """One appeal of the past. ``number``: of its case, or its id where it has none."""

    number: str
    created_at: datetime
    form: AppealForm


def newest_appeals(store: Store, most: int) -> Iterator[StoredAppeal]:
    """The appeals of the newest ``most`` cases, the newest first, but for those that the centre answered at once: for
    them nobody was looked for.
    """
    after: str | None = None
    while most > 0 and (rows := store.cases(CaseFilter(), after=after, limit=min(most, PAGE), newest=True)):
        yield from _appeals(store, rows)
        most -= len(rows)
        after = rows[-1].cursor


def _appeals(store: Store, rows: Sequence[CaseRow]) -> Iterator[StoredAppeal]:
    at_once = _answered_at_once(store, rows)
    messages = store.appeals_of([row.case.id for row in rows if row.case.id not in at_once])
    for row in rows:
        message = messages.get(row.case.id)
        envelope = json_rendering.from_trusted(message.body) if message is not None else None
        if isinstance(envelope, AppealEnvelope):
            number = row.case.case_number or str(row.case.id)
            yield StoredAppeal(number=number, created_at=row.case.created_at, form=envelope.body)


def _answered_at_once(store: Store, rows: Sequence[CaseRow]) -> frozenset[object]:
    """Ids of the cases that the centre answered itself. The appeal as it goes out does not say so, the facts do."""
    ended = [row.case.id for row in rows if row.state == State.CONCLUDED and row.authority is None]
    facts = store.facts_of(ended) if ended else {}
    return frozenset(
        case_id
        for case_id, told in facts.items()
        if any(
            fact.kind is FactKind.CONCLUDED and fact.data.get("decision") == Conclusion.ANSWERED_BY_CENTRE
            for fact in told
        )
    )
