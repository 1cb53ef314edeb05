"""One case told in order: messages, attempts and facts on one line of time. Pure once the rows are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, cast

from hub.errors import NotFound
from hub.ports import Directory, Store
from hub.schemas.delivery import CLOCK_MEMBERS, Attempt, Delivery, Direction, Fact, FactKind, Message
from hub.schemas.ids import CaseId
from hub.schemas.terms import Kind
from hub.tracking.clocks import heard_at
from hub.tracking.share import is_own
from hub.tracking.state import FINISHED

_TOLD = {
    FactKind.ACCEPTED_BY_HUB: "The hub took the appeal in.",
    FactKind.ROUTED: "Routed to {who} ({reason}).",
    FactKind.ESCALATED: "Brought to the operators: {reason}.",
    FactKind.RESOLVED: "An operator acted: {how}.",
    FactKind.SENT: "Sent to {who} over {channel}.",
    FactKind.DELIVERED: "{who} has it.",
    FactKind.ACCEPTED: "{who} passed it through the preliminary review.",
    FactKind.REGISTERED: "{who} registered it under no. {number} of {date}.",
    FactKind.REFUSED: "{who} refused to register it: {ground}.",
    FactKind.ANSWERED: "{who} answered ({stage}, {result}) with no. {number} of {date}.",
    FactKind.REDIRECTED: "{who} says another body is competent: {to}.",
    FactKind.EXTENDED: "{who} extended the term until {until}.",
    FactKind.CLARIFICATION_ASKED: "{who} asks the applicant to clarify.",
    FactKind.CLARIFIED: "The applicant clarified.",
    FactKind.WITHDRAWN: "The applicant withdrew the appeal.",
    FactKind.CONCLUDED: "A person ended the case ({decision}): {why}",
    FactKind.CORRECTED: "A person corrected what had been stated ({what}): {why}",
    FactKind.RETURNED_FOR_WORK: "The answer was returned for more work.",
    FactKind.PUBLISHED: "The answer was made public.",
    FactKind.SUPPLEMENTED: "The applicant supplemented the appeal.",
    FactKind.NOTED: "The contact centre made a note.",
    FactKind.LINKED: "Looks like an earlier appeal ({sign}).",
    FactKind.FORMAL_FLAGGED: "The answer of {who} looks formal ({reasons}); a person should look.",
    FactKind.HANDED_OVER: "Handed over to the channel {channel} of {who}: {why}.",
    FactKind.PASSED_ON: "The contact centre's «{kind}» goes to {who}.",
    FactKind.NOT_RECEIVED: "No notice from {who} over {channel} in time: not received ({law}).",
    FactKind.TERM_WARNED: "The term «{term}» of {who} ends or ended on {due} ({law}).",
    FactKind.TERM_OVERDUE: "The term «{term}» of {who} was missed: it ended on {due} ({law}).",
    FactKind.TERM_CORRECTED: "The term «{term}» of {who} was not missed after all: a fact came late.",
    FactKind.BREACH: "{who} broke a rule: {rule} ({law}).",
    FactKind.SHADOWED: "Tried beside over {channel}: {outcome}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of a timeline. ``what``: ``fact``, ``attempt``, ``message``, or ``listening`` (a channel that
    cannot be asked now); ``text`` has no personal data.

    ``at``: the moment that counts. ``heard_at``: when the hub heard it, of what a body said; ``says_at``: the moment
    that it claims, where another one counts, and ``clock`` why (``ClockMark``); ``unseen_at``: when the hub looked last
    and it was not there.
    """

    at: datetime
    what: str
    code: str
    text: str
    authority: str | None = None
    ref: str | None = None
    heard_at: str | None = None
    says_at: str | None = None
    unseen_at: str | None = None
    clock: str | None = None


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "—"


def _fact_entry(fact: Fact, directory: Directory) -> TimelineEntry:
    known = directory.authority(fact.authority) if fact.authority else None
    who = (known.short_name or known.name) if known else (fact.authority or "somebody")
    words = _Words({**fact.data, "who": who})
    if fact.kind is FactKind.RESOLVED and "how" not in words:
        words["how"] = words["reason"]
    told = _TOLD[fact.kind]
    if fact.kind is FactKind.ACCEPTED_BY_HUB and "case_number" in fact.data:
        told = "The hub took the appeal in as no. {case_number}."
    return TimelineEntry(
        at=fact.at,
        what="fact",
        code=fact.kind,
        text=told.format_map(words),
        authority=fact.authority,
        ref=str(fact.message_id) if fact.message_id else fact.data.get("note"),
        **_clocks(fact),
    )


class _Clocks(TypedDict, total=False):
    heard_at: str
    says_at: str
    unseen_at: str
    clock: str


def _clocks(fact: Fact) -> _Clocks:
    """Members of a line that tell of a statement's two clocks; none for what the hub did itself."""
    return cast("_Clocks", {name: fact.data[name] for name in CLOCK_MEMBERS if name in fact.data})


def _attempt_entry(attempt: Attempt, delivery: Delivery) -> TimelineEntry:
    outcome = attempt.outcome or "under way"
    status = f", HTTP {attempt.http_status}" if attempt.http_status else ""
    code = f", {attempt.code}" if attempt.code else ""
    return TimelineEntry(
        at=attempt.started_at,
        what="attempt",
        code=str(outcome),
        text=f"Attempt {attempt.number} over {attempt.channel_id}: {outcome}{code}{status}.",
        authority=delivery.authority,
        ref=str(attempt.id),
    )


def _message_entry(message: Message, stated: Fact | None) -> TimelineEntry:
    """``stated``: the fact that it brought. A message whose own date cannot be stands where that fact stands."""
    way = "came in from" if message.direction is Direction.IN else "made for"
    other = message.sender if message.direction is Direction.IN else message.recipient
    moved = stated is not None and ("clock" in stated.data or message.created_at > heard_at(stated))
    return TimelineEntry(
        at=stated.at if stated is not None and moved else message.created_at,
        what="message",
        code=message.kind,
        text=f"Envelope «{message.kind}» {way} {other}.",
        authority=other,
        ref=str(message.id),
        **(_clocks(stated) if stated is not None else {}),
    )


def _entries(store: Store, directory: Directory, case_id: CaseId, body: str | None) -> Iterator[TimelineEntry]:
    facts = store.facts(case_id)
    brought = {fact.message_id: fact for fact in facts if fact.message_id is not None and "heard_at" in fact.data}
    for message in store.messages(case_id):
        yield _message_entry(message, brought.get(message.id))
    for delivery in store.deliveries(case_id):
        for attempt in store.attempts(delivery.id):
            yield _attempt_entry(attempt, delivery)
    if body is None:
        yield from _unheard_entries(store, case_id)
    for fact in facts:
        if body is None or is_own(fact.kind, fact.authority, fact.data, body):
            yield _fact_entry(fact, directory)


def _unheard_entries(store: Store, case_id: CaseId) -> Iterator[TimelineEntry]:
    """Lines about what stands in the way of hearing a body now: its channel cannot be asked, or collected."""
    row = store.case(case_id)
    rows = {each.channel_id: each for each in store.unheard()}
    if row is None or row.state in FINISHED or not rows:
        return
    said = {each.channel_id: each.authority for each in store.deliveries(case_id) if each.channel_id in rows}
    for channel_id, authority in said.items():
        unheard = rows[channel_id]
        yield TimelineEntry(
            at=unheard.since,
            what="listening",
            code=unheard.code,
            text=f"Since then nothing can be heard over {channel_id}: {unheard.failures} failures, {unheard.code}.",
            authority=authority,
        )


_ORDER = {"message": 0, "attempt": 1, "fact": 2, "listening": 3}
_WITHIN = {str(code): place for kinds in (Kind, FactKind) for place, code in enumerate(kinds)}


def _place(entry: TimelineEntry) -> tuple[datetime, int, int]:
    """By time; what happened in one millisecond in the order in which it happens."""
    return (entry.at, _ORDER[entry.what], _WITHIN.get(entry.code, 0))


def timeline(store: Store, directory: Directory, case_id: CaseId, body: str | None = None) -> tuple[TimelineEntry, ...]:
    """All that happened to a case, in order of time. ``body``: only this body's own part. ``NotFound`` for a case that
    does not exist.
    """
    if store.case(case_id) is None:
        raise NotFound("There is no case with this id.", code="case.unknown")
    entries = _entries(store, directory, case_id, body)
    return tuple(sorted((entry for entry in entries if body in (None, entry.authority)), key=_place))
