"""Listening: a channel that cannot be asked or collected is told to a person, with the bytes that came instead.

One failure is nothing: the other side restarts. ``unheard_after`` of them in a row are one entry of the holding pen, as
long as the row lasts; the lane, the cases on it and an alarm show it too. When the channel is heard again the entry is
closed, unless it holds an answer that nobody could read: that one stays for a person.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace

from hub.delivery.journal import Journal, Origin
from hub.errors import Conflict
from hub.ports import Clock, RawInbound, Store
from hub.schemas.delivery import Change, Unheard
from hub.schemas.directory import Channel
from hub.schemas.journal import Custody, InboundDecision

log = logging.getLogger(__name__)
VERDICT = "channel.unheard"
HUB = "hub"
_TOLD = "text/x-hub-report"
_EPISODES = uuid.UUID("2f0c1c77-4c7e-5b52-9c39-1f2b0a6f5a41")


def entry_of(row: Unheard) -> str:
    """Id of the journal's entry of one row of failures."""
    return str(uuid.uuid5(_EPISODES, f"{row.channel_id}\n{row.since.isoformat()}"))


class Listener:
    """Counts what was heard and what was not. Safe to call from many threads."""

    def __init__(self, *, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock

    def heard(self, channel: Channel) -> None:
        """Note that a question or a collection went well."""
        row = self._store.heard(channel.id)
        if row is not None and row.failures >= channel.lane.unheard_after:
            self._close(row)

    def not_heard(self, channel: Channel, origin: Origin, code: str, answer: bytes | None = None) -> None:
        """Note that one failed. ``answer``: what came instead, if anything did."""
        row = self._store.not_heard(channel.id, at=self._clock.now(), code=code)
        if row.failures >= channel.lane.unheard_after:
            self._hold(row, origin, answer)

    def _hold(self, row: Unheard, origin: Origin, answer: bytes | None) -> None:
        """Keep one entry for the whole row of failures."""
        if self._store.inbound_record(entry_of(row)) is not None:
            return
        told = f"{row.code}: {row.failures} times in a row since {row.since:%Y-%m-%d %H:%M}Z"
        kind, body = (_TOLD, told.encode()) if answer is None else ("application/octet-stream", answer)
        entry = self._journal.held(RawInbound(content_type=kind, body=body), origin, verdict=VERDICT, detail=told)
        self._store.apply(Change(inbound=(replace(entry, id=entry_of(row)),)))

    def _close(self, row: Unheard) -> None:
        """Close the entry, unless a person has to read what is in it, or decided already."""
        entry = self._store.inbound_record(entry_of(row))
        if entry is None or entry.custody is not Custody.HELD or entry.content_type != _TOLD:
            return
        words = f"heard again after {row.failures} failures"
        decision = InboundDecision(seen=entry, custody=Custody.DISMISSED, at=self._clock.now(), by=HUB, words=words)
        try:
            self._store.apply(Change(decisions=(decision,)))
        except Conflict:
            log.info("a person decided meanwhile", extra={"channel": row.channel_id})
