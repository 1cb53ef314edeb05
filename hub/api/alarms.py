"""Doors of the hub's own condition: alarms, and what ends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from hub.alarms.values import ReceiverState
from hub.api.alarm_views import AlarmsView, AlarmView, ExpiriesView, ExpiryView, ReceiverView
from hub.api.dependencies import TheCaller, TheDependencies, problems, show
from hub.api.listing import Limit
from hub.api.threads import run_in_thread
from hub.bootstrap_upkeep import Upkeep
from hub.schemas.base import format_datetime

router = APIRouter(tags=["ops"])


def _upkeep_of(request: Request) -> Upkeep:
    upkeep = request.app.state.upkeep
    assert isinstance(upkeep, Upkeep)
    return upkeep


TheUpkeep = Annotated[Upkeep, Depends(_upkeep_of)]


def _alarms(upkeep: Upkeep, limit: int) -> AlarmsView:
    current, looked_at = upkeep.file.current(), upkeep.memory.looked_at()
    rules = {rule.code: rule for rule in current.rules}
    states = {state.name: state for state in upkeep.memory.receivers()}
    standing = [alarm for alarm in upkeep.memory.standing() if alarm.opened_at is not None]
    return AlarmsView(
        looked_at=format_datetime(looked_at) if looked_at else None,
        open=tuple(AlarmView.of(alarm, rules.get(alarm.rule)) for alarm in standing),
        recent=tuple(AlarmView.of(alarm, rules.get(alarm.rule)) for alarm in upkeep.memory.recent(limit)),
        receivers=tuple(ReceiverView.of(states.get(name, ReceiverState(name=name))) for name in current.receivers),
    )


@router.get(
    "/v1/ops/alarms",
    response_model=AlarmsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What a person must look at now",
)
async def list_alarms(_: TheCaller, upkeep: TheUpkeep, limit: Limit = 50) -> Response:
    """All alarms that stand, up to `limit` that closed last, and whether receivers are reached."""
    return show(await run_in_thread(_alarms, upkeep, limit))


@router.get(
    "/v1/ops/expiry",
    response_model=ExpiriesView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Everything that ends: certificates, keys, lists, secrets",
)
async def list_expiry(
    _: TheCaller,
    deps: TheDependencies,
    upkeep: TheUpkeep,
    days: Annotated[int | None, Query(ge=0, le=3_650, description="Only what cannot be read or ends by then.")] = None,
    limit: Limit = 50,
) -> Response:
    """Read now from the files that settings name, as this process sees them."""
    entries, now = await run_in_thread(upkeep.expiry.entries, fresh=True), deps.hub.clock.now()
    if days is not None:
        entries = tuple(e for e in entries if e.fault or ((left := e.days(now)) is not None and left <= days))
    shown = tuple(ExpiryView.of(entry, now) for entry in entries[:limit])
    return show(ExpiriesView(total=len(entries), entries=shown))
