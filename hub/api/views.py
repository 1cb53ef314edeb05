"""What the doors answer: one model per document. Every member is always there; absent values are null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.delivery.operators import LaneSeen, Standing
from hub.delivery.statement import Taken
from hub.delivery.timeline import Entry
from hub.following.ports import AnswerScore, Campaign, EndpointState, Queued
from hub.following.webhooks import Endpoint
from hub.schemas.base import format_datetime
from hub.schemas.delivery import CaseRow, Comparison, Delivery, Event, Message, OperatorItem


class View(BaseModel):
    """Base of all answers. Moments are RFC 3339 in UTC with milliseconds, days are YYYY-MM-DD."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AcceptedView(BaseModel):
    """What became of an appeal. ``authority``: absent if it went to the operators' queue; ``reason`` says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case_id: str
    message_id: str
    authority: str = Field(default="", description="Code of the body that it goes to; absent if none was found.")
    state: Literal["routed", "operators"]
    reason: str
    registry_version: str


class DeliveryView(View):
    """One envelope on its way to one authority."""

    id: str
    message_id: str
    case_id: str
    authority: str
    channel_id: str
    role: str
    priority: int
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    delivered_at: str | None
    last_code: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        """The view of a delivery."""
        return cls(
            id=str(delivery.id),
            message_id=str(delivery.message_id),
            case_id=str(delivery.case_id),
            authority=delivery.authority,
            channel_id=delivery.channel_id,
            role=delivery.role,
            priority=delivery.priority,
            state=delivery.state,
            attempts=delivery.attempts,
            created_at=format_datetime(delivery.created_at),
            next_at=format_datetime(delivery.next_at) if delivery.next_at else None,
            delivered_at=format_datetime(delivery.delivered_at) if delivery.delivered_at else None,
            last_code=delivery.last_code,
        )


class MessageView(View):
    """One envelope of a case; its content is at ``/v1/cases/{case_id}/messages/{id}``."""

    id: str
    kind: str
    direction: str
    sender: str
    recipient: str | None
    in_reply_to: str | None
    created_at: str
    sha256: str

    @classmethod
    def of(cls, message: Message) -> MessageView:
        """The view of a message."""
        return cls(
            id=str(message.id),
            kind=message.kind,
            direction=message.direction,
            sender=message.sender,
            recipient=message.recipient,
            in_reply_to=str(message.in_reply_to) if message.in_reply_to else None,
            created_at=format_datetime(message.created_at),
            sha256=message.sha256,
        )


class CaseView(View):
    """A case as lists show it. ``authority`` and ``number``: who has it, and under which number it is registered.

    ``answer_due``: the day that was announced at its birth; ``due_at``: the end of the nearest term of the law that
    runs now, in the past = overdue.
    """

    id: str
    state: str
    authority: str | None
    number: str | None
    reference: str | None
    channel: str
    kind: str
    topics: tuple[str, ...]
    place: str | None
    priority: int
    answer_due: str | None
    due_at: str | None
    needs_operator: bool
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, row: CaseRow) -> CaseView:
        """The view of a case."""
        case = row.case
        return cls(
            id=str(case.id),
            state=row.state,
            authority=row.authority,
            number=row.number,
            reference=case.reference,
            channel=case.channel,
            kind=case.kind,
            topics=case.topics,
            place=case.place,
            priority=case.priority,
            answer_due=case.answer_due,
            due_at=format_datetime(row.due_at) if row.due_at else None,
            needs_operator=row.needs_operator,
            created_at=format_datetime(case.created_at),
            updated_at=format_datetime(row.updated_at),
        )

    def for_authority(self, party: str) -> CaseView:
        """The same without what concerns the contact centre or another body only."""
        hidden: dict[str, object] = {"reference": None, "needs_operator": False}
        if self.authority != party:
            hidden |= {"authority": None, "number": None, "state": "elsewhere", "due_at": None}
        return self.model_copy(update=hidden)


class CopyView(View):
    """One channel that the appeal was tried over. ``given_up_at``: no notice had come in time; ``counts``: its receipt
    is the one that proves the delivery.
    """

    delivery_id: str
    channel_id: str | None
    sent_at: str | None
    receipt: str | None
    received_at: str | None
    given_up_at: str | None
    counts: bool


class ExecutorView(View):
    """One body that has, or had, the case. ``superseded``: another one has it now; ``returns``: answers sent back."""

    authority: str
    role: str
    state: str
    number: str | None
    registered_on: str | None
    ground: str | None
    superseded: bool
    returns: int
    copies: tuple[CopyView, ...]


class TermView(View):
    """One term. ``state``: ``running``, ``overdue``, ``met`` or ``late``; ``binding``: the law's, not a warning only;
    ``provisional``: it runs through a year whose days off were not reviewed.
    """

    term: str
    title: str
    law: str
    authority: str | None
    delivery_id: str | None
    started_at: str
    due_at: str
    due: str
    ended_at: str | None
    state: str
    binding: bool
    extended: bool
    provisional: bool


class HopView(View):
    """One step of the chain of redirects. ``days``: how long the body had the appeal; ``reason``: in its own words."""

    number: int
    role: str
    authority: str
    to: str | None
    named: str | None
    why: str
    decided_by: str | None
    at: str
    days: int | None
    late: bool
    reason: str | None


class ChainView(View):
    """The chain of redirects of a case. ``told``: in words."""

    case_id: str
    hops: tuple[HopView, ...]
    told: str


class SaidView(View):
    """What became of a message of the contact centre: the ids of the envelopes that it became."""

    case_id: str
    messages: tuple[str, ...]


class ShadowView(View):
    """How a shadow channel did beside a channel that counts. ``agree``: deliveries that ended alike."""

    shadow: str
    channel_id: str
    tried: int
    agree: int
    outcomes: Mapping[str, int]


class ShadowsView(View):
    """All shadow channels that something went over."""

    channels: tuple[ShadowView, ...]


def compare(compared: Sequence[Comparison]) -> tuple[ShadowView, ...]:
    """Counts by shadow channel; ``outcomes`` by ``<shadow>/<counting>``, what is still under way included."""
    pairs: dict[tuple[str, str], dict[str, int]] = {}
    for one in compared:
        outcomes = pairs.setdefault((one.shadow, one.channel_id), {})
        outcomes[f"{one.shadow_state}/{one.state}"] = one.count
    return tuple(
        ShadowView(
            shadow=shadow,
            channel_id=channel,
            tried=sum(outcomes.values()),
            agree=sum(n for pair, n in outcomes.items() if len(set(pair.split("/"))) == 1),
            outcomes=outcomes,
        )
        for (shadow, channel), outcomes in sorted(pairs.items())
    )


class CaseDetailView(View):
    """One case with its deliveries and messages, executors and terms, as far as they concern the caller."""

    case: CaseView
    deliveries: tuple[DeliveryView, ...]
    messages: tuple[MessageView, ...]
    executors: tuple[ExecutorView, ...]
    terms: tuple[TermView, ...]


class CasesView(View):
    """A page of cases. ``cursor``: pass it as ``after`` for the next page; null = there is no more."""

    cases: tuple[CaseView, ...]
    cursor: str | None


class CountsView(View):
    """How many cases, by one of their members. What has no value counts under the empty text."""

    by: str
    total: int
    counts: Mapping[str, int]


class EntryView(View):
    """One line of a timeline. ``ref``: id of the message or attempt."""

    at: str
    what: str
    code: str
    text: str
    authority: str | None
    ref: str | None

    @classmethod
    def of(cls, entry: Entry) -> EntryView:
        """The view of a line."""
        return cls(
            at=format_datetime(entry.at),
            what=entry.what,
            code=entry.code,
            text=entry.text,
            authority=entry.authority,
            ref=entry.ref,
        )


class TimelineView(View):
    """All that happened to a case, in order of time."""

    case_id: str
    entries: tuple[EntryView, ...]


class EventView(View):
    """One fact as an event. ``at``: when it happened; ``recorded_at``: when the hub learned of it."""

    cursor: str
    type: str
    case_id: str
    at: str
    recorded_at: str
    data: Mapping[str, str]

    @classmethod
    def of(cls, event: Event) -> EventView:
        """The view of an event."""
        return cls(
            cursor=event.cursor,
            type=event.type,
            case_id=str(event.case_id),
            at=format_datetime(event.at),
            recorded_at=format_datetime(event.recorded_at),
            data=dict(event.data),
        )


class EventsView(View):
    """Events in the order of commit. ``cursor``: pass it as ``after``; it moves on even if ``events`` is empty."""

    events: tuple[EventView, ...]
    cursor: str | None


class InboxView(View):
    """What waits for the authority, oldest first. ``cursor``: pass it as ``after``; null = there is no more."""

    messages: tuple[DeliveryView, ...]
    cursor: str | None


class TakenView(View):
    """An inbound message that was taken in. ``repeat``: it had been taken in before, nothing changed."""

    message_id: str
    case_id: str
    repeat: bool

    @classmethod
    def of(cls, taken: Taken) -> TakenView:
        """The view of what was taken in."""
        return cls(message_id=str(taken.message_id), case_id=str(taken.case_id), repeat=taken.repeat)


class StoredView(View):
    """A file that is safely kept. Name it in a manifest by these two values."""

    sha256: str
    size: int


class ItemView(View):
    """Something that waits for an operator."""

    id: str
    case_id: str
    reason: str
    detail: str
    opened_at: str
    delivery_id: str | None
    authority: str | None
    channel_id: str | None
    closed_at: str | None
    resolution: str | None

    @classmethod
    def of(cls, item: OperatorItem) -> ItemView:
        """The view of an item."""
        return cls(
            id=item.id,
            case_id=str(item.case_id),
            reason=item.reason,
            detail=item.detail,
            opened_at=format_datetime(item.opened_at),
            delivery_id=str(item.delivery_id) if item.delivery_id else None,
            authority=item.authority,
            channel_id=item.channel_id,
            closed_at=format_datetime(item.closed_at) if item.closed_at else None,
            resolution=item.resolution,
        )


class ItemsView(View):
    """A page of the operators' queue."""

    items: tuple[ItemView, ...]
    cursor: str | None


class DeadView(View):
    """A page of dead letters."""

    deliveries: tuple[DeliveryView, ...]
    cursor: str | None


class LaneView(View):
    """A lane: how it stands, how much is still to go out, and how many sends and polls are due now (none are counted
    while it is paused, open or resting; up to 1,000).
    """

    channel_id: str
    standing: Standing
    waiting: int
    paused: bool
    suspect: bool
    failures: int
    open_until: str | None
    rest_until: str | None
    due_sends: int
    due_polls: int

    @classmethod
    def of(cls, seen: LaneSeen) -> LaneView:
        """The view of a lane."""
        state, due = seen.state, seen.due
        return cls(
            channel_id=state.channel_id,
            standing=seen.standing,
            waiting=seen.waiting,
            paused=state.paused,
            suspect=state.suspect,
            failures=state.failures,
            open_until=format_datetime(state.open_until) if state.open_until else None,
            rest_until=format_datetime(state.rest_until) if state.rest_until else None,
            due_sends=due.sends if due else 0,
            due_polls=due.polls if due else 0,
        )


class LanesView(View):
    """All lanes with a known state or with work."""

    lanes: tuple[LaneView, ...]


class ClosedView(View):
    """How many items of a case were closed."""

    closed: int


class CampaignView(View):
    """A group of like appeals, named after the first one. Its members: ``GET /v1/cases?group=…``."""

    id: str
    topic: str
    oblast: str | None
    size: int
    started_at: str
    last_at: str

    @classmethod
    def of(cls, campaign: Campaign) -> CampaignView:
        """The view of a campaign."""
        return cls(
            id=str(campaign.id),
            topic=campaign.topic,
            oblast=campaign.oblast,
            size=campaign.size,
            started_at=format_datetime(campaign.started_at),
            last_at=format_datetime(campaign.last_at),
        )


class CampaignsView(View):
    """A page of campaigns. ``cursor``: pass it as ``after``; null = there is no more."""

    groups: tuple[CampaignView, ...]
    cursor: str | None


class ScoreView(View):
    """How formal an answer looks, 0 to 100, and why; from 50 on it is flagged."""

    message_id: str
    authority: str
    score: int
    flagged: bool
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, score: AnswerScore) -> ScoreView:
        """The view of a score."""
        return cls(
            message_id=str(score.message_id),
            authority=score.authority,
            score=score.score,
            flagged=score.flagged,
            reasons=score.reasons,
        )


class LikenessView(View):
    """What a case is like. ``sign``: classifier 858, list 2; ``of_case``: the earlier case that it repeats."""

    case_id: str
    looked: bool
    sign: str | None
    of_case: str | None
    percent: int | None
    group: CampaignView | None
    answers: tuple[ScoreView, ...]


class ReportLineView(View):
    """One line of a report. ``key``: empty for cases without a value."""

    key: str
    name: str | None
    values: Mapping[str, int]


class ReportView(View):
    """A report. ``behind_since``: since when the figures lag behind; null = they are complete."""

    report: str
    by: str
    day_from: str | None
    day_to: str | None
    made_at: str
    behind_since: str | None
    lines: tuple[ReportLineView, ...]


class SurgeView(View):
    """What rose. Numbers with a fraction are text. ``topic`` or ``territory`` null: of all."""

    topic: str | None
    topic_name: str | None
    territory: str | None
    territory_name: str | None
    count: int
    expected: str
    excess: str
    c2: str
    c3: str


class SurgesView(View):
    """What rose on a Kyiv day, the strongest first."""

    day: str
    behind_since: str | None
    surges: tuple[SurgeView, ...]


class GivenUpView(View):
    """An event that an endpoint did not take in three days."""

    cursor: str
    case_id: str
    type: str
    attempts: int
    last_code: str | None

    @classmethod
    def of(cls, queued: Queued) -> GivenUpView:
        """The view of an event."""
        return cls(
            cursor=queued.cursor,
            case_id=str(queued.case_id),
            type=queued.type,
            attempts=queued.attempts,
            last_code=queued.last_code,
        )


class WebhookView(View):
    """A webhook endpoint. ``state``: ``on``, ``resting`` (until ``open_until``) or ``off`` (it said 410 Gone)."""

    id: str
    party: str | None
    types: tuple[str, ...]
    state: Literal["on", "resting", "off"]
    failures: int
    open_until: str | None
    reason: str | None
    cursor: str | None
    waiting: int
    given_up: tuple[GivenUpView, ...]

    @classmethod
    def of(cls, endpoint: Endpoint, state: EndpointState, *, waiting: int, given_up: tuple[Queued, ...]) -> WebhookView:
        """The view of an endpoint."""
        return cls(
            id=endpoint.id,
            party=endpoint.party,
            types=tuple(sorted(endpoint.types)),
            state="off" if state.disabled_at else "resting" if state.open_until else "on",
            failures=state.failures,
            open_until=format_datetime(state.open_until) if state.open_until else None,
            reason=state.reason,
            cursor=state.cursor,
            waiting=waiting,
            given_up=tuple(GivenUpView.of(queued) for queued in given_up),
        )


class WebhooksView(View):
    """All endpoints of the webhooks' file."""

    webhooks: tuple[WebhookView, ...]


class AliveView(View):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyView(View):
    """The hub can take appeals in. ``registry_version``: the registry in force."""

    status: Literal["ready"] = "ready"
    registry_version: str
