"""Origins of what comes in, for tests."""

from __future__ import annotations

from hub.delivery.journal import Origin
from hub.schemas.journal import Door


def origin(channel_id: str, party: str | None, door: Door = Door.CALLBACK) -> Origin:
    """Whose word something is, and by which way it came."""
    return Origin(door=door, channel_id=channel_id, party=party)
