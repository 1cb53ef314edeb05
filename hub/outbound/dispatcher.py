"""Dispatching: claim what is due, send it, write the outcomes.

The steps stand apart (``claim``, ``send``, ``write``) so that a worker can claim for many lanes in one transaction,
send to each in a thread of its own, and write outcomes in batches.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hub.errors import HubError
from hub.failpoints import hit
from hub.inbound.receiver import Receiver
from hub.outbound.batch import LaneBatch
from hub.outbound.claim import Claimer
from hub.outbound.sender import Ended, OnEnded, Sender
from hub.ports import Adapter, Clock, Registry, Seal, Store
from hub.schemas.delivery import OutcomeKind, joined


class Dispatcher:
    """Steps of the way out. One instance per process; all methods may be called by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        receiver: Receiver,
        reply_url: str | None = None,
        dice: random.Random | None = None,
        sent: Callable[[str, OutcomeKind, float], None] = lambda _channel, _outcome, _seconds: None,
    ) -> None:
        self._store = store
        self._receiver = receiver
        dice = dice or random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
        self._claimer = Claimer(
            store=store, registry=registry, seal=seal, adapters=adapters, clock=clock, reply_url=reply_url, dice=dice
        )
        self._sender = Sender(store=store, clock=clock, receiver=receiver, dice=dice, sent=sent)

    def claim(self, channel_ids: Sequence[str], owner: str) -> tuple[LaneBatch, ...]:
        """Claim for lanes (``hub.outbound.claim``)."""
        return self._claimer.claim(channel_ids, owner)

    def send(self, lane: LaneBatch, ended: OnEnded) -> bool:
        """Send over one session of a lane (``hub.outbound.sender``); True if the lane is through with its batch."""
        return self._sender.send(lane, ended)

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
            self._receiver.written(held)

    def write_bare(self, ended: Ended, refusal: HubError) -> None:
        """Write an outcome that could not be written together with what came with it; that is journalled as refused."""
        self.write((replace(ended, held=(), updates=()),))
        for statement in ended.held:
            self._receiver.give_up(statement, refusal)

    def ping(self) -> None:
        """Raises ``Unavailable`` if the store cannot be written now."""
        self._store.ping()

    def save_lane(self, lane: LaneBatch) -> None:
        """Keep the lane's state if it changed; a healthy lane costs nothing."""
        if lane.state != lane.saved:
            self._store.save_lane(lane.state)
            lane.saved = lane.state
