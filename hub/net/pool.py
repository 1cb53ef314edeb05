"""HTTP sessions kept between conversations: a connection costs more than a call over it.

Kept by origin, policy and owner: channels of one gateway share no connection, so that whatever a peer says late or
twice can never become the answer to another channel's message. A session that is idle for
``IDLE_SECS`` or older than ``AGE_SECS`` is not used again, so that a mended certificate, a revocation list or a new
address of the other side is seen soon. Nor is a connection that the other side closed, or sent anything over, while it
was idle (urllib3 looks before each call).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.net.addresses import Target
from hub.net.http import HttpPolicy, HttpSession, check_url

IDLE_SECS = 4.0
"""Below the 5 s after which many servers close an idle connection."""
AGE_SECS = 60.0
MOST_IDLE = 256

_Key = tuple[str, str, int, HttpPolicy, str]


class SessionPool:
    """Lends sessions; each is used by one thread at a time. Safe to use from many threads."""

    def __init__(
        self, make: Callable[[HttpPolicy], HttpSession] = HttpSession, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        # The longest idle first: (when made, when put back, session) under a number of its own.
        self._idle: OrderedDict[int, tuple[_Key, float, float, HttpSession]] = OrderedDict()
        self._by_key: dict[_Key, list[int]] = {}
        self._next = 0

    @contextmanager
    def session(self, url: str, policy: HttpPolicy, owner: str) -> Iterator[HttpSession]:
        """A session of this owner (a channel's id) for this URL's origin. ``ConfigurationError`` if the policy does not
        allow the URL.
        """
        key = _key(check_url(url, policy), policy, owner)
        made, session = self._take(key)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._put(key, made, session)

    def close(self) -> None:
        """Close all that are idle."""
        with self._lock:
            idle, self._idle, self._by_key = self._idle, OrderedDict(), {}
        for _, _, _, session in idle.values():
            session.close()

    def _take(self, key: _Key) -> tuple[float, HttpSession]:
        stale: list[HttpSession] = []
        found: tuple[float, HttpSession] | None = None
        now = self._clock()
        with self._lock:
            self._drop_stale(now, stale)
            while found is None and (numbers := self._by_key.get(key)):
                _, made, _, session = self._remove(numbers[-1])
                if now - made < AGE_SECS:
                    found = (made, session)
                else:
                    stale.append(session)
        for session in stale:
            session.close()
        return found or (now, self._make(key[3]))

    def _put(self, key: _Key, made: float, session: HttpSession) -> None:
        stale: list[HttpSession] = []
        now = self._clock()
        with self._lock:
            self._next += 1
            self._idle[self._next] = (key, made, now, session)
            self._by_key.setdefault(key, []).append(self._next)
            self._drop_stale(now, stale)
        for each in stale:
            each.close()

    def _drop_stale(self, now: float, stale: list[HttpSession]) -> None:
        while self._idle:
            number = next(iter(self._idle))
            if len(self._idle) <= MOST_IDLE and now - self._idle[number][2] < IDLE_SECS:
                return
            stale.append(self._remove(number)[3])

    def _remove(self, number: int) -> tuple[_Key, float, float, HttpSession]:
        entry = self._idle.pop(number)
        numbers = self._by_key[entry[0]]
        numbers.remove(number)
        if not numbers:
            del self._by_key[entry[0]]
        return entry


def _key(target: Target, policy: HttpPolicy, owner: str) -> _Key:
    return (target.scheme, target.host, target.port, policy, owner)
