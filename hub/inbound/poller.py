"""Polling: asking what became of a delivery (the Polling Consumer of the trade).

Polls are claimed in the store before the other system is called, so that several workers ask once; they slow down with
a message's age.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.contained import contained
from hub.delivery import retry
from hub.delivery.adapter_fault import broke_off
from hub.delivery.journal import Origin
from hub.delivery.records import escalate, fact_of
from hub.errors import HubError, ItemFailed
from hub.inbound.clocks import Hearing, SaidMoment, counted
from hub.inbound.listening import Listener
from hub.inbound.receiver import Receiver
from hub.ports import Adapter, Clock, Outcome, RawInbound, Session, Store
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, FactKind, OutcomeKind, Source
from hub.schemas.directory import Channel
from hub.schemas.journal import Door

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """A question that got no answer. ``answer``: what came instead."""

    code: str
    answer: bytes | None = None


class Poller:
    """Asks about deliveries. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        receiver: Receiver,
        listener: Listener,
    ) -> None:
        self._store = store
        self._adapters = adapters
        self._clock = clock
        self._receiver = receiver
        self._listener = listener

    def poll(self, channel: Channel) -> int:
        """Ask about what is due over a channel; returns how many deliveries were asked about."""
        adapter = self._adapters[channel.adapter]
        if not adapter.polls(channel):
            return 0
        now = self._clock.now()
        again = now + timedelta(seconds=channel.lane.slice_secs + channel.lane.deadline_secs)
        due = self._store.claim_polls(channel.id, now=now, next_at=again, limit=channel.lane.batch)
        if not due:
            return 0
        silences: list[_Silence] = []
        try:
            with adapter.session(channel) as session:
                for delivery in due:
                    silence = self._contained(session, delivery, channel)
                    silences += [silence] if silence is not None else []
        except HubError as failure:
            # They are asked about again when the time they were moved to has come.
            log.warning("polling failed", extra={"channel": channel.id, "code": failure.stable_code})
            self._listener.not_heard(channel, _origin(due[0]), failure.stable_code)
        except Exception as fault:  # noqa: BLE001 - a fault of an adapter's own is a failure of its channel
            self._listener.not_heard(channel, _origin(due[0]), broke_off(channel.id, fault).stable_code)
        else:
            self._note(channel, due, silences)
        return len(due)

    def _note(self, channel: Channel, due: Sequence[Delivery], silences: Sequence[_Silence]) -> None:
        """One question that went well shows that the channel can be heard."""
        if len(silences) < len(due):
            self._listener.heard(channel)
        else:
            last = silences[-1]
            self._listener.not_heard(channel, _origin(due[-1]), last.code, last.answer)

    def _contained(self, session: Session, delivery: Delivery, channel: Channel) -> _Silence | None:
        """One question. A fault of the hub's own, or of an adapter's, costs this question; the next one is asked."""
        try:
            with contained("poll"):
                return _silence(self._poll_one(session, delivery, channel))
        except ItemFailed as failure:
            nothing = RawInbound(content_type="text/plain", body=str(delivery.id).encode())
            self._receiver.hold(
                nothing, _origin(delivery), verdict=failure.code, about=delivery, detail=failure.message
            )
            self._store.apply(self._learnt(delivery, Outcome.of(failure), self._clock.now()))
            return _Silence(code=failure.code)

    def _poll_one(self, session: Session, delivery: Delivery, channel: Channel) -> Outcome:
        asked = self._clock.now()
        outcome = session.poll(delivery, float(channel.lane.deadline_secs))
        outcome = self._receiver.redaction.outcome(outcome, delivery)
        now = self._clock.now()
        refusals = self._receiver.receive_outcome(delivery, outcome)
        current = self._store.delivery(delivery.id)
        if current is None or current.poll_at is None:
            return outcome  # a final answer came meanwhile: there is nothing more to ask
        learnt = self._learnt(current, outcome, now)
        if outcome.kind is OutcomeKind.DELIVERED and not outcome.unread and not refusals:
            # What it did not show happens after: the next look finds it between the two.
            learnt = replace(learnt, updates=tuple(replace(each, looked_at=asked) for each in learnt.updates))
        self._store.apply(learnt)
        return outcome

    def _learnt(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Change:
        """Change that an answer to a poll brings besides its receipts: a system in between may say that the addressee
        has it, or that it gave up. Either way there is nothing more to ask.
        """
        if outcome.kind is OutcomeKind.PERMANENT and outcome.proves is not None:
            detail = outcome.detail or "The system in between could not deliver the message."
            facts, items = escalate(delivery, reason=outcome.code or "poll.failed", detail=detail, now=now)
            return Change(updates=(DeliveryUpdate(id=delivery.id, state=delivery.state),), facts=facts, items=items)
        if outcome.kind is OutcomeKind.DELIVERED and outcome.proves is not None:
            moment = counted(
                SaidMoment(at=None),
                Hearing(routed=delivery.created_at, heard=now, unseen=delivery.looked_at or delivery.created_at),
            )
            has = fact_of(
                delivery,
                FactKind.DELIVERED,
                moment.at,
                Source.AUTHORITY,
                channel=delivery.channel_id,
                **moment.data,
            )
            known = any(
                each.kind is FactKind.DELIVERED and each.delivery_id == delivery.id
                for each in self._store.facts(delivery.case_id)
            )
            update = DeliveryUpdate(id=delivery.id, state=delivery.state)
            return Change(updates=(update,), facts=() if known else (has,))
        next_poll = retry.poll_at(sent_at=delivery.delivered_at or delivery.created_at, now=now)
        return Change(updates=(DeliveryUpdate(id=delivery.id, state=delivery.state, poll_at=next_poll),))


_FAILURES = frozenset({OutcomeKind.TEMPORARY, OutcomeKind.UNKNOWN, OutcomeKind.PERMANENT})


def _silence(outcome: Outcome) -> _Silence | None:
    """The silence that a question met; None if it got an answer that says anything."""
    said = outcome.proves is not None or outcome.receipts or outcome.reported
    if said or outcome.kind not in _FAILURES:
        return None
    return _Silence(code=outcome.code or "poll.failed", answer=outcome.answer)


def _origin(delivery: Delivery) -> Origin:
    return Origin(door=Door.POLL, channel_id=delivery.channel_id, party=delivery.authority)
