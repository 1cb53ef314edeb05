"""Meaning of an outcome for a delivery: new transport state, end of the attempt, facts, operators' item. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from hub.delivery import retry
from hub.delivery.fallback import given_up
from hub.delivery.records import escalate, fact_of
from hub.errors import PeerChanged
from hub.ports import Outcome
from hub.schemas.delivery import (
    AttemptEnd,
    Delivery,
    DeliveryUpdate,
    Fact,
    FactKind,
    OperatorItem,
    OutcomeKind,
    Source,
    TransportState,
)
from hub.schemas.directory import Channel, LaneSettings, LegalClass
from hub.schemas.ids import AttemptId, DeliveryId
from hub.schemas.terms import RefusalGround


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """All that one outcome writes."""

    update: DeliveryUpdate
    end: AttemptEnd | None
    facts: tuple[Fact, ...] = ()
    items: tuple[OperatorItem, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


def attempt_id(delivery_id: DeliveryId, number: int) -> AttemptId:
    """Name of the n-th attempt; derived (RFC 9562 section 5.5), so that a lost one is named without a look-up."""
    return AttemptId(uuid.uuid5(delivery_id, str(number)))


class Settler:
    """Settles outcomes of one lane run. ``owner`` holds the leases; ``dice`` gives 0 ≤ x < 1 for jitter."""

    def __init__(
        self,
        *,
        owner: str,
        lane: LaneSettings,
        legal_class: LegalClass,
        polls: bool,
        fallback: Channel | None = None,
    ) -> None:
        self._owner = owner
        self._lane = lane
        self._legal_class = legal_class
        self._polls = polls
        self._fallback = fallback

    def settle(self, delivery: Delivery, outcome: Outcome, now: datetime, dice: float) -> Settlement:
        """``delivery``: as it stands during the attempt (``attempts`` counts this one)."""
        settled = self._settle(delivery, outcome, now, dice)
        return shadowed(delivery, settled, now) if delivery.shadow else settled

    def _settle(self, delivery: Delivery, outcome: Outcome, now: datetime, dice: float) -> Settlement:
        match outcome.kind:
            case OutcomeKind.DELIVERED | OutcomeKind.DUPLICATE:
                return self._taken(delivery, outcome, now)
            case OutcomeKind.OFFERED:
                return Settlement(
                    update=self._update(delivery, TransportState.OFFERED, outcome),
                    end=self._end(delivery, outcome, now),
                )
            case OutcomeKind.REFUSED:
                return self._refused(delivery, outcome, now)
            case OutcomeKind.PERMANENT:
                return self._dead(delivery, outcome, now, outcome.code or "delivery.permanent")
            case OutcomeKind.TEMPORARY | OutcomeKind.UNKNOWN:
                return self._again(delivery, outcome, now, dice)

    def _update(
        self,
        delivery: Delivery,
        state: TransportState,
        outcome: Outcome,
        *,
        next_at: datetime | None = None,
        poll_at: datetime | None = None,
        delivered_at: datetime | None = None,
    ) -> DeliveryUpdate:
        return DeliveryUpdate(
            id=delivery.id,
            state=state,
            next_at=next_at,
            poll_at=poll_at,
            owner=self._owner,
            external_id=outcome.external_id,
            last_code=outcome.code or outcome.kind,
            delivered_at=delivered_at,
        )

    def _end(self, delivery: Delivery, outcome: Outcome, now: datetime) -> AttemptEnd | None:
        return AttemptEnd(
            id=attempt_id(delivery.id, delivery.attempts),
            finished_at=now,
            outcome=outcome.kind,
            code=outcome.code,
            http_status=outcome.http_status,
            detail=outcome.detail[: Outcome.DETAIL_MAX_CHARS] if outcome.detail else None,
            answer=outcome.answer,
        )

    def _taken(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Settlement:
        # A channel that can bring no notice of delivery is not waited for (CMU 55/2018 item 24).
        silent = {"notice": "none"} if self._legal_class is LegalClass.SENT else {}
        facts = [fact_of(delivery, FactKind.SENT, now, Source.HUB, channel=delivery.channel_id, **silent)]
        if (outcome.proves or self._legal_class) is not LegalClass.SENT:
            # Which earlier try succeeded is not known for a duplicate; that it is there, is.
            facts.append(fact_of(delivery, FactKind.DELIVERED, now, Source.AUTHORITY, channel=delivery.channel_id))
        first_poll = retry.poll_at(sent_at=now, now=now) if self._polls else None
        update = self._update(delivery, TransportState.DELIVERED, outcome, poll_at=first_poll, delivered_at=now)
        return Settlement(update=update, end=self._end(delivery, outcome, now), facts=tuple(facts))

    def _refused(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Settlement:
        ground = outcome.ground or RefusalGround.OTHER
        if ground == RefusalGround.RECEIVED_TWICE:
            # CMU 55/2018 item 21 ground 3: the first copy is there.
            return self._taken(delivery, outcome, now)
        # What a refusal asks for is a duty of the law (hub.tracking.duties): another body, or a person who mends it.
        return Settlement(
            update=self._update(delivery, TransportState.REFUSED, outcome),
            end=self._end(delivery, outcome, now),
            facts=(fact_of(delivery, FactKind.REFUSED, now, Source.AUTHORITY, ground=ground),),
        )

    def _dead(self, delivery: Delivery, outcome: Outcome, now: datetime, reason: str) -> Settlement:
        failed = given_up(
            delivery,
            reason=reason,
            detail=outcome.detail or "No attempt is left.",
            now=now,
            fallback=None if outcome.begun else self._fallback,
        )
        return Settlement(
            update=self._update(delivery, TransportState.DEAD, outcome),
            end=self._end(delivery, outcome, now),
            facts=failed.facts,
            items=failed.items,
            deliveries=failed.deliveries,
        )

    def _again(self, delivery: Delivery, outcome: Outcome, now: datetime, dice: float) -> Settlement:
        at = retry.retry_at(
            attempts=max(delivery.attempts, 1),
            first_attempt_at=delivery.first_attempt_at or now,
            now=now,
            lane=self._lane,
            dice=dice,
            retry_after=outcome.retry_after,
        )
        if at is None:
            return self._dead(delivery, outcome, now, "delivery.exhausted")
        state = TransportState.UNKNOWN if outcome.kind is OutcomeKind.UNKNOWN else TransportState.WAITING
        facts, items = self._alarm(delivery, outcome, now) if outcome.stops_lane else ((), ())
        return Settlement(
            update=self._update(delivery, state, outcome, next_at=at),
            end=self._end(delivery, outcome, now),
            facts=facts,
            items=items,
        )

    @staticmethod
    def _alarm(
        delivery: Delivery, outcome: Outcome, now: datetime
    ) -> tuple[tuple[Fact, ...], tuple[OperatorItem, ...]]:
        """The lane stands still with this delivery at its head: a person must hear of it now, not when it is over."""
        return escalate(delivery, reason=outcome.code or PeerChanged.code, detail=outcome.detail or "", now=now)


def shadowed(delivery: Delivery, settled: Settlement, now: datetime) -> Settlement:
    """Result of a try over a shadow channel: its transport state and, at the end, one fact that says how it ended."""
    if settled.update.next_at is not None:
        return replace(settled, facts=(), items=(), deliveries=())
    state, code = settled.update.state, settled.update.last_code or ""
    fact = fact_of(
        delivery, FactKind.SHADOWED, now, Source.HUB, channel=delivery.channel_id, outcome=str(state), code=str(code)
    )
    return replace(settled, facts=(fact,), items=(), deliveries=())
