"""Asking: what became of a delivery (polling), and what waits at the other side (collecting).

Both are claimed in the store before the other system is called, so that several workers ask once. Polls slow down with
a message's age; collecting comes round every ``collect_secs`` of its channel.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from hub.delivery import schedule
from hub.delivery.desk import ChannelDesk
from hub.delivery.handover import escalate, fact_of
from hub.delivery.statement import UNSETTLED, Statement
from hub.delivery.takeback import TakeBack
from hub.errors import HubError, PeerChanged
from hub.ports import Adapter, Attachments, Clock, Directory, Outcome, RawInbound, Registry, Session, Spoken, Store
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, FactKind, OutcomeKind, Source, TransportState
from hub.schemas.directory import Authority, AuthorityKind, Channel
from hub.schemas.kyiv import kyiv_day

log = logging.getLogger(__name__)

STRANGER_SECS = 3_600
"""When to look again whether the other side is who it should be."""


def collecting(directory: Directory, adapters: Mapping[str, Adapter], day: date) -> tuple[str, ...]:
    """Channels over which messages are collected on this day, in order of id."""
    return tuple(
        sorted(
            channel.id
            for authority, channel in directory.channels()
            if channel.adapter in adapters
            and authority.holds_on(day)
            and channel.holds_on(day)
            and _collects(adapters[channel.adapter], channel)
        )
    )


def _collects(adapter: Adapter, channel: Channel) -> bool:
    try:
        return adapter.collects(channel)
    except HubError as failure:
        log.warning("a channel cannot be collected", extra={"channel": channel.id, "code": failure.stable_code})
        return False


def _refused(delivery: Delivery, failure: HubError) -> None:
    log.warning(
        "receipt refused",
        extra={"channel": delivery.channel_id, "case": str(delivery.case_id), "code": failure.stable_code},
    )


class Asker:
    """Polls and collects. All methods may be called by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        takeback: TakeBack,
        attachments: Attachments | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._adapters = adapters
        self._clock = clock
        self.takeback = takeback
        self._attachments = attachments

    def asks(self, channel: Channel) -> bool:
        """Whether there may be something to ask about over this channel."""
        adapter = self._adapters[channel.adapter]
        return adapter.polls(channel) or adapter.collects(channel)

    def ask(self, channel_id: str) -> int:
        """Poll and collect what is due; returns how many deliveries were asked about and messages handed over."""
        entry = self._registry.current().channel(channel_id)
        if entry is None or entry[1].adapter not in self._adapters:
            return 0
        authority, channel = entry
        return self._poll(channel) + self._collect(authority, channel)

    def weigh_statements(self, delivery: Delivery, outcome: Outcome) -> tuple[tuple[Statement, ...], list[HubError]]:
        """What came with an outcome and holds, to be written with it; and what does not, which is journalled."""
        held: list[Statement] = []
        refusals: list[HubError] = []
        pieces: tuple[RawInbound | Spoken, ...] = (*outcome.receipts, *outcome.spoken)
        for came in pieces:
            try:
                statement = self.takeback.weigh(came, delivery)
            except HubError as failure:
                refusals.append(failure)
                _refused(delivery, failure)
            else:
                held.append(statement)
                if statement.fact is not None and delivery.state in UNSETTLED:
                    delivery = replace(delivery, state=TransportState.DELIVERED)  # the next one finds it settled
        return tuple(held), refusals

    def take_statements(self, delivery: Delivery, outcome: Outcome) -> list[HubError]:
        """What came with an outcome goes the same way as what calls us; a bad piece is journalled there."""
        channel, party = delivery.channel_id, delivery.authority
        takes = [partial(self.takeback.take, raw, channel_id=channel, party=party) for raw in outcome.receipts]
        takes += [partial(self.takeback.hear, each, channel_id=channel, speaks_for=party) for each in outcome.spoken]
        refusals = []
        for take in takes:
            try:
                take()
            except HubError as failure:
                refusals.append(failure)
                _refused(delivery, failure)
        return refusals

    # Polling

    def _poll(self, channel: Channel) -> int:
        adapter = self._adapters[channel.adapter]
        if not adapter.polls(channel):
            return 0
        now = self._clock.now()
        again = now + timedelta(seconds=channel.lane.slice_secs + channel.lane.deadline_secs)
        due = self._store.claim_polls(channel.id, now=now, next_at=again, limit=channel.lane.batch)
        if not due:
            return 0
        try:
            with adapter.session(channel) as session:
                for delivery in due:
                    self._poll_one(session, delivery, channel)
        except HubError as failure:
            # They are asked about again when the time they were moved to has come.
            log.warning("polling failed", extra={"channel": channel.id, "code": failure.stable_code})
        return len(due)

    def _poll_one(self, session: Session, delivery: Delivery, channel: Channel) -> None:
        outcome = session.poll(delivery, float(channel.lane.deadline_secs))
        now = self._clock.now()
        self.take_statements(delivery, outcome)
        current = self._store.delivery(delivery.id)
        if current is None or current.poll_at is None:
            return  # a final answer came meanwhile: there is nothing more to ask
        self._store.apply(self._learnt(current, outcome, now))

    def _learnt(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Change:
        """What an answer to a poll changes besides its receipts: a system in between may say that the addressee has
        it, or that it gave up. Either way there is nothing more to ask.
        """
        if outcome.kind is OutcomeKind.PERMANENT and outcome.proves is not None:
            detail = outcome.detail or "The system in between could not deliver the message."
            facts, items = escalate(delivery, reason=outcome.code or "poll.failed", detail=detail, now=now)
            return Change(updates=(DeliveryUpdate(id=delivery.id, state=delivery.state),), facts=facts, items=items)
        if outcome.kind is OutcomeKind.DELIVERED and outcome.proves is not None:
            has = fact_of(delivery, FactKind.DELIVERED, now, Source.AUTHORITY, channel=delivery.channel_id)
            known = any(
                each.kind is FactKind.DELIVERED and each.delivery_id == delivery.id
                for each in self._store.facts(delivery.case_id)
            )
            update = DeliveryUpdate(id=delivery.id, state=delivery.state)
            return Change(updates=(update,), facts=() if known else (has,))
        next_poll = schedule.poll_at(sent_at=delivery.delivered_at or delivery.created_at, now=now)
        return Change(updates=(DeliveryUpdate(id=delivery.id, state=delivery.state, poll_at=next_poll),))

    # Collecting

    def _collect(self, authority: Authority, channel: Channel) -> int:
        adapter = self._adapters[channel.adapter]
        if not adapter.collects(channel) or self._store.lane(channel.id).paused:
            return 0
        now = self._clock.now()
        lane = channel.lane
        # As long as one worker is at it, and its deadline twice over, no other begins.
        until = now + timedelta(seconds=max(lane.collect_secs, 2 * lane.deadline_secs))
        if not self._store.claim_collect(channel.id, now=now, until=until):
            return 0
        for_all = authority.kind is AuthorityKind.CONTACT_CENTRE
        desk = ChannelDesk(
            store=self._store,
            takeback=self.takeback,
            attachments=self._attachments,
            clock=self._clock,
            channel_id=channel.id,
            party=None if for_all else authority.code,
        )
        taken, wait_secs = 0, lane.collect_secs
        try:
            with adapter.session(channel) as session:
                taken = session.collect(desk, float(lane.deadline_secs))
        except PeerChanged as changed:
            # The next message that is sent there stops the lane and calls an operator; there is no case to show here.
            wait_secs = max(wait_secs, STRANGER_SECS)
            extra = {"channel": channel.id, "code": changed.stable_code}
            log.error("collecting stopped: the other side is another", extra=extra)  # noqa: TRY400 - no traceback
        except HubError as failure:
            log.warning("collecting failed", extra={"channel": channel.id, "code": failure.stable_code})
        self._store.plan_collect(channel.id, self._clock.now() + timedelta(seconds=wait_secs))
        return taken


class CollectingChannels:
    """``collecting`` for the registry in force; computed again when its version or the day changes."""

    def __init__(self, registry: Registry, adapters: Mapping[str, Adapter], clock: Clock) -> None:
        self._registry = registry
        self._adapters = adapters
        self._clock = clock
        self._known: tuple[tuple[str, date], tuple[str, ...]] | None = None

    def __call__(self) -> tuple[str, ...]:
        """Ids of the channels, in order."""
        directory = self._registry.current()
        key = (directory.version, kyiv_day(self._clock.now()))
        if self._known is None or self._known[0] != key:
            self._known = (key, collecting(directory, self._adapters, key[1]))
        return self._known[1]
