"""Doors for what operators see and do: their queue, dead letters, lanes, cases that need a hand."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from hub.api.auditing import because
from hub.api.bodies import content_type, read
from hub.api.cases import AfterId
from hub.api.dependencies import (
    Dependencies,
    M,
    TheCaller,
    TheDependencies,
    case_id,
    message_id,
    problems,
    raw_json,
    show,
)
from hub.api.listing import Limit
from hub.api.ops_views import (
    AttemptsView,
    AttemptView,
    ClosedView,
    DeadView,
    ItemsView,
    ItemView,
    LanesView,
    LaneView,
    ShadowsView,
    compare,
)
from hub.api.threads import run_in_thread
from hub.api.views import AcceptedView, DeliveryView
from hub.errors import InvalidInput, NotFound
from hub.schemas import faults, strict_json
from hub.schemas.base import Frozen, Line
from hub.schemas.ids import AuthorityCode, ChannelId, DeliveryId
from hub.schemas.terms import Conclusion, Role

log = logging.getLogger(__name__)
router = APIRouter(tags=["ops"])

JSON = "application/json"
SMALL_BODY = 16_384


class Assign(Frozen):
    """Give a case to this authority by hand: as main executor (instead of the one that has it), as co-executor, or for
    information. No personal data belongs into the reason.
    """

    authority: AuthorityCode
    role: Role = Role.MAIN
    reason: Annotated[str, Line(500)] | None = None


class ChooseChannel(Frozen):
    """Hand a delivery over to this channel of its authority."""

    channel_id: ChannelId


class Close(Frozen):
    """Close the open items of a case with a word on what was done; no personal data belongs here."""

    resolution: Annotated[str, Line(500)]


class Conclude(Frozen):
    """End a case that no body has: it is no appeal, or the centre itself answered. The reason is kept with the case and
    told in its events; no personal data belongs into it.
    """

    decision: Conclusion
    reason: Annotated[str, Line(500)]


def body_of(model: str) -> dict[str, Any]:
    """The body of an order, for the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


async def read_body(request: Request, model: type[M]) -> M:
    """An order, read strictly. ``InvalidInput`` names every fault."""
    content_type(request, JSON)
    body = await read(request, SMALL_BODY)
    strict_json.parse(body, max_bytes=SMALL_BODY)
    try:
        order = model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInput("The request breaks the rules.", faults=faults.faults_of(error)) from None
    because(request, order)
    return order


@router.get(
    "/v1/ops/items",
    response_model=ItemsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="The operators' queue",
)
async def list_items(
    _: TheCaller,
    deps: TheDependencies,
    open_only: Annotated[bool, Query(alias="open", description="Only items that are still open.")] = True,
    after: AfterId = None,
    limit: Limit = 50,
) -> Response:
    """List what waits for a person, oldest first."""
    items = await run_in_thread(deps.hub.store.items, open_only=open_only, after=after, limit=limit)
    cursor = items[-1].id if len(items) == limit else None
    return show(ItemsView(items=tuple(ItemView.of(item, deps.hub.law) for item in items), cursor=cursor))


@router.get(
    "/v1/ops/dead-letters",
    response_model=DeadView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Deliveries that were given up",
)
async def list_dead(_: TheCaller, deps: TheDependencies, after: AfterId = None, limit: Limit = 50) -> Response:
    """Dead letters by id; `last_code` says why."""
    dead = await run_in_thread(deps.hub.store.dead, after=after, limit=limit)
    cursor = str(dead[-1].id) if len(dead) == limit else None
    return show(DeadView(deliveries=tuple(DeliveryView.of(d) for d in dead), cursor=cursor))


@router.post(
    "/v1/ops/dead-letters/{id}/replay",
    response_model=DeliveryView,
    responses=problems(401, 403, 404, 409, 422, 500, 503),
    summary="Send a dead letter again",
)
async def replay(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """The same bytes under the same id, with a fresh schedule."""
    wanted = message_id(id, NotFound("There is no delivery with this id.", code="delivery.unknown"))
    delivery = await run_in_thread(deps.hub.operators.replay, DeliveryId(wanted), by=principal.id)
    return show(DeliveryView.of(delivery))


@router.post(
    "/v1/ops/cases/{id}/assign",
    status_code=202,
    response_model=AcceptedView,
    responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 500, 503),
    openapi_extra=body_of("Assign"),
    summary="Send a case to an authority by hand",
)
async def assign(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """A new envelope of the same case goes to the named authority; the open items of the case are closed. As main
    executor it has the case instead of the one before: a redirect by hand, a hop of the chain.
    """
    order = await read_body(request, Assign)
    work = deps.hub.forwarding.assign
    accepted = await run_in_thread(
        work, case_id(id), order.authority, by=principal.id, role=order.role, reason=order.reason or ""
    )
    return raw_json(accepted.answer, 202, {"Location": f"/v1/cases/{accepted.case_id}"})


@router.post(
    "/v1/ops/deliveries/{id}/channel",
    response_model=DeliveryView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=body_of("ChooseChannel"),
    summary="Hand a delivery over to another channel",
)
async def choose_channel(
    request: Request,
    id: str,  # noqa: A002
    principal: TheCaller,
    deps: TheDependencies,
) -> Response:
    """The same message goes out over another channel of its authority; both copies stay in evidence."""
    wanted = message_id(id, NotFound("There is no delivery with this id.", code="delivery.unknown"))
    order = await read_body(request, ChooseChannel)
    work = deps.hub.operators.choose_channel
    delivery = await run_in_thread(work, DeliveryId(wanted), order.channel_id, by=principal.id)
    return show(DeliveryView.of(delivery))


def _attempts(deps: Dependencies, wanted: DeliveryId) -> AttemptsView:
    delivery = deps.hub.store.delivery(wanted)
    if delivery is None:
        raise NotFound("There is no delivery with this id.", code="delivery.unknown")
    answers = deps.hub.store.attempt_answers(wanted)
    attempts = deps.hub.store.attempts(wanted)
    return AttemptsView(
        delivery_id=str(delivery.id),
        case_id=str(delivery.case_id),
        state=delivery.state,
        content_type=delivery.payload_type,
        attempts=tuple(AttemptView.of(a, delivery.payload, answers.get(a.number)) for a in attempts),
    )


@router.get(
    "/v1/ops/deliveries/{id}/attempts",
    response_model=AttemptsView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="What went out and what came back",
)
async def list_attempts(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Each attempt with the exact bytes and the other side's raw answer, side by side."""
    wanted = message_id(id, NotFound("There is no delivery with this id.", code="delivery.unknown"))
    seen = await run_in_thread(_attempts, deps, DeliveryId(wanted))
    return show(seen)


@router.get(
    "/v1/ops/shadows",
    response_model=ShadowsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Compare shadow channels",
)
async def list_shadows(_: TheCaller, deps: TheDependencies) -> Response:
    """How deliveries ended over channels that are only tried, beside those over the channels that count."""
    compared = await run_in_thread(deps.hub.store.compared)
    return show(ShadowsView(channels=compare(compared)))


@router.post(
    "/v1/ops/cases/{id}/close",
    response_model=ClosedView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=body_of("Close"),
    summary="Close the open items of a case",
)
async def close(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Says what was done; the case itself keeps its state, which follows from facts only. Refused while no body has the
    case (`case.nobody_has_it`): then nobody would answer the applicant.
    """
    order = await read_body(request, Close)
    work = deps.hub.operators.close
    closed = await run_in_thread(work, case_id(id), by=principal.id, resolution=order.resolution)
    return show(ClosedView(closed=closed))


@router.post(
    "/v1/ops/cases/{id}/conclude",
    response_model=ClosedView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=body_of("Conclude"),
    summary="End a case that no body has",
)
async def conclude(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """A person's reasoned decision: it is no appeal, or the centre itself answered. The open items of the case are
    closed. A case that a body has, or that is on its way to one, is not ended so: that body answers.
    """
    order = await read_body(request, Conclude)
    work = deps.hub.operators.conclude
    closed = await run_in_thread(work, case_id(id), order.decision, by=principal.id, why=order.reason)
    return show(ClosedView(closed=closed))


@router.get(
    "/v1/ops/lanes",
    response_model=LanesView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Lanes and their health",
)
async def list_lanes(_: TheCaller, deps: TheDependencies) -> Response:
    """Every lane that ever had trouble, was paused, or has work now."""
    seen = await run_in_thread(deps.hub.operators.lanes)
    return show(LanesView(lanes=tuple(map(LaneView.of, seen))))


@router.post(
    "/v1/ops/lanes/{channel_id}/pause",
    response_model=LaneView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="Stop a lane",
)
async def pause(channel_id: str, _: TheCaller, deps: TheDependencies) -> Response:
    """Nothing goes out over this channel until it is resumed; what waits, waits."""
    return show(LaneView.of(await run_in_thread(deps.hub.operators.pause, channel_id)))


@router.post(
    "/v1/ops/lanes/{channel_id}/resume",
    response_model=LaneView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="Let a lane run again",
)
async def resume(channel_id: str, _: TheCaller, deps: TheDependencies) -> Response:
    """The lane runs again, with a closed breaker."""
    return show(LaneView.of(await run_in_thread(deps.hub.operators.resume, channel_id)))
