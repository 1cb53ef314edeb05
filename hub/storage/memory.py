"""The store's twin in memory: dicts and one lock. For tests and tries; it keeps nothing when the process ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from hub.errors import NotFound
from hub.ports import CaseFilter, CaseGrouping, InboundFilter
from hub.schemas.delivery import (
    ARRIVED,
    Applied,
    Attempt,
    CaseRow,
    Change,
    Claim,
    Comparison,
    Delivery,
    Direction,
    Event,
    Fact,
    LaneDue,
    LaneState,
    Message,
    NewCase,
    Note,
    OperatorItem,
    StoredAnswer,
    StoredAttachment,
    TransportState,
    Unheard,
)
from hub.schemas.ids import AttemptId, CaseId, DeliveryId, MessageId, NoteId, territory_prefix
from hub.schemas.journal import InboundRecord
from hub.schemas.terms import Kind
from hub.storage import rules
from hub.storage.memory_journal import decided, matches
from hub.storage.memory_listening import MemoryListening
from hub.storage.rules import urgency, utc_now
from hub.tracking.law import Law, shipped
from hub.tracking.share import OwnPart, own_part

V = TypeVar("V")


class MemoryStore(MemoryListening):
    """``Store`` without a disk. Safe to use from many threads."""

    def __init__(self, now: Callable[[], datetime] = utc_now, law: Law | None = None) -> None:
        self._now = now
        self._law = law or shipped()
        self._lock = threading.RLock()
        self._cases: dict[CaseId, NewCase] = {}
        self._rows: dict[CaseId, CaseRow] = {}
        self._facts: dict[CaseId, dict[str, Fact]] = {}
        self._messages: dict[MessageId, Message] = {}
        self._deliveries: dict[DeliveryId, Delivery] = {}
        self._attempts: dict[AttemptId, Attempt] = {}
        self._heard: dict[AttemptId, bytes] = {}
        self._notes: dict[NoteId, Note] = {}
        self._events: list[Event] = []
        self._items: dict[str, OperatorItem] = {}
        self._inbound: dict[str, InboundRecord] = {}
        self._bodies: dict[str, bytes] = {}
        self._answers: dict[tuple[str, str], StoredAnswer] = {}
        self._attachments: dict[str, StoredAttachment] = {}
        self._grants: set[tuple[str, str]] = set()
        self._lanes: dict[str, LaneState] = {}
        self._unheard: dict[str, Unheard] = {}
        self._collects: dict[str, datetime] = {}
        self._bookmarks: dict[str, str] = {}
        self._numbers: Counter[tuple[str, int]] = Counter()
        self._numbered: dict[tuple[str, str | None], CaseId] = {}

    def close(self) -> None:
        """Nothing to give back."""

    def apply(self, change: Change) -> Applied:
        """Write all of it, or nothing."""
        with self._lock:
            self._check(change)
            for answer in change.answers:
                self._answers.setdefault((answer.principal, answer.key), answer)
            _add(self._cases, change.cases)
            self._numbered.update(((c.owner, c.case_number), c.id) for c in change.cases if c.case_number)
            _add(self._messages, change.messages)
            _add(self._deliveries, change.deliveries)
            after, lost = rules.merged(self._deliveries, change.updates)
            self._deliveries.update(after)
            _add(self._attempts, change.attempts)
            self._end_attempts(change)
            new_facts = self._write_facts(change)
            self._open_items(change.items)
            self._journal(change)
            _add(self._notes, change.notes)
            for stored in change.attachments:
                self._attachments.setdefault(stored.sha256, stored)
            for throttle in change.throttles:
                lane = self.lane(throttle.channel_id)
                self._lanes[throttle.channel_id] = replace(lane, rest_until=throttle.rest_until)
            self._grants.update((grant.sha256, grant.party) for grant in change.grants)
            return Applied(new_facts=new_facts, lost=lost)

    def _check(self, change: Change) -> None:
        """Raise what the change must be refused for, before anything is written."""
        rules.check_answers(change.answers)
        for answer in change.answers:
            rules.check_same_answer(self._answers.get((answer.principal, answer.key), answer), answer)
        for case in change.cases:
            rules.check_same_case(self._cases.get(case.id, case), case)
            if self._numbered.get((case.owner, case.case_number), case.id) != case.id:
                raise rules.number_taken()
        seen: dict[MessageId, Message] = {}
        for message in change.messages:
            first = self._messages.get(message.id) or seen.setdefault(message.id, message)
            rules.check_same_message(first.sha256, message)
        for decision in change.decisions:
            record = self._inbound.get(decision.seen.id)
            if record is None or not decision.holds_for(record):
                raise rules.decided_meanwhile()
        cases = self._cases.keys() | {case.id for case in change.cases}
        deliveries = self._deliveries.keys() | {delivery.id for delivery in change.deliveries}
        messages = self._messages.keys() | seen.keys()
        named = [*(m.case_id for m in change.messages), *(f.case_id for f in change.facts)]
        named += [*(i.case_id for i in change.items), *(d.case_id for d in change.deliveries)]
        named += [n.case_id for n in change.notes]
        known = (
            cases.issuperset(named)
            and messages.issuperset(d.message_id for d in change.deliveries)
            and deliveries.issuperset(a.delivery_id for a in change.attempts)
        )
        if not known:
            raise NotFound(
                "The change names a case, message or delivery that is not there.", code="store.unknown_parent"
            )

    def _end_attempts(self, change: Change) -> None:
        for end in change.attempt_ends:
            attempt = self._attempts.get(end.id)
            if attempt is not None and attempt.finished_at is None:
                self._attempts[end.id] = replace(
                    attempt,
                    finished_at=end.finished_at,
                    outcome=end.outcome,
                    code=end.code,
                    http_status=end.http_status,
                    detail=end.detail,
                )
                if end.answer is not None:
                    self._heard[end.id] = end.answer

    def _write_facts(self, change: Change) -> tuple[Fact, ...]:
        recorded_at = self._now()
        fresh: list[Fact] = []
        grouped = rules.facts_by_case(change.facts)
        for case_id in dict.fromkeys((*grouped, *(case.id for case in change.cases))):
            known = self._facts.setdefault(case_id, {})
            new = [fact for key, fact in grouped.get(case_id, {}).items() if key not in known]
            known.update((fact.key, fact) for fact in new)
            if new or case_id not in self._rows:
                self._rows[case_id] = rules.case_row(self._cases[case_id], known.values(), self._law)
            fresh += new
        for fact in fresh:
            cursor = rules.cursor_text(0, len(self._events) + 1)
            state = self._rows[fact.case_id].state
            self._events.append(rules.event(fact, state=state, recorded_at=recorded_at, cursor=cursor))
        return tuple(fresh)

    def _open_items(self, items: Iterable[OperatorItem]) -> None:
        for item in sorted(items, key=attrgetter("id")):
            waiting = {rules.item_subject(known) for known in self._items.values() if known.closed_at is None}
            if item.closed_at is not None or rules.item_subject(item) not in waiting:
                self._items.setdefault(item.id, item)

    def claim(
        self,
        limits: Mapping[str, int],
        *,
        now: datetime,
        begin: Callable[[Sequence[Claim], Mapping[str, LaneState]], Change],
    ) -> Applied:
        """Look at what is due and write what ``begin`` makes of it."""
        with self._lock:
            found: list[Delivery] = []
            for channel_id, limit in limits.items():
                lane = [d for d in self._deliveries.values() if d.channel_id == channel_id]
                due = [d for d in lane if _has_come(rules.due_at(d), now)]
                due.sort(key=lambda d: (-d.priority, rules.due_at(d), d.id))
                found += due[: max(limit, 0)]
            if not found:
                return Applied()
            claims = [Claim(delivery=d, body=self._messages[d.message_id].body) for d in sorted(found, key=urgency)]
            return self.apply(begin(claims, dict(self._lanes)))

    def claim_polls(self, channel_id: str, *, now: datetime, next_at: datetime, limit: int) -> tuple[Delivery, ...]:
        """Deliveries to be asked about now; moved on to ``next_at``."""
        with self._lock:
            due = [d for d in self._deliveries.values() if d.channel_id == channel_id and _has_come(d.poll_at, now)]
            due.sort(key=lambda d: (d.poll_at, d.id))
            taken = sorted((replace(d, poll_at=next_at) for d in due[: max(limit, 0)]), key=attrgetter("id"))
            self._deliveries.update((d.id, d) for d in taken)
            return tuple(taken)

    def claim_collect(self, channel_id: str, *, now: datetime, until: datetime) -> bool:
        """True if the caller may collect now; nobody else may before ``until``."""
        with self._lock:
            if channel_id in self._collects and self._collects[channel_id] > now:
                return False
            self._collects[channel_id] = until
            return True

    def plan_collect(self, channel_id: str, at: datetime, *, heard_at: datetime | None = None) -> None:  # noqa: ARG002
        """When to collect over this channel next. When it went well is read by alarms, which need a database."""
        with self._lock:
            self._collects[channel_id] = at

    def save_progress(self, delivery_id: DeliveryId, progress: str, *, owner: str) -> bool:
        """Note how far a delivery of several calls has come, while its lease holds."""
        with self._lock:
            delivery = self._deliveries.get(delivery_id)
            if delivery is None or delivery.lease_owner != owner:
                return False
            self._deliveries[delivery_id] = replace(delivery, progress=progress)
            return True

    def bookmark(self, channel_id: str) -> str | None:
        """Where a list was read to over this channel."""
        with self._lock:
            return self._bookmarks.get(channel_id)

    def save_bookmark(self, channel_id: str, bookmark: str) -> None:
        """Keep where a list was read to."""
        with self._lock:
            if channel_id in self._collects:
                self._bookmarks[channel_id] = bookmark

    def collects_later(self, now: datetime) -> frozenset[str]:
        """Channels over which it is not yet time to collect."""
        with self._lock:
            return frozenset(channel_id for channel_id, at in self._collects.items() if at > now)

    def due_lanes(self, now: datetime, limit: int = 10_000) -> tuple[LaneDue, ...]:
        """Lanes with work now, by channel id."""
        with self._lock:
            sends = Counter(d.channel_id for d in self._deliveries.values() if _has_come(rules.due_at(d), now))
            polls = Counter(d.channel_id for d in self._deliveries.values() if _has_come(d.poll_at, now))
            states = [self.lane(channel_id) for channel_id in sorted(sends.keys() | polls.keys())]
            return tuple(
                LaneDue(
                    channel_id=state.channel_id,
                    sends=sends[state.channel_id],
                    polls=polls[state.channel_id],
                    suspect=state.suspect,
                )
                for state in states
                if state.may_run(now)
            )[:limit]

    def waiting(self) -> Mapping[str, int]:
        """Deliveries that are still to go out, by channel."""
        with self._lock:
            return Counter(d.channel_id for d in self._deliveries.values() if rules.due_at(d) is not None)

    def lane(self, channel_id: str) -> LaneState:
        """State of a lane; a fresh one if nothing is known."""
        with self._lock:
            return self._lanes.get(channel_id, LaneState(channel_id=channel_id))

    def lane_states(self, channel_ids: Sequence[str]) -> Mapping[str, LaneState]:
        """States of those lanes that have one."""
        with self._lock:
            return {channel_id: self._lanes[channel_id] for channel_id in channel_ids if channel_id in self._lanes}

    def save_lane(self, state: LaneState) -> None:
        """Keep a lane's health; a pause that an operator made meanwhile stays."""
        with self._lock:
            kept = self.lane(state.channel_id)
            self._lanes[state.channel_id] = replace(state, paused=kept.paused, rest_until=kept.rest_until)

    def pause_lane(self, channel_id: str, *, paused: bool) -> LaneState:
        """Pause a lane, or let it run again with a closed breaker."""
        with self._lock:
            kept = self.lane(channel_id) if paused else LaneState(channel_id=channel_id)
            self._lanes[channel_id] = replace(kept, paused=paused)
            return self._lanes[channel_id]

    def lanes(self) -> tuple[LaneState, ...]:
        """All lanes with a known state, by channel id."""
        return self._sorted(self._lanes, lambda _: True, "channel_id")

    def release(self, owner_prefix: str) -> int:
        """End the leases of owners that are surely gone."""
        with self._lock:
            gone = [
                d
                for d in self._deliveries.values()
                if d.state is TransportState.SENDING and d.lease_owner and d.lease_owner.startswith(owner_prefix)
            ]
            for d in gone:
                self._deliveries[d.id] = replace(
                    d, state=TransportState.UNKNOWN, lease_owner=None, lease_until=None, next_at=self._now()
                )
            return len(gone)

    def case(self, case_id: CaseId) -> CaseRow | None:
        """One case."""
        with self._lock:
            return self._rows.get(case_id)

    def cases(self, where: CaseFilter, *, after: str | None, limit: int, newest: bool = False) -> tuple[CaseRow, ...]:
        """Cases in order of arrival, or the newest first."""
        seen = rules.case_place(after)
        with self._lock:
            found = [row for row in self._rows.values() if self._matches(row, where)]
        found.sort(key=_arrival, reverse=newest)
        if seen is not None:
            found = [row for row in found if (_arrival(row) < seen if newest else _arrival(row) > seen)]
        return tuple(found[:limit])

    def take_numbers(self, owner: str, year: int, count: int) -> int:
        """Take numbers in a row; the first of them."""
        with self._lock:
            first = self._numbers[owner, year] + 1
            self._numbers[owner, year] += count
            return first

    def count_cases(self, where: CaseFilter, by: CaseGrouping = CaseGrouping.STATE) -> Mapping[str, int]:
        """Number of cases by one of their columns."""
        with self._lock:
            found = [row for row in self._rows.values() if self._matches(row, where)]
            if where.sent_to is not None and by is CaseGrouping.STATE:
                return Counter(self._part(row, where.sent_to).state for row in found)
            if where.sent_to is not None and by is CaseGrouping.AUTHORITY:
                return Counter(where.sent_to for _ in found)
            return Counter(_grouped(row, by) for row in found)

    def _part(self, row: CaseRow, body: str) -> OwnPart:
        return own_part(row.case.channel, self._facts[row.case.id].values(), body, self._law)

    def _is_own(self, row: CaseRow, where: CaseFilter, body: str) -> bool:
        """True if the case came to the body, and its part of it is as asked."""
        mine = (d for d in self._deliveries.values() if d.case_id == row.case.id and d.authority == body)
        if not any(d.state in ARRIVED for d in mine):
            return False
        part = self._part(row, body)
        late = where.overdue_at is None or (part.due_at is not None and part.due_at < where.overdue_at)
        return where.state in (None, part.state) and late

    def _names(self, case_id: CaseId, where: CaseFilter) -> bool:
        """True if what people have at hand names this case."""
        mine = [d for d in self._deliveries.values() if d.case_id == case_id]
        ids = {d.id for d in mine} | {m.id for m in self._messages.values() if m.case_id == case_id}
        failed = {d.last_code for d in mine if d.state is not TransportState.DELIVERED}
        return (
            (where.message_id is None or where.message_id in ids)
            and (where.external_id is None or where.external_id in {d.external_id for d in mine})
            and (where.failed is None or where.failed in failed)
        )

    def _matches(self, row: CaseRow, where: CaseFilter) -> bool:
        case = row.case
        return (
            where.owner in (None, case.owner)
            and where.held_by in (None, row.authority)
            and (where.sent_to is not None or where.state in (None, row.state))
            and (where.sent_to is None or self._is_own(row, where, where.sent_to))
            and where.reference in (None, case.reference)
            and where.registered in (None, row.number)
            and where.case_number in (None, case.case_number)
            and where.kind in (None, case.kind)
            and where.channel in (None, case.channel)
            and where.topic in (None, case.topics[0])
            and where.needs_operator in (None, row.needs_operator)
            and where.group is None  # groups are made by followers, which need a database
            and not where.finders  # so is the index of applicants
            and self._names(case.id, where)
            and (
                where.territory in (None, "UA")
                or (case.place or "").startswith(territory_prefix(where.territory or ""))
            )
            and _within(row, where)
            and (
                where.authority is None
                or any(d.case_id == case.id and d.authority == where.authority for d in self._deliveries.values())
            )
        )

    def _sorted(self, values: Mapping[Any, V], wanted: Callable[[V], bool], *by: str) -> tuple[V, ...]:
        with self._lock:
            return tuple(sorted((value for value in values.values() if wanted(value)), key=attrgetter(*by)))

    def claim_watched(
        self, *, now: datetime, until: datetime, limit: int, case_id: CaseId | None = None
    ) -> tuple[CaseRow, ...]:
        """Cases to be looked at now; moved on to ``until``."""
        with self._lock:
            due = [
                row for row in self._rows.values() if _has_come(row.watch_at, now) and case_id in (None, row.case.id)
            ]
            due.sort(key=lambda row: (row.watch_at, row.case.id))
            taken = tuple(replace(row, watch_at=until) for row in due[: max(limit, 0)])
            self._rows.update((row.case.id, row) for row in taken)
            return taken

    def facts_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Facts of several cases."""
        return {case_id: self.facts(case_id) for case_id in case_ids}

    def appeals_of(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The appeal of each of these cases as it was first made out."""
        found = ((case_id, self.messages(case_id)) for case_id in case_ids)
        made = {case_id: next(filter(_is_appeal, messages), None) for case_id, messages in found}
        return {case_id: message for case_id, message in made.items() if message is not None}

    def compared(self) -> tuple[Comparison, ...]:
        """Deliveries over shadow channels beside those that counted."""
        with self._lock:
            counted = [d for d in self._deliveries.values() if not d.shadow and d.state is not TransportState.CANCELLED]
            pairs = Counter(
                (tried.channel_id, tried.state, other.channel_id, other.state)
                for tried in self._deliveries.values()
                if tried.shadow
                for other in counted
                if other.message_id == tried.message_id
            )
        return tuple(
            Comparison(shadow=shadow, shadow_state=shadow_state, channel_id=channel, state=state, count=count)
            for (shadow, shadow_state, channel, state), count in sorted(pairs.items())
        )

    def facts(self, case_id: CaseId) -> tuple[Fact, ...]:
        """Facts of a case, by time, then key."""
        with self._lock:
            known = dict(self._facts.get(case_id, {}))
        return self._sorted(known, lambda _: True, "at", "key")

    def message(self, message_id: MessageId) -> Message | None:
        """One message."""
        with self._lock:
            return self._messages.get(message_id)

    def messages(self, case_id: CaseId) -> tuple[Message, ...]:
        """Messages of a case, by time, then id."""
        return self._sorted(self._messages, lambda m: m.case_id == case_id, "created_at", "id")

    def notes(self, case_id: CaseId) -> tuple[Note, ...]:
        """Notes about a case, by time, then id."""
        return self._sorted(self._notes, lambda note: note.case_id == case_id, "at", "id")

    def delivery(self, delivery_id: DeliveryId) -> Delivery | None:
        """One delivery."""
        with self._lock:
            return self._deliveries.get(delivery_id)

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        """Deliveries of a case, by time, then id."""
        return self._sorted(self._deliveries, lambda d: d.case_id == case_id, "created_at", "id")

    def delivery_of(self, message_id: MessageId) -> Delivery | None:
        """The delivery that carries this message; the newest, if it was handed from channel to channel."""
        found = self._sorted(
            self._deliveries, lambda d: d.message_id == message_id and not d.shadow, "created_at", "id"
        )
        return found[-1] if found else None

    def deliveries_known_as(
        self, external_id: str, *, authority: str | None = None, channel_id: str | None = None, limit: int
    ) -> tuple[Delivery, ...]:
        """Deliveries that another system knows by this id, newest first."""

        def known(delivery: Delivery) -> bool:
            over = not delivery.shadow if channel_id is None else delivery.channel_id == channel_id
            return delivery.external_id == external_id and over and authority in (None, delivery.authority)

        return self._sorted(self._deliveries, known, "id")[::-1][:limit]

    def offered(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that wait in an authority's inbox, by id."""
        return self._in_state(TransportState.OFFERED, lambda d: d.authority == authority, after)[:limit]

    def _in_state(
        self, state: TransportState, wanted: Callable[[Delivery], bool], after: str | None
    ) -> tuple[Delivery, ...]:
        least: UUID = rules.id_after(after)
        return self._sorted(self._deliveries, lambda d: d.state is state and d.id > least and wanted(d), "id")

    def attempts(self, delivery_id: DeliveryId) -> tuple[Attempt, ...]:
        """Attempts of a delivery, by number."""
        return self._sorted(self._attempts, lambda a: a.delivery_id == delivery_id, "number", "id")

    def attempt_answers(self, delivery_id: DeliveryId) -> Mapping[int, bytes]:
        """Answers that are kept with attempts of a delivery, by number of the attempt."""
        with self._lock:
            return {a.number: self._heard[a.id] for a in self.attempts(delivery_id) if a.id in self._heard}

    def dead(self, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries in state ``dead``, by id."""
        return self._in_state(TransportState.DEAD, lambda _: True, after)[:limit]

    def items(self, *, open_only: bool, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """The operators' queue, by id."""
        wanted = self._sorted(
            self._items, lambda i: i.id > (after or "") and not (open_only and i.closed_at is not None), "id"
        )
        return wanted[:limit]

    def open_items(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[OperatorItem, ...]]:
        """Open items of these cases."""
        wanted = self._sorted(self._items, lambda i: i.closed_at is None and i.case_id in case_ids, "id")
        return {case_id: tuple(i for i in wanted if i.case_id == case_id) for case_id in {i.case_id for i in wanted}}

    def close_items(
        self,
        delivery_id: DeliveryId | None,
        case_id: CaseId,
        at: datetime,
        resolution: str,
        reasons: Collection[str] = (),
    ) -> int:
        """Close the open items of a case, or of one delivery of it."""
        with self._lock:
            found = [
                item
                for item in self._items.values()
                if item.closed_at is None
                and item.case_id == case_id
                and delivery_id in (None, item.delivery_id)
                and (not reasons or item.reason in reasons)
            ]
            self._items.update((i.id, replace(i, closed_at=at, resolution=resolution)) for i in found)
            return len(found)

    def events(self, *, after: str | None, limit: int, authority: str | None = None) -> tuple[Event, ...]:
        """Events after a cursor, in order of commit."""
        _, seq = rules.cursor_place(after)
        with self._lock:
            later = self._events[max(seq, 0) :]
            return tuple(e for e in later if authority is None or e.data.get("authority") == authority)[:limit]

    def newest_event(self) -> str | None:
        """The cursor of the newest event."""
        with self._lock:
            return self._events[-1].cursor if self._events else None

    def _journal(self, change: Change) -> None:
        for record in rules.once(change.inbound):
            if record.kept_sha256 is not None and record.body is not None:
                self._bodies.setdefault(record.kept_sha256, record.body)
            known = self._inbound.get(record.id)
            written = rules.once([known, record])[0] if known is not None else record
            self._inbound[record.id] = replace(written, body=None)
        for decision in change.decisions:
            self._inbound[decision.seen.id] = decided(self._inbound[decision.seen.id], decision)

    def inbound(self, where: InboundFilter, *, limit: int, after: str | None = None) -> tuple[InboundRecord, ...]:
        """Entries, the newest first."""
        place = rules.inbound_place(after)
        found = self._sorted(self._inbound, lambda r: matches(r, where), "received_at", "id")
        older = [r for r in found[::-1] if place is None or (r.received_at, r.id) < place]
        return tuple(older[:limit])

    def inbound_record(self, record_id: str) -> InboundRecord | None:
        """One entry."""
        with self._lock:
            return self._inbound.get(record_id)

    def inbound_body(self, record: InboundRecord) -> bytes | None:
        """Kept bytes of an entry; those of its message if they are the same."""
        with self._lock:
            if record.kept_sha256 is not None:
                return self._bodies.get(record.kept_sha256)
            message = self._messages.get(record.message_id) if record.message_id is not None else None
            return None if message is None else message.raw or message.body

    def answer(self, principal: str, key: str) -> StoredAnswer | None:
        """Answer that was given to this idempotency key before."""
        with self._lock:
            return self._answers.get((principal, key))

    def attachment(self, sha256: str) -> StoredAttachment | None:
        """An attachment that is known."""
        with self._lock:
            return self._attachments.get(sha256)

    def may_read(self, sha256: str, party: str) -> bool:
        """True if this party was granted the attachment."""
        with self._lock:
            return (sha256, party) in self._grants

    def counts(self) -> Mapping[str, int]:
        """Deliveries by state, and open items."""
        with self._lock:
            states = Counter(d.state for d in self._deliveries.values())
            figures = {f"delivery.{state}": states[state] for state in TransportState}
            return figures | {"items.open": sum(item.closed_at is None for item in self._items.values())}

    def ping(self) -> None:
        """Memory can always be written."""


def _add(table: dict[Any, Any], rows: Iterable[Any]) -> None:
    """Rows whose id is known stay as they are."""
    for row in rows:
        table.setdefault(row.id, row)


def _is_appeal(message: Message) -> bool:
    return message.direction is Direction.OUT and message.kind is Kind.APPEAL


def _has_come(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _arrival(row: CaseRow) -> tuple[datetime, UUID]:
    return (row.case.created_at, row.case.id)


def _within(row: CaseRow, where: CaseFilter) -> bool:
    born, due = row.case.created_at, row.due_at
    return (
        (where.created_from is None or born >= where.created_from)
        and (where.created_to is None or born < where.created_to)
        and (where.sent_to is not None or where.overdue_at is None or (due is not None and due < where.overdue_at))
    )


def _grouped(row: CaseRow, by: CaseGrouping) -> str:
    match by:
        case CaseGrouping.STATE | CaseGrouping.AUTHORITY:
            value = getattr(row, by)
        case CaseGrouping.TOPIC:
            value = row.case.topics[0]
        case CaseGrouping.TERRITORY:
            value = (row.case.place or "")[:4]
        case _:
            value = getattr(row.case, by)
    return str(value or "")
