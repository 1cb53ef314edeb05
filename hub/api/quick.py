"""The quick door: what nearly every call is, one appeal as JSON without files or parameters, past the framework.

The same checks, answers, log line and figures as the documented route; measured, the layers before it cost more than
all the work behind it. Appeals are made into envelopes where they are read; those that are ready while a transaction is
under way share the next one (group commit): nobody waits for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from hub.api.appeals import JSON, QUICK_BYTES, READERS, ROUTE_PATH, accept, answer_of, submission_of
from hub.api.auth import CallerRole, Principal
from hub.api.bodies import read
from hub.api.problems import ProblemResponse, internal, problem_of
from hub.api.submission import idempotency_key, repeatable
from hub.api.threads import run_in_thread
from hub.cases.group_commit import MOST, WAIT_SECS
from hub.cases.intake import Intake
from hub.cases.submission import Accepted, Built
from hub.errors import Forbidden, HubError, Unavailable
from hub.failpoints import hit

if TYPE_CHECKING:
    from hub.api.dependencies import Dependencies

_JSON_TYPE = b"application/json"


def is_quick(scope: Scope) -> bool:
    """True if this call is for the quick door: any other method, type or parameter is for the documented route."""
    if scope["type"] != "http" or scope["path"] != ROUTE_PATH or scope["method"] != "POST" or scope["query_string"]:
        return False
    return [value for name, value in scope["headers"] if name == b"content-type"] == [_JSON_TYPE]


class SharedWrites:
    """Writes what callers of one event loop bring, together; one write at a time, in a thread of its own."""

    def __init__(self, write: Callable[[Sequence[Built]], Sequence[Accepted | HubError]]) -> None:
        self._write = write
        self._waiting: list[tuple[Built, asyncio.Future[Accepted]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub-intake")

    async def call(self, built: Built) -> Accepted:
        """Write it with others, and wait for the result. Raises what it is refused for; ``Unavailable`` after 30 s."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Accepted] = loop.create_future()
        self._waiting.append((built, result))
        if self._writer is None or self._writer.done():
            self._writer = loop.create_task(self._run(loop))
        timer = loop.call_later(WAIT_SECS, _give_up, result)
        try:
            return await result
        finally:
            timer.cancel()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                ended = await loop.run_in_executor(self._thread, self._write, [built for built, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever called must hear of it, and the next batch must go on
                for _, result in batch:
                    _settle(result, error)
            else:
                for (_, result), outcome in zip(batch, ended, strict=True):
                    _settle(result, outcome)


def _give_up(result: asyncio.Future[Accepted]) -> None:
    _settle(result, Unavailable("Writing takes too long now."))


def _settle(result: asyncio.Future[Accepted], outcome: Accepted | Exception) -> None:
    if result.done():
        return
    if isinstance(outcome, Exception):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)


class QuickDoor:
    """ASGI application for the calls that ``is_quick`` says are for it."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._intake: Intake = deps.hub.intake
        self._writes = SharedWrites(self._intake.write_each)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        scope["route"] = ROUTE
        try:
            response = answer_of(await self._submit(Request(scope, receive), scope))
        except HubError as error:
            response = ProblemResponse(problem_of(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours, told as the framework's layers would
            response = ProblemResponse(internal(error))
        await response(scope, receive, send)

    async def _submit(self, request: Request, scope: Scope) -> Accepted:
        deps = self._deps
        principal = await self._principal(request, scope)
        key = idempotency_key(request.headers)
        body = await read(request, deps.body_limit)
        hit("S1")
        if len(body) > QUICK_BYTES:
            return await run_in_thread(accept, deps, principal, JSON, body, key)
        submission = submission_of(READERS[JSON](body, deps.body_limit), principal)
        submission = replace(submission, repeatable=repeatable(principal.id, key, body))
        built = self._intake.build(submission)
        if built is None:  # it names things that the store must be asked for
            return await run_in_thread(self._intake.submit, submission)
        return await self._writes.call(built)

    async def _principal(self, request: Request, scope: Scope) -> Principal:
        auth = self._deps.auth
        credential = auth.credential(request.headers.get("authorization"))
        if auth.blocks(credential):
            principal = await run_in_thread(auth.check, credential)
        else:
            principal = auth.check(credential)
        scope["hub.principal"] = principal.id
        self._deps.threads.for_calls_of(principal, scope)
        if principal.role is not CallerRole.NCC:
            raise Forbidden("This call is for other roles.")
        return principal


class _Route:
    """Name of these calls in the log and the figures: that of the documented route."""

    path = ROUTE_PATH


ROUTE = _Route()
