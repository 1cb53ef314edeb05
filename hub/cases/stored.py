"""Appeals that were taken in before, as questions to the router: for trying another registry on them. Only reads.

Of an appeal nothing is read but what sets its way: neither its words nor its applicant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ConfigDict

from hub.ports import CaseFilter, Store
from hub.schemas.base import Frozen
from hub.schemas.delivery import CaseRow, FactKind
from hub.schemas.envelope import RequestedAddressee
from hub.schemas.terms import AppealChannel, AppealKind, Conclusion
from hub.tracking.state import State

PAGE: Final = 500
"""Appeals that are read at once; a text may have 100,000 characters."""


class StoredRoutable(Frozen):
    """Parts of a stored appeal that set its way: a ``Routable``. All else in it is left unread."""

    model_config = ConfigDict(extra="ignore")

    channel: AppealChannel
    kind: AppealKind
    topics: tuple[str, ...]
    place: str | None = None
    addressee: RequestedAddressee | None = None
    about: tuple[str, ...] = ()


class _Envelope(Frozen):
    model_config = ConfigDict(extra="ignore")

    body: StoredRoutable


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAppeal:
    """One appeal of the past. ``number``: of its case, or its id where it has none."""

    number: str
    asked: StoredRoutable


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
        if message is not None:
            number = row.case.case_number or str(row.case.id)
            yield StoredAppeal(number=number, asked=_Envelope.model_validate_json(message.body).body)


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
