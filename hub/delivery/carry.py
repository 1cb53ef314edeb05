"""Carrying: claim what is due, write the attempts, send, write the outcomes.

Intent before effect: the attempt rows (with the SHA-256 of the exact bytes, which are kept) are committed before the
first byte goes out. Killed at any point, the lease runs out and the same bytes go again under the same id. The steps
stand apart (``take``, ``send``, ``write``) so that a worker can claim for many lanes in one transaction, send to each
in a thread of its own, and write outcomes in batches; ``run`` does them one after the other.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.delivery import breaker, schedule
from hub.delivery.ask import Asker
from hub.delivery.sealed import seal_envelope
from hub.delivery.settle import Settlement, Settler, attempt_id, escalate
from hub.errors import HubError
from hub.failpoints import hit
from hub.ports import Adapter, Clock, Outcome, Parcel, Prepared, Registry, Seal, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    Attempt,
    AttemptEnd,
    Change,
    Claim,
    Delivery,
    DeliveryUpdate,
    LaneState,
    OutcomeKind,
    TransportState,
)
from hub.schemas.directory import Channel
from hub.schemas.kyiv import kyiv_day

LEASE_MARGIN_SECS = 30
PROBE_CLAIM = 50
"""Deliveries that are looked at to choose a probe among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One claimed delivery with the bytes that will go out; its attempt is committed."""

    delivery: Delivery
    prepared: Prepared


@dataclass(slots=True, kw_only=True)
class LaneLoad:
    """What one lane sends now. ``state`` follows the outcomes; ``more``: the claim was full, so there may be more."""

    channel: Channel
    adapter: Adapter
    owner: str
    state: LaneState
    loads: list[Load]
    more: bool
    started: datetime
    saved: LaneState = field(init=False)

    def __post_init__(self) -> None:
        self.saved = self.state

    def settler(self) -> Settler:
        """Settles this lane's outcomes."""
        return Settler(
            owner=self.owner,
            lane=self.channel.lane,
            legal_class=self.channel.legal_class,
            polls=self.adapter.polls(self.channel),
        )


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
        self._registry = registry
        self._seal = seal
        self._adapters = adapters
        self._clock = clock
        self._asker = asker
        self._reply_url = reply_url
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

    # Claiming

    def take(self, channel_ids: Sequence[str], owner: str) -> tuple[LaneLoad, ...]:
        """Claim for lanes in one transaction, make the exact bytes, commit the attempts in another.

        Lanes that may not run now (paused, breaker open) give nothing; of a probing lane one delivery is taken.
        """
        hit("S6")
        now = self._clock.now()
        directory = self._registry.current()
        states = self._store.lane_states(channel_ids)
        wanted: dict[str, tuple[Channel, LaneState]] = {}
        limits: dict[str, int] = {}
        lease_secs = 0
        for channel_id in channel_ids:
            state = states.get(channel_id, LaneState(channel_id=channel_id))
            entry = directory.channel(channel_id)
            if not breaker.may_run(state, now):
                continue
            if entry is None or not entry[1].holds_on(kyiv_day(now)) or entry[1].adapter not in self._adapters:
                self._orphans(channel_id, owner)
                continue
            lane = entry[1].lane
            limits[channel_id] = PROBE_CLAIM if breaker.probing(state, lane) else min(lane.batch, lane.rate_per_sec)
            wanted[channel_id] = (entry[1], state)
            lease_secs = max(lease_secs, lane.slice_secs + lane.deadline_secs + LEASE_MARGIN_SECS)
        if not wanted:
            return ()
        claims = self._store.claim_many(limits, owner=owner, now=now, lease_until=now + timedelta(seconds=lease_secs))
        chosen = self._probes(claims, wanted, owner, now)
        return self._begin(chosen, wanted, limits, owner, directory.version)

    def _probes(
        self,
        claims: Sequence[Claim],
        wanted: Mapping[str, tuple[Channel, LaneState]],
        owner: str,
        now: datetime,
    ) -> Sequence[Claim]:
        """Of a lane that failed, one delivery goes as a probe: the one with the fewest attempts, for one that always
        fails proves nothing about the others. Those whose schedule is over go to the operators without another try;
        the rest is put back untouched.
        """
        kept: list[Claim] = []
        probed: dict[str, list[Claim]] = {}
        for claim in claims:
            channel, state = wanted[claim.delivery.channel_id]
            if breaker.probing(state, channel.lane):
                probed.setdefault(channel.id, []).append(claim)
            else:
                kept.append(claim)
        back: list[DeliveryUpdate] = []
        for channel_id, of_lane in probed.items():
            lane = wanted[channel_id][0].lane
            fresh = []
            for claim in of_lane:
                if schedule.over(first_attempt_at=claim.delivery.first_attempt_at, now=now, lane=lane):
                    over = HubError("No attempt is left.", code="delivery.exhausted")
                    self._give_up(claim.delivery, over, owner, now)
                else:
                    fresh.append(claim)
            fresh.sort(key=lambda claim: (-claim.delivery.priority, claim.delivery.attempts))
            kept += fresh[:1]
            back += [
                DeliveryUpdate(
                    id=claim.delivery.id,
                    state=TransportState.WAITING,
                    owner=owner,
                    next_at=claim.delivery.next_at,
                    poll_at=claim.delivery.poll_at,
                )
                for claim in fresh[1:]
            ]
        if back:
            self._store.apply(Change(updates=tuple(back)))
        return kept

    def _begin(
        self,
        claims: Sequence[Claim],
        wanted: Mapping[str, tuple[Channel, LaneState]],
        limits: Mapping[str, int],
        owner: str,
        version: str,
    ) -> tuple[LaneLoad, ...]:
        """Make the bytes and commit the attempts; what cannot be prepared goes to the operators."""
        now = self._clock.now()
        counted: dict[str, int] = {}
        prepared: list[tuple[Claim, Delivery, Prepared]] = []
        for claim in claims:
            channel_id = claim.delivery.channel_id
            counted[channel_id] = counted.get(channel_id, 0) + 1
            try:
                made = self._prepare(claim, wanted[channel_id][0])
            except HubError as failure:
                self._give_up(claim.delivery, failure, owner, now)
                continue
            begun = replace(
                claim.delivery,
                attempts=claim.delivery.attempts + 1,
                first_attempt_at=claim.delivery.first_attempt_at or now,
                state=TransportState.SENDING,
            )
            prepared.append((claim, begun, made))
        if not prepared:
            return ()
        hit("S7")
        applied = self._store.apply(
            Change(
                attempts=tuple(_attempt(begun, made, now, version) for _, begun, made in prepared),
                updates=tuple(_begun(claim, begun, made, owner) for claim, begun, made in prepared),
                attempt_ends=tuple(_lost_end(claim.delivery, now) for claim, *_ in prepared if claim.delivery.attempts),
            )
        )
        hit("S8")
        lost = set(applied.lost)
        by_lane: dict[str, list[Load]] = {}
        # Among what was claimed the fresh go first: what failed before may fail again and open the breaker.
        for _, begun, made in sorted(prepared, key=lambda each: (-each[1].priority, each[1].attempts)):
            if begun.id not in lost:
                by_lane.setdefault(begun.channel_id, []).append(Load(delivery=begun, prepared=made))
        return tuple(
            LaneLoad(
                channel=wanted[channel_id][0],
                adapter=self._adapters[wanted[channel_id][0].adapter],
                owner=owner,
                state=wanted[channel_id][1],
                loads=loads,
                more=counted[channel_id] >= limits[channel_id],
                started=now,
            )
            for channel_id, loads in by_lane.items()
        )

    def _prepare(self, claim: Claim, channel: Channel) -> Prepared:
        envelope = json_rendering.from_trusted(claim.body)
        delivery = claim.delivery
        if delivery.payload is not None and delivery.payload_type is not None:
            return Prepared(
                message_id=delivery.message_id,
                content_type=delivery.payload_type,
                body=delivery.payload,
                files=envelope.attachments,
            )
        adapter = self._adapters[channel.adapter]
        sealed = seal_envelope(envelope, claim.body, adapter.rendering(channel), self._seal)
        parcel = Parcel(
            message_id=delivery.message_id,
            envelope=envelope,
            sealed=sealed,
            reply_url=self._reply_url,
            sealed_as=lambda rendering: seal_envelope(envelope, claim.body, rendering, self._seal),
        )
        return adapter.prepare(parcel, channel)

    def _give_up(self, delivery: Delivery, failure: HubError, owner: str, now: datetime) -> None:
        facts, items = escalate(delivery, reason=failure.stable_code, detail=failure.message, now=now)
        update = DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, owner=owner, last_code=failure.stable_code)
        self._store.apply(Change(updates=(update,), facts=facts, items=items))

    def _orphans(self, channel_id: str, owner: str) -> None:
        """Deliveries whose channel the registry no longer has: nothing goes to the old body, a person decides."""
        now = self._clock.now()
        until = now + timedelta(seconds=LEASE_MARGIN_SECS)
        for claim in self._store.claim_many({channel_id: 500}, owner=owner, now=now, lease_until=until):
            gone = HubError("The registry has no such channel now.", code="channel.gone")
            self._give_up(claim.delivery, gone, owner, now)

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
            for load in left:
                end(load, Outcome(kind=OutcomeKind.TEMPORARY, code=failure.stable_code, detail=failure.message))
            return
        self._put_back(left, lane.owner)

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
                    DeliveryUpdate(id=load.delivery.id, state=TransportState.WAITING, owner=owner, next_at=now)
                    for load in unsent
                ),
                attempt_ends=tuple(
                    AttemptEnd(
                        id=attempt_id(load.delivery.id, load.delivery.attempts),
                        finished_at=now,
                        outcome=OutcomeKind.TEMPORARY,
                        code="attempt.not_begun",
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

    def _believed(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """The outcome, if a receipt that came with it holds: success is a validated receipt, never the status code."""
        if not outcome.receipts:
            return outcome
        refusals = self._asker.take_receipts(delivery, outcome.receipts)
        if len(refusals) < len(outcome.receipts):
            return outcome
        return Outcome(
            kind=OutcomeKind.UNKNOWN,
            code=refusals[-1].stable_code,
            http_status=outcome.http_status,
            detail="The receipt in the response does not hold: " + refusals[-1].message,
        )


def _attempt(delivery: Delivery, prepared: Prepared, now: datetime, version: str) -> Attempt:
    return Attempt(
        id=attempt_id(delivery.id, delivery.attempts),
        delivery_id=delivery.id,
        number=delivery.attempts,
        channel_id=delivery.channel_id,
        message_id=delivery.message_id,
        sha256=hashlib.sha256(prepared.body).hexdigest(),
        size=len(prepared.body) + sum(file.size for file in prepared.files),
        started_at=now,
        registry_version=version,
    )


def _lost_end(before: Delivery, now: datetime) -> AttemptEnd:
    """If a kill left the last attempt open, its outcome is unknown; an attempt that ended keeps its end."""
    return AttemptEnd(
        id=attempt_id(before.id, before.attempts), finished_at=now, outcome=OutcomeKind.UNKNOWN, code="attempt.lost"
    )


def _begun(claim: Claim, begun: Delivery, prepared: Prepared, owner: str) -> DeliveryUpdate:
    """The bytes are kept at the first attempt, and the same go out at each later one."""
    first = claim.delivery.payload is None
    return DeliveryUpdate(
        id=begun.id,
        state=TransportState.SENDING,
        owner=owner,
        keep_lease=True,
        attempts=begun.attempts,
        first_attempt_at=begun.first_attempt_at,
        payload=prepared.body if first else None,
        payload_type=prepared.content_type if first else None,
        next_at=claim.delivery.next_at,
        poll_at=claim.delivery.poll_at,
    )
