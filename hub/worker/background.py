"""Work beside the lanes in every sweeper: the follower of the feed, webhooks, pruning, alarms. Threads of this process.

The follower takes at most its share of one core: after each step it rests in proportion, so a peak of appeals is
looked at when it is over. Each endpoint of webhooks has a thread of its own, so one that hangs holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from hub import metrics
from hub.bootstrap import Hub
from hub.bootstrap_upkeep import upkeep
from hub.errors import HubError
from hub.following.follower import NAME
from hub.following.webhooks import Endpoint

log = logging.getLogger(__name__)
PRUNE_SECS = 3_600.0
ALARM_SECS = 5.0
WEBHOOK_SECS = 0.5
ACT_SECS = 1.0
MOST_ENDPOINTS = 100
FIRST_PRUNE_SECS = 60.0
LOOK_SECS = 10.0
STOP_SECS = 5.0
"""An attempt of a webhook that takes longer is cut off; it goes again under the same id."""


class Background:
    """Runs until it is stopped. Use as a context manager."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._alarm_keeper = upkeep(hub).keeper
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._busy: set[str] = set()

    def __enter__(self) -> Background:
        works = {
            "follower": self._follow,
            "webhooks": self._webhooks,
            "pruner": self._prune,
            "acts": self._act,
            "alarms": self._alarms,
        }
        for name, run in works.items():
            thread = threading.Thread(target=run, name=f"hub-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_SECS)

    def _follow(self) -> None:
        follower, finder = self._hub.following.follower, self._hub.following.finder
        settings, looked = self._hub.settings, 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            seen = self._tried("follower", follower.step) + self._tried("finder", finder.step)
            metrics.FOLLOWED.inc(seen)
            if began - looked > LOOK_SECS:
                looked = began
                self._tried("follower", self._note_lag)
            took = time.monotonic() - began
            rest = took * (100 / settings.follow_percent - 1)
            self._stop.wait(max(rest, 0.0 if seen else settings.follow_secs))
        self._tried("follower", follower.release)
        self._tried("finder", finder.release)

    def _note_lag(self) -> int:
        behind, now = self._hub.following.pruning.behind(NAME), self._hub.clock.now()
        metrics.BEHIND_SECONDS.set((now - behind).total_seconds() if behind else 0)
        return 0

    def _act(self) -> None:
        """Acts of operators on many things, step by step."""
        while not self._stop.is_set():
            if not self._tried("acts", self._hub.bulk.step):
                self._stop.wait(ACT_SECS)

    def _prune(self) -> None:
        wait = FIRST_PRUNE_SECS
        while not self._stop.wait(wait):
            self._tried("pruner", lambda: len(self._hub.following.pruner.run()))
            wait = PRUNE_SECS

    def _alarms(self) -> None:
        while not self._stop.wait(ALARM_SECS):
            self._tried("alarms", self._alarm_keeper.step)
        self._tried("alarms", self._alarm_keeper.release)

    def _webhooks(self) -> None:
        """Start a thread for each endpoint that has none; it ends when the endpoint is taken out of the file."""
        threads: list[threading.Thread] = []
        while not self._stop.wait(WEBHOOK_SECS):
            for endpoint in self._hub.following.webhooks.endpoints()[:MOST_ENDPOINTS]:
                if endpoint.id not in self._busy:
                    self._busy.add(endpoint.id)
                    name = f"hub-webhook-{endpoint.id}"
                    thread = threading.Thread(target=self._serve, args=(endpoint.id,), name=name, daemon=True)
                    thread.start()
                    threads.append(thread)
        for thread in threads:
            thread.join(STOP_SECS)

    def _serve(self, endpoint_id: str) -> None:
        sender = self._hub.following.webhooks
        while not self._stop.is_set():
            endpoint = next((e for e in sender.endpoints() if e.id == endpoint_id), None)
            if endpoint is None:
                break
            if not self._tried("webhook", self._round(endpoint)):
                self._stop.wait(WEBHOOK_SECS)
        self._tried("webhook", lambda: sender.release(endpoint_id))
        self._busy.discard(endpoint_id)

    def _round(self, endpoint: Endpoint) -> Callable[[], int]:
        return lambda: self._hub.following.webhooks.run(endpoint)

    @staticmethod
    def _tried(what: str, work: Callable[[], int]) -> int:
        """Do work that may fail and is tried again: it must end neither the thread nor the process."""
        try:
            return work()
        except HubError as error:
            log.warning("background work failed", extra={"what": what, "code": error.stable_code})
        except Exception as error:  # noqa: BLE001  # a fault in one event must not stop all that follow the feed
            log.error("background work broke", extra={"what": what, "error": type(error).__name__})  # noqa: TRY400
        return 0
