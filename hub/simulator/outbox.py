"""Reports on their way to the hub: each at its time, again and again until the hub says yes or no."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from hub.errors import HubError
from hub.net.http import HttpPolicy, HttpSession, retry_after
from hub.simulator.authority import SimulatedReport

CALL_SECS = 10.0
FIRST_WAIT_SECS = 0.2
MAX_WAIT_SECS = 5.0
_POLITE = frozenset({408, 425, 429})


def as_json(report: bytes) -> tuple[str, bytes]:
    """The report as it is."""
    return "application/json", report


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingReport:
    """One report with where it goes. ``done`` hears whether the hub took it (``taken``) or refused it.

    ``say``: content type and body that the report's bytes become on the way.
    ``lay``: how it goes where it is not posted.
    """

    report: SimulatedReport
    url: str
    api_key: str
    done: Callable[[Literal["taken", "refused"]], None]
    say: Callable[[bytes], tuple[str, bytes]] = as_json
    lay: Callable[[bytes], Literal["taken"]] | None = None


_Entry: TypeAlias = tuple[float, int, OutgoingReport, bytes | None, int]
"""When (monotonic), order, what, the bytes once made, how many tries."""


class Outbox:
    """A few threads that post what is due. ``close`` drops what still waits."""

    def __init__(self, policy: HttpPolicy, threads: int = 4) -> None:
        self._policy = policy
        self._order = itertools.count()
        self._heap: list[_Entry] = []
        self._changed = threading.Condition()
        self._closed = False
        self._busy = 0
        self._threads = [threading.Thread(target=self._work, name=f"reports-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def post(self, letter: OutgoingReport) -> None:
        """Send a report when its time comes, ``copies`` times."""
        due = time.monotonic() + letter.report.after_secs
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._order), letter, None, 0))
            self._changed.notify()

    def waiting(self) -> int:
        """How many letters are not yet settled."""
        with self._changed:
            return len(self._heap) + self._busy

    def close(self) -> None:
        """Stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CALL_SECS + 5)

    def _work(self) -> None:
        with HttpSession(self._policy) as session:
            while (entry := self._next()) is not None:
                again = self._send(session, entry)
                with self._changed:
                    self._busy -= 1
                    if again is not None:
                        heapq.heappush(self._heap, again)
                    self._changed.notify()

    def _next(self) -> _Entry | None:
        with self._changed:
            while not self._closed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    self._busy += 1
                    return heapq.heappop(self._heap)
                self._changed.wait(wait)
            return None

    def _send(self, session: HttpSession, entry: _Entry) -> _Entry | None:
        """Post all copies; the entry to come again, or None if it is settled."""
        _, order, letter, body, tries = entry
        made = letter.report.make() if body is None else body
        verdict: Literal["taken", "refused"] | None = None
        asked = 0.0
        for _ in range(letter.report.copies):
            verdict, asked = (letter.lay(made), 0.0) if letter.lay else self._post(session, letter, made)
        if verdict is not None:
            letter.done(verdict)
            return None
        wait = max(min(FIRST_WAIT_SECS * 2**tries, MAX_WAIT_SECS), min(asked, MAX_WAIT_SECS))
        return (time.monotonic() + wait, order, letter, made, tries + 1)

    @staticmethod
    def _post(
        session: HttpSession, letter: OutgoingReport, body: bytes
    ) -> tuple[Literal["taken", "refused"] | None, float]:
        kind, said = letter.say(body)
        headers = {"Authorization": f"Bearer {letter.api_key}", "Content-Type": kind}
        try:
            answer = session.call("POST", letter.url, headers=headers, body=said, deadline_secs=CALL_SECS)
        except HubError:
            return None, 0.0
        if 200 <= answer.status < 300:
            return "taken", 0.0
        if 400 <= answer.status < 500 and answer.status not in _POLITE:
            return "refused", 0.0
        return None, retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)) or 0.0
