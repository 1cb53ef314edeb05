"""Claiming: what is due in many lanes is looked at, made ready and written as begun, all in one transaction.

Intent before effect: the attempt rows (with the SHA-256 of the exact bytes, which are kept) are committed before the
first byte goes out. Killed before the commit, nothing was taken; killed after it, the lease runs out and the same bytes
go again under the same id.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from hub.delivery.adapter_fault import broke_off
from hub.delivery.fallback import given_up, next_channel
from hub.errors import ConfigurationError, HubError
from hub.failpoints import hit
from hub.outbound import circuit_breaker
from hub.outbound.batch import ClaimedMessage, LaneBatch
from hub.outbound.settle import Settler, attempt_id
from hub.ports import Adapter, AssignedExecutor, Clock, Outcome, Prepared, Registry, Seal, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    Attempt,
    AttemptEnd,
    Change,
    Claim,
    Delivery,
    DeliveryUpdate,
    LaneState,
    LaneThrottle,
    OutcomeKind,
    TransportState,
)
from hub.schemas.directory import Channel
from hub.schemas.envelope import Party
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Role
from hub.sealed import seal_parcel

log = logging.getLogger(__name__)

LEASE_MARGIN_SECS = 30
PROBE_CLAIM = 50
"""Deliveries that are looked at to choose a probe among them."""
ORPHANS_CLAIM = 500
_NOT_WORKING = frozenset({TransportState.REFUSED, TransportState.CANCELLED})


@dataclass(frozen=True, slots=True)
class _Ready:
    claim: Claim
    begun: Delivery
    prepared: Prepared


class _Beginning:
    """Decides, inside the transaction, what of the claims begins. Made anew for each try of the transaction."""

    def __init__(self, claimer: Claimer, wanted: Mapping[str, tuple[Channel, LaneState]], owner: str) -> None:
        self._claimer = claimer
        self._wanted = wanted
        self._owner = owner
        self.ready: list[_Ready] = []
        self.hopeless: list[tuple[Delivery, HubError]] = []
        self.unready: list[tuple[Delivery, HubError]] = []
        self.looked: frozenset[str] = frozenset()
        self.seen: Mapping[str, int] = {}
        self.lanes = dict(wanted)

    def __call__(self, claims: Sequence[Claim], states: Mapping[str, LaneState]) -> Change:
        self.ready, self.hopeless, self.unready = [], [], []
        now = self._claimer.clock.now()
        # Another worker may have paced, opened or paused a lane since it was looked at.
        self.lanes = {
            name: (channel, states.get(name) or LaneState(channel_id=name))
            for name, (channel, _) in self._wanted.items()
        }
        self.looked = frozenset(claim.delivery.channel_id for claim in claims)
        may = {name for name, (_, state) in self.lanes.items() if state.may_run(now)}
        claims = [claim for claim in claims if claim.delivery.channel_id in may]
        self.seen = Counter(claim.delivery.channel_id for claim in claims)
        chosen, over = circuit_breaker.choose(claims, self.lanes, now)
        self.hopeless += [(c.delivery, HubError("No attempt is left.", code="delivery.exhausted")) for c in over]
        for claim in chosen:
            try:
                prepared = self._claimer.prepare(claim, self._wanted[claim.delivery.channel_id][0])
            except HubError as failure:
                self.unready.append((claim.delivery, failure))
            else:
                self.ready.append(_Ready(claim, _begun(claim.delivery, now), prepared))
        hit("S7")
        return self._change(now)

    def _change(self, now: datetime) -> Change:
        version = self._claimer.registry_version
        lanes = [self._wanted[channel_id][0].lane for channel_id in self.seen]
        secs = max((lane.slice_secs + lane.deadline_secs for lane in lanes), default=0) + LEASE_MARGIN_SECS
        until = now + timedelta(seconds=secs)
        taken = Counter(ready.begun.channel_id for ready in self.ready)
        throttled = (
            (name, circuit_breaker.throttled_until(self._wanted[name][0], count, now)) for name, count in taken.items()
        )
        return Change(
            throttles=tuple(LaneThrottle(channel_id=name, rest_until=at) for name, at in throttled if at is not None),
            attempts=tuple(_attempt(ready.begun, ready.prepared, now, version) for ready in self.ready),
            updates=(
                *(_started(ready, self._owner, until) for ready in self.ready),
                # Leased, so that nobody takes them before they are given up or put off.
                *(leased(delivery, self._owner, until) for delivery, _ in (*self.hopeless, *self.unready)),
            ),
            attempt_ends=tuple(
                _lost_end(ready.claim.delivery, now) for ready in self.ready if ready.claim.delivery.attempts
            ),
        )


class Claimer:
    """Claims what is due. One instance per process; ``claim`` may be called by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        reply_url: str | None,
        dice: random.Random,
    ) -> None:
        self._dice = dice
        self._store = store
        self._registry = registry
        self._seal = seal
        self._adapters = adapters
        self.clock = clock
        self._reply_url = reply_url
        # Lanes that were not well when last claimed for. Only these are looked at before: each claim looks at its lanes
        # once they are locked anyway, and the well ones are nearly all.
        self._doubtful: set[str] = set()

    @property
    def registry_version(self) -> str:
        """Version of the registry in force."""
        return self._registry.current().version

    def claim(self, channel_ids: Sequence[str], owner: str) -> tuple[LaneBatch, ...]:
        """Claim for lanes, make the exact bytes and commit the attempts, in one transaction.

        Lanes that may not run now (paused, breaker open) give nothing; of a probing lane one delivery is taken.
        """
        hit("S6")
        now = self.clock.now()
        wanted, orphaned = self._wanted(channel_ids, now)
        for channel_id in orphaned:
            self._orphans(channel_id, owner)
        if not wanted:
            return ()
        limits = {channel_id: _limit(*entry) for channel_id, entry in wanted.items()}
        beginning = _Beginning(self, wanted, owner)
        applied = self._store.claim(limits, now=now, begin=beginning)
        hit("S8")
        self._remember(beginning, now)
        for delivery, failure in beginning.hopeless:
            self._give_up(delivery, failure, owner)
        self._put_off(beginning, owner)
        lost = set(applied.lost)
        by_lane: dict[str, list[ClaimedMessage]] = {}
        # Among what was claimed the fresh go first: what failed before may fail again and open the breaker.
        for ready in sorted(beginning.ready, key=lambda each: (-each.begun.priority, each.begun.attempts)):
            if ready.begun.id not in lost:
                message = ClaimedMessage(delivery=ready.begun, prepared=ready.prepared, body=ready.claim.body)
                by_lane.setdefault(ready.begun.channel_id, []).append(message)
        return tuple(
            LaneBatch(
                channel=wanted[channel_id][0],
                adapter=self._adapters[wanted[channel_id][0].adapter],
                owner=owner,
                state=beginning.lanes[channel_id][1],
                messages=claimed,
                more=beginning.seen[channel_id] >= limits[channel_id],
                started=now,
                fallback=self._fallback(claimed[0].delivery, now),
            )
            for channel_id, claimed in by_lane.items()
        )

    def _wanted(
        self, channel_ids: Sequence[str], now: datetime
    ) -> tuple[dict[str, tuple[Channel, LaneState]], list[str]]:
        """Lanes that may run now, and those whose channel the registry no longer has."""
        directory = self._registry.current()
        doubtful = self._doubtful.intersection(channel_ids)
        states = self._store.lane_states(sorted(doubtful)) if doubtful else {}
        today = kyiv_day(now)
        wanted: dict[str, tuple[Channel, LaneState]] = {}
        orphaned: list[str] = []
        for channel_id in channel_ids:
            state = states.get(channel_id) or LaneState(channel_id=channel_id)
            entry = directory.channel(channel_id)
            if not state.may_run(now):
                continue
            if entry is None or not entry[1].holds_on(today):
                orphaned.append(channel_id)
            else:
                wanted[channel_id] = (entry[1], state)
        return wanted, orphaned

    def _remember(self, beginning: _Beginning, now: datetime) -> None:
        for channel_id in beginning.looked:
            if beginning.lanes[channel_id][1].is_well(now):
                self._doubtful.discard(channel_id)
            else:
                self._doubtful.add(channel_id)

    def prepare(self, claim: Claim, channel: Channel) -> Prepared:
        """The exact bytes: those of the first attempt, or new ones. Raises what the adapter raises; ``Unavailable``
        (``adapter.failed``) for what is no error of the hub's; ``ConfigurationError`` (``adapter.absent``) if there is
        no such adapter now: before anything is begun, so that waiting for it costs no attempt.
        """
        delivery = claim.delivery
        adapter = self._adapters.get(channel.adapter)
        if adapter is None:
            raise ConfigurationError(
                f"The adapter {channel.adapter} of the channel {channel.id} cannot be loaded now.",
                code="adapter.absent",
                action="Mend or install its package, then start the hub again; `hub doctor` names it.",
            )
        files = json_rendering.attachments_of(claim.body)
        if delivery.payload is not None and delivery.payload_type is not None:
            return Prepared(
                message_id=delivery.message_id,
                content_type=delivery.payload_type,
                body=delivery.payload,
                files=files,
            )
        try:
            rendering = adapter.rendering(channel)
        except HubError:
            raise
        except Exception as fault:  # noqa: BLE001 - as below
            raise broke_off(channel.id, fault) from None
        parcel = seal_parcel(
            partial(json_rendering.from_trusted, claim.body),
            claim.body,
            rendering,
            self._seal,
            message_id=delivery.message_id,
            reply_url=self._reply_url,
            attachments=files,
            executors=partial(self._executors, delivery),
        )
        try:
            return adapter.prepare(parcel, channel)
        except HubError:
            raise
        except Exception as fault:  # noqa: BLE001 - one adapter's fault must not stop the other lanes
            raise broke_off(channel.id, fault) from None

    def _executors(self, delivery: Delivery) -> tuple[AssignedExecutor, ...]:
        """Executors of the case: the addressee of this delivery, and all whose copy was not refused or withdrawn. Of
        main executors the last counts: earlier ones have sent the appeal on.
        """
        roles: dict[str, Role] = {}
        for each in (*self._store.deliveries(delivery.case_id), delivery):
            if each.id != delivery.id and each.state in _NOT_WORKING:
                continue
            if each.role is Role.MAIN:
                roles = {code: role for code, role in roles.items() if role is not Role.MAIN}
            roles[each.authority] = each.role
        directory = self._registry.current()
        known = ((code, directory.authority(code), role) for code, role in roles.items())
        return tuple(
            AssignedExecutor(party=Party(code=code, name=entry.name if entry is not None else None), role=role)
            for code, entry, role in known
        )

    def _put_off(self, beginning: _Beginning, owner: str) -> None:
        """Settle what could not be made ready as if it had been tried: a wrong setting or a store that cannot be read
        for a moment lets it wait, and the lane shows as failing; what this channel cannot carry is given up.
        """
        now = self.clock.now()
        for delivery, failure in beginning.unready:
            channel, state = beginning.lanes[delivery.channel_id]
            settler = Settler(
                owner=owner,
                lane=channel.lane,
                legal_class=channel.legal_class,
                polls=False,
                fallback=self._fallback(delivery, now),
            )
            outcome = Outcome.of(failure)
            settled = settler.settle(delivery, outcome, now, self._dice.random())
            update = replace(settled.update, first_attempt_at=delivery.first_attempt_at or now)
            self._store.apply(
                Change(updates=(update,), facts=settled.facts, items=settled.items, deliveries=settled.deliveries)
            )
            if outcome.kind is OutcomeKind.TEMPORARY:
                state = circuit_breaker.after(state, outcome.kind, now, channel.lane)
                self._store.save_lane(state)
                beginning.lanes[delivery.channel_id] = (channel, state)
                self._doubtful.add(delivery.channel_id)

    def _give_up(self, delivery: Delivery, failure: HubError, owner: str) -> None:
        now = self.clock.now()
        fallback = self._fallback(delivery, now)
        failed = given_up(delivery, reason=failure.stable_code, detail=failure.message, now=now, fallback=fallback)
        update = DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, owner=owner, last_code=failure.stable_code)
        self._store.apply(
            Change(updates=(update,), facts=failed.facts, items=failed.items, deliveries=failed.deliveries)
        )

    def _fallback(self, delivery: Delivery, now: datetime) -> Channel | None:
        """Where what cannot go over its channel goes next; a lane's deliveries are all one authority's."""
        authority = self._registry.current().authority(delivery.authority)
        return next_channel(authority, delivery.channel_id, kyiv_day(now))

    def _orphans(self, channel_id: str, owner: str) -> None:
        """Deliveries whose channel the registry no longer has: the body's next channel takes them, or a person does."""
        now = self.clock.now()
        until = now + timedelta(seconds=LEASE_MARGIN_SECS)
        found: list[Delivery] = []

        def begin(claims: Sequence[Claim], _: Mapping[str, LaneState]) -> Change:
            found[:] = [claim.delivery for claim in claims]
            return Change(updates=tuple(leased(delivery, owner, until) for delivery in found))

        self._store.claim({channel_id: ORPHANS_CLAIM}, now=now, begin=begin)
        for delivery in found:
            self._give_up(delivery, HubError("The registry has no such channel now.", code="channel.gone"), owner)


def _limit(channel: Channel, state: LaneState) -> int:
    lane = channel.lane
    return PROBE_CLAIM if circuit_breaker.probing(state, lane) else min(lane.batch, lane.rate_per_sec)


def leased(delivery: Delivery, owner: str, until: datetime) -> DeliveryUpdate:
    """The delivery as taken by an owner for a time, otherwise as it is."""
    return DeliveryUpdate(
        id=delivery.id,
        state=TransportState.SENDING,
        owner=owner,
        lease_until=until,
        next_at=delivery.next_at,
        poll_at=delivery.poll_at,
    )


def _begun(delivery: Delivery, now: datetime) -> Delivery:
    return replace(
        delivery,
        attempts=delivery.attempts + 1,
        first_attempt_at=delivery.first_attempt_at or now,
        state=TransportState.SENDING,
    )


def _started(ready: _Ready, owner: str, until: datetime) -> DeliveryUpdate:
    """The bytes are kept at the first attempt, and the same go out at each later one."""
    first = ready.claim.delivery.payload is None
    return replace(
        leased(ready.claim.delivery, owner, until),
        attempts=ready.begun.attempts,
        first_attempt_at=ready.begun.first_attempt_at,
        payload=ready.prepared.body if first else None,
        payload_type=ready.prepared.content_type if first else None,
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
