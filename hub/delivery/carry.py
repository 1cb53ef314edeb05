"""Carrying: claim what is due, send it, write the outcomes.

The steps stand apart (``take``, ``send``, ``write``) so that a worker can claim for many lanes in one transaction, send
to each in a thread of its own, and write outcomes in batches; ``run`` does them one after the other.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.delivery import breaker
from hub.delivery.ask import Asker
from hub.delivery.claim import Claimer, LaneLoad, Load
from hub.delivery.handover import Settlement
from hub.delivery.settle import attempt_id
from hub.errors import HubError, PeerChanged
from hub.failpoints import hit
from hub.ports import Adapter, Clock, Outcome, Registry, Seal, Store
from hub.schemas.delivery import (
    AttemptEnd,
    Change,
    Delivery,
    DeliveryUpdate,
    LaneState,
    OutcomeKind,
    TransportState,
)
from hub.schemas.directory import Channel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of one attempt, settled."""

    delivery: Delivery
    kind: OutcomeKind
    settlement: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReport:
    """What one run did, for metrics and logs."""

    channel_id: str
    sent: int = 0
    outcomes: Mapping[OutcomeKind, int] = field(default_factory=dict)
    polled: int = 0
    more: bool = False


Sink = Callable[[Ended], None]


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
        self._clock = clock
        self._asker = asker
        self._claimer = Claimer(
            store=store, registry=registry, seal=seal, adapters=adapters, clock=clock, reply_url=reply_url
        )
        self._dice = dice or random.SystemRandom()
        self._sent = sent

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

    # Sending

    def send(self, lane: LaneLoad, sink: Sink) -> None:
        """Send one after another over one session; each outcome goes to ``sink`` at once. Never raises for the peer.

        What the time slice or an opened breaker does not let out is put back unsent.
        """
        settler = lane.settler()
        left = list(lane.loads)

        def end(load: Load, outcome: Outcome) -> None:
            believed = self._believed(load.delivery, outcome)
            now = self._clock.now()
            lane.state = breaker.after(lane.state, believed.kind, now, lane.channel.lane)
            settled = settler.settle(load.delivery, believed, now, self._dice.random())
            if believed.stops_lane:
                lane.state = self._stop_lane(lane.channel.id, believed.code)
            sink(Ended(delivery=load.delivery, kind=believed.kind, settlement=settled))

        if lane.adapter.pulled(lane.channel):
            for load in left:
                end(load, Outcome(kind=OutcomeKind.OFFERED))
            return
        try:
            with lane.adapter.session(lane.channel) as session:
                while left and self._may_go_on(lane):
                    load = left.pop(0)
                    begun = time.perf_counter()
                    outcome = session.send(load.prepared, float(lane.channel.lane.deadline_secs))
                    self._sent(lane.channel.id, outcome.kind, time.perf_counter() - begun)
                    end(load, outcome)
        except HubError as failure:
            # The session could not be opened, so of what is left nothing went out. A fault of the channel's settings
            # is no fault of the messages: they wait until it is mended, and the lane shows as failing.
            stops = isinstance(failure, PeerChanged)
            closed = Outcome(
                kind=OutcomeKind.TEMPORARY, code=failure.stable_code, detail=failure.message, stops_lane=stops
            )
            while left and not (stops and lane.state.paused):
                end(left.pop(0), closed)
        self._put_back(left, lane.owner)

    def _stop_lane(self, channel_id: str, code: str | None) -> LaneState:
        """Pause a lane whose other side is not who it should be: what waits there waits for an operator."""
        log.error("lane stopped", extra={"channel": channel_id, "code": code})
        return self._store.pause_lane(channel_id, paused=True)

    def _may_go_on(self, lane: LaneLoad) -> bool:
        now = self._clock.now()
        in_slice = (now - lane.started).total_seconds() < lane.channel.lane.slice_secs
        return in_slice and breaker.may_run(lane.state, now)

    def _put_back(self, loads: Iterable[Load], owner: str) -> None:
        """Give back what was not sent: its attempt ends as never begun, and it is due at once (or with the breaker)."""
        now = self._clock.now()
        unsent = tuple(loads)
        if not unsent:
            return
        self._store.apply(
            Change(
                updates=tuple(
                    DeliveryUpdate(
                        id=load.delivery.id,
                        state=TransportState.WAITING,
                        owner=owner,
                        next_at=now,
                        poll_at=load.delivery.poll_at,
                        last_code=breaker.NOT_BEGUN,
                    )
                    for load in unsent
                ),
                attempt_ends=tuple(
                    AttemptEnd(
                        id=attempt_id(load.delivery.id, load.delivery.attempts),
                        finished_at=now,
                        outcome=OutcomeKind.TEMPORARY,
                        code=breaker.NOT_BEGUN,
                    )
                    for load in unsent
                ),
            )
        )

    # Writing

    def write(self, ended: Sequence[Ended]) -> None:
        """Write outcomes in one transaction."""
        if not ended:
            return
        hit("S11")
        self._store.apply(
            Change(
                updates=tuple(each.settlement.update for each in ended),
                attempt_ends=tuple(each.settlement.end for each in ended if each.settlement.end),
                facts=tuple(fact for each in ended for fact in each.settlement.facts),
                items=tuple(item for each in ended for item in each.settlement.items),
                deliveries=tuple(d for each in ended for d in each.settlement.deliveries),
            )
        )
        hit("S12")

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

    def _keep_their_id(self, delivery: Delivery, external_id: str) -> None:
        """A receipt in the response settles the delivery and ends our lease: their id would not be written after it."""
        update = DeliveryUpdate(
            id=delivery.id,
            state=delivery.state,
            owner=delivery.lease_owner,
            keep_lease=True,
            next_at=delivery.next_at,
            poll_at=delivery.poll_at,
            external_id=external_id,
        )
        self._store.apply(Change(updates=(update,)))

    def _believed(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """The outcome, if a receipt that came with it holds: success is a validated receipt, never the status code."""
        came = len(outcome.receipts) + len(outcome.spoken)
        if not came:
            return outcome
        if outcome.external_id is not None:
            self._keep_their_id(delivery, outcome.external_id)
        refusals = self._asker.take_statements(delivery, outcome)
        if len(refusals) < came:
            return outcome
        return Outcome(
            kind=OutcomeKind.UNKNOWN,
            code=refusals[-1].stable_code,
            http_status=outcome.http_status,
            detail="The receipt in the response does not hold: " + refusals[-1].message,
        )
