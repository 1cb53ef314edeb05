"""Events: one per new fact, in the order of commit, with a cursor and a long poll."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hub.api.auth import CallerRole, Principal
from hub.api.doors import Doors, NccOrOperator, TheDoors, problems, show
from hub.api.views import EventsView, EventView
from hub.failpoints import hit
from hub.ports import Store
from hub.schemas.delivery import Event
from hub.schemas.ids import CaseId

router = APIRouter(tags=["events"])

MAX_WAIT_SECS = 30
LOOK_SECS = 0.2
SCAN_PAGES = 10
"""How many pages of other parties' events one look may pass over; the cursor keeps the place."""
REMEMBERED = 50_000


class Owners:
    """Who submitted a case; that never changes, so it is remembered. Thread-safe."""

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


def _page(doors: Doors, owners: Owners, principal: Principal, after: str | None, limit: int) -> EventsView:
    found: list[Event] = []
    cursor = after
    for _ in range(SCAN_PAGES):
        events = doors.hub.store.events(after=cursor, limit=limit)
        for event in events:
            mine = principal.role is CallerRole.OPERATOR or owners.of(event.case_id) == principal.party
            if mine:
                found.append(event)
            cursor = event.cursor
            if len(found) == limit:
                break
        if len(found) == limit or len(events) < limit:
            break
    return EventsView(events=tuple(EventView.of(event) for event in found), cursor=cursor)


@router.get(
    "/v1/events",
    response_model=EventsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What happened since",
)
async def get_events(
    request: Request,
    principal: NccOrOperator,
    doors: TheDoors,
    after: Annotated[
        str | None, Query(pattern=r"^[0-9A-Za-z._:-]{1,64}$", description="The cursor of the answer before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT_SECS, description="Seconds to wait for an event.")] = 0,
) -> Response:
    """Events after a cursor; with `wait` the answer comes as soon as there is one. The contact centre gets the events
    of its own cases.
    """
    owners = request.app.state.owners
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        if after is not None:
            hit("S17")
        page = await run_in_threadpool(_page, doors, owners, principal, after, limit)
        if page.events:
            hit("S16")
        left = deadline - loop.time()
        if page.events or left <= 0 or await request.is_disconnected():
            return show(page)
        after = page.cursor
        # No thread is held between two looks: a thousand waiting front ends cost a thousand timers.
        await asyncio.sleep(min(LOOK_SECS, left))
