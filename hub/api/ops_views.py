"""Answers of the operators' doors; as ``hub.api.views``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from hub.api.views import DeliveryView, View
from hub.cases.operators import LaneSeen, Standing
from hub.net import secret_marks
from hub.schemas.base import format_datetime
from hub.schemas.delivery import Attempt, Comparison, OperatorItem, OutcomeKind, TransportState
from hub.schemas.visible import visible
from hub.tracking.law import Law


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


class ItemView(View):
    """Something that waits for an operator. `due_at`: by when it is to be done, in the past = overdue."""

    id: str
    case_id: str
    reason: str
    detail: str
    opened_at: str
    due_at: str | None
    delivery_id: str | None
    authority: str | None
    channel_id: str | None
    closed_at: str | None
    resolution: str | None

    @classmethod
    def of(cls, item: OperatorItem, law: Law) -> ItemView:
        """The view of an item."""
        due = law.item_due(item.opened_at)
        return cls(
            id=item.id,
            case_id=str(item.case_id),
            reason=item.reason,
            detail=item.detail,
            opened_at=format_datetime(item.opened_at),
            due_at=format_datetime(due) if due else None,
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


class AttemptView(View):
    """One attempt, what went out beside what came back. `sent`: the exact bytes as text, absent if later attempts sent
    others; `answered`: status line, headers without credentials and body, up to the channel's `answer_kb`.
    """

    number: int
    channel_id: str
    started_at: str
    finished_at: str | None
    outcome: OutcomeKind | None
    code: str | None
    http_status: int | None
    detail: str | None
    sha256: str
    size: int
    sent: str | None
    answered: str | None

    @classmethod
    def of(cls, attempt: Attempt, payload: bytes | None, answer: bytes | None) -> AttemptView:
        """The view of an attempt. ``payload``: what the delivery's last attempt sent."""
        same = payload is not None and hashlib.sha256(payload).hexdigest() == attempt.sha256
        return cls(
            number=attempt.number,
            channel_id=attempt.channel_id,
            started_at=format_datetime(attempt.started_at),
            finished_at=format_datetime(attempt.finished_at) if attempt.finished_at else None,
            outcome=attempt.outcome,
            code=attempt.code,
            http_status=attempt.http_status,
            detail=attempt.detail,
            sha256=attempt.sha256,
            size=attempt.size,
            sent=as_text(payload) if same and payload is not None else None,
            answered=as_text(answer) if answer is not None else None,
        )


def as_text(data: bytes) -> str:
    """Bytes for people: UTF-8, what is none as escapes."""
    text = secret_marks.shown(data.decode("utf-8", "backslashreplace"))
    return visible(text.replace("\r\n", "\n"), lines=True)


class AttemptsView(View):
    """All attempts of one delivery, in order."""

    delivery_id: str
    case_id: str
    state: TransportState
    content_type: str | None
    attempts: tuple[AttemptView, ...]


class DeadView(View):
    """A page of dead letters."""

    deliveries: tuple[DeliveryView, ...]
    cursor: str | None


class LaneView(View):
    """A lane: how it stands, how much is still to go out, and how many sends and polls are due now (none are counted
    while it is paused, open or resting; up to 1,000). `unheard`: so many questions or collections failed in a
    row since `unheard_since`, the last with `unheard_code`.
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
    unheard: int
    unheard_since: str | None
    unheard_code: str | None

    @classmethod
    def of(cls, seen: LaneSeen) -> LaneView:
        """The view of a lane."""
        state, due, row = seen.state, seen.due, seen.unheard
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
            unheard=row.failures if row else 0,
            unheard_since=format_datetime(row.since) if row else None,
            unheard_code=row.code if row else None,
        )


class LanesView(View):
    """All lanes with a known state or with work."""

    lanes: tuple[LaneView, ...]


class ClosedView(View):
    """How many items of a case were closed."""

    closed: int
