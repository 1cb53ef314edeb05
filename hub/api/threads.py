"""Threads of the doors, apart for each side, so that no authority takes those of the contact centre.

An authority has four at once, all of them together 24; its next call waits for its own. What costs much (a body of more
than 64 KiB to be read) runs one at a time for each authority, and two at a time for all of them: Python's threads share
one interpreter, and what they compute is taken from everybody. So an authority that made the hub compute waits with its
next large body until that is a twentieth of the time gone by, ten seconds at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from hub.api.auth import Principal
from hub.api.shares import Side, caller_of, side_of, tell
from hub.errors import ShareTaken

SIDE_THREADS: Final = {Side.CENTRE: 40, Side.AUTHORITIES: 24}
EACH_THREADS: Final = 4
HEAVY_BYTES: Final = 65_536
HEAVY_AT_ONCE: Final = 2
HEAVY_WAITING: Final = 8
"""Large bodies of one authority in memory at once; one more is refused (``share.taken``)."""
BODIES: Final = "bodies"
"""Name of that share."""
REST_TIMES: Final = 19.0
"""So many times as long as its last large body was computed on, an authority's next one waits."""
LONGEST_REST_SECS: Final = 10.0

P = ParamSpec("P")
T = TypeVar("T")


class _Turns:
    """Limiters by name, made when needed and forgotten when nobody holds or awaits one."""

    def __init__(self, each: int, most: int | None = None) -> None:
        """``each``: at work at once; ``most``: at work or waiting, none = any number."""
        self._each = each
        self._most = most
        self._kept: dict[str, tuple[anyio.CapacityLimiter, int]] = {}

    def left(self, name: str) -> int:
        """How many more may wait behind the next one; below zero: that one is refused."""
        users = self._kept[name][1] if name in self._kept else 0
        return 0 if self._most is None else self._most - users - 1

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        limiter, users = self._kept.get(name) or (anyio.CapacityLimiter(self._each), 0)
        if self._most is not None and users >= self._most:
            raise ShareTaken(f"{users} large bodies of yours wait to be read.", retry_after=LONGEST_REST_SECS)
        self._kept[name] = (limiter, users + 1)
        try:
            async with limiter:
                yield
        finally:
            limiter, users = self._kept[name]
            if users == 1:
                del self._kept[name]
            else:
                self._kept[name] = (limiter, users - 1)


class Threads:
    """Threads of one process, for its one event loop."""

    def __init__(self) -> None:
        self._sides = {side: anyio.CapacityLimiter(count) for side, count in SIDE_THREADS.items()}
        self._each = _Turns(EACH_THREADS)
        self._heavy_each = _Turns(1, HEAVY_WAITING)
        self._rests: dict[str, float] = {}
        self._heavy = anyio.CapacityLimiter(HEAVY_AT_ONCE)

    def for_calls_of(self, principal: Principal, scope: MutableMapping[str, Any] | None = None) -> None:
        """Note who calls: what the call does runs in threads of its side. ``scope``: the call's, to tell its share."""
        _CALLER.set((self, principal, {} if scope is None else scope))

    async def run(self, principal: Principal, work: Callable[[], T]) -> T:
        """Run ``work``; who has its threads at work already waits."""
        side = side_of(principal)
        if side is Side.CENTRE:
            return await anyio.to_thread.run_sync(work, limiter=self._sides[side])
        async with self._each.turn(caller_of(principal)):
            return await anyio.to_thread.run_sync(work, limiter=self._sides[side])

    async def run_heavy(self, principal: Principal, scope: MutableMapping[str, Any], work: Callable[[], T]) -> T:
        """Run ``work`` that costs much. ``ShareTaken`` if too much of this caller waits already."""
        if side_of(principal) is Side.CENTRE:
            return await self.run(principal, work)
        name, now = caller_of(principal), asyncio.get_running_loop().time
        tell(scope, BODIES, HEAVY_WAITING, self._heavy_each.left(name))
        async with self._heavy_each.turn(name):
            await asyncio.sleep(self._rests.pop(name, 0.0) - now())
            async with self._heavy:
                computed = [0.0]
                try:
                    return await self.run(principal, partial(_counted, work, computed))
                finally:
                    self._rests[name] = now() + min(computed[0] * REST_TIMES, LONGEST_REST_SECS)
                    self._rests = {each: until for each, until in self._rests.items() if until > now()}


def _counted(work: Callable[[], T], computed: list[float]) -> T:
    """Do it; ``computed``: takes the CPU seconds of this thread."""
    before = time.thread_time()
    try:
        return work()
    finally:
        computed[0] = time.thread_time() - before


_CALLER: ContextVar[tuple[Threads, Principal, MutableMapping[str, Any]] | None] = ContextVar("hub_caller", default=None)


async def run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what may block in a thread of the caller's side; who has its threads at work already waits."""
    return await parse_in_thread(0, work, *args, **kwargs)


async def parse_in_thread(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what reads a body of ``size`` bytes in a thread; of large ones one at a time for each authority.
    ``ShareTaken`` (``Threads.run_heavy``).
    """
    caller = _CALLER.get()
    if caller is None:
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs))
    threads, principal, scope = caller
    if size > HEAVY_BYTES:
        return await threads.run_heavy(principal, scope, lambda: work(*args, **kwargs))
    return await threads.run(principal, lambda: work(*args, **kwargs))
