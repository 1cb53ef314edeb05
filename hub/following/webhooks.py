"""Webhooks: each event of a party's cases brought to its endpoints, in order within a case, for days if need be.

An endpoint has a place in the feed and a queue. Events move from the feed into the queue, and out of it with a 2xx. Of
each case only the first waiting event may go, so a case's story is heard in order, and one event that is refused holds
up its own case only. An endpoint that fails is probed with one event at a time; one that says 410 is switched off and
the operators are told. The feed stays the truth: an endpoint may be put back to any place of it, and events that were
given up are kept until somebody lets them go again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from hub.following.ports import WebhookQueue
from hub.following.values import EndpointState, Queued
from hub.ports import Clock, Store
from hub.schemas.base import format_datetime
from hub.schemas.delivery import CaseRow, Change, Event, OperatorItem
from hub.schemas.ids import CaseId, new_id

SCHEDULE_SECS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Waits between attempts, as the specification proposes: over three days. Each is lengthened by up to a fifth."""
PAGE = 500
MOST_WAITING = 10_000
"""With so many waiting, the queue is filled no further: the feed keeps the rest."""
ROUND = 100
LEASE = timedelta(seconds=120)
BREAKER = 5
_OPEN_SECS = (5, 15, 60, 300)
_THROTTLED = frozenset({429, 502, 503, 504})
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events go. ``party``: whose cases, None = all. ``types``: which events, empty = all. ``body``: the party is
    an authority, and hears of its own part of cases only.
    """

    id: str
    party: str | None
    types: frozenset[str]
    body: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReply:
    """How an attempt ended. ``status``: None if there was no answer; ``code`` says what happened."""

    status: int | None
    code: str
    retry_after: float | None = None

    @property
    def arrived(self) -> bool:
        """True if the endpoint took it: any 2xx, nothing else."""
        return self.status is not None and 200 <= self.status < 300


Call: TypeAlias = Callable[[str, bytes], WebhookReply]
"""One attempt: id of the webhook and its body. Never raises for what the other side does."""


class Endpoints(Protocol):
    """The endpoints in force and how to talk to them."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints."""
        ...

    def open(self, endpoint: Endpoint) -> AbstractContextManager[Call]:
        """A conversation. ``ConfigurationError`` if a secret or certificate is missing."""
        ...


def webhook_id(cursor: str) -> str:
    """The event's id, the same at each attempt and for each endpoint; without a full stop, which would be signed."""
    txid, _, seq = cursor.partition(".")
    return f"evt_{int(txid)}_{int(seq)}"


def payload(event: Event) -> bytes:
    """The body of a webhook, as the specification shapes it: type, timestamp, data. No personal data stands in it."""
    data = {
        **event.data,
        "case_id": str(event.case_id),
        "cursor": event.cursor,
        "recorded_at": format_datetime(event.recorded_at),
    }
    document = {"type": event.type, "timestamp": format_datetime(event.at), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class WebhookSender:
    """Fills the queues and empties them. Any number of processes may run it: one works for an endpoint at a time.

    ``cases_of``: rows of cases, to see whose they are. ``own``: an event as a body may hear it. ``dice`` gives
    0 ≤ x < 1 for jitter. ``called`` hears of each attempt: endpoint and code.
    """

    def __init__(
        self,
        *,
        store: Store,
        queue: WebhookQueue,
        endpoints: Endpoints,
        cases_of: Callable[[Sequence[CaseId]], Mapping[CaseId, CaseRow]],
        clock: Clock,
        owner: str,
        dice: Callable[[], float],
        own: Callable[[Event, str], Event | None] = lambda _event, _body: None,
        called: Callable[[str, str], None] = lambda _endpoint, _code: None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._endpoints = endpoints
        self._cases_of = cases_of
        self._clock = clock
        self._owner = owner
        self._dice = dice
        self._own = own
        self._called = called

    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints."""
        return self._endpoints.endpoints()

    def run(self, endpoint: Endpoint) -> int:
        """One round for an endpoint: queue what is new, send what may go; how many attempts were made.

        Raises ``Unavailable``; ``ConfigurationError`` if the endpoint's secrets or certificates are missing.
        """
        now = self._clock.now()
        state = self._queue.acquire_endpoint(endpoint.id, owner=self._owner, now=now, lease_until=now + LEASE)
        if state is None or state.disabled_at is not None:
            return 0
        self._fill(endpoint, state)
        if state.open_until is not None and state.open_until > now:
            return 0
        heads = self._queue.heads(endpoint.id, now, 1 if state.failures >= BREAKER else ROUND)
        return self._send(endpoint, state, heads) if heads else 0

    def release(self, endpoint_id: str) -> int:
        """Let another process go on with this endpoint at once. Call it when no round runs. Raises ``Unavailable``."""
        self._queue.release_endpoint(endpoint_id, owner=self._owner)
        return 0

    def _fill(self, endpoint: Endpoint, state: EndpointState) -> None:
        cursor = state.cursor
        while self._queue.waiting(endpoint.id) < MOST_WAITING:
            events, end = self._page(endpoint, cursor)
            if end is None or end == cursor:
                return
            queued = [_queued(endpoint, event, self._clock.now()) for event in self._wanted(endpoint, events)]
            if not self._queue.fill(endpoint.id, queued, before=cursor, cursor=end):
                return  # somebody put it elsewhere in the feed; the next round begins there
            cursor = end

    def _page(self, endpoint: Endpoint, cursor: str | None) -> tuple[Sequence[Event], str | None]:
        """Events behind a cursor, of a body its own alone, and how far the feed is read with them."""
        if not endpoint.body:
            events = self._store.events(after=cursor, limit=PAGE)
            return events, events[-1].cursor if events else cursor
        newest = self._store.newest_event()  # asked before: what comes meanwhile stands behind it
        events = self._store.events(after=cursor, limit=PAGE, authority=endpoint.party)
        last = events[-1].cursor if events else cursor
        return events, last if len(events) == PAGE else max(filter(None, (last, newest)), default=None)

    def _wanted(self, endpoint: Endpoint, events: Sequence[Event]) -> list[Event]:
        of_type = [event for event in events if not endpoint.types or event.type in endpoint.types]
        if endpoint.party is None:
            return of_type
        if endpoint.body:
            own = (self._own(event, endpoint.party) for event in of_type)
            return [event for event in own if event is not None]
        rows = self._cases_of(list(dict.fromkeys(event.case_id for event in of_type)))
        return [e for e in of_type if e.case_id in rows and rows[e.case_id].case.owner == endpoint.party]

    def _send(self, endpoint: Endpoint, state: EndpointState, heads: Sequence[Queued]) -> int:
        began = self._clock.now()
        attempts = 0
        with self._endpoints.open(endpoint) as call:
            for queued in heads:
                reply = call(webhook_id(queued.cursor), queued.body)
                attempts += 1
                self._called(endpoint.id, reply.code)
                state = self._settle(state, queued, reply)
                # Half the lease is left for the last attempt: nobody else may begin before it has ended.
                tired = self._clock.now() - began > LEASE / 2
                if state.disabled_at or state.open_until or state.failures >= BREAKER or tired:
                    break
        return attempts

    def _settle(self, state: EndpointState, queued: Queued, reply: WebhookReply) -> EndpointState:
        now = self._clock.now()
        if reply.arrived:
            self._queue.settle([queued], [])
            return self._healthy(state)
        again = self._again(queued, reply, now)
        self._queue.settle([], [again])
        after = replace(state, failures=state.failures + 1)
        if reply.status == _GONE:
            after = replace(after, disabled_at=now, reason=reply.code)
            self._tell(queued, "webhook.gone", f"The endpoint {queued.endpoint} answered 410 Gone and is switched off.")
        elif again.next_at is None:
            self._tell(queued, "webhook.exhausted", f"The endpoint {queued.endpoint} did not take {queued.type}.")
        wait = self._throttle(after, reply)
        if wait:
            after = replace(after, open_until=now + timedelta(seconds=wait))
        self._queue.save_endpoint(after)
        return after

    def _healthy(self, state: EndpointState) -> EndpointState:
        if state.failures == 0 and state.open_until is None:
            return state
        well = replace(state, failures=0, open_until=None)
        self._queue.save_endpoint(well)
        return well

    def _again(self, queued: Queued, reply: WebhookReply, now: datetime) -> Queued:
        """The event with its next attempt; ``next_at`` is None once the schedule has ended."""
        next_at = None
        if queued.attempts < len(SCHEDULE_SECS) and reply.status != _GONE:
            wait = SCHEDULE_SECS[queued.attempts] * (1 + self._dice() / 5)
            next_at = now + timedelta(seconds=max(wait, reply.retry_after or 0))
        elif reply.status == _GONE:
            next_at = now  # it waits until the endpoint is switched on again
        return replace(
            queued,
            attempts=queued.attempts + 1,
            first_at=queued.first_at or now,
            next_at=next_at,
            last_code=reply.code,
        )

    @staticmethod
    def _throttle(state: EndpointState, reply: WebhookReply) -> float:
        """Seconds for which the endpoint is left alone: as it asks, or longer with each failure in a row."""
        if reply.status in _THROTTLED and reply.retry_after:
            return reply.retry_after
        if state.failures < BREAKER:
            return 0
        return _OPEN_SECS[min(state.failures - BREAKER, len(_OPEN_SECS) - 1)]

    def _tell(self, queued: Queued, reason: str, detail: str) -> None:
        item = OperatorItem(
            id=str(new_id()), case_id=queued.case_id, reason=reason, detail=detail, opened_at=self._clock.now()
        )
        self._store.apply(Change(items=(item,)))


def _queued(endpoint: Endpoint, event: Event, now: datetime) -> Queued:
    return Queued(
        endpoint=endpoint.id,
        cursor=event.cursor,
        case_id=event.case_id,
        type=event.type,
        body=payload(event),
        next_at=now,
    )
