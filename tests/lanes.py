"""One run of a lane from end to end, as a worker makes it, in this thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hub.bootstrap import UseCases
from hub.outbound.sender import Ended
from hub.schemas.delivery import OutcomeKind


@dataclass(frozen=True, kw_only=True)
class LaneRun:
    """The attempts of a run by outcome, and how many polls and collected messages came after them."""

    outcomes: Mapping[OutcomeKind, int]
    retrieved: int

    @property
    def sent(self) -> int:
        """Attempts in all."""
        return sum(self.outcomes.values())


def run_lane(cases: UseCases, channel_id: str, owner: str = "tester") -> LaneRun:
    """Claim, send, write, then poll and collect."""
    ended: list[Ended] = []
    for batch in cases.dispatcher.claim((channel_id,), owner):
        cases.dispatcher.send(batch, ended.append)
        cases.dispatcher.save_lane(batch)
    cases.dispatcher.write(ended)
    retrieved = cases.retriever.retrieve(channel_id)
    return LaneRun(outcomes=Counter(each.kind for each in ended), retrieved=retrieved)
