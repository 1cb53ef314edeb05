"""Collecting: fetching what waits at the other side, in a mailbox, a queue or a folder.

A channel is claimed in the store before the other system is called, so that one worker empties a mailbox; it comes
round every ``collect_secs``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta

from hub.delivery.adapter_fault import broke_off
from hub.delivery.journal import Origin
from hub.errors import HubError, PeerChanged
from hub.inbound.listening import Listener
from hub.inbound.receiver import Receiver
from hub.inbound.sink import ChannelSink
from hub.ports import Adapter, Attachments, Clock, Directory, Registry, Session, Store, Transcribed
from hub.schemas.directory import Authority, AuthorityKind, Channel
from hub.schemas.journal import Door
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
    except Exception as fault:  # noqa: BLE001 - one adapter's fault must not stop the sweeper
        broke_off(channel.id, fault)
    return False


class Collector:
    """Collects over channels. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        receiver: Receiver,
        listener: Listener,
        attachments: Attachments | None = None,
    ) -> None:
        self._store = store
        self._adapters = adapters
        self._clock = clock
        self._receiver = receiver
        self._listener = listener
        self._attachments = attachments

    def collect(self, authority: Authority, channel: Channel) -> int:
        """Collect over a channel if it is time; returns how many messages were handed over."""
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
        origin = Origin(door=Door.COLLECT, channel_id=channel.id, party=None if for_all else authority.code)
        sink = ChannelSink(
            store=self._store,
            receiver=self._receiver,
            attachments=self._attachments,
            clock=self._clock,
            origin=origin,
        )
        taken, wait_secs, went_well = 0, lane.collect_secs, False
        session: Session | None = None
        try:
            with adapter.session(channel) as session:
                taken = session.collect(sink, float(lane.deadline_secs))
            went_well = True
            self._listener.heard(channel)
        except PeerChanged as changed:
            # The next message that is sent there stops the lane and calls an operator; there is no case to show here.
            wait_secs = max(wait_secs, STRANGER_SECS)
            extra = {"channel": channel.id, "code": changed.stable_code}
            log.error("collecting stopped: the other side is another", extra=extra)  # noqa: TRY400 - no traceback
            self._listener.not_heard(channel, origin, changed.stable_code)
        except HubError as failure:
            log.warning("collecting failed", extra={"channel": channel.id, "code": failure.stable_code})
            self._listener.not_heard(channel, origin, failure.stable_code, _answer(session))
        except Exception as fault:  # noqa: BLE001 - a fault of an adapter's own is a failure of its channel
            code = broke_off(channel.id, fault).stable_code
            self._listener.not_heard(channel, origin, code, _answer(session))
        ended = self._clock.now()
        heard_at = ended if went_well else None
        self._store.plan_collect(channel.id, ended + timedelta(seconds=wait_secs), heard_at=heard_at)
        return taken


def _answer(session: Session | None) -> bytes | None:
    """Bytes that came last, where a session was opened and keeps them."""
    return session.heard() if isinstance(session, Transcribed) else None


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
