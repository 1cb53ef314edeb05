"""The way back that begins with us: a channel is polled, collected from, or both."""

from __future__ import annotations

from collections.abc import Mapping

from hub.inbound.collector import Collector
from hub.inbound.poller import Poller
from hub.ports import Adapter, Registry
from hub.schemas.directory import Channel


class Retriever:
    """Polls and collects over channels. Safe to call from many threads."""

    def __init__(
        self, *, registry: Registry, adapters: Mapping[str, Adapter], poller: Poller, collector: Collector
    ) -> None:
        self._registry = registry
        self._adapters = adapters
        self._poller = poller
        self._collector = collector

    def retrieves(self, channel: Channel) -> bool:
        """True if there may be something to fetch over this channel."""
        adapter = self._adapters.get(channel.adapter)
        return adapter is not None and (adapter.polls(channel) or adapter.collects(channel))

    def retrieve(self, channel_id: str) -> int:
        """Poll and collect what is due; returns how many deliveries were asked about and messages handed over."""
        entry = self._registry.current().channel(channel_id)
        if entry is None or entry[1].adapter not in self._adapters:
            return 0
        authority, channel = entry
        return self._poller.poll(channel) + self._collector.collect(authority, channel)
