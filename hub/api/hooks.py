"""Webhook endpoints for operators: how they stand, switching them on, letting events go again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, problems, show
from hub.api.following_views import WebhooksView, WebhookView
from hub.api.ops import body_of, read_body
from hub.api.threads import run_in_thread
from hub.errors import NotFound
from hub.following.values import EndpointState
from hub.schemas.base import Code, Frozen

router = APIRouter(tags=["ops"])


class Replay(Frozen):
    """Events that go again: those given up, or all after a cursor (``from_start``: from the first event on)."""

    given_up: bool = False
    after: Annotated[str, Code(r"[0-9]{19}\.[0-9]{19}")] | None = None
    from_start: bool = Field(default=False, description="Everything that is still given out.")


def _view(deps: Dependencies, endpoint_id: str) -> WebhookView:
    named = next((e for e in deps.hub.following.webhooks.endpoints() if e.id == endpoint_id), None)
    if named is None:
        raise NotFound("There is no webhook endpoint with this name.", code="webhook.unknown")
    queue = deps.hub.following.queue
    state = queue.endpoint(endpoint_id) or EndpointState(id=endpoint_id)
    return WebhookView.of(
        named, state, waiting=queue.waiting(endpoint_id), given_up=queue.given_up(endpoint_id, after=None, limit=50)
    )


def _views(deps: Dependencies) -> WebhooksView:
    named = deps.hub.following.webhooks.endpoints()
    return WebhooksView(webhooks=tuple(_view(deps, endpoint.id) for endpoint in named))


@router.get(
    "/v1/ops/webhooks",
    response_model=WebhooksView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Webhook endpoints and their health",
)
async def list_webhooks(_: TheCaller, deps: TheDependencies) -> Response:
    """Every endpoint of the webhooks' file, how many events wait for it, and the first 50 that were given up."""
    return show(await run_in_thread(_views, deps))


def _enable(deps: Dependencies, endpoint_id: str) -> WebhookView:
    _view(deps, endpoint_id)
    state = deps.hub.following.queue.endpoint(endpoint_id)
    if state is not None:
        deps.hub.following.queue.save_endpoint(EndpointState(id=endpoint_id))
    return _view(deps, endpoint_id)


@router.post(
    "/v1/ops/webhooks/{id}/enable",
    response_model=WebhookView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="Switch a webhook endpoint on",
)
async def enable(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """An endpoint that said 410 Gone, or that is left alone for a while, is called again at once."""
    return show(await run_in_thread(_enable, deps, id))


def _replay(deps: Dependencies, endpoint_id: str, order: Replay) -> WebhookView:
    _view(deps, endpoint_id)
    queue = deps.hub.following.queue
    if order.given_up:
        queue.revive(endpoint_id, deps.hub.clock.now())
    if order.after is not None or order.from_start:
        queue.move_endpoint(endpoint_id, order.after or deps.hub.following.pruning.floor())
    return _view(deps, endpoint_id)


@router.post(
    "/v1/ops/webhooks/{id}/replay",
    response_model=WebhookView,
    responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 500, 503),
    openapi_extra=body_of("Replay"),
    summary="Send events to a webhook endpoint again",
)
async def replay(request: Request, id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Under the same ids: a receiver that remembers them takes nothing twice."""
    order = await read_body(request, Replay)
    return show(await run_in_thread(_replay, deps, id, order))
