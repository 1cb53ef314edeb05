"""Listening: whether the hub could hear what waits at the other side of a channel."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from hub.schemas.delivery import Unheard


class Listening(Protocol):
    """Channels that could not be asked or collected, and how often in a row. Counted together by all workers."""

    def heard(self, channel_id: str) -> Unheard | None:
        """A question or a collection went well: the row of failures ends. What it was; none if there was none."""
        ...

    def not_heard(self, channel_id: str, *, at: datetime, code: str) -> Unheard:
        """A question or a collection failed: counts it; how it stands now."""
        ...

    def unheard(self) -> tuple[Unheard, ...]:
        """Channels whose last question or collection failed, by id."""
        ...
