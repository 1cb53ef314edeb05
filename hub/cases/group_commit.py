"""Group commit: calls that come while a transaction is under way share the next one.

A commit costs a flush of the disk whatever it holds. Nobody waits for company: the first call goes at once, and those
that come meanwhile go together. A call that breaks a shared transaction is tried alone, so no caller pays for another.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from hub.delivery.together import together_else_each
from hub.errors import Unavailable

A = TypeVar("A")
R = TypeVar("R")
MOST = 50
WAIT_SECS = 30.0
WRITERS = 1
"""Two were tried: smaller batches cost more than waiting for the disk did."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[A, R]):
    argument: A
    result: Future[R]


class GroupCommit(Generic[A, R]):
    """Runs ``together`` for the arguments of many callers. Its threads are made at the first call."""

    def __init__(self, name: str, together: Callable[[Sequence[A]], Sequence[R]]) -> None:
        self._name = name
        self._together = together
        self._queue: queue.SimpleQueue[_Call[A, R]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def call(self, argument: A) -> R:
        """The result for this argument. Raises what ``together`` raises for it, ``Unavailable`` after 30 s."""
        try:
            return self.later(argument).result(WAIT_SECS)
        except TimeoutError:
            raise Unavailable("Writing takes too long now.") from None

    def later(self, argument: A) -> Future[R]:
        """The result for this argument, as soon as it is there; for callers that must not block."""
        if not self._threads:
            self._begin()
        made: _Call[A, R] = _Call(argument, Future())
        self._queue.put(made)
        return made.result

    def _begin(self) -> None:
        with self._lock:
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True)
                    for number in range(WRITERS)
                ]
                for thread in self._threads:
                    thread.start()

    def _run(self) -> None:
        while True:
            calls = [self._queue.get()]
            while len(calls) < MOST:
                try:
                    calls.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            self._answer(calls)

    def _answer(self, calls: list[_Call[A, R]]) -> None:
        def answered(some: Sequence[_Call[A, R]]) -> Sequence[None]:
            for call, result in zip(some, self._together([call.argument for call in some]), strict=True):
                call.result.set_result(result)
            return ()

        try:
            together_else_each(calls, answered, lambda call, error: call.result.set_exception(error))
        except BaseException as error:  # noqa: BLE001 - whoever called must hear of it, and the thread must live on
            for call in calls:
                if not call.result.done():
                    call.result.set_exception(error)
