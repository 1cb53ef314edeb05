"""Carrying: claim what is due, send it, write the outcomes.

The steps stand apart (``take``, ``send``, ``write``) so that a worker can claim for many lanes in one transaction, send
to each in a thread of its own, and write outcomes in batches; ``run`` does them one after the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.delivery.ask import Asker
from hub.delivery.claim import Claimer, LaneLoad
from hub.delivery.sending import Ended, Sender, Sink
from hub.errors import HubError
from hub.failpoints import hit
from hub.ports import Adapter, Clock, Registry, Seal, Store
from hub.schemas.delivery import OutcomeKind, joined
from hub.schemas.directory import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReport:
    """What one run did, for metrics and logs."""

    channel_id: str
    sent: int = 0
    outcomes: Mapping[OutcomeKind, int] = field(default_factory=dict)
    polled: int = 0
    more: bool = False


class Carrier:
    """The steps of carrying. One instance per process; all methods may be called by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        asker: Asker,
        reply_url: str | None = None,
        dice: random.Random | None = None,
        sent: Callable[[str, OutcomeKind, float], None] = lambda _channel, _outcome, _seconds: None,
    ) -> None:
        self._store = store
        self._asker = asker
        dice = dice or random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
        self._claimer = Claimer(
            store=store, registry=registry, seal=seal, adapters=adapters, clock=clock, reply_url=reply_url, dice=dice
        )
        self._sender = Sender(store=store, clock=clock, asker=asker, dice=dice, sent=sent)

    def run(self, channel_id: str, owner: str) -> LaneReport:
        """One claim of one lane from end to end, polls included; for tests and tools."""
        ended: list[Ended] = []
        loads = self.take((channel_id,), owner)
        for load in loads:
            self.send(load, ended.append)
            self.save_lane(load)
        self.write(ended)
        outcomes: dict[OutcomeKind, int] = {}
        for each in ended:
            outcomes[each.kind] = outcomes.get(each.kind, 0) + 1
        polled = self._asker.ask(channel_id)
        more = any(load.more for load in loads)
        return LaneReport(channel_id=channel_id, sent=len(ended), outcomes=outcomes, polled=polled, more=more)

    def take(self, channel_ids: Sequence[str], owner: str) -> tuple[LaneLoad, ...]:
        """Claim for lanes (``hub.delivery.claim``)."""
        return self._claimer.take(channel_ids, owner)

    def send(self, lane: LaneLoad, sink: Sink) -> bool:
        """One hand of a lane sends what is there (``hub.delivery.sending``); True if the lane is through with it."""
        return self._sender.send(lane, sink)

    # Writing

    def write(self, ended: Sequence[Ended]) -> None:
        """Write outcomes in one transaction."""
        if not ended:
            return
        hit("S11")
        self._store.apply(joined(change for each in ended for change in each.changes()))
        hit("S12")
        held = [statement for each in ended for statement in each.held]
        if held:
            self._asker.takeback.written(held)

    def write_bare(self, ended: Ended, refusal: HubError) -> None:
        """Write an outcome that could not be written together with what came with it; that is journalled as refused."""
        self.write((replace(ended, held=(), updates=()),))
        for statement in ended.held:
            self._asker.takeback.give_up(statement, refusal)

    def ask(self, channel_id: str) -> int:
        """Poll and collect over a channel (``hub.delivery.ask``)."""
        return self._asker.ask(channel_id)

    def asks(self, channel: Channel) -> bool:
        """Whether there may be something to ask about over this channel."""
        return self._asker.asks(channel)

    def ping(self) -> None:
        """Raises ``Unavailable`` if the store cannot be written now."""
        self._store.ping()

    def save_lane(self, lane: LaneLoad) -> None:
        """Keep the lane's state if it changed; a healthy lane costs nothing."""
        if lane.state != lane.saved:
            self._store.save_lane(lane.state)
            lane.saved = lane.state
