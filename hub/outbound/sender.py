"""Sending: threads of a lane send what was claimed, one message after another, each over a session of its own.

A lane has as many as its ``concurrency`` allows; the first begins, the others join while there is work. The one that
leaves last rounds the run off: what the time slice or an opened breaker did not let out is put back unsent.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from hub.delivery.adapter_fault import broke_off
from hub.errors import HubError
from hub.inbound.receiver import Receiver
from hub.inbound.statement import Statement
from hub.outbound import circuit_breaker
from hub.outbound.batch import ClaimedMessage, LaneBatch
from hub.outbound.settle import Settlement, Settler, attempt_id
from hub.ports import Clock, Outcome, Stepwise, Store
from hub.schemas.delivery import (
    AttemptEnd,
    Change,
    Delivery,
    DeliveryUpdate,
    FactKind,
    LaneState,
    OutcomeKind,
    TransportState,
)
from hub.schemas.ids import DeliveryId

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of one attempt, settled.

    ``held``: what the other side stated with its answer; ``updates``: what that makes of deliveries, the settlement's
    own update included.
    """

    delivery: Delivery
    kind: OutcomeKind
    settlement: Settlement
    held: tuple[Statement, ...] = ()
    updates: tuple[DeliveryUpdate, ...] = ()

    def changes(self) -> tuple[Change, ...]:
        """All that it writes."""
        settled = self.settlement
        own = Change(
            updates=self.updates or (settled.update,),
            attempt_ends=(settled.end,) if settled.end else (),
            facts=settled.facts,
            items=settled.items,
            deliveries=settled.deliveries,
        )
        return (own, *(statement.change for statement in self.held))


OnEnded = Callable[[Ended], None]
"""Called with each outcome as soon as it is settled."""


class Sender:
    """Sends what was claimed. One instance per process; used by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        receiver: Receiver,
        dice: random.Random,
        sent: Callable[[str, OutcomeKind, float], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._receiver = receiver
        self._dice = dice
        self._sent = sent

    def send(self, lane: LaneBatch, ended: OnEnded) -> bool:
        """Send one after another over one session; each outcome goes to ``ended`` at once. Never raises for the peer.

        May be called by several threads at once for one lane. True for the one that leaves last: the run is over, and
        what was not sent is put back. False: others are still at work on it, or were through before this one came.
        """
        if not lane.join():
            return False
        settler = lane.settler(polls=False)
        try:
            settler = lane.settler(polls=lane.adapter.polls(lane.channel))
            if lane.adapter.pulled(lane.channel):
                self._offer(lane, settler, ended)
            else:
                self._send_all(lane, settler, ended)
        except HubError as failure:
            lane.failure = failure
        except Exception as fault:  # noqa: BLE001 - one adapter's fault must not stop its lane
            # The attempt it was at stays open: unknown when its lease ends.
            lane.failure = broke_off(lane.channel.id, fault)
        last = lane.leave()
        if last:
            self._round_off(lane, settler, ended)
        return last

    def _offer(self, lane: LaneBatch, settler: Settler, ended: OnEnded) -> None:
        """It is fetched from us: being there is all."""
        while (message := lane.next()) is not None:
            self._end(lane, settler, ended, message, Outcome(kind=OutcomeKind.OFFERED))

    def _send_all(self, lane: LaneBatch, settler: Settler, ended: OnEnded) -> None:
        with lane.adapter.session(lane.channel) as session:
            lane.opened = True
            while self._may_go_on(lane) and (message := lane.next()) is not None:
                begun = time.perf_counter()
                if isinstance(session, Stepwise):
                    keep = partial(self._store.save_progress, message.delivery.id, owner=lane.owner)
                    session.resume(message.delivery.progress, keep, self._clean)
                outcome = session.send(message.prepared, float(lane.channel.lane.deadline_secs))
                self._sent(lane.channel.id, outcome.kind, time.perf_counter() - begun)
                kept = self._receiver.journal.answer(outcome.answer, lane.channel.lane.answer_kb * 1_024)
                outcome = self._receiver.redaction.outcome(outcome, message.delivery, message.body)
                outcome = replace(outcome, answer=kept)
                self._end(lane, settler, ended, message, outcome)

    def _clean(self, said: str) -> str:
        """A value of another side without credentials that it repeated."""
        return self._receiver.journal.clean(said.encode("utf-8", "replace")).decode("utf-8", "replace")

    def _may_go_on(self, lane: LaneBatch) -> bool:
        now = self._clock.now()
        in_slice = (now - lane.started).total_seconds() < lane.channel.lane.slice_secs
        return in_slice and lane.state.may_run(now)

    def _end(
        self, lane: LaneBatch, settler: Settler, ended: OnEnded, message: ClaimedMessage, outcome: Outcome
    ) -> None:
        believed, held = self._believed(message.delivery, outcome)
        now = self._clock.now()
        settled = settler.settle(message.delivery, believed, now, self._dice.random())
        with lane.lock:
            lane.state = circuit_breaker.after(lane.state, believed.kind, now, lane.channel.lane)
            if believed.stops_lane:
                lane.state = self._stop_lane(lane.channel.id, believed.code)
        settled = _without_refusal_stated(settled, held)
        updates = _settled_by(message.delivery, settled.update, held, now) if held else ()
        ended(Ended(delivery=message.delivery, kind=believed.kind, settlement=settled, held=held, updates=updates))

    def _stop_lane(self, channel_id: str, code: str | None) -> LaneState:
        """Pause a lane whose other side is not who it should be: what waits there waits for an operator."""
        log.error("lane stopped", extra={"channel": channel_id, "code": code})
        return self._store.pause_lane(channel_id, paused=True)

    # The end of a run

    def _round_off(self, lane: LaneBatch, settler: Settler, ended: OnEnded) -> None:
        """The last one out: what is left failed with a session that did not open, or was never begun."""
        failure = lane.failure
        if failure is not None and not lane.opened:
            # Of what is left nothing went out, and no message is to blame: they wait, and the lane shows as failing.
            closed = replace(Outcome.of(failure), kind=OutcomeKind.TEMPORARY)
            while not (closed.stops_lane and lane.state.paused) and (message := lane.next()) is not None:
                self._end(lane, settler, ended, message, closed)
        elif failure is not None:
            log.warning("a session broke off", extra={"channel": lane.channel.id, "code": failure.stable_code})
        self._put_back(lane.remaining(), lane.owner)

    def _put_back(self, messages: Sequence[ClaimedMessage], owner: str) -> None:
        """Give back what was not sent: its attempt ends as never begun, and it is due at once (or with the breaker)."""
        if not messages:
            return
        now = self._clock.now()
        self._store.apply(
            Change(
                updates=tuple(
                    DeliveryUpdate(
                        id=message.delivery.id,
                        state=TransportState.WAITING,
                        owner=owner,
                        next_at=now,
                        poll_at=message.delivery.poll_at,
                        last_code=circuit_breaker.NOT_BEGUN,
                    )
                    for message in messages
                ),
                attempt_ends=tuple(
                    AttemptEnd(
                        id=attempt_id(message.delivery.id, message.delivery.attempts),
                        finished_at=now,
                        outcome=OutcomeKind.TEMPORARY,
                        code=circuit_breaker.NOT_BEGUN,
                    )
                    for message in messages
                ),
            )
        )

    # What comes with the answer

    def _believed(self, delivery: Delivery, outcome: Outcome) -> tuple[Outcome, tuple[Statement, ...]]:
        """The outcome, if a receipt that came with it holds: success is a validated receipt, never the status code.
        And the statements that hold, which are written with it.
        """
        came = len(outcome.receipts) + len(outcome.reported)
        if not came:
            return outcome, ()
        held, refusals = self._receiver.evaluate_outcome(delivery, outcome)
        if held:
            return outcome, held
        failed = Outcome(
            kind=OutcomeKind.UNKNOWN,
            code=refusals[-1].stable_code,
            http_status=outcome.http_status,
            detail="The receipt in the response does not hold: " + refusals[-1].message,
            answer=outcome.answer,
        )
        return failed, ()


def _without_refusal_stated(settled: Settlement, held: Iterable[Statement]) -> Settlement:
    """The settlement, without the refusal of its own if the answer states one: one refusal is one fact and one duty."""
    stated = (fact for statement in held for fact in statement.change.facts)
    if not any(fact.kind is FactKind.REFUSED and fact.delivery_id == settled.update.id for fact in stated):
        return settled
    return replace(settled, facts=tuple(fact for fact in settled.facts if fact.kind is not FactKind.REFUSED))


def _settled_by(
    delivery: Delivery, own: DeliveryUpdate, held: Iterable[Statement], now: datetime
) -> tuple[DeliveryUpdate, ...]:
    """Updates of deliveries when an answer brought statements. ``own``: what its outcome alone would write.

    Word from the body stands above the outcome, and above our lease: whoever answers has got it.
    """
    updates: dict[DeliveryId, DeliveryUpdate] = {delivery.id: own}
    ours = replace(delivery, poll_at=own.poll_at)
    for statement in held:
        about = statement.delivery
        if about is None:
            continue
        for update in statement.settles(ours if about.id == delivery.id else about, now):
            if update.id == delivery.id:
                ours = replace(ours, state=update.state, poll_at=update.poll_at)
                updates[update.id] = replace(update, external_id=own.external_id, last_code=own.last_code)
            else:
                updates[update.id] = update
    return tuple(updates.values())
