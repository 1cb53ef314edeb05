"""Events: one per new fact, in the order of commit, with a cursor; by question, long poll or server-sent events."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hub.api.access import PEOPLE
from hub.api.auth import CallerRole, Principal
from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, problems, show
from hub.api.shares import Held
from hub.api.threads import run_in_thread
from hub.api.views import EventsView, EventView
from hub.errors import InvalidInput, NotFound
from hub.failpoints import hit
from hub.ports import Store
from hub.schemas.delivery import Event
from hub.schemas.ids import CaseId
from hub.tracking.share import own_event

router = APIRouter(tags=["events"])

MAX_WAIT_SECS = 30
LOOK_SECS = 0.2
SCAN_PAGES = 10
"""How many pages of other parties' events one look may pass over; the cursor keeps the place."""
REMEMBERED = 50_000
PAGE = 100
NEWS = 1_000
STREAM_SECS = 600.0
BEAT_SECS = 15.0
NOW: Final = "now"
"""Named cursor: behind all that the hub has until now."""
START: Final = "start"
"""Named cursor: before the first event that is still given out, as without a cursor."""
_CURSOR = re.compile(r"[0-9A-Za-z._:-]{1,64}", re.ASCII)


class Owners:
    """Owners of cases (who submitted them); they never change, so they are remembered. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: OrderedDict[CaseId, str] = OrderedDict()

    def of(self, case: CaseId) -> str | None:
        """The owner of a case; None if there is no such case."""
        with self._lock:
            if case in self._known:
                return self._known[case]
        row = self._store.case(case)
        if row is None:
            return None
        with self._lock:
            self._known[case] = row.case.owner
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return row.case.owner


_BEGIN_ANEW = "Begin without a cursor, and compare your cases with GET /v1/cases."


class Tail:
    """End of the feed, shared by all who wait: a thousand of them cost one question in 200 ms. For bodies it also
    keeps about whom the latest events are, so that a body that waits does not read whenever another has something new.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._end = ""
        self._looked = 0.0
        self._busy = asyncio.Lock()
        self._bodies: dict[str, str] = {}
        self._known: tuple[str, str] | None = None
        """From where to where ``_bodies`` knows the last event about each body."""
        self._counted = 0.0

    def note(self, cursor: str | None) -> None:
        """Somebody has read up to here: whoever waits behind need not ask."""
        self._end = max(self._end, cursor or "")

    async def beyond(self, cursor: str | None, body: str | None = None) -> bool:
        """True if there is anything after a cursor, for a body about itself; asks the store at most once in 200 ms."""
        here = cursor or ""
        if body is not None:
            return await self._beyond(here, body)
        if here < self._end:
            return True
        async with self._busy:
            now = asyncio.get_running_loop().time()
            if here >= self._end and now - self._looked >= LOOK_SECS:
                # Everybody who waits stands at the end; the first one's cursor is as good as any.
                found = await run_in_thread(self._store.events, after=here or None, limit=1)
                self._looked = asyncio.get_running_loop().time()
                if found:
                    self._end = found[0].cursor
        return here < self._end

    async def _beyond(self, here: str, body: str) -> bool:
        async with self._busy:
            loop = asyncio.get_running_loop()
            if self._known is None or loop.time() - self._counted >= LOOK_SECS:
                self._known = await run_in_thread(self._read_on, self._known)
                self._counted = loop.time()
        return here < self._known[0] or here < self._bodies.get(body, "")

    def _read_on(self, known: tuple[str, str] | None) -> tuple[str, str]:
        """Read what is new; where that is too much, begin anew at the end: whoever stands before it reads himself."""
        if known is not None:
            events = self._store.events(after=known[1] or None, limit=NEWS)
            if len(events) < NEWS:
                for event in events:
                    if about := event.data.get("authority"):
                        self._bodies[about] = event.cursor
                return known[0], events[-1].cursor if events else known[1]
        newest = self._store.newest_event() or ""
        self._bodies.clear()
        return newest, newest


def _begin(deps: Dependencies, after: str | None) -> str | None:
    """Where reading begins: at the first event that is still given out, behind the cursor, or behind all until now.

    ``NotFound`` (410) for a cursor before that, and for one that names no event of this store, as after a backup was
    put back: what lies between would be missed in silence.
    """
    floor = deps.hub.following.pruning.floor()
    if after is None or after == START:
        return floor
    if after == NOW:
        return max(filter(None, (floor, deps.hub.store.newest_event())), default=None)
    if floor is None:
        return _known(deps, after)
    if after < floor:
        raise NotFound(
            "Events after this cursor are not given out any more.",
            code="cursor.expired",
            action=_BEGIN_ANEW,
        )
    return _known(deps, after) if after != floor else after


def _known(deps: Dependencies, cursor: str) -> str:
    """The cursor, if an event has it."""
    found = deps.hub.store.events(after=_before(cursor), limit=1)
    if not found or found[0].cursor != cursor:
        raise NotFound(
            "No event has this cursor any more: the store was put back to an earlier state.",
            code="cursor.unknown",
            action=_BEGIN_ANEW,
        )
    return cursor


def _before(cursor: str) -> str:
    """The cursor before one, whether or not an event has it. What is no cursor is left for the store to refuse."""
    place, _, number = cursor.rpartition(".")
    if not (number.isascii() and number.isdecimal() and int(number)):
        return cursor
    return f"{place}.{int(number) - 1:0{len(number)}d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Events, and the place behind them; None before the first event of all."""

    events: tuple[EventView, ...] = ()
    place: str | None

    @property
    def cursor(self) -> str:
        """The place, as it is given out."""
        return self.place or START

    def shown(self) -> Response:
        """The page as an answer."""
        return show(EventsView(events=self.events, cursor=self.cursor))


def _page(deps: Dependencies, owners: Owners, principal: Principal, after: str | None, limit: int) -> _Page:
    store = deps.hub.store
    body = _body_of(principal)
    # Asked before: what comes meanwhile stands behind it. A body's own events are few among those of all others.
    end = store.newest_event() if body is not None else None
    found: list[Event] = []
    cursor = after
    for _ in range(SCAN_PAGES):
        events = store.events(after=cursor, limit=limit, authority=body)
        for event in events:
            heard = _heard(owners, principal, event)
            if heard is not None:
                found.append(heard)
            cursor = event.cursor
            if len(found) == limit:
                break
        if len(found) == limit:
            break
        if len(events) < limit:
            cursor = max(filter(None, (cursor, end)), default=None)
            break
    return _Page(events=tuple(EventView.of(event) for event in found), place=cursor)


def _body_of(principal: Principal) -> str | None:
    """The body whose own events alone the caller hears; None for others."""
    return principal.party if principal.role is CallerRole.AUTHORITY else None


def _heard(owners: Owners, principal: Principal, event: Event) -> Event | None:
    """The event as the caller may hear it; none if it does not concern it."""
    if principal.role is CallerRole.AUTHORITY:
        return own_event(event, principal.party)
    mine = principal.role in PEOPLE or owners.of(event.case_id) == principal.party
    return event if mine else None


After = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9A-Za-z._:-]{1,64}$",
        description="The cursor of the answer before; `now`: only what comes from now on; `start` or absent: from the "
        "first event that is still given out.",
    ),
]
EventsAt = Annotated[int, Query(ge=1, le=500, description="How many at most.")]


@router.get(
    "/v1/events",
    response_model=EventsView,
    responses=problems(401, 403, 410, 422, 429, 500, 503),
    summary="What happened since",
)
async def get_events(
    request: Request,
    principal: TheCaller,
    deps: TheDependencies,
    after: After = None,
    limit: EventsAt = 100,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT_SECS, description="Seconds to wait for an event.")] = 0,
) -> Response:
    """Events after a cursor; with `wait` the answer comes as soon as there is one. The contact centre gets the events
    of its own cases, a body those of its own part of cases that were sent to it. Events of the last 90 days (setting
    `events_days`) can be read again. `after=now` tells the cursor behind all that there is, and no event (with `wait`:
    the next one).
    """
    owners, tail = request.app.state.owners, request.app.state.tail
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    with deps.shares.hold(Held.WAITS, principal, request.scope) if wait else nullcontext():
        named, after = after, await run_in_thread(_begin, deps, after)
        if named == NOW and not wait:
            return _Page(place=after).shown()
        while True:
            if after is not None:
                hit("S17")
            page = await run_in_thread(_page, deps, owners, principal, after, limit)
            tail.note(page.place)
            if page.events:
                hit("S16")
            if page.events or loop.time() >= deadline:
                return page.shown()
            after = page.place
            # No thread is held between two looks: a thousand waiting front ends cost a thousand timers.
            while not await tail.beyond(after, _body_of(principal)):
                left = deadline - loop.time()
                if left <= 0 or await request.is_disconnected():
                    return page.shown()
                await asyncio.sleep(min(LOOK_SECS, left))


def _sent(event: EventView) -> bytes:
    data = event.model_dump_json()
    return f"id: {event.cursor}\nevent: {event.type}\ndata: {data}\n\n".encode()


class HeldStream(StreamingResponse):
    """A stream that holds its share until it is over, begun or not."""

    def __init__(self, lines: AsyncIterator[bytes], held: ExitStack) -> None:
        super().__init__(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._held:
            await super().__call__(scope, receive, send)


@router.get(
    "/v1/events/stream",
    response_class=Response,
    responses={
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(401, 403, 410, 422, 429, 500, 503),
    },
    summary="What happens, as it happens",
)
async def stream_events(request: Request, principal: TheCaller, deps: TheDependencies, after: After = None) -> Response:
    """The same events as server-sent events: `id` is the cursor, `event` the type, `data` the event. A browser's
    EventSource goes on by itself after a break (`Last-Event-ID`), also if it began with `after=now` and heard nothing
    yet. The stream ends after ten minutes; then call again.
    """
    given = request.headers.get("last-event-id") or after
    if given is not None and not _CURSOR.fullmatch(given):
        raise InvalidInput("This is not a cursor that the hub gave out.", code="cursor.invalid")
    with ExitStack() as stack:
        stack.enter_context(deps.shares.hold(Held.STREAMS, principal, request.scope))
        begin = await run_in_thread(_begin, deps, given)
        first = await run_in_thread(_page, deps, request.app.state.owners, principal, begin, PAGE)
        lines = _lines(request, principal, deps, first, begin or START)
        return HeldStream(lines, stack.pop_all())


async def _lines(
    request: Request, principal: Principal, deps: Dependencies, page: _Page, begin: str
) -> AsyncIterator[bytes]:
    """The stream: the place where it begins, pages while there are some, a sign of life every 15 s."""
    owners, tail = request.app.state.owners, request.app.state.tail
    loop = asyncio.get_running_loop()
    ends, spoken = loop.time() + STREAM_SECS, loop.time()
    # An event without data moves the client's Last-Event-ID and is not shown to it.
    yield f"retry: 2000\nid: {begin}\n\n".encode()
    while loop.time() < ends:
        for event in page.events:
            yield _sent(event)
        after = page.place
        tail.note(after)
        while not await tail.beyond(after, _body_of(principal)):
            if loop.time() >= ends or await request.is_disconnected():
                return
            if loop.time() - spoken >= BEAT_SECS:
                spoken = loop.time()
                yield f": alive\nid: {page.cursor}\n\n".encode()
            await asyncio.sleep(LOOK_SECS)
        page = await run_in_thread(_page, deps, owners, principal, after, PAGE)
