"""Carrying: one run of one lane. Claim what is due, write the attempts, send, write the outcomes, yield.

Intent before effect: the attempt rows (with the SHA-256 of the exact bytes, which are kept) are committed before the
first byte goes out. A run ends when nothing is due, when its time slice is over, or when the breaker opens; it never
sleeps. Killed at any point, the lease runs out and the same bytes go again under the same id.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.delivery import breaker, schedule
from hub.delivery.sealed import seal_envelope
from hub.delivery.settle import Settlement, Settler, attempt_id, escalate
from hub.delivery.takeback import TakeBack
from hub.errors import HubError, TemporaryFailure
from hub.ports import Adapter, Clock, Doorbell, Outcome, Parcel, Prepared, Registry, Seal, Session, Store
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
from hub.schemas.directory import Authority, Channel
from hub.schemas.ids import DeliveryId
from hub.schemas.kyiv import kyiv_day

log = logging.getLogger(__name__)

LEASE_MARGIN_SECS = 30
FLUSH_SECS = 0.5
"""Outcomes are written in batches; after a kill at most this long a stretch of sends is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReport:
    """What one run did, for metrics and logs."""

    channel_id: str
    sent: int = 0
    outcomes: tuple[tuple[OutcomeKind, int], ...] = ()
    polled: int = 0
    more: bool = False


@dataclass(slots=True)
class _Load:
    """One claimed delivery with the bytes that will go out."""

    delivery: Delivery
    prepared: Prepared


class Carrier:
    """Runs lanes. One instance per process; ``run`` may be called by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        adapters: dict[str, Adapter],
        clock: Clock,
        doorbell: Doorbell,
        takeback: TakeBack,
        reply_url: str | None = None,
        dice: random.Random | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._seal = seal
        self._adapters = adapters
        self._clock = clock
        self._doorbell = doorbell
        self._takeback = takeback
        self._reply_url = reply_url
        self._dice = dice or random.SystemRandom()

    def run(self, channel_id: str, owner: str) -> LaneReport:
        """One slice of work for one lane. ``owner``: who holds the leases, unique to this run."""
        entry = self._registry.current().channel(channel_id)
        now = self._clock.now()
        state = self._store.lane(channel_id)
        if not breaker.may_run(state, now):
            return LaneReport(channel_id=channel_id)
        if entry is None or not entry[1].holds_on(kyiv_day(now)) or entry[1].adapter not in self._adapters:
            return self._orphans(channel_id, owner)
        run = _Run(self, entry[0], entry[1], self._adapters[entry[1].adapter], owner, state)
        report = run.work()
        if report.more:
            self._doorbell.ring(channel_id, suspect=run.state.suspect)
        return report

    def _orphans(self, channel_id: str, owner: str) -> LaneReport:
        """Deliveries whose channel is no longer in the registry: nothing goes to the old body, a person decides."""
        now = self._clock.now()
        claims = self._store.claim(
            channel_id, owner=owner, now=now, lease_until=now + timedelta(seconds=LEASE_MARGIN_SECS), limit=500
        )
        for claim in claims:
            facts, items = escalate(
                claim.delivery, reason="channel.gone", detail="The registry has no such channel now.", now=now
            )
            update = DeliveryUpdate(
                id=claim.delivery.id, state=TransportState.DEAD, owner=owner, last_code="channel.gone"
            )
            self._store.apply(Change(updates=(update,), facts=facts, items=items))
        return LaneReport(channel_id=channel_id, more=len(claims) == 500)


class _Run:
    """The state of one run of one lane; lives for one call."""

    def __init__(
        self, carrier: Carrier, authority: Authority, channel: Channel, adapter: Adapter, owner: str, state: LaneState
    ) -> None:
        self._c = carrier
        self._authority = authority
        self._channel = channel
        self._adapter = adapter
        self._owner = owner
        self.state = state
        self._saved_state = state
        self._started = carrier._clock.now()
        self._settler = Settler(
            owner=owner,
            lane=channel.lane,
            legal_class=channel.legal_class,
            polls=adapter.polls(channel) and not adapter.pulled(channel),
        )
        self._tally: dict[OutcomeKind, int] = {}
        self._polled = 0
        self._done: set[DeliveryId] = set()

    def work(self) -> LaneReport:
        more = False
        while True:
            now = self._c._clock.now()
            limit = self._allowance(now)
            if limit <= 0:
                more = breaker.may_run(self.state, now)
                break
            claims = self._claim(now, limit)
            if claims:
                self._carry(claims)
                self._save_state()
            polled = 0 if self._adapter.pulled(self._channel) else self._poll()
            if not claims and not polled:
                break
        self._save_state()
        return LaneReport(
            channel_id=self._channel.id,
            sent=sum(self._tally.values()),
            outcomes=tuple(sorted(self._tally.items())),
            polled=self._polled,
            more=more,
        )

    def _allowance(self, now: datetime) -> int:
        """How many deliveries may be claimed now: slice, breaker, probe, rate and batch."""
        lane = self._channel.lane
        elapsed = (now - self._started).total_seconds()
        if elapsed >= lane.slice_secs or not breaker.may_run(self.state, now):
            return 0
        if breaker.probing(self.state, lane):
            return 1
        earned = int(lane.rate_per_sec * (1 + elapsed)) - sum(self._tally.values())
        return min(lane.batch, earned)

    def _claim(self, now: datetime, limit: int) -> tuple[Claim, ...]:
        lane = self._channel.lane
        # Every claimed delivery may take its whole deadline; what the lease would not cover is put back unsent.
        lease = lane.slice_secs + lane.deadline_secs + LEASE_MARGIN_SECS
        return self._c._store.claim(
            self._channel.id, owner=self._owner, now=now, lease_until=now + timedelta(seconds=lease), limit=limit
        )

    def _carry(self, claims: Sequence[Claim]) -> None:
        loads = self._begin(claims)
        if not loads:
            return
        if self._adapter.pulled(self._channel):
            self._write([(load.delivery, Outcome(kind=OutcomeKind.OFFERED)) for load in loads])
            return
        try:
            with self._adapter.session(self._channel) as session:
                self._send_all(session, loads)
        except TemporaryFailure as failure:
            unsent = [load for load in loads if load.delivery.id not in self._done]
            outcome = Outcome(
                kind=OutcomeKind.TEMPORARY,
                code=failure.stable_code,
                detail=failure.message,
                http_status=failure.http_status,
                retry_after=failure.retry_after,
            )
            self.state = breaker.after(self.state, outcome.kind, self._c._clock.now(), self._channel.lane)
            self._write([(load.delivery, outcome) for load in unsent])
        except HubError as failure:
            unsent = [load for load in loads if load.delivery.id not in self._done]
            outcome = Outcome(kind=OutcomeKind.PERMANENT, code=failure.stable_code, detail=failure.message)
            self._write([(load.delivery, outcome) for load in unsent])

    def _begin(self, claims: Sequence[Claim]) -> list[_Load]:
        """Make the exact bytes and commit the attempts; what cannot be prepared goes to the operators."""
        now = self._c._clock.now()
        version = self._c._registry.current().version
        loads: list[_Load] = []
        attempts: list[Attempt] = []
        updates: list[DeliveryUpdate] = []
        lost_ends: list[AttemptEnd] = []
        for claim in claims:
            try:
                prepared = self._prepare(claim)
            except HubError as failure:
                self._write_unprepared(claim.delivery, failure, now)
                continue
            before = claim.delivery
            if before.attempts:
                # If a kill left the last attempt open, its outcome is unknown; an attempt that ended keeps its end.
                lost_ends.append(
                    AttemptEnd(
                        id=attempt_id(before.id, before.attempts),
                        finished_at=now,
                        outcome=OutcomeKind.UNKNOWN,
                        code="attempt.lost",
                    )
                )
            delivery = replace(
                before,
                attempts=before.attempts + 1,
                first_attempt_at=before.first_attempt_at or now,
                state=TransportState.SENDING,
            )
            attempts.append(self._attempt(delivery, prepared, now, version))
            first = before.payload is None
            updates.append(
                DeliveryUpdate(
                    id=delivery.id,
                    state=TransportState.SENDING,
                    owner=self._owner,
                    keep_lease=True,
                    attempts=delivery.attempts,
                    first_attempt_at=delivery.first_attempt_at,
                    payload=prepared.body if first else None,
                    payload_type=prepared.content_type if first else None,
                    next_at=before.next_at,
                    poll_at=before.poll_at,
                )
            )
            loads.append(_Load(delivery, prepared))
        if not loads:
            return []
        applied = self._c._store.apply(
            Change(attempts=tuple(attempts), updates=tuple(updates), attempt_ends=tuple(lost_ends))
        )
        lost = set(applied.lost)
        return [load for load in loads if load.delivery.id not in lost]

    def _attempt(self, delivery: Delivery, prepared: Prepared, now: datetime, version: str) -> Attempt:
        return Attempt(
            id=attempt_id(delivery.id, delivery.attempts),
            delivery_id=delivery.id,
            number=delivery.attempts,
            channel_id=self._channel.id,
            message_id=delivery.message_id,
            sha256=hashlib.sha256(prepared.body).hexdigest(),
            size=len(prepared.body) + sum(file.size for file in prepared.files),
            started_at=now,
            registry_version=version,
        )

    def _prepare(self, claim: Claim) -> Prepared:
        envelope = json_rendering.from_json(claim.body)
        delivery = claim.delivery
        if delivery.payload is not None and delivery.payload_type is not None:
            return Prepared(
                message_id=delivery.message_id,
                content_type=delivery.payload_type,
                body=delivery.payload,
                files=envelope.attachments,
            )
        sealed = seal_envelope(envelope, claim.body, self._adapter.rendering(self._channel), self._c._seal)
        parcel = Parcel(message_id=delivery.message_id, envelope=envelope, sealed=sealed, reply_url=self._c._reply_url)
        return self._adapter.prepare(parcel, self._channel)

    def _write_unprepared(self, delivery: Delivery, failure: HubError, now: datetime) -> None:
        facts, items = escalate(delivery, reason=failure.stable_code, detail=failure.message, now=now)
        update = DeliveryUpdate(
            id=delivery.id, state=TransportState.DEAD, owner=self._owner, last_code=failure.stable_code
        )
        self._c._store.apply(Change(updates=(update,), facts=facts, items=items))

    def _send_all(self, session: Session, loads: Sequence[_Load]) -> None:
        """Send one after another; flush outcomes every half second; put back what the slice does not cover."""
        lane = self._channel.lane
        ended: list[tuple[Delivery, Outcome]] = []
        flushed_at = self._c._clock.now()
        put_back: list[_Load] = []
        for load in loads:
            now = self._c._clock.now()
            if (now - self._started).total_seconds() >= lane.slice_secs or not breaker.may_run(self.state, now):
                put_back.append(load)
                continue
            outcome = session.send(load.prepared, float(lane.deadline_secs))
            self._done.add(load.delivery.id)
            ended.append((load.delivery, outcome))
            now = self._c._clock.now()
            self.state = breaker.after(self.state, outcome.kind, now, lane)
            if (now - flushed_at).total_seconds() >= FLUSH_SECS or outcome.receipts:
                self._write(ended)
                ended, flushed_at = [], now
        self._write(ended)
        self._put_back(put_back)

    def _put_back(self, loads: Iterable[_Load]) -> None:
        """Give back what was not sent: its attempt ends as never begun, and it is due at once (or with the breaker)."""
        now = self._c._clock.now()
        updates, ends = [], []
        for load in loads:
            self._done.add(load.delivery.id)
            ends.append(
                AttemptEnd(
                    id=attempt_id(load.delivery.id, load.delivery.attempts),
                    finished_at=now,
                    outcome=OutcomeKind.TEMPORARY,
                    code="attempt.not_begun",
                )
            )
            updates.append(
                DeliveryUpdate(id=load.delivery.id, state=TransportState.WAITING, owner=self._owner, next_at=now)
            )
        if updates:
            self._c._store.apply(Change(updates=tuple(updates), attempt_ends=tuple(ends)))

    def _write(self, ended: Sequence[tuple[Delivery, Outcome]]) -> None:
        if not ended:
            return
        now = self._c._clock.now()
        settled: list[Settlement] = []
        for delivery, outcome in ended:
            self._tally[outcome.kind] = self._tally.get(outcome.kind, 0) + 1
            settled.append(self._settler.settle(delivery, outcome, now, self._c._dice.random()))
        self._c._store.apply(
            Change(
                updates=tuple(s.update for s in settled),
                attempt_ends=tuple(s.end for s in settled if s.end),
                facts=tuple(f for s in settled for f in s.facts),
                items=tuple(i for s in settled for i in s.items),
            )
        )
        for delivery, outcome in ended:
            self._take_receipts(delivery, outcome)

    def _take_receipts(self, delivery: Delivery, outcome: Outcome) -> None:
        """Receipts that came in the response go the same way as those that call us; a bad one is journalled there."""
        for raw in outcome.receipts:
            try:
                self._c._takeback.take(raw, channel_id=delivery.channel_id, party=delivery.authority)
            except HubError as failure:
                log.warning(
                    "receipt refused",
                    extra={"channel": delivery.channel_id, "case": str(delivery.case_id), "code": failure.stable_code},
                )

    def _poll(self) -> int:
        if not self._adapter.polls(self._channel):
            return 0
        now = self._c._clock.now()
        lane = self._channel.lane
        due = self._c._store.claim_polls(
            self._channel.id,
            now=now,
            next_at=now + timedelta(seconds=lane.slice_secs + lane.deadline_secs),
            limit=lane.batch,
        )
        if not due:
            return 0
        with self._adapter.session(self._channel) as session:
            for delivery in due:
                self._poll_one(session, delivery)
        self._polled += len(due)
        return len(due)

    def _poll_one(self, session: Session, delivery: Delivery) -> None:
        outcome = session.poll(delivery, float(self._channel.lane.deadline_secs))
        now = self._c._clock.now()
        self._take_receipts(delivery, outcome)
        current = self._c._store.delivery(delivery.id)
        if current is None or current.poll_at is None:
            return  # a final answer came meanwhile: there is nothing more to ask
        next_poll = schedule.poll_at(sent_at=delivery.delivered_at or delivery.created_at, now=now)
        self._c._store.apply(Change(updates=(DeliveryUpdate(id=delivery.id, state=current.state, poll_at=next_poll),)))

    def _save_state(self) -> None:
        if self.state != self._saved_state:
            self._c._store.save_lane(self.state)
            self._saved_state = self.state
