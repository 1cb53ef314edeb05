"""Answers about campaigns, likeness, reports and webhooks; as ``hub.api.views``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hub.api.views import View
from hub.following.values import AnswerScore, Campaign, EndpointState, Queued
from hub.following.webhooks import Endpoint
from hub.schemas.base import format_datetime


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
    """Likeness of a case. ``sign``: classifier 858, list 2; ``of_case``: the earlier case that it repeats."""

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
    """A topic or place that rose. Numbers with a fraction are text. ``topic`` or ``territory`` null: of all."""

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
    """Surges of a Kyiv day, the strongest first."""

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
