"""Pruning: what grows for ever and nobody needs any more goes, by settings, in small steps.

Never touched: cases, messages, deliveries, attempts, facts and attachments that a case names: they are the evidence.
Events are facts, so they are not deleted; after their days they are not given out any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.following.follower import NAME
from hub.following.ports import Files, Pruning
from hub.ports import Clock

log = logging.getLogger(__name__)
STEP = 5_000
MOST_STEPS = 40
"""So much goes in one run: a backlog of years is worked off over several."""
GRACE = timedelta(days=1)
"""How long a revoked upload's file stays, in case that an appeal named it at that very moment."""
MOST_BEHIND = timedelta(hours=1)
"""Uploads are left alone while the follower, who notes what is used, is further behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days what is kept."""

    events: int = 90
    idempotency: int = 30
    inbound: int = 365
    noise: int = 90
    audit: int = 1_095
    uploads: int = 7
    likeness: int = 400


class Pruner:
    """Deletes what is over its days. Any number may run at once: each row goes once."""

    def __init__(self, *, pruning: Pruning, attachments: Files, clock: Clock, retention: Retention) -> None:
        self._pruning = pruning
        self._attachments = attachments
        self._clock = clock
        self._days = retention

    def run(self) -> dict[str, int]:
        """One run; how many of each went. Raises ``Unavailable``."""
        now, days, it = self._clock.now(), self._days, self._pruning
        work: dict[str, tuple[Callable[[datetime, int], int], int]] = {
            "events": (it.raise_floor, days.events),
            "webhooks": (it.prune_given_up, days.events),
            "answers": (it.prune_answers, days.idempotency),
            "inbound": (it.prune_inbound, days.inbound),
            "noise": (it.prune_noise, days.noise),
            "audit": (it.prune_audit, days.audit),
            "bodies": (it.prune_bodies, 1),
            "bands": (it.prune_bands, days.likeness),
            "applicants": (it.prune_applicants, days.likeness),
            "transfers": (it.prune_transfers, days.events),
            "notices": (it.prune_notices, days.events),
        }
        gone = {name: _all(step, now - timedelta(days=after)) for name, (step, after) in work.items()}
        gone["uploads"] = self._uploads(now)
        if any(gone.values()):
            log.info("pruned", extra={"gone": {name: count for name, count in gone.items() if count}})
        return gone

    def _uploads(self, now: datetime) -> int:
        """Uploads go in two steps: first nobody may name them any more, a day later the file goes."""
        self._pruning.give_back()
        behind = self._pruning.behind(NAME)
        if behind is not None and behind < now - MOST_BEHIND:
            return 0
        self._pruning.revoke_uploads(now - timedelta(days=self._days.uploads), now, STEP)
        orphans = self._pruning.orphans(now - GRACE, STEP)
        for orphan in orphans:
            self._attachments.delete(orphan.stored.sha256, older_than=orphan.revoked_at)
        self._pruning.forget([orphan.stored.sha256 for orphan in orphans])
        return len(orphans)


def _all(step: Callable[[datetime, int], int], before: datetime) -> int:
    gone = 0
    for _ in range(MOST_STEPS):
        count = step(before, STEP)
        gone += count
        if count < STEP:
            break
    return gone
