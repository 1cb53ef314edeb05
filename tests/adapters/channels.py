"""Channels of the hub's own adapters to servers on loopback."""

from __future__ import annotations

from hub.schemas.directory import Channel


def rest_channel(url: str, **settings: object) -> Channel:
    """A channel of the adapter ``rest`` to a server on loopback."""
    loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    return Channel(id="00032106.rest", adapter="rest", settings={"url": url, **loopback, **settings})
