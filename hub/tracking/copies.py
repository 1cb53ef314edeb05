"""The copies of one message that went over several channels, and which of them counts. Pure.

CMU 55/2018 item 24: a document is received when the notice of delivery comes. The copy that counts is the one with the
strongest receipt (registered, accepted, delivered), of equal ones the earliest; the fact that says so is the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.schemas.delivery import Fact, FactKind
from hub.tracking.story import RECEIPTS, Executor, Story, strongest


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One channel that was tried. ``delivery``: its id. ``given_up_at``: when no notice had come in time.

    ``receipt``: the strongest that came for this copy; ``counts``: it is the one that proves the whole.
    """

    delivery: str
    sent_at: datetime | None
    received_at: datetime | None
    given_up_at: datetime | None
    receipt: Fact | None
    counts: bool


def copies(story: Story, executor: Executor) -> tuple[Copy, ...]:
    """The copies of the appeal to one executor, in the order in which channels were tried."""
    counting = executor.counting_copy()
    silent = story.of(FactKind.NOT_RECEIVED)
    return tuple(_copy(each, executor, silent, counting) for each in executor.copies)


def _copy(delivery: str, executor: Executor, silent: list[Fact], counting: Fact | None) -> Copy:
    facts = [fact for fact in executor.facts if str(fact.delivery_id) == delivery]
    return Copy(
        delivery=delivery,
        sent_at=next((fact.at for fact in facts if fact.kind is FactKind.SENT), None),
        received_at=next((fact.at for fact in facts if fact.kind in RECEIPTS), None),
        given_up_at=next((fact.at for fact in silent if str(fact.delivery_id) == delivery), None),
        receipt=strongest(facts),
        counts=counting is not None and str(counting.delivery_id) == delivery,
    )
